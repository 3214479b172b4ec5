"""Samples in another order and samples that are there several times: what chance levels and intervals are made of."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.measures.base import Measure
from resi.randomness import generator
from resi.testing.measures.case import CallError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from resi.testing.measures.case import Case
    from resi.testing.measures.samples import Matrix
else:
    from resi.lazy import torch

ORDERS = 3
SIX_DIGITS = 1e-5


def check_permuted(case: Case) -> None:
    """Check ``permuted`` and ``permuted_values``, where a measure has them, against preparing the reordered rows."""
    has_one, has_many = _defines(case, "permuted"), _defines(case, "permuted_values")
    if not (has_one or has_many):
        return
    pairs = case.pairs if case.is_one_width else case.pairs[:2]
    arrays = [side for pair in pairs for side in (pair.R, pair.S)]
    n_rows = len(arrays[0])
    rng = generator(case.seed, "check_measure permuted")
    orders = torch.tensor(np.array([rng.permutation(n_rows) for _ in range(ORDERS)]))
    with case.expecting("permuted", "states of representations that have values"):
        states = case.prepared(*arrays)
        if has_one:
            _check_one(case, arrays, states, orders)
    if has_many:
        with case.expecting("permuted_values", "values, or None, for each pair"):
            _check_many(case, arrays, states, orders)


def check_copies(case: Case) -> None:
    """Check ``copies``: a measure for which copies mean something has values for samples drawn with replacement.

    If every sample is there twice, nothing else is known than before: values may only change by one factor, such as
    the root of 2 of a distance that sums over samples. Nearest neighbours would be the copies.
    """
    if not case.measure.copies:
        return
    what = "all values changed by one factor where every sample is there twice"
    with case.expecting("copies", what):
        values = [(case.of(pair), _doubled(case, pair.R, pair.S)) for pair in case.pairs]
        first, doubled = max(values, key=lambda pair: abs(pair[0]))
        factor = doubled / first if first else 1.0
        for pair, (value, twice) in zip(case.pairs, values, strict=True):
            holds = case.close(value * factor, twice, SIX_DIGITS)
            case.expect(holds, "copies", what, f"{shown(value)} and {shown(twice)}, not times {factor:g}", pair)
        R, S = case.pairs[0].R, case.pairs[0].S
        rows = generator(case.seed, "check_measure copies").integers(0, len(R), len(R))
        case.value(R[rows], S[rows])


def _defines(case: Case, method: str) -> bool:
    """Return whether a measure has its own version of a method that it may have."""
    return getattr(type(case.measure), method) is not getattr(Measure, method)


def _check_one(case: Case, arrays: Sequence[Matrix], states: Sequence[Any], orders: torch.Tensor) -> None:
    for place, order in enumerate(orders):
        R, S = arrays[0], arrays[1][order.numpy()]
        with case.calling():
            moved = case.measure.permuted(states[1], order)
            if moved is None:
                return
            value = float(case.measure.compare(states[0], moved))
            before = float(case.measure.compare(states[0], states[1]))
        what = "the value of rows in that order that are prepared"
        case.expect_same("permuted", case.value(R, S), value, what, f"order {place}")
        case.expect_same("permuted", case.of(case.pairs[0]), before, "no change of the state that is given")


def _check_many(case: Case, arrays: Sequence[Matrix], states: Sequence[Any], orders: torch.Tensor) -> None:
    pairs = list(itertools.combinations(range(len(states)), 2))
    with case.calling():
        together = list(case.measure.permuted_values(states, pairs, orders, map))
    check = "permuted_values"
    case.expect(len(together) == len(pairs), check, f"{len(pairs)} results for so many pairs", f"{len(together)}")
    for (one, other), values in zip(pairs, together, strict=False):
        if values is None:
            continue
        on = f"pair {(one, other)} of {len(states)} representations"
        if tuple(values.shape) != (len(orders),):
            case.violate(check, f"one value for each of {len(orders)} orders", f"shape {tuple(values.shape)}", on)
            continue
        with case.calling():
            (alone,) = case.measure.permuted_values(states, [(one, other)], orders, map)
        is_same = alone is not None and torch.equal(alone, values)
        case.expect(is_same, check, f"the same bits without other pairs, {values.tolist()}", str(alone), on)
        for order, value in zip(orders, values.tolist(), strict=True):
            expected = case.value(arrays[one], arrays[other][order.numpy()])
            what = "the value of rows in that order that are prepared"
            case.expect_same(check, expected, value, what, on)


def _doubled(case: Case, R: Matrix, S: Matrix) -> float:
    """Return the value where every sample is there twice, as intervals have it computed."""
    if _defines(case, "resampled_values"):
        counts = torch.full((1, len(R)), 2.0, dtype=torch.float64)
        states = case.prepared(R, S)
        with case.calling():
            (values,) = case.measure.resampled_values(states, [(0, 1)], counts, map)
        if values is not None:
            (value,) = values.tolist()
            if not np.isfinite(value):
                raise CallError(repr(value))
            return float(value)
    return case.value(np.vstack([R, R]), np.vstack([S, S]))
