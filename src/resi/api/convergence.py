"""``resi.convergence``: how values depend on the number of samples, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from resi.api.measuring import Measures
    from resi.specs import Layout


def convergence(  # noqa: PLR0913 - all but the first two are options
    R: Any,
    S: Any,
    measures: Measures = "cka",
    *,
    sizes: Sequence[int] | None = None,
    draws: int = 5,
    seed: int = 0,
    shape: Layout = "nd",
) -> pl.DataFrame:
    """Return the values of measures for several sample sizes, to check whether there are enough samples.

    Many measures are biased for few samples. If values still rise or fall at the largest sizes, they depend on the
    sample size as much as on the representations, and values at different sample sizes are not comparable.
    ``resi.plot.convergence`` draws the table.

    Parameters
    ----------
    R, S : array of shape (n_samples, n_features), or as ``shape`` says
        Representations of the same samples, row by row.
    measures : name, class, instance or function, a sequence of these, or a mapping
        As for :func:`pairwise`.
    sizes : sequence of int, optional
        Numbers of samples; by default eight sizes from 20 to all samples, equally spaced on a log scale.
    draws : int
        How many subsets of samples are drawn for each size; the same for all measures.
    seed : int
        Seed of the subsets.
    shape : str
        ``nd``, ``ntd`` or ``nchw``.

    Returns
    -------
    polars.DataFrame
        Columns ``measure, parameters, larger_is_more_similar, n_samples, value, low, high, draws, missing, error``, one
        row for each measure and size. ``value`` is the mean over the draws, ``low`` and ``high`` are the smallest and
        the largest, ``missing`` counts draws without a value, and ``error`` says why there is none.

    Raises
    ------
    UsageError
        If a measure is unknown, or a size is not between 2 and the number of samples.

    Examples
    --------
    >>> import numpy as np
    >>> R, S = np.random.default_rng(0).normal(size=(2, 400, 10))  # unrelated
    >>> table = convergence(R, S, "cka", sizes=[20, 100, 400])
    >>> table["value"].round(1).to_list()
    [0.4, 0.1, 0.0]
    """
    import polars as pl

    from resi.api.measuring import choose
    from resi.plot.convergences import by_size, values_by_samples

    chosen = choose(measures)
    table = values_by_samples(R, S, chosen.measures, sizes=sizes, draws=draws, seed=seed, shape=shape)
    larger = pl.Series([chosen.larger_is_more_similar[name] for name in table["measure"]], dtype=pl.Boolean)
    return by_size(table.with_columns(larger.alias("larger_is_more_similar")))
