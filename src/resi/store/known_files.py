"""What a data root records of the files its models come from, so that later stages do not need them.

The identity of every artifact holds a hash of its dataset's files, and of a published model's. A machine that only
compares has no other use for these files; it takes the hashes that the machine which read them has left here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from resi.console import say
from resi.errors import ArtifactError, DatasetError, StoreError
from resi.fingerprints import canonical, file_state, hash_file
from resi.specs import DatasetSpec
from resi.store.files import list_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.specs import ModelSpec

SHOWN_DIGITS = 12
LARGE_BYTES = 2**20
"""Smaller files are hashed in no time."""
SLOW_BYTES = 2**31
"""Larger ones take seconds, which is said."""
SETTLED_SECONDS = 2.0
"""A file that was written to more recently may be written to again within one tick of the clock of its file system."""


@dataclass(frozen=True)
class KnownFiles:
    """Hashes of datasets, published models and measures of other packages, one small file each, below ``sources/``.

    Parameters
    ----------
    root : Path
        The data root.
    writes : bool
        Whether hashes of files may be kept.
    reads : bool
        Whether files that are not known may be read. Otherwise :meth:`hash_file` returns what is no other file's hash,
        under which nothing is stored yet.
    smallest : int
        Size in bytes from which files are known; smaller ones are read whenever they are asked for.
    looks : bool
        Whether files of published models are looked at where the data root knows the model; they may have changed
        since.

    Attributes
    ----------
    unread : set of Path
        Files that were asked for and are not known, where ``reads`` is False.
    """

    root: Path
    writes: bool = True
    reads: bool = True
    smallest: int = field(default_factory=lambda: LARGE_BYTES)
    looks: bool = True
    unread: set[Path] = field(default_factory=set, compare=False)

    def remember_dataset(self, domain: str, dataset: DatasetSpec) -> None:
        """Record the content of a dataset; that of a built-in one is known anyway."""
        if dataset.folder is not None:
            self._remember(self._folder(domain, dataset.name), "dataset", dataset.content)

    def dataset(self, domain: str, name: str, absent: DatasetError) -> DatasetSpec:
        """Return a dataset that has been seen, without its files.

        Raises
        ------
        DatasetError
            The given one, of its files' absence, if none or several versions of it have been seen.
        """
        return DatasetSpec(name, None, self._recall(self._folder(domain, name), "dataset", absent))

    def remember_checkpoint(self, model: ModelSpec) -> None:
        """Note the hash of a published model's file."""
        self._remember(self._folder(model.domain, model.dataset), _label(model), model.checkpoint)

    def checkpoint(self, model: ModelSpec, absent: DatasetError) -> str:
        """Return the hash of a published model's file that has been seen.

        Raises
        ------
        DatasetError
            As of datasets.
        """
        return self._recall(self._folder(model.domain, model.dataset), _label(model), absent)

    def hash_file(self, path: Path) -> str:
        """Return the sha256 of a file, which is read only if it is not the one that was read before.

        It is known by its path, size, times of change and inode. Damage that does not change these is found when
        the file is made use of.

        Raises
        ------
        DatasetError
            If it is written to meanwhile.
        """
        state = file_state(path)
        if state is None or state[0] < self.smallest:
            return hash_file(path)
        note = _files(self.root) / f"{_check(str(path.absolute()))}.json"
        about: list[str | int] = [str(path.absolute()), *state]
        if known := _noted(note, about):
            return known
        if not self.reads:
            self.unread.add(path)
            return f"unread {_check(canonical(about))}"
        with self._alone(note.stem, state[0]):
            return _noted(note, about) or self._hash_and_note(path, note, about)

    @contextlib.contextmanager
    def _alone(self, name: str, size: int) -> Iterator[None]:
        """Hold the lock on hashing a large file: jobs that start at once need not all read it."""
        from resi.store.root import Store

        with contextlib.ExitStack() as stack:
            if self.writes and size >= LARGE_BYTES:
                with contextlib.suppress(StoreError):  # a data root that can only be read
                    stack.enter_context(Store(self.root).lock(f"hashing-{name}", "is hashing the same file"))
            yield

    def _hash_and_note(self, path: Path, note: Path, about: list[str | int]) -> str:
        state, start = file_state(path), time.time()
        if state is not None and state[0] >= SLOW_BYTES:
            say(f"hashing {path}, {state[0] / 1e9:.1f} GB: once, as long as it does not change")
        content = hash_file(path)
        if state is None or list(state) != about[1:] or file_state(path) != state:
            raise DatasetError(f"{path} changed while it was read; run again when it is whole")
        if self.writes and start - max(state[1], state[2]) / 1e9 > SETTLED_SECONDS:
            self._note_file(note, about, content)
        return content

    def _note_file(self, note: Path, about: list[str | int], content: str) -> None:
        from resi.store.files import write_text

        text = json.dumps({"file": about, "sha256": content, "check": _check(canonical([about, content]))})
        with contextlib.suppress(StoreError):  # a data root that can only be read: the file is hashed again next time
            write_text(note, text)

    def stale_notes(self) -> Iterator[Path]:
        """Yield the notes on files that are gone or have changed since."""
        for note in list_files(_files(self.root), "*.json"):
            try:
                path, *state = json.loads(note.read_text(encoding="utf-8"))["file"]
                is_stale = file_state(Path(path)) != tuple(state)
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                is_stale = note.exists()  # damaged: the file is hashed again
            if is_stale:
                yield note

    def remember_measure(self, name: str, code: str) -> bool:
        """Note the hash of a measure's code; return whether it is new where another one has been noted before."""
        name = name.replace(":", "--")  # of distribution:name; a file of some systems has no colon
        folder = self.root / "sources" / "measures"
        known = any(folder.glob(f"{name}-{'[0-9a-f]' * SHOWN_DIGITS}.json"))
        is_new = not (folder / f"{name}-{code[:SHOWN_DIGITS]}.json").is_file()
        self._remember(folder, name, code)
        return known and is_new

    def _folder(self, domain: str, dataset: str) -> Path:
        return self.root / "sources" / domain / dataset

    def _remember(self, folder: Path, label: str, content: str) -> None:
        from resi.store.files import write_text

        path = folder / f"{label}-{content[:SHOWN_DIGITS]}.json"
        if not path.is_file():
            write_text(path, json.dumps({"sha256": content, "of": self._of(folder, label), "check": _check(content)}))

    def _of(self, folder: Path, label: str) -> str:
        """Return what a note is about, which a note under another name is not."""
        return f"{folder.relative_to(self.root).as_posix()}/{label}"

    def _recall(self, folder: Path, label: str, absent: DatasetError) -> str:
        paths = sorted(folder.glob(f"{label}-{'[0-9a-f]' * SHOWN_DIGITS}.json"))
        if not paths:
            raise absent
        if len(paths) > 1:
            raise DatasetError(
                f"{absent} (The data root has used {len(paths)} versions of it, and it is unclear which is meant: "
                f"{folder / label}-*.json)"
            ) from absent
        try:
            note = json.loads(paths[0].read_text(encoding="utf-8"))
            content = str(note["sha256"])
            # Earlier versions have noted the hash alone.
            about = note.get("of"), note.get("check")
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ArtifactError(f"{paths[0]} is damaged: {error}. Delete it.") from error
        expected = ((None, None), (self._of(folder, label), _check(content)))
        if about not in expected or not paths[0].name.endswith(f"-{content[:SHOWN_DIGITS]}.json"):
            raise ArtifactError(f"{paths[0]} is damaged, or another note under its name. Delete it.")
        return content


def _files(root: Path) -> Path:
    return root / "sources" / "files"


def _noted(note: Path, about: list[str | int]) -> str | None:
    """Return the hash of a file as noted; None if there is no note of the file as it is, or a damaged one."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["file"] == about and known["check"] == _check(canonical([about, known["sha256"]])):
            return str(known["sha256"])
    return None


def _check(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:SHOWN_DIGITS]


def _label(model: ModelSpec) -> str:
    return f"{model.architecture}-{model.setting}-s{model.seed}"
