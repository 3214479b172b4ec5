"""Whether models made in the same way have the same weights, and what differs between other models."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import ResiError
from resi.report.names import listed
from resi.store.tensors import hash_tensors, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Spec = Mapping[str, Any]

WHERE = ("domain", "dataset", "architecture")
UNKNOWN = "in settings, seeds, hyperparameters, data or the version of their training"


def same_weights(root: Path, models: pl.DataFrame, cells: pl.DataFrame) -> Iterator[str]:
    """Yield how many of the stored models have the same weights as those with the same fingerprint in a table.

    Parameters
    ----------
    models : DataFrame
        With the columns :data:`resi.results.embedded.MODELS`.
    cells : DataFrame
        With the columns ``domain``, ``dataset`` and ``architecture``: whose models to compare.
    """
    known = dict(models.join(cells, on=WHERE, how="semi").select("fingerprint", "weights").iter_rows())
    equal = other = 0
    for path, about in _stored(root, cells.select(WHERE).unique().iter_rows(named=True)):
        if about.get("fingerprint") in known:
            is_equal = hash_tensors(path) == known[about["fingerprint"]]
            equal, other = equal + is_equal, other + (not is_equal)
    if other:
        they = f"Of {equal + other} models {other} {_has(other)}" if equal else _all(other)
        yield (
            f"{they} other weights than there, though trained alike: rounding differs between machines and versions of "
            "torch, and scores vary with it."
        )
    elif equal:
        yield f"{_all(equal)} the same weights in both, to the last bit."


def _has(models: int) -> str:
    return "has" if models == 1 else "have"


def _all(models: int) -> str:
    return f"{'The one model' if models == 1 else f'All {models} models'} {_has(models)}"


def what_differs(root: Path | None, models: pl.DataFrame, cell: Mapping[str, Any]) -> str:
    """Return how the models of a cell were made differently, as far as both sides record it."""
    there = models.filter(*(pl.col(name) == cell[name] for name in WHERE))
    if root is None or there.is_empty():
        return UNKNOWN
    known = {(row["setting"], row["seed"]): row for row in there.iter_rows(named=True)}
    fingerprints = set(there["fingerprint"])
    found: dict[str, None] = {}
    is_same = False
    for _, about in _stored(root, [cell]):
        spec = about.get("spec")
        is_same |= about.get("fingerprint") in fingerprints
        if isinstance(spec, dict) and (other := known.get((spec.get("setting"), spec.get("seed")))):
            found |= dict.fromkeys(_differences(spec, other))
    if found and not is_same:
        return listed(list(found))
    return "in settings, seeds or layers" if is_same else UNKNOWN


def _differences(own: Spec, other: Spec) -> Iterator[str]:
    if own.get("dataset_content") != other["dataset_content"]:
        yield "different data under the same name"
    values, others = own.get("hyperparameters", {}), json.loads(other["hyperparameters"])
    for name in sorted(values.keys() | others.keys()):
        if values.get(name) != others.get(name):
            yield f"{name}={values.get(name)} instead of {others.get(name)}"
    if own.get("training_version") != other["training_version"]:
        yield f"training version {own.get('training_version')} instead of {other['training_version']}"


def _stored(root: Path, places: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the models of a data root in some places with their metadata; damaged ones are left out."""
    for place in places:
        folder = root / "models"
        for name in WHERE:
            folder /= str(place[name])
        for path in sorted(folder.rglob("*.safetensors")):
            with contextlib.suppress(ResiError):
                yield path, read_metadata(path)
