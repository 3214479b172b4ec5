"""What is printed when a sweep ends: one line per job, why jobs failed, and the number of jobs with each outcome."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from resi.console import say
from resi.errors import count_of
from resi.sweeps.records import FAILED, NOT_RUN, STARTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resi.sweeps.records import Record

# Of a sweep with more jobs, only those that failed are printed.
LONGEST_TABLE = 50
IN_TOTAL = {"comparisons failed": "with failed comparisons", "models missing": "with missing models"}
"""What an outcome is called after a number of jobs, where it does not read as its own name."""


def print_report(records: Sequence[Record]) -> None:
    """Print one line per job; for many jobs, only those that did not succeed."""
    counts = Counter(record["outcome"] for record in records)
    total = ", ".join(f"{number} {IN_TOTAL.get(outcome, outcome)}" for outcome, number in counts.most_common())
    shown = records
    if len(records) > LONGEST_TABLE:
        shown = [record for record in records if record["exit_code"]]
    if shown:
        _print_table(shown, "sweep" if shown is records else "jobs that did not succeed")
    say(f"{count_of(len(records), 'job')}: {total}")


def _print_table(records: Sequence[Record], title: str) -> None:
    """Print jobs, with the shard of each where there is room; below it, why jobs have none."""
    from resi.console.columns import Column
    from resi.console.tables import Section, print_table

    columns = [
        Column("job", is_text=True, rank=0),
        Column("outcome", rank=0),
        Column("comparisons", is_text=True, rank=0),
        Column("shard"),
    ]
    rows: list[list[str]] = []
    errors: list[tuple[str, str]] = []
    for record in records:
        found = {**record["counts"], "with a note": record.get("noted", 0)}
        made = ", ".join(f"{number} {status}" for status, number in found.items() if number)
        shard = ""
        if record["outcome"] not in (FAILED, STARTED, NOT_RUN):
            shard = record["detail"]
        elif record["detail"]:
            errors.append((record["detail"], record["job"]))
        rows.append([record["job"], record["outcome"], made, shard])
    if not any(row[-1] for row in rows):
        columns.pop()
    remarks = [reason_line(reason) for reason in by_reason(errors)]
    print_table(columns, [Section(rows, remarks=remarks)], title=title, more="resi list shards shows them")


def by_reason(failed: Iterable[tuple[str, str]]) -> list[Record]:
    """Return each reason once, with how many jobs have it and the first of them; the most frequent first.

    Parameters
    ----------
    failed : iterable of (str, str)
        A reason and its job.
    """
    jobs: dict[str, list[str]] = {}
    for reason, job in failed:
        jobs.setdefault(reason, []).append(job)
    found = [{"reason": reason, "jobs": len(of), "example": of[0]} for reason, of in jobs.items()]
    return sorted(found, key=lambda row: -int(row["jobs"]))


def reason_line(reason: Record) -> str:
    """Return a reason of :func:`by_reason` in words."""
    which = f" (first: {reason['example']})" if reason["example"] else ""
    return f"{reason['jobs']} x {reason['reason']}{which}"
