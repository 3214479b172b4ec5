"""Tables and labelled arrays whose rows are samples: their numbers, and the ids of their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.errors import ShapeError
from resi.extraction.inputs.columns import labelled_rows, row_labels
from resi.lazy import loaded

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = "sample"
"""The column that holds ids of samples."""

Ids = tuple[str, ...]


def numbers_and_ids(label: str, given: Any) -> tuple[Any, Ids | None]:
    """Return the numbers of a value and the ids of its samples, or None if it has no ids.

    The ids of a frame are its column ``sample``, otherwise the pandas index, if it is not just the row numbers. The ids
    of an xarray array are the coordinates of its dimension ``sample``, otherwise of its first dimension.

    Raises
    ------
    ShapeError
        If a frame has other columns that are not numeric; the message begins with ``label``.
    """
    kind = _kind(given)
    return (given, None) if kind is None else READERS[kind](label, given)


def is_labelled(given: Any) -> bool:
    """Return whether a value may have ids of samples."""
    return _kind(given) is not None


def _kind(given: Any) -> tuple[str, str] | None:
    for library, name in READERS:
        module = loaded(library)
        if module is not None and isinstance(given, getattr(module, name)):
            return library, name
    return None


def _of_polars(label: str, frame: Any) -> tuple[Any, Ids | None]:
    ids = None
    if SAMPLE in frame.columns:
        ids = tuple(map(str, frame[SAMPLE].to_list()))
        frame = frame.drop(SAMPLE)
    _refuse_others(label, [name for name, kind in frame.schema.items() if not kind.is_numeric()])
    return frame.to_numpy(), ids


def _of_pandas(label: str, frame: Any) -> tuple[Any, Ids | None]:
    import pandas as pd  # type: ignore[import-untyped]

    ids = row_labels(frame)
    if SAMPLE in frame.columns:
        ids = tuple(map(str, frame[SAMPLE].tolist()))
        frame = frame.drop(columns=SAMPLE)
    types = pd.api.types
    numeric = [types.is_numeric_dtype(kind) and not types.is_bool_dtype(kind) for kind in frame.dtypes]
    _refuse_others(label, [str(name) for name, is_number in zip(frame.columns, numeric, strict=True) if not is_number])
    if any(map(types.is_extension_array_dtype, frame.dtypes)):
        return frame.to_numpy(dtype="float64", na_value=float("nan")), ids
    return frame.to_numpy(), ids


def _refuse_others(label: str, columns: list[str]) -> None:
    if columns:
        named = ", ".join(columns[:5]) + (f" and {len(columns) - 5} more" if len(columns) > 5 else "")
        raise ShapeError(
            f"{label} is a frame with columns that are not numeric: {named}; drop them, or name the column with sample "
            f"ids {SAMPLE!r}"
        )


def _of_xarray(label: str, array: Any) -> tuple[Any, Ids | None]:
    del label
    found, ids = labelled_rows(array)
    return found.to_numpy(), ids


READERS: dict[tuple[str, str], Callable[[str, Any], tuple[Any, Ids | None]]] = {
    ("polars", "DataFrame"): _of_polars,
    ("pandas", "DataFrame"): _of_pandas,
    ("xarray", "DataArray"): _of_xarray,
}
"""The reader for each class, by name, so that its library is not imported."""
