"""Graphs of datasets that have been located."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from resi.domains.graph.lookup import graph_dataset

if TYPE_CHECKING:
    from resi.domains.graph.data import Graph
    from resi.specs import DatasetSpec


@functools.lru_cache(maxsize=2)
def load_graph(dataset: DatasetSpec) -> Graph:
    """Read a dataset that :meth:`GraphDomain.locate` has found.

    Raises
    ------
    DatasetError
        If its files are damaged, or have changed since.
    """
    return graph_dataset(dataset.name).load(dataset)
