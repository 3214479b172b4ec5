"""Tables in memory: standardised features, labels and a fixed split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.randomness import generator

if TYPE_CHECKING:
    Floats = np.ndarray[Any, np.dtype[np.float32]]
    Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Table:
    """Rows of features, each with a class.

    Attributes
    ----------
    features : array of shape (n_rows, n_features)
        float32.
    labels : array of shape (n_rows,)
        From 0 to ``classes - 1``.
    train, test : array
        The rows to train on and those to look at, in their order in the table.
    classes : int
    """

    features: Floats
    labels: Integers
    train: Integers
    test: Integers
    classes: int


def split_table(features: Any, labels: Any, name: str) -> Table:
    """Return a table of which half is for training, its features standardised by that half.

    The split is the same for every model, and each class is split in halves; of an odd number of rows, one more is
    trained on.

    Parameters
    ----------
    features : array of shape (n_rows, n_features)
    labels : array of shape (n_rows,)
        From 0 up.
    name : str
        Of the dataset, by which the split is drawn.
    """
    labels = np.asarray(labels, dtype=np.int64)
    draws = generator(0, "tabular split", name)
    train = []
    for label in np.unique(labels):
        rows = draws.permutation(np.flatnonzero(labels == label))
        train.append(rows[: (len(rows) + 1) // 2])
    trained = np.sort(np.concatenate(train))
    mean, deviation = features[trained].mean(0), features[trained].std(0)
    standardised = (features - mean) / np.where(deviation > 0, deviation, 1.0)
    return Table(
        features=standardised.astype(np.float32),
        labels=labels,
        train=trained,
        test=np.setdiff1d(np.arange(len(labels)), trained),
        classes=int(labels.max()) + 1,
    )
