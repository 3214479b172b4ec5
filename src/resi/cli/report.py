"""``resi report``: merged tables, or one run, as an HTML page."""

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
    from resi.store.files import make_folder, write_text
    from resi.store.root import default_root

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
    tables = _tables_of(root)
    page, notes = tables.steadily(lambda: _page(root, tables))
    for note in notes:
        say(note)
    out = arguments.out or tables.folder
    out = out / FILE if out.is_dir() else out
    _check_is_a_page(out)
    make_folder(out.parent)
    write_text(out, page)
    say(f"written to {out}")
    return 0


def _check_is_a_page(out: Path) -> None:
    """Raise ``UsageError`` if something else than an HTML page is there, such as a table."""
    start = b"<!DOCTYPE html>"
    if not out.exists():
        return
    with out.open("rb") as file:
        found = file.read(len(start))
    if found and found != start:
        raise UsageError(f"{out} is not an HTML page and is left as it is; name another file with --out")


def _tables_of(root: Path) -> Shard:
    """Return the folder of tables that a path names, which may hold none."""
    from resi.cli.merge import default_out
    from resi.results.shards import Shard, is_single
    from resi.store.root import check_text

    check_text(root)
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; name a data root, a folder of merged tables or a shard")
    return Shard(root if is_single(root) else Path(default_out(str(root))))


def _page(root: Path, tables: Shard) -> tuple[str, list[str]]:
    """Return the page, and what the reader is to know beforehand.

    Raises
    ------
    UsageError
        If there are no tables.
    """
    from resi.report.page import make_page

    if not tables.is_complete and tables.folder == root:
        raise UsageError(f"{root} is unfinished; repeat its run to finish it")
    if not tables.is_complete:
        raise UsageError(f"{root} holds no merged tables; create them from its shards with resi-merge {root}")
    notes = _notes(root, tables)
    return make_page(tables, notes), notes


def _notes(root: Path, tables: Shard) -> list[str]:
    """Return warnings: shards missing from merged tables or changed since, or what a shard has of earlier versions."""
    from resi.results.manifests import MERGED
    from resi.results.outdated import reasons
    from resi.results.shards import find_shards

    manifest = tables.manifest()
    if tables.folder == root:
        is_merged = manifest.get("kind") == MERGED  # then the notes in the tables say it
        return [] if is_merged else [f"Of earlier versions: {reason}." for reason in reasons(tables, with_used=False)]
    merged = manifest.get("shards", {})
    if isinstance(merged, list):  # an earlier version noted names alone
        merged = dict.fromkeys(merged)
    new = []
    for shard in find_shards(root):
        name = shard.folder.name
        if shard.is_complete and (
            name not in merged or (merged[name] is not None and shard.manifest_hash() not in merged[name])
        ):
            new.append(name)
    if not new:
        return []
    return [
        f"{len(new)} shards in {root} are missing from these tables or have changed (first: {new[0]}). "
        f"Run `resi-merge {root}` to include them."
    ]
