"""``resi show SHARD``: one run: what it is, its config and versions, its scores, and what failed and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.choices import Status
from resi.cli.arguments import CommandParser, add_correct
from resi.console import format_seconds, show, shown, write
from resi.console.tables import paragraph

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    import polars as pl

    from resi.results.shards import Shard

    Facts = dict[str, Any]

DEFAULT: tuple[Any, ...] = (None, {}, [], "")


def main(words: list[str]) -> int:
    """Print a shard; return 0."""
    from resi.results.found import find_shard
    from resi.store.root import check_text, default_root

    arguments = make_parser().parse_args(words)
    root = (arguments.root or default_root()).expanduser()
    check_text(root)
    shard = find_shard(root, arguments.shard)
    facts, scores = shard.steadily(lambda: read(shard))
    if arguments.correct:
        from resi.groundings.corrections import correct

        scores = correct(scores, arguments.correct)
    if arguments.csv:
        from resi.cli.list_results import write_csv

        write_csv(scores)
    elif arguments.json:
        rows = scores.with_columns(_nulls()).to_dicts()
        write(json.dumps({**facts, "scores": rows}, indent=2, default=str) + "\n")
    else:
        _print(facts, scores, arguments.wide)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi show",
        description="Show one run: what it is, its config and versions, its scores, and why comparisons failed.",
        epilog="resi list shards names them; resi list comparisons --root SHARD lists what it compared",
    )
    parser.add_argument("shard", metavar="SHARD", help="its name, the beginning or end of its name alone, or its path")
    parser.add_argument("--root", type=Path, help="data root; default as for a run")
    parser.add_argument("--wide", action="store_true", help="show all numbers of the scores, however wide")
    add_correct(parser)
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON")
    formats.add_argument("--csv", action="store_true", help="print the scores as CSV")
    return parser


def _nulls() -> Any:
    import polars as pl

    return pl.col(pl.Float64).fill_nan(None)


def read(shard: Shard) -> tuple[Facts, pl.DataFrame]:
    """Return what is known of a shard, and its scores."""
    import polars as pl

    from resi.results.schema import SCORES

    manifest = shard.verify() if shard.is_complete else {}
    scores = shard.scores() if shard.is_complete else pl.DataFrame(schema=SCORES)
    rows = shard.comparisons().unique("key", keep="first", maintain_order=True)
    facts: Facts = {
        "name": shard.folder.name,
        "folder": str(shard.folder),
        "state": "finished" if shard.is_complete else "unfinished; the same command resumes it",
        **{key: value for key, value in manifest.items() if key not in ("files", "manifest_sha256", "shard", "kind")},
        "kind": manifest.get("kind", "run"),
        "comparisons": rows.height,
        "problems": list(_problems(rows)),
    }
    return facts, scores


def _problems(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the reasons why comparisons have no value, and the notes of others, the most frequent first."""
    import polars as pl

    for status, column in ((Status.failed, "error"), (Status.undefined, "error"), (Status.ok, "note")):
        found = rows.filter((pl.col("status") == status.value) & (pl.col(column).fill_null("") != ""))
        grouped = found.group_by("measure", column, maintain_order=True).len().sort("len", descending=True)
        for measure, reason, count in grouped.iter_rows():
            kind = "noted" if column == "note" else status.value
            yield {"kind": kind, "measure": measure, "reason": reason, "count": count}


def _print(facts: Facts, scores: pl.DataFrame, is_wide: bool) -> None:
    from resi.cli.score_tables import print_scores

    about = dict(_lines(facts))
    widest = max(map(len, about))
    for name, text in about.items():
        for line in paragraph(shown(f"{name.ljust(widest)}  {text}"), " " * (widest + 2)):
            show(line)
    if scores.height:
        write("\n")
        title = f"{facts.get('test', 'scores')} on {facts.get('dataset', 'several datasets')}"
        print_scores(scores, title, is_wide, "a wider terminal, --wide or --json shows them")
    for problem in facts["problems"]:
        text = f"{problem['count']} {problem['kind']}, {problem['measure']}: {problem['reason']}"
        for line in paragraph(shown(text), "  "):
            show(line)


def _lines(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what is printed of the facts: a name and a text each."""
    yield "run", facts["name"]
    yield "folder", facts["folder"]
    yield "state", " ".join(filter(None, [facts["state"], facts.get("finished", "")]))
    for name in ("domain", "dataset", "test", "protocol"):
        if facts.get(name):
            yield name, str(facts[name])
    for name in ("architectures", "measures", "missing_models"):
        if facts.get(name):
            yield name.replace("_", " "), ", ".join(map(str, facts[name]))
    if changed := list(_changed(facts.get("config") or {})):
        yield "config", " ".join(changed)
    counts = facts.get("counts") or {}
    parts = [f"{counts[status]} {status}" for status in Status if counts.get(status)]
    yield "comparisons", ", ".join(parts) or f"{facts['comparisons']} so far"
    if facts.get("seconds"):
        yield "time", ", ".join(f"{step} {format_seconds(value)}" for step, value in facts["seconds"].items())
    machine = [
        *map(str, facts.get("devices") or []),
        *map(str, facts.get("gpus") or []),
        str(facts.get("platform", "")),
    ]
    yield "machine", ", ".join(map(str, filter(None, machine)))
    packages = {"resi": facts.get("resi"), "python": facts.get("python"), **(facts.get("packages") or {})}
    yield "versions", ", ".join(f"{name} {version}" for name, version in packages.items() if version)


def _changed(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys of a config that have a value, as words of a command line; measures are named elsewhere."""
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from _changed(value, f"{prefix}{key}.")
        elif value not in DEFAULT:
            yield f"{prefix}{key}={json.dumps(value) if isinstance(value, list) else value}"
