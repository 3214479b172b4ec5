"""P-GNN: its anchors follow from the seed, its distances are shortest paths, its layer is the plain formula."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

import resi
from resi.domains.graph import GraphDomain
from resi.domains.graph.loading import load_graph
from resi.domains.graph.networks.pgnn import PGNNFamily, layers, messages
from resi.domains.graph.networks.pgnn.anchors import draw_sets, find_anchors
from resi.domains.graph.training import train
from resi.errors import UsageError
from resi.specs import ModelSpec
from tests.domains.passes import extracted

DOMAIN = GraphDomain()
CPU = torch.device("cpu")
NODES = 90


def spec_of(seed: int = 0, **changes) -> ModelSpec:
    values = DOMAIN.hyperparameters("pgnn", "digits_knn", "standard", changes)
    return ModelSpec("graph", "digits_knn", "content", "pgnn", "standard", seed, values, 1)


@pytest.fixture(scope="module")
def edges() -> torch.Tensor:
    """Return a sparse random graph in several components, its last nodes alone."""
    pairs = torch.randint(0, NODES - 5, (2, 70), generator=torch.Generator().manual_seed(0))
    return torch.cat([pairs, pairs.flip(0)], dim=1)


@pytest.fixture(scope="module")
def digits():
    return DOMAIN.locate("digits_knn", None, Path("unused"))


def test_anchor_sets_have_the_sizes_of_the_paper_and_follow_from_the_seed() -> None:
    sets = draw_sets(NODES, 3)
    # log2 of 90 is 6 and a half.
    assert [len(members) for members in sets] == [size for size in (45, 22, 11, 5, 2, 1) for _ in range(6)]
    assert all(len(set(members.tolist())) == len(members) for members in sets)
    assert all(np.array_equal(a, b) for a, b in zip(sets, draw_sets(NODES, 3), strict=True))
    assert not np.array_equal(sets[0], sets[1])
    assert not np.array_equal(sets[0], draw_sets(NODES, 4)[0])


def test_the_nearest_anchors_are_those_of_all_shortest_paths(edges: torch.Tensor) -> None:
    anchors = find_anchors(edges, NODES, 0)
    graph = coo_array((np.ones(edges.shape[1]), edges.numpy()), shape=(NODES, NODES)).tocsr()
    distance = shortest_path(graph, unweighted=True)
    nearness = anchors.values[anchors.steps].numpy()
    for column, members in enumerate(draw_sets(NODES, 0)):
        to_members = 1 / (distance[:, members] + 1)
        np.testing.assert_allclose(nearness[:, column], to_members.max(1), rtol=1e-6)
        nodes = anchors.nodes[:, column].numpy()
        assert np.isin(nodes, members).all()
        np.testing.assert_allclose(1 / (distance[np.arange(NODES), nodes] + 1), to_members.max(1), rtol=1e-6)
        assert (nodes[np.isinf(distance[:, members]).all(1)] == members[0]).all()
    assert nearness.min() == 0
    assert nearness.max() == 1


@pytest.mark.parametrize("listen", [messages.hear, messages.hear_at_once])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_layer_is_the_plain_formula(
    edges: torch.Tensor, listen: Callable, sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outputs and all gradients, compiled and not, also where a linear map comes before it."""
    monkeypatch.setattr(layers, "hear", listen)
    anchors = find_anchors(edges, NODES, 0)
    torch.manual_seed(0)
    before, layer = torch.nn.Linear(9, 7), layers.PGNNLayer(7, 5)
    features = torch.randn(NODES, 9).relu()
    given = features.to_sparse_csr() if sparse else features

    x = before(features)
    weighted = layer.dist_compute(anchors.values[anchors.steps])
    own = x.unsqueeze(1).expand(-1, anchors.nodes.shape[1], -1)
    said = torch.relu(layer.linear_hidden(torch.cat([x[anchors.nodes] * weighted.unsqueeze(-1), own], dim=-1)))
    expected = (layer.linear_out_position(said).squeeze(-1), said.mean(1))
    weights = [torch.randn_like(part) for part in expected]
    gradients = []
    for outputs in (expected, layer(given, anchors, before)):
        for module in (before, layer):
            module.zero_grad()
        sum((output * weight).sum() for output, weight in zip(outputs, weights, strict=True)).backward()
        gradients.append([parameter.grad.clone() for parameter in (*before.parameters(), *layer.parameters())])
    found = layer(given, anchors, before)
    for a, b in zip((*found, *gradients[1]), (*expected, *gradients[0]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    for a, b in zip(layer(x, anchors), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_numbers_that_are_not_finite_are_not_hidden(edges: torch.Tensor, value: float) -> None:
    """What went wrong in training shows in the loss."""
    anchors = find_anchors(edges, NODES, 0)
    layer = layers.PGNNLayer(7, 5)
    x = torch.randn(NODES, 7, generator=torch.Generator().manual_seed(0))
    x[3] = value
    for part in layer(x, anchors):
        assert not part[3].isfinite().any()


def test_the_network_is_the_published_one(digits) -> None:
    """A linear layer, two layers by structures, and the unit positions of the last one mapped to the classes."""
    spec = spec_of(epochs=1)
    trained = train(spec, digits, CPU)
    graph = load_graph(digits)
    model = PGNNFamily().build(spec, graph)
    model.load_state_dict(dict(trained.state))
    model.eval()
    x = model.linear_pre(graph.features)
    _, first = model.convs[0](x, model.anchors)
    position, _ = model.convs[1](first, model.anchors)
    unit = position / position.norm(dim=1, keepdim=True)
    logits = model.lin_out(unit)
    values = spec.hyperparameters
    probe = DOMAIN.probe("pgnn", "digits_knn", values, "label_randomization")
    found = extracted(DOMAIN.extract, spec, trained.state, digits, probe)
    assert probe.layers == ("0",)
    torch.testing.assert_close(found.representations["0"], first[graph.test])
    torch.testing.assert_close(found.logits, logits[graph.test])
    assert model.lin_out.in_features == 100  # (log2 of 1797, rounded down) squared
    assert set(trained.state) == {name for name, _ in model.named_parameters()}


def test_it_learns_and_its_seed_decides_it(digits) -> None:
    first = train(spec_of(epochs=25, layers=2), digits, CPU)
    assert first.accuracies["train"] > 0.3  # ten classes
    again = train(spec_of(epochs=25, layers=2), digits, CPU)
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in first.state.items())
    other = train(spec_of(1, epochs=1), digits, CPU)
    assert not torch.equal(other.state["linear_pre.weight"], first.state["linear_pre.weight"])


def test_six_layers_give_five_representations(digits) -> None:
    values = DOMAIN.hyperparameters("pgnn", "digits_knn", "six_layers", {"epochs": 1})
    spec = ModelSpec("graph", "digits_knn", "content", "pgnn", "six_layers", 0, values, 1)
    probe = DOMAIN.probe("pgnn", "digits_knn", values, "layer_monotonicity")
    found = extracted(DOMAIN.extract, spec, train(spec, digits, CPU).state, digits, probe)
    assert [tuple(found.representations[layer].shape) for layer in probe.layers] == [(1000, 32)] * 5


def test_augmentation_is_refused_in_a_run(root: Path) -> None:
    with pytest.raises(UsageError, match=r"model=pgnn has no test=augmentation"):
        resi.run(["model=pgnn", "test=augmentation", "measure=cka"])
    with pytest.raises(UsageError, match=r"model\.pgnn\.activation=elu: it must be relu"):
        DOMAIN.hyperparameters("pgnn", "cora", "standard", {"activation": "elu"})
    with pytest.raises(UsageError, match="unknown dataset for pgnn 'flickr'"):
        DOMAIN.hyperparameters("pgnn", "flickr", "standard", {})
