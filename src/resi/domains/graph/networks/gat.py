"""Graph attention networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.graph.hyperparameters import recipe
from resi.domains.graph.networks.pyg import LayeredNetwork
from resi.specs import ArchitectureInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from torch_geometric.nn.models.basic_gnn import BasicGNN


LARGE = recipe(hidden_channels=256, heads=8, epochs=500)


class GATFamily(LayeredNetwork):
    """PyG's GAT.

    References
    ----------
    .. [1] Velickovic et al., Graph Attention Networks, ICLR 2018.
    """

    architectures = (ArchitectureInfo("gat", "attention", "GAT", "Velickovic et al., ICLR 2018"),)
    hyperparameters = recipe(layers=2, heads=8, dropout=0.6, activation="elu", learning_rate=0.005, weight_decay=5e-4)
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {"flickr": LARGE, "ogbn_arxiv": LARGE}

    def convolution_weights(self, width: int, out: int, hyperparameters: Mapping[str, Any], is_last: bool) -> int:
        """Return the size of a matrix, of two vectors of attention, and of a vector; the last layer averages heads."""
        heads_out = out * int(hyperparameters["heads"]) if is_last else out
        return (width + 2) * heads_out + out

    def model_class(self) -> type[BasicGNN]:
        """Return PyG's GAT."""
        from resi.domains.graph.networks.sparse import CompiledGAT

        return CompiledGAT

    def arguments(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the model, the number of heads among them."""
        return {**super().arguments(hyperparameters), "heads": hyperparameters["heads"]}

    def from_published(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return weights of PyG of any version: before 2.5 ``lin`` was ``lin_src``, and once more ``lin_dst``."""
        from resi.domains.graph.weights import renamed

        return renamed(state, lambda name: name.replace(".lin_src.", ".lin.").replace(".lin_dst.", ".lin."))
