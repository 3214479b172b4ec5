"""All scores or comparisons of a data root, for lazy filtering: merged tables, otherwise all shards."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from resi.errors import ResiError, UsageError, count_of
from resi.results.manifests import COMPARISONS_FILE, SCORES_FILE, known_columns
from resi.results.schema import COMPARISONS, SCORES
from resi.results.shards import Shard, find_shards, is_single, shards_folder
from resi.results.tables import scan_table
from resi.store.root import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {"scores": (SCORES_FILE, SCORES), "comparisons": (COMPARISONS_FILE, COMPARISONS)}
MOST_SHARDS = 2000
"""With more shards than this, merging first is faster than reading them all."""


class Results(NamedTuple):
    """Rows that are not read yet, with notes about them.

    Attributes
    ----------
    rows : LazyFrame
        With the columns of scores or comparisons.
    notes : list of str
        Shards that are not included, and why.
    """

    rows: pl.LazyFrame
    notes: list[str]


def find_results(root: Path, kind: str) -> Results:
    """Return the scores or comparisons below a data root, or of one shard or folder of merged tables.

    Files are not checked against their hashes, as that would read them completely.

    Parameters
    ----------
    kind : str
        ``scores`` or ``comparisons``.

    Raises
    ------
    UsageError
        If there are none, or too many shards that are not merged.
    """
    merged = Shard(root if is_single(root) else merged_folder(root))
    if merged.is_complete:
        return Results(_scan(merged, kind), [] if is_single(root) else _notes(root, merged))
    if is_single(root):
        raise UsageError(f"{root} is unfinished; repeat its run to finish it")
    shards = list(find_shards(root))
    finished = [shard for shard in shards if shard.is_complete]
    if not finished:
        raise UsageError(f"{root} holds no finished runs; finish a run there, or name another data root with --root")
    if len(finished) > MOST_SHARDS:
        raise UsageError(f"{root} holds {len(finished)} shards that are not merged; run `resi-merge {root}` first")
    frames, notes = [], []
    for shard in finished:
        try:
            frames.append(_scan(shard, kind))
        except ResiError as error:
            notes.append(f"left out: {error}")
    if unfinished := len(shards) - len(finished):
        one = unfinished == 1
        shown = f"{count_of(unfinished, 'unfinished run')} {'is' if one else 'are'} not shown"
        notes.append(f"{shown}; repeat {'it to finish it' if one else 'them to finish them'}")
    if not frames:
        raise UsageError(f"{root}: {notes[0]}")
    # The same comparison from two shards is one row; merging detects contradictions.
    return Results(pl.concat(frames).unique("key", keep="first", maintain_order=True), notes)


def merged_folder(root: Path) -> Path:
    """Return the folder of merged tables of a data root or of a folder of shards."""
    folder = shards_folder(root)
    return Store(folder.parent if folder.name == "shards" else folder).results


def _scan(shard: Shard, kind: str) -> pl.LazyFrame:
    name, schema = FILES[kind]
    return scan_table(shard.folder / name, schema, known_columns(shard.manifest()))


def _notes(root: Path, merged: Shard) -> list[str]:
    """Return which finished shards are missing from the merged tables, or were written after them."""
    known: Mapping[str, object] = dict.fromkeys(merged.manifest().get("shards", {}))
    when = merged.changed()
    new = [
        shard.folder.name
        for shard in find_shards(root)
        if shard.is_complete and (shard.folder.name not in known or shard.changed() > when)
    ]
    if not new:
        return []
    shards = count_of(len(new), "shard is", "shards are")
    return [f"{shards} missing from the merged tables or newer (first: {new[0]}); run resi-merge {root}"]


def find_shard(root: Path, name: str) -> Shard:
    """Return the shard of a data root by its path, its name, or an unambiguous beginning of its name.

    Raises
    ------
    UsageError
        If there is none or there are several.
    """
    path = Path(name).expanduser()
    if path.is_dir() and is_single(path):
        return Shard(path)
    shards = list(find_shards(root)) if root.is_dir() else []
    names = {shard.folder.name: shard for shard in shards}
    if name in names:
        return names[name]
    begun = [found for found in names if found.startswith(name)] or [found for found in names if found.endswith(name)]
    if len(begun) == 1:
        return names[begun[0]]
    if begun:
        some = ", ".join(begun[:3])
        raise UsageError(f"{name} matches {len(begun)} shards: {some}{', ...' * (len(begun) > 3)}; name one")
    near = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"{name} is neither a shard of {root} nor a folder of one; {guess}see resi list shards")
