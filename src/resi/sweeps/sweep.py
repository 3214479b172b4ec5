"""The sweep that a command starts, as one object: its words, its folder, and the exit code it ends with."""

from __future__ import annotations

import contextlib
import os
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback

from resi.choices import Stage
from resi.console import say
from resi.sweeps.records import NOT_RUN, STARTED, forget, read_jobs
from resi.sweeps.report import print_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omegaconf import DictConfig

    from resi.sweeps.jobs import Asked

MAKES_SHARDS = [stage for stage in Stage if stage.finishes]
# Hydra itself creates the sweeper and the callback, from a config that can hold no object: they find the sweep here.
# Everything else is given it.
_current: ContextVar[Sweep | None] = ContextVar("resi_sweep", default=None)


@dataclass
class Sweep:
    """A sweep, from the words it is started with to its report.

    Attributes
    ----------
    asked : Asked or None
        What the command line asks for; None if Hydra's own words say it, or if it asks for a single run.
    folder : Path or None
        Where its jobs leave their notes; None before Hydra has composed the sweep, and once it is reported.
    exit_code : int
        The highest of its jobs', known once it is reported; 0 if there was no sweep.
    """

    asked: Asked | None = None
    folder: Path | None = None
    exit_code: int = 0

    @staticmethod
    def current() -> Sweep | None:
        """Return the sweep of the command that is running in this thread, for what Hydra creates."""
        return _current.get()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Make this the current sweep; at the end, also after an error, report what has not been reported."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self.report(is_broken_off=True)

    def begin(self, folder: Path) -> None:
        """Take a folder for the notes of the jobs, and remove those of an earlier sweep."""
        self.folder = folder.absolute()
        forget(self.folder)

    def report(self, is_broken_off: bool = False) -> None:
        """Print the outcome of each job and set the exit code, once; nothing if no sweep has begun.

        If an error ended the sweep before its first job, the error says all there is to say.
        """
        folder, self.folder = self.folder, None
        if folder is None:
            return
        records = read_jobs(folder)
        self.exit_code = max((record["exit_code"] for record in records), default=0)
        if not records or (is_broken_off and all(record["outcome"] == NOT_RUN for record in records)):
            return
        for record in records:
            if record["outcome"] == STARTED and record.get("process") == os.getpid():
                record["detail"] = "interrupted"
        print_report(records)
        if self.exit_code == 0 and any(record.get("stage") in MAKES_SHARDS for record in records):
            say("resi-merge combines the shards into one table")


class SweepReport(Callback):
    """Begins the current sweep when Hydra starts a multirun, and reports it when the multirun ends.

    A program that starts Hydra without a sweep gets a new one.
    """

    def __init__(self) -> None:
        self.sweep = Sweep.current() or Sweep()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Begin the sweep in its folder."""
        del kwargs
        self.sweep.begin(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report the sweep."""
        del config, kwargs
        self.sweep.report()
