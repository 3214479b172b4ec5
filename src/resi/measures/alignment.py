"""Measures that first align one representation with the other."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.measures.base import BuiltIn
from resi.measures.needs import Needs
from resi.measures.shared import chance, intermediates, parts
from resi.measures.shared.precision import or_exactly
from resi.measures.shared.reordered import Reordered
from resi.measures.shared.rotations import (
    SINGLE_IS_ENOUGH,
    nuclear_norm,
    residual,
    sum_of_singular_values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from torch import Tensor

    from resi.measures.base import Spread
    from resi.measures.features import Features
    from resi.measures.needs import Size
else:
    from resi.lazy import torch

SHAPE_METRICS = "Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021"

# Nearer to 1 than this, the difference of the norms and the cosine would have lost digits of double precision, too; the
# matrices are subtracted after aligning them.
COSINE_IS_ENOUGH = 1 - 1e-4
# Squared distances of more than this share of the squared norms keep twelve digits when they are computed from these.
FAR_APART = 1e-3


def relative_scales(a: Features, b: Features) -> tuple[float, float, float]:
    """Return the larger of the scales of two representations, and both scales as shares of it."""
    scale_a, scale_b = a.shared(intermediates.scale), b.shared(intermediates.scale)
    larger = max(scale_a, scale_b)
    return larger, scale_a / larger, scale_b / larger


@dataclass
class _CentredShapes(BuiltIn, ABC):
    """Measures of the nuclear norm of ``RcᵀSc``, which is computed once for all of them."""

    family = "alignment"
    version = 2
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    spatial = "align"
    copies = True
    benchmark = True
    cost = "O(N D² + D³)"
    reference = SHAPE_METRICS

    def prepare(self, x: Features) -> Features:
        """Centre the features, and rotate them into fewer columns where there are more columns than rows."""
        x.shared(intermediates.centred_compact)
        x.shared(intermediates.centred_norm)
        return x

    def permuted(self, state: Features, order: Tensor) -> Features:
        """Return what was prepared with its rows in another order."""
        return Reordered(state, order)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the centred and compact forms, of rotating them, and of the product of a pair."""
        held = parts.centred_compact(size)
        if size.single:
            held["compact_for_products"] = 4 * size.n_samples * size.smaller
        comparing = (3 if size.single else 2) * size.square
        return Needs(held, preparing=parts.rotating(size), comparing=comparing)

    def note(self, a: Features, b: Features) -> str:
        """Return a note if unrelated representations have a cosine of half or more."""
        most = a.shape[0] - 1
        # The extents, which take a product each, are at most the ranks.
        if chance.least_alignment(*(min(most, x.shape[1]) / most for x in (a, b))) < chance.NOTED or not all(
            x.shared(intermediates.centred_norm) for x in (a, b)
        ):
            return ""
        extent, share_a, share_b = chance.extents(a, b)
        cosine = chance.least_alignment(share_a, share_b)
        if cosine < chance.NOTED:
            return ""
        return chance.note(a.shape[0], extent, self._at_cosine(a, b, cosine), " or less")

    def permuted_values(
        self, states: Sequence[Features], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Compare by the nuclear norm alone, the only part that depends on the order of samples; no constant sides."""
        chosen = [(states[one], states[other]) for one, other in pairs]
        return list(spread(lambda pair: self._in_orders(pair[0], pair[1], orders), chosen))

    def _in_orders(self, a: Features, b: Features, orders: Tensor) -> Tensor | None:
        norms = a.shared(intermediates.centred_norm) * b.shared(intermediates.centred_norm)
        if not norms:
            return None
        single = a.single and b.single
        build = intermediates.compact_for_products if single else intermediates.centred_compact
        first, second = a.shared(build).T, b.shared(build)
        enough = SINGLE_IS_ENOUGH if single else COSINE_IS_ENOUGH
        values = torch.empty(len(orders), dtype=torch.float64)
        for number, order in enumerate(orders):
            cross = (first @ second.index_select(0, order)).double()
            cosine = sum_of_singular_values(cross, single) / norms
            is_far = cosine <= enough  # and the value keeps its digits
            values[number] = self._at_cosine(a, b, cosine) if is_far else self.compare(a, self.permuted(b, order))
        return values

    @abstractmethod
    def _at_cosine(self, a: Features, b: Features, cosine: float) -> float:
        """Return the value for a cosine after the best rotation."""

    def _cosine(self, a: Features, b: Features) -> float:
        """Return the nuclear norm of the product of the matrices divided by their norms, in [0, 1].

        Raises
        ------
        DegenerateInputError
            If all rows of a side are the same.
        """
        for side in (a, b):
            side.shared(intermediates.centred)
        norms = a.shared(intermediates.centred_norm) * b.shared(intermediates.centred_norm)
        return min(a.shared_with(b, nuclear_norm) / norms, 1.0)

    def _normalized_distance(self, a: Features, b: Features) -> float:
        """Return the distance of the matrices, each divided by its norm, after the best rotation; in [0, sqrt(2)]."""
        cosine = self._cosine(a, b)
        if cosine <= COSINE_IS_ENOUGH:
            return math.sqrt(2 - 2 * cosine)
        found = residual(a, b, 1 / a.shared(intermediates.centred_norm), 1 / b.shared(intermediates.centred_norm))
        return or_exactly(0.0, found)


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
        norm_a, norm_b = share_a * a.shared(intermediates.centred_norm), share_b * b.shared(intermediates.centred_norm)
        nuclear = share_a * share_b * a.shared_with(b, nuclear_norm)
        if nuclear > COSINE_IS_ENOUGH * norm_a * norm_b:
            return scale * or_exactly(0.0, residual(a, b, share_a, share_b), max(norm_a, norm_b))
        return scale * math.sqrt((norm_a - norm_b) ** 2 + 2 * (norm_a * norm_b - nuclear))

    def _at_cosine(self, a: Features, b: Features, cosine: float) -> float:
        norm_a, norm_b = (x.shared(intermediates.scale) * x.shared(intermediates.centred_norm) for x in (a, b))
        return math.sqrt((norm_a - norm_b) ** 2 + 2 * norm_a * norm_b * (1 - cosine))


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
        return self._normalized_distance(a, b)

    def _at_cosine(self, a: Features, b: Features, cosine: float) -> float:
        del a, b
        return math.sqrt(2 - 2 * cosine)


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
        cosine = self._cosine(a, b)
        return math.acos(cosine) if cosine <= COSINE_IS_ENOUGH else 2 * math.asin(self._normalized_distance(a, b) / 2)

    def _at_cosine(self, a: Features, b: Features, cosine: float) -> float:
        del a, b
        return math.acos(cosine)


@dataclass
class PermutationProcrustes(BuiltIn):
    """Procrustes distance over permutations of the neurons.

    The smallest Frobenius distance between the matrices, without centring, over all one-to-one matches of their
    neurons; the narrower side counts as padded with zero columns.

    References
    ----------
    .. [1] Williams et al., Generalized Shape Metrics on Neural Representations, NeurIPS 2021.
    """

    name = "permutation_procrustes"
    family = "alignment"
    version = 2
    larger_is_more_similar = False
    metric = True
    invariances = frozenset({"permutation"})
    self_value = 0.0
    spatial = "align"
    copies = True
    on_cpu = True
    benchmark = True
    published_name = "PermutationProcrustes"
    cost = "O(N D² + D³)"
    reference = SHAPE_METRICS

    def prepare(self, x: Features) -> Features:
        """Subtract the means of the features."""
        x.shared(intermediates.moved if x.single else intermediates.shifted)
        return x

    def permuted(self, state: Features, order: Tensor) -> Features:
        """Return what was prepared with its rows in another order."""
        return Reordered(state, order)

    def memory_needs(self, size: Size) -> Needs:
        """Return the bytes of the moved features, and of the products of a pair's columns."""
        products = 24 * size.n_features**2
        if size.single:
            held = size.given() | {"moved": 4 * size.entries}
            return Needs(held, preparing=size.double, comparing=products)
        return Needs(parts.shifted(size), comparing=max(products, 2 * size.double))

    def compare(self, a: Features, b: Features) -> float:
        """Return the distance, in the units of the features."""
        if a.shape[1] > b.shape[1]:
            a, b = b, a
        scale, share_a, share_b = relative_scales(a, b)
        found = _distance_from_products(a, b, share_a, share_b) if a.single and b.single else None
        if found is None:
            means = (x.shared(intermediates.scaled).matrix.mean(0) for x in (a, b))
            products = a.shared(intermediates.shifted).T @ b.shared(intermediates.shifted)
            columns = best_match(products + a.shape[0] * torch.outer(*means)).columns
            # Nearly equal neurons are subtracted before squaring, which keeps all digits of small distances.
            first, second = _at_share(a, share_a), _at_share(b, share_b)
            matched, left_over = _matched(second.T, columns)
            found = math.hypot(float((first.T - matched).norm()), float(left_over.norm()))
        return scale * found

    def permuted_values(
        self, states: Sequence[Features], pairs: Sequence[tuple[int, int]], orders: Tensor, spread: Spread
    ) -> Sequence[Tensor | None]:
        """Compare by the products of neurons alone, the only part that depends on the order of samples."""
        # Of single precision that is what comparing does.
        is_double = [not (states[one].single and states[other].single) for one, other in pairs]
        both = [(states[one], states[other]) for one, other in pairs]
        chosen = [pair for pair, double in zip(both, is_double, strict=True) if double]
        found = iter(spread(lambda pair: self._in_orders(pair[0], pair[1], orders), chosen))
        return [next(found) if double else None for double in is_double]

    def _in_orders(self, a: Features, b: Features, orders: Tensor) -> Tensor:
        scale, share_a, share_b = relative_scales(a, b)
        matrices = [x.shared(intermediates.scaled).matrix for x in (a, b)]
        first, second = (x.shared(intermediates.shifted) for x in (a, b))
        means = a.shape[0] * torch.outer(*(matrix.mean(0) for matrix in matrices))
        squares = (share_a * float(matrices[0].norm())) ** 2 + (share_b * float(matrices[1].norm())) ** 2
        values = torch.empty(len(orders), dtype=torch.float64)
        for number, order in enumerate(orders):
            products = first.T @ second.index_select(0, order) + means
            match = best_match(products if len(products) <= products.shape[1] else products.T)
            square = squares - 2 * share_a * share_b * match.total
            if square > FAR_APART * squares:
                values[number] = scale * math.sqrt(square)
            else:  # which are subtracted, to keep the digits
                values[number] = self.compare(a, self.permuted(b, order))
        return values


def _distance_from_products(a: Features, b: Features, share_a: float, share_b: float) -> float | None:
    """Return the distance over permutations of neurons, or None if single precision is not enough."""
    n_samples = a.shape[0]
    first, second = a.shared(intermediates.moved), b.shared(intermediates.moved)
    # Products of centred neurons are added to those of their means: a common offset would leave the former no digits.
    centred = (first.matrix.T @ second.matrix).double() - n_samples * torch.outer(first.rest, second.rest)
    columns = best_match(centred + n_samples * torch.outer(first.means, second.means)).columns
    inner = share_a * share_b * float(centred[torch.arange(len(columns), device=centred.device), columns].sum())
    norms = share_a * first.norm, share_b * second.norm
    if inner > SINGLE_IS_ENOUGH * norms[0] * norms[1]:
        return None
    matched, left_over = _matched(share_b * second.means, columns)
    means = float((share_a * first.means - matched).square().sum() + left_over.square().sum())
    return math.sqrt(norms[0] ** 2 + norms[1] ** 2 - 2 * inner + n_samples * means)


def _at_share(x: Features, share: float) -> Tensor:
    matrix = x.shared(intermediates.scaled).matrix
    return matrix if share == 1 else share * matrix


def _matched(features: Tensor, columns: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[Tensor, Tensor]:
    """Return the parts for the chosen features, in their order, and for the others."""
    chosen = torch.as_tensor(columns, device=features.device)
    others = torch.ones(len(features), dtype=torch.bool, device=features.device)
    others[chosen] = False
    return features[chosen], features[others]


class Match(NamedTuple):
    """A different column for each row, and the sum of the entries there."""

    columns: np.ndarray[Any, np.dtype[np.int64]]
    total: float


def best_match(gains: Tensor) -> Match:
    """Return the assignment of rows to columns (at least as many) with the largest sum of entries."""
    from scipy.optimize import linear_sum_assignment

    entries = gains.cpu().numpy()
    rows, columns = linear_sum_assignment(entries, maximize=True)
    total = float(entries[rows, columns].sum(dtype="float64"))
    return Match(columns, total)
