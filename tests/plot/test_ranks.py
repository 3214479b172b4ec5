"""Figures of ranks and scores, by what they draw, against scipy and scikit-posthocs."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
import scikit_posthocs as posthocs
from matplotlib.colors import to_hex
from scipy import stats

import resi
from resi.errors import UsageError
from resi.groundings.ranks import indistinct_from_best
from resi.groundings.readable import BEST, read_scores
from resi.plot.critical import compared, holm, wilcoxon
from resi.plot.families import look
from resi.plot.rank_boxes import ranks_by_domain
from resi.plot.ranking import Ranks, ranked_scores, ranks_of
from resi.plot.score_dots import OTHERS
from resi.results.embedded import embedded_results
from tests.plot.tables import BEST_TO_WORST, scores
from tests.report.rows import frame, score


def ticks(ax, axis: str = "y") -> list[str]:
    return [label.get_text() for label in getattr(ax, f"get_{axis}ticklabels")()]


def of_ranks(goodness: np.ndarray) -> Ranks:
    ranks = stats.rankdata(-goodness, axis=0)
    names = [f"m{place}" for place in range(len(goodness))]
    return Ranks(names, [""] * len(names), ranks, goodness, [str(place) for place in range(goodness.shape[1])])


def test_ranks_are_those_of_every_column_the_best_mean_first() -> None:
    found = ranks_of("ranks", ranked_scores("ranks", scores()))
    assert found.names == BEST_TO_WORST
    np.testing.assert_array_equal(found.values[0], [2, *[1] * 7])
    np.testing.assert_array_equal(found.values[4], [5] * 8)
    assert found.families[:2] == ["kernel", "alignment"]


def test_a_rank_among_few_counts_by_its_place() -> None:
    table = scores().filter((pl.col("architecture") != "arch3") | pl.col("measure").is_in(["cka", "rsa"]))
    found = ranks_of("ranks", ranked_scores("ranks", table))
    column = found.columns.index("arch3")
    assert found.values[found.names.index("cka"), column] == pytest.approx(0.5 / 2 * 5 + 0.5)
    assert np.isnan(found.values[found.names.index("svcca"), column])


def test_boxes_are_drawn_by_domain_in_order_and_coloured_by_family() -> None:
    table = pl.concat(
        [scores(), scores(columns=3, domain="vision", value=None, normalised=None), scores(4, domain="language")]
    )
    figure = resi.plot.ranks(table.filter(pl.col("value").is_not_null()))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["graph: 8 rankings", "language: 4 rankings"]
    ax = figure.axes[0]
    assert ticks(ax) == BEST_TO_WORST
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the best at the top
    colours = [to_hex(box.get_facecolor()) for box in ax.patches]
    assert colours == [
        look(family)["facecolor"].lower() for family in ("kernel", "alignment", "neighbours", "cca", "rsm")
    ]
    dots = [line for line in ax.lines if line.get_marker() == "."]
    assert [sorted(line.get_xdata()) for line in dots[:2]] == [[1] * 7 + [2], [1] + [2] * 7]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["alignment", "cca", "kernel", "neighbours", "rsm"]


def test_the_order_of_boxes_is_that_of_medians_then_means() -> None:
    places = {"cka": [1, 1, 4, 4, 4], "rsa": [2, 2, 2, 1, 1], "svcca": [3, 3, 1, 2, 2], "jaccard": [4, 4, 3, 3, 3]}
    rows = [score(name, 1 - place / 10, f"arch{n}") for name, ranks in places.items() for n, place in enumerate(ranks)]
    found = dict(ranks_by_domain(frame(rows)))["graph"]
    assert found.names == ["rsa", "svcca", "jaccard", "cka"]
    assert found.medians.tolist() == [2, 2, 3, 4]
    assert ticks(resi.plot.ranks(frame(rows)).axes[0]) == found.names


def published_ranks(scores: list[float]) -> list[int]:
    """Return the ranks of scores, the largest first, where equal ones share the best."""
    return [1 + sum(other > one for other in scores) for one in scores]


def test_as_published_equal_scores_share_the_best_rank_and_ranks_count_as_they_are() -> None:
    values = {"arch0": [0.9, 0.9, 0.5, 0.5, 0.1], "arch1": [0.2, 0.8, None, None, 0.8], "arch2": [None] * 4 + [0.3]}
    rows = [
        # Chance plays no part.
        score(name, value, column, protocol="published", normalised=None if value is None else -value)
        for column, numbers in values.items()
        for name, value in zip(BEST_TO_WORST, numbers, strict=True)
    ]
    found = dict(ranks_by_domain(frame(rows), protocol="published"))["graph"]
    for column, numbers in values.items():
        known = [name for name, value in zip(BEST_TO_WORST, numbers, strict=True) if value is not None]
        ranks = published_ranks([value for value in numbers if value is not None])
        at = found.columns.index(column)
        got = {name: found.values[found.names.index(name), at] for name in found.names}
        assert {name: rank for name, rank in got.items() if not np.isnan(rank)} == dict(zip(known, ranks, strict=True))
    corrected = dict(ranks_by_domain(frame(rows).with_columns(protocol=pl.lit("corrected"))))["graph"]
    assert corrected.columns == ["arch0", "arch1"]
    ranks = dict(zip(corrected.names, corrected.values[:, 0], strict=True))
    assert [ranks[name] for name in BEST_TO_WORST] == [4.5, 4.5, 2.5, 2.5, 1]  # by how far they are from chance


def test_as_published_the_layer_test_ranks_all_measures_alike() -> None:
    about = {"test": "layer_monotonicity", "metric": "spearman", "protocol": "published"}
    by_model = {0: [0.9, 0.8, 0.8], 1: [0.9, 0.7, None], 2: [0.5, 0.5, 0.5]}
    measures = BEST_TO_WORST[:3]
    rows = [score(name, 0.5, models=3, **about) for name in measures]
    rows += [
        score(name, value, models=1, seed=seed, **about)
        for seed, values in by_model.items()
        for name, value in zip(measures, values, strict=True)
    ]
    rows += [score(name, 1 - n, protocol="published") for n, name in enumerate(measures)]
    found = dict(ranks_by_domain(frame(rows), protocol="published"))["graph"]
    every = [rank for values in by_model.values() for rank in published_ranks([v for v in values if v is not None])]
    layers = found.values[:, found.columns.index("layer_monotonicity")]
    np.testing.assert_allclose(layers, [np.mean(every)] * 3)
    np.testing.assert_array_equal(found.values[:, found.columns.index("augmentation")], [1, 2, 3])
    # The corrected ranks are those of the means over models.
    corrected = frame(rows).with_columns(protocol=pl.lit("corrected"))
    means = {"cka": 0.7, "procrustes": 0.6, "jaccard": 0.5}
    is_mean = pl.col("seed").is_null() & (pl.col("test") == "layer_monotonicity")
    value = pl.when(is_mean).then(pl.col("measure").replace_strict(means, default=None)).otherwise("value")
    found = dict(ranks_by_domain(corrected.with_columns(value=value)))["graph"]
    assert found.values[:, found.columns.index("layer_monotonicity")].tolist() == [1, 2, 3]


def test_published_variants_have_a_short_mark_that_is_explained() -> None:
    table = scores().with_columns(
        parameters=pl.when(pl.col("measure") == "svcca").then(pl.lit('{"variant":"published"}')).otherwise("parameters")
    )
    figure = resi.plot.ranks(table)
    assert ticks(figure.axes[0]) == ["cka", "procrustes", "jaccard", "svcca †", "rsa"]
    assert figure.legends[0].get_texts()[-1].get_text() == "† variant=published"


def test_measures_of_ones_own_are_marked_and_the_mark_is_explained() -> None:
    table = scores().with_columns(measure=pl.col("measure").replace("rsa", "mine"))
    figure = resi.plot.ranks(table)
    assert ticks(figure.axes[0])[-1] == "mine *"
    assert figure.legends[0].get_texts()[-1].get_text() == "* from a plugin, or the reader's own"


def test_the_bars_of_nemenyi_are_the_pairs_that_scikit_posthocs_cannot_tell_apart() -> None:
    rng = np.random.default_rng(3)
    goodness = rng.normal(size=(6, 12)) + np.linspace(2.5, 0, 6)[:, None]
    found = compared(of_ranks(goodness))
    assert found.p_value == pytest.approx(stats.friedmanchisquare(*goodness).pvalue)
    theirs = posthocs.posthoc_nemenyi_friedman(goodness.T).to_numpy()
    order = [int(name[1:]) for name in found.names]
    same = theirs[np.ix_(order, order)] > 0.05
    joined = np.eye(6, dtype=bool)
    for first, last in found.bars:
        joined[first : last + 1, first : last + 1] = True
    np.testing.assert_array_equal(joined, same)
    assert 0 < same.sum() < 36


def test_wilcoxon_and_holm_are_those_of_scikit_posthocs() -> None:
    rng = np.random.default_rng(5)
    goodness = rng.normal(size=(4, 14)) + np.linspace(2, 0, 4)[:, None]
    theirs = posthocs.posthoc_wilcoxon(goodness, p_adjust="holm").to_numpy()
    np.testing.assert_allclose(holm(wilcoxon(goodness)), theirs)
    found = compared(of_ranks(goodness), "wilcoxon")
    assert all(theirs[int(found.names[a][1:]), int(found.names[b][1:])] > 0.05 for a, b in found.bars)


def test_without_a_difference_one_bar_joins_all_and_says_so() -> None:
    goodness = np.random.default_rng(0).normal(size=(5, 6))
    assert compared(of_ranks(goodness)).bars == [(0, 4)]
    rotated = [(place, column) for column in range(5) for place in range(5)]
    rows = [(BEST_TO_WORST[place], f"arch{column}", (place + column) % 5 / 10) for place, column in rotated]
    table = frame([score(name, value, column, normalised=value) for name, column, value in rows])
    figure = resi.plot.critical_difference(table)
    assert "cannot be distinguished, so they are not ranked" in figure.axes[0].get_title(loc="left")


def test_a_diagram_draws_means_bars_and_the_critical_difference_where_they_are() -> None:
    figure = resi.plot.critical_difference(scores())
    (ax,) = figure.axes
    found = compared(ranks_of("critical_difference", ranked_scores("critical_difference", scores())))
    np.testing.assert_allclose(found.means, [1.125, 1.875, 3, 4, 5])
    texts = {text.get_text() for text in ax.texts}
    assert {"cka  1.1", "procrustes  1.9", "jaccard  3.0", "4.0  svcca", "5.0  rsa"} <= texts
    lines = {line.get_gid(): line.get_xdata() for line in ax.lines if line.get_gid()}
    assert lines["critical"][1] - lines["critical"][0] == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 8)), abs=1e-3)
    bars = [lines[f"bar-{place}"] for place in range(len(found.bars))]
    assert [(round(a + 0.06, 3), round(b - 0.06, 3)) for a, b in bars] == [(1.125, 3), (1.875, 4), (3, 5)]
    corners = [tuple(line.get_xdata()[:2]) for line in ax.lines if len(line.get_xdata()) == 3]
    np.testing.assert_allclose(corners, np.column_stack([found.means, found.means]))


def test_measures_without_a_rank_everywhere_are_named_below_the_diagram() -> None:
    table = scores().filter((pl.col("architecture") != "arch3") | (pl.col("measure") != "rsa"))
    heading = resi.plot.critical_difference(table).axes[0].get_title(loc="left")
    assert "4 measures ranked in 8 columns" in heading
    assert "Left out, not ranked in every column: rsa" in heading


def test_the_words_above_a_diagram_of_few_measures_are_not_cut_off() -> None:
    table = scores()
    partial = [
        table.filter(pl.col("measure") == "rsa", pl.col("architecture") == "arch0").with_columns(measure=pl.lit(name))
        for name in (
            "concentricity_difference",
            "permutation_procrustes",
            "second_order_cosine",
            "svcca_with_a_long_name",
        )
    ]
    few = table.filter(pl.col("measure").is_in(["cka", "jaccard", "rsa"]))
    figure = resi.plot.critical_difference(pl.concat([few, *partial]))
    figure.canvas.draw()
    words = figure.axes[0]._left_title.get_window_extent()
    assert "permutation_procrustes" in figure.axes[0].get_title(loc="left")
    assert 0 <= words.x0 and words.x1 <= figure.bbox.width and words.y1 <= figure.bbox.height


def test_scores_intervals_and_chance_stand_where_they_are_in_order_of_rank() -> None:
    table = scores(columns=2)
    figure = resi.plot.scores(table)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["arch0", "arch1"]
    assert ticks(figure.axes[0]) == BEST_TO_WORST
    assert [len(line.get_xdata()) for line in figure.axes[1].lines]
    dots = {line.get_ydata()[0]: line for line in figure.axes[1].lines if line.get_marker() == "o"}
    assert [dots[place].get_xdata()[0] for place in range(5)] == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5])
    assert [dots[place].get_markerfacecolor() == "white" for place in range(5)] == [False, True, True, True, True]
    intervals = [
        line.get_xdata() for line in figure.axes[1].lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    np.testing.assert_allclose(intervals[0], [0.85, 0.94])
    chance = [line for line in figure.axes[1].lines if line.get_linestyle() != "-" and line.get_marker() == "None"]
    assert [line.get_xdata()[0] for line in chance] == [0.2]


def test_nothing_is_called_worse_where_the_uncertainty_is_not_known() -> None:
    figure = resi.plot.scores(scores(columns=1, influences=""))
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[0] == "score; the best is unknown"
    assert OTHERS not in words


def test_dots_are_filled_where_a_run_prints_its_mark() -> None:
    table = scores(columns=2)
    few = "with 2 groups of 3 models no p-value can be below 0.1"
    for changes in ({}, {"p_value": 0.5}, {"note": few}):
        changed = table.with_columns(**{name: pl.lit(value) for name, value in changes.items()})
        (ax, *_) = resi.plot.scores(changed).axes
        dots = {line.get_ydata()[0]: line for line in ax.lines if line.get_marker() in ("o", "D")}
        marked = [line.get_markerfacecolor() != "white" and line.get_marker() == "o" for line in dots.values()]
        rows = next(block for block in read_scores(changed) if block.about["architecture"] == "arch0").rows
        assert [bool(row["best"]) for row in rows].count(True) == marked.count(True) == (0 if changes else 1)


def test_a_score_that_does_not_exist_is_said_to() -> None:
    table = scores(columns=1).with_columns(
        value=pl.when(pl.col("measure") == "rsa").then(None).otherwise("value"),
        normalised=pl.when(pl.col("measure") == "rsa").then(None).otherwise("normalised"),
    )
    figure = resi.plot.scores(table)
    assert [(text.get_text(), text.get_position()[1]) for text in figure.axes[0].texts] == [("no score", 4)]


def test_a_score_is_told_from_the_best_by_the_uncertainty_of_their_difference() -> None:
    shared = np.array([[0.3, 0.1], [0.3, 0.12], [0.3, -0.1]])  # what moves both alike makes no difference
    goodness = np.array([0.9, 0.87, 0.4])
    differences = 1.96 * np.array([0, 0.02, 0.2])
    assert (
        indistinct_from_best(goodness, shared)
        == [True, *(0.9 - goodness[1:] <= differences[1:])]
        == [True, True, False]
    )
    assert indistinct_from_best(np.array([0.5, np.nan, 0.5]), None) == [True, False, True]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: resi.plot.ranks(scores().clear()), "the table has no rows"),
        (lambda: resi.plot.ranks(scores(), domain="graphs"), "did you mean graph"),
        (lambda: resi.plot.ranks(scores(), measures=["cka"]), "no measure has a rank"),
        (lambda: resi.plot.ranks(scores(), protocol="published"), "unknown protocol"),
        (lambda: resi.plot.ranks(scores(value=None, reason="nothing to compare")), "nothing to compare"),
        (lambda: resi.plot.ranks(pl.concat([scores(), scores(model_source="published")])), "model_source="),
        (lambda: resi.plot.critical_difference(scores(columns=1)), "5 have a rank in all 1"),
        (lambda: resi.plot.critical_difference(scores(), posthoc="t"), "expected 'nemenyi' or 'wilcoxon'"),
        (lambda: resi.plot.scores(scores(columns=25)), "more than 24 panels"),
        (lambda: resi.plot.scores(pl.concat([scores(1), scores(1)])), "has 2 scores"),
    ],
)
def test_what_cannot_be_ranked_is_one_line(call, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        call()
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bars_share_a_level_where_they_do_not_touch() -> None:
    rng = np.random.default_rng(0)
    means = {name: place // 2 * 3 for place, name in enumerate([*BEST_TO_WORST, "pwcca"])}  # three pairs far apart
    rows = [(name, f"arch{column}", mean + rng.normal()) for column in range(40) for name, mean in means.items()]
    table = frame([score(name, value, column, normalised=value) for name, column, value in rows])
    (ax,) = resi.plot.critical_difference(table).axes
    bars = [line for line in ax.lines if (line.get_gid() or "").startswith("bar")]
    spans = [(line.get_ydata()[0], *line.get_xdata()) for line in bars]
    for (y, start, end), (other_y, other_start, other_end) in itertools.combinations(spans, 2):
        assert y != other_y or end < other_start or other_end < start
    assert len({y for y, *_ in spans}) < len(spans)


def test_a_file_is_read(tmp_path) -> None:
    scores().write_parquet(tmp_path / "scores.parquet")
    assert ticks(resi.plot.ranks(tmp_path / "scores.parquet").axes[0]) == BEST_TO_WORST
    with pytest.raises(UsageError, match=r"'nowhere\.parquet' cannot be read"):
        resi.plot.ranks("nowhere.parquet")


def test_results_that_come_with_resi_are_read_by_their_name(tmp_path, monkeypatch) -> None:
    known = embedded_results("baseline").scores()
    asked = {"domain": "vision", "test": "shortcut", "architecture": "tiny_vgg"}
    assert resi.ranks("baseline", **asked).table.equals(resi.ranks(known, **asked).table)
    monkeypatch.chdir(tmp_path)
    scores().write_parquet("baseline")  # a file of one's own comes first
    assert ticks(resi.plot.ranks("baseline").axes[0]) == BEST_TO_WORST


@pytest.mark.parametrize("architectures", [1, 2])
def test_the_legend_of_few_panels_lies_within_the_figure(architectures: int) -> None:
    figure = resi.plot.scores(pl.concat([scores(1, architecture=f"net{number}") for number in range(architectures)]))
    figure.draw_without_rendering()
    left, right = figure.legends[0].get_window_extent().intervalx
    assert left >= 0
    assert right <= figure.bbox.width


def test_a_panel_of_models_without_names_is_called_after_its_test() -> None:
    unnamed = scores(1, architecture="own", dataset="own", domain="custom")
    assert [panel.get_title(loc="left") for panel in resi.plot.scores(unnamed).axes] == ["augmentation"]
    assert [panel.get_title(loc="left") for panel in resi.plot.scores(scores(1)).axes] == ["arch0, cora"]


def test_dots_follow_p_values_corrected_for_all_measures_of_the_table() -> None:
    table = scores(columns=1, p_value=0.01, smallest_p=0.0001)
    raw, corrected = (resi.plot.scores(table, measures=["cka", "procrustes"], correct=by) for by in (None, "holm"))
    words = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in (raw, corrected)]
    assert BEST in words[0]
    # Five times 0.01 is no longer at most 0.025, though two measures alone are drawn.
    assert BEST not in words[1]
    assert "p corrected for the number of measures (Holm)" in words[1]
    assert resi.plot.scores(resi.correct(table)).legends[0].get_texts()[-3].get_text() in words[1]
