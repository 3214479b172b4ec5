"""The conformance kit passes what is right and names what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import resi
from resi import registry
from resi.measures.base import Measure
from resi.testing import MeasureCheckError, check_measure


@pytest.mark.parametrize("name", registry.measures())
def test_every_registered_measure_conforms(name: str) -> None:
    check_measure(registry.measures().get(name))


def mean_difference(**facts) -> type[Measure]:
    def difference(R, S, _shape):
        return float(R.mean() - S.mean())

    facts = {"larger_is_more_similar": False, "symmetric": False, **facts}
    return resi.as_measure(difference, name="difference", **facts)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"symmetric": True}, "difference: expected symmetric, found"),
        ({"self_value": 1.0}, r"difference: expected self_value = 1\.0, found 0\.0 instead of 1\.0"),
        ({"invariances": frozenset({"translation"})}, "difference: expected invariant to translation"),
        ({"invariances": frozenset({"orthogonal"})}, "difference: expected invariant to orthogonal"),
    ],
)
def test_a_wrong_fact_is_named(facts, message: str) -> None:
    check_measure(mean_difference())
    with pytest.raises(MeasureCheckError, match=message):
        check_measure(mean_difference(**facts))


def test_a_false_metric_is_found() -> None:
    squared = resi.as_measure(
        lambda R, S, _shape: float((R.norm() ** 2 - S.norm() ** 2) ** 2 * (R.shape[1] == S.shape[1])),
        name="squared",
        larger_is_more_similar=False,
        metric=True,
    )
    with pytest.raises(MeasureCheckError, match=r"squared: expected metric: the triangle inequality"):
        check_measure(squared)


def test_what_is_no_measure_is_named() -> None:
    @dataclass
    class Nameless(Measure):
        larger_is_more_similar = True

    with pytest.raises(MeasureCheckError, match="class attribute 'name' must be a str"):
        check_measure(Nameless)


def test_failures_nan_and_state_between_calls_are_found() -> None:
    calls = []
    for function, message in (
        (lambda R, S, _: 1 / 0, "found ZeroDivisionError"),
        (lambda R, S, _: float("nan"), "found nan"),
        (lambda R, S, _: float(len(calls) or calls.append(0) or 0), "the same number again"),
    ):
        with pytest.raises(MeasureCheckError, match=message):
            check_measure(resi.as_measure(function, name="bad", larger_is_more_similar=True))
