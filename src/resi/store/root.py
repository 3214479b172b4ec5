"""The data root: its folders, and locks on its contents."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resi.console import say
from resi.errors import StoreError, UsageError
from resi.fingerprints import file_state
from resi.store import locks
from resi.store.files import cannot_write, list_files, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = ("models", "representations", "unfinished")
LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Store:
    """The data root and its folders.

    Parameters
    ----------
    root : Path
        By default ``$RESI_HOME``, otherwise ``$REP_SIM``, otherwise ``./experiments``.
    """

    root: Path

    def __post_init__(self) -> None:
        check_text(self.root)

    @property
    def datasets(self) -> Path:
        """The folder of downloaded datasets."""
        return self.root / "datasets"

    @property
    def cache(self) -> Path:
        """The folder of decoded inputs, which can be deleted at any time."""
        return self.root / "cache"

    @property
    def shards(self) -> Path:
        """Where runs write their results."""
        return self.root / "shards"

    @property
    def results(self) -> Path:
        """Where merged tables are written."""
        return self.root / "results"

    @property
    def models(self) -> Path:
        """The folder of trained models and of downloaded published ones."""
        return self.root / "models"

    @property
    def representations(self) -> Path:
        """The folder of representations and outputs of models."""
        return self.root / "representations"

    @property
    def unfinished(self) -> Path:
        """The folder where trainings keep their state until they end."""
        return self.root / "unfinished"

    @property
    def sources(self) -> Path:
        """The folder with recorded hashes of files and names of shards."""
        return self.root / "sources"

    @property
    def sweeps(self) -> Path:
        """The folder where sweeps record how their jobs ended."""
        return self.root / "sweeps"

    @property
    def downloads(self) -> Path:
        """The folder of downloaded archives, with records of what was unpacked."""
        return self.root / "downloads"

    @property
    def published(self) -> Path:
        """Where published results are downloaded to."""
        return self.root / "published"

    @property
    def locks(self) -> Path:
        """The folder of locks."""
        return self.root / "locks"

    def folders(self) -> tuple[Path, ...]:
        """Return the folders of a data root; anything else in it was not created by resi."""
        made = self.models, self.representations, self.unfinished, self.shards, self.results, self.sweeps
        return (*made, self.datasets, self.downloads, self.published, self.cache, self.sources, self.locks)

    def lock_files(self) -> list[Path]:
        """Return the files of all locks, held or not, by name."""
        return sorted({*list_files(self.locks, "*.lock"), *self._without_file()})

    def _without_file(self) -> Iterator[Path]:
        """Yield the paths of locks of which only a note or a lease is there."""
        for suffix in (".owner.json", ".lease"):
            for path in list_files(self.locks, f"*{suffix}"):
                yield path.with_name(f"{path.name.removesuffix(suffix)}.lock")

    def makes(self, path: Path) -> bool:
        """Return whether a file is one that resi creates and can recreate."""
        return any(path.is_relative_to(self.root / folder) for folder in MADE)

    def set_aside(self, path: Path, state: tuple[int, ...] | None) -> None:
        """Rename a damaged file, unless another process has done so and computed it again.

        Parameters
        ----------
        state : tuple of int or None
            Of the file when it was found damaged, see :attr:`ArtifactError.state`.
        """
        with self.lock(f"damaged-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}", "is checking the same damage"):
            if file_state(path) == state:
                with contextlib.suppress(FileNotFoundError):
                    path.replace(path.with_name(f"{path.name}.damaged"))

    @contextlib.contextmanager
    def try_lock(self, name: str) -> Iterator[bool]:
        """Hold the lock of an artifact if no other process does, so that no two jobs compute it at once.

        The lock belongs to the process: it is gone when the process ends, however it ends.

        Parameters
        ----------
        name : str
            Fingerprint of the artifact.

        Yields
        ------
        bool
            Whether the lock is held.
        """
        with try_lock(self.lock_path(name)) as held:
            yield held

    @contextlib.contextmanager
    def lock(self, name: str, doing: str) -> Iterator[None]:
        """Wait for the lock of an artifact and hold it; ``doing`` says what the other process is doing."""
        with wait_for_lock(self.lock_path(name), doing):
            yield

    def holder(self, name: str) -> str:
        """Return who holds the lock of an artifact, in words."""
        return locks.holder(self.lock_path(name))

    def is_locked(self, name: str) -> bool:
        """Return whether a process holds the lock of an artifact."""
        if not self.lock_path(name).exists():
            return False
        try:
            with self.try_lock(name) as held:
                return not held
        except StoreError:  # a data root that can only be read
            return locks.is_held(self.lock_path(name))

    def seems_locked(self, name: str) -> bool:
        """Return the same without writing anything; of leases, that of a dead host counts for an hour."""
        return locks.seems_held(self.lock_path(name))

    def lock_path(self, name: str) -> Path:
        """Return the file of a lock."""
        return self.locks / f"{name}.lock"


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock if no other process does, see :func:`resi.store.locks.try_lock`; its folder is created."""
    make_folder(path.parent)
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(locks.try_lock(path))
        except OSError as error:
            raise cannot_write(path, error) from error
        yield held


@contextlib.contextmanager
def wait_for_lock(path: Path, doing: str) -> Iterator[None]:
    """Wait until no other process holds a lock, and hold it; each holder is named once.

    Parameters
    ----------
    doing : str
        What the other process does, such as "is doing the same run".
    """
    waiting = Waiting(doing)
    while True:
        with try_lock(path) as held:
            if held:
                yield
                return
        waiting.wait_for(locks.holder(path))


class Waiting:
    """Pauses between attempts to get a lock; each process that holds it is named once.

    Parameters
    ----------
    doing : str
        What the other process does, such as "is doing the same run".
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._named: set[str] = set()

    def wait_for(self, holder: str) -> None:
        """Name the holder of the lock, if it has not been named yet, and pause."""
        if holder not in self._named:
            say(f"waiting for {holder}, which {self._doing}")
            self._named.add(holder)
        time.sleep(LOCK_POLL_SECONDS)


def default_root() -> Path:
    """Return the data root: ``$RESI_HOME``, otherwise ``$REP_SIM``, otherwise ``./experiments``."""
    return Path(os.environ.get("RESI_HOME") or os.environ.get("REP_SIM") or "experiments").absolute()


def check_text(path: Path) -> None:
    """Raise ``UsageError`` for a path that is not text: tables cannot be opened at such a path."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{str(path)!a} is not UTF-8 text; rename the folder, or name a symbolic link to it"
        ) from error
