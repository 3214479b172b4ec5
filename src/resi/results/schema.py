"""The columns of all result tables, in one place; docs/results.md describes each of them.

``SCHEMA_VERSION`` is written into every table and manifest. Raise it with every change: tables of a later version are
refused. A new column also goes into ``LATER_COLUMNS``, so that tables of earlier versions can still be read.
"""

from __future__ import annotations

import polars as pl

SCHEMA_VERSION = 7
SCORE_VERSION = 5
"""Raise it when scoring gives other numbers for the same comparisons: finished runs then score them again."""
NAMED_BY = 3
"""Part of the names of shards: the score version when names last changed with it. It is fixed now."""

COMPUTED, PUBLISHED = "resi", "published"
"""Where a row comes from: computed by resi, or imported from the published benchmark's results.

As a source of models, ``PUBLISHED`` means the published models.
"""
TRAINED = "trained"
"""Models that resi has trained."""
OWN = "own"
"""A user's own models, given by their representations."""

# Columns that tables of earlier versions lack, with the values filled in when such a table is read.
LATER_COLUMNS: dict[str, str | None] = {
    "origin": COMPUTED,
    "probe": None,
    "pooling": "none",  # no model of that time had tokens
    "setting": "",
    "seed": None,
    "low": None,
    "high": None,
    "p_value": None,
    "normalised": None,
    "reason": "",
    "model_source": None,  # but see Shard, which knows it of most tables
    "pair": None,
    "compared": None,
    "note": "",
    "influences": "",
    "smallest_p": None,
    "raw": None,
    "null_mean": None,
    "null_95": None,
    "settings": "",
}

NULL = "null"
"""The parameter of rows with calibrated values: the number of permutations."""


def is_calibrated(parameters: pl.Expr) -> pl.Expr:
    """Return whether values are calibrated, in which case larger means more similar, also for distances."""
    return parameters.fill_null("").str.contains(f'"{NULL}":', literal=True)


PAIRWISE: dict[str, pl.DataType | type[pl.DataType]] = {
    "source": pl.String,
    "target": pl.String,
    "measure": pl.String,
    "value": pl.Float64,
    "seconds": pl.Float64,
    "status": pl.String,
    "error": pl.String,
    "note": pl.String,
    "larger_is_more_similar": pl.Boolean,  # null for a plain function, which does not say
}

CHANCE: dict[str, pl.DataType | type[pl.DataType]] = {
    "null_mean": pl.Float64,  # mean of the values of permuted samples
    "null_95": pl.Float64,  # threshold: 95 % of these and of the value itself are no more similar
    "p_value": pl.Float64,  # share of these and of the value itself that are at least as similar
    "calibrated": pl.Float64,  # how far the value is beyond the threshold, as a share of the way to the best value
    "exact_mean": pl.Float64,  # over all orders of the samples; null where not known in closed form
    "exact_variance": pl.Float64,
    "exact_of": pl.String,  # value or square: of what these two are
}
"""The columns that ``null=`` adds to a table of pairs."""

AGGREGATES = {
    "measure": pl.String,
    "aggregate": pl.String,  # max, mean or the name of a function
    "value": pl.Float64,
    "source": pl.String,  # the most similar layers, for max
    "target": pl.String,
    "pairs": pl.Int64,
    "null_mean": pl.Float64,  # this and the next three as in CHANCE, of the aggregate
    "null_95": pl.Float64,
    "p_value": pl.Float64,
    "calibrated": pl.Float64,
    "seconds": pl.Float64,
    "status": pl.String,
    "error": pl.String,
    "note": pl.String,
    "larger_is_more_similar": pl.Boolean,
}
"""The columns of a table of aggregates over pairs of layers."""

INTERVALS: dict[str, pl.DataType | type[pl.DataType]] = {"low": pl.Float64, "high": pl.Float64}
"""The columns that ``bootstrap=`` adds: the 95 % interval over samples; null where there is none."""
DRAWS: dict[str, pl.DataType | type[pl.DataType]] = {"samples": pl.Int64, "draws": pl.List(pl.Float64)}
"""The columns added by ``draws=True``, for differences: the number of samples, and a value for each draw."""

ASKED = ("null_mean", "null_95", "low", "high", "p_value", "calibrated")
"""The last columns of a table of pairs: where there is no room for all, as in print, the first and last four show."""

COMPARISONS = {
    "domain": pl.String,
    "dataset": pl.String,
    "architecture": pl.String,
    "setting_a": pl.String,
    "seed_a": pl.Int64,
    "layer_a": pl.String,
    "setting_b": pl.String,
    "seed_b": pl.Int64,
    "layer_b": pl.String,
    "measure": pl.String,  # or jsd, disagreement, accuracy_difference: how differently two models predict, layer empty
    "value": pl.Float64,  # null unless status is ok
    "status": pl.String,  # ok, failed or undefined
    "error": pl.String,  # why the value is missing; empty if there is one
    "seconds": pl.Float64,  # this comparison alone, both sides prepared
    "prepare_seconds": pl.Float64,  # its share of preparing both sides
    "device": pl.String,
    "measure_version": pl.Int64,
    "parameters": pl.String,  # of the measure (and compare.subsample, where set), as canonical JSON
    "shape_a": pl.String,  # of the stored representation, such as 1000x64
    "shape_b": pl.String,
    "key": pl.String,  # hash of all that the value depends on; two rows with one key are the same comparison
    "resi_version": pl.String,
    "origin": pl.String,  # resi, or published for imported rows
    "probe": pl.String,  # the input on which both representations were taken
    "pooling": pl.String,  # how tokens became one vector, or post_activation; none where nothing was chosen
    "model_source": pl.String,  # trained by resi, published or own; null where an earlier version does not say
    "pair": pl.String,  # hash of both representations in either order: the same for all measures of one pair
    "note": pl.String,  # why the value says little, or what was warned about; empty where there is nothing to note
    # Of the rows with calibrated values, which have the parameter null; null for all others.
    "raw": pl.Float64,  # the value of the measure itself
    "null_mean": pl.Float64,  # this and the next two as in CHANCE
    "null_95": pl.Float64,
    "p_value": pl.Float64,
}

SCORES = {
    "test": pl.String,
    "domain": pl.String,
    "dataset": pl.String,
    "architecture": pl.String,
    "setting": pl.String,  # of the models, where all have one; else empty
    "seed": pl.Int64,  # of the model, where the score is about one alone; else null
    "measure": pl.String,
    "parameters": pl.String,
    "metric": pl.String,  # auprc, violation_rate, spearman, pearson or kendall
    "functional": pl.String,  # jsd, disagreement or accuracy_difference; empty where the test has none
    "value": pl.Float64,  # null where nothing could be compared
    "low": pl.Float64,  # 95 % interval over models trained again; null where there is none
    "high": pl.Float64,
    "p_value": pl.Float64,  # share of random relabellings of the models that score at least as well; null as above
    "chance": pl.Float64,  # expected value under random similarities
    "normalised": pl.Float64,  # share of the way from chance to the best value; 0 at chance, 1 at best
    "reason": pl.String,  # why the value is missing; empty if there is one
    "protocol": pl.String,
    "groups": pl.Int64,
    "models": pl.Int64,
    "pairs": pl.Int64,  # comparisons the score rests on
    "failed_pairs": pl.Int64,  # comparisons it should rest on, but that have no value
    "key": pl.String,  # hash of what the score depends on
    "resi_version": pl.String,
    "origin": pl.String,  # of the comparisons
    "pooling": pl.String,
    "model_source": pl.String,
    "compared": pl.String,  # hash of what was compared: scores that have it in common are about the same models
    "note": pl.String,  # why the score says little; empty where there is nothing to note
    "influences": pl.String,  # JSON: what each model adds to the score's uncertainty; empty where unknown
    "smallest_p": pl.Float64,  # what p_value is where no relabelling scores as well; null where there is no p_value
    "settings": pl.String,  # the groups, from unaltered to most altered; empty where an earlier version does not say
}

# Sorting by these makes tables independent of the order of incoming rows.
COMPARISON_ORDER = [
    "domain", "dataset", "architecture", "measure", "parameters", "origin", "model_source", "pooling", "probe",
    "setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", "key",
]  # fmt: skip
SCORE_ORDER = [
    "test", "domain", "dataset", "architecture", "setting",
    "measure", "parameters", "origin", "model_source", "pooling", "metric", "functional", "seed", "key",
]  # fmt: skip
