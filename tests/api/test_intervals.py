"""Intervals of tables and single values, and differences of two pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import resi
from resi.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


@pytest.fixture(scope="module")
def layers() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(0)
    latent = draws.normal(size=(60, 4))
    noise = {"one": 0.3, "two": 0.6, "three": 2.5}
    return {
        name: latent @ draws.normal(size=(4, 5)) + size * draws.normal(size=(60, 5)) for name, size in noise.items()
    }


@pytest.fixture(scope="module")
def table(layers) -> pl.DataFrame:
    return resi.pairwise(layers, ["cka", "linear_regression"], bootstrap=50, draws=True)


def test_other_columns_stay_as_they_are(layers, table):
    plain = resi.pairwise(layers, ["cka", "linear_regression"])
    assert table.columns == [*plain.columns, "samples", "draws", "low", "high"]
    assert table.select(plain.columns).drop("seconds").equals(plain.drop("seconds"))
    limits = resi.pairwise(layers, "cka", bootstrap=resi.Bootstrap(50))
    assert limits.columns == [*plain.columns, "low", "high"]
    assert limits["low", "high"].equals(table.filter(measure="cka")["low", "high"])
    other = resi.pairwise(layers, "cka", bootstrap=resi.Bootstrap(50, seed=1))
    assert (other["low"] != limits["low"]).all()
    assert resi.matrix(table, "cka", value="low").shape == (3, 3)


def test_a_pair_has_the_same_interval_beside_others_and_alone(layers, table):
    row = table.filter(source="one", target="two", measure="cka").row(0, named=True)
    alone = resi.compare(layers["one"], layers["two"], bootstrap=50)
    assert (alone, alone.low, alone.high) == pytest.approx((row["value"], row["low"], row["high"]), rel=1e-12)
    assert "low=" in repr(alone)
    assert "note=" not in repr(alone)
    few = resi.compare(layers["one"][:6], layers["two"][:6], bootstrap=40)
    assert few.low is None
    assert repr(few) == f"Value({float(few):.6g}, note={few.note!r})"
    both = resi.compare(layers["one"], layers["two"], bootstrap=50, null=9)
    assert (both.low, both.p_value) == (alone.low, 0.1)


@pytest.mark.parametrize("measure", ["cka", "linear_regression"])
def test_a_difference_is_of_the_same_draws(table, measure):
    first, second = ("one", "two"), ("one", "three")
    rows = [table.filter(source=a, target=b, measure=measure).row(0, named=True) for a, b in (first, second)]
    found = resi.difference(table, first, second, measure)
    assert found.value == rows[0]["value"] - rows[1]["value"]
    apart = np.subtract(rows[0]["draws"], rows[1]["draws"])
    assert found.high - found.value == pytest.approx(2.0010 * apart.std(ddof=1), rel=1e-4)  # t of 59 degrees
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert found.is_sure
    back = resi.difference(table, second, first, measure)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert not resi.difference(table, first, first, measure).is_sure


def test_a_pair_of_a_symmetric_measure_may_be_named_in_either_order(table):
    assert resi.difference(table, ("two", "one"), ("one", "three"), "cka") == resi.difference(
        table, ("one", "two"), ("three", "one"), "cka"
    )


def test_blocks_are_drawn_together(layers):
    twice = {name: np.repeat(X, 2, axis=0) for name, X in layers.items()}
    blocks = [f"person {row // 2}" for row in range(120)]
    together = resi.pairwise(twice, "cka", bootstrap=50, blocks=blocks)
    assert together["low"].to_list() == pytest.approx(resi.pairwise(layers, "cka", bootstrap=50)["low"].to_list())
    apart = resi.pairwise(twice, "cka", bootstrap=50)
    assert (apart["high"] - apart["low"] < 0.85 * (together["high"] - together["low"])).all()


def test_blocks_are_those_of_the_first_and_other_samples_have_none(layers):
    given = {name: layers[name] for name in ("one", "two")} | {f"few {n}": layers[n][:50] for n in ("one", "two")}
    table = resi.pairwise(given, "cka", bootstrap=40, null=19, blocks=[row // 4 for row in range(60)])
    few = table.filter(source="few one", target="few two").row(0, named=True)
    assert few["value"] is not None
    assert few["low"] is few["p_value"] is None
    for what in ("no value of chance", "no interval"):
        assert f"{what}: blocks: 60 labels for 50 samples" in few["note"]
    assert table.filter(source="one", target="two")["low"].null_count() == 0


def test_pairs_that_fail_have_no_interval(layers):
    constant = layers | {"constant": np.ones((60, 3))}
    rows = resi.pairwise(constant, "cka", bootstrap=50, draws=True).filter(target="constant")
    assert rows["status"].unique().to_list() == ["undefined"]
    assert rows.select("low", "high", "samples", "draws").null_count().row(0) == (3, 3, 3, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bootstrap": 5}, "bootstrap=5: expected the number of draws, at least 40"),
        ({"bootstrap": True}, "pairwise: bootstrap=True"),
        ({"draws": True}, "also give bootstrap=1000"),
        ({"blocks": [1, 2]}, "blocks= needs null= (samples are permuted within blocks)"),
        ({"blocks": [1, 2], "bootstrap": 50}, "blocks= has 2 labels, but 60 samples"),
        ({"blocks": [0, 1, 2] * 20, "bootstrap": 50}, "pairwise: blocks: 3 blocks do not show how they scatter"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(layers, options, words):
    with pytest.raises(UsageError) as raised:
        resi.pairwise(layers, "cka", **options)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_has_no_difference_is_one_line(table):
    for first, second, measure, words in (
        (("one", "tow"), ("one", "three"), "cka", "did you mean two"),
        (("one", "two"), ("one", "one"), "cka", "the table does not hold one and one"),
        ("one", ("one", "two"), "cka", "expected two names, such as"),
        (("one", "two"), ("one", "three"), None, "say which: measure='cka'"),
        (("one", "two"), ("one", "three"), "ckaa", "did you mean cka"),
    ):
        with pytest.raises(UsageError, match=words):
            resi.difference(table, first, second, measure)
    with pytest.raises(UsageError, match=r"make it with pairwise\(..., bootstrap=1000, draws=True\)"):
        resi.difference(table.drop("draws"), ("one", "two"), ("one", "three"), "cka")
