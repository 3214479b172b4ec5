"""Hyperparameters of graph models: the benchmark's by dataset, and the config keys that change them.

``digits_knn`` is not in the published benchmark; it takes the values for Cora, a graph of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class GraphModelConfig:
    """Config of one architecture; every key left null has the benchmark's value for the dataset.

    Parameters
    ----------
    layers : int, optional
        Number of graph convolutions, the output one included; P-GNN's output is not one.
    hidden_channels : int, optional
        Width of hidden layers; for ``gat`` of all heads together.
    heads : int, optional
        Attention heads of ``gat``.
    dropout : float, optional
        Of features, and of attention in ``gat``.
    learning_rate, weight_decay : float, optional
        Of Adam.
    epochs : int, optional
        Full-batch training steps.
    precision : {"float32", "bfloat16"}, optional
        Of the linear maps in training; sums over neighbours, weights and representations are float32 always.
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


def _values(**changes: Any) -> dict[str, Any]:
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


_GCN = _values()
_GRAPHSAGE = _values(learning_rate=0.005, weight_decay=5e-4)
# P-GNN has no norm layers.
_PGNN = _values(layers=2, hidden_channels=32)
_GAT = _values(layers=2, heads=8, dropout=0.6, activation="elu", learning_rate=0.005, weight_decay=5e-4)

# The large datasets share most values among architectures.
_FLICKR = _values(hidden_channels=256)
_ARXIV = _values(hidden_channels=256, epochs=500)
_LARGE_GAT = _values(hidden_channels=256, heads=8, epochs=500)

HYPERPARAMETERS: dict[str, dict[str, dict[str, Any]]] = {
    "gcn": {"cora": _GCN, "digits_knn": _GCN, "flickr": _FLICKR, "ogbn_arxiv": _ARXIV},
    "graphsage": {"cora": _GRAPHSAGE, "digits_knn": _GRAPHSAGE, "flickr": _FLICKR, "ogbn_arxiv": _ARXIV},
    "gat": {"cora": _GAT, "digits_knn": _GAT, "flickr": _LARGE_GAT, "ogbn_arxiv": _LARGE_GAT},
    "pgnn": {"cora": _PGNN, "digits_knn": _PGNN},
}
