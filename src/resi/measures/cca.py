"""Measures based on canonical correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from resi.errors import DegenerateInputError
from resi.measures.base import BuiltIn, check_variant
from resi.measures.needs import Needs
from resi.measures.shared import bases, chance, intermediates, parts
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.reordered import Reordered

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
    from resi.measures.needs import Size
else:
    from resi.lazy import torch

# What the published numbers of svcca add to the variance of every component, relative to the largest one.
PUBLISHED_RIDGE = 1e-10
VARIANCE_SHARE = 0.99
# Canonical correlations this near to 1 are 1.
SAME = 1e-10


@dataclass
class _CanonicalCorrelation(BuiltIn):
    """Base of both measures: their variant, a thin basis of the centred features as prepared state, and the note."""

    variant: str = "corrected"

    family = "cca"
    version = 2
    resolution = bases.RESOLUTION
    larger_is_more_similar = True
    self_value = 1.0
    spatial = "align"
    benchmark = True
    cost = "O(N D² + D³)"

    of_overlap: ClassVar[int]
    """Number of matrices of the size of the product of two bases that comparing needs."""

    def __post_init__(self) -> None:
        check_variant(self.name, self.variant)

    def prepare(self, x: Features) -> Features:
        """Decompose the centred features."""
        x.shared(bases.centred_basis)
        return x

    def permuted(self, state: Features, order: Tensor) -> Features | None:
        """Return the prepared state with its rows in another order; published values depend on signs of the basis."""
        return None if self.variant == "published" else Reordered(state, order)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the decomposition, and of that of the product of two bases."""
        held = parts.shifted(size) | parts.bases(size)
        return Needs(held, preparing=parts.decomposing(size), comparing=self.of_overlap * size.square)

    def note(self, a: Features, b: Features) -> str:
        """Return a note if a rank is uncertain, or if unrelated representations have a value of half or more."""
        counts = self._components(a), self._components(b)
        expected = chance.mean_correlation(*counts, a.shape[0] - 1)
        extent = f"{counts[0]} and {counts[1]} directions"
        few = chance.note(a.shape[0], extent, expected) if expected >= chance.NOTED else ""
        return bases.note(a, b, few)

    def _components(self, x: Features) -> int:
        """Return how many directions are compared: all."""
        return x.shared(bases.centred_basis).rank


@dataclass
class PWCCA(_CanonicalCorrelation):
    """Projection weighted canonical correlation analysis.

    The mean of the canonical correlations, each weighted by how much of one side its variate h accounts for: by
    ``Σ_j |<h, x_j>|`` over the centred neurons x_j of R, or of S where S has the smaller numerical rank. In [0, 1]; 1
    when that side is a linear image of the other. Directions without variance, such as dead neurons, are left out, and
    more features than samples are allowed. If the sides have several directions in common, as always when their ranks
    add up to more than the number of samples, the variates are the principal axes of R within these directions.

    Parameters
    ----------
    variant : {"corrected", "published"}
        ``published`` gives the numbers of the published benchmark: the centred neurons are rotated as the whitened ones
        should have been, each gets the mean of a neuron added and they are orthonormalised by a QR factorisation
        before weighting the raw neurons. These depend on the signs that LAPACK gives to singular vectors, are
        not invariant to translation, and exist only where R has no more features than S and both have full column
        rank.

    References
    ----------
    .. [1] Morcos et al., Insights on representational similarity in neural networks with canonical correlation,
       NeurIPS 2018.
    """

    name = "pwcca"
    of_overlap = 7
    symmetric = False
    invariances = frozenset({"permutation", "isotropic_scaling", "translation"})
    published_name = "PWCCA"
    reference = (
        "Morcos et al., Insights on representational similarity in neural networks with canonical correlation, "
        "NeurIPS 2018"
    )

    def compare(self, a: Features, b: Features) -> float:
        """Return the weighted mean canonical correlation, in [0, 1].

        Raises
        ------
        DegenerateInputError
            If ``variant`` is ``published`` and there is no published value for such a pair.
        """
        if self.variant == "published":
            return self._published(a, b)
        basis_a, basis_b = a.shared(bases.centred_basis), b.shared(bases.centred_basis)
        if bases.fills_space(a.shape[0], basis_a.rank, basis_b.rank):
            return 1.0
        variates, correlations, variates_b = a.shared_with(b, bases.canonical)
        if basis_b.rank < basis_a.rank:
            variates, basis_a = variates_b, basis_b
        scores = variates.T * basis_a.values
        shared = int((correlations > 1 - SAME).sum())
        if 1 < shared < len(scores):
            # Any rotation of these variates would do; their principal axes are the same for any order of samples.
            scores[:shared] = bases.thin_svd(scores[:shared])[0].T @ scores[:shared]
        weights = (scores @ basis_a.right.T).abs().sum(1)
        return or_exactly(1.0, float((weights / weights.sum()) @ correlations.clamp(max=1.0)))

    def _published(self, a: Features, b: Features) -> float:
        from numpy.linalg import svd

        basis_a, basis_b = a.shared(bases.centred_basis), b.shared(bases.centred_basis)
        n_features = (len(basis_a.right), len(basis_b.right))
        if (basis_a.rank, basis_b.rank) != n_features or n_features[0] > n_features[1]:
            raise DegenerateInputError(
                f"variant='published' needs full column rank and no more features in R than in S, but R has rank "
                f"{basis_a.rank} of {n_features[0]}, S {basis_b.rank} of {n_features[1]}"
            )
        cross = basis_a.right @ a.shared_with(b, bases.centred_overlap) @ basis_b.right.T
        # The signs of singular vectors count here: those that numpy's LAPACK gives them, not torch's or CUDA's.
        rotation, correlations, _ = (torch.from_numpy(part) for part in svd(cross.cpu().numpy(), full_matrices=False))
        matrix = a.shared(intermediates.scaled).matrix.cpu()
        directions = a.shared(intermediates.centred).cpu() @ rotation + matrix.mean(0)
        weights = (torch.linalg.qr(directions).Q.T @ matrix).abs().sum(1)
        return float((weights / weights.sum()) @ correlations)


@dataclass
class SVCCA(_CanonicalCorrelation):
    """Singular vector canonical correlation analysis.

    Each side is reduced to the fewest principal components that hold 99 % of its variance; the value is the mean of
    their canonical correlations, in [0, 1].

    Parameters
    ----------
    variant : {"corrected", "published"}
        ``published`` gives the numbers of the published benchmark, in which the share of variance has to reach 99 % of
        the sum of squares itself: a representation whose sum of squares is above 1.01 is reduced to one component, the
        rest to fewer components than they need. A ridge of 1e-10 of the largest variance keeps those numbers a little
        below 1. They are not invariant to scaling.

    References
    ----------
    .. [1] Raghu et al., SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and
       Interpretability, NeurIPS 2017.
    """

    name = "svcca"
    of_overlap = 3
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    published_name = "SVCCA"
    reference = (
        "Raghu et al., SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and "
        "Interpretability, NeurIPS 2017"
    )

    def compare(self, a: Features, b: Features) -> float:
        """Return the mean canonical correlation, in [0, 1]."""
        counts = [self._components(side) for side in (a, b)]
        if self.variant == "corrected" and bases.fills_space(a.shape[0], *counts):
            return 1.0
        overlap = a.shared_with(b, bases.centred_overlap)[: counts[0], : counts[1]]
        if self.variant == "published":
            left, right = (_ridge_factors(side, count) for side, count in zip((a, b), counts, strict=True))
            overlap = left.unsqueeze(1) * overlap[: len(left), : len(right)] * right
        return or_exactly(1.0, float(torch.linalg.svdvals(overlap).clamp(max=1.0).mean()))

    def _components(self, x: Features) -> int:
        """Return how many principal components are kept."""
        # On the CPU: on a GPU each number that is looked at is a wait, and sums that accumulate are not deterministic.
        variances = x.shared(bases.centred_basis).values.cpu().square()
        total = float(variances.sum())
        cumulative = variances.cumsum(0) / total
        if self.variant == "published":
            scale = x.shared(intermediates.scaled).scale
            too_few = int((cumulative < VARIANCE_SHARE * total * scale * scale).sum())
            return too_few + 1 if too_few < len(variances) else 1
        # Shares that equal 99 % are not to miss it by rounding.
        return int((cumulative < VARIANCE_SHARE - 1e-12).sum()) + 1


def _ridge_factors(x: Features, count: int) -> Tensor:
    """Return the factor by which the ridge of the published numbers shrinks each of the first components."""
    values = x.shared(bases.centred_basis).values[:count]
    relative = (values / values[0]).square()
    relative = relative[relative >= PUBLISHED_RIDGE]
    return (relative / (relative + PUBLISHED_RIDGE)).sqrt()
