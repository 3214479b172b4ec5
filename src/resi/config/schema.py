"""The typed config of a run, and how its groups are registered with Hydra."""

from __future__ import annotations

import enum
import functools
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import MISSING, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from resi import registry
from resi.config.explain import explain_hydra, unknown_key
from resi.config.launchers import LAUNCHERS
from resi.config.loading import composing, open_loader, private_store
from resi.config.words import CHOSEN, check_single, check_words, one_value, quoted, suite_of
from resi.console import say
from resi.console.redaction import redact_config
from resi.errors import ResiError, UsageError, unknown_name
from resi.groundings import GROUNDINGS
from resi.groundings.base import PROTOCOLS
from resi.machine.memory import parse_memory
from resi.registry import make_measure
from resi.store.root import default_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

    from resi.domains.base import Domain
    from resi.groundings.base import Grounding
    from resi.measures.base import Measure

SOURCES = ("train", "published")
ON_ERROR = ("record", "raise")
NO_RUN = "a suite is many runs: start them with resi -m suite=NAME, count them with resi plan suite=NAME"


class Stage(enum.Enum):
    """How far a run goes; see ``resi --help``."""

    models = "models"
    representations = "representations"
    compare = "compare"
    score = "score"
    all = "all"


class Overwrite(enum.Enum):
    """Which stored comparisons are made again."""

    only_missing = "only_missing"
    failed = "failed"
    always = "always"


@dataclass
class DatasetConfig:
    """A dataset's name, and where its files lie if not below the data root."""

    name: str = MISSING
    root: str | None = None


@dataclass
class TestConfig:
    """A test's name."""

    __test__ = False  # no test class, whatever pytest thinks of its name
    name: str = MISSING


@dataclass
class CompareConfig:
    """How comparisons are made."""

    memory: str = "auto"
    threads: int | None = None
    overwrite: Overwrite = Overwrite.only_missing
    subsample: int | None = None
    isolate: bool = False
    time_limit: float | None = None


@dataclass
class ModelsConfig:
    """Where models come from: trained here, or published checkpoints below a folder."""

    source: str = "train"
    root: str | None = None


@dataclass
class RunSchema:
    """All keys of a run, as Hydra sees them."""

    root: str = MISSING
    shards: str | None = None
    domain: str = MISSING
    protocol: str = MISSING
    seeds: list[int] | None = None
    groups: Any = 3
    device: str = "auto"
    stage: Stage = Stage.all
    on_error: str = "record"
    dataset: Any = None
    model: Any = None
    models: ModelsConfig = field(default_factory=ModelsConfig)
    representation: str | None = None
    test: Any = None
    suite: Any = None
    measure: dict[str, Any] = field(default_factory=dict)
    compare: CompareConfig = field(default_factory=CompareConfig)


@dataclass(frozen=True)
class RunConfig:
    """A validated run: every name in it exists.

    Attributes
    ----------
    models : dict
        Hyperparameters to change, by architecture.
    models_root : Path or None
        Where published models lie; None where models are trained.
    shards : str or None
        URL of a folder in which finished shards are kept as well.
    """

    root: Path
    domain: Domain
    dataset: str
    dataset_root: Path | None
    models: dict[str, dict[str, Any]]
    models_root: Path | None
    test: Grounding
    measures: dict[str, Measure]
    protocol: str
    seeds: tuple[int, ...]
    groups: int | tuple[str, ...]
    device: str
    stage: Stage
    memory: str
    threads: int | None
    overwrite: Overwrite
    subsample: int | None
    isolate: bool
    time_limit: float | None
    on_error: str
    shards: str | None
    composed: dict[str, Any]
    """The composed config itself, for the manifest."""


def config_folder() -> Path:
    """Return the folder of the YAML configs: inside an installed package, at the top of a checkout."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "conf"


@functools.cache
def register() -> None:
    """Tell the Hydra of this process, of which resi is the program, of everything there is."""
    Plugins.instance()  # those of other packages register launchers of the same names, and not after us
    fill_store(ConfigStore.instance())


@functools.cache
def own_store() -> ConfigStore:
    """Return a store of everything there is, beside that of the program that calls resi."""
    store = private_store()
    fill_store(store)
    return store


def fill_store(store: ConfigStore) -> None:
    """Register every launcher, domain, dataset, model, test and measure, those of plugins included."""
    for name, options in LAUNCHERS.items():
        store.store(group="hydra/launcher", name=name, node=options)
    store.store(name="run_schema", node=RunSchema)
    for domain in registry.usable_domains():
        _register_domain(store, domain)
    for test in GROUNDINGS:
        store.store(group="test", name=test, node=TestConfig(name=test))
    for name, members in registry.measure_sets().items():
        store.store(group="measure", name=name, node={"defaults": members}, package="measure")
    for name in registry.measures():
        entry = registry.measures().origin(name)
        try:
            store.store(group="measure", name=name, node=entry.item, package=f"measure.{name}")
        except OmegaConfBaseException as error:  # of a plugin, with parameters that a config cannot hold
            reason = " ".join(str(error).split())
            say(f"left out: measure {name} of {entry.distribution} cannot be named in a run: {reason}")


def _register_domain(store: ConfigStore, domain: Domain) -> None:
    defaults: list[Any] = [{"override /dataset": domain.default_dataset}, {"override /model": [*domain.default_models]}]
    store.store(
        group="domain", name=domain.name, node={"defaults": defaults, "domain": domain.name}, package="_global_"
    )
    for dataset in domain.datasets():
        store.store(group="dataset", name=dataset.name, node=DatasetConfig(name=dataset.name))
    for architecture in domain.architectures():
        name = architecture.name
        store.store(group="model", name=name, node=domain.model_config, package=f"model.{name}")


def compose(overrides: Sequence[str], folder: Path | None = None) -> RunConfig:
    """Compose and validate the config of one run from command-line words, and a folder with configs of a user's own.

    Raises
    ------
    UsageError
        If a word is not KEY=VALUE, or its key or value does not exist.
    """
    if isinstance(overrides, str) or not all(isinstance(word, str) for word in overrides):
        raise UsageError(f"expected a list of words such as ['measure=cka'], not {overrides!r}")
    if suite_of(overrides):
        raise UsageError(NO_RUN)
    with composing():
        found = compose_with(open_loader(config_folder(), own_store(), folder), quoted(overrides))
    if isinstance(found, ResiError):
        raise found
    return found


def compose_with(loader: ConfigLoader, words: Sequence[str]) -> RunConfig | ResiError:
    """Return the config of one run, or the error that says why there is none."""
    try:
        check_words(words)
        composed = loader.load_configuration("config", list(words), RunMode.RUN, from_shell=False)
        check_choices(composed.hydra)
        with open_dict(composed):
            del composed["hydra"]
        return validate(composed)
    except ResiError as error:
        return error
    except Exception as error:
        if message := explain_hydra(error):
            return UsageError(message)
        raise


def check_choices(hydra: Any) -> None:
    """Raise ``UsageError`` if of a group with one choice several were made, in words or in a config.

    Parameters
    ----------
    hydra : DictConfig
        The node of that name of a composed config.
    """
    words = task_words(hydra)
    check_single(OverridesParser.create().parse_overrides(words))
    for group in CHOSEN:
        # Hydra notes what was chosen of a group, unless it was a list.
        if group not in hydra.runtime.choices and not any(word.lstrip("+").startswith(f"{group}=") for word in words):
            raise one_value(group, f"a list for {group} in a config")


def task_words(hydra: Any) -> list[str]:
    """Return the words that a run was given, with interpolations as they were given."""
    words = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return [str(word) for word in words] if isinstance(words, list) else []


def validate(composed: DictConfig) -> RunConfig:
    """Return the typed config.

    Raises
    ------
    UsageError
        Naming the first key whose value does not exist or does not fit.
    """
    if composed.suite is not None:
        raise UsageError(NO_RUN)
    if composed.protocol not in PROTOCOLS:
        raise unknown_name("protocol", composed.protocol, PROTOCOLS)
    domain = registry.domains().get(composed.domain)(composed.protocol, composed.representation)
    _check_keys(composed, domain)
    if composed.test is None or composed.test.name not in GROUNDINGS:
        raise unknown_name("test", str(composed.test), list(GROUNDINGS))
    test = GROUNDINGS[composed.test.name]()
    _check_choice(domain, "dataset", composed.dataset.name if composed.dataset else None)
    for architecture in composed.model or [None]:
        _check_choice(domain, "model", architecture)
    if not composed.measure:
        raise UsageError("measure is empty: name one, a list as in measure=[cka,rsa], or benchmark")
    groups = _groups(composed.groups)
    domain.settings(test.name, groups)  # says what does not fit
    root = composed.dataset.root
    return RunConfig(
        root=Path(composed.root or default_root()).expanduser().absolute(),
        domain=domain,
        dataset=composed.dataset.name,
        dataset_root=Path(root).expanduser().absolute() if root else None,
        models={str(name): _plain(composed.model[name]) for name in composed.model},
        models_root=_models_root(composed, domain.published_keys),
        test=test,
        measures={str(name): _measure(str(name), composed) for name in composed.measure},
        protocol=composed.protocol,
        seeds=_seeds(composed, domain.seeds_by_test.get(test.name, test.seeds), test),
        groups=groups,
        device=composed.device,
        stage=composed.stage,
        memory=_memory(composed.compare.memory),
        threads=_at_least("compare.threads", composed.compare.threads, 1),
        overwrite=composed.compare.overwrite,
        subsample=_at_least("compare.subsample", composed.compare.subsample, 2),
        isolate=composed.compare.isolate,
        time_limit=_time_limit(composed.compare),
        on_error=_on_error(composed.on_error),
        shards=_url("shards", composed.shards),
        composed=redact_config(OmegaConf.to_container(composed, resolve=False, enum_to_str=True)),
    )


def _check_keys(composed: DictConfig, domain: Domain) -> None:
    """Raise ``UsageError`` for a key that does not exist and was added by ``+KEY=VALUE`` or a config."""
    schemas: dict[str, Any] = {"compare": CompareConfig, "models": ModelsConfig, "dataset": DatasetConfig}
    schemas |= {f"model.{name}": domain.model_config for name in composed.model or ()}
    names = {field.name for field in fields(RunSchema)}
    found = [str(key) for key in composed if key not in names]
    for group, schema in schemas.items():
        names = {field.name for field in fields(schema)}
        found += [f"{group}.{key}" for key in OmegaConf.select(composed, group) or {} if key not in names]
    if found:
        raise UsageError(unknown_key(found[0]))


def _check_choice(domain: Domain, kind: str, name: str | None) -> None:
    known = [item.name for item in (domain.datasets() if kind == "dataset" else domain.architectures())]
    if name not in known:
        raise unknown_name(f"{kind} of domain={domain.name}:", str(name), known)


def _models_root(composed: DictConfig, published_keys: Sequence[str]) -> Path | None:
    """Return where published models lie, None where models are trained."""
    given = composed.models
    if given.source not in SOURCES:
        raise unknown_name("models.source", given.source, SOURCES)
    if given.source == "train":
        if given.root:
            raise UsageError(f"models.root={given.root}: it is read with models.source=published only")
        return None
    for name, values in composed.model.items():
        for key, value in _plain(values).items():
            if value is not None and key not in published_keys:
                raise UsageError(f"model.{name}.{key}={value}: models.source=published reads models as they are")
    return Path(given.root or composed.root).expanduser().absolute()


def _measure(name: str, composed: DictConfig) -> Measure:
    """Return a measure with its parameters; the published protocol compares by published variants."""
    parameters = _plain(composed.measure[name])
    if composed.protocol == "published" and "variant" in parameters:
        parameters["variant"] = "published"
    return make_measure(name, parameters)


def _plain(node: Any) -> dict[str, Any]:
    content = OmegaConf.to_container(node, resolve=True, enum_to_str=True)
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def _groups(given: Any) -> int | tuple[str, ...]:
    """Return the number of groups, or their settings where a list names them."""
    if isinstance(given, ListConfig):
        return tuple(str(name) for name in given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise UsageError(f"groups={given}: expected 2, 3, 5, or a list such as [standard,label_randomization_50]")
    return given


def _seeds(composed: DictConfig, default: tuple[int, ...], test: Grounding) -> tuple[int, ...]:
    if composed.seeds is None:
        return default
    seeds = tuple(int(seed) for seed in composed.seeds)
    # One model is enough where its layers are compared, or nothing is.
    fewest = 1 if test.kind == "layers" or composed.stage in (Stage.models, Stage.representations) else 2
    if len(seeds) < fewest or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        number = "at least two seeds" if fewest > 1 else "seeds"
        raise UsageError(f"seeds={list(seeds)}: expected {number} from 0 up, all different")
    return seeds


def _url(key: str, given: str | None) -> str | None:
    if given is not None and "://" not in given:
        raise UsageError(f"{key}={given}: expected a URL such as s3://bucket/folder; root=FOLDER says where runs work")
    return given


def _memory(given: str) -> str:
    parse_memory(given)  # says what is wrong with it
    return given


def _at_least(key: str, given: int | None, smallest: int) -> int | None:
    if given is not None and given < smallest:
        raise UsageError(f"{key}={given}: expected a number from {smallest} up")
    return given


def _time_limit(given: DictConfig) -> float | None:
    limit: float | None = given.time_limit
    if limit is None:
        return None
    if not 0 < limit < math.inf:
        raise UsageError(f"compare.time_limit={limit:g}: expected a number of seconds above 0")
    if not given.isolate:
        raise UsageError(
            f"compare.time_limit={limit:g} needs compare.isolate=true: only a process of its own can be stopped"
        )
    return limit


def _on_error(given: str) -> str:
    if given not in ON_ERROR:
        raise unknown_name("on_error", given, ON_ERROR)
    return given
