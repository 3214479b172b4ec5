"""Hashes of source files recorded in the data root, so that later stages do not need the files.

The identity of every artifact includes a hash of its dataset's files, and of a published model's files. A machine that
only compares does not need these files otherwise; it uses the hashes recorded by the machine that read them.
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
"""Smaller files are hashed quickly."""
SLOW_BYTES = 2**31
"""Larger files take seconds, so hashing them is announced."""
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
        Files that were requested and are not known, if ``reads`` is False.
    """

    root: Path
    writes: bool = True
    reads: bool = True
    smallest: int = field(default_factory=lambda: LARGE_BYTES)
    looks: bool = True
    unread: set[Path] = field(default_factory=set, compare=False)

    def remember_dataset(self, domain: str, dataset: DatasetSpec) -> None:
        """Record the content hash of a dataset; that of a built-in one is always known."""
        if dataset.folder is not None:
            self._remember(self._folder(domain, dataset.name), "dataset", dataset.content)

    def dataset(self, domain: str, name: str, absent: DatasetError) -> DatasetSpec:
        """Return a recorded dataset without its files.

        Raises
        ------
        DatasetError
            The given error about the missing files, if no version or several versions are recorded.
        """
        return DatasetSpec(name, None, self._recall(self._folder(domain, name), "dataset", absent))

    def remember_checkpoint(self, model: ModelSpec) -> None:
        """Record the hash of a published model's file."""
        self._remember(self._folder(model.domain, model.dataset), _label(model), model.checkpoint)

    def checkpoint(self, model: ModelSpec, absent: DatasetError) -> str:
        """Return the recorded hash of a published model's file.

        Raises
        ------
        DatasetError
            As for datasets.
        """
        return self._recall(self._folder(model.domain, model.dataset), _label(model), absent)

    def hash_file(self, path: Path) -> str:
        """Return the sha256 of a file, which is read only if it has changed since it was last read.

        A file is recognised by its path, size, modification times and inode. Damage that does not change these is
        detected when the file is used.

        Raises
        ------
        DatasetError
            If it is written to while being read.
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
        """Hold the lock on hashing a large file, so that jobs starting at once do not all read it."""
        from resi.store.root import Store

        with contextlib.ExitStack() as stack:
            if self.writes and size >= LARGE_BYTES:
                with contextlib.suppress(StoreError):  # a data root that can only be read
                    stack.enter_context(Store(self.root).lock(f"hashing-{name}", "is hashing the same file"))
            yield

    def _hash_and_note(self, path: Path, note: Path, about: list[str | int]) -> str:
        state, start = file_state(path), time.time()
        if state is not None and state[0] >= SLOW_BYTES:
            say(f"hashing {path}, {state[0] / 1e9:.1f} GB: only once, unless it changes")
        content = hash_file(path)
        if state is None or list(state) != about[1:] or file_state(path) != state:
            raise DatasetError(f"{path} changed while it was read; run again when it is complete")
        if self.writes and start - max(state[1], state[2]) / 1e9 > SETTLED_SECONDS:
            self._note_file(note, about, content)
        return content

    def _note_file(self, note: Path, about: list[str | int], content: str) -> None:
        from resi.store.files import write_text

        text = json.dumps({"file": about, "sha256": content, "check": _check(canonical([about, content]))})
        with contextlib.suppress(StoreError):  # a data root that can only be read: the file is hashed again next time
            write_text(note, text)

    def stale_notes(self) -> Iterator[Path]:
        """Yield the notes on files that are missing or have changed."""
        for note in list_files(_files(self.root), "*.json"):
            try:
                path, *state = json.loads(note.read_text(encoding="utf-8"))["file"]
                is_stale = file_state(Path(path)) != tuple(state)
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                is_stale = note.exists()  # damaged: the file is hashed again
            if is_stale:
                yield note

    def remember_measure(self, name: str, code: str, provider: str) -> set[str]:
        """Record the hash of a measure's code, and its distribution or file.

        Returns
        -------
        set of str
            The providers of other code that was recorded under this name, empty if there is none, or if this code was
            recorded before; an empty text for code of which an earlier version has not recorded the provider.
        """
        name = name.replace(":", "--")  # of distribution:name; a file of some systems has no colon
        folder = self.root / "sources" / "measures"
        known = set() if (folder / f"{name}-{code[:SHOWN_DIGITS]}.json").is_file() else set(_providers(folder, name))
        self._remember(folder, name, code, provider)
        return known

    def _folder(self, domain: str, dataset: str) -> Path:
        return self.root / "sources" / domain / dataset

    def _remember(self, folder: Path, label: str, content: str, provider: str = "") -> None:
        from resi.store.files import write_text

        path = folder / f"{label}-{content[:SHOWN_DIGITS]}.json"
        if not path.is_file():
            about = {"sha256": content, "of": self._of(folder, label), "check": _check(content)}
            write_text(path, json.dumps({**about, **({"provider": provider} if provider else {})}))

    def _of(self, folder: Path, label: str) -> str:
        """Return what a note is about, which a note under another name is not."""
        return f"{folder.relative_to(self.root).as_posix()}/{label}"

    def _recall(self, folder: Path, label: str, absent: DatasetError) -> str:
        paths = sorted(folder.glob(f"{label}-{'[0-9a-f]' * SHOWN_DIGITS}.json"))
        if not paths:
            raise absent
        if len(paths) > 1:
            raise DatasetError(
                f"{absent} (The data root has records of {len(paths)} versions, so the right one is unknown: "
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
            raise ArtifactError(f"{paths[0]} is damaged, or holds the record of another file. Delete it.")
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


def _providers(folder: Path, measure: str) -> Iterator[str]:
    """Yield who provided each recorded code of a measure, an empty text where that is unknown."""
    for path in folder.glob(f"{measure}-{'[0-9a-f]' * SHOWN_DIGITS}.json"):
        try:
            yield str(json.loads(path.read_text(encoding="utf-8")).get("provider", ""))
        except (OSError, ValueError, AttributeError, RecursionError):  # damaged
            yield ""
