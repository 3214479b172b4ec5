"""Samples in another order and samples that are there several times: what chance levels and intervals are made of."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.measures.base import Measure
from resi.randomness import generator
from resi.testing.measures.case import CallError, shown
from resi.testing.measures.report import Remark

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from resi.testing.measures.case import Case
    from resi.testing.measures.samples import Matrix, Pair
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


def check_drawn(case: Case) -> None:
    """Check values of samples that are drawn, with copies where ``copies`` says so, and else half of them.

    ``resampled_values``, where a measure has it, has to give what preparing and comparing the drawn rows gives.
    """
    check = "copies" if case.measure.copies else "half of the samples"
    pair = case.pairs[0]
    counts = [_counts(case, len(pair.R), number) for number in range(ORDERS)]
    with case.expecting(check, "a value for samples that are drawn", pair):
        try:
            expected = [_drawn(case, pair, count) for count in counts]
        except CallError as failure:
            if not failure.is_refused:
                raise
            case.skipped.append(Remark(check, f"too few: {failure.error}"))
            return
        case.passed.setdefault(check)
    if not _defines(case, "resampled_values") or check in case.violations:
        return
    with case.expecting("resampled_values", "values, or None, for each pair", pair):
        states = case.prepared(pair.R, pair.S)
        with case.calling():
            (values,) = case.measure.resampled_values(states, [(0, 1)], torch.tensor(np.array(counts)), map)
        for found, value in zip([] if values is None else values.tolist(), expected, strict=values is not None):
            what = f"the value of rows that are drawn and prepared, {shown(value)}"
            case.expect(case.close(value, found, SIX_DIGITS), "resampled_values", what, shown(found), pair)


def _counts(case: Case, n_samples: int, number: int) -> Matrix:
    """Return how often each sample is in a draw."""
    rng = generator(case.seed, "check_measure draw", number)
    if case.measure.copies:
        return np.bincount(rng.integers(0, n_samples, n_samples), minlength=n_samples).astype(float)
    return np.isin(np.arange(n_samples), rng.permutation(n_samples)[: n_samples // 2]).astype(float)


def _drawn(case: Case, pair: Pair, counts: Matrix) -> float:
    rows = np.repeat(np.arange(len(counts)), counts.astype(int))
    return case.value(pair.R[rows], pair.S[rows])


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
