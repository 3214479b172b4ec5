"""``resi list shards`` and ``resi list progress``: what was computed, and how far suites are."""

from __future__ import annotations

import datetime
import fnmatch
from typing import TYPE_CHECKING, Any

from resi.choices import Status
from resi.console import show, shown
from resi.errors import ResiError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from resi.results.shards import Shard

    Row = dict[str, Any]

SHOWN_REASONS = 5


def list_shards(arguments: argparse.Namespace) -> list[Row]:
    """Return the shards below a data root: what is in them, when they were written, and what is wrong with them."""
    from resi.results.outdated import latest_codes
    from resi.results.shards import find_shards, manifests_of
    from resi.store.root import check_text, default_root

    root = (arguments.root or default_root()).expanduser()
    check_text(root)
    check_given_root(arguments)
    shards = list(find_shards(root))
    if getattr(arguments, "outdated", False):
        latest = latest_codes(manifests_of(shards))
        return [row for shard in shards if (row := _describe_outdated(shard, latest))["outdated"]]
    return [{"name": shard.folder.name, **_describe_shard(shard)} for shard in shards]


def list_progress(arguments: argparse.Namespace) -> list[Row]:
    """Return the progress of suites; without a pattern, of those with anything in the data root."""
    from resi.config.many import open_configs
    from resi.store.root import default_root
    from resi.sweeps.progress import FAILED, RUNNING, STATES, STOPPED, read_progress
    from resi.sweeps.report import by_reason

    root = (arguments.root or default_root()).expanduser().absolute()
    check_given_root(arguments)
    loader = open_configs(arguments.config_dir)
    suites = read_progress(loader, root, lambda name: matches(name, arguments))
    rows: list[Row] = []
    for suite in suites:
        if not (suite.problem or suite.is_begun or (arguments.pattern != "*" and not suite.words)):
            continue
        failed = [(suite.problem, "")] * bool(suite.problem) + [
            (state.reason, " ".join(job))
            for job, state in suite.states.items()
            if state.name == FAILED or (state.name == STOPPED and state.reason)
        ]
        rows.append(
            {
                "name": suite.name,
                "words": " ".join(suite.words),
                "jobs": len(suite.states),
                **{state: len(suite.jobs(state)) for state in STATES},
                "at work": [" ".join(job) for job in suite.jobs(RUNNING)],
                "failures": [f"{job}: {reason}" if job else reason for reason, job in failed],
                "reasons": by_reason(failed),
            }
        )
    return rows


def check_given_root(arguments: argparse.Namespace) -> None:
    """Raise ``UsageError`` for a data root that is named and is not there; the usual one need not be there yet."""
    if arguments.root and not arguments.root.expanduser().is_dir():
        raise UsageError(f"--root {arguments.root}: there is no such folder; name a data root")


def list_embedded(arguments: argparse.Namespace) -> list[Row]:
    """Return the results that come with resi: what they are about, and what of them is of earlier versions."""
    from resi.results.embedded import embedded_names

    return [_embedded(name) for name in embedded_names() if matches(name, arguments)]


def _embedded(name: str) -> Row:
    from resi.results.embedded import earlier_versions, embedded_results, models_of, runs_of

    shard = embedded_results(name)
    scores, comparisons = shard.scores(), shard.comparisons()
    runs = [manifest for _, manifest in runs_of(shard.folder)]
    return {
        "name": name,
        **{f"{column}s": scores[column].unique().sort().to_list() for column in ("dataset", "architecture", "test")},
        "measures": scores["measure"].n_unique(),
        "models": models_of(shard.folder).height,
        "comparisons": comparisons.height,
        "scores": scores.height,
        "when": max((str(manifest.get("finished", "")) for manifest in runs), default=""),
        "resi": ", ".join(sorted({str(manifest["resi"]) for manifest in runs if "resi" in manifest})),
        "outdated": earlier_versions(shard),
    }


def matches(name: str, arguments: argparse.Namespace) -> bool:
    """Return whether a name is asked for."""
    return fnmatch.fnmatchcase(name, arguments.pattern)


def _describe_shard(shard: Shard) -> Row:
    about: Row = dict.fromkeys(("domain", "dataset", "test", "measures", "rows", "failed", "noted", "when"), "")
    try:
        return {**about, **(_finished(shard) if shard.is_complete else _unfinished(shard))}
    except ResiError as error:
        return {**about, "state": str(error)}


def _describe_outdated(shard: Shard, latest: Mapping[str, str]) -> Row:
    """Return which numbers of a finished shard are of earlier versions; an unfinished one is about to be written."""
    from resi.errors import ResiError
    from resi.results.outdated import reasons

    try:
        found = shard.steadily(lambda: reasons(shard, latest=latest)) if shard.is_complete else []
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


def print_failures(rows: list[Row], is_detailed: bool) -> None:
    """Print which jobs are running, and why others failed: each reason once, with how many jobs have it."""
    from resi.sweeps.report import reason_line

    for row in rows:
        suite = " ".join(filter(None, [row["name"], row["words"]]))
        for job in row["at work"]:
            _show_paragraph(f"{suite}: running {job}")
        if is_detailed:
            for failure in row["failures"]:
                _show_paragraph(f"{suite}: {failure}")
            continue
        for reason in row["reasons"][:SHOWN_REASONS]:
            _show_paragraph(f"{suite}: {reason_line(reason)}")
        if len(row["reasons"]) > SHOWN_REASONS:
            more = len(row["reasons"]) - SHOWN_REASONS
            _show_paragraph(f"{suite}: and {more} more reasons; --details shows every job, --json all reasons")


def _show_paragraph(text: str) -> None:
    from resi.console.tables import paragraph

    for line in paragraph(shown(text), "  "):
        show(line)
