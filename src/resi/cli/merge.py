"""``resi-merge``: the shards of many runs, combined into one table each of comparisons and scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from resi.console import say

if TYPE_CHECKING:
    import polars as pl


def main(words: list[str]) -> int:
    """Merge shards; return 1 if anything had to be left out or contradicts itself."""
    from resi.results.merge import merge_shards
    from resi.store import default_root

    parser = argparse.ArgumentParser(
        prog="resi-merge",
        description="Combine the shards below data roots into comparisons.parquet and scores.parquet. Merging again, "
        "or in another order, gives the same tables; the same comparison from two shards is one row.",
    )
    parser.add_argument("roots", nargs="*", type=Path, metavar="ROOT", help="data roots, shards or folders of shards")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the tables; default: results/ of the first data root"
    )
    parser.add_argument(
        "--published",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a results file of the published benchmark (Parquet), made a shard of the first root; may be repeated",
    )
    parser.add_argument("--pooling", help="how BERT's and ALBERT's tokens were pooled in those files: cls or mean")
    arguments = parser.parse_args(words)
    roots = arguments.roots or [default_root()]
    problems = _import(arguments.published, roots[0], arguments.pooling)
    merged = merge_shards(roots, arguments.out or _default_folder(roots[0]))
    problems += merged.problems
    for problem in problems:
        say(f"resi-merge: {problem}")
    say(
        f"{merged.shards} shards: {merged.comparisons} comparisons ({merged.failed} failed) and {merged.scores} scores "
        f"in {merged.folder}"
    )
    return 1 if problems else 0


def entry() -> None:
    """Run as the command ``resi-merge``."""
    from resi.app import run_command
    from resi.signals import leave, raise_on_term

    raise_on_term()
    leave(run_command(["merge", *sys.argv[1:]]))


def _import(files: list[Path], root: Path, pooling: str | None) -> list[str]:
    """Make a shard of each published file, and print its scores; return what was left out."""
    from resi.errors import ResiError
    from resi.results.published import check_pooling, import_published
    from resi.results.shards import shards_folder

    check_pooling(pooling)
    problems = []
    for file in files:
        try:
            imported = import_published(file, shards_folder(root), pooling)
        except ResiError as error:
            problems.append(f"left out: {error}")
            continue
        _print_scores(imported.scores)
        say(f"{imported.comparisons} comparisons of {file}; written to {imported.shard.folder}")
        problems += imported.problems
    return problems


def _print_scores(scores: pl.DataFrame) -> None:
    """Print what the published protocol gives; the corrected one's scores are in the table, too."""
    from resi.cli.tables import print_scores

    published = scores.filter(protocol="published")
    groups = published.partition_by("test", "dataset", "pooling", maintain_order=True, as_dict=True)
    for (test, dataset, pooling), rows in groups.items():
        pooled = "" if pooling == "none" else f", {pooling} token{'s' if pooling == 'mean' else ''}"
        print_scores(rows, f"{test} on {dataset}{pooled} (published results, published protocol)")


def _default_folder(root: Path) -> Path:
    """Return the results folder of a data root, also where a folder of shards or a shard in it is given."""
    from resi.results.shards import is_shard, shards_folder
    from resi.store import Store

    folder = root.parent if is_shard(root) else shards_folder(root)
    return Store(folder.parent if folder.name == "shards" else folder).results
