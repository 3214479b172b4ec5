"""How far an extraction into a folder has come: one line a batch, so that a later call goes on behind the last one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME = "unfinished.jsonl"


class LayerFacts(NamedTuple):
    """What is known of a layer after its first batch.

    Attributes
    ----------
    layout : str
    dtype : str
        Type of the numbers in the file.
    computed_in : str
        The type of lowest precision of those in which they were computed.
    shape : tuple of int
        Of one row.
    """

    layout: str
    dtype: str
    computed_in: str
    shape: tuple[int, ...]


class Written(NamedTuple):
    """One batch that is in the files.

    Attributes
    ----------
    samples : list of str
    running : str
        Hash of the data up to its end.
    checks : list of int
        Of the bytes of its rows, layer by layer.
    """

    samples: list[str]
    running: str
    checks: list[int]


class Journal:
    """The lines that are written and read; the first says what is extracted, the second which layers there are.

    Attributes
    ----------
    settings : dict
        What decides what is extracted.
    layers : dict from layer to LayerFacts
        Empty before the first batch.
    batches : list of Written
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path, self.settings = path, dict(settings)
        self.layers: dict[str, LayerFacts] = {}
        self.batches: list[Written] = []
        self._file: BinaryIO | None = None

    @classmethod
    def read(cls, path: Path) -> Journal | None:
        """Return what was written; None if not even the first line is whole."""
        lines = list(_whole_lines(path))
        if not lines or not isinstance(lines[0], dict):
            return None
        found = cls(path, lines[0])
        if len(lines) > 1:
            found.layers = {
                name: LayerFacts(layout, dtype, computed_in, tuple(shape))
                for name, layout, dtype, computed_in, shape in lines[1]
            }
            found.batches = [Written(*line) for line in lines[2:]]
        return found

    def open(self, kept: int) -> None:
        """Write what is known with so many of the batches, and stay open for more."""
        self.batches = self.batches[:kept]
        if not self.batches:
            self.layers = {}
        lines = [self.settings, *([self._described()] if self.layers else []), *self.batches]
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(b"".join(map(_line, lines)))
        self._file = self.path.open("ab")

    def begin(self, layers: Mapping[str, LayerFacts]) -> None:
        """Write which layers there are."""
        self.layers = dict(layers)
        self._write(self._described())

    def add(self, samples: Sequence[str], running: str, checks: Sequence[int]) -> None:
        """Write that a batch is in the files."""
        self.batches.append(Written(list(samples), running, list(checks)))
        self._write(self.batches[-1])

    def close(self) -> None:
        """Close the file, which stays."""
        if self._file is not None:
            self._file.close()

    def _described(self) -> list[Any]:
        return [[name, *facts] for name, facts in self.layers.items()]

    def _write(self, line: Any) -> None:
        if self._file is not None:
            self._file.write(_line(line))
            self._file.flush()


def _line(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _whole_lines(path: Path) -> list[Any]:
    found = []
    for line in path.read_bytes().split(b"\n")[:-1]:  # behind the last break is what was being written
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
