"""Measures that first align one representation with the other."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.errors import DegenerateInputError
from resi.measures import artifacts, rows
from resi.measures.base import Features, Measure

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor
else:
    from resi.lazy import torch

SHAPE_METRICS = "Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021"


# Products of single precision are known to about 1e-7 of the norms. A distance computed from them has six digits unless
# the cosine is nearer to 1 than this; then they are computed in double precision.
SINGLE_IS_ENOUGH = 0.9


def nuclear_norm(a: Features, b: Features) -> float:
    """Return the nuclear norm of ``RcᵀSc``, the sum of its singular values (of the scaled matrices)."""
    result = sum_of_singular_values(a.shared_with(b, artifacts.centred_cross), a.single and b.single)
    norms = a.shared(artifacts.centred_norm) * b.shared(artifacts.centred_norm)
    if a.single and b.single and result > SINGLE_IS_ENOUGH * norms:
        result = sum_of_singular_values(artifacts.exact_centred_cross(a, b), False)
    return result


def sum_of_singular_values(matrix: Tensor, single: bool) -> float:
    """Return the sum of a matrix's singular values.

    Parameters
    ----------
    single : bool
        Whether seven digits are enough: then they are found from the eigenvalues of the smaller product of the matrix
        with itself, in two thirds of the time, where these are large enough for that.
    """
    if single:
        wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        squares = torch.linalg.eigvalsh(wide @ wide.T).cpu().numpy()
        roots = squares.clip(0) ** 0.5
        total = float(roots.sum())
        # An eigenvalue is off by about this; its root by half of that over the root, or by the root of it if less.
        error = len(squares) * 2.0**-52 * float(squares[-1])
        if error > 0 and float((error / (2 * roots).clip(error**0.5)).sum()) < 1e-7 * total:
            return total
    return float(torch.linalg.svdvals(matrix).sum())


def relative_scales(a: Features, b: Features) -> tuple[float, float, float]:
    """Return the larger of the scales of two representations, and both scales as shares of it."""
    scale_a, scale_b = a.shared(artifacts.scale), b.shared(artifacts.scale)
    larger = max(scale_a, scale_b)
    return larger, scale_a / larger, scale_b / larger


@dataclass
class _CentredShapes(Measure):
    """Measures on the nuclear norm of ``RcᵀSc``, which is computed once for all of them."""

    family = "alignment"
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    spatial = "align"
    benchmark = True
    cost = "O(N D² + D³)"
    reference = SHAPE_METRICS

    def prepare(self, x: Features) -> Features:
        """Centre the features, and rotate them into fewer columns where there are more columns than rows."""
        x.shared(artifacts.centred_compact)
        x.shared(artifacts.centred_norm)
        return x

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its centred and compact forms, rotating it, and the product of a pair."""
        return 8 * (4 * n_samples * n_features + 2 * min(n_samples, n_features) ** 2)

    def _cosine(self, a: Features, b: Features) -> float:
        """Return the nuclear norm of the product of the matrices divided by their norms, in [0, 1].

        Raises
        ------
        DegenerateInputError
            If all rows of a side are the same.
        """
        for side in (a, b):
            side.shared(artifacts.centred)
        norms = a.shared(artifacts.centred_norm) * b.shared(artifacts.centred_norm)
        return min(a.shared_with(b, nuclear_norm) / norms, 1.0)


@dataclass
class Procrustes(_CentredShapes):
    """Procrustes size-and-shape distance.

    The smallest Frobenius distance between the column-centred matrices over all rotations and reflections,
    ``sqrt(‖Rc‖F² + ‖Sc‖F² - 2 ‖RcᵀSc‖*)``; the narrower side counts as padded with zero columns.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "procrustes"
    invariances = frozenset({"orthogonal", "permutation", "translation"})
    published_name = "ProcrustesSizeAndShapeDistance"

    def compare(self, a: Features, b: Features) -> float:
        """Return the distance, in the units of the features."""
        scale, share_a, share_b = relative_scales(a, b)
        norm_a, norm_b = share_a * a.shared(artifacts.centred_norm), share_b * b.shared(artifacts.centred_norm)
        nuclear = share_a * share_b * a.shared_with(b, nuclear_norm)
        # The difference of nearly equal numbers can fall below zero by rounding.
        return scale * math.sqrt(max(norm_a**2 + norm_b**2 - 2 * nuclear, 0.0))


@dataclass
class NormalizedProcrustes(_CentredShapes):
    """Orthogonal Procrustes distance of the centred matrices, each divided by its Frobenius norm; in [0, sqrt(2)].

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "normalized_procrustes"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    published_name = "OrthogonalProcrustesCenteredAndNormalized"

    def compare(self, a: Features, b: Features) -> float:
        """Return the distance, in [0, sqrt(2)]."""
        return math.sqrt(2 - 2 * self._cosine(a, b))


@dataclass
class AngularShape(_CentredShapes):
    """Orthogonal angular shape metric.

    The angle between the centred matrices after the best rotation or reflection,
    ``arccos(‖RcᵀSc‖* / (‖Rc‖F ‖Sc‖F))``, in radians from 0 to π/2.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "angular_shape"
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    published_name = "OrthogonalAngularShapeMetricCentered"

    def compare(self, a: Features, b: Features) -> float:
        """Return the angle in radians, in [0, π/2]."""
        return math.acos(self._cosine(a, b))


@dataclass
class PermutationProcrustes(Measure):
    """Procrustes distance over permutations of the neurons.

    The smallest Frobenius distance between the matrices, not centred, over all one-to-one matches of their neurons;
    the narrower side counts as padded with zero columns.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "permutation_procrustes"
    family = "alignment"
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"permutation"})
    self_value = 0.0
    spatial = "align"
    benchmark = True
    published_name = "PermutationProcrustes"
    cost = "O(N D² + D³)"
    reference = SHAPE_METRICS

    def prepare(self, x: Features) -> Features:
        """Bring the features to a moderate size."""
        x.shared(artifacts.scaled_for_products)
        x.shared(artifacts.scaled_norm)
        return x

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its scaled copy, and the products of a pair's columns."""
        return 8 * (3 * n_samples * n_features + 2 * n_features**2)

    def compare(self, a: Features, b: Features) -> float:
        """Return the distance, in the units of the features."""
        if a.shape[1] > b.shape[1]:
            a, b = b, a
        scale, share_a, share_b = relative_scales(a, b)
        norms = [share_a * a.shared(artifacts.scaled_norm), share_b * b.shared(artifacts.scaled_norm)]
        products = artifacts.products(a.shared(artifacts.scaled_for_products), b.shared(artifacts.scaled_for_products))
        matched, total = best_match(products)
        if a.single and b.single:
            inner = share_a * share_b * total
            if inner <= SINGLE_IS_ENOUGH * norms[0] * norms[1]:
                return scale * math.sqrt(norms[0] ** 2 + norms[1] ** 2 - 2 * inner)
        # Nearly equal neurons are subtracted before squaring, which keeps all digits of small distances.
        first, second = (share * x.shared(artifacts.scaled).matrix for share, x in ((share_a, a), (share_b, b)))
        columns = torch.as_tensor(matched, device=second.device)
        squares = (first - second[:, columns]).square().sum()
        left_over = torch.ones(second.shape[1], dtype=torch.bool, device=second.device)
        left_over[columns] = False
        return scale * math.sqrt(float(squares + second[:, left_over].square().sum()))


class Match(NamedTuple):
    """A column of its own for each row, and the sum of the entries there."""

    columns: np.ndarray[Any, np.dtype[np.int64]]
    total: float


def best_match(gains: Tensor) -> Match:
    """Return the match of rows, of which there are no more, to columns for which the sum of entries is largest."""
    from scipy.optimize import linear_sum_assignment

    entries = gains.cpu().numpy()
    rows, columns = linear_sum_assignment(entries, maximize=True)
    total = float(entries[rows, columns].sum(dtype="float64"))
    return Match(columns, total)


class RowsState(NamedTuple):
    """Features in at most n_samples columns, scaled, and with rows of length one; which rows are not all zero."""

    compact: Tensor
    unit: Tensor
    usable: Tensor


@dataclass
class AlignedCosine(Measure):
    """Aligned cosine similarity.

    R is rotated onto S, neither centred, by the orthogonal matrix that brings them closest; the value is the mean
    cosine of matching rows, in [-1, 1]. Rows that are all zero on either side are left out with a warning. Directions
    in which one side has nothing in common with the other have no best rotation, and count as orthogonal.

    References
    ----------
    .. [1] Hamilton et al., Diachronic Word Embeddings Reveal Statistical Laws of Semantic Change, ACL 2016.
    """

    name = "aligned_cosine"
    family = "alignment"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling"})
    self_value = 1.0
    spatial = "align"
    benchmark = True
    published_name = "AlignedCosineSimilarity"
    cost = "O(N D² + D³)"
    reference = "Hamilton et al., Diachronic Word Embeddings Reveal Statistical Laws of Semantic Change, ACL 2016"

    def prepare(self, x: Features) -> RowsState:
        """Rotate the features into fewer columns where there are more columns than rows, and normalise the rows.

        Raises
        ------
        DegenerateInputError
            If all entries are zero.
        """
        if not x.matrix.any():
            raise DegenerateInputError("all entries are zero")
        compact = x.shared(artifacts.compact)
        unit = rows.with_unit_rows(compact)
        return RowsState(compact, unit, unit.any(1))

    def compare(self, a: RowsState, b: RowsState) -> float:
        """Return the mean cosine of matching rows, in [-1, 1].

        Raises
        ------
        DegenerateInputError
            If every row is zero on one side or the other.
        """
        count = int((a.usable & b.usable).sum())
        if count == 0:
            raise DegenerateInputError("no row is different from zero on both sides")
        if count < len(a.usable):
            warnings.warn(f"{self.name}: {len(a.usable) - count} all-zero rows are left out", stacklevel=2)
        cross = a.compact.T @ b.compact
        left, values, right = torch.linalg.svd(cross, full_matrices=False)
        rank = int((values > max(cross.shape) * 2.0**-52 * values[0]).sum())
        rotation = left[:, :rank] @ right[:rank]
        # The sum of the cosines u R v over pairs of unit rows; rows that are all zero add nothing.
        return max(-1.0, min(1.0, float((rotation * (a.unit.T @ b.unit)).sum()) / count))

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        """Return the bytes of the matrix, its compact form, its unit rows, and the rotation of a pair."""
        return 8 * (5 * n_samples * n_features + 4 * min(n_samples, n_features) ** 2)
