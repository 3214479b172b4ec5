"""Batches: the inputs of successive forward passes, and the ids of their rows."""

from __future__ import annotations

import abc
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.console import say
from resi.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from resi.extraction.inputs.encoding import Encoder
    from resi.extraction.inputs.rows import Rows

SLOW_SECONDS = 2.0


@dataclass(frozen=True)
class Batch:
    """Input of one forward pass, ``module(*args, **kwargs)``.

    Attributes
    ----------
    args : tuple
        Positional arguments, on the CPU: tensors, or one object with a method ``to`` such as a graph.
    kwargs : dict from str
        Named arguments.
    samples : list of str
        Ids of the rows.
    mask : Tensor of shape (n_rows, n_tokens), optional
        Nonzero for tokens that are not padding; None if nothing is padded.
    running : str
        Hash of the content and ids of all rows up to the end of this batch. It does not depend on how the
        rows are split into batches; that of the last batch is the hash of the data.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    samples: list[str]
    mask: Tensor | None = None
    running: str = ""


class Batches(abc.ABC):
    """Data of any kind, read batch by batch in the order of its rows.

    A stopped pass continues with ``start(row, running)``, given the number of stored rows and ``Batch.running`` of
    their last batch: rows are never appended to rows of other data.

    Attributes
    ----------
    kind : str
        Name of the rows in messages.
    batch_size : int
        Rows per batch; the last one may have fewer. 0 if the data are already in batches.
    n_samples : int or None
        Number of rows; None if it is unknown before all are read.
    """

    kind: str
    batch_size: int
    n_samples: int | None

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._hash: str | None = None

    @property
    def notes(self) -> list[str]:
        """Changes to the data, such as truncated texts; each was reported once."""
        return list(self._encoder.notes)

    def start(self, row: int = 0, running: str = "") -> Iterator[Batch]:
        """Yield batches starting at a row.

        Rows before it are read again, but neither tokenized, decoded nor run through the network: this verifies that
        they have not changed.

        Parameters
        ----------
        row : int
            The first row to yield, at which an earlier pass ended a batch.
        running : str
            ``Batch.running`` of the batch before it, to check the rows before; optional.

        Raises
        ------
        DatasetError
            If the rows before have changed, an id is repeated, or the data do not have their stated length.
        """
        done, began, is_said = 0, time.monotonic(), False
        for rows, ids, chain in self._chained(row):
            done += len(rows)
            if done < row and not is_said and time.monotonic() - began > SLOW_SECONDS:
                say(f"reading the first {row} rows of the {self.kind} again, to check that they have not changed")
                is_said = True
            if done == row and running and chain != running:
                raise DatasetError(
                    f"the first {row} rows of the {self.kind} have changed since the earlier pass was stopped:"
                    " start again in another folder, or with data that do not change (no random transforms)"
                )
            if done <= row:
                continue
            if done - len(rows) < row:
                raise DatasetError(
                    f"the {self.kind} are split into other batches than before: no batch ends at row {row}, where the "
                    "earlier pass was stopped; start again in another folder"
                )
            args, kwargs, mask = self._encoder.encode(rows, ids, done - len(rows))
            yield Batch(args, kwargs, ids, mask, chain)
        self._encoder.finish()

    def hash(self) -> str | None:
        """Return the hash of the content and the ids of all rows: the order counts, the size of batches does not.

        The raw rows are hashed: texts before they are tokenized, bytes of image files, bytes of
        tensors with dtype and shape; not labels. So the hash of data does not depend on the network. For rows that resi
        reads itself (arrays, texts, tables, image files), it is computed by reading everything without running the
        network. Third-party code (a Dataset, a DataLoader, an iterable) runs only once: there the hash is None until a
        pass is complete, and then the last ``Batch.running``.
        """
        return self._hash

    def _hash_of_all(self) -> str:
        """Return the hash after reading everything."""
        found = ""
        for _rows, _ids, chain in self._chained(0):
            found = chain
        return found

    def _chained(self, row: int) -> Iterator[tuple[Rows, list[str], str]]:
        """Yield all rows with their ids, and the hash of all rows so far."""
        chain, done, seen = "", 0, set[str]()
        for rows in self._read(row):
            if not len(rows):
                continue  # an empty batch has nothing to run a network on
            ids = rows.samples if rows.samples is not None else [str(done + number) for number in range(len(rows))]
            _check_ids(ids, rows, seen, self.kind)
            chain = _extend(chain, ids, rows.digests())
            done += len(rows)
            yield rows, ids, chain
        self._check_length(done, row)
        self._hash = chain

    @abc.abstractmethod
    def _read(self, row: int) -> Iterator[Rows]:
        """Yield all rows in pieces, one of which ends at ``row`` if possible."""

    def _check_length(self, done: int, row: int) -> None:
        if done == 0:
            raise DatasetError(f"the {self.kind} have no rows: there is nothing to run the network on")
        expected = self.n_samples
        if done < row or (expected is not None and done != expected):
            before = row if expected in (None, done) else expected
            raise DatasetError(
                f"the {self.kind} ended after {done} rows, but had {before} before: the length of data must not change"
            )


def _check_ids(ids: Sequence[str], rows: Rows, seen: set[str], kind: str) -> None:
    """Raise unless there is one id per row, and none is repeated."""
    if len(ids) != len(rows):
        raise DatasetError(f"the {kind} give {len(ids)} ids for {len(rows)} rows of a batch: expected one id per row")
    again = []
    for sample in ids:
        if sample in seen:
            again.append(sample)
        seen.add(sample)
    if again:
        more = f" and {len(again) - 3} more" if len(again) > 3 else ""
        raise DatasetError(
            f"ids of samples must be unique, but the {kind} repeat {', '.join(map(repr, again[:3]))}{more}; "
            "name another column with id=, or number the rows with id=False"
        )


def _extend(chain: str, ids: Sequence[str], digests: Sequence[bytes]) -> str:
    """Return the hash of all rows including these, given the hash of those before."""
    for sample, digest in zip(ids, digests, strict=True):
        chain = hashlib.sha256(chain.encode() + sample.encode() + b"\n" + digest).hexdigest()
    return chain
