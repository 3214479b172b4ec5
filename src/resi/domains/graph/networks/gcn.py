"""Graph convolutional networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.graph.hyperparameters import recipe
from resi.domains.graph.networks.pyg import LayeredNetwork
from resi.specs import ArchitectureInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch_geometric.nn.models.basic_gnn import BasicGNN


class GCNFamily(LayeredNetwork):
    """PyG's GCN, its sums over neighbours sparse matrix products.

    References
    ----------
    .. [1] Kipf & Welling, Semi-supervised Classification with Graph Convolutional Networks, ICLR 2017.
    """

    architectures = (ArchitectureInfo("gcn", "graph convolution", "GCN", "Kipf & Welling, ICLR 2017"),)
    hyperparameters = recipe()
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "flickr": recipe(hidden_channels=256),
        "ogbn_arxiv": recipe(hidden_channels=256, epochs=500),
    }

    def convolution_weights(self, width: int, out: int, hyperparameters: Mapping[str, Any], is_last: bool) -> int:
        """Return the size of a matrix and a vector."""
        del hyperparameters, is_last
        return width * out + out

    def model_class(self) -> type[BasicGNN]:
        """Return PyG's GCN with sparse products."""
        from resi.domains.graph.networks.sparse import SparseGCN

        return SparseGCN
