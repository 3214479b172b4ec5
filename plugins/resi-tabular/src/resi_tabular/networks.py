"""Families of networks: what they are called, how they are trained, how they are built, and where a layer is read."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.base import NetworkFamily
from resi.domains.lookup import find_family
from resi.errors import UsageError
from resi.extraction.layers import HookPoint
from resi.specs import ArchitectureInfo
from resi_tabular.settings import NEXT_INPUT, PRE_ACTIVATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def recipe(**changes: Any) -> dict[str, Any]:
    """Return the hyperparameters that most networks share, with changes."""
    common = {
        "layers": 4,
        "width": 32,
        "dropout": 0.0,
        "learning_rate": 0.003,
        "weight_decay": 0.01,
        "epochs": 30,
        "batch_size": 32,
    }
    return {**common, **changes}


class TabularNetwork(NetworkFamily):
    """Networks of one kind that classify the rows of a table.

    A subclass states ``architectures`` and ``hyperparameters``, and defines :meth:`build` and :meth:`layers`. Its
    module imports torch in methods alone.
    """

    domain = "tabular"
    hyperparameters: ClassVar[Mapping[str, Mapping[str, Any]]]
    """By architecture: layers, width, dropout, learning_rate, weight_decay, epochs, batch_size."""

    @abstractmethod
    def build(self, hyperparameters: Mapping[str, Any], columns: int, classes: int) -> nn.Module:
        """Return an untrained network on the CPU, from (n_rows, columns) to (n_rows, classes).

        Its weights are drawn from torch's own generator.
        """

    @abstractmethod
    def layers(self, hyperparameters: Mapping[str, Any], representation: str) -> dict[str, HookPoint]:
        """Return where each hidden layer is read, shape (n_rows, width), in the order of the network.

        Raises
        ------
        UsageError
            If the network has no such representation.
        """


def find_network(architecture: str) -> TabularNetwork:
    """Return the family of an architecture, or raise ``UsageError`` naming what exists."""
    return find_family(architecture, TabularNetwork)  # type: ignore[type-abstract]


class PlainNetworks(TabularNetwork):
    """Multilayer perceptrons: linear maps and rectifiers."""

    architectures = (
        ArchitectureInfo("mlp", "perceptron of four hidden layers of 32", "", ""),
        ArchitectureInfo("wide_mlp", "perceptron of four hidden layers of 64", "", ""),
    )
    hyperparameters: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "mlp": recipe(),
        "wide_mlp": recipe(width=64),
    }

    def build(self, hyperparameters: Mapping[str, Any], columns: int, classes: int) -> nn.Module:
        """Return the perceptron."""
        from resi_tabular.modules import Perceptron

        return Perceptron(columns, classes, **_shape(hyperparameters))

    def layers(self, hyperparameters: Mapping[str, Any], representation: str) -> dict[str, HookPoint]:
        """Return the rectifiers, or the linear maps before them."""
        part = {NEXT_INPUT: "activation", PRE_ACTIVATION: "linear"}[representation]
        return {str(layer): HookPoint(f"hidden.{layer}.{part}") for layer in range(hyperparameters["layers"])}


class ResidualNetworks(TabularNetwork):
    """Perceptrons whose blocks add to their input.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Khrulkov & Babenko, Revisiting Deep Learning Models for Tabular Data, NeurIPS 2021.
    """

    architectures = (
        ArchitectureInfo(
            "residual_mlp", "perceptron of four residual blocks of 32", "", "Gorishniy et al., NeurIPS 2021"
        ),
    )
    hyperparameters: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "residual_mlp": recipe(dropout=0.1, learning_rate=0.001)
    }

    def build(self, hyperparameters: Mapping[str, Any], columns: int, classes: int) -> nn.Module:
        """Return the network."""
        from resi_tabular.modules import ResidualPerceptron

        return ResidualPerceptron(columns, classes, **_shape(hyperparameters))

    def layers(self, hyperparameters: Mapping[str, Any], representation: str) -> dict[str, HookPoint]:
        """Return the blocks: each passes on its input with what it adds."""
        if representation != NEXT_INPUT:
            name = self.architectures[0].name
            raise UsageError(
                f"representation={representation}: {name} has none, as its blocks end in a sum; choose {NEXT_INPUT}"
            )
        return {str(layer): HookPoint(f"blocks.{layer}") for layer in range(hyperparameters["layers"])}


def _shape(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: hyperparameters[name] for name in ("layers", "width", "dropout")}


NETWORKS: tuple[TabularNetwork, ...] = (PlainNetworks(), ResidualNetworks())
