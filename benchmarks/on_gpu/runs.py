"""Whole runs of the command line on the GPU, from an empty data root."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from on_gpu.report import Run

RESI = [sys.executable, "-c", "from resi.cli.main import main; main()"]
MIXED = "measure=[cka,procrustes,jaccard,rsa,svcca,rtd,imd,permutation_procrustes]"
ON_CPU = {"rtd", "imd", "permutation_procrustes"}
SHOWN_LINES = 25


def section(run: Run) -> None:
    """Train, extract and compare by measures of both kinds; again, when all is stored; then three others at once."""
    models = ["gcn"] if run.quick else ["gcn", "graphsage", "gat"]
    few = [f"model=[{','.join(models)}]", *(f"model.{name}.epochs=5" for name in models)]
    few += ["groups=2", "seeds=[0,1]"] if run.quick else ["groups=2", "seeds=[0,1,2]"]
    words = ["domain=graph", "test=augmentation", f"device={run.device_name}", MIXED, *few]
    with tempfile.TemporaryDirectory(prefix="resi-cuda-") as folder:
        home = Path(folder)
        rows: list[tuple[str, int, float]] = []
        for together in (
            {"from an empty data root": words},
            {"again, all of it stored": words},
            {
                "compared again, isolated": [*words, "compare.isolate=true", "compare.overwrite=always"],
                "vision, digits": other_domain(run, "vision", "tiny_resnet"),
                "language, reviews": other_domain(run, "language", "bert_tiny"),
            },
        ):
            rows += finished(run, {label: Job(home, chosen) for label, chosen in together.items()})
        run.table("runs, the last ones side by side", ("run", "exit code", "seconds"), rows)
        run.check("a stored run takes less time", rows[1][2] < rows[0][2], f"{rows[1][2]:.1f} s")
        with run.part("devices of comparisons"):
            check_devices(run, home)


def other_domain(run: Run, domain: str, model: str) -> list[str]:
    """Return the words of a run of another domain, with its small model on embedded data."""
    words = [f"domain={domain}", "test=label_randomization", f"device={run.device_name}", MIXED]
    return [*words, f"model={model}", f"model.{model}.epochs=1", "groups=2", "seeds=[0,1]"]


class Job:
    """A process of resi that writes its output to a file; it ends with the section."""

    def __init__(self, home: Path, words: list[str]) -> None:
        self.words = words
        self._start = time.monotonic()
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8")
        environment = {**os.environ, "RESI_HOME": str(home), "COLUMNS": "150"}
        self._process = subprocess.Popen([*RESI, *words], env=environment, stdout=self._output, stderr=self._output)

    def wait(self) -> tuple[int, float, list[str]]:
        """Return exit code, seconds and the lines of the output."""
        code = self._process.wait()
        seconds = time.monotonic() - self._start
        with self._output as file:
            file.seek(0)
            return code, seconds, file.read().strip().splitlines()


def finished(run: Run, jobs: dict[str, Job]) -> list[tuple[str, int, float]]:
    """Wait for jobs, print the end of what they say, and return exit codes and seconds."""
    rows = []
    for label, job in jobs.items():
        code, seconds, lines = job.wait()
        rows.append((label, code, seconds))
        shown = "\n".join(lines[-SHOWN_LINES:])
        run.say(f"**{label}**: `resi {' '.join(job.words)}`\n\n```\n{shown}\n```")
        run.check(f"exit code of a run, {label}", code == 0, code)
    return rows


def check_devices(run: Run, home: Path) -> None:
    """Check where the comparisons of the first run say that they were made."""
    import polars as pl

    shards = sorted(home.rglob("comparisons.parquet"))
    if not run.check("shards are there", bool(shards), "none"):
        return
    found = pl.concat([pl.read_parquet(path, columns=["measure", "device", "status"]) for path in shards])
    counts = found.group_by("measure", "device", "status").len().sort("measure", "device")
    run.table("where comparisons were made", ("measure", "device", "status", "comparisons"), counts.rows())
    for measure, device in counts.select("measure", "device").unique().iter_rows():
        expected = "cpu" if measure in ON_CPU else run.device.type
        run.check(f"device of {measure}", device.partition(":")[0] == expected, device)
    bad = found.filter(pl.col("status") != "ok").height
    run.check("all comparisons have a value", bad == 0, f"{bad} have none")
