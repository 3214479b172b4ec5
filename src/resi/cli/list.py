"""``resi list KIND``: what is available, one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.cli.arguments import CommandParser, take_files
from resi.cli.list_work import list_embedded, list_progress, list_shards, matches, print_failures
from resi.console import write
from resi.errors import ResiError, UsageError, unknown_name
from resi.measures.cards import larger_is
from resi.registry.discovery import load_plugins

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from resi.measures.base import Measure
    from resi.registry.files import MeasureFile

    Row = dict[str, Any]


SHOWN_NAMES = 4
RESULTS = ("scores", "comparisons")
# Columns of sentences and lists, which may be wrapped between words.
TEXTS = {
    "about",
    "invariant to",
    "metrics",
    "measures",
    "datasets",
    "architectures",
    "tests",
    "reference",
    "state",
    "outdated",
    "error",
    "words",
    "at work",
}
# Which columns are left out last where there is no room for all; the name is always shown.
FIRST = {
    "shards": ("state", "failed", "measures", "when", "test", "dataset", "noted"),
    "datasets": ("about", "domain", "embedded"),
    "progress": ("jobs", "done", "running", "failed", "stopped", "missing"),
    "plugins": ("error", "version"),
}


LAST_RANK = 100
# What most shards have; where all have it, a column says nothing.
ORDINARY = {"state": "finished", "failed": 0, "noted": 0}


def main(words: list[str]) -> int:
    """Print the items of one kind that match a name pattern, as a table, JSON or CSV."""
    if words and words[0] in RESULTS:
        from resi.cli.list_results import main as list_results

        return list_results(words[0], words[1:])
    words, files = take_files(words)
    arguments = make_parser().parse_args(words)
    if files and arguments.kind != "measures":
        raise UsageError(f"measure.file={files[0].path}: only measures are in it: resi list measures measure.file=FILE")
    arguments.files = files
    if "=" in arguments.pattern:
        key, value = arguments.pattern.split("=", 1)
        hint = f"write --root {value}" if key == "root" else "see resi list --help"
        raise UsageError(f"{arguments.pattern} is not a pattern of names: {hint}")
    kind = arguments.kind or "kinds"
    rows = _kinds(arguments) if kind == "kinds" else KINDS[kind](arguments)
    names = [str(row["name"]) for row in rows]
    rows = [row for row in rows if matches(str(row["name"]), arguments)]
    if not rows and arguments.pattern != "*" and not arguments.outdated:
        raise _no_match(kind, arguments, names)
    if arguments.json:
        write(json.dumps(rows, indent=2) + "\n")
    elif arguments.csv:
        _write_csv(rows)
    else:
        print_rows(kind, rows, arguments.wide)
        if kind == "progress":
            print_failures(rows, arguments.details)
    return 0


def _no_match(kind: str, arguments: argparse.Namespace, names: list[str]) -> UsageError:
    """Build the error for a pattern that no name matches."""
    from resi.cli.kinds import suite_names

    if kind in ("progress", "suites"):  # whose names were chosen by the pattern
        names = list(suite_names(arguments.config_dir))
    elif kind == "results":
        from resi.results.embedded import embedded_names

        names = list(embedded_names())
    if kind == "shards":
        return UsageError(f"no shards match {arguments.pattern!r}; there are {len(names)}, see resi list shards")
    return unknown_name(f"name or pattern of {kind}:", arguments.pattern, names)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi list",
        description="List what is available, including plugins, and what was computed.",
        epilog="examples: resi list measures 'r*' --json; resi list measures measure.file=my_measure.py; "
        "resi list scores --help has its own options",
    )
    parser.add_argument("kind", nargs="?", choices=[*KINDS, *RESULTS], help="without it, how many there are of each")
    parser.add_argument("pattern", nargs="?", default="*", help="shell-style pattern of names")
    parser.add_argument("--root", type=Path, help="data root of shards and progress; default as for a run")
    parser.add_argument("--config-dir", type=Path, help="folder with your own suites, in suite/")
    parser.add_argument("--outdated", action="store_true", help="only shards with numbers of earlier versions, and why")
    parser.add_argument("--details", action="store_true", help="of progress: every failed job with its reason")
    parser.add_argument("--wide", action="store_true", help="show all columns, however wide")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON")
    formats.add_argument("--csv", action="store_true", help="print CSV")
    return parser


def _kinds(arguments: argparse.Namespace) -> list[Row]:
    """Return each kind of things that can be listed."""
    from resi.cli.kinds import listed_kinds
    from resi.store.root import default_root

    return listed_kinds((arguments.root or default_root()).expanduser(), arguments.config_dir)


def list_measures(arguments: argparse.Namespace) -> list[Row]:
    """Return all measures with their facts, or those of the files that are named."""
    found = [(name, registry.measures().origin(name)) for name in registry.measures()]
    if arguments.files:
        found = of_files(arguments.files)
    rows = []
    for name, entry in found:
        measure = entry.item
        rows.append(
            {
                "name": name,
                "family": measure.family,
                "larger is": larger_is(measure),
                "symmetric": measure.symmetric,
                "metric": measure.metric,
                "invariant to": ", ".join(sorted(measure.invariances)),
                "benchmark": measure.benchmark,
                "provider": f"{entry.distribution} {entry.version}".strip(),
            }
        )
    return rows


def of_files(files: Sequence[MeasureFile]) -> list[tuple[str, registry.Registered[type[Measure]]]]:
    """Return the measures of files by name, with the file in the place of the distribution."""
    return [
        (name, registry.Registered(measure, str(file.path), ""))
        for file in files
        for name, measure in file.measures.items()
    ]


def list_domains(_arguments: argparse.Namespace) -> list[Row]:
    """Return all domains."""
    return [
        {"name": name, "about": getattr(entry.item, "title", ""), "provider": f"{entry.distribution} {entry.version}"}
        for name, entry in ((name, registry.domains().origin(name)) for name in registry.domains())
    ]


def list_datasets(_arguments: argparse.Namespace) -> list[Row]:
    """Return the datasets of all domains."""
    return [
        {
            "name": item.name,
            "domain": domain.name,
            "embedded": item.embedded,
            "source": item.source,
            "about": item.title,
        }
        for domain in registry.usable_domains()
        for item in domain.datasets()
    ]


def list_models(_arguments: argparse.Namespace) -> list[Row]:
    """Return the architectures of all domains."""
    return [
        {"name": item.name, "domain": domain.name, "about": item.title, "reference": item.reference}
        for domain in registry.usable_domains()
        for item in domain.architectures()
    ]


def list_tests(_arguments: argparse.Namespace) -> list[Row]:
    """Return the tests."""
    from resi.groundings import GROUNDINGS

    return [
        {"name": name, "about": test.title, "metrics": ", ".join(test.metrics), "models per group": len(test.seeds)}
        for name, test in GROUNDINGS.items()
    ]


def list_plugins(_arguments: argparse.Namespace) -> list[Row]:
    """Return the loaded plugins and those that failed."""
    registry.measures()  # these call every hook, so that failures in them show
    for domain in registry.domains():
        registry.datasets(domain), registry.networks(domain)
    return [
        {"name": info.name, "distribution": info.distribution, "version": info.version, "error": info.error}
        for info in load_plugins().infos
    ]


def list_suites(arguments: argparse.Namespace) -> list[Row]:
    """Return the suites with their numbers of jobs."""
    from resi.config.many import open_configs
    from resi.sweeps.suite_files import load_suite, suite_names
    from resi.sweeps.suites import expand

    loader = open_configs(arguments.config_dir)
    rows: list[Row] = []
    for name in suite_names(loader):
        if matches(name, arguments):
            try:
                suite = load_suite(name, loader)
                rows.append({"name": name, "jobs": len(expand((), suite, loader)), "about": suite.about})
            except ResiError as error:  # a suite that is wrong hides no other
                rows.append({"name": name, "jobs": None, "about": f"cannot be used: {error}"})
    return rows


KINDS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "measures": list_measures,
    "models": list_models,
    "datasets": list_datasets,
    "tests": list_tests,
    "domains": list_domains,
    "plugins": list_plugins,
    "shards": list_shards,
    "suites": list_suites,
    "progress": list_progress,
    "results": list_embedded,
}


def print_rows(kind: str, rows: list[Row], is_wide: bool = False) -> None:
    """Print rows of one kind as a table."""
    from resi.console.columns import Column
    from resi.console.tables import UNLIMITED, Section, print_table

    if not rows:
        write(f"no {kind}\n")
        return
    hidden = {"failures", "reasons", "at work"} if kind == "progress" else set()
    filled = [name for name in rows[0] if name not in hidden and any(_text(row[name]) for row in rows)]
    columns = [
        Column(
            name,
            is_number=all(isinstance(row[name], int | None) and not isinstance(row[name], bool) for row in rows),
            is_text=name in TEXTS,
            rank=_rank(name, () if _is_ordinary(name, rows) else FIRST.get(kind, ())),
        )
        for name in filled
    ]
    cells = [[_time(row[name]) if name == "when" else _text(row[name]) for name in filled] for row in rows]
    more = "a wider terminal, --wide or --json shows them"
    print_table(columns, [Section(cells)], within=UNLIMITED if is_wide else None, more=more)


def _is_ordinary(name: str, rows: list[Row]) -> bool:
    """Return whether a column says of all rows what it ordinarily does, so that it is left out first."""
    return name in ORDINARY and all(row[name] == ORDINARY[name] for row in rows)


def _rank(name: str, first: tuple[str, ...]) -> int:
    if name == "name":
        return 0
    return 1 + first.index(name) if name in first else LAST_RANK


def _time(value: str) -> str:
    """Return a time to the minute; JSON and CSV have the whole of it."""
    return value[:16].replace("T", " ")


def _write_csv(rows: list[Row]) -> None:
    """Write rows as CSV; lists as JSON."""
    import csv
    import io

    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
            )
    write(text.getvalue())


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        more = [f"and {len(value) - SHOWN_NAMES} more"] if len(value) > SHOWN_NAMES else []
        return ", ".join([*map(str, value[:SHOWN_NAMES]), *more])
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
