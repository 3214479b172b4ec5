"""How a measure's value depends on the number of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from resi import registry
from resi.errors import DegenerateInputError, ShapeError, UsageError
from resi.measures.base import Measure
from resi.plot.canvas import COLOURS, axis_names, every, missing_words, panels, plain, title
from resi.plot.reading import LABEL, as_frame, chosen_labels, direction, points_up
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from resi.plot.canvas import Where
    from resi.specs import Layout

    Measures = str | Sequence[str] | Mapping[str, Mapping[str, Any]] | Mapping[str, Measure]

STEPS = 8
FEWEST = 20
"""The smallest number of samples by default."""
MOST_SIZES = 4
"""How many tick labels fit below an axis."""


def convergence(  # noqa: PLR0913 - all but the first two are options
    R: Any,
    S: Any = None,
    measures: Measures | None = None,
    *,
    sizes: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
    shape: Layout = "nd",
    ax: Where = None,
) -> Figure:
    """Draw a measure's value against the number of samples, one panel per measure.

    If values still rise or fall at the right, they depend on the number of samples as much as on the representations.
    The line shows the mean over draws of samples, the band spans from the smallest to the largest value.

    Parameters
    ----------
    R : array or DataFrame
        Representations of some samples; or a table returned by :func:`resi.convergence`, or one with the columns
        ``measure, samples, value`` and one row per draw.
    S : array, optional
        Representations of the same samples, row by row.
    measures : str, sequence of str, or mapping from str to mapping
        Names of measures, or a mapping from names to parameters; by default ``cka``. For a table, which of its
        measures to draw; by default, all.
    sizes : sequence of int, optional
        Numbers of samples; by default eight sizes from 20 to all samples, equally spaced on a log scale.
    draws : int
        How many subsets of samples are drawn for each size.
    seed : int
        Seed of the subsets.
    shape : str
        ``nd``, ``ntd`` or ``nchw``.
    ax : Axes or sequence of Axes, optional
        Where to draw, one for each measure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    UsageError
        If a size is not between 2 and the number of samples, or no value could be computed.
    """
    if S is None:
        table, names = R, measures if measures is None or isinstance(measures, str) else list(measures)
    else:
        table, names = (
            values_by_samples(R, S, measures or "cka", sizes=sizes, draws=draws, seed=seed, shape=shape),
            None,
        )
    frame = as_frame("convergence", table, ["measure", "value"])
    if not {"n_samples", "low", "high"} <= set(frame.columns):
        frame = as_frame("convergence", by_size(as_frame("convergence", table, ["samples"])), [])
    labels = chosen_labels("convergence", frame, names)
    figure, axes = panels("convergence", ax, len(labels), (2.8, 2.3))
    for one, label in zip(axes, labels, strict=True):
        _draw(one, label, frame.filter(frame[LABEL] == label))
    return figure


def values_by_samples(  # noqa: PLR0913 - all but the first two are options
    R: Any,
    S: Any,
    measures: Measures = "cka",
    *,
    sizes: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
    shape: Layout = "nd",
) -> pl.DataFrame:
    """Return the values of measures for several sample sizes, each with several draws of samples.

    The drawn samples depend only on the seed, the number of samples, the size and the number of the draw, so they are
    the same for all measures. The full set of samples is drawn once. Parameters are those of :func:`convergence`.

    Returns
    -------
    polars.DataFrame
        Columns ``measure, parameters, samples, draw, value, error``; if there is no value, it is null and the error
        says why.
    """
    from resi.console import PATIENCE_SECONDS, progress
    from resi.fingerprints import canonical
    from resi.machine.devices import plain_arithmetic
    from resi.measures.shapes import as_tensor

    chosen = _chosen(measures)
    with plain_arithmetic():
        tensors = [as_tensor("convergence", side, array, shape) for side, array in (("R", R), ("S", S))]
        count = len(tensors[0])
        if len(tensors[1]) != count:
            raise UsageError(
                f"plot.convergence: R has {count} samples and S has {len(tensors[1])}; both must have the same samples"
            )
        selections = [
            (size, draw, _selection(count, size, draw, seed))
            for size in _checked(sizes, count)
            for draw in range(1 if size == count else draws)
        ]
        rows = []
        with progress("values by number of samples", len(selections), after=PATIENCE_SECONDS) as advance:
            for size, draw, selection in selections:
                drawn = [tensor[selection] for tensor in tensors]
                for name, measure in chosen.items():
                    value, error = _value(measure, drawn, shape)
                    rows.append((name, canonical(measure.parameters()), size, draw, value, error))
                advance()
    schema = {"measure": pl.String, "parameters": pl.String, "samples": pl.Int64, "draw": pl.Int64, "value": pl.Float64,
              "error": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _chosen(measures: Measures) -> dict[str, Any]:
    if isinstance(measures, str):
        measures = [measures]
    given = measures if hasattr(measures, "items") else {name: {} for name in measures}
    return {
        name: found if isinstance(found, Measure) else registry.make_measure(name, found)
        for name, found in given.items()
    }


def _checked(sizes: Sequence[int] | None, count: int) -> list[int]:
    if sizes is None:
        return sorted({int(size) for size in np.geomspace(min(FEWEST, count), count, STEPS).round()})
    for size in sizes:
        if not 2 <= size <= count:
            raise UsageError(f"plot.convergence: sizes={list(sizes)}: {size} is not between 2 and the {count} samples")
    if not len(sizes):
        raise UsageError("plot.convergence: sizes=[] is empty; give at least one number of samples")
    return sorted(set(map(int, sizes)))


def _selection(count: int, size: int, draw: int, seed: int) -> Any:
    import torch

    rows = generator(seed, "convergence", count, size, draw).choice(count, size, replace=False)
    rows.sort()
    return torch.from_numpy(rows)


def _value(measure: Any, drawn: Sequence[Any], shape: Layout) -> tuple[float | None, str]:
    try:
        return float(measure.evaluate(*drawn, shape)), ""
    except (DegenerateInputError, ShapeError) as error:  # few samples may be constant, or too few for the measure
        return None, str(error)


def by_size(table: pl.DataFrame) -> pl.DataFrame:
    """Return one row per measure and number of samples, from a table with one row per draw.

    Returns
    -------
    polars.DataFrame
        Columns ``measure, parameters, n_samples, value, low, high, draws, missing, error``: the mean, smallest and
        largest value over draws, the number of draws, the number of draws without a value, and why.
    """
    value = pl.col("value").fill_nan(None)
    kept = [name for name in ("measure", "parameters", "larger_is_more_similar") if name in table.columns]
    why = pl.col("error").filter(pl.col("error") != "").first() if "error" in table.columns else pl.lit(None)
    rows = table.group_by(*kept, "samples", maintain_order=True).agg(
        value.mean().alias("value"),
        value.min().alias("low"),
        value.max().alias("high"),
        pl.len().cast(pl.Int64).alias("draws"),
        value.null_count().cast(pl.Int64).alias("missing"),
        why.cast(pl.String).fill_null("").alias("error"),
    )
    order = {name: place for place, name in enumerate(table["measure"].unique(maintain_order=True))}
    places = pl.col("measure").replace_strict(order, return_dtype=pl.Int64)
    return rows.sort(places, *kept[1:2], "samples", maintain_order=True).rename({"samples": "n_samples"})


def _draw(ax: Axes, label: str, rows: pl.DataFrame) -> None:
    up = points_up("convergence", rows["measure"][0], rows)
    lines = rows.filter(pl.col("value").is_not_null()).sort("n_samples")
    if lines.is_empty():
        errors = [error for error in rows["error"] if error]
        raise UsageError(f"plot.convergence: {label} has no value" + (f": {errors[0]}" if errors else ""))
    ax.fill_between(lines["n_samples"], lines["low"], lines["high"], color=COLOURS[0], alpha=0.25, linewidth=0)
    ax.plot(lines["n_samples"], lines["value"], color=COLOURS[0], marker="o", markersize=3, linewidth=1.2)
    ax.set_xscale("log")
    _name_sizes(ax, lines["n_samples"].to_list())
    axis_names(ax, "number of samples (log scale)", f"{label} ({direction(up)})")
    ax.grid(linewidth=0.4, alpha=0.5)
    plain(ax)
    most = max(rows["draws"].to_list())
    words = f"mean and range of up to {most} draws" if most != 1 else "one draw of samples each"
    title(ax, f"{label}\n{words}" + missing_words(sum(rows["missing"].to_list()), "draw"), width=36)


def _name_sizes(ax: Axes, sizes: Sequence[int]) -> None:
    """Label the ticks with numbers of samples, as many as fit, including the largest."""
    step = every(len(sizes), MOST_SIZES)
    names = ["" if (len(sizes) - 1 - place) % step else str(size) for place, size in enumerate(sizes)]
    ax.minorticks_off()
    ax.set_xticks(sizes, names)
