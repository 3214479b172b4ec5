"""Compiled loops of graph training: the same numbers as torch and PyG compute, and draws as random as they claim."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional
from torch_geometric.nn import GATConv
from torch_geometric.nn.conv import gat_conv

from resi.domains.graph.compiled.draws import draw_kept, numbers
from resi.domains.graph.compiled.exponential import exponential
from resi.domains.graph.compiled.hidden import Between, normalize
from resi.domains.graph.compiled.propagation import CompiledPropagation
from resi.domains.graph.networks import dropping, sparse
from resi.domains.graph.networks.sparse import CompiledGATConv
from resi.domains.graph.propagation import Edges

NODES = 40


@pytest.fixture(scope="module")
def edges() -> torch.Tensor:
    """Return random edges with a few loops; the last node has none."""
    draws = torch.Generator().manual_seed(0)
    pairs = torch.randint(0, NODES - 1, (2, 150), generator=draws)
    return torch.unique(torch.cat([pairs, torch.tensor([[3, 5], [3, 5]])], dim=1), dim=1)


@pytest.fixture
def kept(edges: torch.Tensor) -> torch.Tensor:
    return torch.rand(edges.shape[1], generator=torch.Generator().manual_seed(1)) < 0.6


def philox(counter: int, key: int) -> list[int]:
    """Return the four numbers of Philox-4x32-10, in Python's own integers."""
    low = 2**32 - 1
    words = [counter & low, counter >> 32, 0, 0]
    keys = [key & low, key >> 32]
    for _ in range(10):
        first, second = words[0] * 0xD2511F53, words[2] * 0xCD9E8D57
        words = [second >> 32 ^ words[1] ^ keys[0], second & low, first >> 32 ^ words[3] ^ keys[1], first & low]
        keys = [(keys[0] + 0x9E3779B9) & low, (keys[1] + 0xBB67AE85) & low]
    return words


def test_numbers_are_those_of_philox() -> None:
    # The published known answer of all zeros.
    assert list(numbers(np.uint64(0), np.uint64(0))) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    for counter, key in ((1, 2**63 - 1), (2**40 + 17, 0x0123456789ABCDEF)):
        assert list(numbers(np.uint64(counter), np.uint64(key))) == philox(counter, key)


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 0.999])
def test_a_number_is_kept_where_it_lies_below_the_threshold(probability: float) -> None:
    key, count = 7**20, 1003
    drawn = [number for block in range(251) for number in philox(block, key)][:count]
    expected = [number < round((1 - probability) * 2**32) for number in drawn]
    assert draw_kept(count, probability, key).tolist() == expected
    assert draw_kept(10, probability, key).tolist() == expected[:10]


def test_draws_are_independent_of_their_neighbours_and_of_other_keys() -> None:
    """Of successive positions, distant ones, and the same of other keys: all patterns are as frequent as chance."""
    count, probability = 400_000, 0.4
    masks = np.stack([draw_kept(count, probability, key).numpy() for key in (5, 6, 7, 5 + 2**32)]).astype(int)
    successive = [masks[0, lag : lag + count - 70] for lag in range(6)]
    distant = [masks[0, lag : lag + count - 70] for lag in (0, 4, 16, 64)]
    for columns, window in ((successive, 6), (distant, 70), (masks, 1)):
        patterns = sum(column << place for place, column in enumerate(columns))[::window]
        ones = np.array([int(pattern).bit_count() for pattern in range(2 ** len(columns))])
        chances = (1 - probability) ** ones * probability ** (len(columns) - ones)
        found = np.bincount(patterns, minlength=len(chances))
        assert stats.chisquare(found, chances * found.sum()).pvalue > 1e-3


def test_dropout_keeps_the_mean_and_draws_anew_each_time() -> None:
    x = torch.ones(1000, 100)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = dropping.dropout(x, 0.6, training=True), dropping.dropout(x, 0.6, training=True)
        torch.manual_seed(0)
        assert torch.equal(dropping.dropout(x, 0.6, training=True), first)
    assert set(first.unique().tolist()) == {0, 2.5}
    # 5 standard deviations of a binomial share
    assert abs(float((first > 0).double().mean()) - 0.4) < 5 * (0.24 / x.numel()) ** 0.5
    assert abs(float((first * second > 0).double().mean()) - 0.16) < 5 * (0.16 * 0.84 / x.numel()) ** 0.5
    assert torch.equal(dropping.dropout(x, 0.6, training=False), x)


def test_the_exponential_is_right_in_single_precision() -> None:
    x = np.concatenate([-np.geomspace(1e-9, 100, 300), [0, -103.0, -104.0, -200.0, -np.inf]])
    found = np.float32([exponential(value) for value in x])
    np.testing.assert_allclose(found, np.exp(x), rtol=1e-7, atol=1e-43)
    assert (found[-2:] == 0).all()


@pytest.mark.parametrize("is_elu", [False, True])
@pytest.mark.parametrize("shape", [(600, 64), (9, 5)])
def test_norm_activation_and_dropout_are_those_of_torch(is_elu: bool, shape: tuple[int, int]) -> None:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=draws) * 3 + 10
    x[:, 0] = 2.0  # constant: its normalised values are zero
    kept = draw_kept(x.numel(), 0.6, 3).view(shape)
    gradient = torch.randn(shape, generator=draws)
    mine = torch.nn.BatchNorm1d(shape[1])
    theirs = torch.nn.BatchNorm1d(shape[1]).double()
    with torch.no_grad():
        mine.weight.copy_(torch.rand(shape[1], generator=draws) + 0.5)
        mine.bias[1:] = torch.randn(shape[1] - 1, generator=draws)
        theirs.load_state_dict(mine.state_dict())
    given, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    activation = functional.elu if is_elu else functional.relu
    for _ in range(2):
        found = normalize(given, Between(mine, is_elu, kept, 2.5))
        expected = activation(theirs(exact)) * kept * 2.5
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    found.backward(gradient)
    expected.backward(gradient.double())
    for (name, a), (_, b) in zip(mine.state_dict().items(), theirs.state_dict().items(), strict=True):
        torch.testing.assert_close(a.double(), b.double(), rtol=1e-5, atol=1e-6, msg=name)
    for a, b in zip((given, *mine.parameters()), (exact, *theirs.parameters()), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-4, atol=1e-4 * float(b.grad.abs().max()))


@pytest.mark.parametrize("is_elu", [False, True])
def test_numbers_that_are_not_finite_are_not_hidden(is_elu: bool) -> None:
    """What went wrong in training shows in the loss."""
    x = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    x[3, 1] = torch.nan
    found = normalize(x, Between(torch.nn.BatchNorm1d(5), is_elu, torch.ones(9, 5, dtype=torch.uint8), 1.0))
    assert found[:, 1].isnan().all()
    assert found[:, [0, 2, 3, 4]].isfinite().all()


@pytest.mark.parametrize("kind", [None, CompiledPropagation])
def test_the_edges_of_an_epoch_are_forgotten_after_it(
    edges: torch.Tensor, kept: torch.Tensor, kind: type | None
) -> None:
    """At once: the garbage collector, which does not know how large they are, would keep those of many epochs."""
    whole = Edges(edges, NODES, kind).keep(kept)
    whole.at(torch.tensor([3])).mean(torch.ones(NODES, 2))
    left = weakref.ref(whole)
    del whole
    assert left() is None


@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("drop", [False, True])
def test_sums_over_neighbours_are_those_of_dense_matrices(
    edges: torch.Tensor, kept: torch.Tensor, drop: bool, some: bool
) -> None:
    """Of both kinds of propagation, to all nodes and to some, with their gradients."""
    draws = torch.Generator().manual_seed(2)
    x = torch.randn(NODES, 7, generator=draws)
    nodes = torch.tensor([17, 3, 39, 5]) if some else torch.arange(NODES)
    weights = torch.randn(len(nodes), 7, generator=draws)
    for kind in (None, CompiledPropagation):
        whole = Edges(edges, NODES, kind).keep(kept if drop else None)
        propagation = whole.at(nodes) if some else whole
        source, target = whole.edge_index
        dense = torch.zeros(NODES, NODES, dtype=torch.float64)
        dense[target, source] = 1
        looped = dense.clone().fill_diagonal_(1)
        root = looped.sum(1).rsqrt()
        means = dense / dense.sum(1, keepdim=True).clamp(min=1)
        sums = ((propagation.mean, means), (propagation.normalized_sum, root[:, None] * looped * root))
        for found, expected in sums:
            given = x.clone().requires_grad_()
            result = found(given)
            (result * weights).sum().backward()
            torch.testing.assert_close(result.double(), (expected @ x.double())[nodes], rtol=1e-5, atol=1e-6)
            assert given.grad is not None
            torch.testing.assert_close(given.grad.double(), expected[nodes].T @ weights.double(), rtol=1e-5, atol=1e-6)
        starts, senders = propagation.senders.starts.tolist(), propagation.senders.sources
        for row, node in enumerate(propagation.senders.targets.tolist()):
            heard = sorted(senders[starts[row] : starts[row + 1]].tolist())
            assert heard == looped[node].nonzero().squeeze(1).tolist()


@pytest.mark.parametrize(
    ("heads", "concat", "some"), [(8, True, False), (8, False, True), (3, True, True), (9, False, False)]
)
@pytest.mark.parametrize("kind", [None, CompiledPropagation])
def test_attention_is_that_of_pyg_with_the_same_dropout(
    edges: torch.Tensor, kind: type | None, heads: int, concat: bool, some: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs and all gradients, against PyG's layer in double precision."""
    propagation = Edges(edges, NODES, kind).keep(None)
    nodes = torch.tensor([11, 4, 39]) if some else torch.arange(NODES)
    masks: dict[tuple[int, int], torch.Tensor] = {}

    def drawn(shape: torch.Size, probability: float) -> torch.Tensor:
        mask = draw_kept(shape.numel(), probability, 9).view(shape)
        starts, senders = part.senders.starts.tolist(), part.senders.sources.tolist()
        for row, target in enumerate(part.senders.targets.tolist()):
            for edge in range(starts[row], starts[row + 1]):
                masks[senders[edge], target] = mask[edge].flatten()[:heads]
        return mask

    def same(x: torch.Tensor, p: float, training: bool) -> torch.Tensor:
        assert training
        loops = torch.arange(NODES)
        source, target = propagation.edge_index[:, propagation.edge_index[0] != propagation.edge_index[1]]
        pairs = zip([*source.tolist(), *loops.tolist()], [*target.tolist(), *loops.tolist()], strict=True)
        return x * torch.stack([masks.get(pair, torch.zeros(heads)) for pair in pairs]) / (1 - p)

    part = propagation.at(nodes) if some else propagation
    monkeypatch.setattr(sparse, "draw_kept", drawn)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mine = CompiledGATConv(6, 5, heads=heads, concat=concat, dropout=0.6)
        x = torch.randn(NODES, 6)
    theirs = GATConv(6, 5, heads=heads, concat=concat, dropout=0.6).double()
    theirs.load_state_dict(mine.state_dict())
    given, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    found = mine(given, part)
    monkeypatch.setattr(gat_conv.F, "dropout", same)
    expected = theirs(exact, propagation.edge_index)[nodes]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for a, b in zip((given, *mine.parameters()), (exact, *theirs.parameters()), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-4, atol=1e-5)
