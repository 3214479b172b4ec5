"""Ranks of measures within a test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from resi.report.leaderboard import leaderboards
from resi.report.tables import score_lines
from tests.report.rows import frame, score


def test_mean_ranks_are_those_of_scipy_and_order_the_measures() -> None:
    rng = np.random.default_rng(0)
    measures, architectures = ["cka", "rsa", "gulp", "imd", "svcca"], ["gcn", "gat", "pgnn"]
    values = rng.integers(0, 4, (3, 5)) / 4  # with ties
    rows = [
        score(measure, values[a, m], architecture)
        for a, architecture in enumerate(architectures)
        for m, measure in enumerate(measures)
    ]
    (board,) = leaderboards(frame(rows))
    expected = np.mean([rankdata(-column) for column in values], axis=0)
    found = {row.label: row.mean_rank for row in board.rows}
    assert found == pytest.approx(dict(zip(measures, expected, strict=True)))
    ranks = [row.mean_rank for row in board.rows]
    assert ranks == sorted(ranks)
    assert board.columns == [["gat", "cora"], ["gcn", "cora"], ["pgnn", "cora"]]


def test_a_measure_without_a_value_has_no_rank_and_does_not_move_others() -> None:
    rows = [score("cka", 0.9), score("rsa", None, reason="all pairs failed"), score("gulp", float("nan"))]
    rows += [score("svcca", 0.8), score("rsa", 0.5, "gat"), score("svcca", 0.4, "gat")]
    (board,) = leaderboards(frame(rows))
    by_label = {row.label: row for row in board.rows}
    assert [row.label for row in board.rows] == ["cka", "rsa", "svcca", "gulp"]
    assert by_label["cka"].ranks == [1]
    assert by_label["rsa"].ranks == [1]
    assert by_label["svcca"].ranks == [2, 2]
    assert by_label["gulp"].mean_rank is None
    gat, gcn = by_label["rsa"].cells
    assert (gat.text, gcn.text, gcn.reason) == ("0.500", "undefined", "all pairs failed")
    assert by_label["cka"].cells[0] is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"p_value": 0.025, "low": 0.21, "high": 0.9}, True),
        ({"p_value": 0.025, "low": 0.2, "high": 0.9}, False),
        ({"p_value": 0.025}, True),
        ({"p_value": 0.0251, "low": 0.3, "high": 0.9}, False),
        ({"low": 0.21, "high": 0.9}, True),
        ({"low": 0.2, "high": 0.9}, False),
        ({}, None),
    ],
)
def test_a_score_is_told_from_chance_by_its_p_value_and_its_interval(changes: dict, expected: bool | None) -> None:
    (board,) = leaderboards(frame([score("cka", 0.6, **changes)]))
    assert board.rows[0].cells[0].differs is expected


def test_models_of_another_source_and_scores_of_another_protocol_are_ranked_by_themselves() -> None:
    rows = [score("cka", 0.9), score("cka", 0.2, model_source="published"), score("cka", 0.3, protocol="published")]
    rows += [score("rsa", 0.4, model_source="published", origin="published"), score("cka", 0.5, model_source=None)]
    boards = {board.conditions: board for board in leaderboards(frame(rows))}
    assert set(boards) == {"", "published models", "published protocol", "models of unknown source"}
    assert [(row.label, row.imported) for row in boards["published models"].rows] == [("rsa", True), ("cka", False)]
    assert [row.ranks for row in boards[""].rows] == [[]]  # with nothing to rank it against


def test_what_tells_columns_apart_is_said_and_nothing_else() -> None:
    rows = [score("cka", 0.9), score("cka", 0.8, groups=2, models=10), score("cka", 0.7, dataset="flickr")]
    (board,) = leaderboards(frame(rows))
    assert board.columns == [
        ["gcn", "cora", "2 groups", "10 models"],
        ["gcn", "cora", "3 groups", "15 models"],
        ["gcn", "flickr", "3 groups", "15 models"],
    ]


def test_several_scores_of_one_name_are_counted_and_not_ranked() -> None:
    rows = [score("cka", 0.9, key="a"), score("cka", 0.1, key="b"), score("rsa", 0.5), score("gulp", 0.4)]
    (board,) = leaderboards(frame(rows))
    assert board.ambiguous == 1
    assert [(row.label, row.cells[0].text, row.ranks) for row in board.rows] == [
        ("rsa", "0.500", [1]),
        ("gulp", "0.400", [2]),
        ("cka", "2 scores", []),
    ]


def test_measures_that_were_scored_on_other_models_are_not_ranked_against_each_other() -> None:
    rows = [score("cka", 0.9, compared="a"), score("cka", 0.1, compared="b"), score("rsa", 0.5, compared="b")]
    (board,) = leaderboards(frame(rows))
    assert board.columns == [["gcn", "cora", "run 1"], ["gcn", "cora", "run 2"]]
    assert [(row.label, row.ranks) for row in board.rows] == [("rsa", [1]), ("cka", [2])]
    assert board.ambiguous == 0


def test_failed_pairs_are_told_and_chance_is_taken_off_before_ranking() -> None:
    rows = [
        score("cka", 0.148, chance=0.314, normalised=-0.24),
        score("partial", 0.278, chance=0.551, normalised=-0.61, pairs=7, failed_pairs=8),
    ]
    (board,) = leaderboards(frame(rows))
    assert [(row.label, row.ranks, row.cells[0].failed) for row in board.rows] == [
        ("cka", [1], ""),
        ("partial", [2], "8 of 15 failed"),
    ]
    assert board.rows[0].cells[0].shade == 0


def test_what_is_no_number_in_a_table_from_elsewhere_counts_as_missing() -> None:
    nothing = dict.fromkeys(("normalised", "low", "high", "p_value", "chance"), float("nan"))
    (board,) = leaderboards(frame([score("cka", 0.9, **nothing), score("rsa", 0.5)]))
    cell = board.rows[0].cells[0]
    assert (cell.text, cell.interval, cell.shade, cell.differs) == ("0.900", "-", None, None)
    assert [row.ranks for row in board.rows] == [[1], [2]]


def test_scores_of_single_models_and_of_unknown_tests_are_left_out() -> None:
    rows = [score("cka", 0.9, test="layer_monotonicity", metric="spearman", seed=0), score("cka", 0.9, test="later")]
    assert list(leaderboards(frame(rows))) == []


def test_shade_and_interval_follow_the_score_from_chance_to_the_best_value() -> None:
    rows = [
        score("cka", 0.6, normalised=0.5, low=0.4, high=1.0),
        score("rsa", 0.1, normalised=-0.125),
        score(
            "gulp", 0.0, test="layer_monotonicity", metric="spearman", normalised=0.0, chance=0.0, low=-0.2, high=0.2
        ),
    ]
    groups, layers = leaderboards(frame(rows))
    cka, rsa = (row.cells[0] for row in groups.rows)
    assert (cka.shade, rsa.shade) == (5, 0)
    assert cka.span == pytest.approx((0.25, 1.0))
    assert rsa.span is None
    assert layers.rows[0].cells[0].span is None, "at chance, the scale is unknown"


def test_domains_are_ranked_by_themselves() -> None:
    rows = [
        score("cka", 0.9),
        score("rsa", 0.3),
        score("cka", 0.2, domain="vision"),
        score("rsa", 0.5, domain="vision"),
    ]
    boards = {board.domain: board for board in leaderboards(frame(rows))}
    first = {domain: board.rows[0].label for domain, board in boards.items()}
    assert first == {"graph": "cka", "vision": "rsa"}


def test_a_rank_among_few_is_no_rank_among_many() -> None:
    """Last of two and second of four: 3/4 and 3/8 of the way down, not the same."""
    rows = [score("cka", 0.1, "gat"), score("rsa", 0.5, "gat")]
    rows += [score(measure, value) for measure, value in (("rsa", 0.9), ("gulp", 0.8), ("imd", 0.7), ("svcca", 0.6))]
    (board,) = leaderboards(frame(rows))
    shares = {row.label: row.mean_share for row in board.rows}
    expected = {"rsa": (1 / 4 + 1 / 8) / 2, "gulp": 3 / 8, "imd": 5 / 8, "cka": 3 / 4, "svcca": 7 / 8}
    assert shares == pytest.approx(expected)
    assert [row.label for row in board.rows] == list(expected)
    # As ranks among the five measures of the leaderboard.
    assert [row.mean_rank for row in board.rows] == pytest.approx([5 * share + 0.5 for share in expected.values()])


def test_scores_that_differ_by_rounding_share_their_rank() -> None:
    (board,) = leaderboards(frame([score("cka", 1.0), score("rsa", 0.9999999999999998), score("gulp", 0.9)]))
    assert [(row.label, row.ranks) for row in board.rows] == [("cka", [1.5]), ("rsa", [1.5]), ("gulp", [3])]


def test_a_leaderboard_says_whether_measures_differ_and_how_sure_their_ranks_are() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for architecture in ("gcn", "gat", "pgnn"):
        shared = rng.normal(size=15) * 0.008
        for number, measure in enumerate(("cka", "rsa", "gulp")):
            own = shared if measure != "gulp" else rng.normal(size=15) * 0.008
            rows.append(score(measure, 0.9 - 0.05 * number, architecture, influences=str(own.tolist())))
        rows.append(score("imd", 0.2, architecture, influences=str([0.001] * 15)))
    (board,) = leaderboards(frame(rows))
    assert (board.differences.measures, board.differences.columns) == (4, 3)
    assert board.differences.p_value < 0.05
    low, high = zip(*(row.rank_interval for row in board.rows), strict=True)
    cka, rsa, gulp, imd = range(4)
    # Models move cka and rsa alike, so that their order stays, unless gulp comes between.
    assert low[cka] == 1
    assert high[cka] < high[rsa] < high[gulp] <= 3
    assert (low[imd], high[imd]) == (4, 4)
    # An earlier table says nothing of what models add.
    (board,) = leaderboards(frame([*rows, score("svcca", 0.5)]))
    by_label = {row.label: row.rank_interval for row in board.rows}
    assert set(by_label.values()) == {None}


def test_lines_of_several_settings_say_which() -> None:
    rows = [score("cka", 0.5, setting=name, test="layer_monotonicity", metric="spearman") for name in ("plain", "")]
    table = score_lines(frame(rows))
    assert table.labels == ["architecture", "setting", "measure"]
    assert [line.labels for line in table.lines] == [["gcn", "plain", "cka"], ["gcn", "", "cka"]]
    assert score_lines(frame([score("cka", 0.5)])).labels == ["architecture", "measure"]
