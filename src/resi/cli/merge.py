"""``resi-merge``: the shards of many runs, combined into one table each of comparisons and scores."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.arguments import CommandParser
from resi.console import accept_all_text, say, write
from resi.errors import UsageError, count_of

if TYPE_CHECKING:
    import argparse

    import polars as pl

    from resi.results.merge import Merged


def main(words: list[str]) -> int:
    """Merge shards; return 1 if anything had to be left out or contradicts itself."""
    from resi.results.merge import merge_shards
    from resi.results.remote import RemoteFolder, is_url
    from resi.store.root import default_root

    arguments = make_parser().parse_args(words)
    given = arguments.roots or [str(default_root())]
    out = arguments.out or default_out(given[0])
    if arguments.published and is_url(given[0]):
        raise UsageError(f"{given[0]}: --published writes a shard to the first root, which has to be a folder")
    with tempfile.TemporaryDirectory(prefix="resi-merge-") as scratch:
        copies = _Copies(Path(scratch))
        roots = [copies.of(root) for root in given]
        problems = _import(arguments.published, roots[0], arguments.pooling, is_quiet=arguments.json)
        for problem in problems:  # before the merge, which may find nothing to merge for these reasons
            say(f"resi-merge: {problem}")
        folder = Path(scratch) / "tables" if is_url(out) else Path(out)
        merged = merge_shards(roots, folder)
        if is_url(out) and merged.shards:
            RemoteFolder(out).store_tables(folder)
    found = [copies.named(problem) for problem in merged.problems]
    for problem in found:
        say(f"resi-merge: {problem}")
    for reason, count in merged.outdated.items():
        say(
            f"from earlier versions, kept with a note: {count} {reason}; resi list shards --outdated names their shards"
        )
    if merged.shards:
        counts = f"{count_of(merged.comparisons, 'comparison')} ({merged.failed} failed)"
        say(f"{count_of(merged.shards, 'shard')}: {counts} and {count_of(merged.scores, 'score')} in {out}")
    else:
        say(f"nothing was merged; {out} was not changed")
    if arguments.json:
        _write_json(merged, str(out), [*problems, *found])
    return 1 if problems or found else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi-merge",
        description="Combine the shards below data roots into comparisons.parquet and scores.parquet. Merging again, "
        "or in another order, gives the same tables; the same comparison from two shards is one row.",
    )
    parser.add_argument(
        "roots",
        nargs="*",
        metavar="ROOT",
        help="data roots, shards or folders of shards; or URLs of such, as s3://bucket/folder",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder of the tables, or its URL; default: results/ of the first data root"
    )
    parser.add_argument(
        "--published",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="results file of the published benchmark (Parquet), converted to a shard of the first root; repeatable",
    )
    parser.add_argument("--pooling", help="how BERT's and ALBERT's tokens were pooled in those files: cls or mean")
    parser.add_argument("--json", action="store_true", help="print what was merged as JSON")
    return parser


def _write_json(merged: Merged, out: str, problems: list[str]) -> None:
    counts = {name: getattr(merged, name) for name in ("shards", "comparisons", "failed", "scores")}
    write(
        json.dumps({"folder": out, **counts, "outdated": dict(merged.outdated), "problems": problems}, indent=2) + "\n"
    )


class _Copies:
    """Local copies of the shards at URLs."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._urls: dict[str, str] = {}

    def of(self, root: str) -> Path:
        """Return the folder of a root's shards on this machine."""
        from resi.results.remote import RemoteFolder, is_url

        if not is_url(root):
            return Path(root)
        copy = self._scratch / f"root-{len(self._urls)}"
        RemoteFolder(root).fetch_all(copy)
        self._urls[str(copy)] = root
        return copy

    def named(self, problem: str) -> str:
        """Return a message about a copy as one about the original."""
        for copy, url in self._urls.items():
            problem = problem.replace(copy, url)
        return problem


def entry() -> None:
    """Run as the command ``resi-merge``."""
    from resi.cli.main import run_command
    from resi.machine.signals import leave, raise_on_term

    raise_on_term()
    accept_all_text()
    words = sys.argv[1:]
    leave(run_command(words if words[:1] == ["--complete"] else ["merge", *words]))  # a shell asks this name, too


def _import(files: list[Path], root: Path, pooling: str | None, is_quiet: bool) -> list[str]:
    """Make a shard of each published file, and print its scores unless quiet; return what was left out."""
    from resi.errors import ResiError
    from resi.published.results import check_pooling, import_published
    from resi.results.shards import shards_folder

    check_pooling(pooling)
    problems = []
    for file in files:
        try:
            imported = import_published(file, shards_folder(root), pooling)
        except ResiError as error:
            problems.append(f"left out: {error}")
            continue
        if not is_quiet:
            _print_scores(imported.scores)
        say(f"{count_of(imported.comparisons, 'comparison')} of {file}; written to {imported.shard.folder}")
        problems += imported.problems
    return problems


def _print_scores(scores: pl.DataFrame) -> None:
    """Print what the published protocol gives; the corrected one's scores are in the table, too."""
    from resi.cli.score_tables import print_scores

    published = scores.filter(protocol="published")
    groups = published.partition_by("test", "dataset", "pooling", maintain_order=True, as_dict=True)
    for (test, dataset, pooling), rows in groups.items():
        pooled = "" if pooling == "none" else f", {pooling} token{'s' if pooling == 'mean' else ''}"
        print_scores(rows, f"{test} on {dataset}{pooled} (published results, published protocol)")


def default_out(root: str) -> str:
    """Return the results folder of a data root, also where a folder of shards or a shard in it is given."""
    from resi.results.remote import is_url
    from resi.results.shards import is_single, shards_folder
    from resi.store.root import Store

    if is_url(root):
        raise UsageError(f"{root}: name a folder or a URL for its tables with --out")
    path = Path(root)
    folder = path.parent if is_single(path) else shards_folder(path)
    return str(Store(folder.parent if folder.name == "shards" else folder).results)
