"""Graph models: the architectures are PyG's own, training is keyed, published weights give the published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch_geometric.nn import GAT, GCN, GraphSAGE

import resi
from resi.domains.graph import GraphDomain
from resi.domains.graph.compiled.propagation import CompiledPropagation
from resi.domains.graph.loading import load_graph
from resi.domains.graph.lookup import graph_network
from resi.domains.graph.networks.sparse import CompiledGAT, SparseGCN, SparseGraphSAGE
from resi.domains.graph.propagation import Edges
from resi.domains.graph.training import drop_edges, train
from resi.specs import ModelSpec, ProbeSpec
from tests.domains.passes import extracted

CPU = torch.device("cpu")
DOMAIN = GraphDomain()
PUBLISHED = {"gcn": "GCN", "graphsage": "GraphSAGE", "gat": "GAT"}
SETTINGS = {"standard": "Normal", "augmentation_100": "Augmentation_100"}
CLASSES = {"gcn": (GCN, SparseGCN), "graphsage": (GraphSAGE, SparseGraphSAGE), "gat": (GAT, CompiledGAT)}


def spec_of(architecture: str, setting: str = "standard", seed: int = 0, dataset: str = "digits_knn", **changes):
    values = DOMAIN.hyperparameters(architecture, dataset, setting, changes)
    return ModelSpec("graph", dataset, "content", architecture, setting, seed, values, 1)


@pytest.fixture(scope="module")
def digits():
    return DOMAIN.locate("digits_knn", None, Path("unused"))


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("architecture", "width"), [("graphsage", 8), ("graphsage", 50), ("gcn", 8), ("gat", 8)])
@pytest.mark.parametrize("kind", [None, CompiledPropagation])
def test_outputs_and_gradients_are_those_of_pyg(
    architecture: str, width: int, sparse: bool, drop: bool, kind: type | None
) -> None:
    torch.manual_seed(0)
    features = torch.rand(30, 40) * (torch.rand(30, 40) < 0.2)
    edges = Edges(torch.unique(torch.randint(0, 29, (2, 90)), dim=1), 30, kind)  # one node has no edge
    propagation = drop_edges(edges, 0.5, 0, 0) if drop else edges.keep(None)
    plain, ours = CLASSES[architecture]
    theirs = plain(40, width, num_layers=3, out_channels=4, norm="BatchNorm")
    mine = ours(40, width, num_layers=3, out_channels=4, norm="BatchNorm")
    mine.load_state_dict(theirs.state_dict())
    expected = theirs(features, propagation.edge_index)
    found = graph_network(architecture).run(mine, features.to_sparse_csr() if sparse else features, propagation)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.rand_like(expected)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for (name, a), (_, b) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("architecture", ["gcn", "graphsage", "gat", "pgnn"])
def test_training_computes_the_last_layer_at_its_nodes_alone(digits, architecture: str) -> None:
    graph, network = load_graph(digits), graph_network(architecture)
    with torch.random.fork_rng(devices=[]):
        model = network.build(spec_of(architecture, dropout=0.0), graph).train()
    rows: list[int] = []
    last = model.convs[-1]
    last.register_forward_hook(lambda _m, _i, out: rows.append(len(out[0] if isinstance(out, tuple) else out)))
    edges = graph.training_edges().keep(None)
    found = network.logits_at(model, graph.features, edges, graph.train)
    expected = network.run(model, graph.features, edges)[graph.train]
    assert rows == [len(graph.train), len(graph.labels)]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["gcn", "graphsage", "gat"])
def test_a_model_learns(digits, architecture: str) -> None:
    found = train(spec_of(architecture, "augmentation_25", epochs=40), digits, CPU)
    assert found.accuracies["test"] > 0.7  # ten classes


def test_edges_drop_at_the_stated_rate_anew_in_every_epoch() -> None:
    edges = Edges(torch.randint(0, 1000, (2, 20_000)), 1000)
    kept = drop_edges(edges, 0.2, seed=0, epoch=0).edge_index
    # 5 standard deviations of a binomial count
    assert abs(kept.shape[1] - 16_000) < 5 * np.sqrt(20_000 * 0.2 * 0.8)
    assert torch.equal(kept, drop_edges(edges, 0.2, seed=0, epoch=0).edge_index)
    assert not torch.equal(kept[:, :100], drop_edges(edges, 0.2, seed=0, epoch=1).edge_index[:, :100])
    assert not torch.equal(kept[:, :100], drop_edges(edges, 0.2, seed=1, epoch=0).edge_index[:, :100])


def test_a_representation_is_what_the_convolution_gives_before_anything_else(digits) -> None:
    spec = spec_of("gcn", epochs=1)
    trained = train(spec, digits, CPU)
    found = extracted(DOMAIN.extract, spec, trained.state, digits, ProbeSpec("test", ("0", "1")))
    graph = load_graph(digits)
    model = graph_network("gcn").build(spec, graph)
    model.load_state_dict(dict(trained.state))
    model.eval()
    edges = Edges(graph.edges, 1797).keep(None)
    first = model.convs[0](graph.features, edges)
    second = model.convs[1](torch.relu(model.norms[0](first)), edges)
    torch.testing.assert_close(found.representations["0"], first[graph.test])
    torch.testing.assert_close(found.representations["1"], second[graph.test])
    torch.testing.assert_close(found.logits, graph_network("gcn").run(model, graph.features, edges)[graph.test])
    assert found.accuracy == trained.accuracies["test"]
    assert len(set(found.samples)) == 1000


@pytest.mark.parametrize("architecture", ["gcn", "graphsage", "gat", "pgnn"])
def test_post_activation_is_what_the_next_convolution_sees(digits, architecture: str) -> None:
    domain = GraphDomain(representation="post_activation")
    spec = spec_of(architecture, "six_layers", epochs=2)
    state = train(spec, digits, CPU).state
    seen: dict[str, torch.Tensor] = {}
    graph = load_graph(digits)
    model = graph_network(architecture).build(spec, graph)
    model.load_state_dict(dict(state))
    model.eval()
    for layer in range(1, 6):
        model.convs[layer].register_forward_hook(lambda _m, i, _o, n=str(layer - 1): seen.update({n: i[0]}))
    graph_network(architecture).run(model, graph.features, Edges(graph.edges, 1797).keep(None))
    probe = domain.probe(architecture, "digits_knn", spec.hyperparameters, "layer_monotonicity")
    found = extracted(domain.extract, spec, state, digits, probe).representations
    assert list(found) == ["0", "1", "2", "3", "4"]
    for layer, representation in found.items():
        torch.testing.assert_close(representation, seen[layer][graph.test])


def test_the_two_representations_are_stored_and_compared_apart(tmp_path: Path) -> None:
    words = ["model=gcn", "model.gcn.epochs=2", "seeds=[0,1]", "groups=2", "measure=cka", f"root={tmp_path}"]
    raw = resi.run(words)
    default = resi.run([*words, "representation=conv_output"])
    activated = resi.run([*words, "representation=post_activation"])
    assert default.reused
    assert activated.shard != raw.shard
    assert not set(activated.comparisons["key"]) & set(raw.comparisons["key"])
    assert activated.comparisons["value"].to_list() != raw.comparisons["value"].to_list()


def test_bfloat16_training_learns_as_well_and_leaves_float32_weights(digits) -> None:
    for architecture in ("gcn", "graphsage", "gat"):
        full, half = (
            train(spec_of(architecture, epochs=40, precision=name), digits, CPU) for name in ("float32", "bfloat16")
        )
        assert half.accuracies["test"] > full.accuracies["test"] - 0.05
        assert {tensor.dtype for tensor in half.state.values()} <= {torch.float32, torch.int64}
        name = next(iter(full.state))
        assert not torch.equal(full.state[name], half.state[name])


@pytest.mark.parametrize("architecture", ["gcn", "graphsage", "gat"])
def test_published_weights_give_the_published_comparisons(data: Path, published_cora: Path, architecture: str) -> None:
    """Models trained by the published code, read into ours: accuracy and similarities are the published ones."""
    cora = DOMAIN.locate("cora", data / "cora", Path("unused"))
    accuracies = pl.read_csv(published_cora / "accuracies.csv")
    found = {}
    for setting, published in SETTINGS.items():
        spec = spec_of(architecture, setting, dataset="cora")
        folder = published_cora / "models" / "graphs" / "cora" / PUBLISHED[architecture] / published
        state = torch.load(folder / "model_s0.pt", weights_only=True, map_location="cpu")
        probe = DOMAIN.probe(architecture, "cora", spec.hyperparameters, "augmentation")
        extraction = extracted(DOMAIN.extract, spec, state, cora, probe)
        row = accuracies.filter(architecture=PUBLISHED[architecture], setting=published, seed=0)
        assert extraction.accuracy == pytest.approx(row["test_accuracy"][0], abs=1e-6)
        found[published] = extraction.representations[probe.layers[-1]]
    table = pl.read_parquet(published_cora / "results_augmentation.parquet", columns=["id", "metric_value"])
    values = dict(table.iter_rows())
    layer = DOMAIN.probe(architecture, "cora", spec.hyperparameters, "augmentation").layers[-1]
    # Not jaccard: some test nodes have the same representation as another, which the published one takes for itself.
    names = {"cka": "CKA", "rsa": "RSA", "procrustes": "ProcrustesSizeAndShapeDistance"}
    sides = [f"{name}__{PUBLISHED[architecture]}__cora__0__cora__{layer}" for name in SETTINGS.values()]
    for name, published in names.items():
        expected = values[f"{sides[0]}___{sides[1]}___{published}"]
        assert resi.compare(*found.values(), name) == pytest.approx(expected, rel=1e-4), name
