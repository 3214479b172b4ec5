"""``resi.matrix``: squares and rectangles from tables."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import resi
from resi.errors import UsageError

RNG = np.random.default_rng(2)
ARRAYS = {name: RNG.normal(size=(25, width)) for name, width in zip("cabd", (4, 5, 3, 6), strict=True)}
NAN = float("nan")


def by_hand(rows, columns, measure="cka", **parameters) -> np.ndarray:
    return np.array([[resi.compare(ARRAYS[r], ARRAYS[c], measure, **parameters) for c in columns] for r in rows])


def test_a_square_has_both_sides_and_the_diagonal_that_was_computed() -> None:
    expected = by_hand("cabd", "cabd")
    without = expected.copy()
    np.fill_diagonal(without, np.nan)
    table = resi.pairwise(ARRAYS, ["cka", "rsa"])
    found, rows, columns = resi.matrix(table, "cka", labels=True)
    assert rows == columns == list("cabd")
    np.testing.assert_allclose(found, without, rtol=1e-12)
    assert found.dtype == np.float64
    np.testing.assert_allclose(resi.matrix(resi.pairwise(ARRAYS, diagonal=True)), expected, rtol=1e-12)
    # The order of rows in the table decides about the order alone.
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=3)
    found, rows, _ = resi.matrix(shuffled, "cka", labels=True)
    places = ["cabd".index(name) for name in rows]
    np.testing.assert_allclose(found, without[np.ix_(places, places)], rtol=1e-12)


def test_a_measure_that_is_not_symmetric_has_a_value_for_each_order() -> None:
    expected = by_hand("cab", "cab", "linear_regression")
    table = resi.pairwise({name: ARRAYS[name] for name in "cab"}, "linear_regression", diagonal=True)
    np.testing.assert_allclose(resi.matrix(table), expected, rtol=1e-12)
    part = table.filter(~pl.struct("source", "target").is_in([{"source": "a", "target": "c"}]))
    expected[1, 0] = np.nan
    np.testing.assert_allclose(resi.matrix(part), expected, rtol=1e-12)  # the other order is not taken for it


@pytest.mark.parametrize(
    ("rows", "columns"), [("ca", "bd"), ("c", "abd"), ("cab", "d"), ("ca", "ab"), ("ca", "ca"), ("cab", "bca")]
)
def test_two_sets_are_a_rectangle(rows: str, columns: str) -> None:
    first, second = ({name: ARRAYS[name] for name in names} for names in (rows, columns))
    found = resi.matrix(resi.pairwise(first, second), labels=True)
    assert found[1:] == (list(rows), list(columns))
    np.testing.assert_allclose(found.values, by_hand(rows, columns), rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.booleans(), st.booleans())
def test_every_cell_is_the_value_of_its_pair(count: int, symmetric: bool, diagonal: bool) -> None:
    names = [f"n{number}" for number in range(count + 1)]
    pairs = [
        (a, b)
        for a, b in itertools.product(range(len(names)), repeat=2)
        if (a < b or (a == b and diagonal) or (a > b and not symmetric))
    ]
    table = pl.DataFrame(
        {
            "source": [names[a] for a, _ in pairs],
            "target": [names[b] for _, b in pairs],
            "measure": "mine",
            "value": [10.0 * a + b for a, b in pairs],
        }
    )
    expected = [
        [
            (NAN if a == b and not diagonal else 10.0 * min(a, b) + max(a, b) if symmetric else 10.0 * a + b)
            for b in range(len(names))
        ]
        for a in range(len(names))
    ]
    np.testing.assert_array_equal(resi.matrix(table), expected)


def test_missing_and_undefined_values_are_nan() -> None:
    given_ = {**ARRAYS, "constant": np.ones((25, 2)), "bad": np.full((25, 2), np.nan)}
    found, rows, _ = resi.matrix(resi.pairwise(given_, diagonal=True), labels=True)
    assert rows == [*ARRAYS, "constant", "bad"]
    assert np.isnan(found[:, 4:]).all()
    assert np.isfinite(found[:4, :4]).all()


def comparisons(**columns) -> pl.DataFrame:
    pairs = list(itertools.combinations([("standard", 0), ("standard", 1), ("noisy", 0)], 2))
    return pl.DataFrame(
        {
            "architecture": "gcn",
            "setting_a": [a[0] for a, _ in pairs],
            "seed_a": [a[1] for a, _ in pairs],
            "layer_a": "2",
            "setting_b": [b[0] for _, b in pairs],
            "seed_b": [b[1] for _, b in pairs],
            "layer_b": "2",
            "measure": "cka",
            "parameters": "{}",
            "value": [0.1, 0.2, 0.3],
            **columns,
        }
    )


def test_comparisons_of_a_run_are_named_by_what_tells_their_models_apart() -> None:
    found, rows, columns = resi.matrix(comparisons(), labels=True)
    assert rows == columns == ["standard 0", "standard 1", "noisy 0"]
    np.testing.assert_array_equal(found, [[NAN, 0.1, 0.2], [0.1, NAN, 0.3], [0.2, 0.3, NAN]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (resi.matrix, "the table holds cka, rsa; name one"),
        (lambda t: resi.matrix(t, "ckaa"), "unknown measure in the table 'ckaa'; did you mean cka"),
        (lambda t: resi.matrix(t.drop("target", "value"), "cka"), "the table lacks the columns target, value; it has"),
        (lambda t: resi.matrix(t, "cka", value="calibrated"), "lacks the columns calibrated"),
        (lambda t: resi.matrix([[1.0]]), "expected the table returned by resi.pairwise, .* not a list"),
        (
            lambda t: resi.matrix(pl.concat([t, t.with_columns(value=0.5)]), "cka"),
            "cka has the values .* for 'c' and 'a'",
        ),
        (
            lambda _: resi.matrix(comparisons(parameters=['{"k":10}', '{"k":20}', '{"k":20}'])),
            r'cka is in the table with several parameters: {"k":10}, {"k":20}; keep the rows of one',
        ),
        (lambda _: resi.matrix(comparisons(architecture=["a", "b", "b"])), "several architecture: a, b; keep the rows"),
    ],
)
def test_what_cannot_be_an_array_is_named(call, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        call(resi.pairwise(ARRAYS, ["cka", "rsa"]))
    assert "\n" not in str(error.value)


def test_one_value_twice_is_one_value() -> None:
    table = resi.pairwise(ARRAYS)
    np.testing.assert_array_equal(resi.matrix(pl.concat([table, table])), resi.matrix(table))
