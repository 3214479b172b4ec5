"""What a run notes about itself: config, versions, machine, times and counts."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from resi.steps.plan import Plan

PACKAGES = ("torch", "numpy", "scipy", "polars", "torch_geometric")


def describe_run(plan: Plan, comparisons: pl.DataFrame, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the manifest of a run, without the hashes of its files."""
    counts = dict(comparisons["status"].value_counts().iter_rows())
    return {
        "test": plan.config.test.name,
        "domain": plan.config.domain.name,
        "dataset": plan.config.dataset,
        "architectures": list(plan.config.models),
        "measures": list(plan.config.measures),
        "protocol": plan.config.protocol,
        "config": plan.config.composed,
        "counts": {status: counts.get(status, 0) for status in ("ok", "undefined", "failed")},
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "resi": __version__,
        "git": _git_state(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _git_state() -> str | None:
    """Return the commit of the checkout resi runs from, marked when it is changed; None for an installed package."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607 - whichever git the user has
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
