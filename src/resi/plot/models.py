"""Comparisons between models as arrays: for one architecture and dataset, and one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi.errors import UsageError, unknown_name
from resi.groundings.scores import STANDARD, compared_across, own_settings
from resi.groundings.ties import RESOLUTION, merge_ties
from resi.measures.functional import FUNCTIONAL
from resi.plot.reading import LABEL, as_frame, one_value
from resi.plot.squares import square

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]

NEEDED = ["setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", "measure", "value"]
SCOPE = ("domain", "dataset", "architecture", "origin", "model_source", "pooling")


class Pairs(NamedTuple):
    """Values of one measure between all models.

    Attributes
    ----------
    names : list of str
        The models, by settings and seeds.
    groups : list of str
        The setting of each.
    values : array of shape (n_models, n_models)
        Mean of both directions, NaN if one has no value; the diagonal is NaN.
    """

    names: list[str]
    groups: list[str]
    values: Array


def between_models(function: str, table: Any, chosen: dict[str, Any], layer: str | None = None) -> pl.DataFrame:
    """Return the comparisons between models, including their outputs, for one architecture and dataset.

    Parameters
    ----------
    chosen : dict
        Filters by column; those with the value None are ignored.
    layer : str, optional
        The layer of both models; needed if there are several.

    Raises
    ------
    UsageError
        If there are none, or they have several architectures, datasets or layers.
    """
    frame = as_frame(function, table, NEEDED)
    for column in sorted(SCOPE, key=lambda column: chosen.get(column) is None):  # a filter may decide the others
        frame = one_value(function, frame, column, chosen.get(column))
    different = (pl.col("setting_a") != pl.col("setting_b")) | (pl.col("seed_a") != pl.col("seed_b"))
    is_functional = pl.col("measure").is_in(list(FUNCTIONAL))
    rows = frame.filter(different & (is_functional | (pl.col("layer_a") == pl.col("layer_b"))))
    layers = rows.filter(~is_functional)["layer_a"].unique(maintain_order=True).to_list()
    if not layers:
        raise UsageError(f"plot.{function}: the table holds no comparison of one layer of two models")
    if layer is not None and layer not in layers:
        raise unknown_name(f"layer in the table given to plot.{function}", str(layer), layers)
    if layer is None and len(layers) > 1:
        raise UsageError(
            f"plot.{function}: the table holds several layers; choose with layer= one of {', '.join(layers)}"
        )
    return rows.filter(is_functional | (pl.col("layer_a") == (layer or layers[0])))


def of_settings(function: str, rows: pl.DataFrame, test: str | None, settings: Sequence[str] | None) -> pl.DataFrame:
    """Return comparisons between models of the given settings, or of the settings of a test."""
    known = list(dict.fromkeys([*rows["setting_a"], *rows["setting_b"]]))
    if settings is not None:
        for setting in settings:
            if setting not in known:
                raise unknown_name(f"setting in the table given to plot.{function}", str(setting), known)
        wanted = list(settings)
    elif test is not None:
        wanted = own_settings(known, test)
        if set(wanted) <= {STANDARD}:
            raise UsageError(
                f"plot.{function}: the table holds no setting of test={test!r}; there are {', '.join(known)}"
            )
    else:
        wanted = known
    found = rows.filter(pl.col("setting_a").is_in(wanted) & pl.col("setting_b").is_in(wanted))
    return compared_across(found) if settings is None and test is not None else found


def pairs(function: str, rows: pl.DataFrame, label: str) -> Pairs:
    """Return the values of one measure between all models in comparisons of :func:`between_models`."""
    of_measure = rows.filter(pl.col(LABEL) == label)
    models = {
        _name(setting, seed): (setting, seed)
        for side in "ab"
        for setting, seed in of_measure.select(f"setting_{side}", f"seed_{side}").iter_rows()
    }
    settings = list(dict.fromkeys(setting for setting, _ in models.values()))
    order = sorted(models, key=lambda name: (settings.index(models[name][0]), models[name][1]))
    named = [
        [_name(*model) for model in of_measure.select(f"setting_{side}", f"seed_{side}").iter_rows()] for side in "ab"
    ]
    table = of_measure.with_columns(source=pl.Series(named[0]), target=pl.Series(named[1]))
    found = square(function, table, label, order)
    names, values = found.rows, found.values / 2 + found.values.T / 2
    values = np.where(np.eye(len(names), dtype=bool), np.nan, values)
    return Pairs(names, [models[name][0] for name in names], values)


def _name(setting: str, seed: int) -> str:
    return f"{setting} seed {seed}"


def signed(values: Array, up: bool) -> Array:
    """Return values for which larger means more similar; values that differ only by rounding are made equal."""
    return np.asarray(merge_ties(values if up else -values, RESOLUTION), dtype=float)
