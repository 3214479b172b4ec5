"""Which shards exist or are being made, found for thousands of plans without computing the name of each shard.

A shard is named by the keys of all its comparisons, thousands for a run of all measures. So each run notes the name
beside a summary of its plan, which takes the representations and the measures, but not their pairs.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from resi.errors import StoreError
from resi.fingerprints import fingerprint
from resi.pipeline.keys import measure_key
from resi.pipeline.plan import SHARD_DIGITS
from resi.results.shards import Shard
from resi.store.files import list_files, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from resi.pipeline.plan import Plan
    from resi.store.root import Store

SUMMARY_VERSION = 1


class BegunShards:
    """The shards of a data root that are there or locked by a run, looked up once.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        names = {path.name for path in list_files(store.shards, "*")}
        names |= {path.name.removesuffix(".lock") for path in list_files(store.locks, "*.lock")}
        notes = [path.name.partition("-") for path in list_files(_folder(store), "*")]
        self._begun = names
        self._noted = {summary: name for summary, _, name in notes}
        self._prefixes = {_prefix(name) for name in names}
        self._prefixes_without_note = {_prefix(name) for name in names - set(self._noted.values())}
        self._measures: dict[tuple[object, ...], Sequence[str]] = {}

    def find(self, plan: Plan) -> Shard | None:
        """Return the shard of a plan, or None if no run of it has begun."""
        if plan.shard_prefix not in self._prefixes:
            return None
        name = self._noted.get(summarize(plan, self._measure_keys(plan)))
        if name is None and plan.shard_prefix in self._prefixes_without_note:
            name = plan.shard.folder.name  # of earlier versions, or copied here from another data root
        return Shard(plan.store.shards / name) if name in self._begun else None

    def _measure_keys(self, plan: Plan) -> Sequence[str]:
        config = plan.config
        key = (id(config.measures), config.compare.subsample, plan.sampling, config.null)
        if key not in self._measures:
            self._measures[key] = _measure_keys(plan)
        return self._measures[key]


def note_shard(plan: Plan) -> None:
    """Record the name of a plan's shard; in a read-only data root nothing is recorded."""
    note = _folder(plan.store) / f"{summarize(plan, _measure_keys(plan))}-{plan.shard.folder.name}"
    if not note.exists():
        with contextlib.suppress(StoreError):
            write_text(note, "")


def stale_notes(store: Store) -> Iterator[Path]:
    """Yield the notes on shards that are not there, and that no run is making."""
    for note in list_files(_folder(store), "*"):
        name = note.name.partition("-")[2]
        if not (store.shards / name).is_dir() and not store.seems_locked(name):
            yield note


def summarize(plan: Plan, measure_keys: Sequence[str]) -> str:
    """Return a hash that two plans share if and only if their shards have the same name.

    Parameters
    ----------
    measure_keys : sequence of str
        Of the plan's measures.
    """
    return fingerprint(
        {
            "shard": plan.named_by(),
            "compared": sorted(
                [sorted(keys), sorted(experiment.functional), sorted(outputs)]
                for experiment, keys, outputs in plan.experiment_keys()
            ),
            "measures": sorted(measure_keys),
            "version": SUMMARY_VERSION,
        }
    )


def _measure_keys(plan: Plan) -> Sequence[str]:
    config = plan.config
    return [
        measure_key(measure, config.compare.subsample, plan.sampling, null)
        for measure in config.measures.values()
        for null in config.nulls
    ]


def _folder(store: Store) -> Path:
    return store.sources / "shards"


def _prefix(name: str) -> str:
    return name[:-SHARD_DIGITS]
