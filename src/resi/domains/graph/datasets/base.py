"""A dataset of the graph domain: one object with all facts about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.datasets import Found, FoundDataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.domains.graph.data import Graph  # noqa: F401 - what the datasets read, named in a text below

__all__ = ["Found", "GraphDataset"]


@dataclass(frozen=True, kw_only=True)
class GraphDataset(FoundDataset["Graph"]):
    """A graph with labelled nodes; ``read`` returns a :class:`~resi.domains.graph.data.Graph`.

    Attributes
    ----------
    probe_nodes : int
        Number of test nodes whose representations are compared.
    features, classes : int, optional
        Numbers of node features and classes, to estimate the size of models; None if they depend on the files.
    published_name : str
        Its name in the published results; empty if there are none.
    hyperparameters : mapping from architecture to mapping
        Hyperparameters that differ on this dataset from a network's defaults, which are its
        values on graphs like Cora.
    """

    domain: ClassVar[str] = "graph"
    probe_nodes: int
    features: int | None = None
    classes: int | None = None
    published_name: str = ""
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
