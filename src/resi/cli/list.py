"""``resi list KIND``: what is available, one line each."""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.choices import Status
from resi.console import cell, output, write
from resi.errors import ResiError, UsageError
from resi.registry.discovery import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from resi.results.shards import Shard

    Row = dict[str, Any]


SHOWN_NAMES = 4


def main(words: list[str]) -> int:
    """Print the items of one kind that match a name pattern, as a table or as JSON."""
    parser = argparse.ArgumentParser(
        prog="resi list",
        description="List what is available, including plugins.",
        epilog="example: resi list measures 'r*' --json",
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("pattern", nargs="?", default="*", help="shell-style pattern of names")
    parser.add_argument("--root", type=Path, help="data root of shards and progress; default as for a run")
    parser.add_argument("--config-dir", type=Path, help="folder with your own suites, in suite/")
    parser.add_argument("--outdated", action="store_true", help="only shards with numbers of earlier versions, and why")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(words)
    if "=" in arguments.pattern:
        key, value = arguments.pattern.split("=", 1)
        hint = f"write --root {value}" if key == "root" else "see resi list --help"
        raise UsageError(f"{arguments.pattern} is not a pattern of names: {hint}")
    rows = KINDS[arguments.kind](arguments)
    rows = [row for row in rows if _matches(str(row["name"]), arguments)]
    if arguments.json:
        write(json.dumps(rows, indent=2) + "\n")
    else:
        _print(arguments.kind, rows)
    return 0


def list_measures(_arguments: argparse.Namespace) -> list[Row]:
    """Return all measures with their facts."""
    rows = []
    for name in registry.measures():
        entry = registry.measures().origin(name)
        measure = entry.item
        rows.append(
            {
                "name": name,
                "family": measure.family,
                "larger is": "more similar" if measure.larger_is_more_similar else "more different",
                "symmetric": measure.symmetric,
                "metric": measure.metric,
                "invariant to": ", ".join(sorted(measure.invariances)),
                "benchmark": measure.benchmark,
                "provider": f"{entry.distribution} {entry.version}",
            }
        )
    return rows


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


def list_shards(arguments: argparse.Namespace) -> list[Row]:
    """Return the shards below a data root: what is in them, when they were written, and what is wrong with them."""
    from resi.results.shards import find_shards
    from resi.store.root import check_text, default_root

    root = (arguments.root or default_root()).expanduser()
    check_text(root)
    shards = find_shards(root)
    if getattr(arguments, "outdated", False):
        return [row for shard in shards if (row := _describe_outdated(shard))["outdated"]]
    return [{"name": shard.folder.name, **_describe_shard(shard)} for shard in shards]


def list_suites(arguments: argparse.Namespace) -> list[Row]:
    """Return the suites with their numbers of jobs."""
    from resi.config.many import open_configs
    from resi.sweeps.suite_files import load_suite, suite_names
    from resi.sweeps.suites import expand

    loader = open_configs(arguments.config_dir)
    rows: list[Row] = []
    for name in suite_names(loader):
        if _matches(name, arguments):
            try:
                suite = load_suite(name, loader)
                rows.append({"name": name, "jobs": len(expand((), suite, loader)), "about": suite.about})
            except ResiError as error:  # a suite that is wrong hides no other
                rows.append({"name": name, "jobs": None, "about": f"cannot be used: {error}"})
    return rows


def list_progress(arguments: argparse.Namespace) -> list[Row]:
    """Return the progress of suites; without a pattern, of those with anything in the data root."""
    from resi.config.many import open_configs
    from resi.store.root import default_root
    from resi.sweeps.progress import FAILED, RUNNING, STATES, STOPPED, read_progress

    root = (arguments.root or default_root()).expanduser().absolute()
    loader = open_configs(arguments.config_dir)
    suites = read_progress(loader, root, lambda name: _matches(name, arguments))
    return [
        {
            "name": suite.name,
            "words": " ".join(suite.words),
            "jobs": len(suite.states),
            **{state: len(suite.jobs(state)) for state in STATES},
            "at work": [" ".join(job) for job in suite.jobs(RUNNING)],
            "failures": [suite.problem] * bool(suite.problem)
            + [
                f"{' '.join(job)}: {state.reason}"
                for job, state in suite.states.items()
                if state.name == FAILED or (state.name == STOPPED and state.reason)
            ],
        }
        for suite in suites
        if suite.problem or suite.is_begun or (arguments.pattern != "*" and not suite.words)
    ]


def _matches(name: str, arguments: argparse.Namespace) -> bool:
    return fnmatch.fnmatchcase(name, arguments.pattern)


def _describe_shard(shard: Shard) -> Row:
    about: Row = dict.fromkeys(("domain", "dataset", "test", "measures", "rows", "failed", "noted", "when"), "")
    try:
        return {**about, **(_finished(shard) if shard.is_complete else _unfinished(shard))}
    except ResiError as error:
        return {**about, "state": str(error)}


def _describe_outdated(shard: Shard) -> Row:
    """Return which numbers of a finished shard are of earlier versions; an unfinished one is about to be written."""
    from resi.errors import ResiError
    from resi.results.outdated import reasons

    try:
        found = shard.steadily(lambda: reasons(shard)) if shard.is_complete else []
    except ResiError as error:
        found = [str(error)]
    return {"name": shard.folder.name, "outdated": found}


def _finished(shard: Shard) -> Row:
    import polars as pl

    manifest = shard.steadily(shard.verify)
    noted = shard.comparisons(pl.col("note") != "").height
    counts = manifest.get("counts", {})
    return {
        **{name: manifest.get(name, "") for name in ("domain", "dataset", "test")},
        "measures": manifest.get("measures", []),
        "rows": sum(counts.values()),
        "failed": counts.get(Status.failed, 0),
        "noted": noted,
        "when": manifest.get("finished", ""),
        "state": "finished",
    }


def _unfinished(shard: Shard) -> Row:
    import polars as pl

    rows = shard.comparisons()
    return {
        **{name: ", ".join(rows[name].unique().sort()) for name in ("domain", "dataset")},
        "measures": rows["measure"].unique().sort().to_list(),
        "rows": rows["key"].n_unique(),
        "failed": rows.filter(status=Status.failed.value)["key"].n_unique(),
        "noted": rows.filter(pl.col("note") != "")["key"].n_unique(),
        "when": datetime.datetime.fromtimestamp(shard.changed(), datetime.UTC).isoformat(timespec="seconds"),
        "state": "unfinished; the same command resumes it",
    }


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
}


def _print(kind: str, rows: list[Row]) -> None:
    from rich.table import Table

    if not rows:
        output().print(f"no {kind}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    filled = [column for column in rows[0] if any(_text(row[column]) for row in rows)]
    for column in filled:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell(_text(row[column])) for column in filled))
    output().print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        more = [f"and {len(value) - SHOWN_NAMES} more"] if len(value) > SHOWN_NAMES else []
        return ", ".join([*map(str, value[:SHOWN_NAMES]), *more])
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
