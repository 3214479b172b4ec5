"""What measures state about themselves holds, and they agree with their definitions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.errors import DegenerateInputError
from resi.measures.base import FAMILIES, check_facts
from resi.measures.facts import INVARIANCES

from .oracles import ORACLES
from .samples import CHANGES, KINDS, LINEAR, MEASURES, NAMES, pairs, parameters

if TYPE_CHECKING:
    from resi.measures.base import Measure

few = settings(max_examples=12, deadline=None, derandomize=True)
every_measure = pytest.mark.parametrize("measure", LINEAR, ids=NAMES)
# Neurons that all are constant carry nothing that most measures could compare.
CONSTANT_IS_UNDEFINED = {
    *("angular_shape", "cka", "distance_correlation", "gulp", "hard_correlation_match", "linear_regression"),
    *("normalized_procrustes", "pwcca", "rsa", "soft_correlation_match", "svcca"),
    *("jaccard", "rank_similarity", "second_order_cosine"),
}
ZERO_IS_UNDEFINED = CONSTANT_IS_UNDEFINED | {"aligned_cosine", "concentricity_difference", "eigenspace_overlap"}
UNDEFINED = {
    entry: f"{name} of tests/measures/test_properties.py"
    for entry, name in ((2.5, "CONSTANT_IS_UNDEFINED"), (0.0, "ZERO_IS_UNDEFINED"))
}
# Their products are computed in single precision where the arrays have no more.
SINGLE_PRODUCTS = {"angular_shape", "normalized_procrustes", "permutation_procrustes", "procrustes"}
SCALE_WITH_FEATURES = {"magnitude_difference", "permutation_procrustes", "procrustes", "rsm_norm_difference"}


def value(measure: type[Measure], R: Any, S: Any, **fields: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return measure(**(parameters(measure) | fields))(R, S)


def close(expected: float, measure: type[Measure], relative: float = 1e-8) -> Any:
    # A root of a cancelled difference stands behind a distance near zero, and an arc cosine behind an angle.
    return pytest.approx(expected, rel=relative, abs=1e-9 if measure.larger_is_more_similar else 2e-6)


def generic(seed: int = 0, widths: tuple[int, ...] = (6, 5)) -> Any:
    """Return related representations of 40 samples that have no special property."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(40, 6)) * 0.5
    made = [base @ rng.normal(size=(6, width)) + 0.3 * rng.normal(size=(40, width)) + 0.4 for width in widths]
    return [X * 0.3 * (1 + 0.2 * index) for index, X in enumerate(made)], rng


@every_measure
def test_facts(measure: type[Measure]) -> None:
    check_facts(measure)
    assert measure.family in FAMILIES
    assert measure.reference
    assert measure.cost
    assert not measure.metric or (measure.symmetric and not measure.larger_is_more_similar)
    assert measure().prepared_bytes(100, 10) >= 100 * 10 * 8


@every_measure
def test_invariances_are_complete(measure: type[Measure]) -> None:
    facts = measure.invariances
    assert "affine" not in facts or facts == set(INVARIANCES)
    assert "invertible_linear" not in facts or facts >= {"orthogonal", "isotropic_scaling"}
    assert "orthogonal" not in facts or "permutation" in facts


@pytest.mark.parametrize("name", sorted(ORACLES))
@few
@given(data=st.data())
def test_definition(name: str, data: st.DataObject) -> None:
    R, S, _ = data.draw(pairs())
    measure = MEASURES[name]
    # The oracle of canonical correlations takes them as roots.
    tolerance = 1e-6 if measure.family == "cca" else 1e-8
    expected = ORACLES[name](R, S, **parameters(measure))
    assert value(measure, R, S) == close(expected, measure, tolerance)


@pytest.mark.parametrize("name", sorted(set(ORACLES) - {"hard_correlation_match", "permutation_procrustes"}))
@few
@given(data=st.data())
def test_definition_with_fewer_samples_than_features(name: str, data: st.DataObject) -> None:
    R, S, _ = data.draw(pairs(kinds=("gaussian", "rectified", "dead"), widths=(24, 30)))
    measure = MEASURES[name]
    expected = ORACLES[name](R, S, **parameters(measure))
    assert value(measure, R, S) == close(expected, measure, 1e-6 if measure.family == "cca" else 1e-8)


@every_measure
def test_every_measure_has_an_oracle(measure: type[Measure]) -> None:
    assert measure.name in ORACLES, f"{measure.name}: add its slow formula to ORACLES of tests/measures/oracles.py"


@pytest.mark.parametrize(
    ("measure", "invariance"),
    [pytest.param(m, i, id=f"{m.name}-{i}") for m in LINEAR for i in sorted(m.invariances)],
)
@few
@given(data=st.data())
def test_invariance_holds(measure: type[Measure], invariance: str, data: st.DataObject) -> None:
    R, S, rng = data.draw(pairs(kinds=("gaussian", "deficient", "dead")))
    expected = close(value(measure, R, S), measure, 1e-6)
    change = CHANGES[invariance]
    assert value(measure, change(R, rng), S) == expected
    assert value(measure, R, change(S, rng)) == expected


@pytest.mark.parametrize(
    ("measure", "invariance"),
    [pytest.param(m, i, id=f"{m.name}-{i}") for m in LINEAR for i in sorted(set(INVARIANCES) - m.invariances)],
)
def test_no_more_invariances_hold(measure: type[Measure], invariance: str) -> None:
    (R, S), rng = generic()
    change = CHANGES[invariance]
    expected = value(measure, R, S)
    changed = [value(measure, change(R, rng), S), value(measure, R, change(S, rng))]
    assert max(abs(new - expected) for new in changed) > 1e-3 * abs(expected)


@every_measure
@few
@given(data=st.data())
def test_symmetry(measure: type[Measure], data: st.DataObject) -> None:
    if measure.symmetric:
        R, S, _ = data.draw(pairs())
        assert value(measure, R, S) == close(value(measure, S, R), measure)
    else:
        (R, S), _ = generic(data.draw(st.integers(0, 5)), widths=(6, 6))
        assert abs(value(measure, R, S) - value(measure, S, R)) > 1e-3


@every_measure
@few
@given(data=st.data())
def test_self_value(measure: type[Measure], data: st.DataObject) -> None:
    R, _, _ = data.draw(pairs(widths=(3, 30)))
    if measure.self_value is not None:
        assert value(measure, R, R) == pytest.approx(measure.self_value, abs=2e-6)
        assert value(measure, R, R.copy()) == pytest.approx(measure.self_value, abs=2e-6)


@pytest.mark.parametrize("name", [m.name for m in LINEAR if m.self_value is None])
def test_no_self_value(name: str) -> None:
    rng = np.random.default_rng(0)
    values = [value(MEASURES[name], R, R) for R in (KINDS[kind](rng, 30, 6) for kind in ("gaussian", "dead"))]
    values.append(value(MEASURES[name], *[KINDS["deficient"](rng, 30, 6)] * 2))
    assert max(values) - min(values) > 0.1


@every_measure
@few
@given(data=st.data())
def test_order_of_samples_does_not_matter(measure: type[Measure], data: st.DataObject) -> None:
    R, S, rng = data.draw(pairs(kinds=("gaussian", "deficient", "dead"), widths=(3, 25)))
    order = rng.permutation(len(R))
    assert value(measure, R[order], S[order]) == close(value(measure, R, S), measure, 1e-7)


@pytest.mark.parametrize("measure", [m for m in LINEAR if m.metric], ids=lambda m: m.name)
@few
@given(data=st.data())
def test_triangle_inequality(measure: type[Measure], data: st.DataObject) -> None:
    R, S, rng = data.draw(pairs())
    T = (R[:, :2] + 0.3 * S[:, :2]) @ rng.normal(size=(2, data.draw(st.integers(1, 6))))
    assert value(measure, R, T) <= value(measure, R, S) + value(measure, S, T) + 1e-9


def test_gulp_is_the_square_of_a_metric() -> None:
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3)) - 0)[0]
    axes = np.linalg.qr(axes - axes.mean(0))[0]
    R, S, T = (axes[:, :1] * np.cos(t) + axes[:, 1:2] * np.sin(t) for t in np.radians([0, 30, 60]))
    RS, ST, RT = (value(MEASURES["gulp"], *pair) for pair in ((R, S), (S, T), (R, T)))
    assert RT > RS + ST + 0.1
    assert np.sqrt(RT) <= np.sqrt(RS) + np.sqrt(ST)


@pytest.mark.parametrize("regularization", [0.01, 1.0, 100.0])
def test_regularized_gulp(regularization: float) -> None:
    (R, S), rng = generic()
    found = value(MEASURES["gulp"], R, S, regularization=regularization)
    assert found == pytest.approx(ORACLES["gulp"](R, S, regularization), rel=1e-9)
    for change in ("orthogonal", "isotropic_scaling", "translation"):
        changed = value(MEASURES["gulp"], CHANGES[change](R, rng), S, regularization=regularization)
        assert changed == pytest.approx(found, rel=1e-9)


@every_measure
@pytest.mark.parametrize("widths", [(6, 5), (60, 50)], ids=["tall", "wide"])
def test_precision(measure: type[Measure], widths: tuple[int, int]) -> None:
    (R, S), _ = generic(widths=widths)
    expected = value(measure, R, S)
    single = value(measure, torch.tensor(R).float(), S.astype(np.float32))
    # Half precision moves neighbours, small distances and the smallest directions visibly.
    assert single == pytest.approx(expected, rel=1e-3, abs=1e-5)
    half = [torch.tensor(X).bfloat16() for X in (R, S)]
    rounded = value(measure, *half)
    in_double = value(measure, *(X.double() for X in half))
    if measure.name in SINGLE_PRODUCTS:
        assert rounded == pytest.approx(in_double, rel=1e-6)
    elif measure.name == "svcca":  # fewer directions are found, of which none counts here, and sums are shorter
        assert rounded == pytest.approx(in_double, rel=1e-13)
    else:
        assert rounded == in_double
    assert rounded == pytest.approx(expected, rel=0.3, abs=0.1)


@every_measure
@pytest.mark.parametrize("factors", [(1e150, 1e150), (1e-150, 1e-150), (1e150, 1e-150)])
def test_very_large_and_very_small_features(measure: type[Measure], factors: tuple[float, float]) -> None:
    (R, S), _ = generic()
    found = value(measure, R * factors[0], S * factors[1])
    if "isotropic_scaling" in measure.invariances:
        assert found == close(value(measure, R, S), measure)
    elif measure.name in SCALE_WITH_FEATURES and factors[0] == factors[1]:
        assert found == pytest.approx(factors[0] * value(measure, R, S), rel=1e-9)
    else:
        assert np.isfinite(found)


@every_measure
@pytest.mark.parametrize(("entry", "undefined"), [(2.5, CONSTANT_IS_UNDEFINED), (0.0, ZERO_IS_UNDEFINED)])
def test_constant_representation(measure: type[Measure], entry: float, undefined: set[str]) -> None:
    (R, S), _ = generic()
    constant = np.full_like(S, entry)
    for pair in ((R, constant), (constant, R), (constant, constant)):
        what = f"{measure.name} of a representation whose entries all are {entry}"
        try:
            found = value(measure, *pair)
        except DegenerateInputError as error:
            if measure.name not in undefined:
                pytest.fail(f"{what} is undefined ({error}); if it should be, add the name to {UNDEFINED[entry]}")
        else:
            assert measure.name not in undefined, (
                f"{what} is {found}; if it should be, remove the name from {UNDEFINED[entry]}"
            )
            assert np.isfinite(found), f"{what} is {found}; raise DegenerateInputError where there is no value"


@every_measure
@pytest.mark.parametrize("kind", KINDS)
def test_far_from_zero(measure: type[Measure], kind: str) -> None:
    """Rounding around a distant mean adds no direction and breaks no tie."""
    rng = np.random.default_rng(3)
    R, S = (KINDS[kind](rng, 30, 6) for _ in range(2))
    if "translation" in measure.invariances:
        assert value(measure, R + 1e5, S) == pytest.approx(value(measure, R, S), rel=1e-5, abs=1e-4)
