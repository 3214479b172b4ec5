"""What a multirun tells at its end: every job's outcome, and an exit code that says whether all of them succeeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback

from resi.console import output, say

if TYPE_CHECKING:
    from omegaconf import DictConfig

JOB_FILE = "job.json"
# The exit code of the sweep that has just ended in this process.
last_exit_code = 0


def note_job(folder: Path, record: dict[str, Any]) -> None:
    """Leave what became of a job in its output folder, for the process that started the sweep."""
    from resi.store import write_text

    write_text(folder / JOB_FILE, json.dumps(record))


class SweepReport(Callback):
    """Prints one line per job when a multirun ends."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read what the jobs left, and print it."""
        global last_exit_code  # noqa: PLW0603 - Hydra makes this object and drops it, the number must outlive both
        del kwargs
        from rich.markup import escape
        from rich.table import Table

        records = [json.loads(path.read_text()) for path in _job_files(Path(config.hydra.sweep.dir))]
        table = Table(title="sweep", title_justify="left")
        for column in ("job", "outcome", "comparisons", "shard or error"):
            table.add_column(column, overflow="fold")
        for record in records:
            counts = ", ".join(f"{number} {status}" for status, number in record["counts"].items() if number)
            table.add_row(*(escape(text) for text in (record["job"], record["outcome"], counts, record["detail"])))
        output().print(table)
        last_exit_code = max((record["exit_code"] for record in records), default=1)
        if last_exit_code == 0:
            say("resi-merge combines the shards into one table")


def _job_files(folder: Path) -> list[Path]:
    def number(path: Path) -> int:
        return int(path.parent.name) if path.parent.name.isdigit() else 0

    return sorted(folder.glob(f"*/{JOB_FILE}"), key=number)
