"""Scores for readers: one row per measure, the best first, with those not distinguishable from the best marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi.groundings import SCORED
from resi.groundings.base import LEVEL
from resi.groundings.notes import TOO_FEW_TO_TELL
from resi.groundings.ranks import indistinct_from_best, read_influences, with_ranks
from resi.registry.labels import measure_label
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Columns in which the scores of a block agree, so that they can be compared with each other.
TEST = ["test", "protocol", "model_source"]
ABOUT = ["domain", "dataset", "architecture", "setting", "functional", "pooling", "groups", "models", "compared"]
DESIGN = ["domain", "dataset", "architecture", "setting", "functional", "pooling"]
LINE = ["measure", "parameters", "origin"]
TITLES = {
    "auprc": "AUPRC ↑",
    "violation_rate": "violations ↓",
    "spearman": "Spearman ↑",
    "pearson": "Pearson ↑",
    "kendall": "Kendall ↑",
}
"""Headings of the metrics in tables, and which direction is better."""
BEST = "better than chance, not distinguishable from the best on the same models (5 %)"
"""Meaning of the mark of a measure, in tables and figures."""
RULE = f"p <= {LEVEL:g} and the interval above chance"
"""When a score is better than chance, see :func:`differs_from_chance`."""
UNKNOWN = "the uncertainty of the scores is unknown, so none is marked"
CHANCE = f"no score can be distinguished from chance ({RULE}), so none is marked"
BEST_BY_CHANCE = f"no score that may be the best can be distinguished from chance ({RULE}), so none is marked"
ALONE = ""
NAMED = 3
"""The most measures that are named beside the reason why their scores are undefined."""


class Block(NamedTuple):
    """The scores of measures on the same models.

    Attributes
    ----------
    about : mapping from column to value
        What the scores are for: test, dataset, architecture and so on, and ``design``, see :func:`with_designs`.
    rows : list of dict
        One for each measure, the best first: ``label``, ``best`` (see :func:`read_scores`), ``is_imported`` where
        imported scores stand beside computed ones, and ``metrics``, the score by each metric.
    why_unmarked : str
        Why no measure is marked as the best; empty if some are, or if there is only one.
    """

    about: Mapping[str, Any]
    rows: list[dict[str, Any]]
    why_unmarked: str


def read_scores(scores: pl.DataFrame) -> Iterator[Block]:
    """Yield the scores of each test and architecture, the best measure first, without scores of single models.

    A measure is ``best`` if it is better than chance and not distinguishable from the best score by the test's
    first metric: their difference is within its uncertainty over other models, the same for both measures, at 5 % for
    each measure alone. It is None for all measures of a block where there are too few models to tell, where none of
    these can be distinguished from chance, or where the uncertainty is unknown.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`; rows of unknown tests are left out.
    """
    known = scores.with_columns(pl.col(pl.Float64).fill_nan(None))
    known = with_designs(known.filter(pl.col("seed").is_null() & pl.col("test").is_in(list(SCORED))), "groups")
    for names, rows in known.group_by([*TEST, *ABOUT], maintain_order=True):
        about = {**dict(zip([*TEST, *ABOUT], names, strict=True)), "design": rows["design"].max()}
        yield _block(about, rows, SCORED[str(about["test"])].headline)


def with_designs(scores: pl.DataFrame, *also: str) -> pl.DataFrame:
    """Return scores with ``design``: their groups, if other scores of the test have different groups; else empty.

    Parameters
    ----------
    also : str
        Columns that distinguish scores for a reader, besides the test, the models and the data.
    """
    settings = pl.col("settings").fill_null("").replace("", None)
    several = settings.drop_nulls().n_unique().over([*TEST, *DESIGN, *also]) > 1
    text = settings
    for test in SCORED:
        text = text.str.replace_all(f"{test}_", "", literal=True)
    return scores.with_columns(design=pl.when(several).then(text).fill_null(""))


def _block(about: Mapping[str, Any], scores: pl.DataFrame, headline: str) -> Block:
    # Runs may differ in what has no column, and cannot be distinguished: each of their scores has its own line.
    alone = pl.when(pl.struct(*LINE, "metric").is_duplicated()).then("key").alias("alone")
    ranked = with_ranks(scores.filter(metric=headline), ABOUT)
    goodness = {row["key"]: row for row in ranked.iter_rows(named=True)}
    rows: list[dict[str, Any]] = []
    for _, part in scores.group_by([*LINE, alone], maintain_order=True):
        metrics = {row["metric"]: row for row in part.iter_rows(named=True)}
        first = next(iter(metrics.values()))
        label = measure_label(first["measure"], first["parameters"] or "{}")
        rows.append({"label": label, "best": None, "metrics": metrics, "is_imported": False})
        rows[-1]["rank"] = goodness.get(metrics[headline]["key"]) if headline in metrics else None
        rows[-1]["origin"] = first["origin"]
    mixed = len({row["origin"] for row in rows}) > 1
    for row in rows:
        row["is_imported"] = mixed and row["origin"] == PUBLISHED
    rows.sort(key=lambda row: _place(row["rank"]))
    return Block(about, rows, _mark(rows))


def _place(ranked: Mapping[str, Any] | None) -> tuple[bool, float]:
    goodness = None if ranked is None else ranked["goodness"]
    return goodness is None, -(goodness or 0.0)


def _mark(rows: Sequence[dict[str, Any]]) -> str:
    """Mark the measures that are not distinguishable from the best; return why none is marked."""
    ranked = [row for row in rows if row["rank"] is not None and row["rank"]["value"] is not None]
    marks, why_unmarked = best_marks([row["rank"] for row in ranked])
    for row, mark in zip(ranked, marks or [], strict=bool(marks)):
        row["best"] = mark
    return why_unmarked


def best_marks(scores: Sequence[Mapping[str, Any]]) -> tuple[list[bool] | None, str]:
    """Return which scores are better than chance and not distinguishable from the best, see :func:`read_scores`.

    Parameters
    ----------
    scores : sequence of mapping
        Rows of :func:`resi.groundings.ranks.with_ranks` with a value, of one metric and on the same models.

    Returns
    -------
    marks : list of bool or None
        None if that is unknown.
    why_unmarked : str
        Why there are no marks; empty if there are, or if there are fewer than two scores.
    """
    if len(scores) < 2:
        return None, ALONE
    if few := TOO_FEW_TO_TELL.search(str(min(scores, key=_place)["note"] or "")):
        return None, f"{few[0]}: too few models to tell which measure is best"
    # If that is unknown, the uncertainty is unknown too.
    may_differ = [differs_from_chance(score) is not False for score in scores]
    if not any(may_differ):
        return None, CHANCE
    shares = [read_influences(score["influences"]) for score in scores]
    if any(share is None or len(share) != len(shares[0] or ()) for share in shares):
        return None, UNKNOWN
    steps = np.array([[score["step"]] for score in scores], dtype=float)
    goodness = np.array([score["goodness"] for score in scores], dtype=float)
    indistinct = indistinct_from_best(goodness, np.array(shares, dtype=float) * steps)
    marks = [may and is_best for may, is_best in zip(may_differ, indistinct, strict=True)]
    return (marks, "") if any(marks) else (None, BEST_BY_CHANCE)


def differs_from_chance(score: Mapping[str, Any]) -> bool | None:
    """Return whether a score is better than chance: by its p-value and its interval, if it has both; None if neither.

    The two can disagree: few models may have a small p-value, and an interval that says nothing.
    """
    found = []
    if score["p_value"] is not None:
        found.append(bool(score["p_value"] <= LEVEL))
    if score["low"] is not None and score["chance"] is not None:
        found.append(bool(score["low"] > score["chance"]))
    return all(found) if found else None


def legend(mark: str) -> list[str]:
    """Return what the mark of a measure means, and when a score is better than chance, one line each."""
    return [f"{mark} {BEST}", f"better than chance: {RULE}"]


def why_undefined(scores: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return why scores are undefined, one line for each reason, with the measures unless it is that of all.

    Parameters
    ----------
    scores : sequence of (str, mapping)
        The label of each measure, and its score: ``value`` and ``reason``.
    """
    found: dict[str, list[str]] = {}
    for label, score in scores:
        if score["value"] is None:
            labels = found.setdefault(score["reason"] or "unknown reason", [])
            labels += [label] * (label not in labels)
    if len(found) == 1 and all(score["value"] is None for _, score in scores):
        return [f"undefined: {reason}" for reason in found]
    lines = []
    for reason, labels in found.items():
        more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
        lines.append(f"undefined: {reason} ({', '.join(labels[:NAMED])}{more})")
    return lines


def score_frame(scores: pl.DataFrame) -> pl.DataFrame:
    """Return scores as a compact table, the best measure of each architecture first.

    Parameters
    ----------
    scores : DataFrame
        With the columns :data:`resi.results.schema.SCORES`.

    Returns
    -------
    DataFrame
        One row for each test, architecture and measure: ``test``, ``domain``, ``dataset``, ``protocol``,
        ``architecture``, ``setting``, ``functional``, ``measure``, ``parameters``, ``best`` (null where it is not
        known, see :func:`read_scores`), ``metric``, ``value``, ``low``, ``high``, ``p_value``, ``smallest_p``,
        ``chance``, then the values of further metrics by name, and ``groups``, ``models``, ``pairs``,
        ``failed_pairs``, ``origin``, ``model_source``, ``reason``, ``note``.
    """
    rows = [_frame_row(block, row) for block in read_scores(scores) for row in block.rows]
    further = sorted({name for row in rows for name in row} - set(FRAME))
    order = [*list(FRAME)[:WHERE_FURTHER], *further, *list(FRAME)[WHERE_FURTHER:]]
    schema: dict[str, Any] = {name: FRAME.get(name, pl.Float64) for name in order}
    return pl.DataFrame([{name: row.get(name) for name in order} for row in rows], schema=schema, orient="row")


OF_HEADLINE = ("value", "low", "high", "p_value", "smallest_p", "chance")
FRAME: dict[str, Any] = {
    **dict.fromkeys(
        ("test", "domain", "dataset", "protocol", "architecture", "setting", "functional", "measure", "parameters"),
        pl.String,
    ),
    "best": pl.Boolean,
    "metric": pl.String,
    **dict.fromkeys(OF_HEADLINE, pl.Float64),
    **dict.fromkeys(("groups", "models", "pairs", "failed_pairs"), pl.Int64),
    **dict.fromkeys(("origin", "model_source", "reason", "note"), pl.String),
}
WHERE_FURTHER = 17
"""Further metrics come after ``chance``."""


def _frame_row(block: Block, row: Mapping[str, Any]) -> dict[str, Any]:
    headline = SCORED[str(block.about["test"])].headline
    first = row["metrics"].get(headline) or next(iter(row["metrics"].values()))
    found = {name: first[name] for name in FRAME if name in first} | {"measure": row["label"]}
    if first["metric"] != headline:
        found |= dict.fromkeys(OF_HEADLINE)
    others = {name: score["value"] for name, score in row["metrics"].items() if name != headline}
    return {**found, "metric": headline, "best": row["best"], **others}
