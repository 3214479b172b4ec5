"""Heat maps: every value in its cell, bright for more similar, and nothing missing unsaid."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import resi
from resi.errors import UsageError
from tests.plot.tables import comparisons, pairwise, random_square

TRIPLE = {("a", "b"): 0.5, ("a", "c"): 0.2, ("b", "c"): 0.8}


def image(figure: Figure, panel: int = 0):
    return [ax for ax in figure.axes if ax.images][panel].images[0]


def names(figure: Figure, axis: str, panel: int = 0) -> list[str]:
    ax = [ax for ax in figure.axes if ax.images][panel]
    return [label.get_text() for label in getattr(ax, f"get_{axis}ticklabels")()]


def legend_words(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]


def test_values_stand_in_both_orders_and_the_diagonal_is_what_the_measure_gives_an_item_with_itself() -> None:
    figure = resi.plot.heatmap(pairwise(TRIPLE))
    expected = [[1, 0.5, 0.2], [0.5, 1, 0.8], [0.2, 0.8, 1]]
    np.testing.assert_array_equal(image(figure).get_array(), expected)
    assert names(figure, "x") == names(figure, "y") == ["a", "b", "c"]
    written = {(text.get_position()): text.get_text() for text in figure.axes[0].texts}
    assert written[(2, 1)] == "0.80"


def test_more_similar_is_bright_and_at_the_top_of_the_bar_whichever_way_a_measure_points() -> None:
    distances = {pair: 1 - value for pair, value in TRIPLE.items()}
    figure = resi.plot.heatmap(pairwise(TRIPLE).vstack(pairwise(distances, "procrustes")))
    bright = colormaps["viridis"](1.0)
    for panel, itself in ((0, 1.0), (1, 0.0)):
        drawn = image(figure, panel)
        assert drawn.cmap(drawn.norm(itself)) == bright
    bars = [ax for ax in figure.axes if not ax.images and ax.get_ylabel()]
    assert [ax.get_ylabel() for ax in bars] == ["cka (larger = more similar)", "procrustes (smaller = more similar)"]
    assert [ax.yaxis_inverted() for ax in bars] == [False, True]


def test_a_calibrated_value_of_an_item_with_itself_is_one_also_for_a_distance() -> None:
    for measure in ("cka", "procrustes"):
        table = pairwise(TRIPLE, measure).with_columns(parameters=pl.lit('{"null":200}'))
        drawn = image(resi.plot.heatmap(table))
        assert drawn.get_array().diagonal().tolist() == [1, 1, 1]
        assert drawn.cmap(drawn.norm(1.0)) == colormaps["viridis"](1.0)


def test_one_pair_alone_is_a_square_of_two() -> None:
    drawn = image(resi.plot.heatmap(pairwise({("a", "b"): 0.4})))
    np.testing.assert_array_equal(drawn.get_array(), [[1, 0.4], [0.4, 1]])


def test_a_rectangle_keeps_its_rows_and_columns() -> None:
    table = pairwise({(f"a/{i}", f"b/{j}"): i + j / 10 for i in range(2) for j in range(3)})
    figure = resi.plot.heatmap(table.to_pandas())
    assert isinstance(table.to_pandas(), pd.DataFrame)
    np.testing.assert_allclose(image(figure).get_array(), [[0, 0.1, 0.2], [1, 1.1, 1.2]])
    assert (names(figure, "y"), names(figure, "x")) == (["a/0", "a/1"], ["b/0", "b/1", "b/2"])


def test_both_orders_of_an_asymmetric_measure_stay_as_they_are() -> None:
    ordered = {(a, b): float(ord(a) - 2 * ord(b)) for a, b in itertools.permutations("abc", 2)}
    drawn = image(resi.plot.heatmap(pairwise(ordered, "linear_regression"))).get_array()
    assert drawn[0, 1] == ordered["a", "b"]
    assert drawn[1, 0] == ordered["b", "a"]


def test_a_table_of_comparisons_is_named_and_grouped_by_what_varies() -> None:
    table = comparisons("cka", lambda a, b: 0.9 if a[0] == b[0] else 0.1)
    figure = resi.plot.heatmap(table)
    assert names(figure, "x")[0] == "standard seed 0"
    assert names(figure, "x")[-1] == "augmentation_25 seed 2"
    assert image(figure).get_array()[0, 2] == 0.9
    assert image(figure).get_array()[0, 3] == 0.1
    assert legend_words(figure) == ["standard", "augmentation_25"]
    # One line between the groups in each direction.
    assert [line.get_xdata()[0] for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1] == [2.5]


def test_missing_values_are_counted_hatched_and_told_from_pairs_that_were_not_compared() -> None:
    figure = resi.plot.heatmap(pairwise({("a", "b"): 0.5, ("a", "c"): None, ("c", "d"): 0.1}))
    assert legend_words(figure) == ["no value (2 of 10)", "not compared (6 of 16)"]
    (cells,) = figure.axes[0].collections
    assert sorted(tuple(path.vertices[:4].mean(axis=0)) for path in cells.get_paths()) == [(0, 2), (2, 0)]
    assert cells.get_hatch()


def test_an_unknown_diagonal_is_neither_missing_nor_drawn() -> None:
    table = pairwise(TRIPLE, "mine")
    figure = resi.plot.heatmap(table, larger_is_more_similar=True)
    assert np.ma.getmaskarray(image(figure).get_array()).diagonal().all()
    assert legend_words(figure) == []


def test_clustering_puts_similar_items_next_to_each_other_in_all_panels() -> None:
    block = {name: place % 2 for place, name in enumerate("abcdef")}
    values = {(a, b): 0.9 if block[a] == block[b] else 0.1 for a, b in itertools.combinations("abcdef", 2)}
    distances = {pair: 1 - value for pair, value in values.items()}
    table = pairwise(values).vstack(pairwise(distances, "procrustes"))
    figure = resi.plot.heatmap(table, order="clustered")
    order = names(figure, "y")
    assert names(figure, "y", 1) == order
    assert [block[name] for name in order] in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    for place, name in enumerate(order[1:], 1):
        assert image(figure).get_array()[0, place] == values[tuple(sorted((order[0], name)))]
    with pytest.raises(UsageError, match="2 are missing"):
        resi.plot.heatmap(pairwise({**TRIPLE, ("a", "b"): None}), order="clustered")


def test_an_array_is_drawn_with_its_names_and_groups() -> None:
    square = random_square(4)
    figure = resi.plot.heatmap(square, "cka", labels=list("wxyz"), groups=["u", "u", "v", "v"])
    np.testing.assert_array_equal(image(figure).get_array(), square)
    assert names(figure, "y") == list("wxyz")
    assert legend_words(figure) == ["u", "v"]


def test_labels_are_thinned_and_values_left_out_where_there_are_many() -> None:
    figure = resi.plot.heatmap(random_square(200), larger_is_more_similar=True)
    assert names(figure, "x") == [str(place) for place in range(0, 200, 5)]
    assert not figure.axes[0].texts


def test_names_are_drawn_as_they_are_written() -> None:
    figure = resi.plot.heatmap(random_square(2), "cka", labels=["$x_", "<b>"])
    figure.canvas.draw()  # a formula that does not end would raise here
    assert names(figure, "x") == ["$x_", "<b>"]


def test_only_chosen_items_are_drawn_in_that_order() -> None:
    figure = resi.plot.heatmap(pairwise(TRIPLE), labels=["c", "a"])
    np.testing.assert_array_equal(image(figure).get_array(), [[1, 0.2], [0.2, 1]])


def test_a_figure_of_ones_own_is_drawn_into() -> None:
    own = Figure(layout="constrained")
    FigureCanvasAgg(own)
    axes = own.subplots(1, 2)
    table = pairwise(TRIPLE).vstack(pairwise(TRIPLE, "jaccard"))
    assert resi.plot.heatmap(table, ax=axes) is own
    assert [ax.get_title(loc="left") for ax in axes] == ["cka", "jaccard"]
    with pytest.raises(UsageError, match="1 axes, but there are 2 panels"):
        resi.plot.heatmap(table, ax=axes[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: resi.plot.heatmap(pairwise({})), "the table has no rows"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE), "ckaa"), "did you mean cka"),
        (lambda: resi.plot.heatmap(pairwise(dict.fromkeys(TRIPLE))), "cka has no value in the table"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE).drop("value")), "lacks the columns value"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE, "mine")), "give larger_is_more_similar="),
        (lambda: resi.plot.heatmap([[1, 2], [3]]), "expected a table or an array"),
        (lambda: resi.plot.heatmap(np.ones((2, 2)), "cka", labels=["a"]), "do not fit shape"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE), order="sorted"), "expected 'given' or 'clustered'"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE), groups={"a": "x"}), "has no group for 'b'"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE), labels=["d"]), "unknown item"),
        (lambda: resi.plot.heatmap(pairwise(TRIPLE).vstack(pairwise({("a", "b"): 0.6}))), "0.5 and 0.6"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(call, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        call()
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_parameters_are_named_where_they_are_not_the_default() -> None:
    tables = [comparisons("jaccard", lambda _a, _b, k=k: k / 10, parameters=f'{{"k": {k}}}') for k in (5, 10)]
    table = tables[0].vstack(tables[1])
    figure = resi.plot.heatmap(table)
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.images]
    assert titles == ["jaccard (k=5)", "jaccard"]
    for name, value in (("jaccard", 1), ("jaccard (k=5)", 0.5)):
        assert image(resi.plot.heatmap(table, name)).get_array()[0, 1] == value
    figure = resi.plot.heatmap(tables[0], "jaccard")
    assert figure.axes[0].get_title(loc="left") == "jaccard (k=5)"


def test_colours_reach_over_the_values_of_different_items_and_the_bar_says_what_lies_beyond() -> None:
    figure = resi.plot.heatmap(pairwise(TRIPLE))
    drawn = image(figure)
    assert (drawn.norm.vmin, drawn.norm.vmax, drawn.colorbar.extend) == (0.2, 0.8, "max")
    drawn = image(resi.plot.heatmap(pairwise(TRIPLE), limits=(0, 1)))
    assert (drawn.norm.vmin, drawn.norm.vmax, drawn.colorbar.extend) == (0, 1, "neither")
    drawn = image(resi.plot.heatmap(pairwise({("a", "b"): 0.4})))  # one value has no range
    assert (drawn.norm.vmin, drawn.norm.vmax) == (0.4, 1)


def test_colours_of_two_sets_with_the_same_names_reach_over_the_diagonal() -> None:
    table = pairwise({("a", "a"): 0.9, ("a", "b"): 0.2, ("b", "a"): 0.3, ("b", "b"): 0.8})
    image = resi.plot.heatmap(table).axes[0].images[0]
    assert image.get_array().tolist() == [[0.9, 0.2], [0.3, 0.8]]
    assert image.get_clim() == (0.2, 0.9)


def test_axes_of_two_sets_are_named() -> None:
    relu, tanh = ({str(layer): np.random.default_rng(start + layer).normal(size=(20, 3)) for layer in range(3)}
                  for start in (0, 9))  # fmt: skip

    def axes(*sets: object) -> tuple[str, str]:
        ax = resi.plot.heatmap(resi.pairwise(*sets)).axes[0]
        return ax.get_ylabel(), ax.get_xlabel()

    assert axes(relu, tanh) == ("first", "second")
    named = [resi.Representations.from_tensors({k: torch.tensor(v) for k, v in each.items()}, name=name)
             for name, each in (("reps/relu", relu), ("reps/tanh", tanh))]  # fmt: skip
    assert axes(*named) == ("reps/relu", "reps/tanh")
    assert axes(named[0], named[0].subset("1")) == ("reps/relu (first)", "reps/relu (second)")
    assert axes(relu) == ("", "")
    filtered = resi.plot.heatmap(resi.pairwise(relu, tanh, ["cka", "rsa"]).filter(measure="rsa"))
    assert (filtered.axes[0].get_ylabel(), filtered.axes[0].get_xlabel()) == ("source", "target")


def test_two_sets_of_one_layer_are_not_one_set() -> None:
    R, S = (np.random.default_rng(number).normal(size=(20, 3)) for number in range(2))
    figure = resi.plot.heatmap(resi.pairwise({"x": R}, {"y": S}))
    assert (names(figure, "y"), names(figure, "x")) == (["x"], ["y"])


def test_layers_of_several_networks_are_grouped_by_network() -> None:
    items = [f"{network}:{layer}" for network in ("enc", "mlp") for layer in range(3)]
    figure = resi.plot.heatmap(
        pairwise({pair: 0.1 * number for number, pair in enumerate(itertools.combinations(items, 2))})
    )
    assert legend_words(figure) == ["enc", "mlp"]
    alone = resi.plot.heatmap(pairwise({(f"enc:{a}", f"enc:{b}"): value for (a, b), value in TRIPLE.items()}))
    assert not legend_words(alone)
    assert not legend_words(resi.plot.heatmap(pairwise(TRIPLE)))
