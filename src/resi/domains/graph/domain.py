"""What the graph domain offers, as plain data; training and extraction load PyG when they are called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from resi.domains.base import (
    ArchitectureInfo,
    DatasetInfo,
    DatasetSpec,
    Domain,
    Extraction,
    ModelSpec,
    ProbeSpec,
    Trained,
)
from resi.domains.graph import files
from resi.domains.graph.hyperparameters import HYPERPARAMETERS, GraphModelConfig
from resi.domains.graph.settings import SETTINGS, SIX_LAYERS
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from torch import Tensor

TRAINING_VERSION = 1
# Smallest value of a hyperparameter, and what it has to stay below. The representation is a hidden layer's.
ACTIVATIONS = ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "tanh")
LIMITS = {
    "layers": (2, math.inf),
    "hidden_channels": (1, math.inf),
    "heads": (1, math.inf),
    "epochs": (1, math.inf),
    "dropout": (0, 1),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
}


class GraphDomain(Domain):
    """Node classification on one graph, full batch, transductive."""

    name = "graph"
    title = "node classification with graph neural networks"
    extra = "graph"
    default_dataset = "digits_knn"
    default_models = ("gcn", "graphsage", "gat")
    model_config = GraphModelConfig

    def requires(self) -> tuple[str, ...]:
        """Return PyG."""
        return ("torch_geometric",)

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """Return the datasets."""
        return (
            DatasetInfo("cora", "2708 papers, 1433 words, edges are citations, 7 fields; 1000 test nodes", "PyG"),
            DatasetInfo(
                "digits_knn",
                "1797 handwritten digits, 64 pixels, nearest neighbours as edges, 10 classes; 1000 test nodes",
                "scikit-learn",
                embedded=True,
            ),
        )

    def architectures(self) -> tuple[ArchitectureInfo, ...]:
        """Return the architectures."""
        return (
            ArchitectureInfo("gat", "attention", "GAT", "Velickovic et al., ICLR 2018"),
            ArchitectureInfo("gcn", "graph convolution", "GCN", "Kipf & Welling, ICLR 2017"),
            ArchitectureInfo(
                "graphsage",
                "mean of neighbours",
                "GraphSAGE",
                "Hamilton et al., NeurIPS 2017",
            ),
        )

    def settings(self, test: str, groups: int) -> tuple[str, ...]:
        """Return the settings that form the groups of a test."""
        if test not in SETTINGS:
            raise UsageError(f"domain=graph has no test={test}; it has {', '.join(sorted(SETTINGS))}")
        if groups not in SETTINGS[test]:
            raise UsageError(f"groups={groups}: test={test} on graphs has 2, 3 or 5 groups")
        return SETTINGS[test][groups]

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset, with those ``overrides`` that are set."""
        table = HYPERPARAMETERS[architecture]
        if dataset not in table:
            raise unknown_name(f"dataset for {architecture}", dataset, list(table))
        given = {name: value for name, value in overrides.items() if value is not None}
        deeper = {"layers": 6} if setting == SIX_LAYERS else {}
        values = {**table[dataset], **deeper, **given}
        if foreign := set(given) - set(table[dataset]):
            has = ", ".join(table[dataset])
            raise UsageError(f"model.{architecture}.{min(foreign)}: {architecture} has none; it has {has}")
        if values["activation"] not in ACTIVATIONS:
            raise unknown_name(f"activation of {architecture}", values["activation"], ACTIVATIONS)
        for name, (smallest, below) in LIMITS.items():
            if name in values and not smallest <= values[name] < below:
                limit = f"from {smallest}" if below == math.inf else f"from {smallest} to below {below}"
                raise UsageError(f"model.{architecture}.{name}={values[name]}: expected a number {limit}")
        return values

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the test nodes and the raw output of hidden convolutions: the last one, for layer tests all."""
        hidden = [str(layer) for layer in range(hyperparameters["layers"] - 1)]
        return ProbeSpec(probe="test", layers=tuple(hidden if test == "layer_monotonicity" else hidden[-1:]))

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and hash a dataset's files."""
        if dataset == "cora":
            return files.locate_cora(root, downloads / "graph" / "cora", may_download)
        return files.locate_digits_knn()

    def train(self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Train a model for a fixed number of epochs; the last epoch's weights are kept."""
        from resi.domains.graph.training import train

        return train(spec, dataset, device)

    def extract(
        self,
        spec: ModelSpec,
        state: Mapping[str, Tensor],
        dataset: DatasetSpec,
        probe: ProbeSpec,
        device: torch.device,
    ) -> Extraction:
        """Run a model over the whole graph, and keep the rows of the probe nodes."""
        from resi.domains.graph.extraction import extract

        return extract(spec, state, dataset, probe, device)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return TRAINING_VERSION
