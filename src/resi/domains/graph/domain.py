"""The graph domain, built from its datasets and networks; training and extraction import PyG when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.base import Domain
from resi.domains.graph.datasets.base import GraphDataset
from resi.domains.graph.hyperparameters import CHOICES, LIMITS, GraphModelConfig
from resi.domains.graph.lookup import graph_dataset, graph_network
from resi.domains.graph.settings import (
    CONV_OUTPUT,
    LEVELS,
    OWN_NAMES,
    OWN_SHORTCUT_PROBE,
    POST_ACTIVATION,
    PROBE,
    PUBLISHED_NAMES,
    SETTINGS,
    SHORTCUT_PROBE,
    random_labels,
    shortcut,
)
from resi.domains.groups import STANDARD, split_setting, unpublished_level
from resi.domains.overrides import put_over
from resi.domains.releases import DESCRIBED, Holding, Release
from resi.errors import DatasetError, UsageError
from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec, ProbeSpec, Trained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import torch

    from resi.domains.published_models import PublishedModel

TRAINING_VERSION = 2
READING_VERSION = 1
FOLDER = "models/graphs"
"""Folder of the published models in the data root."""
HOLDINGS = (
    Holding(("gcn", "graphsage", "gat"), ("cora", "flickr", "ogbn_arxiv")),
    Holding(("pgnn",), ("cora",), DESCRIBED),
)
"""Contents of the archive of published models, and of the published results."""
LARGE_PROBE = 10_000
"""Number of test nodes that are compared, in graphs with more."""


class GraphDomain(Domain):
    """Node classification on one graph, full batch, transductive."""

    name = "graph"
    title = "node classification with graph neural networks"
    extra = "graph"
    default_dataset = "digits_knn"
    default_models = ("gcn", "graphsage", "gat")
    model_config = GraphModelConfig
    settings_by_test = SETTINGS
    trained_levels = LEVELS
    representations = (CONV_OUTPUT, POST_ACTIVATION)
    published_prefix = "GRAPHS"
    published_results = HOLDINGS
    published_settings = r"Normal|MultiLayer|(?:Augmentation|RandomLabels|Shortcut)_\d+"

    def requires(self) -> tuple[str, ...]:
        """Return PyG."""
        return ("torch_geometric",)

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset, with those ``overrides`` that are set."""
        network = graph_network(architecture)
        recipe = network.recipe(architecture, graph_dataset(dataset), setting)
        values = put_over(GraphModelConfig, architecture, recipe, overrides, CHOICES, LIMITS)
        network.check(architecture, values)
        return values

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the test nodes and hidden convolutions: the last one, for layer tests all.

        All models of a test see one input, but by the published protocol, in which models of the shortcut test see
        their own training features.
        """
        hidden = tuple(graph_network(architecture).layers(hyperparameters))
        layers = hidden if test == "layer_monotonicity" else hidden[-1:]
        probe = PROBE
        if test == "shortcut":
            probe = OWN_SHORTCUT_PROBE if self.protocol.is_published else SHORTCUT_PROBE
        return ProbeSpec(probe, layers, "none" if self.representation == CONV_OUTPUT else self.representation)

    def check_foreign(self, architecture: str, trained_on: str, dataset: str, test: str) -> None:
        """Refuse: a network reads the node features of its own graph."""
        del test
        raise UsageError(
            f"by=dataset: {architecture} trained on {trained_on} cannot read the nodes of {dataset}: each graph has "
            "its own features"
        )

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of probe nodes and hidden channels."""
        return graph_dataset(dataset).probe_nodes, graph_network(architecture).width(hyperparameters)

    def weight_bytes(self, model: ModelSpec) -> int | None:
        """Return the bytes of a model's weights; none of a published one, whose weights stay where they are."""
        if model.checkpoint:
            return 0
        about = graph_dataset(model.dataset)
        if about.features is None or about.classes is None:
            return None
        return graph_network(model.architecture).weight_bytes(model.hyperparameters, about.features, about.classes)

    def classes_of(self, model: ModelSpec) -> int | None:
        """Return the number of classes of the dataset."""
        return graph_dataset(model.dataset).classes

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and hash a dataset's files."""
        return graph_dataset(dataset).locate(root, downloads / self.name / dataset, may_download)

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

    def is_small(self, model: ModelSpec) -> bool:
        """Return whether the graph is small: representations of all its test nodes are compared."""
        return graph_dataset(model.dataset).probe_nodes < LARGE_PROBE

    def warm_up(self, dataset: DatasetSpec, architectures: Sequence[str]) -> None:
        """Import PyG and what compiled loops need, and read the graph, which is small."""
        del architectures
        from resi.domains.graph import extraction, training  # noqa: F401
        from resi.domains.graph.compiled.draws import draw_kept
        from resi.domains.graph.loading import load_graph
        from resi.domains.graph.networks import sparse  # noqa: F401 - which needs PyG

        draw_kept(1, 0.5, key=0)  # the first loop that is called takes a while to find
        load_graph(dataset)

    def rules(self, setting: str) -> str:
        """Return ``published`` for settings that alter labels or features, under the published protocol."""
        alters = random_labels(setting) is not None or shortcut(setting) is not None
        return "published" if alters and self.protocol.is_published else ""

    def published_paths(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the file of a published model: ``DATASET/ARCHITECTURE/SETTING/model_sSEED.pt`` in published names."""
        dataset = graph_dataset(model.dataset).published_name
        if not dataset:
            known = ", ".join(self._published_datasets().values())
            raise UsageError(
                f"models.source=published: no models on dataset={model.dataset} are published, only on {known}"
            )
        architecture = next(item for item in self.architectures() if item.name == model.architecture).published_name
        if not architecture:
            known = ", ".join(item.name for item in self.architectures() if item.published_name)
            raise UsageError(
                f"models.source=published: no models of model={model.architecture} are published, only of {known}"
            )
        if model.setting not in PUBLISHED_NAMES:
            raise unpublished_level(model.setting, PUBLISHED_NAMES)
        return (f"{FOLDER}/{dataset}/{architecture}/{PUBLISHED_NAMES[model.setting]}/model_s{model.seed}.pt",)

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file of a published model, in ``root`` itself, in ``root/graphs`` or in ``root/models/graphs``."""
        below = Path(self.published_paths(model)[0]).relative_to(FOLDER)
        folders = [root / FOLDER, root / "graphs", root]
        folder = next((found for found in folders if (found / below.parts[0]).is_dir()), folders[0])
        path = folder / below
        if not path.is_file():
            raise DatasetError(
                f"{path} is missing: with models.source=published it holds {model.label}. Fetch the published models "
                f"with resi download {self.name}, name their folder with models.root, or train models with "
                "models.source=train"
            )
        return path

    def published_levels(self, test: str, dataset: str) -> dict[str, tuple[int, ...]]:
        """Return the levels with published models on a dataset: all levels for each architecture on it."""
        if not graph_dataset(dataset).published_name:
            return {}
        found: dict[str, tuple[int, ...]] = {}
        for item in self.architectures():
            levels = tuple(split_setting(name)[1] for name in SETTINGS[test][5] if name != STANDARD)
            try:
                self.hyperparameters(item.name, dataset, SETTINGS[test][5][-1], {})
            except UsageError:
                continue
            if item.published_name:
                found[item.name] = levels
        return found

    def published_models(self) -> Iterable[PublishedModel]:
        """Return the published models with their published names and their names here."""
        from resi.domains.graph.published_models import published_models

        return published_models()

    def releases(self) -> dict[str, tuple[Release, ...]]:
        """Return the one archive of all models."""
        first = "|".join(self._published_datasets())
        archive = r"graph_data\.zip"
        return {self.name: (Release("11565486", archive, FOLDER, first, holdings=HOLDINGS),)}

    def own_names(self, trained_on: str, setting: str) -> tuple[str, str]:
        """Return the names here of a dataset and a setting with the published names ``trained_on`` and ``setting``.

        Raises
        ------
        ValueError
            If either is not known.
        """
        datasets = self._published_datasets()
        if trained_on not in datasets:
            raise ValueError(f"unknown training set {trained_on!r}")
        if setting not in OWN_NAMES:
            raise ValueError(f"unknown setting {setting!r}")
        return datasets[trained_on], OWN_NAMES[setting]

    def _published_datasets(self) -> dict[str, str]:
        """Return the names of the datasets of the published results, by their published names."""
        datasets = [dataset for dataset in self.datasets() if isinstance(dataset, GraphDataset)]
        return {dataset.published_name: dataset.name for dataset in datasets if dataset.published_name}

    def read_checkpoint(self, content: bytes, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its file's content, a dictionary of weights without any code."""
        from resi.domains.graph.checkpoints import read_checkpoint

        return read_checkpoint(content, model, dataset, device)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return TRAINING_VERSION

    def reading_version(self) -> int:
        """Return what stands in the identity of published models: nothing about them has changed."""
        return READING_VERSION
