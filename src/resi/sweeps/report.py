"""What is printed when a sweep ends: one line per job, and the number of jobs with each outcome."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from resi.console import cell, output, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resi.sweeps.records import Record

# Of a sweep with more jobs, only those that failed are printed.
LONGEST_TABLE = 50


def print_report(records: Sequence[Record]) -> None:
    """Print one line per job; for many jobs, only those that did not succeed."""
    from rich.table import Table

    counts = Counter(record["outcome"] for record in records)
    total = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    shown = records
    if len(records) > LONGEST_TABLE:
        shown = [record for record in records if record["exit_code"]]
    if shown:
        table = Table(title="sweep" if shown is records else "jobs that did not succeed", title_justify="left")
        for column in ("job", "outcome", "comparisons", "shard or error"):
            table.add_column(column, overflow="fold")
        before = ""
        for record in shown:
            found = {**record["counts"], "with a note": record.get("noted", 0)}
            made = ", ".join(f"{number} {status}" for status, number in found.items() if number)
            detail = record["detail"]
            row = (record["job"], record["outcome"], made, "as above" if detail and detail == before else detail)
            table.add_row(*map(cell, row))
            before = detail
        output().print(table)
    say(f"{len(records)} jobs: {total}")
