"""GraphSAGE: networks that sample and aggregate, here with the mean over all neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.graph.hyperparameters import recipe
from resi.domains.graph.networks.pyg import LayeredNetwork
from resi.specs import ArchitectureInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch_geometric.nn.models.basic_gnn import BasicGNN


class GraphSAGEFamily(LayeredNetwork):
    """PyG's GraphSAGE, its means over neighbours sparse matrix products.

    References
    ----------
    .. [1] Hamilton et al., Inductive Representation Learning on Large Graphs, NeurIPS 2017.
    """

    architectures = (ArchitectureInfo("graphsage", "mean of neighbours", "GraphSAGE", "Hamilton et al., NeurIPS 2017"),)
    hyperparameters = recipe(learning_rate=0.005, weight_decay=5e-4)
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "flickr": recipe(hidden_channels=256),
        "ogbn_arxiv": recipe(hidden_channels=256, epochs=500),
    }

    def convolution_weights(self, width: int, out: int, hyperparameters: Mapping[str, Any], is_last: bool) -> int:
        """Return the size of a matrix for neighbours, one for the node, and a vector."""
        del hyperparameters, is_last
        return 2 * width * out + out

    def model_class(self) -> type[BasicGNN]:
        """Return PyG's GraphSAGE with sparse products."""
        from resi.domains.graph.networks.sparse import SparseGraphSAGE

        return SparseGraphSAGE
