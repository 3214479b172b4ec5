"""The models behind the results, with their accuracies, which show whether they have learned anything."""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from statistics import fmean  # the same in every version of Python, which the sum of floats is not
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.console import progress
from resi.errors import ArtifactError
from resi.report.names import counted, natural_order
from resi.results.embedded import models_of
from resi.results.manifests import COMPARISONS_FILE
from resi.results.tables import named_damage
from resi.store.tensors import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from resi.results.shards import Shard

LEARNED = 0.1
"""A model has learned something if its accuracy is at least this share of the way from guessing to 1."""
RANDOM = "label_randomization"
"""The prefix of settings with random labels, whose models can only guess on unseen data."""
PROBE = "probe"
SPLITS = ("train", "validation", "test")
MANY = 500
"""From this number of files on, progress is shown."""


class Model(NamedTuple):
    """A stored model.

    Attributes
    ----------
    accuracies : dict
        By split, as recorded after training.
    probes : dict
        Accuracy on each input on which its representations were computed.
    classes : int or None
        The number of classes of the network.
    """

    domain: str
    dataset: str
    architecture: str
    setting: str
    seed: int
    accuracies: dict[str, float]
    probes: dict[str, float]
    seconds: float | None
    classes: int | None

    @property
    def accuracy(self) -> float | None:
        """Accuracy on data that it has not seen."""
        own = self.accuracies
        found = [own[split] for split in ("test", "validation") if split in own] or list(self.probes.values())
        return found[0] if found else None

    @property
    def has_learned(self) -> bool | None:
        """Whether any of its accuracies, including that on training data, is well above guessing; None if unknown."""
        best = max([*self.accuracies.values(), *self.probes.values()], default=None)
        if best is None or not self.classes:
            return None
        guessed = 1 / self.classes
        return best > guessed + LEARNED * (1 - guessed)


class Group(NamedTuple):
    """Models that differ only in their seed, with the lowest, mean and highest accuracy of each column."""

    domain: str
    dataset: str
    architecture: str
    setting: str
    models: list[Model]
    accuracies: dict[str, tuple[float, float, float]]
    seconds: float | None
    doubtful: int


def read_models(root: Path | None, shard: Shard | None = None) -> list[Model]:
    """Return the models of a data root; damaged files and files of another format are left out.

    Parameters
    ----------
    shard : Shard, optional
        Only models whose domain, dataset, architecture, setting and seed are in its comparisons.
    """
    noted = [] if shard is None else _noted(shard)
    if root is None or noted:
        return noted
    probes: dict[str, dict[str, tuple[float, int | None]]] = defaultdict(dict)
    found: dict[str, Model] = {}
    outputs = sorted((root / "representations").rglob("*-outputs-*.safetensors"))
    for path, about in _read_all(outputs):
        if isinstance(about.get("model"), str) and isinstance(about.get("accuracy"), int | float):
            shape = about["shapes"].get("logits", ())
            classes = int(shape[-1]) if len(shape) == 2 else None
            probes[about["model"]][str(about.get("probe"))] = float(about["accuracy"]), classes
            found[about["model"]] = _model(_names_in(path), {}, probes[about["model"]])
    for _, about in _read_all(sorted((root / "models").rglob("*.safetensors"))):
        spec, key = about.get("spec"), about.get("fingerprint")
        if isinstance(spec, dict) and isinstance(key, str):
            found[key] = _model(spec, about, probes.get(key, {}))
    compared = None if shard is None else _compared(shard)
    return [model for model in found.values() if compared is None or model[:5] in compared]


def _noted(shard: Shard) -> list[Model]:
    """Return the models noted beside tables, as for results shipped with resi."""
    return [
        Model(
            **{name: row[name] for name in Model._fields if name not in ("accuracies", "probes")},
            accuracies=json.loads(row["accuracies"]),
            probes=json.loads(row["probes"]),
        )
        for row in models_of(shard.folder).iter_rows(named=True)
    ]


def _read_all(paths: Sequence[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the metadata of files, with progress if there are many."""
    with progress("reading models", len(paths)) if len(paths) >= MANY else contextlib.nullcontext() as advance:
        for path in paths:
            with contextlib.suppress(ArtifactError):
                yield path, read_metadata(path)
            if advance is not None:
                advance()


def _names_in(path: Path) -> dict[str, Any]:
    """Return the model's names from the folders of its stored outputs, if the model itself is no longer stored."""
    *_, domain, dataset, architecture, model = path.parent.parts
    setting, _, seed = model.rpartition("-s")
    names = {"domain": domain, "dataset": dataset, "architecture": architecture, "setting": setting}
    return {**names, "seed": int(seed) if seed.isdigit() else 0}


def _compared(shard: Shard) -> set[tuple[Any, ...]]:
    """Return domain, dataset, architecture, setting and seed of all models in the comparisons of a shard."""
    path = shard.folder / COMPARISONS_FILE
    of_both = ["domain", "dataset", "architecture"]
    with named_damage(path):
        scanned = pl.scan_parquet(path, glob=False)
        sides = [scanned.select(*of_both, setting=f"setting_{side}", seed=f"seed_{side}").unique() for side in "ab"]
        return set(pl.concat(sides).unique().collect(engine="streaming").iter_rows())


def _model(spec: Mapping[str, Any], about: Mapping[str, Any], probes: Mapping[str, tuple[float, int | None]]) -> Model:
    domain, dataset, architecture, setting = (
        str(spec.get(name, "")) for name in ("domain", "dataset", "architecture", "setting")
    )
    accuracies, seed, seconds = about.get("accuracies"), spec.get("seed"), about.get("seconds")
    known = accuracies if isinstance(accuracies, dict) else {}
    return Model(
        domain,
        dataset,
        architecture,
        setting,
        seed if isinstance(seed, int) else 0,
        {str(split): float(value) for split, value in known.items() if isinstance(value, int | float)},
        {probe: accuracy for probe, (accuracy, _) in probes.items()},
        float(seconds) if isinstance(seconds, int | float) else None,
        next((classes for _, classes in probes.values() if classes), None),
    )


def groups(models: Sequence[Model]) -> list[Group]:
    """Return models grouped so that those of a group differ only in their seed."""
    together: dict[tuple[str, str, str, str], list[Model]] = defaultdict(list)
    for model in models:
        together[model[:4]].append(model)
    ordered = sorted(together, key=natural_order)
    return [_group(names, sorted(together[names], key=lambda model: model.seed)) for names in ordered]


def _group(names: tuple[str, str, str, str], models: list[Model]) -> Group:
    columns: dict[str, list[float]] = defaultdict(list)
    for model in models:
        for split, value in model.accuracies.items():
            columns[split].append(value)
        for value in model.probes.values():
            columns[PROBE].append(value)
    spread = {name: (min(values), fmean(values), max(values)) for name, values in columns.items()}
    seconds = [model.seconds for model in models if model.seconds is not None]
    doubtful = sum(model.has_learned is False for model in models)
    return Group(*names, models, spread, sum(seconds) / len(seconds) if seconds else None, doubtful)


def columns(found: Sequence[Group], every: bool = False) -> list[str]:
    """Return the columns of accuracies: training data, unseen data and probes; optionally every split."""
    names = {name for group in found for name in group.accuracies}
    known = [split for split in (*SPLITS, PROBE) if split in names]
    return known + sorted(names - set(known)) * every


def doubts(models: Sequence[Model]) -> dict[str, str]:
    """Return for each domain how many of its models learned next to nothing, if any did."""
    known = Counter(model.domain for model in models if model.has_learned is not None)
    doubtful = Counter(model.domain for model in models if model.has_learned is False)
    return {
        domain: f"{number} of the {counted(known[domain], 'model')} learned next to nothing: "
        "these answers carry little weight."
        for domain, number in doubtful.items()
    }


def verdict(models: Sequence[Model]) -> str:
    """Return a sentence on whether the models have learned something; empty if there are none."""
    known = [model for model in models if model.accuracy is not None]
    if not known:
        return ""
    usual = [model.accuracy or 0.0 for model in known if not model.setting.startswith(RANDOM)]
    ends = list(dict.fromkeys(f"{end:.2f}" for end in (min(usual), max(usual)))) if usual else []
    spread = f" Accuracy on unseen data, random labels aside: {' to '.join(ends)}." if usual else ""
    doubtful = sum(model.has_learned is False for model in known)
    if not doubtful:
        return f"{'All ' if len(known) > 1 else ''}{counted(len(known), 'model')} behind these results learned.{spread}"
    few = f"{doubtful} of {counted(len(known), 'model')} learned next to nothing"
    return f"{few}, so scores based on them carry little weight.{spread}"
