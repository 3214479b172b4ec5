"""The wheel used as strangers would: in an environment of its own, in a folder of its own, by what is documented."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
"""As users say it, and as uv does: the lowest versions that pyproject.toml allows, or the newest."""
TESTS = {
    "lowest": ("--numprocesses=2", "--dist=worksteal", "tests"),
    "newest": ("tests/unchanged", "tests/test_fingerprints.py", "tests/test_light.py"),
}
"""Run from the sdist. All with the lowest versions, which nothing else runs; with the newest ones, which every install
has, those that say whether stored work is found again, and what is public is there."""

ARRAYS = """\
import sys
import numpy, resi
assert resi.__file__.startswith(sys.prefix), resi.__file__
draw = numpy.random.default_rng(0)
numpy.save("a.npy", draw.normal(size=(60, 5)))
numpy.save("b.npy", draw.normal(size=(60, 7)))
"""
FEW = ("seeds=[0,1]", "groups=2", "measure=[cka,procrustes,jaccard,rsa]")


@dataclass(frozen=True)
class Use:
    """A command line, and a text that it has to print."""

    words: tuple[str, ...]
    prints: str = ""


USES: dict[tuple[str, ...], tuple[Use, ...]] = {
    (): (
        Use(("python", "-c", ARRAYS)),
        Use(("resi", "--version"), "resi {version}"),
        Use(("resi", "--help"), "compare.threads"),
        Use(("resi", "list"), "measures"),
        Use(("resi", "describe", "cka"), "Centred kernel alignment"),
        Use(("resi", "doctor"), "ok "),
        Use(("resi", "compare", "a.npy", "b.npy", "measure=all", "--plot", "a.png"), "soft_correlation_match"),
        Use(("resi", "report", "baseline", "--out", "baseline.html"), "baseline.html"),
        Use(("resi", "new-measure", "mean-shift"), "resi-mean-shift"),
    ),
    ("graph",): (
        Use(("resi", "domain=graph", "test=augmentation", "model=gcn", *FEW), "procrustes"),
        Use(("resi", "report"), "report.html"),
    ),
    ("graph", "language", "vision", "files"): (
        Use(("resi", "domain=language", "model=bert_tiny", "model.bert_tiny.max_steps=3", *FEW), "procrustes"),
        Use(("resi", "domain=vision", "model=tiny_resnet", "model.tiny_resnet.epochs=1", *FEW), "procrustes"),
    ),
}
"""What is run with which extras; the first with none."""


def find_python(version: str) -> str | None:
    """Return the interpreter of a version, on the path or one of pyenv's, None where there is none."""
    found = _uv("python", "find", "--no-python-downloads", "--system", version, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    # On the path pyenv has stand-ins alone, which refuse all versions but the chosen one.
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    others = sorted(kept.glob(f"{version}.*/bin/python"))
    return str(others[-1]) if others else None


def use(python: str, resolution: str, sdist: Path, wheel: Path) -> str:
    """Install the wheel, use it, and run tests of the sdist; return what went wrong, empty if nothing did."""
    with tempfile.TemporaryDirectory(prefix="resi-packaging-") as folder:
        work = Path(folder)
        with tarfile.open(sdist) as archive:
            archive.extractall(work / "sdist", filter="data")
        (source,) = (work / "sdist").iterdir()
        (work / "away").mkdir()
        try:
            _use(_Environment(python, resolution, work), source, wheel)
        except subprocess.CalledProcessError as error:
            return f"{' '.join(map(str, error.cmd))[:200]!r} ended with {error.returncode}\n{error.stdout or ''}"
        return ""


def _use(environment: _Environment, source: Path, wheel: Path) -> None:
    version = wheel.name.split("-")[1]
    for extras, uses in USES.items():
        environment.install(source, wheel, extras)
        for one in uses:
            environment.run(one, version)
    environment.install(source, wheel, extras, group="tests")
    environment.test(source)


class _Environment:
    """A virtual environment, and commands in it."""

    def __init__(self, python: str, resolution: str, work: Path) -> None:
        self.bin = work / "environment" / ("Scripts" if os.name == "nt" else "bin")
        self.away = work / "away"
        self.resolution = resolution
        _uv("venv", "--seed", "--python", python, str(work / "environment"))  # pip, which tests install a plugin with
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RESI_", "REP_SIM"))
        }
        path = os.pathsep.join([str(self.bin), kept.get("PATH", "")])
        self.variables = {**kept, "PATH": path, "RESI_HOME": str(work / "home"), "RESI_STRICT_PLUGINS": "1"}

    def install(self, source: Path, wheel: Path, extras: tuple[str, ...], group: str = "") -> None:
        """Install the wheel with what ``pyproject.toml`` of the sdist states for extras and a group."""
        stated = source / "pyproject.toml"
        words = ["--python", str(self.bin / "python"), "--resolution", RESOLUTIONS[self.resolution], "-r", str(stated)]
        words += [f"--extra={extra}" for extra in extras]
        words += [f"--group={stated}:{group}"] if group else []
        _uv("pip", "install", *words, str(wheel))

    def run(self, one: Use, version: str) -> None:
        """Run a command line where nothing of the repository is."""
        print(f"  {' '.join(one.words) if one.words[0] == 'resi' else one.words[0]}", flush=True)
        shown = _run([str(self.bin / one.words[0]), *one.words[1:]], cwd=self.away, env=self.variables)
        expected = one.prints.format(version=version)
        if expected not in shown:
            raise subprocess.CalledProcessError(0, one.words, f"expected {expected!r} in:\n{shown}")

    def test(self, source: Path) -> None:
        """Run tests from the sdist with the installed package."""
        tests = TESTS[self.resolution]
        print(f"  pytest {' '.join(tests)}", flush=True)
        words = [str(self.bin / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        own = {name: value for name, value in self.variables.items() if not name.startswith("RESI_")}
        _run(words, cwd=source, env={**own, "OMP_NUM_THREADS": "1"})


def _run(words: list[str], cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    return done.stdout


def _uv(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["uv", *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=check)
