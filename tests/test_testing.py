"""The conformance kit passes what is right and names what is wrong."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np
import pytest

import resi
from resi import registry
from resi.errors import FactError
from resi.measures.base import Measure
from resi.measures.homology.topology import GeometryScore
from resi.testing import MeasureCheckError, SlowMeasureWarning, check_measure
from tests.conftest import REPOSITORY


@dataclass
class FewDraws(GeometryScore):
    """Geometry score on average over fewer draws, each of which is invariant as all of them are."""

    draws: int = 10


@pytest.mark.filterwarnings("ignore::resi.testing.SlowMeasureWarning")  # on a machine that is busy
@pytest.mark.parametrize("name", registry.measures())
def test_every_registered_measure_conforms(name: str) -> None:
    measure = registry.measures().get(name)
    check_measure(FewDraws if measure is GeometryScore else measure)


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


def norms(R, S, _shape):
    return float((R.norm() - S.norm()).abs())


def shift(R, S, _shape):
    return float((R.mean() - S.mean()).abs())


@pytest.mark.parametrize(
    ("function", "facts", "message"),
    [
        (norms, {"larger_is_more_similar": True}, "norms: expected larger values for more similar representations"),
        (lambda *given: -norms(*given), {}, "norms: expected smaller values for more similar representations"),
        (lambda *given: norms(*given) ** 2, {"metric": True}, "norms: expected metric: the triangle inequality"),
        (lambda *given: shift(*given) ** 2, {"metric": True}, "norms: expected metric: the triangle inequality"),
        (lambda R, S, _: norms(R.sub_(1), S, _), {}, "norms writes to what it was given"),
        (lambda R, S, _: norms(R, S - S.numpy().sort(0), _), {}, "found MeasureError|TypeError"),
    ],
)
def test_what_is_not_as_declared_is_found(function, facts, message: str) -> None:
    check_measure(resi.as_measure(norms, name="norms", larger_is_more_similar=False, metric=True, self_value=0.0))
    facts = {"larger_is_more_similar": False, **facts}
    with pytest.raises(MeasureCheckError, match=message):
        check_measure(resi.as_measure(function, name="norms", **facts))


def test_a_slow_measure_is_warned_about_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.75)
    monkeypatch.setattr("resi.testing.measures.time.perf_counter", lambda: next(ticks))
    with pytest.warns(SlowMeasureWarning, match=r"norms: its fastest call takes 0\.75 s for 40 samples of 6 features"):
        check_measure(resi.as_measure(norms, name="norms", larger_is_more_similar=False, symmetric=False))


def test_published_names_of_facts_are_understood() -> None:
    facts = {"is_symmetric": False, "is_metric": None, "invariant_to_ortho": True, "invariant_to_translation": False}
    measure = resi.as_measure(norms, name="norms", larger_is_more_similar=False, **facts)
    assert (measure.symmetric, measure.metric, measure.invariances) == (False, False, {"orthogonal"})


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"symetric": False}, "measure norms: unknown fact 'symetric'; did you mean 'symmetric'?"),
        ({"invariant_to_rotation": True}, "measure norms: unknown fact 'invariant_to_rotation'; did you mean"),
        ({"is_symmetric": True, "symmetric": True}, "measure norms: 'symmetric' is given by two names"),
        ({"metric": True, "self_value": 1.0}, "measure norms: a metric is a symmetric distance"),
        ({"symmetric": "no"}, "measure norms: class attribute 'symmetric' must be a bool, not 'no'"),
    ],
)
def test_misspelt_and_contradicting_facts_are_errors(facts, message: str) -> None:
    with pytest.raises(FactError, match=re.escape(message)):
        resi.as_measure(norms, name="norms", larger_is_more_similar=False, **facts)


def test_the_measure_that_the_readme_shows_conforms() -> None:
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("## Your own measure")[1]
    names: dict[str, object] = {"__name__": "readme"}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)
    (measure,) = names["resi_measures"]()
    check_measure(measure)
    assert measure().evaluate(np.zeros((4, 2)), np.ones((4, 3))) > 0
