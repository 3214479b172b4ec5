"""Ranks as in the published figure of ranks, including its known defects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from resi.groundings import GROUNDINGS
from resi.groundings.ranks import with_ranks
from resi.plot.ranking import BLOCK, headline_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYER_TESTS = [name for name, test in GROUNDINGS.items() if test.kind == "layers"]
OF_MODELS = [name for name in BLOCK if name != "models"]
"""Scores of single models with equal values in these columns form one column of ranks."""


def ranked_as_published(
    function: str,
    table: Any,
    measures: Sequence[str] | str | None = None,
    protocol: str | None = "published",
    **values: Any,
) -> pl.DataFrame:
    """Return the scores that rank measures, with the ranks of the published figure.

    Scores are ranked without regard to chance; equal scores share the best of their ranks. In the layer test the
    measures are ranked for each model, but the published mean over models was also taken over all measures, so every
    measure gets the same rank and the test carries no information.

    The parameters and errors are those of :func:`resi.plot.ranking.ranked_scores`.
    """
    rows = headline_rows(function, table, measures, protocol, **values)
    of_all, of_one = (rows.filter(pl.col("seed").is_null() == is_mean) for is_mean in (True, False))
    ranked = with_ranks(of_all, BLOCK, as_published=True)
    of_models = with_ranks(of_one.filter(pl.col("test").is_in(LAYER_TESTS)), [*OF_MODELS, "seed"], as_published=True)
    means = of_models.group_by(OF_MODELS).agg(mean_rank=pl.col("rank").mean())
    joined = ranked.join(means, on=OF_MODELS, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(rank=pl.coalesce("mean_rank", "rank")).drop("mean_rank")
