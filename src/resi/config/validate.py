"""Turn a composed config into the typed config of a run, or raise an error of one line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from resi import registry
from resi.choices import ModelSource, OnError, Protocol, Stage
from resi.config.designs import SETTING, take_design, test_against
from resi.config.explain import has_keys, unknown_key
from resi.config.own_measures import name_of
from resi.config.schema import SUBKEYS, CompareConfig, ModelOrigin, RunConfig, RunSchema
from resi.console.redaction import redact_config
from resi.domains.given import Chosen, GivenDomain
from resi.errors import UsageError, unknown_name
from resi.fingerprints import canonical
from resi.groundings import GROUNDINGS
from resi.machine.devices import check_device
from resi.registry import configured, make_measure
from resi.registry.files import load_files
from resi.store.root import default_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resi.domains.base import Domain
    from resi.groundings.base import Grounding
    from resi.measures.base import Measure

NO_RUN = "a suite is many runs: start them with resi -m suite=NAME, count them with resi plan suite=NAME"


def validate(composed: DictConfig) -> RunConfig:
    """Return the typed config.

    Raises
    ------
    UsageError
        Naming the first key whose value does not exist or does not fit.
    """
    if composed.suite is not None:
        raise UsageError(NO_RUN)
    _check_nodes(composed)
    check_device(composed.device)
    protocol = Protocol.parse("protocol", composed.protocol)
    domain = registry.domains().get(composed.domain)(protocol, composed.representation)
    for architecture in composed.model or [None]:
        _check_choice(domain, "model", architecture and name_of(architecture))
    measures = _measures(composed, protocol)
    _check_keys(composed, domain)
    if composed.test is None or composed.test.name not in GROUNDINGS:
        raise unknown_name("test", str(composed.test), list(GROUNDINGS))
    test = GROUNDINGS[composed.test.name]()
    if not isinstance(domain, GivenDomain):
        _check_choice(domain, "dataset", composed.dataset.name if composed.dataset else None)
    groups, design = _groups(composed.groups), take_design(composed)
    seeds = _seeds(composed, test)
    settings: tuple[str, ...] = ()
    root = composed.dataset.root
    dataset_root = Path(root).expanduser().absolute() if root else None
    models = _models(composed, domain.published_keys)
    if isinstance(domain, GivenDomain):
        _check_given(composed, domain, models)
        domain = domain.bound(chosen(test, dataset_root, composed.dataset.name, groups, seeds))
        dataset, architectures, seeds = of_given(domain)
    else:
        dataset = composed.dataset.name
        architectures = {name_of(str(name)): _plain(composed.model[name]) for name in composed.model}
        seeds = domain.seeds_by_test.get(test.name, test.seeds) if seeds is None else seeds
    if design.by != SETTING:
        test, settings = test_against(design, test, domain, list(architectures), groups)
    elif not isinstance(domain, GivenDomain):
        domain.settings(test.name, groups)  # says what does not fit
    return RunConfig(
        root=Path(composed.root or default_root()).expanduser().absolute(),
        domain=domain,
        dataset=dataset,
        dataset_root=dataset_root,
        architectures=architectures,
        models=models,
        test=test,
        measures=measures,
        protocol=protocol,
        seeds=seeds,
        groups=groups,
        device=composed.device,
        stage=composed.stage,
        compare=CompareConfig(**{field.name: composed.compare[field.name] for field in fields(CompareConfig)}),
        on_error=OnError.parse("on_error", composed.on_error),
        shards=_url("shards", composed.shards),
        composed=redact_config(OmegaConf.to_container(composed, resolve=False, enum_to_str=True)),
        null=composed.null,
        keeps_decoded=bool(composed.dataset.cache),
        workers=composed.workers,
        settings=settings,
        trained_on=design.trained_on,
    )


def _check_nodes(composed: DictConfig) -> None:
    """Raise ``UsageError`` for a value in place of the parameters of a measure or model."""
    for group in ("measure", "model"):
        for name, value in (composed[group] or {}).items():
            if not isinstance(value, DictConfig) and name != "file":
                raise UsageError(has_keys(f"{group}.{name}={'null' if value is None else value}"))


def _check_keys(composed: DictConfig, domain: Domain) -> None:
    """Raise ``UsageError`` for a key that does not exist and was added by ``+KEY=VALUE`` or a config."""
    schemas = SUBKEYS | {f"model.{name}": domain.model_config for name in composed.model or ()}
    names = {field.name for field in fields(RunSchema)}
    found = [str(key) for key in composed if key not in names]
    for group, schema in schemas.items():
        names = {field.name for field in fields(schema)}
        found += [f"{group}.{key}" for key in OmegaConf.select(composed, group) or {} if key not in names]
    if found:
        raise UsageError(unknown_key(found[0]))


def _check_choice(domain: Domain, kind: str, name: str | None) -> None:
    known = [item.name for item in (domain.datasets() if kind == "dataset" else domain.architectures())]
    of_plugins = (registry.datasets if kind == "dataset" else registry.networks)(domain.name)
    if name is None:
        raise UsageError(f"{kind} is empty: leave it out for the default, or name one of {', '.join(known)}")
    if name not in known and name not in of_plugins:
        for other in registry.usable_domains():
            if name in [item.name for item in (other.datasets() if kind == "dataset" else other.architectures())]:
                raise UsageError(
                    f"{kind}={name} is of domain={other.name}, not of domain={domain.name}; "
                    f"write domain={other.name} {kind}={name}"
                )
        raise unknown_name(f"{kind} of domain={domain.name}:", str(name), known)


def _models(composed: DictConfig, published_keys: Sequence[str]) -> ModelOrigin:
    given = composed.models
    source = ModelSource.parse("models.source", given.source)
    if source is ModelSource.train:
        if given.root:
            raise UsageError(f"models.root={given.root}: it is used with models.source=published only")
        return ModelOrigin(source, None)
    for name, values in composed.model.items():
        for key, value in _plain(values).items():
            if value is not None and key not in published_keys:
                raise UsageError(f"model.{name}.{key}={value}: models.source=published reads models without changes")
    return ModelOrigin(source, Path(given.root or composed.root).expanduser().absolute())


def _measures(composed: DictConfig, protocol: Protocol) -> dict[str, Measure]:
    """Return the measures with their parameters by name; the published protocol compares by published variants.

    The entry ``file`` of the config is taken out where it names none.
    """
    paths = composed.measure.get("file")
    if paths is None:
        with open_dict(composed):
            composed.measure.pop("file", None)
    files = load_files([str(path) for path in ([paths] if isinstance(paths, str) else paths or ())])
    of_files = {name: measure for file in files for name, measure in file.measures.items()}
    found: dict[str, Measure] = {}
    for key in composed.measure:
        if key == "file":
            continue
        name, parameters = name_of(str(key)), _plain(composed.measure[key])
        measure = configured(of_files[name], parameters) if name in of_files else make_measure(name, parameters)
        _check_once(measure, found)
        found[measure.name] = measure
    found = by_protocol(found, protocol)
    if not found:
        raise UsageError("measure is empty: name one, a list as in measure=[cka,rsa], or benchmark")
    check_scorable(found)
    return found


def _check_once(measure: Measure, others: Mapping[str, Measure]) -> None:
    """Raise ``UsageError`` if a measure is named twice, with its distribution and without."""
    known = registry.measures().registered(type(measure))
    for name, other in others.items():
        if known and name != measure.name and registry.measures().registered(type(other)) == known:
            raise UsageError(f"measure: {name} and {measure.name} are the same measure; name it once")


def by_protocol(measures: Mapping[str, Measure], protocol: Protocol) -> dict[str, Measure]:
    """Return the measures of a run; the published protocol compares by published variants."""
    if not protocol.is_published:
        return dict(measures)
    return {
        name: configured(type(measure), {**measure.parameters(), "variant": "published"})
        if "variant" in measure.parameters()
        else measure
        for name, measure in measures.items()
    }


def check_scorable(measures: Mapping[str, Measure]) -> None:
    """Raise ``UsageError`` for a measure without a direction, or with parameters that a table cannot hold."""
    for name, measure in measures.items():
        try:
            canonical(measure.parameters())
        except Exception as error:  # of somebody else's code
            raise UsageError(
                f"{name}: its parameters have to be numbers, texts, lists or null, which tables can hold: "
                f"{type(error).__name__}: {' '.join(str(error).split())}"
            ) from None
        if not measure.knows_direction:
            raise UsageError(
                f"{name} does not say whether large values mean similar, which a score depends on: "
                f"{name}.larger_is_more_similar = True or False below the function, or resi.as_measure({name}, "
                f"name={name!r}, larger_is_more_similar=...)"
            )
        if registry.is_taken(name):
            raise UsageError(f"the name {name} has another meaning here; give the measure another")


def _plain(node: Any) -> dict[str, Any]:
    content = OmegaConf.to_container(node, resolve=True, enum_to_str=True)
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def chosen(
    test: Grounding,
    root: Path | None,
    dataset: str,
    groups: int | tuple[str, ...] | None = None,
    seeds: tuple[int, ...] | None = None,
) -> Chosen:
    """Return what a run chooses of given representations."""
    return Chosen(test.name, test.kind, test.needs, root, dataset, groups, seeds)


def of_given(domain: GivenDomain) -> tuple[str, dict[str, dict[str, Any]], tuple[int, ...]]:
    """Return the dataset, the architectures and the seeds of a run about given representations."""
    content = domain.content
    return content.dataset, {name: {} for name in content.architectures}, content.seeds


def _check_given(composed: DictConfig, domain: GivenDomain, models: ModelOrigin) -> None:
    if models.source is ModelSource.published:
        raise UsageError(f"models.source=published: domain={domain.name} reads no published models")
    if composed.stage in (Stage.models, Stage.representations):
        raise UsageError(f"stage={composed.stage.value}: domain={domain.name} has representations; leave stage out")


def _groups(given: Any) -> int | tuple[str, ...] | None:
    """Return the number of groups, or their settings where a list names them."""
    if given is None:
        return None
    if isinstance(given, ListConfig):
        return tuple(str(name) for name in given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise UsageError(f"groups={given}: expected 2, 3, 5, or a list such as [standard,label_randomization_50]")
    return given


def _seeds(composed: DictConfig, test: Grounding) -> tuple[int, ...] | None:
    if composed.seeds is None:
        return None
    return checked_seeds([int(seed) for seed in composed.seeds], test, composed.stage)


def checked_seeds(seeds: Sequence[int], test: Grounding, stage: Stage) -> tuple[int, ...]:
    """Return the seeds of a run.

    Raises
    ------
    UsageError
        If they are too few for its test and stage, not all different, or negative.
    """
    # One model is enough where its layers are compared, or nothing is.
    fewest = 1 if test.kind == "layers" or stage in (Stage.models, Stage.representations) else 2
    if len(seeds) < fewest or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        number = "at least two seeds" if fewest > 1 else "seeds"
        why = f"; test={test.name} compares models that differ in their seed" if fewest > 1 else ""
        raise UsageError(f"seeds={list(seeds)}: expected {number} from 0 up, all different{why}")
    return tuple(seeds)


def _url(key: str, given: str | None) -> str | None:
    if given is not None and "://" not in given:
        raise UsageError(f"{key}={given}: expected a URL such as s3://bucket/folder; set a folder with root=FOLDER")
    return given
