"""Graphs in memory, read from checked files."""

from __future__ import annotations

import functools
import pickle
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from resi.domains.graph import files, flickr, ogbn_arxiv
from resi.domains.graph.propagation import sparse_rows
from resi.domains.unchanged import check_unchanged
from resi.errors import DatasetError
from resi.machine.devices import torch_threads
from resi.randomness import generator

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor

    from resi.specs import DatasetSpec

DIGITS_NEIGHBOURS = 10
DIGITS_TRAIN_PER_CLASS = 5
DIGITS_VALIDATION = 100
DIGITS_TEST = 1000
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
        """Limit torch to one thread where a layer's work is too small to be worth sharing out.

        There, more threads gain little on an idle machine and wait for each other on a busy one.
        """
        return torch_threads(1 if self.edges.shape[1] < SMALL_EDGES else None)


@functools.lru_cache(maxsize=2)
def load_graph(dataset: DatasetSpec) -> Graph:
    """Read a dataset that :meth:`GraphDomain.locate` has found.

    Raises
    ------
    DatasetError
        If its files are damaged, or have changed since.
    """
    loaders = {
        "cora": (_load_cora, files.locate_cora),
        "flickr": (_load_flickr, flickr.locate),
        "ogbn_arxiv": (_load_ogbn_arxiv, ogbn_arxiv.locate),
    }
    if dataset.name not in loaders:
        return _load_digits_knn()
    load, locate = loaders[dataset.name]
    folder = _folder(dataset)
    graph = load(dataset)
    check_unchanged(dataset, locate(folder, folder, may_download=False))
    return graph


def probe_nodes(test: Tensor) -> Tensor:
    """Return the test nodes at which representations are taken: the published 10,000 of them where there are more.

    They are in the order they were drawn in.
    """
    if len(test) <= PROBE_NODES:
        return test
    draws = np.random.RandomState(PROBE_SEED)  # the published draw; no global state
    return torch.from_numpy(draws.choice(test.numpy(), PROBE_NODES, replace=False))


def _load_cora(dataset: DatasetSpec) -> Graph:
    from torch_geometric.io import read_planetoid_data
    from torch_geometric.transforms import NormalizeFeatures

    folder = _folder(dataset)
    try:
        # PyG reads pickles by their names: it gets copies, so that what is opened is what was hashed.
        with tempfile.TemporaryDirectory() as copies:
            for name in files.CORA:
                (Path(copies) / name).write_bytes(files.read_cora(folder / name))
            data = NormalizeFeatures()(read_planetoid_data(copies, "cora"))
    except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DatasetError(f"{dataset.folder} cannot be read as Cora: {error}") from error
    return Graph(
        features=_compress(data.x),
        edges=data.edge_index,
        labels=data.y,
        train=data.train_mask.nonzero().squeeze(1),
        validation=data.val_mask.nonzero().squeeze(1),
        test=data.test_mask.nonzero().squeeze(1),
        probe=probe_nodes(data.test_mask.nonzero().squeeze(1)),
        classes=int(data.y.max()) + 1,
    )


def _load_flickr(dataset: DatasetSpec) -> Graph:
    data = flickr.read(_folder(dataset))
    test = data.test_mask.nonzero().squeeze(1)
    return Graph(
        features=_compress(data.x),
        edges=data.edge_index,
        labels=data.y,
        train=data.train_mask.nonzero().squeeze(1),
        validation=data.val_mask.nonzero().squeeze(1),
        test=test,
        probe=probe_nodes(test).sort().values,
        classes=int(data.y.max()) + 1,
    )


def _load_ogbn_arxiv(dataset: DatasetSpec) -> Graph:
    from torch_geometric.utils import to_undirected

    tables = ogbn_arxiv.read(_folder(dataset))
    test = torch.from_numpy(tables.test)
    return Graph(
        features=_compress(torch.from_numpy(tables.features)),
        edges=to_undirected(torch.from_numpy(tables.edges), num_nodes=len(tables.labels)),
        labels=torch.from_numpy(tables.labels),
        train=torch.from_numpy(tables.train),
        validation=torch.from_numpy(tables.validation),
        test=test,
        probe=probe_nodes(test),
        classes=ogbn_arxiv.CLASSES,
    )


def _folder(dataset: DatasetSpec) -> Path:
    if dataset.folder is None:
        raise DatasetError(f"dataset={dataset.name} was not located: its folder is not known")
    return dataset.folder


def _load_digits_knn() -> Graph:
    """Build a graph of scikit-learn's digits: an edge joins each digit with its nearest ones by cosine similarity."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    unit = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    # Rounded, and sorted stably, so that the graph does not depend on the order in which a BLAS library adds.
    nearest = np.argsort(-similarity.round(9), axis=1, kind="stable")[:, :DIGITS_NEIGHBOURS]
    joined = np.zeros(similarity.shape, dtype=bool)
    np.put_along_axis(joined, nearest, values=True, axis=1)
    source, target = np.nonzero(joined | joined.T)

    order = generator(0, "digits_knn split").permutation(len(labels))
    train = np.concatenate([order[labels[order] == c][:DIGITS_TRAIN_PER_CLASS] for c in range(10)])
    rest = order[~np.isin(order, train)]
    validation, test = rest[:DIGITS_VALIDATION], rest[DIGITS_VALIDATION : DIGITS_VALIDATION + DIGITS_TEST]
    return Graph(
        features=torch.from_numpy(pixels / 16).float(),
        edges=torch.from_numpy(np.stack([source, target])),
        labels=torch.from_numpy(labels),
        train=torch.from_numpy(np.sort(train)),
        validation=torch.from_numpy(np.sort(validation)),
        test=torch.from_numpy(np.sort(test)),
        probe=probe_nodes(torch.from_numpy(np.sort(test))),
        classes=10,
    )


def _compress(features: Tensor) -> Tensor:
    density = float((features != 0).float().mean())
    if density >= SPARSE_DENSITY:
        return features
    rows, columns = features.nonzero(as_tuple=True)
    starts = torch.zeros(len(features) + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(rows, minlength=len(features)).cumsum(0)
    return sparse_rows(starts, columns, features[rows, columns], (features.shape[0], features.shape[1]))
