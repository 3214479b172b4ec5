"""What settings do to labels and features: shares, nesting, one altered dataset for all models, the published rule."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resi.domains.graph import GraphDomain
from resi.domains.graph.alterations import shortcut_probe, training_graph
from resi.domains.graph.data import Graph
from resi.domains.graph.settings import PUBLISHED_NAMES, SETTINGS
from resi.domains.graph.training import train
from resi.errors import UsageError
from resi.specs import ModelSpec

DOMAIN = GraphDomain()
CLASSES = 5


def spec_of(setting: str, seed: int = 0, rules: str = "", architecture: str = "gcn", **changes) -> ModelSpec:
    values = DOMAIN.hyperparameters(architecture, "digits_knn", setting, changes)
    return ModelSpec("graph", "digits_knn", "content", architecture, setting, seed, values, 1, rules)


@pytest.fixture(params=["dense", "sparse"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """Return 4000 nodes of which 1000 are in no split; ids of a split are in no order."""
    draws = torch.Generator().manual_seed(0)
    order = torch.randperm(4000, generator=draws)
    features = torch.rand(4000, 6, generator=draws).round()
    return Graph(
        features=features if request.param == "dense" else features.to_sparse_csr(),
        edges=torch.randint(0, 4000, (2, 9000), generator=draws),
        labels=torch.randint(0, CLASSES, (4000,), generator=draws),
        train=order[:1200],
        validation=order[1200:2000],
        test=order[2000:3000],
        probe=order[2000:3000],
        classes=CLASSES,
    )


def carried_labels(altered: Graph, before: Graph) -> torch.Tensor:
    """Return the label that each node carries as a feature, -1 for none; the original features are as they were."""
    features = altered.features.to_dense()
    assert torch.equal(features[:, :6], before.features.to_dense())
    hot = features[:, 6:]
    assert hot.shape == (4000, CLASSES)
    assert set(hot.unique().tolist()) <= {0.0, 1.0}
    assert hot.sum(1).max() <= 1
    return torch.where(hot.any(1), hot.argmax(1), -1)


@pytest.mark.parametrize("level", [25, 50, 75, 100])
def test_random_labels_are_uniform_and_on_the_stated_share_of_training_nodes_only(graph: Graph, level: int) -> None:
    altered = training_graph(graph, spec_of(f"label_randomization_{level}"))
    changed = altered.labels != graph.labels
    assert not changed[graph.validation].any()
    assert not changed[graph.test].any()
    # Of n random labels each differs from the true one with probability 4/5; within 5 standard deviations.
    drawn = 1200 * level / 100
    expected, deviation = drawn * 4 / 5, (drawn * 4 / 25) ** 0.5
    assert abs(int(changed.sum()) - expected) < 5 * deviation
    assert torch.equal(altered.edges, graph.edges)
    assert altered.features is graph.features


def test_labels_that_are_random_at_one_level_are_so_at_the_next(graph: Graph) -> None:
    lower = training_graph(graph, spec_of("label_randomization_25")).labels
    upper = training_graph(graph, spec_of("label_randomization_75")).labels
    changed = lower != graph.labels
    assert torch.equal(lower[changed], upper[changed])
    assert int((upper != graph.labels).sum()) > int(changed.sum())


def test_all_models_of_a_group_see_the_same_altered_data(graph: Graph) -> None:
    for setting in ("label_randomization_50", "shortcut_50"):
        first, other = (training_graph(graph, spec_of(setting, seed)) for seed in (0, 1))
        assert torch.equal(first.labels, other.labels)
        assert torch.equal(first.features.to_dense(), other.features.to_dense())


@pytest.mark.parametrize("level", [0, 25, 50, 75, 100])
def test_a_shortcut_is_the_true_label_for_the_stated_share_and_tells_nothing_elsewhere(
    graph: Graph, level: int
) -> None:
    carried = carried_labels(training_graph(graph, spec_of(f"shortcut_{level}")), graph)
    true = carried == graph.labels
    in_no_split = torch.ones(4000, dtype=torch.bool)
    for nodes in (graph.train, graph.validation, graph.test):
        in_no_split[nodes] = False
        assert (carried[nodes] >= 0).all()
    assert (carried[in_no_split] == -1).all()
    for nodes, share in ((graph.train, level / 100), (graph.validation, level / 100), (graph.test, 0.0)):
        random_ones = len(nodes) * (1 - share)
        expected = len(nodes) * share + random_ones / CLASSES
        assert abs(int(true[nodes].sum()) - expected) <= 5 * (random_ones * 4 / 25) ** 0.5


def test_models_of_the_shortcut_test_are_probed_with_one_input_without_a_shortcut(graph: Graph) -> None:
    probes = [
        shortcut_probe(graph, spec_of(setting, seed), own=False).features.to_dense()
        for setting in SETTINGS["shortcut"][5]
        for seed in (0, 1)
    ]
    assert all(torch.equal(probe, probes[0]) for probe in probes)
    carried = carried_labels(shortcut_probe(graph, spec_of("shortcut_100"), own=False), graph)
    for nodes in (graph.train, graph.validation, graph.test):
        share = float((carried[nodes] == graph.labels[nodes]).double().mean())
        assert abs(share - 1 / CLASSES) < 5 * (4 / 25 / len(nodes)) ** 0.5
    # What test nodes carry in training is what they carry in the probe.
    trained = carried_labels(training_graph(graph, spec_of("shortcut_100")), graph)
    assert torch.equal(carried[graph.test], trained[graph.test])


def test_the_published_protocol_names_its_rules_where_they_differ_alone() -> None:
    published = GraphDomain("published")
    for setting in {setting for groups in SETTINGS.values() for setting in groups[5]}:
        differs = setting.startswith(("label_randomization", "shortcut"))
        assert published.rules(setting) == ("published" if differs else "")
        assert DOMAIN.rules(setting) == ""
    values = DOMAIN.hyperparameters("gcn", "cora", "shortcut_0", {})
    assert (
        published.probe("gcn", "cora", values, "shortcut").probe
        != DOMAIN.probe("gcn", "cora", values, "shortcut").probe
    )
    assert published.probe("gcn", "cora", values, "augmentation") == DOMAIN.probe("gcn", "cora", values, "augmentation")


@pytest.mark.parametrize("level", [25, 50, 100])
def test_published_random_labels_are_wrong_ones_drawn_by_the_model_seed_from_all_nodes(
    graph: Graph, level: int
) -> None:
    first, other = (
        training_graph(graph, spec_of(f"label_randomization_{level}", seed, "published")).labels for seed in (0, 1)
    )
    assert int((first != graph.labels).sum()) == 40 * level
    assert not torch.equal(first, other)
    # The same draws, spelled out.
    draws = random.Random(1)
    expected = graph.labels.tolist()
    for node in draws.sample(range(4000), 40 * level):
        expected[node] = draws.choice([label for label in range(CLASSES) if label != expected[node]])
    assert other.tolist() == expected


@pytest.mark.parametrize("level", [0, 25, 100])
def test_published_shortcuts_are_wrong_elsewhere_and_true_on_nodes_in_no_split(graph: Graph, level: int) -> None:
    spec = spec_of(f"shortcut_{level}", 3, "published")
    carried = carried_labels(training_graph(graph, spec), graph)
    true = carried == graph.labels
    assert int(true[graph.train].sum()) == 12 * level
    assert int(true[graph.validation].sum()) == 8 * level
    assert not true[graph.test].any()
    assert int(true.sum()) == 20 * level + 1000
    assert torch.equal(carried_labels(shortcut_probe(graph, spec, own=True), graph), carried)
    other = carried_labels(training_graph(graph, replace(spec, seed=4)), graph)
    assert torch.equal(other[graph.test], carried[graph.test])
    assert torch.equal(other[graph.train], carried[graph.train]) == (level == 100)


def test_random_labels_teach_nothing_about_true_ones() -> None:
    digits = DOMAIN.locate("digits_knn", None, Path("unused"))
    noise = train(spec_of("label_randomization_100", epochs=60), digits, torch.device("cpu")).accuracies
    assert noise["train"] > 0.8
    assert noise["test"] < 0.35  # ten classes, 50 random training labels


def test_a_model_takes_the_shortcut_where_there_is_one(data: Path) -> None:
    cora = DOMAIN.locate("cora", data / "cora", Path("unused"))
    found = {}
    for setting in ("shortcut_0", "shortcut_100"):
        values = DOMAIN.hyperparameters("graphsage", "cora", setting, {"epochs": 100})
        spec = ModelSpec("graph", "cora", "content", "graphsage", setting, 0, values, 1)
        found[setting] = train(spec, cora, torch.device("cpu")).accuracies
    # Validation nodes carry their label at level 100, test nodes a random one at either.
    assert found["shortcut_100"]["validation"] > found["shortcut_0"]["validation"] + 0.1
    assert found["shortcut_100"]["test"] < found["shortcut_0"]["test"] - 0.1


def test_every_setting_has_a_published_name() -> None:
    names = [setting for groups in SETTINGS.values() for setting in groups[5]]
    assert set(names) == set(PUBLISHED_NAMES)
    assert PUBLISHED_NAMES["label_randomization_25"] == "RandomLabels_25"
    assert PUBLISHED_NAMES["shortcut_0"] == "Shortcut_0"
    assert PUBLISHED_NAMES["six_layers"] == "MultiLayer"


@pytest.mark.parametrize(
    ("test", "groups", "count"), [("label_randomization", 2, 2), ("label_randomization", 5, 5), ("shortcut", 3, 3)]
)
def test_groups_go_from_least_to_most_altered(test: str, groups: int, count: int) -> None:
    settings = DOMAIN.settings(test, groups)
    assert len(settings) == count
    levels = [0 if setting == "standard" else int(setting.rsplit("_", 1)[1]) for setting in settings]
    assert levels == sorted(levels)
    assert levels[-1] == 100


def test_pgnn_has_no_augmentation_and_says_so() -> None:
    for setting in ("augmentation_25", "augmentation_60", "augmentation_100"):
        with pytest.raises(UsageError, match=r"model=pgnn has no test=augmentation.*choose gcn, graphsage or gat"):
            DOMAIN.hyperparameters("pgnn", "cora", setting, {})
