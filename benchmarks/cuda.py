"""Everything that resi does on a GPU, checked against the CPU and timed: one script that runs by itself.

python benchmarks/cuda.py                          all sections, at most six minutes on one H100 with 16 cores
python benchmarks/cuda.py --sections values,speed  some of them
python benchmarks/cuda.py --device cpu --quick     a rehearsal at small sizes where there is no GPU
python benchmarks/cuda.py --json FILE              the same as data, for each section as soon as it has ended

It needs what resi needs, with the extras graph, language and vision, and no network. Sections run one after the other
in a process that is started anew if a section breaks it or takes too long, so that the others go on. The exit code is 1
if a check has failed or a section has not ended by itself.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXTRAS = ("graph", "language", "vision")
SECTIONS = {
    "machine": 40,
    "values": 90,
    "arithmetic": 30,
    "runs": 90,
    "training": 120,
    "speed": 60,
    "memory": 40,
    "sharing": 60,
    "lockstep": 45,
    "decompositions": 30,
}
"""Seconds that each section may take before it is ended, the most important ones first."""
TOTAL_SECONDS = 345
LEAST_SHARE = 1 / 3
"""This share of its seconds is kept for every section: those before it have to leave as much."""
STARTING_SECONDS = 30
"""What loading torch and its libraries may take."""
REHEARSAL = 5
"""So many times longer may it all take where there is no GPU."""
POLL_SECONDS = 0.1
AGAIN, NO_GPU = 3, 4
"""Exit codes of a process that leaves the next section to another one, and of one that finds no GPU."""
MOST_SHOWN = 40


def main() -> int:
    """Run the chosen sections and print a summary; return 1 if anything is not as it should be."""
    arguments = parsed()
    if arguments.work is not None:
        return work(arguments)
    if absent := missing_packages():
        print(f"not installed, so that some sections may fail: {', '.join(absent)}", flush=True)  # noqa: T201
    left = list(arguments.sections)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="resi-cuda-") as folder:
        journal = Path(folder) / "journal"
        journal.touch()
        while left and time.monotonic() - start < arguments.seconds:
            run_process(arguments, left, journal, start)
            ended = {entry["section"]: entry for entry in read(journal) if entry["event"] == "end"}
            left = [name for name in left if name not in ended]
            write_json(arguments.json, ended)
        ended = {entry["section"]: entry for entry in read(journal) if entry["event"] == "end"}
    return summarize(arguments.sections, ended, time.monotonic() - start)


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", type=names, default=list(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:N, or cpu for a rehearsal")
    parser.add_argument("--quick", action="store_true", help="small sizes, which show that it runs and nothing else")
    parser.add_argument("--json", type=Path, help="file for the results as data")
    parser.add_argument("--seconds", type=float, help=f"for all sections together, {TOTAL_SECONDS} on a GPU")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)  # the journal of a process that does the work
    arguments = parser.parse_args()
    if arguments.seconds is None:
        arguments.seconds = TOTAL_SECONDS * (1 if arguments.device.startswith("cuda") else REHEARSAL)
    return arguments


def names(text: str) -> list[str]:
    """Return the sections that a comma-separated text names."""
    chosen = [name.strip() for name in text.split(",")]
    if unknown := [name for name in chosen if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    return chosen


def missing_packages() -> list[str]:
    """Return what resi and the extras that are used require and this Python does not have."""
    project = project_table()
    wanted = sum((project["optional-dependencies"][extra] for extra in EXTRAS), project["dependencies"])
    return [name for name in (re.split(r"[<>=]", each)[0] for each in wanted) if not is_installed(name)]


def is_installed(distribution: str) -> bool:
    """Return whether this Python has a distribution, of whichever version."""
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def project_table() -> dict[str, Any]:
    """Return what pyproject.toml says of resi."""
    return tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run_process(arguments: argparse.Namespace, left: list[str], journal: Path, start: float) -> None:
    """Run sections in one process until it has ended, or a section takes too long; the journal says how they ended."""
    words = [sys.executable, str(HERE / "cuda.py"), "--work", str(journal), "--sections", ",".join(left)]
    seconds = arguments.seconds - (time.monotonic() - start)
    words += ["--device", arguments.device, "--seconds", str(seconds), *(["--quick"] * arguments.quick)]
    sys.stdout.flush()
    # The resi beside this script, whichever is installed, if any, in this process and those that it starts.
    paths = [str(HERE.parent / "src"), str(version_folder(journal.parent)), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
    # In a session of its own, so that what it starts ends with it.
    process = subprocess.Popen(words, env=environment, start_new_session=True)
    begun, since, limit, known = left[0], time.monotonic(), STARTING_SECONDS, len(begins(journal))
    try:
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
            if len(found := begins(journal)) > known:
                begun, since, limit, known = found[-1]["section"], now, found[-1]["seconds"], len(found)
            if now - since > limit or now - start > arguments.seconds:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                why = (
                    f"it took more than {limit:.0f} s" if now - since > limit else f"{arguments.seconds:.0f} s are over"
                )
                record(journal, begun, f"ended: {why}")
                return
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    ended = {entry["section"] for entry in read(journal) if entry["event"] == "end"}
    if process.returncode == NO_GPU:
        sys.exit(f"--device {arguments.device}: torch finds no such GPU here; --device cpu --quick is a rehearsal")
    if process.returncode and begun not in ended:
        record(journal, begun, f"its process ended with exit code {process.returncode}")


def version_folder(folder: Path) -> Path:
    """Return a folder that says which version of resi there is, for a machine on which it is not installed."""
    version = project_table()["version"]
    about = folder / "version" / f"resi-{version}.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: resi\nVersion: {version}\n", encoding="utf-8")
    return about.parent


def allowed(arguments: argparse.Namespace, section: str, left: float) -> float:
    """Return the seconds that a section may take of those that are left, so that later ones have their share.

    A rehearsal, which is there to run through, has more of them.
    """
    scale = 1 if arguments.device.startswith("cuda") else REHEARSAL
    later = arguments.sections[arguments.sections.index(section) + 1 :]
    kept = LEAST_SHARE * scale * sum(SECTIONS[name] for name in later)
    most = scale * SECTIONS[section]
    return max(LEAST_SHARE * most, min(most, left - kept))


def begins(journal: Path) -> list[dict[str, Any]]:
    """Return what the journal says of the sections that have begun."""
    return [entry for entry in read(journal) if entry["event"] == "begin"]


def record(journal: Path, section: str, error: str) -> None:
    """Note that a section did not end by itself."""
    print(f"\n**{section}: {error}**", flush=True)  # noqa: T201 - that is what it is for
    entry = {"event": "end", "section": section, "error": error, "failed": [], "passed": 0}
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def read(journal: Path) -> list[dict[str, Any]]:
    """Return what the journal holds; its last line may not be complete yet."""
    lines = journal.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def write_json(path: Path | None, ended: dict[str, dict[str, Any]]) -> None:
    """Write the results so far."""
    if path is not None:
        path.write_text(json.dumps(ended, indent=1) + "\n", encoding="utf-8")


def summarize(chosen: list[str], ended: dict[str, dict[str, Any]], seconds: float) -> int:
    """Print how the sections ended; return the exit code."""
    lines = ["", "## Summary", "", "| section | seconds | checks passed | failed | |", "|---|---|---|---|---|"]
    for name in chosen:
        entry = ended.get(name, {"error": "not begun: no time was left"})
        counts = entry.get("passed", 0), len(entry.get("failed", []))
        took = f"{entry['seconds']:.0f}" if "seconds" in entry else ""
        lines.append(f"| {name} | {took} | {counts[0]} | {counts[1]} | {entry.get('error') or ''} |")
    failed = [f"- {name}: {text}" for name in chosen for text in ended.get(name, {}).get("failed", [])[:MOST_SHOWN]]
    is_bad = bool(failed) or any(ended.get(name, {"error": "missing"}).get("error") for name in chosen)
    verdict = "NOT as it should be" if is_bad else "all as it should be"
    lines += ["", *failed, "", f"{verdict}; {seconds:.0f} s"]
    print("\n".join(lines), flush=True)  # noqa: T201
    return int(is_bad)


def work(arguments: argparse.Namespace) -> int:
    """Run sections in this process."""
    sys.path.insert(0, str(HERE))
    from on_gpu.report import Run, is_there, run_section

    if not is_there(arguments.device):
        return NO_GPU
    start = time.monotonic()
    for name in arguments.sections:
        seconds = allowed(arguments, name, arguments.seconds - (time.monotonic() - start))
        run = Run(name, arguments.device, arguments.quick, seconds, arguments.work)
        if not run_section(run):
            return AGAIN
    return 0


if __name__ == "__main__":
    sys.exit(main())
