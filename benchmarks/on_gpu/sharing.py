"""Two jobs on one card at the same time, each within its share; and a process of ``compare.isolate`` on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from on_gpu.report import Run

JOB = """
import json, sys, time
import torch, resi
from resi.machine.devices import resolve_device
from resi.machine.memory import memory_budget
name, n_samples, n_features, count = sys.argv[1], *map(int, sys.argv[2:])
device = resolve_device(name)
budget = memory_budget(None, device)
draws = torch.Generator().manual_seed(0)
given = {f"r{i}": torch.randn(n_samples, n_features, generator=draws).to(device) for i in range(count)}
on_gpu = device.type == "cuda"
if on_gpu:
    torch.cuda.reset_peak_memory_stats(device)
start = time.time()
frame = resi.pairwise(given, measures=["cka", "procrustes", "rsa", "jaccard", "imd"], memory=budget)
values = frame.select("measure", "source", "target", "value").rows()
peak = torch.cuda.max_memory_allocated(device) if on_gpu else 0
print(json.dumps({"budget": budget, "peak": peak, "start": start, "end": time.time(), "values": values}))
"""


def section(run: Run) -> None:
    """Run two jobs as a sweep starts them, side by side, and compare their values with those of one alone."""
    size = ("120", "16", "4") if not run.full else ("4000", "512", "10")
    words = [sys.executable, "-c", JOB, run.device_name, *size]
    jobs = [started(words, slot) for slot in ("0/2", "1/2")]
    found = [json.loads(finished(job)) for job in jobs]
    rows = [
        (number, job["budget"] / 1e9, job["peak"] / 1e9, job["end"] - job["start"]) for number, job in enumerate(found)
    ]
    run.table("two jobs at once", ("job", "its share, GB", "its peak, GB", "seconds"), rows)
    run.check("both have the same values", near(found[0]["values"], found[1]["values"]), "they differ")
    together = min(job["end"] for job in found) > max(job["start"] for job in found)
    run.check("they ran at the same time", together, [(job["start"], job["end"]) for job in found])
    if run.on_gpu:
        total = torch.cuda.get_device_properties(run.device).total_memory
        for number, job in enumerate(found):
            share = total / 4  # half of the card, over two jobs
            run.check(
                f"the share of job {number}",
                0.9 * share <= job["budget"] <= 1.01 * share,
                f"{job['budget'] / 1e9:.1f} GB",
            )
            run.check(f"the peak of job {number}", job["peak"] <= job["budget"], f"{job['peak'] / 1e9:.1f} GB")
    if run.has(15.0 if run.on_gpu else 3.0, "one job alone"):
        alone = json.loads(finished(started(words, "0/1")))
        run.check("one job alone has their values", near(alone["values"], found[0]["values"]), "they differ")
        run.say(f"one job alone: {alone['end'] - alone['start']:.1f} s, share {alone['budget'] / 1e9:.1f} GB")


def near(values: list[Any], others: list[Any]) -> bool:
    """Return whether two tables hold the same but for rounding: sums may be added in another order each time."""
    return all(
        one[:3] == other[:3] and abs(one[3] - other[3]) <= 1e-9 * max(1.0, abs(other[3]))
        for one, other in zip(values, others, strict=True)
    )


def started(words: list[str], slot: str) -> subprocess.Popen[str]:
    """Start a job with a place as a launcher gives it."""
    environment = {**os.environ, "RESI_SLOT": slot, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 2) // 2))}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(job: subprocess.Popen[str]) -> str:
    """Wait for a job and return the last line of its output."""
    output, errors = job.communicate()
    if job.returncode != 0:
        raise RuntimeError(f"a job ended with exit code {job.returncode}: {errors.strip()[-2000:]}")
    return output.strip().splitlines()[-1]
