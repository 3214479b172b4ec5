"""What a model is trained on and looked at with: rows and labels, as its setting alters them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from resi.domains.labels import partly_random
from resi.domains.lookup import find_dataset
from resi.randomness import torch_generator
from resi_tabular.datasets import TabularDataset
from resi_tabular.settings import RANDOM_LABELS, SHORTCUT

if TYPE_CHECKING:
    from torch import Tensor

    from resi.specs import DatasetSpec
    from resi_tabular.settings import Strength
    from resi_tabular.table import Table

SHORTCUT_SIZE = 4.0
"""What the column of the class that is named holds, the others 0; features have a standard deviation of 1."""


class Rows(NamedTuple):
    """Some rows of a table.

    Attributes
    ----------
    features : Tensor of shape (n_rows, n_columns)
    labels : Tensor of shape (n_rows,)
        By which a model is trained or judged.
    named : Tensor of shape (n_rows,)
        The class that the shortcut of a row names; the label where there is no shortcut.
    ids : list of int
        Their places in the table.
    """

    features: Tensor
    labels: Tensor
    named: Tensor
    ids: list[int]

    def to(self, device: torch.device) -> Rows:
        """Return the rows on a device."""
        return Rows(self.features.to(device), self.labels.to(device), self.named.to(device), self.ids)


@functools.lru_cache(maxsize=2)
def load_table(dataset: DatasetSpec) -> Table:
    """Read a dataset that has been located; it is not to be written to."""
    return find_dataset(dataset.name, TabularDataset).load(dataset)


def training_rows(table: Table, setting: str) -> Rows:
    """Return the training rows with the labels and the shortcut of a setting, the same for models of every seed."""
    share = RANDOM_LABELS.get(setting, 0.0)
    labels = partly_random(table.labels, table.train, table.classes, share, "tabular random labels")
    return _rows(table, table.train, labels, SHORTCUT.get(setting))


def test_rows(table: Table, setting: str, scrambled: bool = False) -> Rows:
    """Return the test rows with their true labels.

    Parameters
    ----------
    scrambled : bool
        Whether a shortcut names random classes, instead of being as reliable as it was in training.
    """
    reliability = SHORTCUT.get(setting)
    return _rows(table, table.test, table.labels, 0.0 if scrambled and reliability is not None else reliability)


def _rows(table: Table, rows: np.ndarray, labels: np.ndarray, reliability: float | None) -> Rows:
    features, named = table.features[rows], labels
    if reliability is not None:
        named = partly_random(labels, rows, table.classes, 1 - reliability, "tabular shortcut")
        columns = SHORTCUT_SIZE * np.eye(table.classes, dtype=np.float32)[named[rows]]
        features = np.concatenate([features, columns], axis=1)
    return Rows(
        torch.from_numpy(features), torch.from_numpy(labels[rows]), torch.from_numpy(named[rows]), rows.tolist()
    )


def augmented(features: Tensor, strength: Strength, seed: int, epoch: int) -> Tensor:
    """Return training rows as a model sees them in one epoch: with noise, and some features hidden."""
    draws = torch_generator(features.device, seed, "tabular augmentation", epoch)
    noise = torch.randn(features.shape, generator=draws, device=features.device)
    is_kept = torch.rand(features.shape, generator=draws, device=features.device) >= strength.hidden
    return (features + strength.noise * noise) * is_kept
