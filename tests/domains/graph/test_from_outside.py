"""A dataset and a network of a plugin go through whole tests of the benchmark, like those that come with resi."""

from __future__ import annotations

import itertools
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

import resi
from resi import registry
from resi.cli.list import list_plugins
from resi.cli.prepare import main as prepare
from resi.config.compose import compose
from resi.config.register import own_store
from resi.domains.graph import Found, GraphDataset, GraphDomain, GraphNetwork, recipe
from resi.domains.graph.data import Graph
from resi.domains.graph.loading import load_graph
from resi.errors import UsageError
from resi.registry import names
from resi.registry.discovery import PluginInfo, load_plugins
from resi.specs import ArchitectureInfo, Archive, DatasetInfo

if TYPE_CHECKING:
    from resi.domains.graph.propagation import Propagation
    from resi.specs import ModelSpec

NODES = 60
INFO = PluginInfo("rings", "resi-rings", "1.0")


def find_ring(_root: Path | None, _downloads: Path, _may_download: bool) -> Found:
    return Found(None, "a ring of 60 nodes")


def read_ring(_folder: None) -> Graph:
    """Return a ring, each half of which is a class."""
    nodes = torch.arange(NODES)
    labels = nodes * 2 // NODES
    features = torch.stack([torch.cos(0.7 * nodes), torch.sin(0.3 * nodes), labels + torch.cos(nodes)], dim=1)
    there = torch.stack([nodes, (nodes + 1) % NODES])
    splits = nodes[::3], nodes[1::3], nodes[2::3]
    return Graph(features, torch.cat([there, there.flip(0)], dim=1), labels, *splits, probe=splits[2], classes=2)


def lacks_nodes(folder: Path) -> list[str]:
    return [] if (folder / "nodes").is_file() else ["nodes"]


def place_nodes(archive: Path, destination: Path, how: str) -> int:
    assert how == "copy"
    destination.mkdir()
    shutil.copy(archive / "nodes", destination)
    return 1


RING = GraphDataset(
    "ring",
    "60 nodes in a ring",
    "made up",
    embedded=True,
    probe_nodes=20,
    find=find_ring,
    read=read_ring,
    hyperparameters={"gcn": {"hidden_channels": 8, "epochs": 3}},
    archive=Archive(
        name="ring.zip",
        about="the ring",
        folder="Ring",
        missing=lacks_nodes,
        place=place_nodes,
        problems=lacks_nodes,
    ),
)


class Means(nn.Module):
    """Linear maps of means over neighbours."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))

    def forward(self, x: Tensor, propagation: Propagation) -> Tensor:
        for conv in self.convs:
            x = conv(propagation.mean(x.relu()))
        return x


class MeansFamily(GraphNetwork):
    """The family of :class:`Means`."""

    architectures = (ArchitectureInfo("means", "means of neighbours", "", "nobody"),)
    hyperparameters = recipe(hidden_channels=4, epochs=3)

    def build(self, spec: ModelSpec, graph: Graph) -> Means:
        width, layers = (spec.hyperparameters[name] for name in ("hidden_channels", "layers"))
        return Means([graph.features.shape[1], *[width] * (layers - 1), graph.classes])

    def next_input(self, model: nn.Module, layer: str, representation: Tensor) -> Tensor:
        del model, layer
        return representation.relu()


class Unknown(DatasetInfo):
    """A dataset of a class that the domain does not know."""

    domain = "graph"


def forget() -> None:
    """Forget what the plugins have."""
    for cache in (names._of_domains, names.usable_domains, own_store, load_graph):
        cache.cache_clear()


@pytest.fixture(autouse=True)
def _plugin() -> Iterator[None]:
    """Register the dataset and the network as a plugin does."""
    plugin: Any = SimpleNamespace(
        resi_datasets=resi.hookimpl(lambda: [RING, Unknown("unknown", "", "")]),
        resi_networks=resi.hookimpl(lambda: [MeansFamily()]),
    )
    plugins = load_plugins()
    plugins.manager.register(plugin, name=INFO.key)
    plugins.add(INFO)
    forget()
    yield
    plugins.manager.unregister(name=INFO.key)
    del plugins._records[INFO.key]
    forget()


@pytest.mark.parametrize(
    ("dataset", "architecture", "test", "representation", "shape"),
    [
        ("ring", "means", "augmentation", "post_activation", "20x4"),
        ("ring", "gcn", "shortcut", "conv_output", "20x8"),
        ("digits_knn", "means", "label_randomization", "conv_output", "1000x4"),
    ],
)
def test_a_whole_test_runs_on_them(
    dataset: str, architecture: str, test: str, representation: str, shape: str, tmp_path: Path
) -> None:
    words = [f"dataset={dataset}", f"model={architecture}", f"test={test}", f"representation={representation}"]
    result = resi.run([*words, "groups=2", "seeds=[0,1]", "measure=cka", f"root={tmp_path}"])
    assert result.count("ok") == len(result.comparisons) == 6
    assert set(result.comparisons["shape_a"]) == {shape}
    assert result.scores.height > 0


def test_networks_and_datasets_meet_with_the_hyperparameters_of_either() -> None:
    domain = GraphDomain()
    assert domain.hyperparameters("gcn", "ring", "standard", {}) == recipe(hidden_channels=8, epochs=3)
    assert domain.hyperparameters("gcn", "ring", "six_layers", {"epochs": 2}) == recipe(
        hidden_channels=8, epochs=2, layers=6
    )
    assert domain.hyperparameters("gat", "ring", "standard", {}) == domain.hyperparameters(
        "gat", "cora", "standard", {}
    )
    with pytest.raises(UsageError, match=r"model\.means\.dropout=2: expected a number from 0 to below 1"):
        domain.hyperparameters("means", "ring", "standard", {"dropout": 2})
    assert domain.hyperparameters("means", "ogbn_arxiv", "standard", {}) == recipe(hidden_channels=4, epochs=3)
    with pytest.raises(UsageError, match=r"unknown dataset for pgnn 'flickr'.* Known: cora, digits_knn, ring, unknown"):
        domain.hyperparameters("pgnn", "flickr", "standard", {})


def test_they_are_listed_and_have_no_published_models(tmp_path: Path) -> None:
    assert registry.datasets("graph").origin("ring").distribution == "resi-rings"
    assert [item.name for item in GraphDomain().architectures()] == ["gat", "gcn", "graphsage", "pgnn", "means"]
    for dataset, architecture, message in (
        ("ring", "gcn", "no models on dataset=ring are published, only on cora, flickr, ogbn_arxiv"),
        ("digits_knn", "means", "no models on dataset=digits_knn are published"),
    ):
        words = [f"dataset={dataset}", f"model={architecture}", "models.source=published", f"root={tmp_path}"]
        with pytest.raises(UsageError, match=message):
            resi.run([*words, "measure=cka"])


def test_a_dataset_of_another_class_is_refused_and_leaves_the_others_alone() -> None:
    with pytest.raises(UsageError, match="dataset=unknown of domain=graph is a Unknown: expected a GraphDataset"):
        resi.run(["dataset=unknown", "measure=cka"])
    assert GraphDomain().own_names("cora", "Normal") == ("cora", "standard")


def test_an_archive_of_any_domain_is_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, target = tmp_path / "archive", tmp_path / "Ring"
    archive.mkdir()
    (archive / "nodes").touch()
    assert prepare(["ring", str(archive), "--to", str(target), "--how", "copy"]) == 0
    assert capsys.readouterr().out == f"1 files placed in {target}\n{target}: complete\n"
    (target / "nodes").unlink()
    assert prepare(["ring", "--to", str(target)]) == 1
    with pytest.raises(SystemExit):
        prepare(["--help"])
    assert "datasets/graph/Ring, datasets/vision/Imagenet100" in " ".join(capsys.readouterr().out.split())


class Clashing(MeansFamily):
    """A family that has a name of its own, and one that is taken."""

    architectures = (ArchitectureInfo("median", "", "", ""), ArchitectureInfo("gcn", "", "", ""))


def test_a_name_that_is_taken_stays_with_the_built_in_family_and_the_other_has_that_of_its_distribution() -> None:
    load_plugins().manager.unregister(name=INFO.key)
    load_plugins().manager.register(SimpleNamespace(resi_networks=resi.hookimpl(lambda: [Clashing()])), name=INFO.key)
    try:
        (listed,) = (row for row in list_plugins(Namespace()) if row["distribution"] == INFO.distribution)
        assert listed["error"] == ""
        known = [architecture.name for architecture in GraphDomain().architectures()]
        full = f"{INFO.distribution}:gcn"
        assert [known.count(name) for name in ("gcn", "median", full)] == [1, 1, 1]
        assert list(compose([f"model=[gcn,{full}]"]).architectures) == ["gcn", full]
        families = registry.networks("graph")
        assert not isinstance(families.get("gcn"), Clashing)
        assert isinstance(families.get(full), Clashing)
        assert [item.name for item in families.get(full).architectures] == [full]
    finally:
        load_plugins().manager.unregister(name=INFO.key)
        load_plugins().manager.register(SimpleNamespace(), name=INFO.key)
