"""Alterations of a graph before training: random labels, and labels as features.

By the corrected rules the draw of a node depends on the node alone. So all models of a group see the same data,
for any seed; the labels that are random at one level are so at the next; and a random label is uniform over all
classes, which makes it independent of the true one. Only nodes of a split are touched.

By the published rules the model's own seed draws; a random label is always a wrong one, which still reveals something
about the true one; labels are drawn for validation, test and remaining nodes, too; and nodes in no split carry their
true label as shortcut at every level.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from resi.domains.graph.propagation import sparse_rows
from resi.domains.graph.settings import random_labels, shortcut
from resi.domains.labels import count, partly_random

if TYPE_CHECKING:
    from torch import Tensor

    from resi.domains.graph.data import Graph
    from resi.specs import ModelSpec

PUBLISHED = "published"
PUBLISHED_TEST_SEED = 2024
NO_LABEL = -1


def training_graph(graph: Graph, spec: ModelSpec) -> Graph:
    """Return the graph that a model is trained on."""
    published = spec.rules == PUBLISHED
    if (share := random_labels(spec.setting)) is not None:
        everywhere = torch.arange(len(graph.labels))
        if published:
            return replace(graph, labels=_wrong_labels(graph.labels, everywhere, share, spec.seed))
        return replace(graph, labels=_uniform_labels(graph, graph.train, share, "random labels"))
    if shortcut(spec.setting) is not None:
        return _with_labels(graph, _published_shortcut(graph, spec) if published else _shortcut(graph, spec))
    return graph


def shortcut_probe(graph: Graph, spec: ModelSpec, own: bool) -> Graph:
    """Return the graph that a model of the shortcut test is probed with.

    Parameters
    ----------
    own : bool
        Whether training and validation nodes carry the labels they had in the model's training, as published. Else all
        models are probed with one and the same input, in which the label features are independent of the node's label.
    """
    return training_graph(graph, replace(spec, setting=spec.setting if own else "shortcut_0"))


def _shortcut(graph: Graph, spec: ModelSpec) -> Tensor:
    """Return the label feature of each node: its own label for a share of train and validation nodes, else random."""
    share = 1 - (shortcut(spec.setting) or 0.0)
    carried = torch.full_like(graph.labels, NO_LABEL)
    for nodes, random_share in ((graph.train, share), (graph.validation, share), (graph.test, 1.0)):
        carried[nodes] = _uniform_labels(graph, nodes, random_share, "shortcut labels")[nodes]
    return carried


def _published_shortcut(graph: Graph, spec: ModelSpec) -> Tensor:
    share = 1 - (shortcut(spec.setting) or 0.0)
    carried = graph.labels
    for nodes, wrong_share, seed in (
        (graph.train, share, spec.seed),
        (graph.validation, share, spec.seed),
        (graph.test, 1.0, PUBLISHED_TEST_SEED),
    ):
        carried = _wrong_labels(carried, nodes, wrong_share, seed)
    return carried


def _uniform_labels(graph: Graph, nodes: Tensor, share: float, purpose: str) -> Tensor:
    """Return the labels with those of a share of ``nodes`` replaced by labels uniform over all classes."""
    drawn = partly_random(graph.labels.numpy(), nodes.numpy(), graph.classes, share, purpose)
    return torch.from_numpy(drawn)


def _wrong_labels(labels: Tensor, nodes: Tensor, share: float, seed: int) -> Tensor:
    """Return the labels with those of a share of ``nodes`` replaced by others of the classes among them."""
    draws = random.Random(seed)  # noqa: S311 - no secret, and the generator of the published code
    given = labels[nodes].tolist()
    classes = sorted(set(given))
    others = {label: [other for other in classes if other != label] for label in classes}
    for index in draws.sample(range(len(given)), count(share, len(given))):
        given[index] = draws.choice(others[given[index]])
    result = labels.clone()
    result[nodes] = torch.tensor(given)
    return result


def _with_labels(graph: Graph, carried: Tensor) -> Graph:
    """Return the graph with the one-hot vector of a label appended to each node's features, zeros for ``NO_LABEL``."""
    rows = (carried != NO_LABEL).nonzero().squeeze(1)
    n_nodes, n_features = graph.features.shape
    if graph.features.layout == torch.strided:
        hot = torch.zeros(n_nodes, graph.classes)
        hot[rows, carried[rows]] = 1.0
        return replace(graph, features=torch.cat([graph.features, hot], dim=1))
    # The new columns come last, so that each row's new entry follows its old ones.
    starts = graph.features.crow_indices()
    old_rows = torch.arange(n_nodes).repeat_interleave(starts.diff())
    order = torch.cat([old_rows, rows]).argsort(stable=True)
    columns = torch.cat([graph.features.col_indices(), n_features + carried[rows]])[order]
    values = torch.cat([graph.features.values(), torch.ones(len(rows))])[order]
    added = torch.zeros(n_nodes + 1, dtype=torch.int64)
    added[1:] = (carried != NO_LABEL).cumsum(0)
    size = (n_nodes, n_features + graph.classes)
    return replace(graph, features=sparse_rows(starts + added, columns, values, size))
