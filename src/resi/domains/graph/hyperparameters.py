"""Hyperparameters of graph models: common defaults, the config keys that change them, and their limits.

The benchmark's values belong to the families of networks, by dataset.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass
class GraphModelConfig:
    """Config of one architecture; a null key means the benchmark's value for the dataset.

    Parameters
    ----------
    layers : int, optional
        Number of graph convolutions, including the output layer, except for P-GNN, whose output layer is linear.
    hidden_channels : int, optional
        Width of hidden layers; for ``gat``, of all heads together.
    heads : int, optional
        Attention heads of ``gat``.
    dropout : float, optional
        Dropout of features, and of attention in ``gat``.
    activation : str, optional
        ``elu``, ``gelu``, ``leaky_relu``, ``relu``, ``sigmoid``, ``silu`` or ``tanh``.
    learning_rate, weight_decay : float, optional
        Learning rate and weight decay of Adam.
    epochs : int, optional
        Full-batch training steps.
    precision : {"float32", "bfloat16"}, optional
        Precision of linear layers in training; sums over neighbours, weights and representations are always float32.
    """

    layers: int | None = None
    hidden_channels: int | None = None
    heads: int | None = None
    dropout: float | None = None
    activation: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    epochs: int | None = None
    precision: str | None = None


CHOICES = {
    "activation": ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "tanh"),
    "precision": ("bfloat16", "float32"),
}
# Smallest value of a hyperparameter, and what it has to stay below. The representation is a hidden layer's, so that
# there have to be two.
LIMITS = {
    "layers": (2, math.inf),
    "hidden_channels": (1, math.inf),
    "heads": (1, math.inf),
    "epochs": (1, math.inf),
    "dropout": (0, 1),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
}


def recipe(**changes: Any) -> dict[str, Any]:
    """Return the hyperparameters that most networks of the benchmark share, with changes and additions."""
    common = {
        "layers": 3,
        "hidden_channels": 64,
        "dropout": 0.5,
        "activation": "relu",
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "epochs": 200,
        "precision": "float32",
    }
    return {**common, **changes}
