"""Tables with a column of texts or of paths to images: CSV, TSV and Parquet files, and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from resi.errors import DatasetError, UsageError, first_line, listed
from resi.extraction.inputs.columns import TextColumns, chosen_columns, id_column, ids_of
from resi.extraction.inputs.images import ImageFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

SUFFIXES = (".csv", ".parquet", ".tsv")


def check_header(table: pl.DataFrame, path: Path) -> None:
    """Raise if the column names may be the first row of a table without a header."""
    if path.suffix.lower() != ".parquet" and any(name.strip().lstrip("-").isdecimal() for name in table.columns):
        raise UsageError(
            f"the columns of {path} are {listed(table.columns, 10)}: if that is its first row, add a line with column "
            "names above it; else name the column with column=NAME"
        )


def read_table(path: Path, as_text: str = "") -> pl.DataFrame:
    """Return a table from its file.

    Parameters
    ----------
    as_text : str
        The column of a CSV to read as text: ids may have leading zeros.

    Raises
    ------
    DatasetError
        If it is not what its name says.
    UsageError
        If the values of a CSV or TSV are separated by something else.
    """
    import polars as pl

    from resi.extraction.files.delimited import check_separator, separator_of

    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        check_separator(path)
        separator = separator_of(path)
        header = pl.scan_csv(path, separator=separator, infer_schema=False).collect_schema().names()
        texts = {name: pl.String for name in header if name == as_text}
        return pl.read_csv(path, separator=separator, infer_schema_length=None, schema_overrides=texts)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DatasetError(f"data={path} cannot be read as {path.suffix.lower()[1:]}: {first_line(error)}") from error


def rows_of_table(
    table: pl.DataFrame,
    column: str | Sequence[str] | None,
    id_name: str | Literal[False] | None,
    image_folder: Path | None = None,
) -> TextColumns | ImageFiles:
    """Return the rows of a table.

    Parameters
    ----------
    column, id_name : optional
        See :func:`resi.extraction.batches.batches_of`.
    image_folder : Path, optional
        The column holds paths to images below it, not texts.
    """
    import polars as pl

    names = id_column(id_name, table.columns)
    samples = None if names is None else ids_of(table[names].to_list(), names)
    texts = [name for name, dtype in table.schema.items() if dtype == pl.String and name != names]
    if column is not None and names is not None and column == names:
        texts.append(names)
    what = "texts" if image_folder is None else "paths to images"
    values: list[list[Any]] = [table[name].to_list() for name in chosen_columns(column, texts, table.columns, what)]
    if image_folder is None:
        return TextColumns(values, samples, "rows of the table")
    found = TextColumns(values[:1], samples, "rows of the table").read(0, len(table)).values
    paths = [str(path) for path in found]
    return ImageFiles([image_folder / path for path in paths], samples if samples is not None else paths)
