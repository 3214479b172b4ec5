"""Installed packages and versions, and what to install for each extra; nothing is imported."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resi.upkeep.checks import Check, failed, missing, ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement

VERSIONS, EXTRAS = "versions", "extras"
SHOWN = ("torch", "numpy", "scipy", "numba", "polars", "hydra-core")
"""Packages with their own line; all others that resi needs share one line."""
ABOUT = {
    "graph": "domain=graph",
    "vision": "domain=vision; model=timm:NAME and torchvision:NAME",
    "language": "domain=language; model=hf:NAME",
    "files": "HDF5 files",
    "slurm": "hydra/launcher=slurm_cpu, slurm_gpu, submitit_local",
    "ray": "hydra/launcher=ray",
}
"""What an extra is for."""
TOGETHER = "all"
"""The extra that combines several others."""


class Needs(NamedTuple):
    """The requirements of a distribution: always, and for each of its extras."""

    core: list[Requirement]
    extras: dict[str, list[Requirement]]


def versions(_root: Path, needs: Needs | None = None) -> Iterator[Check]:
    """Yield lines about Python, resi and its required packages."""
    from resi import __version__

    yield ok(VERSIONS, "python", f"{platform.python_version()}, {platform.platform()}, {sys.executable}")
    yield ok(VERSIONS, "resi", f"{__version__}, {Path(__file__).parents[1]}")
    found = (needs or needed()).core
    wrong = [line for line in map(_wrong, found) if line is not None]
    bad = {line.name for line in wrong}
    right = {one.name: _version(one.name) for one in found if one.name not in bad}
    for name in SHOWN:
        if version := right.pop(name, None):
            yield ok(VERSIONS, name, version)
    yield from wrong
    if right:
        yield ok(VERSIONS, "others", ", ".join(f"{name} {version}" for name, version in right.items()))


def extras(_root: Path, needs: Needs | None = None) -> Iterator[Check]:
    """Yield a line about each extra: what is installed, and what to install."""
    for name, requirements in (needs or needed()).extras.items():
        if name == TOGETHER:
            continue
        install = f"python -m pip install 'resi[{name}]'"
        about = f" ({ABOUT[name]})" if name in ABOUT else ""
        absent = [one.name for one in requirements if _version(one.name) is None]
        wrong = [one for one in requirements if one.name not in absent and not _fits(one)]
        if wrong:
            text = ", ".join(f"{one.name} {_version(one.name)} is not {one.specifier}" for one in wrong)
            yield failed(EXTRAS, name, text + about, f"{install} --upgrade")
        elif absent:
            yield missing(EXTRAS, name, f"without {', '.join(absent)}{about}", install)
        else:
            yield ok(EXTRAS, name, ", ".join(f"{one.name} {_version(one.name)}" for one in requirements) + about)


def needed() -> Needs:
    """Return the requirements of the installed distribution on this machine."""
    from packaging.requirements import Requirement

    about = importlib.metadata.metadata("resi")
    all_of_them = [Requirement(text) for text in importlib.metadata.requires("resi") or []]
    return Needs(
        [one for one in all_of_them if _applies(one, "")],
        {
            extra: [one for one in all_of_them if _applies(one, extra) and not _applies(one, "")]
            for extra in about.get_all("Provides-Extra") or []
        },
    )


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _wrong(requirement: Requirement) -> Check | None:
    """Return the line about a required package, if it is missing or has an unsupported version."""
    name, install = requirement.name, f"python -m pip install '{requirement}'"
    if (version := _version(name)) is None:
        return failed(VERSIONS, name, "not installed; resi needs it", install)
    if not _fits(requirement):
        return failed(VERSIONS, name, f"{version} is not {requirement.specifier}", install)
    return None


def _fits(requirement: Requirement) -> bool:
    return requirement.specifier.contains(_version(requirement.name) or "", prereleases=True)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirement_of(module: str, needs: Iterable[Requirement]) -> str:
    """Return what to install for a required module, such as ``numba>=0.61``."""
    called = {"sklearn": "scikit-learn", "yaml": "pyyaml"}.get(module, module)
    names = {re.sub(r"[-_.]+", "-", one.name).lower(): f"{one.name}{one.specifier}" for one in needs}
    return names.get(called, called)
