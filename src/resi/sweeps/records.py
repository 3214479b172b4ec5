"""What a multirun tells at its end: every job's outcome, and an exit code that says whether all of them succeeded.

In a sweep's folder stand ``planned.jsonl``, the jobs it has; ``NUMBER/started.json`` and ``NUMBER/job.json``, what a
job notes when it starts and when it ends; ``lost.jsonl``, why jobs ended that noted nothing at their end.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback

from resi.console import cell, output, say
from resi.console.redaction import redact_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from omegaconf import DictConfig

    from resi.sweeps.launchers.jobs import Job

    Record = dict[str, Any]

START_FILE = "started.json"
JOB_FILE = "job.json"
PLANNED_FILE = "planned.jsonl"
LOST_FILE = "lost.jsonl"
STARTED = "not finished"
FAILED = "failed"
NOT_RUN = "not run"
# Stages whose end is a finished shard.
MAKES_SHARDS = ("all", "score")
# A sweep of more jobs is told by those that failed.
LONGEST_TABLE = 50
# The exit code of the sweep that has just ended in this process.
last_exit_code = 0
# The folder of the sweep that has been started in this process and not yet told of.
_running: Path | None = None


def note_planned(folder: Path, jobs: Sequence[Job]) -> None:
    """Note which jobs a sweep has; those of several batches add up."""
    folder.mkdir(parents=True, exist_ok=True)
    _append(folder / PLANNED_FILE, ({"number": job.number, "job": job.label} for job in jobs))


def note_lost(folder: Path, job: Job, reason: str) -> None:
    """Note why a job ended that could not do so itself."""
    _append(folder / LOST_FILE, [{"number": job.number, "detail": reason}])


def note_blocked(folder: Path, first: int, reasons: Mapping[tuple[str, ...], str]) -> None:
    """Note jobs that are not started, with their reasons; they are numbered from ``first`` on."""
    from resi.sweeps.launchers.jobs import Job

    jobs = [Job(first + index, words) for index, words in enumerate(reasons)]
    note_planned(folder, jobs)
    for job in jobs:
        note_lost(folder, job, reasons[job.words])


def note_start(folder: Path, record: Record) -> None:
    """Note in a job's output folder that the job has begun, and in which process."""
    from resi.store.root import write_text

    where = f"began in process {os.getpid()} on {platform.node()}, and left no word of its end"
    note = {**record, "outcome": STARTED, "detail": where, "process": os.getpid(), "exit_code": 1}
    write_text(folder / START_FILE, json.dumps(redact_config(note)))


def note_job(folder: Path, record: Record) -> None:
    """Leave what became of a job in its output folder, for the process that started the sweep."""
    from resi.store.root import write_text

    write_text(folder / JOB_FILE, json.dumps(redact_config(record)))


def lost_jobs(folder: Path) -> dict[int, str]:
    """Return why jobs of a sweep ended that could not note it themselves, by number."""
    return {row["number"]: row["detail"] for row in _rows(folder / LOST_FILE)}


def read_jobs(folder: Path) -> list[Record]:
    """Return what became of each job of a sweep, by number: those that left no word are there, too."""
    records: dict[int, Record] = {}
    for row in _rows(folder / PLANNED_FILE):
        records[row["number"]] = {**row, "counts": {}, "outcome": NOT_RUN, "detail": "", "exit_code": 1}
    for name in (START_FILE, JOB_FILE):
        for path in folder.glob(f"*/{name}"):
            record = json.loads(path.read_text(encoding="utf-8"))
            records[record["number"]] = record
    for number, reason in lost_jobs(folder).items():
        if records[number]["outcome"] in (STARTED, NOT_RUN):
            records[number] |= {"outcome": FAILED, "detail": reason}
    return [records[number] for number in sorted(records)]


class SweepReport(Callback):
    """Prints what became of the jobs when a multirun ends."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Forget what an earlier sweep left, if it was told to use the same folder."""
        global _running  # noqa: PLW0603 - see below
        del kwargs
        _running = Path(config.hydra.sweep.dir).absolute()
        for name in (f"*/{START_FILE}", f"*/{JOB_FILE}", PLANNED_FILE, LOST_FILE):
            for path in _running.glob(name):
                path.unlink()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Read what the jobs left, and print it."""
        del config, kwargs
        report_running()


def report_running(is_broken_off: bool = False) -> None:
    """Print what became of the jobs of this process's sweep, once; nothing if there is none.

    Of a sweep that an error broke off before its first job the error says all there is to say.
    """
    global _running, last_exit_code  # noqa: PLW0603 - Hydra makes the callback and drops it, these must outlive it
    folder, _running = _running, None
    if folder is None:
        return
    records = read_jobs(folder)
    last_exit_code = max((record["exit_code"] for record in records), default=0)
    if not records or (is_broken_off and all(record["outcome"] == NOT_RUN for record in records)):
        return
    for record in records:
        if record["outcome"] == STARTED and record.get("process") == os.getpid():
            record["detail"] = "interrupted"
    print_report(records)
    if last_exit_code == 0 and any(record.get("stage") in MAKES_SHARDS for record in records):
        say("resi-merge combines the shards into one table")


def print_report(records: Sequence[Record]) -> None:
    """Print one line a job; of many jobs, one for each that did not end well."""
    from rich.table import Table

    counts = Counter(record["outcome"] for record in records)
    total = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    told = records
    if len(records) > LONGEST_TABLE:
        told = [record for record in records if record["exit_code"]]
    if told:
        table = Table(title="sweep" if told is records else "jobs that did not end well", title_justify="left")
        for column in ("job", "outcome", "comparisons", "shard or error"):
            table.add_column(column, overflow="fold")
        before = ""
        for record in told:
            found = {**record["counts"], "with a note": record.get("noted", 0)}
            made = ", ".join(f"{number} {status}" for status, number in found.items() if number)
            detail = record["detail"]
            shown = "as above" if detail and detail == before else detail
            before = detail
            table.add_row(*(cell(text) for text in (record["job"], record["outcome"], made, shown)))
        output().print(table)
    say(f"{len(records)} jobs: {total}")


def _append(path: Path, rows: Iterable[Record]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(redact_config(row)) + "\n" for row in rows)


def _rows(path: Path) -> list[Record]:
    # What follows the last line break is still being written.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]] if path.exists() else []
