"""What the graph domain offers, as plain data; training and extraction load PyG when they are called."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.base import Domain
from resi.domains.graph import files, flickr, ogbn_arxiv
from resi.domains.graph.hyperparameters import HYPERPARAMETERS, GraphModelConfig
from resi.domains.graph.settings import (
    CONV_OUTPUT,
    EDGE_DROP,
    OWN_SHORTCUT_PROBE,
    POST_ACTIVATION,
    PROBE,
    PUBLISHED_NAMES,
    RANDOM_LABELS,
    SETTINGS,
    SHORTCUT,
    SHORTCUT_PROBE,
    SIX_LAYERS,
)
from resi.domains.overrides import put_over
from resi.errors import DatasetError, UsageError, unknown_name
from resi.specs import (
    ArchitectureInfo,
    DatasetInfo,
    DatasetSpec,
    Extraction,
    ForwardPass,
    ModelSpec,
    ProbeSpec,
    Trained,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

TRAINING_VERSION = 1
PROBE_NODES = {"cora": 1000, "digits_knn": 1000, "flickr": 10_000, "ogbn_arxiv": 10_000}
PUBLISHED_DATASETS = {"cora": "cora", "flickr": "flickr", "ogbn_arxiv": "ogbn-arxiv"}
CHOICES = {
    "activation": ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "tanh"),
    "precision": ("bfloat16", "float32"),
}
# Smallest value of a hyperparameter, and what it has to stay below. The representation is a hidden layer's, so that
# there have to be two.
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
    settings_by_test = SETTINGS
    representations = (CONV_OUTPUT, POST_ACTIVATION)

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
            DatasetInfo(
                "flickr",
                "89250 images, 500 tags, edges are shared properties, 7 classes; 10000 of 22313 test nodes",
                "PyG",
            ),
            DatasetInfo(
                "ogbn_arxiv",
                "169343 papers, 128 word features, edges are citations, 40 fields; 10000 of 48603 test nodes",
                "OGB",
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
            ArchitectureInfo("pgnn", "position relative to anchors", "PGNN", "You et al., ICML 2019"),
        )

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset, with those ``overrides`` that are set."""
        table = HYPERPARAMETERS[architecture]
        if dataset not in table:
            raise unknown_name(f"dataset for {architecture}", dataset, list(table))
        if architecture == "pgnn" and setting in EDGE_DROP:
            raise UsageError(
                "model=pgnn has no test=augmentation: dropped edges would change its anchor distances, which are "
                "computed once; choose gcn, graphsage or gat"
            )
        deeper = {"layers": 6} if setting == SIX_LAYERS else {}
        values = put_over(architecture, {**table[dataset], **deeper}, overrides, CHOICES, LIMITS)
        if architecture == "pgnn" and values["activation"] != "relu":
            raise UsageError(f"model.pgnn.activation={values['activation']}: it is always relu")
        return values

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the test nodes and hidden convolutions: the last one, for layer tests all.

        All models of a test see one input, but by the published protocol, in which models of the shortcut test see
        their own training features.
        """
        hidden = [str(layer) for layer in range(hyperparameters["layers"] - 1)]
        layers = tuple(hidden if test == "layer_monotonicity" else hidden[-1:])
        probe = PROBE
        if test == "shortcut":
            probe = OWN_SHORTCUT_PROBE if self.protocol == "published" else SHORTCUT_PROBE
        return ProbeSpec(probe, layers, "none" if self.representation == CONV_OUTPUT else self.representation)

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of probe nodes and hidden channels."""
        del architecture
        return PROBE_NODES[dataset], hyperparameters["hidden_channels"]

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and hash a dataset's files."""
        if dataset == "cora":
            return files.locate_cora(root, downloads / "graph" / "cora", may_download)
        if dataset == "flickr":
            return flickr.locate(root, downloads / "graph" / "flickr", may_download)
        if dataset == "ogbn_arxiv":
            return ogbn_arxiv.locate(root, downloads / "graph" / "ogbn_arxiv", may_download)
        return files.locate_digits_knn()

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model for a fixed number of epochs, always from the first; the last epoch's weights are kept."""
        del unfinished
        from resi.domains.graph.training import train

        return train(spec, dataset, device)

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a model over the whole graph, and keep the rows of the probe nodes."""
        from resi.domains.graph.extraction import extract

        return extract(run)

    def rules(self, setting: str) -> str:
        """Return ``published`` for settings that alter labels or features, under the published protocol."""
        alters = setting in RANDOM_LABELS or setting in SHORTCUT
        return "published" if alters and self.protocol == "published" else ""

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file of a published model: ``DATASET/ARCHITECTURE/SETTING/model_sSEED.pt`` in published names.

        That folder may lie in ``root`` itself, in ``root/graphs`` or in ``root/models/graphs``.
        """
        if model.dataset not in PUBLISHED_DATASETS:
            known = ", ".join(PUBLISHED_DATASETS)
            raise UsageError(
                f"models.source=published: no models on dataset={model.dataset} are published, but on {known}"
            )
        architecture = next(item for item in self.architectures() if item.name == model.architecture)
        below = Path(PUBLISHED_DATASETS[model.dataset], architecture.published_name, PUBLISHED_NAMES[model.setting])
        folders = [root / "models" / "graphs", root / "graphs", root]
        folder = next((found for found in folders if (found / below.parts[0]).is_dir()), folders[0])
        path = folder / below / f"model_s{model.seed}.pt"
        if not path.is_file():
            raise DatasetError(
                f"{path} is missing: with models.source=published it holds {model.label}. Fetch the published models "
                "with resi download graph, name their folder with models.root, or train models with models.source=train"
            )
        return path

    def read_checkpoint(self, content: bytes, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its file's content, a dictionary of weights without any code."""
        from resi.domains.graph.checkpoints import read_checkpoint

        return read_checkpoint(content, model, dataset, device)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return TRAINING_VERSION
