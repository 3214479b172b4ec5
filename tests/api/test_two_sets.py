"""Pairs of one set and of two, measures of any kind, and layouts."""

from __future__ import annotations

import itertools
import pickle
import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi import registry
from resi.engine.execution import Engine
from resi.errors import FactError, MeasureError, ShapeError, UsageError
from resi.extraction.collection import Representations
from resi.measures.base import Measure
from resi.results.schema import PAIRWISE

RNG = np.random.default_rng(5)
ARRAYS = {name: RNG.normal(size=(30, width)) for name, width in zip("abcde", (4, 5, 3, 6, 4), strict=True)}


def some(names: str) -> dict[str, np.ndarray]:
    return {name: ARRAYS[name] for name in names}


@dataclass
class Halves(Measure):
    """Counts what is prepared; the second argument counts half."""

    name = "halves"
    larger_is_more_similar = False
    symmetric = False
    scale: float = 1.0
    prepared: ClassVar[Counter] = Counter()

    def prepare(self, x):
        self.prepared[x.matrix.shape[1], float(x.matrix[0, 0])] += 1
        return float(x.matrix.sum())

    def compare(self, a, b):
        return self.scale * (a + b / 2)


def total(R, S):
    """Return the difference of sums."""
    return float(R.sum() - S.sum())


# Which pairs there are


def test_each_of_one_set_is_compared_with_each_of_the_other_once() -> None:
    Halves.prepared.clear()
    frame = resi.pairwise(some("ab"), some("cde"), ["rsa", "linear_regression", Halves])
    expected = [
        (source, target, measure)
        for measure in ("rsa", "linear_regression", "halves")
        for source, target in itertools.product("ab", "cde")
    ]
    assert frame.select("source", "target", "measure").rows() == expected
    for source, target, measure, value in frame.select("source", "target", "measure", "value").iter_rows():
        kind = Halves if measure == "halves" else measure
        assert value == pytest.approx(resi.compare(ARRAYS[source], ARRAYS[target], kind), rel=1e-12)
    # Five representations, and five single comparisons of each pair's two sides.
    Halves.prepared.clear()
    resi.pairwise(some("ab"), some("cde"), [Halves])
    assert set(Halves.prepared.values()) == {1}
    assert len(Halves.prepared) == 5


def test_nothing_but_the_pairs_of_two_sets_reaches_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    run = Engine.run
    monkeypatch.setattr(
        Engine, "run", lambda self, tasks, items: seen.append((len(tasks), len(items))) or run(self, tasks, items)
    )
    resi.pairwise(some("ab"), some("cde"), ["cka"])
    shared = some("abc")
    resi.pairwise(shared, shared, ["cka"])  # what stands in both sets is prepared once
    assert seen == [(6, 5), (9, 3)]


def test_two_sets_may_use_the_same_names_for_other_arrays() -> None:
    first, second = {"x": ARRAYS["a"], "y": ARRAYS["b"]}, {"x": ARRAYS["c"], "y": ARRAYS["d"]}
    frame = resi.pairwise(first, second, "cka")
    expected = [resi.compare(R, S) for R, S in itertools.product(first.values(), second.values())]
    assert frame["value"].to_list() == pytest.approx(expected, rel=1e-12)
    assert resi.matrix(frame) == pytest.approx(np.reshape(expected, (2, 2)), rel=1e-12)


def test_the_diagonal_on_request() -> None:
    frame = resi.pairwise(some("abc"), ["cka", "linear_regression"], diagonal=True)
    pairs = {name: rows.select("source", "target").rows() for (name,), rows in frame.group_by("measure")}
    assert pairs["cka"] == list(itertools.combinations_with_replacement("abc", 2))
    assert pairs["linear_regression"] == list(itertools.product("abc", repeat=2))
    assert frame.filter(measure="cka", source="b", target="b")["value"][0] == pytest.approx(1)
    with pytest.raises(UsageError, match="diagonal=True needs a single set"):
        resi.pairwise(some("ab"), some("c"), diagonal=True)


def test_an_array_of_either_set_that_cannot_be_compared_fails_its_own_pairs() -> None:
    bad = np.full((30, 2), np.nan)
    frame = resi.pairwise(some("ab"), {"c": ARRAYS["c"], "bad": bad})
    assert dict(frame.select("target", "status").iter_rows()) == {"c": "ok", "bad": "failed"}
    assert set(frame.filter(target="bad")["error"]) == {
        "ShapeError: pairwise: bad of shape (30, 2) holds 60 NaN or infinite values"
    }
    with pytest.raises(ShapeError, match="worse of shape"):
        resi.pairwise({"bad": bad}, {"worse": bad})
    for empty in (resi.pairwise({}), resi.pairwise(some("a")), resi.pairwise(some("a"), others={})):
        assert dict(empty.schema) == PAIRWISE
        assert empty.is_empty()


# Measures


def test_measures_that_nobody_registered() -> None:
    shift = resi.as_measure(lambda R, S, shape: total(R, S), name="shift", larger_is_more_similar=False)
    given = ["cka", Halves, total, shift]
    frame = resi.pairwise(some("ab"), measures=given)
    a, b = ARRAYS["a"].sum(), ARRAYS["b"].sum()
    found = {
        row[:3]: row[3:]
        for row in frame.select("measure", "source", "target", "value", "larger_is_more_similar").rows()
    }
    assert found == {
        ("cka", "a", "b"): (pytest.approx(resi.compare(ARRAYS["a"], ARRAYS["b"])), True),
        ("halves", "a", "b"): (pytest.approx(a + b / 2), False),
        ("halves", "b", "a"): (pytest.approx(b + a / 2), False),
        ("total", "a", "b"): (pytest.approx(a - b), None),
        ("total", "b", "a"): (pytest.approx(b - a), None),
        ("shift", "a", "b"): (pytest.approx(a - b), False),
    }
    assert resi.compare(ARRAYS["a"], ARRAYS["b"], total) == pytest.approx(a - b)
    assert resi.compare(ARRAYS["a"], ARRAYS["b"], Halves, scale=2.0) == pytest.approx(2 * a + b)
    assert resi.compare(ARRAYS["a"], ARRAYS["b"], Halves(3.0)) == pytest.approx(3 * a + 1.5 * b)
    assert resi.compare(ARRAYS["a"], ARRAYS["b"], lambda R, S: 7) == 7


def test_one_measure_with_several_parameters_and_names_of_ones_own() -> None:
    jaccard = registry.measures().get("jaccard")
    chosen = {"few": jaccard(k=3), "many": jaccard(k=10), "same": jaccard(k=3), "My sum": total, Halves: {"scale": 2.0}}
    frame = resi.pairwise(some("ab"), chosen).unique("measure", keep="first", maintain_order=True)
    values = dict(frame.select("measure", "value").iter_rows())
    assert values["few"] == values["same"] == resi.compare(ARRAYS["a"], ARRAYS["b"], "jaccard", k=3)
    assert values["many"] == resi.compare(ARRAYS["a"], ARRAYS["b"], "jaccard", k=10)
    assert list(values) == ["few", "many", "same", "My sum", "halves"]
    assert values["halves"] == pytest.approx(2 * ARRAYS["a"].sum() + ARRAYS["b"].sum())


def test_functions_get_the_parameters_and_the_shape_that_they_ask_for() -> None:
    def scaled(R, S, by=1.0):
        return by * total(R, S)

    def shaped(R, S, shape):
        return float(len(shape)) + R.dtype.itemsize

    difference = ARRAYS["a"].sum() - ARRAYS["b"].sum()
    R, S = ARRAYS["a"], ARRAYS["b"]
    assert resi.compare(R, S, scaled) == pytest.approx(difference)
    assert resi.compare(R, S, scaled, by=3) == pytest.approx(3 * difference)
    assert resi.pairwise({"a": R, "b": S}, {scaled: {"by": 2}})["value"][0] == pytest.approx(2 * difference)
    assert resi.compare(R, S, shaped) == 2 + 8


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        ([lambda R, S: 1.0], "has no name; give it one: measures={'my_measure': ...}"),
        ({total: {"by": 2}}, "total: expected a function of R and S, and its parameters: got an unexpected keyword"),
        ([lambda: 1.0, 3], "has no name"),
        ([np.zeros((9, 9))], "expected the name of a measure, not array([[0., 0., 0., 0.,"),
        ([3], "expected the name of a measure, not 3; or a class derived from resi.Measure"),
        ({"mine": "cka"}, "measures: 'mine': expected its parameters, or a class derived"),
        ([Halves(1.0), Halves(2.0)], "two measures have the name 'halves'; give each its own"),
        ([Halves, "nothing"], "unknown measure 'nothing'"),
        ({Halves: {"scal": 2.0}}, "unknown parameter of halves 'scal'; did you mean scale?"),
        ({Halves: {"scale": "big"}}, "halves: scale='big': expected a value such as 1.0"),
    ],
)
def test_what_is_no_measure_is_named(measures, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        resi.pairwise(some("ab"), measures=measures)
    assert "\n" not in str(error.value)


def test_a_class_with_a_wrong_fact_is_refused_before_anything_is_compared() -> None:
    class Unfinished(Measure):
        name = "unfinished"

        def compare(self, a, b):
            return 0.0

    with pytest.raises(FactError, match="'larger_is_more_similar' must be a bool"):
        resi.pairwise(some("ab"), [Unfinished])
    with pytest.raises(UsageError, match="scale was given with an instance; set it on the instance"):
        resi.compare(ARRAYS["a"], ARRAYS["b"], Halves(), scale=2.0)
    with pytest.raises(UsageError, match="measures are given twice"):
        resi.pairwise(some("ab"), ["cka"], ["rsa"])


def test_a_function_that_writes_to_what_it_is_given_fails_alone() -> None:
    def centred(R, S):
        R -= R.mean(0)
        return 1.0

    frame = resi.pairwise(some("ab"), ["cka", centred])
    assert frame["status"].to_list() == ["ok", "failed", "failed"]
    assert "centred writes to its input" in frame["error"][1]


# Layouts and collections


def test_layouts_are_stated_for_all_by_name_or_by_the_number_of_axes() -> None:
    tokens, maps = RNG.normal(size=(10, 3, 4)), RNG.normal(size=(10, 2, 3, 3))
    given = {"flat": RNG.normal(size=(10, 5)), "maps": maps, "other": maps[:, :1]}
    expected = resi.pairwise(given, "cka", shape="nchw").drop("seconds")
    assert resi.pairwise(given, "cka", shape="auto").drop("seconds").equals(expected)
    assert resi.pairwise(given, "cka", shape={"maps": "nchw", "other": "nchw"}).drop("seconds").equals(expected)
    mixed = resi.pairwise({"t": tokens, "u": tokens + 1, "m": maps}, "cka", shape="auto")
    assert mixed["status"].to_list() == ["ok", "failed", "failed"]
    assert "ntd and nchw cannot be compared" in mixed["error"][1]
    assert resi.compare(tokens, tokens[:, :, :2], shape="auto") == resi.compare(tokens, tokens[:, :, :2], shape="ntd")
    # Three axes may be many things: nothing is assumed.
    frame = resi.pairwise({**some("ab"), "t": np.ones((30, 2, 2))}, "cka")
    assert "shape='nd' needs 2 axes" in frame.filter(target="t")["error"][0]
    with pytest.raises(UsageError, match=r"unknown representation in shape= 'map'; did you mean maps"):
        resi.pairwise(given, "cka", shape={"map": "nchw"})
    with pytest.raises(ShapeError, match="unknown shape 'nwc' of flat"):
        resi.pairwise(given, "cka", shape="nwc")


def collection(name: str, shift: float, samples=None) -> Representations:
    tensors = {
        "conv": torch.from_numpy(np.random.default_rng(1).normal(size=(12, 2, 3, 3)) + shift),
        "fc": torch.from_numpy(np.random.default_rng(2).normal(size=(12, 4)) * (1 + shift)),
    }
    return Representations.from_tensors(tensors, samples, {"conv": "nchw"}, name)


def test_collections_carry_their_layouts_and_layers() -> None:
    one, other = collection("one", 0.0), collection("other", 0.5)
    frame = resi.pairwise(one, other, "cka")
    expected = [[resi.compare(one[i], other[j], shape="nchw") for j in other] for i in one]
    assert resi.matrix(frame, labels=True)[1:] == (["conv", "fc"], ["conv", "fc"])
    assert resi.matrix(frame) == pytest.approx(np.array(expected), rel=1e-9)
    both = resi.pairwise({"r18": one, "r34": other, "plain": one["fc"].numpy()}, "cka")
    labels = resi.matrix(both, labels=True).rows
    assert labels == ["r18:conv", "r18:fc", "r34:conv", "r34:fc", "plain"]
    nested = resi.pairwise({"r18": dict(one), "r34": {"fc": other["fc"]}}, "cka", shape={"r18:conv": "nchw"})
    assert resi.matrix(nested, labels=True).rows == ["r18:conv", "r18:fc", "r34:fc"]
    assert resi.compare(one.layers["conv"], other.layers["conv"]) == pytest.approx(expected[0][0], rel=1e-9)


def test_one_layer_stands_for_its_collection() -> None:
    one = Representations.from_tensors({"fc": torch.from_numpy(ARRAYS["a"])}, [f"s{row}" for row in range(30)])
    other = Representations.from_tensors({"fc": torch.from_numpy(ARRAYS["b"])}, [f"s{row}" for row in range(30)])
    expected = pytest.approx(resi.compare(ARRAYS["a"], ARRAYS["b"]), rel=1e-12)
    assert resi.compare(one, other) == resi.compare(one, ARRAYS["b"]) == expected
    with pytest.raises(
        UsageError, match=r"compare: S has 2 layers: conv, fc; take one, S.layers\[...\], or compare all"
    ):
        resi.compare(one, collection("two", 0.0))


def test_names_and_measures_of_any_iterable_kind() -> None:
    expected = resi.pairwise(some("ab"), ["cka", "rsa"]).drop("seconds")
    for measures in (("cka", "rsa"), {"cka": {}, "rsa": {}}.keys(), iter(["cka", "rsa"])):
        assert resi.pairwise(some("ab"), measures).drop("seconds").equals(expected)


def test_files_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    made = {"r18": collection("r18", 0.0), "r34": collection("r34", 0.5)}
    single = Representations.from_tensors({"array": torch.from_numpy(np.random.default_rng(3).normal(size=(12, 3)))})
    monkeypatch.setattr(resi, "load", lambda path: made.get(str(path).rpartition("/")[2], single), raising=False)
    folders = [tmp_path / name for name in made]
    for folder in folders:
        folder.mkdir()
    expected = resi.pairwise(made["r18"], made["r34"]).drop("seconds")
    assert resi.pairwise(*folders).drop("seconds").equals(expected)
    assert resi.pairwise(*map(str, folders)).drop("seconds").equals(expected)
    names = resi.matrix(resi.pairwise({"a": folders[0], "b": "some.npy"}), labels=True).rows
    assert names == ["a:conv", "a:fc", "b"]


@pytest.mark.parametrize("call", [
    lambda: resi.pairwise("nets/r18"),
    lambda: resi.pairwise(some("ab"), "nets/r18"),
    lambda: resi.pairwise(some("ab"), "nets/r18", "cka"),
    lambda: resi.compare("nets/r18", np.eye(4)),
    lambda: resi.compare(np.eye(4), "nets/r18"),
])  # fmt: skip
def test_a_path_of_nothing_is_named(call) -> None:
    with pytest.raises(UsageError, match=r"file or folder '?nets/r18"):
        call()


def test_slow_calls_show_progress_and_quick_ones_do_not(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from resi import console

    resi.pairwise(some("abc"))
    assert capsys.readouterr().err == ""
    clock = itertools.count(step=4.0)
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("pairwise", 5, after=2.0) as advance:
        for _ in range(5):
            advance()
    assert capsys.readouterr().err.splitlines()[0].startswith("pairwise: 3/5, 12 s so far, about 8 s to go")


def test_the_first_of_many_steps_forecasts_nothing(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from resi import console

    clock = itertools.count(step=20.0)
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("comparing", 200) as advance:
        for _ in range(3):
            advance()
    first, second, third, _ = capsys.readouterr().err.splitlines()
    assert first == "comparing: 1/200, 20 s so far"
    assert second == "comparing: 2/200, 40 s so far"
    assert third == "comparing: 3/200, 1 min 0 s so far, about 66 min to go"


def test_the_table_is_an_ordinary_frame() -> None:
    frame = resi.pairwise(some("ab"), [total])
    assert isinstance(frame, pl.DataFrame)
    assert pickle.loads(pickle.dumps(frame)).equals(frame)


def test_the_singular_and_the_plural_of_measures_are_told_apart() -> None:
    R, S = ARRAYS["a"], ARRAYS["b"]
    with pytest.raises(UsageError, match=r"compare: unknown argument 'measures'; did you mean measure=\?"):
        resi.compare(R, S, measures="cka")
    with pytest.raises(UsageError, match=r"pairwise: unknown argument 'measure'; did you mean measures=\?"):
        resi.pairwise(some("ab"), measure="cka")
    with pytest.raises(UsageError, match=r"evaluate: unknown argument 'measure'; did you mean measures=\?"):
        resi.evaluate([], "shortcut", measure="cka")


@pytest.mark.parametrize(("axes", "shape"), [((30, 12, 3), "ntd"), ((30, 3, 4, 4), "nchw")])
def test_arrays_of_more_axes_are_told_what_to_pass(axes: tuple[int, ...], shape: str) -> None:
    array = RNG.normal(size=axes)
    advice = rf"needs 2 axes; pass shape='{shape}', or pooling='mean' to extract"
    with pytest.raises(ShapeError, match=advice):
        resi.compare(array, array)
    with pytest.raises(ShapeError, match=advice):
        resi.pairwise({"a": array, "b": array})


def test_what_is_no_number_is_named() -> None:
    def products(R, S):
        return R.T @ S

    with pytest.raises(MeasureError, match=r"^products returned a tensor of shape \(4, 5\), expected a number$"):
        resi.compare(ARRAYS["a"], ARRAYS["b"], products)
    (error,) = resi.pairwise(some("ab"), {"nothing": lambda R, S: None}).filter(status="failed")["error"].unique()
    assert error.endswith("nothing returned None, expected a number")
