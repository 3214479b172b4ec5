"""Columns of a table: the one with texts or images, and the one with ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from resi.errors import DatasetError, UsageError, listed, unknown_name
from resi.extraction.inputs.rows import Texts

if TYPE_CHECKING:
    from collections.abc import Sequence

ID = "id"
"""Default name of the column with ids of samples."""


class TextColumns:
    """Texts of one column, or pairs of texts of two.

    Parameters
    ----------
    columns : sequence of sequence of str
        One or two.
    samples : list of str, optional
    kind : str
        Name of the rows in messages.

    Raises
    ------
    DatasetError
        If a row has no text.
    """

    def __init__(self, columns: Sequence[Sequence[Any]], samples: list[str] | None, kind: str) -> None:
        self.kind, self.samples = kind, samples
        self._texts: list[Any] = list(columns[0]) if len(columns) == 1 else list(zip(*columns, strict=True))
        for row, text in enumerate(self._texts):
            if not (isinstance(text, str) or (isinstance(text, tuple) and all(isinstance(one, str) for one in text))):
                raise DatasetError(f"row {row} of the {kind} is {text!r}: expected a text; remove the row or fill it")

    def __len__(self) -> int:
        return len(self._texts)

    def read(self, first: int, stop: int) -> Texts:
        """Return some of the rows."""
        return Texts(self._texts[first:stop], None if self.samples is None else self.samples[first:stop])


def chosen_columns(
    column: str | Sequence[str] | None, candidates: Sequence[str], known: Sequence[str], what: str
) -> list[str]:
    """Return the requested columns, or the only one that fits.

    Parameters
    ----------
    column : str or two of them, optional
        ``a``, or ``a,b`` for pairs.
    candidates : sequence of str
        Columns of the right type.
    known : sequence of str
        All columns.
    what : str
        Their content, for messages.

    Raises
    ------
    UsageError
        If there is no such column, or a choice to make.
    """
    if column is None:
        if len(candidates) == 1:
            return list(candidates)
        if not candidates:
            raise UsageError(f"the data have no column of {what}, only {listed(known, 10)}; pass numbers as an array")
        raise UsageError(
            f"the data have {len(candidates)} columns of {what}, {listed(candidates, 10)}: name the one that is the "
            "input with column=NAME"
        )
    if isinstance(column, str):
        names = [column] if column in known else column.split(",")
    else:
        names = list(column)
    for name in names:
        if name not in known:
            raise unknown_name("column", name, known)
        if name not in candidates:
            raise UsageError(f"column={name} does not hold {what}; columns that do: {listed(candidates, 10)}")
    if len(names) > 2:
        raise UsageError(
            f"column={','.join(names)} are {len(names)} columns: expected one, or two that are read as pairs"
        )
    return names


def id_column(name: str | Literal[False] | None, known: Sequence[str]) -> str | None:
    """Return the column with ids: the named one, else ``id`` if there is one; None to number the rows."""
    if name is False:
        return None
    if name is None:
        return ID if ID in known else None
    if name not in known:
        raise unknown_name("column for id=", name, known)
    return name


def row_labels(frame: Any) -> tuple[str, ...] | None:
    """Return the index of a pandas frame as ids; None if it only numbers the rows."""
    import pandas as pd  # type: ignore[import-untyped]

    index = frame.index
    is_numbers = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    return None if is_numbers else tuple(map(str, index.tolist()))


def labelled_rows(array: Any) -> tuple[Any, tuple[str, ...] | None]:
    """Return an array of xarray with samples first, not read yet, and the coordinates of its samples as ids, if any.

    Samples are the dimension ``sample``, or else the first one.
    """
    if "sample" in array.dims:
        array = array.transpose("sample", ...)
    if not array.dims or array.dims[0] not in array.indexes:
        return array, None
    return array, tuple(map(str, array.indexes[array.dims[0]].tolist()))


def ids_of(values: Sequence[Any], name: str) -> list[str]:
    """Return ids as texts.

    Raises
    ------
    DatasetError
        If one is missing.
    """
    for row, value in enumerate(values):
        if value is None:
            raise DatasetError(f"row {row} has no {name}: every sample needs an id; number the rows with id=False")
    return [str(value) for value in values]
