"""Values by the number of samples."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import resi
from resi.errors import UsageError
from resi.plot.convergences import values_by_samples


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    R = rng.normal(size=(60, 5))
    return R, R @ rng.normal(size=(5, 4)) + rng.normal(size=(60, 4))


def test_the_value_of_all_samples_is_that_of_compare(pair) -> None:
    table = values_by_samples(*pair, {"cka": {}, "jaccard": {"k": 5}}, sizes=[20, 60], draws=3)
    assert table.group_by("measure", "samples").len().sort("measure", "samples")["len"].to_list() == [3, 1, 3, 1]
    last = table.filter(samples=60).sort("measure")["value"].to_list()
    assert last == [resi.compare(*pair, "cka"), resi.compare(*pair, "jaccard", k=5)]
    drawn = table.filter(samples=20, measure="cka")["value"]
    assert drawn.n_unique() == 3
    assert table.equals(values_by_samples(*pair, {"cka": {}, "jaccard": {"k": 5}}, sizes=[20, 60], draws=3))


def test_lines_are_means_and_bands_reach_from_the_smallest_to_the_largest(pair) -> None:
    table = values_by_samples(*pair, sizes=[10, 30, 60])
    (ax,) = resi.plot.convergence(table).axes
    expected = table.group_by("samples").agg(pl.col("value").mean()).sort("samples")
    np.testing.assert_allclose(ax.lines[0].get_xydata(), expected.to_numpy())
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == table.filter(samples=10)["value"].max()
    assert ax.get_ylabel() == "cka (larger = more similar)"
    assert [text.get_text() for text in ax.get_xticklabels(which="both")] == ["10", "30", "60"]


def test_sizes_that_a_measure_cannot_take_are_counted(pair) -> None:
    (ax,) = resi.plot.convergence(*pair, "jaccard", sizes=[5, 40], draws=2).axes
    assert ax.get_title(loc="left").endswith("2 draws without a value")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizes": [1]}, "1 is not between 2 and the 60 samples"),
        ({"sizes": []}, "sizes=[] is empty"),
        ({"measures": "ckaa"}, "did you mean cka"),
        ({"measures": "jaccard", "sizes": [5]}, "jaccard has no value: jaccard: k = 10"),
    ],
)
def test_what_cannot_be_computed_is_one_line(pair, options, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        resi.plot.convergence(*pair, **options)
    assert words in str(raised.value)
    with pytest.raises(UsageError, match="both must have the same samples"):
        resi.plot.convergence(pair[0], pair[1][:-1])


def test_a_row_for_each_size_is_what_is_drawn(pair) -> None:
    drawn = values_by_samples(*pair, ["cka", "jaccard"], sizes=[5, 20, 60], draws=3)
    table = resi.convergence(*pair, ["cka", "jaccard"], sizes=[5, 20, 60], draws=3)
    for row in table.iter_rows(named=True):
        values = drawn.filter(measure=row["measure"], samples=row["n_samples"])["value"]
        assert (row["value"], row["low"], row["high"]) == (pytest.approx(values.mean()), values.min(), values.max())
        assert (row["draws"], row["missing"]) == (len(values), values.null_count())
    assert table["measure"].to_list() == ["cka"] * 3 + ["jaccard"] * 3
    assert "k = 10" in table["error"][3]
    lines = [ax.lines[0].get_xydata().tolist() for ax in resi.plot.convergence(table).axes]
    assert lines == [ax.lines[0].get_xydata().tolist() for ax in resi.plot.convergence(drawn).axes]


def test_functions_and_classes_converge_too(pair) -> None:
    table = resi.convergence(*pair, {"shift": lambda R, S: float(R.mean() - S.mean())}, sizes=[60])
    assert table["larger_is_more_similar"].to_list() == [None]
    assert table["value"].to_list() == [pytest.approx(pair[0].mean() - pair[1].mean())]
