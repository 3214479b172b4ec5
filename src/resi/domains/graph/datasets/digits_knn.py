"""scikit-learn's digits as a graph: an edge joins each digit with its nearest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.graph.datasets.base import Found, GraphDataset
from resi.domains.scikit_learn import hash_scikit_learn

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.graph.data import Graph

NEIGHBOURS = 10
CLASSES = 10
TRAIN_PER_CLASS = 5
VALIDATION = 100
TEST = 1000


def _find(_root: Path | None, _downloads: Path, _may_download: bool) -> Found:
    """Hash the digits that come with scikit-learn, without importing it."""
    return Found(None, hash_scikit_learn("digits.csv.gz"))


def _read(_folder: None) -> Graph:
    """Build the graph, its edges by cosine similarity."""
    import numpy as np
    import torch
    from sklearn.datasets import load_digits

    from resi.domains.graph.data import Graph
    from resi.randomness import generator

    pixels, labels = load_digits(return_X_y=True)
    unit = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    # Rounded, and sorted stably, so that the graph does not depend on the order in which a BLAS library adds.
    nearest = np.argsort(-similarity.round(9), axis=1, kind="stable")[:, :NEIGHBOURS]
    joined = np.zeros(similarity.shape, dtype=bool)
    np.put_along_axis(joined, nearest, values=True, axis=1)
    source, target = np.nonzero(joined | joined.T)

    order = generator(0, "digits_knn split").permutation(len(labels))
    train = np.concatenate([order[labels[order] == c][:TRAIN_PER_CLASS] for c in range(CLASSES)])
    rest = order[~np.isin(order, train)]
    test = torch.from_numpy(np.sort(rest[VALIDATION : VALIDATION + TEST]))
    return Graph(
        features=torch.from_numpy(pixels / 16).float(),
        edges=torch.from_numpy(np.stack([source, target])),
        labels=torch.from_numpy(labels),
        train=torch.from_numpy(np.sort(train)),
        validation=torch.from_numpy(np.sort(rest[:VALIDATION])),
        test=test,
        probe=test,
        classes=CLASSES,
    )


DIGITS_KNN = GraphDataset(
    "digits_knn",
    "1797 handwritten digits, 64 pixels, nearest neighbours as edges, 10 classes; 1000 test nodes",
    "scikit-learn",
    embedded=True,
    probe_nodes=TEST,
    features=64,
    classes=10,
    find=_find,
    read=_read,
)
