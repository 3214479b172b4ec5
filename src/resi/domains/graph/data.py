"""Graphs in memory, read from checked files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from resi.domains.graph.propagation import Edges, sparse_rows
from resi.machine.devices import torch_threads

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor
    from torch_geometric.data import Data

# Below this share of non-zeros, sparse features make the first layer cheaper than dense ones.
SPARSE_DENSITY = 0.1
SMALL_EDGES = 100_000
PROBE_NODES = 10_000
PROBE_SEED = 2024


@dataclass(frozen=True)
class Graph:
    """A graph with node features, labels and a fixed split.

    Attributes
    ----------
    features : Tensor of shape (n_nodes, n_features)
        float32; in CSR layout where they are mostly zero.
    edges : Tensor of shape (2, n_edges)
        Directed edges, both directions of each undirected one.
    labels : Tensor of shape (n_nodes,)
    train, validation, test : Tensor
        Node ids.
    probe : Tensor
        Ids of the test nodes at which representations are taken: at most 10,000.
    classes : int
    """

    features: Tensor
    edges: Tensor
    labels: Tensor
    train: Tensor
    validation: Tensor
    test: Tensor
    probe: Tensor
    classes: int

    def to(self, device: torch.device) -> Graph:
        """Return the graph on a device."""
        names = ("features", "edges", "labels", "train", "validation", "test", "probe")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def suitable_threads(self) -> AbstractContextManager[None]:
        """Limit torch to one thread if a layer's work is too small for several.

        There, more threads gain little on an idle machine and wait for each other on a busy one.
        """
        return torch_threads(1 if self.is_small else None)

    @property
    def is_small(self) -> bool:
        """Whether a layer's work is too small for several threads."""
        return self.edges.shape[1] < SMALL_EDGES

    def training_edges(self) -> Edges:
        """Return the edges as training uses them: compiled loops for small graphs on the CPU."""
        if self.edges.device.type != "cpu" or not self.is_small:
            return Edges(self.edges, len(self.labels))
        from resi.domains.graph.compiled.propagation import CompiledPropagation

        return Edges(self.edges, len(self.labels), CompiledPropagation)


def probe_nodes(test: Tensor) -> Tensor:
    """Return the test nodes at which representations are taken: the published 10,000 of them where there are more.

    They are in the order they were drawn in.
    """
    if len(test) <= PROBE_NODES:
        return test
    draws = np.random.RandomState(PROBE_SEED)  # the published draw; no global state
    return torch.from_numpy(draws.choice(test.numpy(), PROBE_NODES, replace=False))


def from_pyg(data: Data) -> Graph:
    """Return a graph read by PyG, with its masks as the split."""
    train, validation, test = (mask.nonzero().squeeze(1) for mask in (data.train_mask, data.val_mask, data.test_mask))
    return Graph(
        features=compress(data.x),
        edges=data.edge_index,
        labels=data.y,
        train=train,
        validation=validation,
        test=test,
        probe=probe_nodes(test),
        classes=int(data.y.max()) + 1,
    )


def compress(features: Tensor) -> Tensor:
    """Return features in CSR layout where they are mostly zero."""
    density = float((features != 0).float().mean())
    if density >= SPARSE_DENSITY:
        return features
    rows, columns = features.nonzero(as_tuple=True)
    starts = torch.zeros(len(features) + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(rows, minlength=len(features)).cumsum(0)
    return sparse_rows(starts, columns, features[rows, columns], (features.shape[0], features.shape[1]))
