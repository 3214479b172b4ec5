"""What resi asks of the domain, as plain data; what trains and runs networks imports torch when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.domains.base import Domain
from resi.domains.lookup import find_dataset
from resi.specs import ProbeSpec
from resi_tabular.datasets import TabularDataset
from resi_tabular.hyperparameters import TabularModelConfig, hyperparameters
from resi_tabular.networks import find_network
from resi_tabular.settings import NEXT_INPUT, PRE_ACTIVATION, SETTINGS, TEST_ROWS, TEST_ROWS_SCRAMBLED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import torch

    from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec, Trained

TRAINING_VERSION = 1
"""Raised when the code would train other weights, so that stored models are not taken for them."""


class TabularDomain(Domain):
    """Classification of the rows of a table."""

    name = "tabular"
    title = "classification of table rows with small perceptrons"
    default_dataset = "wine"
    default_models = ("mlp", "wide_mlp", "residual_mlp")
    model_config = TabularModelConfig
    settings_by_test = SETTINGS
    representations = (NEXT_INPUT, PRE_ACTIVATION)

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the network's own hyperparameters, with those that the dataset and the user change."""
        values = find_network(architecture).hyperparameters[architecture]
        return hyperparameters(architecture, values, find_dataset(dataset, TabularDataset), overrides)

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the test rows and the last hidden layer; for layer tests all of them."""
        layers = tuple(find_network(architecture).layers(hyperparameters, self.representation))
        return ProbeSpec(
            TEST_ROWS_SCRAMBLED if test == "shortcut" else TEST_ROWS,
            layers if test == "layer_monotonicity" else layers[-1:],
            "none" if self.representation == NEXT_INPUT else self.representation,
        )

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of test rows and of features of a hidden layer."""
        return find_dataset(dataset, TabularDataset).test_rows, int(hyperparameters["width"])

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and hash a dataset."""
        return find_dataset(dataset, TabularDataset).locate(root, downloads / self.name / dataset, may_download)

    def is_small(self, model: ModelSpec) -> bool:
        """Return True: training takes a second, so that several models are trained side by side."""
        del model
        return True

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model; it takes a second, so that one that is stopped begins again."""
        del unfinished
        from resi_tabular.training import train

        return train(spec, dataset, device)

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a model over the test rows."""
        from resi_tabular.extraction import extract

        return extract(run)

    def training_version(self) -> int:
        """Return the version of the training code."""
        return TRAINING_VERSION
