"""A value is that of its definition for the numbers given, whatever their precision, size, rank and place in memory."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import resi
from resi.errors import DegenerateInputError
from resi.measures.shared.distances import tie_width
from tests.exact.definitions import DEFINITIONS, NoValueError, Ranks, exact
from tests.measures.samples import MEASURES, parameters

from .cases import Case, Side, cases

if TYPE_CHECKING:
    from .conftest import Search

# Their products are computed in single precision where both arrays have no more: six digits.
SINGLE_PRODUCTS = {"angular_shape", "normalized_procrustes", "permutation_procrustes", "procrustes"}
# They depend on which small singular values count, and so on what the numbers were before they were rounded.
BY_RANK = {"pwcca", "linear_regression", "gulp", "eigenspace_overlap", "aligned_cosine", "svcca"}
# They order rows by their distance.
BY_NEIGHBOURS = {"imd", "jaccard", "rank_similarity", "second_order_cosine"}
SHARES = (1.0, 0.8, 1.25)
DOUBLE = 2.0**-52
AS_MUCH = 100
"""An error may be that many times what rounding the input once more would do."""
DIGITS = 1e-10
SIZES = {"gulp": 1.0, "imd": 1.0}
"""Values below this count as small; of other measures, below 0.001."""


def allowed(name: str, case: Case) -> float:
    """Return the relative error that a measure may have on ordinary data of this precision."""
    is_single = min(case.R.epsilon, case.S.epsilon) > DOUBLE and name in SINGLE_PRODUCTS
    return 2e-6 if is_single else DIGITS


def by_definition(name: str, R: Any, S: Any, ranks: Ranks, **more: Any) -> float:
    given = {"k": 5} if MEASURES[name].family == "neighbours" else {}
    try:
        return float(DEFINITIONS[name](R, S, ranks, **given, **more))
    except NoValueError:
        return math.nan


def stated(share: float) -> Any:
    """Return a share of the width within which distances are the same."""

    def width(squares: Any, sums: Any, n_features: int, sizes: Any) -> Any:
        return share * tie_width(*map(torch.from_numpy, (squares, sums)), n_features, torch.from_numpy(sizes)).numpy()

    return width


def moved(side: Side, epsilon: float, rng: np.random.Generator) -> Any:
    """Return a side's numbers, each changed by at most a share epsilon."""
    return side.numbers * exact(1 + epsilon * rng.uniform(-1, 1, side.numbers.shape))


def sensitivity(name: str, case: Case, epsilons: tuple[float, float], ranks: Ranks) -> float:
    """Return the largest change of a value when its input is rounded, nan if the value disappears."""
    rng = np.random.default_rng(0)
    middle = by_definition(name, case.R.numbers, case.S.numbers, ranks)
    changes = []
    for _ in range(3):
        R, S = (moved(side, epsilon, rng) for side, epsilon in zip((case.R, case.S), epsilons, strict=True))
        changes.append(abs(by_definition(name, R, S, ranks) - middle))
    return float(np.max(changes))


def excess(name: str, found: float, case: Case) -> float:
    """Return the error of a value as a share of what is allowed, for the numbers given or those before rounding."""
    shares = []
    tries: list[tuple[tuple[float, float], Ranks]] = [((DOUBLE, DOUBLE), Ranks())]
    if name in BY_RANK:
        tries += [((case.R.epsilon, case.S.epsilon), ranks) for ranks in case.possible_ranks()]
    for epsilons, ranks in tries:
        expected = by_definition(name, case.R.numbers, case.S.numbers, ranks)
        if math.isnan(expected):
            continue
        tolerance = allowed(name, case) * max(abs(expected), SIZES.get(name, 1e-3))
        if abs(found - expected) > tolerance:
            tolerance += AS_MUCH * sensitivity(name, case, epsilons, ranks)
        shares.append(0.0 if math.isnan(tolerance) else abs(found - expected) / tolerance)
        if shares[-1] <= 1:
            break
    if name in BY_NEIGHBOURS and min(shares, default=0.0) > 1:
        # Which distances may be the same but for rounding is stated; rounding itself is a part of that width.
        others = [by_definition(name, case.R.numbers, case.S.numbers, Ranks(), width=stated(part)) for part in SHARES]
        shares += [abs(found - other) / (DIGITS * max(abs(other), SIZES.get(name, 1e-3))) for other in others]
    return min(shares, default=0.0)


def may_be_undefined(name: str, case: Case) -> bool:
    """Return whether the precision of the numbers leaves a value open, or there is none by definition."""
    expected = by_definition(name, case.R.numbers, case.S.numbers, Ranks())
    if math.isnan(expected):
        return True
    change = sensitivity(name, case, (4 * case.R.epsilon, 4 * case.S.epsilon), Ranks())
    return not change < 1e-2 * max(abs(expected), 1e-3)


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_a_value_is_that_of_its_definition(name: str, search: Search) -> None:
    tally = search.tallies["definition", name]

    def check(case: Case) -> None:
        tally.examples += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                found = resi.compare(case.R.array, case.S.array, name, **parameters(MEASURES[name]))
        except DegenerateInputError as reason:
            tally.undefined += 1
            assert may_be_undefined(name, case), f"undefined, without need: {reason}"
            return
        assert math.isfinite(found)
        share = excess(name, found, case)
        tally.largest = max(tally.largest, share)
        expected = by_definition(name, case.R.numbers, case.S.numbers, Ranks())
        assert share <= 1, f"{found!r} instead of {expected!r}"

    search.run(check, cases(), few=3, parts=len(DEFINITIONS))
