"""What is in an sdist and a wheel, beside what should be."""

from __future__ import annotations

import subprocess
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

PACKAGED = {"conf/": "resi/conf/", "src/": ""}
"""Where the wheel has what lies in folders of the repository."""
NEEDED = ("LICENSE", "METADATA", "RECORD", "entry_points.txt")
"""Ends of names that the wheel has beside its code."""


def tracked_files(repository: Path) -> list[str]:
    """Return the files that git tracks, relative to the repository, with slashes."""
    words = ["git", "-C", str(repository), "ls-files", "-z"]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in found if name]


def sdist_problems(sdist: Path, tracked: Collection[str]) -> Iterator[str]:
    """Yield what an sdist lacks of what is tracked, and what it has beside it."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    yield from _differences(sdist.name, names, {*tracked, "PKG-INFO"})


def wheel_problems(wheel: Path, tracked: Collection[str], repository: Path) -> Iterator[str]:
    """Yield what is wrong with a wheel: files of the package that are missing, others that are there, metadata."""
    wanted = {inside + name.removeprefix(outside): name for outside, inside in PACKAGED.items() for name in tracked
              if name.startswith(outside)}  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        about = {name for name in archive.namelist() if ".dist-info/" in name}
        names = {*archive.namelist()} - about
        yield from _differences(wheel.name, names, wanted.keys())
        for name in sorted(names & wanted.keys()):
            if archive.read(name) != (repository / wanted[name]).read_bytes():
                yield f"{wheel.name}: {name} is not {wanted[name]}"
        yield from (f"{wheel.name} lacks {end}" for end in NEEDED if not any(name.endswith(end) for name in about))
        metadata = next((archive.read(name).decode() for name in about if name.endswith("/METADATA")), "")
    if "resi/py.typed" not in names:
        yield f"{wheel.name} lacks resi/py.typed"
    yield from _metadata_problems(wheel.name, metadata, repository)


def _differences(archive: str, names: Collection[str], wanted: Collection[str]) -> Iterator[str]:
    yield from (f"{archive} lacks {name}" for name in sorted({*wanted} - {*names}))
    yield from (f"{archive} has {name}, which does not belong there" for name in sorted({*names} - {*wanted}))


def _metadata_problems(wheel: str, metadata: str, repository: Path) -> Iterator[str]:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = HeaderParser().parsestr(metadata)
    stated = {"Name": project["name"], "Version": project["version"], "Requires-Python": project["requires-python"]}
    for key, value in stated.items():
        if found[key] != value:
            yield f"{wheel}: {key} is {found[key]}, but pyproject.toml has {value}"
    extras = {*project["optional-dependencies"]}
    if {*found.get_all("Provides-Extra", [])} != extras:
        yield f"{wheel}: its extras are not {', '.join(sorted(extras))}"
