"""Texts with labels, read from any of the formats of a split."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.domains.language.lookup import text_dataset
from resi.domains.unchanged import check_unchanged
from resi.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

    from resi.specs import DatasetSpec

LABEL = "label"


@dataclass(frozen=True)
class Texts:
    """Rows of a split.

    Attributes
    ----------
    split : str
    columns : tuple of tuple of str
        One or two texts a row: sentences, or premises and hypotheses; column by column.
    labels : array of int, shape (n_rows,)
    classes : int
        Number of classes that labels may come from.
    hints : array of int, shape (n_rows,), or None
        The label that a shortcut hints at in each row.
    """

    split: str
    columns: tuple[tuple[str, ...], ...]
    labels: np.ndarray[Any, np.dtype[np.int64]]
    classes: int
    hints: np.ndarray[Any, np.dtype[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self.labels)


@functools.lru_cache(maxsize=4)
def load_texts(dataset: DatasetSpec, split: str) -> Texts:
    """Read a split of a dataset, every row in its order.

    Raises
    ------
    DatasetError
        If a column is missing, a label is not one of the dataset's classes, or the files changed since they were found.
    """
    source = text_dataset(dataset.name)
    if dataset.folder is None:
        raise DatasetError(f"{dataset.name} has no folder")
    path = source.split_path(dataset.folder, split)
    if path is None:
        raise DatasetError(f"{dataset.folder} has no split {split} of {dataset.name}")
    columns = _read(path, (*source.columns, LABEL), source.other_names)
    check_unchanged(dataset, source.read_spec(dataset.folder))
    texts = tuple(tuple(str(text) for text in columns[name]) for name in source.columns)
    labels = np.array([_label(value, source.classes, path) for value in columns[LABEL]], dtype=np.int64)
    if not len(labels):
        raise DatasetError(f"{path} has no rows")
    return Texts(split, texts, labels, len(source.classes))


def _label(value: Any, classes: tuple[str, ...], path: Path) -> int:
    text = str(value).strip()
    if text in classes:
        return classes.index(text)
    if text.isdecimal() and int(text) < len(classes):
        return int(text)
    raise DatasetError(f"{path} has the label {value!r}; expected 0 to {len(classes) - 1}, or {', '.join(classes)}")


def _read(path: Path, names: tuple[str, ...], other_names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return the columns of a split by name."""
    if path.is_dir():
        import datasets

        saved = datasets.load_from_disk(str(path))
        _check(names, saved.column_names, path)
        return {name: list(saved[name]) for name in names}
    frame = _read_frame(path, names, other_names)
    _check(names, frame.columns, path)
    return {name: frame[name].to_list() for name in names}


def _check(names: tuple[str, ...], there: list[str], path: Path) -> None:
    for name in names:
        if name not in there:
            raise DatasetError(f"{path} has no column {name}; it has {', '.join(there)}")


def _read_frame(path: Path, names: tuple[str, ...], other_names: Mapping[str, str]) -> pl.DataFrame:
    """Read a Parquet or TSV file; a TSV may have no line of names and then just the columns asked for, in order."""
    import polars as pl

    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, glob=False)
    else:
        with path.open(encoding="utf-8") as file:
            first = file.readline().rstrip("\n").split("\t")
        has_names = any(other_names.get(name, name) == LABEL for name in first)
        if not has_names and len(first) != len(names):
            raise DatasetError(
                f"{path} has no column label and {len(first)} columns; without names, expected {', '.join(names)}"
            )
        frame = pl.read_csv(
            path,
            glob=False,
            separator="\t",
            has_header=has_names,
            new_columns=None if has_names else list(names),
            quote_char=None,
            infer_schema=False,
        )
        if bad := [name for name in frame.columns if name in names and frame[name].null_count()]:
            raise DatasetError(f"{path} has rows without {bad[0]}")
    return frame.rename(
        {old: new for old, new in other_names.items() if old in frame.columns and new not in frame.columns}
    )
