"""``.csv`` and ``.tsv``: one layer, with a column per feature and a column of ids."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from resi.errors import ShapeError, UsageError
from resi.extraction.files.contents import Contents, Format, Options, StoredArray, as_tensor, bound, reading
from resi.extraction.files.parquet import SAMPLE, check_columns, chosen_columns

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from resi.extraction.collection import Representations

PANDAS_INDEX = ""
"""Column name of the row labels that pandas writes."""
OTHER_SEPARATORS = (";", "\t", "|", ",", " ")
# How programs other than Polars write NaN.
_NAN = ("nan", "-nan", "NAN", "-NaN")


def read_csv(path: Path, options: Options) -> Contents:
    """Return the columns of numbers as one layer; a column ``sample`` or ``id``, or an unnamed one, holds ids."""
    with reading(path):
        check_separator(path)
        heading = _heading(path)
        options.check(path, heading or [])
        id_column = next((name for name in (*options.id_names, PANDAS_INDEX) if name in (heading or [])), None)
        frame = _frame(path, heading is not None, id_column)
    samples = None
    if id_column is not None:
        if frame[id_column].null_count():
            raise UsageError(f"{path}: column {id_column!r}, the ids of samples, has rows without one")
        samples = tuple(frame[id_column].to_list())
        frame = frame.drop(id_column)
    names = chosen_columns(path, frame.columns, options.columns)
    types = {name: _type(dtype) for name, dtype in frame.select(names).schema.items()}
    check_columns(path, {name: found for name, found in types.items() if options.columns is None or found == "texts"})
    for name in names:
        if frame[name].null_count():
            row = frame[name].is_null().arg_true()[0] + 1
            raise ShapeError(f"{path}: column {name!r} is empty in row {row}; leave the row out, or write NaN")
    size = (frame.height, len(names))
    load = bound(path, _load, (heading is not None, id_column, tuple(names)), size)
    return Contents({path.stem: StoredArray(size, "float64", load)}, samples)


def _heading(path: Path) -> list[str] | None:
    """Return the column names in the first line; None if it already holds numbers.

    Numbers 0, 1, 2 and so on are names: so pandas writes columns that have none.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = next(csv.reader(file, delimiter=separator_of(path)), [])
    is_counted = len(first) > 1 and first == [str(number) for number in range(len(first))]
    return first if is_counted or not all(map(_is_number, first)) else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_separator(path: Path) -> None:
    """Raise ``UsageError`` if the first line of a table uses another separator than its suffix says.

    A name that holds such a character itself stands in quotation marks.
    """
    expected = separator_of(path)
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        line = file.readline().rstrip("\r\n")
    for other in OTHER_SEPARATORS:
        parts = line.split(other)
        if other == expected or len(parts) == 1 or '"' in line:
            continue
        are_numbers = all(_is_number(part.replace(",", ".")) for part in parts)
        if are_numbers or (expected not in line and other != " "):
            raise UsageError(
                f"{path}: its values are separated by {other!r}, expected {expected!r} in a {path.suffix} file; write "
                f"it again after polars.read_csv(PATH, separator={other!r}, decimal_comma=...)"
            )


def separator_of(path: Path) -> str:
    """Return the separator of values that the suffix of a table says."""
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _frame(path: Path, has_heading: bool, id_column: str | None) -> pl.DataFrame:
    frame = pl.read_csv(
        path,
        separator=separator_of(path),
        has_header=has_heading,
        infer_schema_length=None,
        schema_overrides={} if id_column is None else {id_column: pl.String},
    )
    for name, dtype in frame.schema.items():
        if dtype == pl.String and name != id_column:
            texts = frame[name].str.strip_chars()
            numbers = texts.replace(list(_NAN), ["NaN"] * len(_NAN)).cast(pl.Float64, strict=False)
            if numbers.null_count() == texts.null_count():
                frame = frame.with_columns(numbers.alias(name))
    return frame


def _type(dtype: pl.DataType) -> str:
    if dtype == pl.Float64:
        return "float64"
    return "texts" if dtype == pl.String else "of whole numbers" if dtype.is_integer() else str(dtype).lower()


def _load(path: Path, how: tuple[bool, str | None, tuple[str, ...]]) -> Tensor:
    has_heading, id_column, names = how
    return as_tensor(_frame(path, has_heading, id_column).select(pl.col(names).cast(pl.Float64)).to_numpy())


def write_csv(path: Path, representations: Representations, separator: str = ",") -> None:
    """Write the single layer with the ids of the samples, with all significant digits."""
    (tensor,) = representations.values()
    array = tensor.detach().cpu().numpy()
    features = {f"f{column}": array[:, column] for column in range(array.shape[1])}
    pl.DataFrame({SAMPLE: list(representations.samples), **features}).write_csv(path, separator=separator)


CSV = Format((".csv",), "a table as text", read_csv, write_csv, ("float64",), holds_many=False, most_axes=2)
TSV = replace(CSV, suffixes=(".tsv",), title="the same with tabs", write=partial(write_csv, separator="\t"))
