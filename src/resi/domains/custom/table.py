"""The table of a user's own representations, one row each: a CSV or Parquet file, a frame, or objects in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.custom.origins import FileOrigin
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resi.domains.custom.origins import Origin

FILE = "file"
COLUMNS = (FILE, "setting", "seed", "layer", "accuracy", "logits", "architecture", "dataset")
"""The columns that are read; others are ignored."""
OWN = "own"
"""Default names of an architecture, and of the dataset of objects in memory."""
SUFFIXES = (".csv", ".tsv", ".parquet")
# How text tables write a missing number.
_NOTHING = ("null", "none", "nan", "na")


@dataclass(frozen=True)
class Row:
    """One representation, or all layers of one model.

    Attributes
    ----------
    label : str
        Its location, for messages.
    origin : Origin
        Its array, or those of all layers.
    setting, layer, accuracy, logits : optional
        None if the table does not state it.
    """

    label: str
    origin: Origin
    setting: str | None = None
    seed: int | None = None
    layer: str | None = None
    accuracy: float | None = None
    logits: Origin | None = None
    architecture: str = OWN
    dataset: str = OWN

    def knows(self, column: str) -> bool:
        """Return whether the row has a value in a column."""
        return getattr(self, "origin" if column == FILE else column) is not None


@dataclass(frozen=True)
class Table:
    """All rows.

    Attributes
    ----------
    label : str
        Name of the table in messages.
    columns : tuple of str
        Those it has, for messages.
    """

    label: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]


def read_table(path: Path) -> Table:
    """Return the table in a CSV or Parquet file; paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If the file does not exist, is not a table, or an entry does not fit its column.
    """
    if not path.is_file():
        raise UsageError(f"there is no table {path}: expected a CSV or Parquet file, one row per representation")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: expected a table of representations as {', '.join(SUFFIXES)}")
    return make_table(_records(path), str(path), path.parent, path.stem)


def _records(path: Path) -> list[dict[str, Any]]:
    import polars as pl

    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return pl.read_parquet(path).to_dicts()
        # As texts: what a column holds is checked here, with the row.
        frame = pl.read_csv(path, separator="\t" if suffix == ".tsv" else ",", infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(f"{path} cannot be read as a table: {reason}") from error
    if len(frame.columns) == 1 and (other := next((mark for mark in ";\t" if mark in frame.columns[0]), None)):
        mark = "semicolons" if other == ";" else "tabs"
        raise UsageError(f"{path} separates its columns by {mark}: expected commas, or tabs in a .tsv file")
    return frame.to_dicts()


def make_table(records: Iterable[Mapping[str, Any]], label: str, folder: Path, dataset: str = OWN) -> Table:
    """Return the table of some records, each a mapping from column to value.

    Parameters
    ----------
    label : str
        What the table is called in messages.
    folder : Path
        The folder that paths are relative to.
    dataset : str
        The dataset of rows that name none.
    """
    records = list(records)
    columns = tuple(dict.fromkeys(str(name) for record in records for name in record))
    if not records:
        raise UsageError(f"{label} has no rows")
    if FILE not in columns:
        raise UsageError(f"{label} lacks the column {FILE}; it has {', '.join(columns)}")
    origins: dict[Path, FileOrigin] = {}
    rows = [
        _row(f"{label}, row {number}", {str(name): value for name, value in record.items()}, folder, dataset, origins)
        for number, record in enumerate(records, 1)
    ]
    return Table(label, tuple(rows), columns)


def _row(label: str, record: Mapping[str, Any], folder: Path, dataset: str, origins: dict[Path, FileOrigin]) -> Row:
    file, logits = (_origin(record.get(column), folder, origins) for column in (FILE, "logits"))
    if file is None:
        raise UsageError(f"{label}: the column {FILE} is empty")
    return Row(
        label,
        file,
        text(record.get("setting")),
        whole(label, "seed", record.get("seed")),
        text(record.get("layer")),
        share(label, "accuracy", record.get("accuracy")),
        logits,
        text(record.get("architecture")) or OWN,
        text(record.get("dataset")) or dataset,
    )


def _origin(value: Any, folder: Path, origins: dict[Path, FileOrigin]) -> FileOrigin | None:
    name = text(value)
    if name is None:
        return None
    path = (folder / Path(name).expanduser()).absolute()
    return origins.setdefault(path, FileOrigin(path))


def text(value: Any) -> str | None:
    """Return a value as text, None if it is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ == "NAType":
        return None
    if isinstance(value, float) and value.is_integer():  # as pandas reads whole numbers beside empty cells
        value = int(value)
    found = str(value).strip()
    return found or None


def whole(label: str, column: str, value: Any) -> int | None:
    """Return a value as a whole number of at least 0, None if it is empty.

    Raises
    ------
    UsageError
        If it is something else.
    """
    found = _number(value)
    if found is None:
        return None
    if isinstance(value, bool) or not (found >= 0 and float(found).is_integer()):
        raise UsageError(f"{label}: {column}={value}: expected a whole number of at least 0")
    return int(found)


def share(label: str, column: str, value: Any) -> float | None:
    """Return a value as a number from 0 to 1, None if it is empty; raises as :func:`whole` does."""
    found = _number(value)
    if found is None:
        return None
    if isinstance(value, bool) or not 0 <= found <= 1:
        advice = "; divide percentages by 100" if 1 < found <= 100 else ""
        raise UsageError(f"{label}: {column}={value}: expected a share from 0 to 1{advice}")
    return found


def _number(value: Any) -> float | None:
    """Return a number; None if it is empty, NaN if it is not a number."""
    written = text(value)
    if written is None or written.lower() in _NOTHING:
        return None
    try:
        return float(written)
    except ValueError:
        return math.nan
