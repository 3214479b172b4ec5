"""What all tests share: a data root of their own, and data that were made elsewhere."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

os.environ.pop("COLUMNS", None)  # set by pytest-xdist in its workers: output to a file would be cut to that width

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "tests" / "data"
# A run that takes a second or two: two settings, two seeds, one small architecture.
TINY = ["model=gcn", "model.gcn.epochs=2", "model.gcn.hidden_channels=8", "seeds=[0,1]", "groups=2"]


def changed(words: Iterable[str], *others: str) -> list[str]:
    """Return the words of a run with other values of some keys: a key can be given once."""
    keys = {word.partition("=")[0] for word in others}
    return [*(word for word in words if word.partition("=")[0] not in keys), *others]


@pytest.fixture(scope="module", autouse=True)
def spared() -> None:
    """Keep searches for garbage short: everything that is here before a module's tests stays until the end.

    Thousands of tests, torch and transformers are a million objects, and libraries search all of them after each
    training.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data root, set as ``RESI_HOME``."""
    home = tmp_path / "home"
    monkeypatch.setenv("RESI_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data root with the models and representations of the small run, which no test changes."""
    import resi

    home = tmp_path_factory.mktemp("trained")
    resi.run([*TINY, f"root={home}", "stage=representations"])
    return home


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """Return a data root of the test's own, with the models and representations of the small run."""
    return Path(shutil.copytree(trained_once, tmp_path / "trained"))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs words of the command line: exit code, output, messages."""

    def run(*words: str) -> tuple[int, str, str]:
        from resi.cli.main import run_command

        capsys.readouterr()
        code = run_command(list(words))
        return code, *capsys.readouterr()

    return run


def check_files(folder: Path) -> None:
    """Fail with one line unless the files that SHA256SUMS lists are there and unchanged."""
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        expected, name = line.split(maxsplit=1)
        path = folder / name
        if not path.is_file():
            pytest.fail(f"{path} is missing; it is part of the repository: git checkout it", pytrace=False)
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            pytest.fail(f"{path} differs from SHA256SUMS; it is part of the repository: git checkout it", pytrace=False)


@pytest.fixture(scope="session")
def data() -> Path:
    """Return ``tests/data`` with all files as they were committed: no test is skipped for want of data."""
    check_files(DATA)
    return DATA


@pytest.fixture(scope="session")
def published_cora(data: Path) -> Path:
    """Return the folder of published results and models on Cora: of eight models, or that of RESI_PUBLISHED_CORA."""
    folder = Path(os.environ.get("RESI_PUBLISHED_CORA") or data / "published-cora").absolute()
    if not (folder / "models").is_dir():
        pytest.fail(
            f"RESI_PUBLISHED_CORA={folder}: expected the folders and files of tests/data/README.md", pytrace=False
        )
    return folder
