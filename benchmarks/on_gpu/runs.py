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
    """Train, extract and compare by measures of both kinds; again, when all is stored; and in a process of its own."""
    models = ["gcn"] if run.quick else ["gcn", "graphsage", "gat"]
    few = [f"model=[{','.join(models)}]", *(f"model.{name}.epochs=5" for name in models)]
    few += ["groups=2", "seeds=[0,1]"] if run.quick else ["seeds=[0,1,2]"]
    words = ["domain=graph", "test=augmentation", f"device={run.device_name}", MIXED, *few]
    with tempfile.TemporaryDirectory(prefix="resi-cuda-") as folder:
        home = Path(folder)
        rows = []
        for label, more in (
            ("from an empty data root", []),
            ("again, all of it stored", []),
            ("compared again, isolated", ["compare.isolate=true", "compare.overwrite=always"]),
            ("vision, digits", ["VISION"]),
            ("language, reviews", ["LANGUAGE"]),
        ):
            if not run.has(12.0 if run.on_gpu else 2.0, label):
                break
            chosen = other_domain(run, more[0]) if more and more[0].isupper() else [*words, *more]
            code, seconds, output = started(home, chosen)
            rows.append((label, code, seconds))
            run.check(f"exit code of a run {label}", code == 0, f"{code}")
            lines = output.strip().splitlines()
            run.say(f"**{label}**: `resi {' '.join(chosen)}`\n\n```\n" + "\n".join(lines[-SHOWN_LINES:]) + "\n```")
        run.table("runs", ("run", "exit code", "seconds"), rows)
        if len(rows) > 1:
            run.check("a stored run takes less time", rows[1][2] < rows[0][2], f"{rows[1][2]:.1f} s")
        with run.part("devices of comparisons"):
            check_devices(run, home)


def other_domain(run: Run, domain: str) -> list[str]:
    """Return the words of a run of another domain, with its small model on embedded data."""
    model = {"VISION": "tiny_resnet", "LANGUAGE": "bert_tiny"}[domain]
    words = [f"domain={domain.lower()}", "test=label_randomization", f"device={run.device_name}", MIXED]
    return [*words, f"model={model}", f"model.{model}.epochs=1", "groups=2", "seeds=[0,1]"]


def started(home: Path, words: list[str]) -> tuple[int, float, str]:
    """Run resi; return its exit code, seconds and output."""
    start = time.monotonic()
    environment = {**os.environ, "RESI_HOME": str(home), "COLUMNS": "150"}
    # Not in a session of its own: it ends with the section.
    done = subprocess.run([*RESI, *words], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, time.monotonic() - start, done.stdout + done.stderr


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
