"""The models behind the results, with their accuracies, which say whether they have learned anything."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.console import progress
from resi.errors import ArtifactError
from resi.report.names import counted
from resi.store.tensors import read_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LEARNED = 0.1
"""A model has learned something where its accuracy has come so much of the way from guessing to being always right."""
RANDOM = "label_randomization"
"""How settings begin whose models are trained on random labels: on unseen data they can only guess."""
PROBE = "probe"
SPLITS = ("train", "validation", "test")
MANY = 500
"""From so many files on, reading them shows progress."""


class Model(NamedTuple):
    """A stored model.

    Attributes
    ----------
    accuracies : dict
        By split, as recorded after training.
    probes : dict
        Accuracy on each input on which its representations were computed.
    classes : int or None
        How many the network tells apart.
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
        """Whether its accuracy, be it on training data, is well above that of guessing; None if unknown."""
        best = max([*self.accuracies.values(), *self.probes.values()], default=None)
        if best is None or not self.classes:
            return None
        guessed = 1 / self.classes
        return best > guessed + LEARNED * (1 - guessed)


class Group(NamedTuple):
    """Models that differ in their seed alone; the accuracies are the lowest, mean and highest of each column."""

    domain: str
    dataset: str
    architecture: str
    setting: str
    models: list[Model]
    accuracies: dict[str, tuple[float, float, float]]
    seconds: float | None
    doubtful: int


def read_models(root: Path | None) -> list[Model]:
    """Return the models of a data root; files that are damaged or of another form are left out."""
    if root is None:
        return []
    stored = sorted((root / "models").rglob("*.safetensors"))
    outputs = sorted((root / "representations").rglob("*-outputs-*.safetensors"))
    probes: dict[str, dict[str, tuple[float, int | None]]] = defaultdict(dict)
    abouts = _read_all([*stored, *outputs])
    for about in abouts:
        if isinstance(about.get("model"), str) and "accuracy" in about:
            shape = about["shapes"].get("logits", ())
            classes = int(shape[-1]) if len(shape) == 2 else None
            probes[about["model"]][str(about.get("probe"))] = float(about["accuracy"]), classes
    return [_model(about, probes.get(about["fingerprint"], {})) for about in abouts if "spec" in about]


def _read_all(paths: Sequence[Path]) -> list[dict[str, Any]]:
    found = []
    if len(paths) < MANY:
        return [about for path in paths if (about := _read(path)) is not None]
    with progress("reading models", len(paths)) as advance:
        for path in paths:
            about = _read(path)
            if about is not None:
                found.append(about)
            advance()
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        about = read_metadata(path)
    except ArtifactError:
        return None
    is_model = isinstance(about.get("spec"), dict) and isinstance(about.get("fingerprint"), str)
    return about if is_model or "accuracy" in about else None


def _model(about: dict[str, Any], probes: dict[str, tuple[float, int | None]]) -> Model:
    spec, accuracies = about["spec"], about.get("accuracies") or {}
    domain, dataset, architecture, setting = (
        str(spec.get(name, "")) for name in ("domain", "dataset", "architecture", "setting")
    )
    return Model(
        domain,
        dataset,
        architecture,
        setting,
        int(spec.get("seed", 0)),
        {str(split): float(value) for split, value in accuracies.items() if isinstance(value, int | float)},
        {probe: accuracy for probe, (accuracy, _) in probes.items()},
        float(about["seconds"]) if isinstance(about.get("seconds"), int | float) else None,
        next((classes for _, classes in probes.values() if classes), None),
    )


def groups(models: Sequence[Model]) -> list[Group]:
    """Return models together that differ in their seed alone."""
    together: dict[tuple[str, str, str, str], list[Model]] = defaultdict(list)
    for model in models:
        together[model[:4]].append(model)
    return [_group(names, sorted(together[names], key=lambda model: model.seed)) for names in sorted(together)]


def _group(names: tuple[str, str, str, str], models: list[Model]) -> Group:
    columns: dict[str, list[float]] = defaultdict(list)
    for model in models:
        for split, value in model.accuracies.items():
            columns[split].append(value)
        for value in model.probes.values():
            columns[PROBE].append(value)
    spread = {name: (min(values), sum(values) / len(values), max(values)) for name, values in columns.items()}
    seconds = [model.seconds for model in models if model.seconds is not None]
    doubtful = sum(model.has_learned is False for model in models)
    return Group(*names, models, spread, sum(seconds) / len(seconds) if seconds else None, doubtful)


def columns(found: Sequence[Group]) -> list[str]:
    """Return the columns of accuracies: training data first, then what models have not seen, then probes."""
    names = {name for group in found for name in group.accuracies}
    known = [split for split in (*SPLITS, PROBE) if split in names]
    return known + sorted(names - set(known))


def verdict(models: Sequence[Model]) -> str:
    """Say in a sentence whether the models have learned something; empty where there are none."""
    known = [model for model in models if model.accuracy is not None]
    if not known:
        return ""
    usual = [model.accuracy or 0.0 for model in known if not model.setting.startswith(RANDOM)]
    spread = f" Accuracy on unseen data, random labels aside: {min(usual):.2f} to {max(usual):.2f}." if usual else ""
    doubtful = sum(model.has_learned is False for model in known)
    if not doubtful:
        return f"{'All ' if len(known) > 1 else ''}{counted(len(known), 'model')} behind these results learned.{spread}"
    few = f"{doubtful} of {counted(len(known), 'model')} learned next to nothing"
    return f"{few}, so scores that rest on them say little.{spread}"
