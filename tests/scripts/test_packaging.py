"""What is wrong with an sdist or a wheel is named."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from scripts.wheels.contents import sdist_problems, wheel_problems

PROJECT = """\
[project]
name = "resi"
version = "1.2.3"
requires-python = ">=3.11"
[project.optional-dependencies]
graph = []
"""
FILES = {
    "pyproject.toml": PROJECT,
    "conf/config.yaml": "a: 1",
    "src/resi/py.typed": "",
    "src/hydra_plugins/one.py": "one",
    "tests/data/large.bin": "data",
}
METADATA = "Metadata-Version: 2.4\nName: resi\nVersion: 1.2.3\nRequires-Python: >=3.11\nProvides-Extra: graph\n"
ABOUT = {"METADATA": METADATA, "RECORD": "", "entry_points.txt": "", "licenses/LICENSE": ""}
WHEEL = {
    "resi/conf/config.yaml": "a: 1",
    "resi/py.typed": "",
    "hydra_plugins/one.py": "one",
    **{f"resi-1.2.3.dist-info/{name}": text for name, text in ABOUT.items()},
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "repository"


def problems_of_wheel(repository: Path, files: dict[str, str]) -> list[str]:
    path = repository.parent / "resi-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return [problem.removeprefix(f"{path.name}").lstrip(": ") for problem in wheel_problems(path, FILES, repository)]


def test_a_whole_wheel_has_no_problem(repository: Path) -> None:
    assert problems_of_wheel(repository, WHEEL) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tests/data/large.bin": "data"}, "has tests/data/large.bin, which does not belong there"),
        ({"resi/conf/config.yaml": None}, "lacks resi/conf/config.yaml"),
        ({"resi/conf/config.yaml": "a: 2"}, "resi/conf/config.yaml is not conf/config.yaml"),
        ({"resi-1.2.3.dist-info/licenses/LICENSE": None}, "lacks LICENSE"),
        (
            {"resi-1.2.3.dist-info/METADATA": METADATA.replace("1.2.3", "1.2.2")},
            "Version is 1.2.2, but pyproject.toml has 1.2.3",
        ),
        ({"resi-1.2.3.dist-info/METADATA": METADATA.replace("graph", "all")}, "its extras are not graph"),
    ],
)
def test_what_is_wrong_with_a_wheel_is_named(repository: Path, change: dict[str, str | None], problem: str) -> None:
    files = {name: text for name, text in {**WHEEL, **change}.items() if text is not None}
    assert problems_of_wheel(repository, files) == [problem]


def test_an_sdist_has_all_that_is_tracked_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "resi-1.2.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (*FILES, "PKG-INFO", "notes.txt"):
            if name != "tests/data/large.bin":
                archive.addfile(tarfile.TarInfo(f"resi-1.2.3/{name}"), io.BytesIO())
    lacking, beyond = sdist_problems(path, FILES)
    assert lacking == f"{path.name} lacks tests/data/large.bin"
    assert beyond == f"{path.name} has notes.txt, which does not belong there"
