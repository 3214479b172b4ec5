"""``resi.ranks``: the same numbers as the report's, and other people's post-hoc tests."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import scikit_posthocs as posthocs

import resi
from resi.errors import UsageError
from resi.groundings.posthoc import nemenyi
from resi.groundings.ranks import RankedColumn, chances_of_best, chances_of_better
from resi.report.leaderboard import leaderboards
from tests.plot.tables import BEST_TO_WORST, scores
from tests.report.rows import frame, score


def noisy(columns: int = 6) -> pl.DataFrame:
    draws = np.random.default_rng(0)
    rows = []
    for column in range(columns):
        for place, name in enumerate(BEST_TO_WORST):
            value = 0.8 - 0.1 * place + 0.08 * draws.normal()
            influences = str((0.05 * draws.normal(size=6)).round(4).tolist())
            rows.append(score(name, value, f"arch{column}", normalised=(value - 0.2) / 0.8, influences=influences))
    return frame(rows)


def test_ranks_are_those_of_the_report() -> None:
    table = noisy()
    found = resi.ranks(table).table
    (board,) = leaderboards(table)
    assert found["measure"].to_list() == [row.label for row in board.rows]
    assert found["mean_rank"].to_list() == pytest.approx([row.mean_rank for row in board.rows])
    ours = found.select("low", "high").rows()
    assert np.array(ours) == pytest.approx(np.array([row.rank_interval for row in board.rows]))
    assert found["p_best"].to_list() == pytest.approx([row.best_share for row in board.rows])
    assert found["p_best"].sum() == pytest.approx(1)
    assert found["best"][0]
    assert not found["best"].all()


def test_the_post_hoc_tests_are_those_of_scikit_posthocs() -> None:
    table = noisy(9)
    goodness = table.pivot("architecture", index="measure", values="value").drop("measure").to_numpy()
    names = table["measure"].unique(maintain_order=True).to_list()
    theirs = {
        "nemenyi": posthocs.posthoc_nemenyi_friedman(goodness.T).to_numpy(),
        "wilcoxon": posthocs.posthoc_wilcoxon(goodness, p_adjust="holm").to_numpy(),
    }
    for posthoc, expected in theirs.items():
        pairs = resi.ranks(table, posthoc=posthoc).pairs
        for a, b, _, p_value in pairs.iter_rows():
            assert p_value == pytest.approx(expected[names.index(a), names.index(b)], abs=1e-6)
    assert nemenyi(np.array([2.0, 2.0]), 5).min() == 1


def test_a_measure_that_is_left_out_for_several_scores_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    table = noisy()
    twice = table.filter(measure=BEST_TO_WORST[1])
    found = resi.ranks(pl.concat([table, twice.with_columns(pl.col("value") / 2)])).table
    others = [name for name in resi.ranks(table).table["measure"] if name != BEST_TO_WORST[1]]
    assert found["measure"].to_list() == others
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"resi.ranks: left out: {BEST_TO_WORST[1]}, with several scores on the same models" in said


def test_how_often_a_measure_is_the_best_or_better_by_hand() -> None:
    places = np.array([[0.1, 0.1, 0.5, 0.5], [0.5, 0.1, 0.1, 0.9], [0.9, 0.9, 0.9, 0.1]])
    columns = [RankedColumn("a", [0, 1, 2], np.zeros(3), None)]
    assert chances_of_best(columns, places) == pytest.approx([(1 + 0.5) / 4, (0.5 + 1) / 4, 1 / 4])
    better = chances_of_better(places)
    assert better[0, 1] == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert better + better.T == pytest.approx(np.ones((3, 3)))
    # The third has no place in one of two columns.
    found = chances_of_best([*columns, RankedColumn("b", [0, 1], np.zeros(2), None)], places)
    assert found == [pytest.approx((1 + 0.5 + 0 + 1) / 4), pytest.approx((0 + 0.5 + 1 + 0) / 4), None]


def test_measures_that_lack_a_column_or_their_uncertainty_have_no_chance() -> None:
    table = pl.concat([scores(), frame([score("gulp", 0.4, "arch0", normalised=0.25, influences="[0.1, 0.1]")])])
    found = resi.ranks(table)
    last = found.table.row(by_predicate=pl.col("measure") == "gulp", named=True)
    assert (last["columns"], last["p_best"], last["best"]) == (1, None, None)
    with_gulp = (pl.col("measure_a") == "gulp") | (pl.col("measure_b") == "gulp")
    assert found.pairs.filter(with_gulp)["p_value"].null_count() == 5
    assert found.friedman is not None
    assert found.friedman.measures == 5
    unknown = resi.ranks(scores(influences=""))
    assert unknown.table.select("low", "high", "p_best", "best").null_count().row(0) == (5, 5, 5, 5)
    assert unknown.pairs["a_better"].null_count() == 10
    assert resi.ranks(scores(columns=1)).friedman is None


def test_what_cannot_be_ranked_is_said_in_a_line() -> None:
    with pytest.raises(UsageError, match=r"unknown domain in the table given to resi.ranks 'x'"):
        resi.ranks(scores(), domain="x")
    with pytest.raises(UsageError, match=r"unknown post-hoc test 't'"):
        resi.ranks(scores(), posthoc="t")
    with pytest.raises(UsageError, match=r"resi.ranks: no measure has a rank"):
        resi.ranks(scores(), measures=["cka"])
