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
    """Return what is compared of a value, and the ids of its samples; None where it has none.

    A frame's ids are its column ``sample``, or else the index of pandas, if it is more than the numbers of rows. Those
    of a labelled array of xarray are the coordinates of its dimension ``sample``, or else of its first one.

    Raises
    ------
    ShapeError
        If a frame has other columns that hold no numbers; begins with ``label``.
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
            f"{label} is a frame of which the columns {named} hold no numbers; drop them, or call the one with the ids "
            f"of samples {SAMPLE!r}"
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
"""What reads values of each class of libraries that are not loaded for it."""
