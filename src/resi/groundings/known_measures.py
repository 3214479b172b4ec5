"""Facts about the measures in a table that a test needs: their direction, and whether they are symmetric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from resi import registry
from resi.errors import UsageError, unknown_name
from resi.groundings.base import MeasureFacts
from resi.groundings.ties import RESOLUTION
from resi.measures.functional import FUNCTIONAL
from resi.results.schema import is_calibrated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.measures.base import Measure

    Measures = Mapping[str, type[Measure]]


def directions(table: pl.DataFrame) -> dict[str, bool | None]:
    """Return whether larger values of each measure mean more similar, where the table says so.

    Raises
    ------
    UsageError
        If the table contradicts itself about a measure.
    """
    column = "larger_is_more_similar"
    if column not in table.columns:
        return {}
    stated = table.filter(~pl.col("measure").is_in(list(FUNCTIONAL))).select("measure", column).unique().drop_nulls()
    if stated["measure"].is_duplicated().any():
        twice = stated.filter(stated["measure"].is_duplicated())["measure"][0]
        raise UsageError(f"the column {column} is both true and false for {twice}; keep the rows of one")
    return {**dict.fromkeys(table["measure"]), **dict(stated.iter_rows())}


def facts_of(rows: pl.DataFrame, measures: Measures | None, stated_of: Mapping[str, bool | None]) -> MeasureFacts:
    """Return the facts about a measure from its class, or from a table.

    Parameters
    ----------
    rows : DataFrame
        All with one measure and one set of parameters, with the indices of models in ``a`` and ``b``.
    measures : mapping from name to measure class, or None
        Measures that are not installed.
    stated_of : mapping from name to bool or None
        Result of :func:`directions`.

    Raises
    ------
    UsageError
        If the measure or its direction is unknown.
    """
    name, parameters = str(rows["measure"][0]), str(rows["parameters"][0])
    stated, calibrated = stated_of.get(name), bool(rows.select(is_calibrated(pl.col("parameters")))[0, 0])
    if measures is not None and name in measures:
        measure = measures[name]
    elif name in registry.measures() and stated in (None, registry.measures().get(name).larger_is_more_similar):
        measure = registry.measures().get(name)
    elif stated is not None:
        return MeasureFacts(name, parameters, stated or calibrated, not _has_both_orders(rows))
    elif name in stated_of:
        raise UsageError(
            f"it is not known whether larger values of {name} mean more similar; compare with "
            f"resi.as_measure({name}, name={name!r}, larger_is_more_similar=...), or fill the column "
            "larger_is_more_similar of the table"
        )
    else:
        hint = " Install its plugin, pass its class in measures=, or leave its rows out."
        raise unknown_name("measure among the comparisons", name, list(registry.measures()), hint)
    if calibrated:
        return MeasureFacts(name, parameters, True, measure.symmetric, getattr(measure, "resolution", RESOLUTION), 1.0)
    return MeasureFacts(
        name,
        parameters,
        measure.larger_is_more_similar,
        measure.symmetric,
        getattr(measure, "resolution", RESOLUTION),
        abs(measure.self_value or 0.0),
    )


def _has_both_orders(rows: pl.DataFrame) -> bool:
    """Return whether a table holds a pair in both orders, as for measures that are not symmetric."""
    pairs = set(rows.select("a", "b").iter_rows())
    return any((b, a) in pairs for a, b in pairs if a != b)
