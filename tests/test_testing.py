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
from resi.measures.base import Measure, check_facts, fact_problems
from resi.measures.functions import from_function
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


def test_what_is_no_measure_is_named() -> None:
    @dataclass
    class Nameless(Measure):
        larger_is_more_similar = True

    with pytest.raises(MeasureCheckError, match="class attribute 'name' must be a str"):
        check_measure(Nameless)


def norms(R, S, _shape):
    return float((R.norm() - S.norm()).abs())


def test_a_slow_measure_is_warned_about_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.75)
    monkeypatch.setattr("resi.testing.measures.case.time.perf_counter", lambda: next(ticks))
    with pytest.warns(SlowMeasureWarning, match=r"norms: its fastest call takes 0\.75 s for 30 samples of 6 features"):
        check_measure(resi.as_measure(norms, name="norms", larger_is_more_similar=False, symmetric=False))


def test_published_names_of_facts_are_understood_in_a_class() -> None:
    @dataclass
    class Published(Measure):
        name = "published"
        larger_is_more_similar = False
        is_symmetric = False
        is_metric = None
        invariant_to_ortho = True
        invariant_to_translation = False

        def __call__(self, R, S):
            return norms(R, S, "nd")

    @dataclass
    class Less(Published):
        invariances = frozenset({"permutation", "orthogonal"})
        is_symmetric = True

    @dataclass
    class Fewer(Less):
        invariant_to_ortho = False

    check_facts(Published)
    assert (Published.symmetric, Published.metric, Published.invariances) == (False, False, {"orthogonal"})
    assert (Less.symmetric, Less.invariances) == (True, {"permutation", "orthogonal"})
    assert Fewer.invariances == {"permutation"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"larger_is_more_simlar": True}, "class attribute 'larger_is_more_simlar' is not a fact"),
        ({"invariance": {"translation"}}, "'invariance' is not a fact; did you mean 'invariances'?"),
        ({"is_metrics": False}, "'is_metrics' is not a fact; did you mean 'is_metric'?"),
        ({"invariant_to_translations": True}, "did you mean 'invariant_to_translation'?"),
        ({"prepare_bytes": lambda self, n, d: 8}, "nothing calls 'prepare_bytes'; did you mean 'prepared_bytes'?"),
        ({"symmetric": True, "is_symmetric": False}, "'is_symmetric' and 'symmetric' contradict each other"),
        (
            {"invariances": {"translation"}, "invariant_to_translation": False},
            "and 'invariances' contradict each other",
        ),
        ({"knows_direction": None}, "class attribute 'knows_direction' must be a bool, not None"),
        ({"know_direction": False}, "'know_direction' is not a fact; did you mean 'knows_direction'?"),
        ({"resolution": 2.0}, "resolution must be a share from 0 to below 1, not 2.0"),
    ],
)
def test_every_misspelt_or_contradicting_fact_of_a_class_is_named(body, message: str) -> None:
    facts = {"name": "own", "larger_is_more_similar": False, "version": "1", "compare": lambda self, a, b: 0.0}
    measure = dataclass(type("Own", (Measure,), {**facts, **body}))
    with pytest.raises(MeasureCheckError) as caught:
        check_measure(measure)
    assert message in str(caught.value)
    assert "'version' must be an int, not '1'" in str(caught.value)


def test_facts_of_a_class_that_is_mixed_in_count() -> None:
    class Mixed:
        is_symmetric = False
        invariant_to_translation = True

    facts = {"name": "own", "larger_is_more_similar": False, "compare": lambda self, a, b: 0.0}
    measure = dataclass(type("Own", (Mixed, Measure), facts))
    assert (measure.symmetric, measure.invariances) == (False, {"translation"})
    misspelt = dataclass(type("Own", (type("Mixed", (), {"is_metrics": True}), Measure), facts))
    assert list(fact_problems(misspelt)) == [
        "measure Own: class attribute 'is_metrics' is not a fact; did you mean 'is_metric'?"
    ]


def test_published_names_of_facts_are_understood() -> None:
    facts = {"is_symmetric": False, "is_metric": None, "invariant_to_ortho": True, "invariant_to_translation": False}
    measure = resi.as_measure(norms, name="norms", larger_is_more_similar=False, **facts)
    assert (measure.symmetric, measure.metric, measure.invariances) == (False, False, {"orthogonal"})


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"symetric": False}, "measure norms: unknown fact 'symetric'; did you mean 'symmetric'?"),
        ({"invariant_to_rotation": True}, "measure norms: unknown fact 'invariant_to_rotation'; did you mean"),
        ({"is_symmetric": True, "symmetric": True}, "measure norms: 'symmetric' is given under two names"),
        ({"metric": True, "self_value": 1.0}, "measure norms: a metric is a symmetric distance"),
        ({"symmetric": "no"}, "measure norms: class attribute 'symmetric' must be a bool, not 'no'"),
    ],
)
def test_misspelt_and_contradicting_facts_are_errors(facts, message: str) -> None:
    with pytest.raises(FactError, match=re.escape(message)):
        resi.as_measure(norms, name="norms", larger_is_more_similar=False, **facts)


def test_the_measure_that_the_readme_shows_conforms() -> None:
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("## My own measure")[1]
    names: dict[str, object] = {"__name__": "readme", "R": np.zeros((4, 2)), "S": np.ones((4, 3))}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)
    measure = from_function(names["mean_shift"])
    check_measure(measure)
    assert measure().evaluate(names["R"], names["S"]) == 1
