"""Hyperparameters of the networks, as the command line changes them: ``model.mlp.epochs=5``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.domains.overrides import changed_by_dataset, put_over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi_tabular.datasets import TabularDataset


@dataclass
class TabularModelConfig:
    """Config of one architecture; a key left null has the network's own value.

    Parameters
    ----------
    layers : int, optional
        Number of hidden layers, or of residual blocks.
    width : int, optional
        Features of each.
    dropout : float, optional
        Share of the features of a hidden layer that are dropped in training.
    learning_rate, weight_decay : float, optional
        Of AdamW.
    epochs : int, optional
        Passes over the training rows.
    batch_size : int, optional
        Rows of one step.
    """

    layers: int | None = None
    width: int | None = None
    dropout: float | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    epochs: int | None = None
    batch_size: int | None = None


# Smallest value of a hyperparameter, and what it has to stay below. Layers are compared with each other, so that there
# have to be two.
LIMITS = {
    "layers": (2, math.inf),
    "width": (1, math.inf),
    "dropout": (0, 1),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
}


def hyperparameters(
    architecture: str, values: Mapping[str, Any], dataset: TabularDataset, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a network's own hyperparameters, changed by the dataset and then by the user."""
    known = changed_by_dataset(architecture, values, dataset.name, dataset.hyperparameters)
    return put_over(TabularModelConfig, architecture, known, overrides, choices={}, limits=LIMITS)
