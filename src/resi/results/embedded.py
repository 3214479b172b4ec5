"""Results shipped with resi: tables of runs on real data, read by name.

Each is a folder of merged tables with two more tables: the models behind the numbers, and the manifests of the runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import unknown_name
from resi.results.manifests import MANIFEST
from resi.results.outdated import find_outdated
from resi.results.shards import Shard
from resi.results.tables import named_damage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

FOLDER = Path(__file__).with_name("embedded_tables")
MODELS_FILE, RUNS_FILE = "models.parquet", "runs.parquet"
MODELS = {
    "domain": pl.String,
    "dataset": pl.String,
    "dataset_content": pl.String,  # hash of the files and of what makes inputs of them
    "architecture": pl.String,
    "setting": pl.String,
    "seed": pl.Int64,
    "hyperparameters": pl.String,  # JSON
    "training_version": pl.Int64,
    "fingerprint": pl.String,  # hash of all of the above
    "weights": pl.String,  # hash of the trained weights
    "accuracies": pl.String,  # JSON: by split, after training
    "probes": pl.String,  # JSON: by input on which representations were computed
    "classes": pl.Int64,
    "seconds": pl.Float64,  # of training
}
"""The columns of the table of models."""
RUNS = {"name": pl.String, "manifest": pl.String}
"""The columns of the table of runs: the shard's name, and its manifest as JSON."""


def embedded_names() -> list[str]:
    """Return the names of the results shipped with resi."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{MANIFEST}"))


def embedded_results(name: str) -> Shard:
    """Return the tables of results shipped with resi.

    Raises
    ------
    UsageError
        If there are none with that name.
    """
    if name not in embedded_names():
        raise unknown_name("results that come with resi", name, embedded_names())
    return Shard(FOLDER / name)


def named_root(root: Path) -> Path:
    """Return the folder of results that a root names: a path, or results shipped with resi if there is no such path."""
    return FOLDER / root if str(root) in embedded_names() and not root.exists() else root


def models_of(folder: Path) -> pl.DataFrame:
    """Return the models noted beside tables, with the columns ``MODELS``; empty if none are noted."""
    return _read(folder / MODELS_FILE, MODELS)


def runs_of(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the shard name and the manifest of each run noted beside tables."""
    for name, manifest in _read(folder / RUNS_FILE, RUNS).iter_rows():
        yield name, json.loads(manifest)


def earlier_versions(tables: Shard, measures: Collection[str] | None = None) -> list[str]:
    """Return why numbers in tables were computed by earlier versions, each reason once.

    Parameters
    ----------
    measures : collection of str, optional
        Only for these measures; by default, for all.
    """
    rows = tables.comparisons(None if measures is None else pl.col("measure").is_in(measures))
    found = [find_outdated(tables.manifest(), rows)]
    found += [find_outdated(manifest, rows.clear()) for _, manifest in runs_of(tables.folder)]
    reasons = [reason for one in found for reason in (*one.measures.values(), one.shard, one.scores)]
    return [reason for reason in dict.fromkeys(reasons) if reason]


def _read(path: Path, schema: dict[str, Any]) -> pl.DataFrame:
    if not path.is_file():
        return pl.DataFrame(schema=schema)
    with named_damage(path):
        return pl.read_parquet(path, columns=list(schema), glob=False)
