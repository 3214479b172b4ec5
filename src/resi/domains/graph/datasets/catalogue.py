"""The built-in datasets of the graph domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.graph.datasets.cora import CORA
from resi.domains.graph.datasets.digits_knn import DIGITS_KNN
from resi.domains.graph.datasets.flickr import FLICKR
from resi.domains.graph.datasets.ogbn_arxiv import OGBN_ARXIV

if TYPE_CHECKING:
    from resi.domains.graph.datasets.base import GraphDataset

DATASETS: tuple[GraphDataset, ...] = (CORA, DIGITS_KNN, FLICKR, OGBN_ARXIV)
