"""The published models of graphs by their names: of every architecture and dataset, with every setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi import registry
from resi.domains.graph.lookup import graph_dataset, graph_network
from resi.domains.graph.settings import PUBLISHED_NAMES
from resi.domains.groups import STANDARD
from resi.domains.published_models import SEEDS, STANDARD_SEEDS, OwnModel, PublishedModel
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.domains.graph.datasets.base import GraphDataset

DOMAIN = "graph"
PREFIX = "GRAPHS"


def published_models() -> Iterator[PublishedModel]:
    """Yield all published models."""
    datasets = [graph_dataset(name) for name in registry.datasets(DOMAIN).in_names()]
    for dataset in filter(lambda known: known.published_name, datasets):
        for name in registry.networks(DOMAIN).in_names():
            architecture = next(item for item in graph_network(name).architectures if item.name == name)
            if architecture.published_name:
                yield from _models(dataset, name, architecture.published_name)


def _models(dataset: GraphDataset, architecture: str, published: str) -> Iterator[PublishedModel]:
    network = graph_network(architecture)
    for setting, identifier in PUBLISHED_NAMES.items():
        try:
            network.recipe(architecture, dataset, setting)
        except UsageError:  # there are no such models
            continue
        for seed in STANDARD_SEEDS if setting == STANDARD else SEEDS:
            own = OwnModel(DOMAIN, dataset.name, architecture, setting, seed)
            yield PublishedModel(PREFIX, published, dataset.published_name, identifier, seed, None, own)
