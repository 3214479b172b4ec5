"""Tables with a class for each row, and two of them that come with scikit-learn."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.datasets import Found, FoundDataset
from resi.domains.scikit_learn import hash_scikit_learn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from resi_tabular.table import Table


@dataclass(frozen=True, kw_only=True)
class TabularDataset(FoundDataset["Table"]):
    """A table with a class for each row; ``read`` returns a :class:`~resi_tabular.table.Table`.

    Attributes
    ----------
    test_rows : int
        Number of rows on which representations are compared.
    hyperparameters : mapping from architecture to mapping
        Hyperparameters that differ on this dataset from the network's own.
    """

    domain: ClassVar[str] = "tabular"
    test_rows: int
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)


def from_scikit_learn(file: str, _root: Path | None, _downloads: Path, _may_download: bool) -> Found:
    """Find a table that comes with scikit-learn."""
    return Found(None, hash_scikit_learn(file))


def read_wine(_folder: None) -> Table:
    """Read the wines."""
    from sklearn.datasets import load_wine

    from resi_tabular.table import split_table

    features, labels = load_wine(return_X_y=True)
    return split_table(features, labels, "wine")


def read_breast_cancer(_folder: None) -> Table:
    """Read the cells."""
    from sklearn.datasets import load_breast_cancer

    from resi_tabular.table import split_table

    features, labels = load_breast_cancer(return_X_y=True)
    return split_table(features, labels, "breast_cancer")


WINE = TabularDataset(
    "wine",
    "178 wines, 13 measurements, 3 growers; 88 test rows",
    "scikit-learn",
    embedded=True,
    test_rows=88,
    find=functools.partial(from_scikit_learn, "wine_data.csv"),
    read=read_wine,
)
BREAST_CANCER = TabularDataset(
    "breast_cancer",
    "569 samples of cells, 30 measurements, benign or malignant; 284 test rows",
    "scikit-learn",
    embedded=True,
    test_rows=284,
    find=functools.partial(from_scikit_learn, "breast_cancer.csv"),
    read=read_breast_cancer,
)
DATASETS = (BREAST_CANCER, WINE)
