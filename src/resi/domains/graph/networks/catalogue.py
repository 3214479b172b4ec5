"""The built-in families of networks of the graph domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.graph.networks.gat import GATFamily
from resi.domains.graph.networks.gcn import GCNFamily
from resi.domains.graph.networks.graphsage import GraphSAGEFamily
from resi.domains.graph.networks.pgnn import PGNNFamily

if TYPE_CHECKING:
    from resi.domains.graph.networks.base import GraphNetwork

NETWORKS: tuple[GraphNetwork, ...] = (GATFamily(), GCNFamily(), GraphSAGEFamily(), PGNNFamily())
