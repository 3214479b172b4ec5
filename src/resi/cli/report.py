"""``resi report``: the results of a data root, merged tables or one run as an HTML page, and as tables for a paper."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.arguments import CommandParser, add_correct
from resi.console import say
from resi.errors import UsageError, count_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from resi.report.changes import Changes
    from resi.results.shards import Shard

FILE = "report.html"


def main(words: list[str]) -> int:
    """Write the page, and tables if they are asked for; return 0."""
    from resi.results.embedded import named_root
    from resi.store.files import make_folder, write_text
    from resi.store.root import default_root

    arguments = make_parser().parse_args(words)
    root = named_root((arguments.root or default_root()).expanduser())
    out = arguments.out.expanduser() if arguments.out else None
    tables = _tables_of(root)
    out = out or _default_out(tables)
    out = out / FILE if out.is_dir() or out == tables.folder else out
    _check_is_a_page(out)
    if arguments.tables and arguments.tables.expanduser().is_file():
        raise UsageError(f"--tables {arguments.tables} is a file; name a folder")
    _merge_first(root, tables)
    against = named_root(arguments.against.expanduser()) if arguments.against else None
    beside = arguments.beside
    page, notes = tables.steadily(lambda: _page(root, tables, against, arguments.correct, beside))
    for note in notes:
        say(note)
    make_folder(out.parent)
    write_text(out, page)
    say(f"written to {out}")
    if arguments.tables:
        with _beside(root, tables, beside) as (shown, _):
            _write_tables(shown, arguments.tables.expanduser(), _data_root(root, tables), arguments.correct)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi report",
        description="Write results as one HTML page that needs no network: which measures are not distinguishable from "
        "the best, and the evidence. Finished runs that the merged tables lack are merged first.",
        epilog="examples: resi report; resi report experiments --tables paper/tables; resi report new --against old; "
        "resi report --with baseline",
    )
    parser.add_argument(
        "root",
        nargs="?",
        type=Path,
        metavar="ROOT",
        help="a data root, a folder of merged tables, the shard of one run, or results that come with resi, by name; "
        "default: the data root",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"a file or a folder; default: {FILE} beside the tables"
    )
    parser.add_argument(
        "--with",
        dest="beside",
        metavar="RESULTS",
        help="rank measures among those of other results of the same models: baseline, which comes with resi, "
        "or a data root",
    )
    parser.add_argument(
        "--against", type=Path, metavar="ROOT", help="other results of the same kinds: the page says what has changed"
    )
    add_correct(parser)
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="DIR",
        help="also write there all tables, those of the published benchmark included, as CSV, LaTeX (booktabs) and "
        "Markdown, and the figures as PDF, SVG and PNG; print the overview",
    )
    return parser


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
        raise UsageError(
            f"{root} is not a folder; name a data root, a folder of merged tables, a shard, or results "
            "that resi list results shows"
        )
    return Shard(root if is_single(root) else Path(default_out(str(root))))


def _merge_first(root: Path, tables: Shard) -> None:
    """Merge the shards of a data root if its merged tables lack some of them, and say so.

    Tables that hold shards from elsewhere, too, are left as they are.

    Raises
    ------
    UsageError
        If there is nothing to merge, or the root is a run that has not finished.
    """
    from resi.results.merge import merge_shards

    if tables.folder == root and not tables.is_complete:
        raise UsageError(f"{root} is unfinished; repeat its run to finish it")
    new = _not_merged(root, tables)
    if tables.is_complete and (not new or _has_others(root, tables)):
        return
    merged = merge_shards([root], tables.folder)
    for problem in merged.problems:
        if not problem.startswith(f"{root} holds no shards"):
            say(f"resi report: {problem}")
    if not merged.shards:
        raise UsageError(
            f"{root} holds no finished runs; finish a run there, such as resi measure=cka root={root}, or name another "
            "data root or results that come with resi: resi report baseline"
        )
    say(f"merged {count_of(merged.shards, 'shard')} into {tables.folder}")


def _not_merged(root: Path, tables: Shard) -> list[str]:
    """Return the finished shards of a data root that its merged tables lack, or have as they were before."""
    from resi.results.shards import find_shards

    if tables.folder == root:
        return []
    merged = tables.steadily(lambda: _merged(tables))
    return [
        shard.folder.name
        for shard in find_shards(root)
        if shard.is_complete
        and ((hashes := merged.get(shard.folder.name, [])) is not None and shard.manifest_hash() not in hashes)
    ]


def _has_others(root: Path, tables: Shard) -> bool:
    """Return whether merged tables hold shards that a data root does not have."""
    from resi.results.shards import find_shards

    return bool({*tables.steadily(lambda: _merged(tables))} - {shard.folder.name for shard in find_shards(root)})


def _merged(tables: Shard) -> dict[str, list[str] | None]:
    """Return the shards in merged tables, each with the hashes of its manifests; None where these were not noted."""
    if not tables.is_complete:
        return {}
    merged = tables.manifest().get("shards", {})
    return dict.fromkeys(merged) if isinstance(merged, list) else merged  # an earlier version noted names alone


def _page(
    root: Path, tables: Shard, against: Path | None, correct: str | None, beside: str | None
) -> tuple[str, list[str]]:
    """Return the page, and what the reader is to know beforehand."""
    from resi.report.page import make_page

    compared = _changes(root, tables, against)
    with _beside(root, tables, beside) as (shown, said):
        notes = [*_notes(root, tables), *said]
        return make_page(shown, notes, _data_root(root, tables), compared, correct=correct), notes


@contextlib.contextmanager
def _beside(root: Path, tables: Shard, others: str | None) -> Iterator[tuple[Shard, list[str]]]:
    """Return tables with the scores of others beside their own, for the time of a block, and what to know of these."""
    if others is None:
        yield tables, []
        return
    from resi.report.beside import as_tables, baseline_tables, beside

    found = beside(tables.scores(), baseline_tables(others), _data_root(root, tables))
    with as_tables(tables, found.scores) as shown:
        yield shown, found.notes


def _default_out(tables: Shard) -> Path:
    """Return where a page goes: beside its tables; of results that come with resi, into the working folder."""
    from resi.results.embedded import FOLDER

    return Path(f"{tables.folder.name}.html") if tables.folder.parent == FOLDER else tables.folder


def _changes(root: Path, tables: Shard, against: Path | None) -> Changes | None:
    """Return what differs from other results, whose shards are merged first if need be."""
    from resi.report.changes import changes

    if against is None:
        return None
    other = _tables_of(against)
    _merge_first(against, other)
    path, here = against.resolve(), root.resolve()
    name = f"{path.parent.name}/{path.name}" if path.name == here.name and path != here else path.name
    return changes(tables.scores(), other.scores(), name)


def _data_root(root: Path, tables: Shard) -> Path | None:
    """Return the data root to which some tables belong; None if they lie elsewhere."""
    candidates = [root] if root != tables.folder else [root.parent, root.parent.parent]
    return next((path for path in candidates if (path / "shards").is_dir() or (path / "models").is_dir()), None)


def _write_tables(tables: Shard, folder: Path, root: Path | None, correct: str | None) -> None:
    from resi.cli.overview import print_overview
    from resi.groundings.corrections import correct_on_request
    from resi.report.benchmark_tables import overviews
    from resi.report.export import write_tables

    written = write_tables(tables, folder, root, correct)
    for overview in overviews(correct_on_request(tables.scores(), correct))[:1]:
        print_overview(overview, folder)
    say(f"{len(written)} tables and figures written to {folder}")


def _notes(root: Path, tables: Shard) -> list[str]:
    """Return warnings: shards missing from merged tables or changed since, or what a shard has of earlier versions."""
    from resi.results.manifests import MERGED
    from resi.results.outdated import reasons

    if tables.folder == root:
        is_merged = tables.manifest().get("kind") == MERGED  # then the notes in the tables say it
        return [] if is_merged else [f"Of earlier versions: {reason}." for reason in reasons(tables, with_used=False)]
    if not (new := _not_merged(root, tables)):
        return []
    return [
        f"{count_of(len(new), f'shard in {root} is', f'shards in {root} are')} missing from these tables or "
        f"changed since (first: {new[0]}). `resi-merge` says why, and merges data roots together."
    ]
