"""Which jobs a sweep or a suite has: the words of its command line, those of every job, and which of them can run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.config.words import SUITE, WITH_VALUE, label, suite_of
from resi.console import say
from resi.console.redaction import redact_all
from resi.errors import ResiError, count_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

    from resi.sweeps.suites import JobWords

SUITE_FILE = "suite.json"
# Heads of words that a sweep as a whole is composed with: its launcher reads them.
SWEEP_KEYS = ("hydra", "root", "compare", "device")
MULTIRUN = ("-m", "--multirun")
# A sweeper of another package reads the words itself.
OTHER_SWEEPER = re.compile(r"\+*hydra/sweeper=(?!suite$)")
# Launchers whose jobs may find other packages than this process.
ELSEWHERE = re.compile("Slurm|Ray")


@dataclass(frozen=True)
class Asked:
    """What a command line asks for.

    Attributes
    ----------
    suite : str or None
        The name of a suite.
    words : tuple of str
        Those of its jobs. Hydra's own composition of a sweep does not see them: it would hold
        ``model.resnet18.epochs=10`` against the default domain, and call what a suite's YAML names.
    """

    suite: str | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class SweepJobs:
    """The jobs of a sweep that can run, and why the others cannot."""

    ready: list[JobWords]
    blocked: dict[JobWords, ResiError]


def split_words(words: Sequence[str]) -> tuple[list[str], Asked | None]:
    """Return the words with which Hydra starts, and what a sweep or a suite is asked for; None for a run.

    ``suite=NAME`` without ``-m`` is a sweep, too.

    Raises
    ------
    UsageError
        If several suites are named, or the config of a sweep is to be printed.
    """
    suite = suite_of(words)
    is_sweep = bool({*MULTIRUN} & set(words))
    if suite is None and (not is_sweep or any(map(OTHER_SWEEPER.match, words))):
        return list(words), None
    start: list[str] = [] if is_sweep else ["-m"]
    further = []
    before = ""
    for word in words:
        key = word.lstrip("+~").replace("/", ".").split("=")[0].split(".")[0]
        is_option = word.startswith("-") or before in WITH_VALUE or not ("=" in word or word.startswith("~"))
        before = word
        if not is_option and SUITE.fullmatch(word):
            continue
        if not is_option and key != "hydra":
            further.append(word)
        if is_option or key in SWEEP_KEYS:
            start.append(word)
    return start, Asked(suite, tuple(further))


def plan_jobs(config: DictConfig, loader: ConfigLoader, folder: Path, given: Asked) -> SweepJobs:
    """Return the jobs of a sweep or a suite, and note those of a suite in the sweep's folder.

    Parameters
    ----------
    config : DictConfig
        The sweep's own config.

    Raises
    ------
    UsageError
        Of the first job that cannot be composed.
    ResiError
        If no job can run, since data, models or packages are missing.
    """
    from resi.config.loading import store_of
    from resi.config.many import compose_all
    from resi.config.own_measures import with_files
    from resi.store.files import write_text
    from resi.sweeps.preflight import check_jobs
    from resi.sweeps.suite_files import load_suite
    from resi.sweeps.suites import expand, left_alone

    common = [word for word in config.hydra.overrides.hydra if word.startswith("hydra.searchpath=")]
    suite = load_suite(given.suite, loader, common) if given.suite else None
    store = store_of(loader)
    jobs = [tuple(with_files(job, store, are_all=False)) for job in expand(given.words, suite, loader)]
    composed = []
    for job, found in zip(jobs, compose_all(jobs, loader, common), strict=True):
        if isinstance(found, ResiError):
            raise type(found)(f"{label(job)}: {found}")
        composed.append(found)
    if suite:
        record = {"suite": suite.name, "words": redact_all(given.words), "jobs": [redact_all(job) for job in jobs]}
        write_text(folder / SUITE_FILE, json.dumps(record, indent=1))
        if notice := left_alone(given.words, suite):
            say(notice)
        say(f"suite={suite.name}: {count_of(len(jobs), 'job')}; resi list progress {suite.name} shows the progress")
    if config.hydra.launcher.get("dry_run"):
        return SweepJobs(jobs, {})
    blocked = check_jobs(jobs, composed, not ELSEWHERE.search(str(config.hydra.launcher.get("_target_", ""))))
    return SweepJobs([job for job in jobs if job not in blocked], blocked)
