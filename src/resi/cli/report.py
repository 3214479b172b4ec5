"""``resi report``: merged tables, or one run, as a page for the browser."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from resi.console import say
from resi.errors import UsageError

if TYPE_CHECKING:
    from resi.results.shards import Shard

FILE = "report.html"


def main(words: list[str]) -> int:
    """Write the page; return 0."""
    from resi.report.page import make_page
    from resi.store import default_root, make_folder, write_text

    parser = argparse.ArgumentParser(
        prog="resi report",
        description="Write merged tables as one HTML page: rankings of the measures in each test with their intervals, "
        "all scores, times, and why comparisons have no value. It needs no network and runs no scripts.",
    )
    parser.add_argument(
        "root",
        nargs="?",
        type=Path,
        metavar="ROOT",
        help="a data root that resi-merge has merged, a folder of merged tables, or the shard of one run",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"a file or a folder; default: {FILE} beside the tables"
    )
    arguments = parser.parse_args(words)
    root = (arguments.root or default_root()).expanduser()
    tables = _tables(root)
    out = arguments.out or tables.folder
    out = out / FILE if out.is_dir() else out
    page = make_page(tables, _notes(root, tables))
    make_folder(out.parent)
    write_text(out, page)
    say(f"written to {out}")
    return 0


def _tables(root: Path) -> Shard:
    """Return the folder of tables that a path names.

    Raises
    ------
    UsageError
        If there are none.
    """
    from resi.cli.merge import default_out
    from resi.results.shards import Shard, is_shard

    if not root.is_dir():
        raise UsageError(f"{root} is no folder; name a data root, a folder of merged tables or a shard")
    if Shard(root).is_complete:
        return Shard(root)
    if is_shard(root):
        raise UsageError(f"{root} is unfinished; repeat its run to finish it")
    tables = Shard(Path(default_out(str(root))))
    if tables.is_complete:
        return tables
    raise UsageError(f"{root} holds no merged tables; resi-merge {root} makes them of its shards")


def _notes(root: Path, tables: Shard) -> list[str]:
    """Return that shards are missing from merged tables, or were made again since, if any are; and say so."""
    from resi.results.shards import find_shards

    if tables.folder == root:
        return []
    merged = tables.manifest().get("shards", {})
    if isinstance(merged, list):  # an earlier version noted names alone
        merged = dict.fromkeys(merged)
    new = []
    for shard in find_shards(root):
        name = shard.folder.name
        if shard.is_complete and (
            name not in merged or (merged[name] is not None and shard.identity() not in merged[name])
        ):
            new.append(name)
    if not new:
        return []
    note = (
        f"Shards of {root} that these tables do not have, or not as they are now: {len(new)}, the first of them "
        f"{new[0]}. resi-merge {root} takes them in."
    )
    say(note)
    return [note]
