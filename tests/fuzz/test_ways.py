"""One value, whatever the way to it: alone or among others, stored, on any number of threads, in any order."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import resi
from resi.engine.execution import Engine
from resi.engine.tiles import all_pairs
from resi.errors import DegenerateInputError
from resi.measures.alignment import COSINE_IS_ENOUGH
from resi.measures.features import Features
from resi.measures.shared.bases import centred_basis, uncentred_basis
from resi.measures.shared.distances import CANCELLED
from resi.specs import Extraction, ProbeSpec
from resi.store.representations import RepresentationStore
from resi.store.root import Store
from tests.domains.vision.conftest import spec_of
from tests.exact.definitions import Ranks
from tests.measures.samples import MEASURES, parameters

from .cases import Case, cases
from .test_values import AS_MUCH, BY_RANK, DOUBLE, SINGLE_PRODUCTS, SIZES, sensitivity

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from .conftest import Search

NAMES = sorted(set(MEASURES) - {"geometry_score"})
# Compared many at once, cka computes its products in single precision where both arrays have no more.
SINGLE_TOGETHER = SINGLE_PRODUCTS | {"cka"}
BY_COSINE = SINGLE_PRODUCTS - {"permutation_procrustes"}
BY_ORDER = {"imd", "jaccard", "rank_similarity", "rsa"}
CPU = torch.device("cpu")


class Found(NamedTuple):
    """A value, or None where it is undefined."""

    value: float | None
    status: str


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def alone(name: str, R: Any, S: Any) -> Found:
    try:
        return Found(resi.compare(R, S, name, **parameters(MEASURES[name])), "ok")
    except DegenerateInputError:
        return Found(None, "undefined")


def together(name: str, items: dict[str, Any], **keywords: Any) -> dict[tuple[str, str], Found]:
    frame = resi.pairwise(items, measures=[name], **keywords)
    return {(source, target): Found(value, status) for source, target, value, status in rows(frame)}


def rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("source", "target", "value", "status").rows()


def agree(one: Found, other: Found, name: str, case: Case, known: set[str]) -> None:
    """Compare two values that may differ by rounding: in single precision, if a measure of those known takes it."""
    assert one.status == other.status
    if one.value is None or other.value is None:
        return
    difference, least = abs(one.value - other.value), least_difference(name, case, known)
    if name in BY_ORDER:  # of distances: equal ones stay equal, and others are not near enough to change places
        assert difference <= 1e-9 * max(abs(one.value), SIZES.get(name, 1e-3))
    elif difference > least * max(abs(one.value), SIZES.get(name, 1e-3)):
        change = sensitivity(name, case, (DOUBLE, DOUBLE), ranks_taken(name, case))
        assert difference <= AS_MUCH * change, (one.value, other.value)


def least_difference(name: str, case: Case, known: set[str]) -> float:
    """Return by which share values may differ however little rounding the input changes them."""
    if name in known and min(case.R.epsilon, case.S.epsilon) > DOUBLE:
        return 2e-6
    if name in BY_COSINE:  # a sum of some twenty terms, of which the difference to 1 is taken
        return 4 * DOUBLE / (1 - COSINE_IS_ENOUGH)
    # Products give squared distances down to a small share of the squared lengths, whose rounding they keep; and near
    # neighbours count as much as far ones.
    return DOUBLE / CANCELLED if name == "second_order_cosine" else 1e-12


def ranks_taken(name: str, case: Case) -> Ranks:
    """Return the ranks that a measure takes: the smallest directions kept are the ones that rounding moves most."""
    if name not in BY_RANK - {"aligned_cosine"}:
        return Ranks()
    sides = [Features(side.tensor) for side in (case.R, case.S)]
    if name == "eigenspace_overlap":
        R, S = (x.shared(uncentred_basis).rank for x in sides)
        return Ranks(as_given=(R, S))
    R, S = (x.shared(centred_basis).rank for x in sides)
    return Ranks(centred=(R, S))


def three(case: Case) -> dict[str, Any]:
    """Return both sides and something between them."""
    R, S = case.R.tensor, case.S.tensor
    width = min(R.shape[1], S.shape[1])
    return {"R": case.R.array, "S": case.S.array, "T": R[:, :width] / 2 + S[:, :width].to(R.dtype) / 2}


@pytest.mark.parametrize("name", [name for name in NAMES if MEASURES[name].family != "neighbours"])
def test_values_do_not_depend_on_what_else_is_compared(name: str, search: Search) -> None:
    tally = search.tallies["ways", name]

    def check(case: Case) -> None:
        tally.examples += 1
        items = three(case)
        if not torch.isfinite(torch.as_tensor(items["T"])).all():
            del items["T"]
        found = together(name, items)
        agree(alone(name, case.R.array, case.S.array), found["R", "S"], name, case, SINGLE_TOGETHER)
        # To the last bit: fewer of them, in another order, on two threads, in little memory.
        assert together(name, {"R": items["R"], "S": items["S"]})["R", "S"] == found["R", "S"]
        assert together(name, items, threads=2) == found
        # What does not fit into so little memory says so.
        little = together(name, items, memory="200kB")
        assert all(value in (found[pair], Found(None, "failed")) for pair, value in little.items())
        tally.undefined += found["R", "S"].status == "undefined"

    search.run(check, cases(), few=2, parts=len(NAMES))


def test_stored_representations_have_the_values_of_arrays(tmp_path: Path, search: Search) -> None:
    names = [name for name in NAMES if MEASURES[name].family not in ("topology", "neighbours")]
    tally = search.tallies["stored", "all but topology"]
    store = RepresentationStore(Store(tmp_path))
    probe = ProbeSpec("test", ("R", "S"))
    measures = {name: MEASURES[name]() for name in names}

    def check(case: Case) -> None:
        tally.examples += 1
        # Files hold single precision.
        sides = {"R": case.R.tensor, "S": case.S.tensor}
        sides = {key: x.float() if x.dtype == torch.float64 else x for key, x in sides.items()}
        if not all(torch.isfinite(x).all() and x.any() for x in sides.values()):
            return
        spec = spec_of("tiny_vgg", seed=tally.examples)
        samples = [str(i) for i in range(len(sides["R"]))]
        store.save(spec, probe, [Extraction(sides, torch.zeros(len(samples), 2), 0.5, samples)])
        opened = {layer: store.open(spec, probe, layer) for layer in probe.layers}
        items = {item.key: item for item in opened.values()}
        engine = Engine(measures, 10**9, CPU, 1)
        expected = {
            (source, target, measure): (value, status)
            for source, target, measure, value, status in resi.pairwise(sides, measures=names, threads=1)
            .select("source", "target", "measure", "value", "status")
            .rows()
        }
        layer = {item.key: name for name, item in opened.items()}
        found = {
            (layer[o.task.source], layer[o.task.target], o.task.measure): (o.value, o.status)
            for o in engine.run(all_pairs(list(items), measures), items)
        }
        assert found == expected

    search.run(check, cases(), few=3, parts=2)


@st.composite
def changed(draw: st.DrawFn) -> tuple[Case, np.ndarray, np.ndarray, int]:
    """Draw a pair, an order of its samples, an order of R's features, and a power of two."""
    case = draw(cases())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = case.R.tensor.shape
    return case, rng.permutation(n), rng.permutation(d), draw(st.integers(-3, 3))


@pytest.mark.parametrize("name", NAMES)
def test_changes_that_are_exact_change_nothing(name: str, search: Search) -> None:
    measure = MEASURES[name]
    tally = search.tallies["changes", name]

    def check(drawn: tuple[Case, np.ndarray, np.ndarray, int]) -> None:
        case, order, columns, power = drawn
        tally.examples += 1
        R, S = case.R.tensor, case.S.tensor
        before = alone(name, R, S)
        tally.undefined += before.status == "undefined"
        if measure.symmetric:
            agree(before, alone(name, S, R), name, case, SINGLE_PRODUCTS)
        agree(before, alone(name, R[order], S[order]), name, case, SINGLE_PRODUCTS)
        if "permutation" in measure.invariances:
            agree(before, alone(name, R[:, columns], S), name, case, SINGLE_PRODUCTS)
        is_exact = torch.equal(R * 2.0**power / 2.0**power, R)  # not below the smallest normal number
        if "isotropic_scaling" in measure.invariances and is_exact:
            agree(before, alone(name, R * 2.0**power, S), name, case, SINGLE_PRODUCTS)

    search.run(check, changed(), few=2, parts=len(NAMES))
