"""Batches of rows that can be read in any order, and of streams that can be read once from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from resi.errors import DatasetError, UsageError
from resi.extraction.inputs.base import Batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resi.extraction.inputs.encoding import Encoder
    from resi.extraction.inputs.rows import Rows


class Source(Protocol):
    """Rows that can be read in any order.

    Attributes
    ----------
    kind : str
        Name of the rows in messages.
    """

    kind: str

    def __len__(self) -> int:
        """Return the number of rows."""

    def read(self, first: int, stop: int) -> Rows:
        """Return the rows from ``first`` to before ``stop``."""


class RowBatches(Batches):
    """Batches of rows that can be read in any order.

    Parameters
    ----------
    source : Source
    batch_size : int
    encoder : Encoder
    is_own : bool
        Whether resi alone reads the rows, so that reading them twice cannot have effects.

    Raises
    ------
    DatasetError
        If there are no rows.
    """

    def __init__(self, source: Source, batch_size: int, encoder: Encoder, is_own: bool = True) -> None:
        super().__init__(encoder)
        self.kind, self.batch_size, self.n_samples = source.kind, batch_size, len(source)
        self._source, self._is_own = source, is_own
        self._check_length(len(source), 0)

    def hash(self) -> str | None:
        """Return the hash of the content, see :meth:`Batches.hash`."""
        if self._hash is None and self._is_own:
            self._hash = self._hash_of_all()
        return self._hash

    def _read(self, row: int) -> Iterator[Rows]:
        n_rows = self.n_samples or 0
        if len(self._source) != n_rows:
            self._check_length(len(self._source), row)
        for start, end in ((0, min(row, n_rows)), (row, n_rows)):
            for first in range(start, end, self.batch_size):
                yield self._source.read(first, min(first + self.batch_size, end))


class StreamBatches(Batches):
    """Batches in their own order, read from the start.

    Parameters
    ----------
    kind : str
    batches : callable
        Returns a new pass over them, or the same iterator again if there is only one.
    n_samples : int, optional
    encoder : Encoder
    """

    def __init__(
        self, kind: str, batches: Callable[[], Iterator[Rows]], encoder: Encoder, n_samples: int | None = None
    ) -> None:
        super().__init__(encoder)
        self.kind, self.batch_size, self.n_samples = kind, 0, n_samples
        self._batches = batches

    def _read(self, row: int) -> Iterator[Rows]:
        yield from self._batches()


def once(iterator: Iterator[Rows], kind: str) -> Callable[[], Iterator[Rows]]:
    """Return a function that returns an iterator once, and raises an error the second time."""
    left = [iterator]

    def give() -> Iterator[Rows]:
        if not left:
            raise UsageError(
                f"the {kind} can only be read once, and have been read: pass a list, a Dataset or a DataLoader"
            )
        return left.pop()

    return give


def unreadable(kind: str, first: int, stop: int, error: Exception) -> DatasetError:
    """Return the error for rows that third-party code could not read."""
    return DatasetError(f"rows {first} to {stop - 1} of the {kind} cannot be read: {reason_of(error)}")


def reason_of(error: Exception) -> str:
    """Return an error as one line; for the traceback of a DataLoader worker, its last line."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    return lines[-1].strip() if lines[0].startswith("Caught ") else f"{type(error).__name__}: {lines[0]}"
