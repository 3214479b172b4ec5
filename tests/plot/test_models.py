"""Figures of models: groups, outputs, maps and cost, by what they draw."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import average_precision_score

import resi
from resi.errors import UsageError
from resi.groundings.scores import score_table
from resi.plot.model_map import scaled
from resi.plot.names import name_dots
from tests.plot.tables import comparisons, pairwise, scores


def noisy(a, b) -> float:
    seed = int.from_bytes(repr(sorted([a, b])).encode()[-8:], "little") % 997
    return round((0.6 if a[0] == b[0] else 0.4) + 0.35 * np.random.default_rng(seed).uniform(-1, 1), 6)


def with_outputs(measure: str = "cka", seeds: int = 5) -> pl.DataFrame:
    similar = comparisons(measure, lambda a, b: 1 / (1 + abs(a[1] - b[1]) + 0.1 * a[1]), groups=1, seeds=seeds)
    outputs = comparisons("jsd", lambda a, b: abs(a[1] - b[1]) / 10, groups=1, seeds=seeds, layer_a="", layer_b="")
    return similar.vstack(outputs)


@pytest.mark.parametrize("measure", ["cka", "procrustes"])
def test_groups_show_every_pair_and_the_auprc_that_is_the_score(measure: str) -> None:
    table = comparisons(measure, noisy, groups=3, seeds=4).with_columns(key=pl.int_range(pl.len()).cast(pl.String))
    figure = resi.plot.groups(table, test="augmentation")
    (ax,) = figure.axes
    marks = {"o": [], "x": []}
    for line in ax.lines:
        if line.get_marker() in marks:
            marks[line.get_marker()].append(line.get_xdata())
    for group, within, across in zip(
        ["standard", "augmentation_25", "augmentation_50"], marks["o"], marks["x"], strict=True
    ):
        inside = [(pl.col(f"setting_{side}") == group).alias(side) for side in "ab"]
        sides = table.select(*inside, "value")
        assert sorted(within) == sides.filter(pl.col("a") & pl.col("b"))["value"].sort().to_list()
        assert sorted(across) == sides.filter(pl.col("a") ^ pl.col("b"))["value"].sort().to_list()
        sign = 1 if measure == "cka" else -1
        truth = [1] * len(within) + [0] * len(across)
        precision = average_precision_score(truth, sign * np.concatenate([within, across]))
        assert f"AP {precision:.2f}" in [text.get_text() for text in ax.texts]
    row = score_table(table, "augmentation").filter(metric="auprc").row(0, named=True)
    assert ax.get_title(loc="left") == f"{measure}\nAUPRC {row['value']:.2f} (chance {row['chance']:.2f})"
    assert ax.xaxis_inverted() == (measure == "procrustes")


def test_groups_name_what_was_not_compared() -> None:
    with pytest.raises(UsageError, match="only the group standard"):
        resi.plot.groups(comparisons("cka", noisy, groups=1))
    apart = comparisons("cka", noisy).filter(pl.col("setting_a") == pl.col("setting_b"))
    with pytest.raises(UsageError, match="were not compared with any other group"):
        resi.plot.groups(apart)
    with pytest.raises(UsageError, match="no setting of test='shortcut'"):
        resi.plot.groups(comparisons("cka", noisy), test="shortcut")
    several = comparisons("cka", noisy).vstack(comparisons("cka", noisy, layer_a="2", layer_b="2"))
    with pytest.raises(UsageError, match="several layers; choose with layer="):
        resi.plot.groups(several)
    several = comparisons("cka", noisy).vstack(comparisons("cka", noisy, architecture="gat"))
    with pytest.raises(UsageError, match="choose with architecture= one of 'gcn', 'gat'"):
        resi.plot.groups(several)
    several = comparisons("cka", noisy).vstack(comparisons("cka", noisy, domain="vision", architecture="vgg"))
    (ax,) = resi.plot.groups(several, architecture="vgg").axes  # which is of one domain
    assert ax.get_title(loc="left") == resi.plot.groups(comparisons("cka", noisy)).axes[0].get_title(loc="left")


def test_models_that_other_tests_brought_in_take_no_part_as_in_the_score_of_the_test() -> None:
    # Two more seeds of one group, which were compared within it alone, and much less similar.
    more = comparisons("cka", lambda a, b: 0.01, groups=1, seeds=5).filter(pl.col("seed_b") >= 3)
    table = comparisons("cka", noisy).vstack(more).with_columns(key=pl.lit("k"), model_source=pl.lit("trained"))
    scores = resi.score_table(table, "augmentation")
    expected = scores.filter(pl.col("seed").is_null(), metric="auprc")["value"][0]
    (ax,) = resi.plot.groups(table, test="augmentation").axes
    assert f"AUPRC {expected:.2f} " in ax.get_title(loc="left")
    assert [line.get_xdata().size for line in ax.lines if line.get_marker() == "o"] == [3, 3]


def test_missing_pairs_are_counted() -> None:
    table = comparisons("cka", noisy).with_columns(
        value=pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise("value")
    )
    assert resi.plot.groups(table).axes[0].get_title(loc="left").endswith("1 pair without a value")


@pytest.mark.parametrize(("measure", "sign"), [("cka", -1), ("procrustes", 1)])
def test_outputs_pair_each_two_models_and_state_the_correlation(measure: str, sign: int) -> None:
    table = with_outputs(measure)
    (ax,) = resi.plot.outputs(table).axes
    (dots,) = ax.lines
    similar, differ = (table.filter(pl.col("measure") == name)["value"].to_numpy() for name in (measure, "jsd"))
    drawn = np.array(sorted(zip(dots.get_xdata(), dots.get_ydata(), strict=True)))
    np.testing.assert_allclose(drawn, sorted(zip(differ, similar, strict=True)))
    expected = stats.spearmanr(sign * similar, differ).statistic
    assert ax.get_title(loc="left") == f"{measure}\nSpearman {expected:.2f}, 10 pairs"
    assert ax.yaxis_inverted() == (measure == "procrustes")


def test_outputs_say_what_is_missing() -> None:
    with pytest.raises(UsageError, match="no difference of outputs"):
        resi.plot.outputs(comparisons("cka", noisy))
    table = with_outputs().vstack(comparisons("disagreement", noisy, groups=1, layer_a="", layer_b=""))
    with pytest.raises(UsageError, match="choose with functional= one of disagreement, jsd"):
        resi.plot.outputs(table)
    with pytest.raises(UsageError, match="did you mean jsd"):
        resi.plot.outputs(table, functional="jsdd")


def test_distances_in_a_plane_are_found_again_without_stress() -> None:
    places = np.random.default_rng(1).normal(size=(7, 2)) * [3, 1]
    found, stress = scaled(squareform(pdist(places)))
    np.testing.assert_allclose(pdist(found), pdist(places))
    assert stress == pytest.approx(0, abs=1e-9)


def test_stress_is_that_of_kruskal_and_no_larger_than_that_of_classical_scaling() -> None:
    points = np.random.default_rng(2).normal(size=(9, 6))
    distances = squareform(pdist(points))
    found, stress = scaled(distances)
    assert stress == pytest.approx(np.sqrt(((pdist(found) - pdist(points)) ** 2).sum() / (pdist(points) ** 2).sum()))
    first = np.linalg.svd(points - points.mean(axis=0))
    classical = (points - points.mean(axis=0)) @ first[2][:2].T
    assert stress < np.sqrt(((pdist(classical) - pdist(points)) ** 2).sum() / (pdist(points) ** 2).sum())
    np.testing.assert_array_equal(scaled(distances)[0], found)


def test_a_map_draws_each_item_with_its_group_and_name() -> None:
    names = "abcdef"
    values = {(a, b): float(abs(ord(a) - ord(b))) for a, b in itertools.combinations(names, 2)}  # on a line
    groups = dict(zip(names, ["u", "u", "u", "v", "v", "v"], strict=True))
    figure = resi.plot.map(pairwise(values, "procrustes"), groups=groups)
    (ax,) = figure.axes
    dots = [line for line in ax.lines if len(line.get_xdata())]
    assert [(line.get_marker(), len(line.get_xdata())) for line in dots] == [("o", 3), ("s", 3)]
    assert sorted(abs(np.diff(np.concatenate([line.get_xdata() for line in dots])))) == pytest.approx([1] * 5)
    assert [text.get_text() for text in ax.texts] == list(names)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["u", "v"]
    assert ax.get_title(loc="left") == "procrustes\nclose = similar, stress 0.00"


def test_a_map_needs_all_pairs() -> None:
    with pytest.raises(UsageError, match="lacks 2 of 6 values"):
        resi.plot.map(pairwise({("a", "b"): 0.1, ("a", "c"): None, ("b", "c"): 0.2}))
    with pytest.raises(UsageError, match="at least three items"):
        resi.plot.map(np.ones((2, 2)), "cka")
    with pytest.raises(UsageError, match="compares 2 items with 1 others"):
        resi.plot.map(pairwise({("a", "x"): 0.1, ("b", "x"): 0.2}))


def test_cost_is_the_median_time_and_quality_the_mean_rank() -> None:
    times = [
        comparisons(name, noisy, seconds=0.5 * 10**-place) for place, name in enumerate(["cka", "procrustes", "rsa"])
    ]
    # One slow comparison does not count more than one.
    slow = pl.when(pl.int_range(pl.len()) == 0).then(100.0).otherwise("seconds")
    figure = resi.plot.cost(scores(), pl.concat(times).with_columns(seconds=slow))
    (ax,) = figure.axes
    found = {(round(line.get_xdata()[0], 6), line.get_ydata()[0]) for line in ax.lines}
    assert found == {(1.25, 1.125), (0.8, 1.875), (0.755, 5)}
    assert ax.get_xscale() == "log"
    assert ax.yaxis_inverted()
    assert {text.get_text() for text in ax.texts} == {"cka", "procrustes", "rsa"}
    assert ax.get_title(loc="left") == "8 rankings; without a time: jaccard, svcca"
    with pytest.raises(UsageError, match="no measure with a rank has a time"):
        resi.plot.cost(scores(), comparisons("cka", lambda _a, _b: None))


def test_names_of_close_dots_do_not_cover_each_other() -> None:
    table = scores().with_columns(normalised=0.5, value=0.5)  # all at one mean rank
    names = ["cka", "procrustes", "jaccard", "svcca", "rsa"]
    times = pl.concat([comparisons(name, noisy, seconds=1 + 0.001 * place) for place, name in enumerate(names)])
    figure = resi.plot.cost(table, times)
    figure.canvas.draw()
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in figure.axes[0].texts]
    assert len(boxes) == 5
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_a_map_is_of_one_set_also_where_two_have_the_same_names() -> None:
    table = pairwise({(a, b): 0.5 for a in "abc" for b in "abc"})
    with pytest.raises(UsageError, match="compares 3 items with 3 others"):
        resi.plot.map(table)


def test_layers_of_several_networks_are_coloured_by_network() -> None:
    items = [f"{network}:{layer}" for network in ("enc", "mlp") for layer in range(3)]
    table = pairwise({pair: 0.1 * number for number, pair in enumerate(itertools.combinations(items, 2))})
    figure = resi.plot.map(table)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["enc", "mlp"]


def test_a_line_to_a_name_strikes_through_no_name() -> None:
    figure = Figure(figsize=(3, 3))
    ax = figure.subplots()
    x = np.linspace(0.45, 0.55, 8)
    ax.plot(x, x, "o")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    name_dots(ax, x, x, [f"name {number}" for number in range(len(x))], 7)
    figure.draw_without_rendering()
    texts = [text for text in ax.texts if text.get_text()]
    lines = [text for text in ax.texts if text.arrow_patch is not None]
    assert lines
    boxes = [text.get_window_extent() for text in texts]
    for line in lines:
        ends = line.arrow_patch.get_path().vertices
        inner = ends[0] + np.linspace(0.05, 0.95, 30)[:, None] * (ends[-1] - ends[0])
        assert not any(box.contains(*point) for box in boxes for point in inner)


def test_the_panel_of_a_flat_map_is_flat() -> None:
    places = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0}
    line = {pair: abs(places[pair[0]] - places[pair[1]]) for pair in itertools.combinations(places, 2)}
    flat = resi.plot.map(pairwise(line, "procrustes"))
    round_ = resi.plot.map(pairwise(dict.fromkeys(line, 1.0), "procrustes"))
    assert flat.get_figheight() < 0.7 * round_.get_figheight()
