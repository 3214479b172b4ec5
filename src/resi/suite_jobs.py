"""Which jobs the sweep of a suite has: the words of its command line, and those of every job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from resi.console import say
from resi.errors import ResiError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

SUITE_FILE = "suite.json"
# Words beside `suite=NAME` of the sweep that this process starts. They are kept from Hydra's own composition of a
# sweep, which would hold `model.resnet18.epochs=10` against the default domain.
suite_words: tuple[str, ...] = ()
# Heads of words that a sweep as a whole is composed with.
SWEEP_KEYS = ("hydra", "suite", "root")


def split_suite_words(words: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the words with which Hydra starts a suite, and those that go to its jobs.

    ``suite=NAME`` without ``-m`` is a sweep, too.
    """
    start: list[str] = [] if {"-m", "--multirun"} & set(words) else ["-m"]
    further = []
    for word in words:
        key = word.lstrip("+~").replace("/", ".").split("=")[0].split(".")[0]
        is_of_jobs = (
            not word.startswith("-") and ("=" in word or word.startswith("~")) and key not in ("hydra", "suite")
        )
        if is_of_jobs:
            further.append(word)
        if not is_of_jobs or key in SWEEP_KEYS:
            start.append(word)
    return start, tuple(further)


def names_suite(words: Sequence[str]) -> bool:
    """Return whether the words of a command line name a suite."""
    return any(word.startswith("suite=") for word in words)


def plan_suite_jobs(config: DictConfig, loader: ConfigLoader, folder: Path) -> list[list[str]]:
    """Return the words of each job of the suite in ``config``, and note them in the sweep's folder.

    Raises
    ------
    UsageError
        Of the first job that cannot be composed.
    """
    from resi.compositions import compose_all
    from resi.store import write_text
    from resi.suites import expand, read_suite

    name = str(config.hydra.runtime.choices.suite)
    jobs = expand(suite_words, read_suite(name, config.suite), loader)
    common = [word for word in config.hydra.overrides.hydra if word.startswith("hydra.searchpath=")]
    for job, composed in zip(jobs, compose_all(jobs, loader, common), strict=True):
        if isinstance(composed, ResiError):
            raise type(composed)(f"{' '.join(job)}: {composed}")
    record = {"suite": name, "words": suite_words, "jobs": jobs}
    write_text(folder / SUITE_FILE, json.dumps(record, indent=1))
    say(f"suite={name}: {len(jobs)} jobs; resi list progress {name} tells how far they are")
    return [list(job) for job in jobs]
