"""Shards combined into one table of comparisons and one of scores."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.choices import Status
from resi.errors import ResiError, UsageError, count_of
from resi.results.external import Buckets, write_sorted
from resi.results.manifests import (
    COMPARISONS_FILE,
    CONFLICTS_FILE,
    MERGED,
    OWN_MEASURES,
    SCORE_CONFLICTS_FILE,
    SCORES_FILE,
    directions,
    write_manifest,
)
from resi.results.outdated import Outdated, find_outdated, latest_codes
from resi.results.output import SCRATCH, check_output, opened, replace_tables
from resi.results.resolve import resolve_comparisons, resolve_scores
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, SCORE_ORDER, SCORES
from resi.results.shards import Shard, find_shards, find_strays, manifests_of
from resi.results.tables import BATCH_ROWS, polars_io, write_table
from resi.store.files import written_to
from resi.store.root import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHARD = {"shard": pl.String}


@dataclass
class Merged:
    """The result of a merge: counts of rows, and problems, one line each.

    Attributes
    ----------
    shards : int
        Number of merged shards. If there were none, nothing was written.
    manifests : mapping from str to list of str
        The hashes of the manifests of all shards with a name; several roots may have a shard with the same name.
    directions : dict from str to set of bool
        Whether larger values mean more similar, for measures that are not built in, from the manifests.
    codes : dict from str to str
        The hash of its code in the run that ended last: what is by another is merged, with a note.
    outdated : Counter of str
        How many comparisons and scores were computed by earlier versions, by reason. They are merged with a note.
    """

    folder: Path
    shards: int = 0
    manifests: dict[str, list[str]] = field(default_factory=dict)
    directions: dict[str, set[bool]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    comparisons: int = 0
    failed: int = 0
    scores: int = 0
    outdated: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def merge_shards(roots: Sequence[Path], folder: Path, batch: int = BATCH_ROWS) -> Merged:
    """Combine all shards below ``roots`` into tables in ``folder``, replacing those that are there.

    One row is kept for each comparison and score, see :mod:`resi.results.resolve`; contradictory rows are written to
    ``conflicts.parquet`` and ``score_conflicts.parquet`` with their shards, and reported. Damaged and unfinished
    shards, and files that are not shards, are reported and left out; if nothing is left, an earlier merge is not
    changed. Shards are read one part at a time, so the tables may be larger than memory.

    Parameters
    ----------
    roots : sequence of Path
        Data roots, folders of shards, shards, or folders of merged tables.
    batch : int
        Approximate number of comparisons in memory at a time.

    Raises
    ------
    UsageError
        If one of the roots does not exist, or ``folder`` holds something other than merged tables.
    """
    check_text(folder)
    merged = Merged(folder)
    shards = list(_find(roots, merged))
    check_output(folder)
    if shards:
        with opened(folder):
            _merge(shards, merged, batch)
    return merged


def _merge(shards: Sequence[Shard], merged: Merged, batch: int) -> None:
    folder = merged.folder
    with written_to(folder), polars_io(folder), tempfile.TemporaryDirectory(dir=folder, prefix=SCRATCH) as scratch:
        comparisons = Buckets(Path(scratch), batch)
        scores = [pl.DataFrame(schema={**SCORES, **SHARD})]
        merged.codes = latest_codes(manifests_of(shards))
        for shard in shards:
            with _reported(merged):
                manifest_hash = shard.manifest_hash()
                scores.append(_read(shard, comparisons, merged))
                merged.shards += 1
                merged.manifests.setdefault(shard.folder.name, []).append(manifest_hash)
        if not merged.shards:
            return
        # An earlier merge stays intact until this one is completely written.
        written = Path(scratch) / "tables"
        _write_comparisons(comparisons, merged, written, Path(scratch), batch)
        _write_scores(pl.concat(scores), merged, written)
        made_of = {name: sorted(set(hashes)) for name, hashes in merged.manifests.items()}
        manifest = {"kind": MERGED, "shards": made_of, **_own_measures(merged)}
        replace_tables(folder, written, lambda place: write_manifest(place, manifest))


def _own_measures(merged: Merged) -> dict[str, Any]:
    """Return the directions of measures that are not built in, except those on which two shards disagree."""
    found = {name: next(iter(said)) for name, said in sorted(merged.directions.items()) if len(said) == 1}
    return {OWN_MEASURES: {name: {"larger_is_more_similar": larger} for name, larger in found.items()}} if found else {}


def _find(roots: Sequence[Path], merged: Merged) -> Iterator[Shard]:
    seen = set()
    for root in roots:
        check_text(root)
        if not root.exists():
            raise UsageError(f"{root} does not exist; name a data root or a folder of shards")
        if not root.is_dir():
            merged.problems.append(f"{root} is not a folder and was left out; name a data root or a folder of shards")
            continue
        shards = list(find_shards(root))
        if not shards:
            merged.problems.append(f"{root} holds no shards; name a data root or a folder of shards")
        merged.problems += [f"{stray} is not a shard of resi; left out" for stray in find_strays(root)]
        for shard in shards:
            if shard.folder.resolve() in seen:
                continue
            seen.add(shard.folder.resolve())
            if shard.is_complete:
                yield shard
            else:
                merged.problems.append(f"{shard.folder} is unfinished and was left out; repeat its run to finish it")


@contextlib.contextmanager
def _reported(merged: Merged) -> Iterator[None]:
    try:
        yield
    except ResiError as error:
        merged.problems.append(f"left out: {error}")


def _read(shard: Shard, comparisons: Buckets, merged: Merged) -> pl.DataFrame:
    """Add a shard's comparisons to the buckets, and return its scores; those of earlier versions are marked."""
    manifest, (scores, batches) = shard.steadily(lambda: (shard.manifest(), shard.tables()))
    for name, larger in directions(manifest).items():
        merged.directions.setdefault(name, set()).add(larger)
    old_measures: dict[tuple[str, int], str] = {}
    outdated = Outdated()
    for batch in batches:
        outdated = find_outdated(manifest, batch, merged.codes)
        old_measures |= outdated.measures
        for (name, version), reason in outdated.measures.items():
            merged.outdated[f"comparisons {reason}"] += batch.filter(measure=name, measure_version=version).height
        for name, reason in outdated.codes.items():
            merged.outdated[f"comparisons {reason}"] += batch.filter(measure=name).height
        if outdated.shard:
            merged.outdated[f"comparisons {outdated.shard}"] += batch.height
        comparisons.add(_with_shard(outdated.mark_comparisons(batch), shard))
    if outdated.scores and scores.height:
        merged.outdated[f"scores {outdated.scores}"] += scores.height
    return _with_shard(dataclasses.replace(outdated, measures=old_measures).mark_scores(scores), shard)


def _with_shard(rows: pl.DataFrame, shard: Shard) -> pl.DataFrame:
    return rows.hstack([pl.Series("shard", [str(shard.folder)]).new_from_index(0, rows.height)])


def _write_comparisons(rows: Buckets, merged: Merged, folder: Path, scratch: Path, batch: int) -> None:
    conflicts = [pl.DataFrame(schema={**COMPARISONS, **SHARD})]

    def resolved() -> Iterator[pl.DataFrame]:
        yield pl.DataFrame(schema=COMPARISONS)
        for part in rows.parts():
            kept, contradictory = resolve_comparisons(part)
            if contradictory.height:  # an empty one would keep the strings of the part in memory
                conflicts.append(contradictory)
            merged.comparisons += kept.height
            merged.failed += kept.filter(status=Status.failed.value).height
            yield kept

    write_sorted(folder / COMPARISONS_FILE, resolved(), COMPARISON_ORDER, scratch, batch)
    found = pl.concat(conflicts)
    if found.height:
        path = merged.folder / CONFLICTS_FILE
        write_table(folder / CONFLICTS_FILE, found.sort([*COMPARISON_ORDER, "value", "shard"], nulls_last=True))
        which = count_of(found["key"].n_unique(), "comparison has", "comparisons have")
        merged.problems.append(
            f"{which} different values in different shards, see {path}; "
            "none of them is chosen: delete the shard that is wrong, and merge again"
        )


def _write_scores(rows: pl.DataFrame, merged: Merged, folder: Path) -> None:
    kept, conflicts = resolve_scores(rows)
    write_table(folder / SCORES_FILE, kept.sort(SCORE_ORDER, nulls_last=True))
    merged.scores = kept.height
    if conflicts.height:
        path = merged.folder / SCORE_CONFLICTS_FILE
        write_table(folder / SCORE_CONFLICTS_FILE, conflicts.sort([*SCORE_ORDER, "value", "shard"], nulls_last=True))
        which = count_of(conflicts["key"].n_unique(), "score has", "scores have")
        merged.problems.append(f"{which} different values in different shards, see {path}; none of them is chosen")
