"""A family of networks of the graph domain: one class with everything specific to it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from resi import registry
from resi.domains.base import NetworkFamily
from resi.domains.graph.settings import SIX_LAYERS
from resi.domains.overrides import changed_by_dataset
from resi.errors import unknown_name
from resi.extraction.layers import HookPoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from resi.domains.graph.data import Graph
    from resi.domains.graph.datasets.base import GraphDataset
    from resi.domains.graph.propagation import Propagation
    from resi.specs import ModelSpec


class GraphNetwork(NetworkFamily):
    """Networks of one kind that classify the nodes of a graph.

    A subclass states ``architectures`` and ``hyperparameters``, and defines :meth:`build` and :meth:`next_input`; the
    other methods are for networks that differ from most. Its module imports neither torch nor PyG, but in methods.
    """

    domain = "graph"
    hyperparameters: ClassVar[Mapping[str, Any]]
    """On graphs like Cora, and on all datasets that are not in ``hyperparameters_on``: layers, hidden_channels,
    learning_rate, weight_decay, epochs, precision, and further ones that the network needs."""
    hyperparameters_on: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The complete hyperparameters of the benchmark on datasets where they differ."""
    not_on: ClassVar[tuple[str, ...]] = ()
    """Datasets for which the benchmark has no such networks."""

    def recipe(self, architecture: str, dataset: GraphDataset, setting: str) -> dict[str, Any]:
        """Return the default hyperparameters of a model.

        Raises
        ------
        UsageError
            If there are no such models on the dataset or with the setting.
        """
        if dataset.name in self.not_on:
            known = [name for name in registry.datasets(self.domain) if name not in self.not_on]
            raise unknown_name(f"dataset for {architecture}", dataset.name, known)
        values = self.hyperparameters_on.get(dataset.name, self.hyperparameters)
        deeper = {"layers": 6} if setting == SIX_LAYERS else {}
        return {**changed_by_dataset(architecture, values, dataset.name, dataset.hyperparameters), **deeper}

    def check(self, architecture: str, hyperparameters: Mapping[str, Any]) -> None:
        """Raise ``UsageError`` if hyperparameters that a user has changed do not fit this network."""

    def layers(self, hyperparameters: Mapping[str, Any]) -> dict[str, HookPoint]:
        """Return where each hidden layer is read, shape (n_nodes, width), in the order of the network."""
        return {str(layer): HookPoint(f"convs.{layer}") for layer in range(hyperparameters["layers"] - 1)}

    def width(self, hyperparameters: Mapping[str, Any]) -> int:
        """Return the number of features of a hidden layer."""
        return int(hyperparameters["hidden_channels"])

    def weight_bytes(self, hyperparameters: Mapping[str, Any], features: int, classes: int) -> int | None:
        """Return how many bytes the weights of a model take, by which plans estimate disk; None if it is not known.

        Parameters
        ----------
        features, classes : int
            Of the nodes of the graph.
        """
        del hyperparameters, features, classes
        return None

    @abstractmethod
    def build(self, spec: ModelSpec, graph: Graph) -> nn.Module:
        """Return the untrained model of a spec for a graph on the CPU; weights are drawn from torch's own generator.

        Raises
        ------
        UsageError
            If it cannot be built from the hyperparameters.
        """

    def run(self, model: nn.Module, features: Tensor, propagation: Propagation) -> Tensor:
        """Return the logits of all nodes, shape (n_nodes, classes)."""
        logits: Tensor = model(features, propagation)
        return logits

    def logits_at(self, model: nn.Module, features: Tensor, propagation: Propagation, nodes: Tensor) -> Tensor:
        """Return the logits of the nodes of a training, shape (len(nodes), classes).

        A network may leave out what these do not need.
        """
        return self.run(model, features, propagation)[nodes]

    @abstractmethod
    def next_input(self, model: nn.Module, layer: str, representation: Tensor) -> Tensor:
        """Return the input of the next layer of a model in evaluation mode, given a representation."""

    def from_published(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the weights of a published model under the names that the models here have.

        Raises
        ------
        ArtifactError
            If two names that mean one tensor hold different ones.
        """
        return state
