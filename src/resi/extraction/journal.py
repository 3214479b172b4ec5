"""Progress of an extraction into a folder: one line per batch, so that a later call continues after the last one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from resi.store.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME = "unfinished.jsonl"


class LayerFacts(NamedTuple):
    """Facts about a layer, known after its first batch.

    Attributes
    ----------
    layout : str
    dtype : str
        Type of the numbers in the file.
    computed_in : str
        The type of lowest precision in which any of them was computed.
    shape : tuple of int
        Of one row.
    """

    layout: str
    dtype: str
    computed_in: str
    shape: tuple[int, ...]


class Written(NamedTuple):
    """One batch that has been written to the files.

    Attributes
    ----------
    samples : list of str
    running : str
        Hash of the data up to its end.
    checks : list of int
        Checksums of its rows, layer by layer.
    """

    samples: list[str]
    running: str
    checks: list[int]


class Journal:
    """The lines of a journal: the first has the settings of the extraction, the second the layers.

    Attributes
    ----------
    settings : dict
        The settings that determine the extraction.
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
        """Return the journal that was written; None if not even the first line is complete."""
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
        """Write the journal with the given number of batches, and keep it open for more."""
        self.batches = self.batches[:kept]
        if not self.batches:
            self.layers = {}
        lines = [self.settings, *([self._described()] if self.layers else []), *self.batches]
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(b"".join(map(_line, lines)))
        self._file = self.path.open("ab")

    def begin(self, layers: Mapping[str, LayerFacts]) -> None:
        """Write the layers."""
        self.layers = dict(layers)
        self._write(self._described())

    def add(self, samples: Sequence[str], running: str, checks: Sequence[int]) -> None:
        """Record a batch that has been written to the files."""
        self.batches.append(Written(list(samples), running, list(checks)))
        self._write(self.batches[-1])

    def close(self) -> None:
        """Close the file without deleting it."""
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
    for line in path.read_bytes().split(b"\n")[:-1]:  # after the last line break is an incomplete line
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
