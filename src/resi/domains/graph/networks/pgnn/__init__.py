"""Position-aware graph neural networks (P-GNN), which PyG lacks."""

from __future__ import annotations

from resi.domains.graph.networks.pgnn.family import PGNNFamily

__all__ = ["PGNNFamily"]
