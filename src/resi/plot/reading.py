"""Reading tables for figures: their columns, measures, and the direction of a measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from resi import registry
from resi.errors import UsageError, unknown_name
from resi.registry.labels import measure_label
from resi.results.embedded import named_root
from resi.results.manifests import COMPARISONS_FILE, SCORES_FILE
from resi.results.schema import is_calibrated

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL = "measure_label"
MODEL = ("domain", "dataset", "architecture", "model_source", "setting", "seed", "layer")
SIDES = ("setting", "seed", "layer")


def caller(function: str) -> str:
    """Return the name of a function in errors: relative to the package ``plot``, or in full for other functions."""
    return function if function.startswith("resi.") else f"plot.{function}"


def as_frame(function: str, table: Any, needed: Sequence[str]) -> pl.DataFrame:
    """Return a table as a polars frame, with the column :data:`LABEL` if it has measures.

    It may be a Parquet file, or the name of results shipped with resi, such as ``baseline``: their scores if a function
    needs the column ``test``, otherwise their comparisons.

    Raises
    ------
    UsageError
        If it is not a table, is empty, or lacks one of the columns ``needed``.
    """
    if isinstance(table, str | Path):
        folder = named_root(Path(table))
        if str(folder) != str(table):
            table = folder / (SCORES_FILE if "test" in needed else COMPARISONS_FILE)
        try:
            table = pl.read_parquet(table)
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"{caller(function)}: {str(table)!r} cannot be read as a Parquet file: {reason}") from None
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if type(table).__module__.partition(".")[0] == "pandas":
        table = pl.from_pandas(table)
    if not isinstance(table, pl.DataFrame):
        raise UsageError(
            f"{caller(function)}: expected a table of polars or pandas, or a Parquet file, not a {type(table).__name__}"
        )
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise UsageError(
            f"{caller(function)}: the table lacks the columns {', '.join(missing)}; it has {', '.join(table.columns)}"
        )
    if table.is_empty():
        raise UsageError(f"{caller(function)}: the table has no rows")
    return _labelled(table) if "measure" in table.columns else table


def _labelled(table: pl.DataFrame) -> pl.DataFrame:
    if "parameters" not in table.columns:
        return table.with_columns(pl.col("measure").alias(LABEL))
    pairs = table.select("measure", "parameters").unique()
    labels = [measure_label(measure, parameters or "{}") for measure, parameters in pairs.iter_rows()]
    return table.join(pairs.with_columns(pl.Series(LABEL, labels)), on=["measure", "parameters"], how="left",
                      nulls_equal=True, maintain_order="left")  # fmt: skip


def chosen_labels(function: str, table: pl.DataFrame, measure: str | Sequence[str] | None) -> list[str]:
    """Return the requested labels of measures in a table, in that order; all labels if none are requested.

    A label selects itself; a name that is not a label, because the measure has other parameters, selects all its
    labels.

    Raises
    ------
    UsageError
        If a measure is not in the table.
    """
    known = table[LABEL].unique(maintain_order=True).to_list()
    if measure is None:
        return known
    labels: list[str] = []
    for name in [measure] if isinstance(measure, str) else measure:
        found = [name] if name in known else table.filter(pl.col("measure") == name)[LABEL].unique().sort().to_list()
        if not found:
            raise unknown_name(f"measure in the table given to {caller(function)}", str(name), known)
        labels += [label for label in found if label not in labels]
    if not labels:
        raise UsageError(f"{caller(function)}: measure={measure!r} is empty; name at least one measure")
    return labels


def one_value(function: str, table: pl.DataFrame, column: str, given: Any, *, everything: bool = False) -> pl.DataFrame:
    """Return the rows with one value of a column: the given one, or the only one.

    Raises
    ------
    UsageError
        If there is no such value, or there are several and none was given.
    """
    if column not in table.columns:
        return table
    known = table[column].unique(maintain_order=True).to_list()
    if given is not None:
        if given not in known:
            raise unknown_name(
                f"{column} in the table given to {caller(function)}", str(given), [str(one) for one in known]
            )
        return table.filter(pl.col(column) == given)
    if len(known) > 1 and not everything:
        names = ", ".join(repr(one) for one in known)
        raise UsageError(
            f"{caller(function)}: the table holds several values of {column}; choose with {column}= one of {names}"
        )
    return table


def points_up(function: str, measure: str, table: pl.DataFrame | None = None, given: bool | None = None) -> bool:
    """Return whether larger values mean more similar: as given, as stated in the table, or as known for the measure.

    Raises
    ------
    UsageError
        If the direction is unknown.
    """
    if given is not None:
        return given
    if table is not None and "larger_is_more_similar" in table.columns:
        stated = table["larger_is_more_similar"].drop_nulls().unique().to_list()
        if len(stated) == 1:
            return bool(stated[0])
    if table is not None and has_calibrated(table):
        return True
    known = registry.measures()
    if measure in known:
        return bool(known.get(measure).larger_is_more_similar)
    raise UsageError(
        f"{caller(function)}: unknown whether larger values of {measure!r} mean more similar; "
        "give larger_is_more_similar=True or False"
    )


def has_calibrated(rows: pl.DataFrame) -> bool:
    """Return whether the values of a measure's rows are calibrated: then 1 is the best value, for every measure."""
    if "parameters" not in rows.columns or rows.is_empty():
        return False
    return bool(rows.select(is_calibrated(pl.col("parameters")).all()).item())


def direction(up: bool) -> str:
    """Return the direction of a measure in words."""
    return "larger = more similar" if up else "smaller = more similar"


def model_names(table: pl.DataFrame, sides: Sequence[str] = ("a", "b")) -> tuple[list[str], list[pl.DataFrame]]:
    """Return the columns that distinguish the two sides of comparisons, and a table with these columns per side."""
    frames = []
    for side in sides:
        columns = [pl.col(name if name in table.columns else f"{name}_{side}").alias(name) for name in MODEL
                   if name in table.columns or f"{name}_{side}" in table.columns]  # fmt: skip
        frames.append(table.select(columns))
    both = pl.concat(frames)
    # Outputs belong to a model and have no layer.
    stated = {name: {value for value in both[name].unique() if value not in (None, "")} for name in both.columns}
    varying = [name for name in both.columns if len(stated[name]) > 1] or [both.columns[-1]]
    return varying, frames


def model_labels(frame: pl.DataFrame, varying: Sequence[str]) -> list[str]:
    """Return a short text for each row, from the varying columns."""
    return [
        " ".join(_word(name, row[name]) for name in varying if row[name] not in (None, ""))
        for row in frame.iter_rows(named=True)
    ]


def _word(column: str, value: Any) -> str:
    return f"seed {value}" if column == "seed" else f"layer {value}" if column == "layer" else str(value)
