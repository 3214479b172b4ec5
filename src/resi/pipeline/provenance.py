"""Provenance of a result: versions, the state of the checkout, and the machine."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from resi import __version__
from resi.lazy import loaded

PACKAGES = ("torch", "numpy", "scipy", "polars", "torch_geometric", "timm", "transformers")


def describe_environment() -> dict[str, Any]:
    """Return time, machine and versions as JSON can hold them."""
    return {
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "gpus": _gpus(),
        "python": platform.python_version(),
        "resi": __version__,
        "git": _git_state(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _gpus() -> list[str]:
    """Return the names of the GPUs, if torch has been loaded; loading it for this would take seconds."""
    torch = loaded("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _git_state() -> str | None:
    """Return the commit of the checkout resi runs from, marked when it is changed; None for an installed package."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607 - the user's git
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
