"""Post-hoc tests: which pairs of measures differ, after the Friedman test has found a difference."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from resi.groundings.corrections import adjusted

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[np.float64]]

    PostHoc = Literal["nemenyi", "wilcoxon"]

POSTHOCS = ("nemenyi", "wilcoxon")


def nemenyi(means: Array, columns: int) -> Array:
    """Return the p-values of Nemenyi's test for all pairs of mean ranks, corrected for the number of measures.

    Parameters
    ----------
    means : array of shape (n_measures,)
        Mean ranks.
    columns : int
        Number of columns that they are means over.

    Returns
    -------
    array of shape (n_measures, n_measures)
        1 on the diagonal.

    References
    ----------
    .. [1] Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006.
    """
    from scipy.stats import studentized_range

    count = len(means)
    error = math.sqrt(count * (count + 1) / (12 * columns))
    found = np.ones((count, count))
    upper = np.triu_indices(count, 1)
    found[upper] = studentized_range.sf(np.abs(means[:, None] - means)[upper] / error, count, np.inf)
    return np.minimum(found, found.T)


def wilcoxon(goodness: Array) -> Array:
    """Return the p-values of Wilcoxon's signed-rank test for all pairs of rows, 1 where they never differ."""
    from scipy import stats

    p_values = np.ones((len(goodness), len(goodness)))
    for i, j in itertools.combinations(range(len(goodness)), 2):
        if (goodness[i] != goodness[j]).any():
            p_values[i, j] = p_values[j, i] = stats.wilcoxon(goodness[i], goodness[j]).pvalue
    return p_values


def holm(p_values: Array) -> Array:
    """Return the p-values of all pairs with Holm's correction for their number."""
    upper = np.triu_indices(len(p_values), 1)
    corrected = np.ones_like(p_values)
    corrected[upper] = adjusted(p_values[upper], "holm")
    return np.minimum(corrected, corrected.T)
