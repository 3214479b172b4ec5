"""What the jobs of a sweep leave in its folder, and the outcome of each job that follows from it.

In a sweep's folder stand ``planned.jsonl``, the jobs it has; ``NUMBER/started.json`` and ``NUMBER/job.json``, what a
job notes when it starts and when it ends; ``lost.jsonl``, why jobs ended that noted nothing at their end.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.config.words import label
from resi.console.redaction import redact_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from resi.errors import ResiError

    Record = dict[str, Any]

START_FILE = "started.json"
JOB_FILE = "job.json"
PLANNED_FILE = "planned.jsonl"
LOST_FILE = "lost.jsonl"
STARTED = "not finished"
FAILED = "failed"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Job:
    """One job: its number in the sweep and the words it adds to those of the sweep."""

    number: int
    words: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its words as a person reads them, without secrets and those that are Hydra's own."""
        return label(self.words)


def note_planned(folder: Path, jobs: Sequence[Job]) -> None:
    """Note which jobs a sweep has; those of several batches add up."""
    folder.mkdir(parents=True, exist_ok=True)
    _append(folder / PLANNED_FILE, ({"number": job.number, "job": job.label} for job in jobs))


def note_lost(folder: Path, job: Job, reason: str, exit_code: int = 1) -> None:
    """Note why a job ended that could not do so itself."""
    _append(folder / LOST_FILE, [{"number": job.number, "detail": reason, "exit_code": exit_code}])


def note_blocked(folder: Path, first: int, reasons: Mapping[tuple[str, ...], ResiError]) -> None:
    """Note jobs that are not started, with their reasons; they are numbered from ``first`` on."""
    jobs = [Job(first + index, words) for index, words in enumerate(reasons)]
    note_planned(folder, jobs)
    for job in jobs:
        note_lost(folder, job, str(reasons[job.words]), reasons[job.words].exit_code)


def note_start(folder: Path, record: Record) -> None:
    """Note in a job's output folder that the job has begun, and in which process."""
    from resi.store.files import write_text

    where = f"started in process {os.getpid()} on {platform.node()}, and did not record how it ended"
    note = {**record, "outcome": STARTED, "detail": where, "process": os.getpid(), "exit_code": 1}
    write_text(folder / START_FILE, json.dumps(redact_config(note)))


def note_job(folder: Path, record: Record) -> None:
    """Note in a job's output folder how it ended, for the process that started the sweep."""
    from resi.store.files import write_text

    write_text(folder / JOB_FILE, json.dumps(redact_config(record)))


def forget(folder: Path) -> None:
    """Remove what an earlier sweep has left, if this one uses the same folder."""
    for name in (f"*/{START_FILE}", f"*/{JOB_FILE}", PLANNED_FILE, LOST_FILE):
        for path in folder.glob(name):
            path.unlink()


def lost_jobs(folder: Path) -> dict[int, str]:
    """Return why jobs of a sweep ended that could not note it themselves, by number."""
    return {row["number"]: row["detail"] for row in _rows(folder / LOST_FILE)}


def read_jobs(folder: Path) -> list[Record]:
    """Return how each job of a sweep ended, by number; jobs that noted nothing are included."""
    records: dict[int, Record] = {}
    for row in _rows(folder / PLANNED_FILE):
        records[row["number"]] = {**row, "counts": {}, "outcome": NOT_RUN, "detail": "", "exit_code": 1}
    for name in (START_FILE, JOB_FILE):
        for path in folder.glob(f"*/{name}"):
            record = json.loads(path.read_text(encoding="utf-8"))
            records[record["number"]] = record
    for row in _rows(folder / LOST_FILE):
        record = records[row["number"]]
        if record["outcome"] in (STARTED, NOT_RUN):
            record |= {"outcome": FAILED, "detail": row["detail"], "exit_code": row.get("exit_code", 1)}
    return [records[number] for number in sorted(records)]


def _append(path: Path, rows: Iterable[Record]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(redact_config(row)) + "\n" for row in rows)


def _rows(path: Path) -> list[Record]:
    # What follows the last line break is still being written.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]] if path.exists() else []
