"""``resi-merge``: the shards of many runs, combined into one table each of comparisons and scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resi.console import say


def main(words: list[str]) -> int:
    """Merge shards; return 1 if anything had to be left out or contradicts itself."""
    from resi.results.merge import merge_shards
    from resi.store import default_root

    parser = argparse.ArgumentParser(
        prog="resi-merge",
        description="Combine the shards below data roots into comparisons.parquet and scores.parquet. Merging again, "
        "or in another order, gives the same tables; the same comparison from two shards is one row.",
    )
    parser.add_argument("roots", nargs="*", type=Path, metavar="ROOT", help="data roots or shard folders")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the tables; default: results/ of the first root"
    )
    arguments = parser.parse_args(words)
    roots = arguments.roots or [default_root()]
    merged = merge_shards(roots, arguments.out or roots[0] / "results")
    for problem in merged.problems:
        say(f"resi-merge: {problem}")
    say(
        f"{merged.shards} shards: {merged.comparisons} comparisons ({merged.failed} failed) and {merged.scores} scores "
        f"in {merged.folder}"
    )
    return 1 if merged.problems else 0


def entry() -> None:
    """Run as the command ``resi-merge``."""
    from resi.app import run_command

    sys.exit(run_command(["merge", *sys.argv[1:]]))
