"""What measures make of prepared rows in another order is what preparing the reordered rows gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resi.errors import DegenerateInputError
from resi.measures import MEASURES
from resi.measures.base import PAPER, VARIANTS, Measure
from resi.measures.features import Features
from resi.measures.shared import bases, intermediates
from resi.measures.shared.reordered import Reordered
from resi.registry import make_measure

N_SAMPLES = 36
# Published values of these depend on the signs of singular vectors, or on which of equal neighbours comes first.
PREPARED_AGAIN = ("pwcca", "svcca", "jaccard", "rank_similarity", "second_order_cosine")
GIVEN = ("plain", "single", "wide", "tied", "far")


def matrix(kind: str, seed: int) -> torch.Tensor:
    draws = np.random.default_rng(seed)
    width = 50 if kind == "wide" else 5
    found = draws.normal(size=(N_SAMPLES, width))
    if kind == "tied":
        found = np.round(found)
        found[3:9] = found[2]
        found[20] = 0
    if kind == "far":
        found = 1e5 + found * np.logspace(0, -3, width)
    return torch.as_tensor(found, dtype=torch.float32 if kind == "single" else torch.float64)


def variants():
    for measure in MEASURES:
        if measure.name == "geometry_score":
            continue  # its draws of samples are other ones for other orders
        made = measure()
        known = {"variant": (*VARIANTS, PAPER)} if "variant" in made.parameters() else {"": ("",)}
        for name, values in known.items():
            for value in values:
                try:
                    make_measure(measure.name, {name: value} if name else {})
                except Exception:
                    continue
                yield pytest.param(measure.name, {name: value} if name else {}, id=f"{measure.name}-{value}")


@pytest.mark.filterwarnings("ignore:aligned_cosine")
@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize(("name", "parameters"), list(variants()))
def test_a_reordered_state_has_the_value_of_reordered_rows(name, parameters, kind):
    measure = make_measure(name, parameters)
    R, S = matrix(kind, 0), matrix(kind, 1)
    order = torch.from_numpy(np.random.default_rng(2).permutation(N_SAMPLES))
    try:
        a, b = measure.prepare(Features(R)), measure.prepare(Features(S, position=1))
        before = measure.compare(a, b)
        expected = measure.compare(measure.prepare(Features(R)), measure.prepare(Features(S[order], position=1)))
    except DegenerateInputError:
        pytest.skip("no value")
    made = measure.permuted(b, order)
    if parameters.get("variant") == "published" and name in PREPARED_AGAIN:
        assert made is None
        return
    assert made is not None
    tolerance = {"rel": 1e-6 if kind == "single" else 1e-9, "abs": 1e-12}
    assert measure.compare(a, made) == pytest.approx(expected, **tolerance)
    assert measure.compare(made, a) == pytest.approx(
        expected if measure.symmetric else measure.compare(measure.prepare(Features(S[order])), a), **tolerance
    )
    assert measure.compare(a, b) == before  # nothing that is prepared has changed


def test_what_does_not_belong_to_a_pair_is_not_computed_again():
    base = Features(matrix("plain", 0))
    base.shared(bases.centred_basis)
    base.shared(intermediates.product_norm)
    held = len(base.held())
    order = torch.arange(N_SAMPLES - 1, -1, -1)
    other = Reordered(base, order)
    assert torch.equal(other.shared(bases.centred_basis).left, base.shared(bases.centred_basis).left[order])
    assert other.shared(intermediates.product_norm) == base.shared(intermediates.product_norm)
    assert "given" not in vars(other)
    assert torch.equal(other.given, base.given[order])
    assert torch.equal(other.matrix, base.given[order])
    assert len(base.held()) == held


TOGETHER = [made.name for made in MEASURES if made.permuted_values is not Measure.permuted_values]
# Where a product for each pair is less work, rows are all zero, or comparing does nothing else.
LEFT = {*(("cka", kind) for kind in GIVEN), ("aligned_cosine", "tied"), ("permutation_procrustes", "single")}
OF_PAIRS_OF_SAMPLES = ("cka", "distance_correlation", "rsa")


@pytest.mark.filterwarnings("ignore:aligned_cosine")
@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("kind", ["plain", "single", "tied"])
def test_all_orders_at_once_give_the_values_of_one_order_after_another(name, kind):
    measure = make_measure(name, {})
    count = 19  # more than stand side by side in one line
    states = [measure.prepare(Features(matrix(kind, seed), position=seed)) for seed in range(count)]
    pairs = [(a, b) for a in range(0, count, 3) for b in range(a, count, 2)] + [(18, 2), (17, 17)]
    draws = np.random.default_rng(0)
    orders = torch.from_numpy(np.stack([np.arange(N_SAMPLES), *(draws.permutation(N_SAMPLES) for _ in range(3))]))
    few = 1e-6 if kind == "single" else 1e-10
    digits = {"abs": 2e-7} if name in OF_PAIRS_OF_SAMPLES else {"rel": few, "abs": 1e-12}
    for (a, b), values in zip(pairs, measure.permuted_values(states, pairs, orders, map), strict=True):
        if values is None:
            assert (name, kind) in LEFT
            continue
        expected = [measure.compare(states[a], measure.permuted(states[b], order)) for order in orders]
        assert values.tolist() == pytest.approx(expected, **digits)
        assert values[0] == pytest.approx(measure.compare(states[a], states[b]), rel=few, abs=1e-12)


def test_many_pairs_of_wide_representations_are_permuted_together():
    measure = make_measure("cka", {})
    states = [measure.prepare(Features(matrix("wide", seed), position=seed)) for seed in range(12)]
    pairs = [(a, b) for a in range(12) for b in range(a)]
    orders = torch.from_numpy(np.stack([np.random.default_rng(n).permutation(N_SAMPLES) for n in range(5)]))
    found = measure.permuted_values(states, pairs, orders, map)
    assert all(values is not None for values in found)
    for (a, b), values in zip(pairs, found, strict=True):
        expected = [measure.compare(states[a], measure.permuted(states[b], order)) for order in orders]
        assert values.tolist() == pytest.approx(expected, abs=2e-7)
