"""Build sdist and wheel, check what is in them, and use the wheel in clean environments.

    python -m scripts.wheels                 # each Python that is here, lowest and newest versions of dependencies
    python -m scripts.wheels 3.12 lowest     # some of these
    python -m scripts.wheels --no-use        # build and check alone; seconds

Needs the packages of the dependency group `build`. An environment with torch for CUDA takes 6 GB: there is one at a
time, and it is removed again; what uv has downloaded stays in its cache (`uv cache clean`). UV_TORCH_BACKEND=cpu
takes torch for the CPU alone, where torch's own index can be reached.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.wheels.contents import sdist_problems, tracked_files, wheel_problems
from scripts.wheels.environments import PYTHONS, RESOLUTIONS, find_python, use

REPOSITORY = Path(__file__).parents[2]


def main(words: list[str] | None = None) -> int:
    """Build, check and use; return 1 if something is wrong."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if unknown := {*arguments.which} - {*PYTHONS, *RESOLUTIONS}:
        parser.error(f"{' '.join(sorted(unknown))}: expected some of {', '.join((*PYTHONS, *RESOLUTIONS))}")
    sdist, wheel = build(arguments.out.absolute())
    found = problems(sdist, wheel)
    for problem in found:
        print(f"packaging: {problem}", flush=True)
    if found:
        return 1
    print(f"packaging: {sdist.name} and {wheel.name} hold what they should", flush=True)
    if arguments.no_use:
        return 0
    pythons = [word for word in arguments.which if word in PYTHONS] or PYTHONS
    resolutions = [word for word in arguments.which if word in RESOLUTIONS] or RESOLUTIONS
    return use_all(pythons, resolutions, sdist, wheel)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.wheels", description=__doc__.partition("\n")[0])
    known = (*PYTHONS, *RESOLUTIONS)
    parser.add_argument("which", nargs="*", metavar="WHICH", help=f"some of {', '.join(known)}; default all")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder of the packages; default dist")
    parser.add_argument("--no-use", action="store_true", help="do not install them")
    return parser


def build(out: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, into an empty folder; return both."""
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(out), str(REPOSITORY)], check=True)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def problems(sdist: Path, wheel: Path) -> list[str]:
    """Return what is wrong with packages: with their files, and with what an index would show of them."""
    tracked = tracked_files(REPOSITORY)
    found = [*sdist_problems(sdist, tracked), *wheel_problems(wheel, tracked, REPOSITORY)]
    checked = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)], check=False)
    if checked.returncode:
        found.append("twine check: see above")
    return found


def use_all(pythons: list[str], resolutions: list[str], sdist: Path, wheel: Path) -> int:
    """Use the wheel with each Python that is here, and each choice of dependencies; return 1 if one fails."""
    outcomes = {}
    for version in pythons:
        python = find_python(version)
        if python is None:
            outcomes[f"Python {version}"] = "skipped: it is not here"
            continue
        for resolution in resolutions:
            begun = time.monotonic()
            print(f"packaging: Python {version} with {resolution} dependencies", flush=True)
            failure = use(python, resolution, sdist, wheel)
            took = f"{time.monotonic() - begun:.0f} s"
            outcomes[f"Python {version}, {resolution}"] = f"failed: {failure}" if failure else f"works ({took})"
    for name, outcome in outcomes.items():
        print(f"packaging: {name}: {outcome}")
    return int(any(outcome.startswith("failed") for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
