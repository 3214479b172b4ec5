"""Tables that hold several designs of one test, and how their scores are told apart."""

from __future__ import annotations

from itertools import combinations, product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.groundings.designs import designs
from resi.groundings.readable import read_scores
from resi.groundings.scores import score_table
from resi.plot.ranking import ranked_scores, ranks_of
from resi.report.benchmark_tables import benchmark_tables
from resi.report.changes import changes
from resi.report.leaderboard import leaderboards
from resi.report.overview import score_matrix
from resi.report.tables import score_lines

NAMES = "abcde"
LEVELS = ("standard", "label_randomization_50", "label_randomization_75", "label_randomization_100")


def brute_force(met: set[frozenset[str]]) -> list[tuple[str, ...]]:
    names = sorted({name for pair in met for name in pair})
    sets = [set(some) for size in range(1, len(names) + 1) for some in combinations(names, size)]
    whole = [some for some in sets if all(frozenset(pair) in met for pair in combinations(some, 2))]
    return sorted(tuple(sorted(some)) for some in whole if not any(some < other for other in whole))


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from([frozenset(pair) for pair in combinations(NAMES, 2)]), min_size=1))
def test_designs_are_the_largest_sets_that_were_all_compared(met: set[frozenset[str]]) -> None:
    rows = [(*sorted(pair),) for pair in sorted(met, key=sorted)] + [(name, name) for pair in met for name in pair]
    assert designs(pl.DataFrame(rows, schema=["setting_a", "setting_b"], orient="row")) == brute_force(met)


def table(groups: tuple[str, ...], seeds: range = range(3)) -> pl.DataFrame:
    """Comparisons of all models of some settings: the more their levels differ, the less similar."""
    place = {name: 0 if name == "standard" else int(name.rpartition("_")[2]) for name in groups}
    models = list(product(groups, seeds))
    rows = [
        {
            "setting_a": a[0], "seed_a": a[1], "setting_b": b[0], "seed_b": b[1], "measure": "cka",
            "value": 1 - abs(place[a[0]] - place[b[0]]) / 200 - (a[1] + b[1]) / 1000,
            "pair": f"{a}{b}", "key": f"{a}{b}",
        }
        for a, b in combinations(models, 2)
    ]  # fmt: skip
    about = {"domain": "vision", "dataset": "imagenet100", "architecture": "vgg11", "model_source": "trained"}
    return pl.DataFrame(rows).with_columns(pl.lit(value).alias(name) for name, value in about.items())


@pytest.fixture(scope="module")
def both() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Two designs, and the table that has both."""
    some, others = (table((*LEVELS[:2], level)) for level in LEVELS[2:])
    return some, others, pl.concat([some, others]).unique("key", maintain_order=True)


def test_a_table_of_two_designs_has_the_scores_of_each_and_of_no_third(both) -> None:
    *alone, merged = (score_table(part, "label_randomization") for part in both)
    assert sorted(merged["settings"].unique()) == [
        "standard, label_randomization_50, label_randomization_100",
        "standard, label_randomization_50, label_randomization_75",
    ]
    assert sorted(merged["key"]) == sorted(key for scores in alone for key in scores["key"])
    assert merged["failed_pairs"].unique().to_list() == [0]
    assert merged["groups"].unique().to_list() == [3]
    chosen = score_table(both[2], "label_randomization", settings=[LEVELS[3], *LEVELS[:2]])
    assert chosen["key"].to_list() == alone[1]["key"].to_list()


def test_two_designs_have_headings_of_their_own(both) -> None:
    scores = score_table(both[2], "label_randomization")
    (board,) = leaderboards(scores)
    assert sorted(board.columns) == [
        ["vgg11", "imagenet100", "standard, 50, 100"],
        ["vgg11", "imagenet100", "standard, 50, 75"],
    ]
    assert {block.about["design"] for block in read_scores(scores)} == {"standard, 50, 100", "standard, 50, 75"}
    lines = score_lines(scores).lines
    assert sorted(line.labels[0] for line in lines) == ["vgg11 (standard, 50, 100)", "vgg11 (standard, 50, 75)"]
    matrix = score_matrix(scores)
    assert sorted(line.about[2] for line in matrix.lines) == ["vgg11 (standard, 50, 100)", "vgg11 (standard, 50, 75)"]


def test_two_designs_are_columns_of_their_own_in_the_published_tables_and_in_figures(both) -> None:
    scores = score_table(both[2], "label_randomization")
    named = ["standard, 50, 100", "standard, 50, 75"]
    (overview, full) = benchmark_tables(scores)
    in_overview = [head[-1] for head, missing in zip(overview.heads, overview.missing, strict=True) if not missing]
    assert in_overview == [f"vision, {name}" for name in named]
    assert [head[-1] for head in full.heads] == [
        f"{metric}, {name}" for metric in ("AUPRC", "conformity") for name in named
    ]
    other = scores.with_columns(measure=pl.lit("rsa"), key=pl.lit("other"))
    ranked = ranked_scores("ranks", pl.concat([scores, other]))
    assert sorted(ranks_of("ranks", ranked).columns) == [f"vgg11, imagenet100 ({name})" for name in named]
    # Without the hash of what was compared, or the settings, too, nothing is mixed silently.
    unknown = ranked_scores("ranks", scores.with_columns(compared=pl.lit(None, pl.String), settings=pl.lit("")))
    assert set(unknown["several"]) == {2}


def test_one_design_is_named_by_its_number_alone(both) -> None:
    scores = score_table(both[0], "label_randomization")
    (board,) = leaderboards(scores)
    assert board.columns == [["vgg11", "imagenet100"]]
    assert [line.labels[0] for line in score_lines(scores).lines] == ["vgg11"]
    assert list(benchmark_tables(scores))[1].heads[0][-1] == "AUPRC"


def test_scores_of_one_design_are_not_compared_with_those_of_another(both) -> None:
    before, now = (score_table(part, "label_randomization") for part in (both[0], both[2]))
    found = changes(now, before, "before")
    assert found.sentence.startswith("1 score is in both, 0 of them with another value")
    assert "new: 1, gone: 0" in found.sentence
    # Tables of earlier versions do not say which settings there were.
    old = changes(before, before.with_columns(settings=pl.lit("")), "before")
    assert "new: 0, gone: 0" in old.sentence
