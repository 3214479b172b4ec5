"""Representational similarity analysis by the order of distances: rank correlations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import DegenerateInputError
from resi_more_measures.grams import NEGLIGIBLE, bounded
from resi_more_measures.rdms import reordered_triangle
from resi_more_measures.rsa import ALL_SAME, CosineOfDistances, OnDistances, distances

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi import Measure
    from resi.measures.features import Features
    from resi_more_measures.rdms import Dissimilarity
else:
    from resi.lazy import torch


class Ranked(NamedTuple):
    """Distances by rank.

    Attributes
    ----------
    groups : Tensor of shape (n_pairs,), int64
        Place among the different distances, from 0; the same for those that differ by rounding only.
    tied : int
        How many pairs of distances are the same.
    """

    groups: Tensor
    tied: int

    def centred_ranks(self) -> Tensor:
        """Return the ranks, the average of those that are the same, less their mean."""
        counts = self.groups.bincount().to(torch.float64)
        ends = counts.cumsum(0)
        ranks = (ends - (counts - 1) / 2)[self.groups]
        return ranks - (len(ranks) + 1) / 2


def ranked(x: Features, dissimilarity: Dissimilarity) -> Ranked:
    """Return the order of all distances.

    Raises
    ------
    DegenerateInputError
        If all are the same.
    """
    values, order = distances(x, dissimilarity).sort()
    rises = values.diff() > NEGLIGIBLE * values.abs().max()
    if not bool(rises.any()):
        raise DegenerateInputError(ALL_SAME)
    in_order = torch.nn.functional.pad(rises.to(torch.int64), (1, 0)).cumsum(0)
    counts = in_order.bincount()
    groups = torch.empty_like(in_order).scatter_(0, order, in_order)
    return Ranked(groups, int((counts * (counts - 1) // 2).sum()))


def unit_ranks(x: Features, dissimilarity: Dissimilarity) -> Tensor:
    """Return the ranks of all distances less their mean, as a vector of length one."""
    ranks = x.shared(ranked, dissimilarity=dissimilarity).centred_ranks()
    return ranks / ranks.norm()


@dataclass
class RSASpearman(CosineOfDistances):
    """Representational similarity analysis by Spearman's rank correlation of distances.

    Distances that differ by rounding only have the average of their ranks; in [-1, 1]. With ``distance=correlation`` it
    is what ``rsa`` computes. The invariances stated are those of ``distance=euclidean``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008.
    """

    distance: str = "euclidean"

    name = "rsa_spearman"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    reference = "Kriegeskorte et al., Representational similarity analysis, Frontiers in Systems Neuroscience 2008"

    def prepare(self, x: Features) -> Tensor:
        """Rank all distances."""
        return x.shared(unit_ranks, dissimilarity=self.dissimilarity)


@dataclass
class _Ranks(OnDistances):
    """What measures share that count pairs of distances."""

    def prepare(self, x: Features) -> Ranked:
        """Rank all distances."""
        return x.shared(ranked, dissimilarity=self.dissimilarity)

    def permuted(self, state: Ranked, order: Tensor) -> Ranked:
        """Return the state of the samples in another order."""
        return state._replace(groups=reordered_triangle(state.groups, order))


@dataclass
class RSARhoA(_Ranks):
    """Representational similarity analysis by rho-a: Spearman's correlation on average over all ways to break ties.

    ``12 / (M³ - M) Σ r_i s_i`` of the M distances' ranks, less their means, those of ties averaged. Unlike Spearman's
    correlation it does not favour representations with many equal distances: of one with itself it is below 1 where
    distances are the same. The invariances stated are those of ``distance=correlation``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Schütt et al., Statistical inference on representational geometries, eLife 2023.
    """

    name = "rsa_rho_a"
    self_value = None
    reference = "Schütt et al., Statistical inference on representational geometries, eLife 2023"

    def compare(self, a: Ranked, b: Ranked) -> float:
        """Return rho-a, in [-1, 1]."""
        n_pairs = len(a.groups)
        return bounded(12 * float(a.centred_ranks() @ b.centred_ranks()) / (n_pairs**3 - n_pairs))


@dataclass
class RSATauA(_Ranks):
    """Representational similarity analysis by Kendall's tau-a of distances.

    The share of pairs of distances that both representations order alike, less the share that they order the other way
    round; a pair that is tied on either side counts for neither. Recommended where models predict tied distances. The
    invariances stated are those of ``distance=correlation``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Nili et al., A Toolbox for Representational Similarity Analysis, PLOS Computational Biology 2014.
    """

    name = "rsa_tau_a"
    self_value = None
    cost = "O(N² log N)"

    def compare(self, a: Ranked, b: Ranked) -> float:
        """Return tau-a, in [-1, 1]."""
        n_pairs = len(a.groups)
        pairs = n_pairs * (n_pairs - 1) // 2
        return bounded(_tau_b(a, b) * math.sqrt((pairs - a.tied) / pairs) * math.sqrt((pairs - b.tied) / pairs))


@dataclass
class RSAKendall(_Ranks):
    """Representational similarity analysis by Kendall's tau-b of distances.

    As ``rsa_tau_a``, divided by the geometric mean of the shares of pairs that are not tied on either side. The
    invariances stated are those of ``distance=correlation``.

    Parameters
    ----------
    distance, repeats
        As for ``rsa_pearson``.

    References
    ----------
    .. [1] Nili et al., A Toolbox for Representational Similarity Analysis, PLOS Computational Biology 2014.
    """

    name = "rsa_kendall"
    cost = "O(N² log N)"

    def compare(self, a: Ranked, b: Ranked) -> float:
        """Return tau-b, in [-1, 1]."""
        return bounded(_tau_b(a, b))


def _tau_b(a: Ranked, b: Ranked) -> float:
    from scipy.stats import kendalltau

    return float(kendalltau(a.groups.cpu().numpy(), b.groups.cpu().numpy(), method="asymptotic").statistic)


MEASURES: tuple[type[Measure], ...] = (RSAKendall, RSARhoA, RSASpearman, RSATauA)
