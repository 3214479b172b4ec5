"""Every measure once more, with 50 digits, straight from its definition.

Representations are numpy arrays of mpmath numbers, so that neither an offset nor a scale nor a small singular value
costs a digit that a float64 has. Slow: meant for tens of samples and a handful of features.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import mpmath
import numpy as np
from scipy.optimize import linear_sum_assignment

from tests.measures.oracles import nearest, overlap, rank_agreement

if TYPE_CHECKING:
    from collections.abc import Callable

    Matrix = np.ndarray[Any, np.dtype[np.object_]]
    # Of squared distances, the sums of both points' squared lengths, the number of features, and the larger of the two
    # vectors' lengths: by how much each may differ from others that are the same.
    Width = Callable[[Any, Any, int, Any], Any]

MP = mpmath.mp.clone()
MP.dps = 50
# Singular values below this share of the largest one are zero, unless the rank is known.
ZERO = MP.mpf(10) ** -25
# Correlations nearer to each other than this are tied, and canonical correlations nearer to 1 are 1, as documented.
TIE = MP.mpf(10) ** -10

_to_mp = np.frompyfunc(MP.mpf, 1, 1)
_sqrt = np.frompyfunc(MP.sqrt, 1, 1)


class NoValueError(Exception):
    """The definition has no value for these representations."""


class Ranks(NamedTuple):
    """Ranks of both sides, centred and as they are; None where the numbers are to decide."""

    centred: tuple[int | None, int | None] = (None, None)
    as_given: tuple[int | None, int | None] = (None, None)

    def swapped(self) -> Ranks:
        return Ranks(self.centred[::-1], self.as_given[::-1])


def exact(array: Any) -> Matrix:
    """Return the very numbers of a floating point array, or of one of Python's numbers."""
    return np.asarray(_to_mp(np.asarray(array)), dtype=object)


def centre(X: Matrix) -> Matrix:
    return X - X.sum(0) / len(X)


def norm(X: Matrix) -> Any:
    return MP.sqrt((X * X).sum())


def singular(X: Matrix, rank: int | None = None) -> tuple[Matrix, Matrix, Matrix]:
    """Return the left singular vectors, singular values, and right singular vectors up to the rank."""
    is_wide = X.shape[1] > X.shape[0]
    gram = X @ X.T if is_wide else X.T @ X
    values, vectors = MP.eigsy(MP.matrix(gram.tolist()))
    order = sorted(range(len(gram)), key=lambda i: -values[i])
    lengths = np.array([MP.sqrt(max(values[i], 0)) for i in order], dtype=object)
    if rank is None:
        rank = sum(length > ZERO * lengths[0] for length in lengths)
    if rank == 0 or lengths[0] == 0:
        raise NoValueError
    known = np.array(vectors.tolist(), dtype=object).reshape(len(gram), len(gram))[:, order[:rank]]
    lengths = lengths[:rank]
    if not lengths.all():
        raise NoValueError
    other = (X.T if is_wide else X) @ known / lengths
    return (known, lengths, other) if is_wide else (other, lengths, known)


def singular_values(X: Matrix) -> Any:
    gram = X @ X.T if X.shape[1] > X.shape[0] else X.T @ X
    values = MP.eigsy(MP.matrix(gram.tolist()), eigvals_only=True)
    return sorted((MP.sqrt(max(value, 0)) for value in values), reverse=True)


def cosine(x: Matrix, y: Matrix) -> Any:
    lengths = MP.sqrt((x * x).sum() * (y * y).sum())
    return (x * y).sum() / lengths if lengths else MP.mpf(0)


def correlation(x: Matrix, y: Matrix) -> Any:
    return cosine(x - x.sum() / len(x), y - y.sum() / len(y))


def distances(X: Matrix) -> Matrix:
    return _sqrt(((X[:, None] - X[None]) ** 2).sum(-1))


def _spread(X: Matrix) -> Matrix:
    X = centre(X)
    if not X.any():
        raise NoValueError
    return X


def cka(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    R, S = _spread(R), _spread(S)
    return norm(R.T @ S) ** 2 / (norm(R.T @ R) * norm(S.T @ S))


def _canonical(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    (P, p, A), (Q, _, _) = (singular(_spread(X), rank) for X, rank in zip((R, S), ranks.centred, strict=True))
    overlap = P.T @ Q
    values, vectors = MP.eigsy(MP.matrix((overlap @ overlap.T).tolist()))
    order = sorted(range(len(overlap)), key=lambda i: -values[i])
    turned = np.array(vectors.tolist(), dtype=object).reshape(len(overlap), -1)[:, order]
    correlations = np.array([MP.sqrt(min(max(values[i], 0), 1)) for i in order], dtype=object)
    return correlations, (turned.T * p) @ A.T


def pwcca(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    sides = [singular(_spread(X), rank) for X, rank in zip((R, S), ranks.centred, strict=True)]
    if len(sides[1][1]) < len(sides[0][1]):
        R, S, ranks = S, R, ranks.swapped()
    correlations, scores = _canonical(R, S, ranks)
    shared = sum(1 - value < TIE for value in correlations)
    if 1 < shared < len(scores):
        common = scores[:shared]
        scores = np.concatenate((singular(common, shared)[0].T @ common, scores[shared:]))
    weights = abs(scores).sum(1)
    return (weights * correlations).sum() / weights.sum()


def svcca(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    kept = []
    for X, rank in zip((R, S), ranks.centred, strict=True):
        left, values, _ = singular(_spread(X), rank)
        shares = np.cumsum(values**2) / (values**2).sum()
        kept.append(left[:, : 1 + sum(share < MP.mpf("0.99") - MP.mpf(10) ** -12 for share in shares)])
    found = singular_values(kept[0].T @ kept[1])
    return sum(min(value, 1) for value in found) / len(found)


def _average_ranks(values: list[Any]) -> Matrix:
    order = sorted(range(len(values)), key=lambda i: values[i])
    ranks = np.empty(len(values), dtype=object)
    for _, group in itertools.groupby(range(len(order)), key=_level_of(values, order)):
        places = list(group)
        for place in places:
            ranks[order[place]] = MP.mpf(sum(places)) / len(places) + 1
    return ranks


def _level_of(values: list[Any], order: list[int]) -> Callable[[int], int]:
    """Return for a place in the order the number of its level; on one level are correlations that lack as much of 1."""
    rises = [
        values[order[i]] - values[order[i - 1]] > (1 - values[order[i - 1]]) * MP.mpf(10) ** -12
        for i in range(1, len(order))
    ]
    levels = list(itertools.accumulate(rises, initial=0))
    return levels.__getitem__


def rsa(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    sides = []
    for X in (R, S):
        pairs = [(i, j) for i in range(len(X)) for j in range(i)]
        found = _average_ranks([correlation(X[i], X[j]) for i, j in pairs])
        if len(set(found)) == 1:
            raise NoValueError
        sides.append(found)
    return correlation(*sides)


def rsm_norm_difference(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    values = MP.eigsy(MP.matrix((distances(R) - distances(S)).tolist()), eigvals_only=True)
    return max(abs(value) for value in values)


def distance_correlation(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    sides = []
    for X in (R, S):
        D = distances(_spread(X))
        means = D.sum(0) / len(D)
        sides.append(D - means - means[:, None] + means.sum() / len(D))
    A, B = sides
    return MP.sqrt(max((A * B).sum(), 0) / MP.sqrt((A * A).sum() * (B * B).sum()))


def _procrustes(R: Matrix, S: Matrix) -> Any:
    return MP.sqrt(max((R * R).sum() + (S * S).sum() - 2 * sum(singular_values(R.T @ S)), 0))


def procrustes(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    return _procrustes(centre(R), centre(S))


def normalized_procrustes(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    R, S = _spread(R), _spread(S)
    return _procrustes(R / norm(R), S / norm(S))


def angular_shape(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    R, S = _spread(R), _spread(S)
    return MP.acos(min(sum(singular_values(R.T @ S)) / (norm(R) * norm(S)), 1))


def _matched(gains: Matrix) -> tuple[list[int], list[int]]:
    """Return the best match; ``gains`` of any size, which is brought to a moderate one before rounding."""
    largest = abs(gains).max() or 1
    rows, columns = linear_sum_assignment((gains / largest).astype(float), maximize=True)
    return list(rows), list(columns)


def permutation_procrustes(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    width = max(R.shape[1], S.shape[1])
    R, S = (np.concatenate((X, exact(np.zeros((len(X), width - X.shape[1])))), axis=1) for X in (R, S))
    gains = R.T @ S
    # What all matches have in common would hide the rest once the gains are rounded.
    gains = gains - gains.sum(0) / width
    gains = gains - (gains.sum(1) / width)[:, None]
    rows, columns = _matched(gains)
    return norm(R[:, rows] - S[:, columns])


def aligned_cosine(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    cross = R.T @ S
    known = [rank for rank in ranks.as_given if rank is not None]
    left, _, right = singular(cross, min(*known, *cross.shape) if known else None)
    aligned = R @ left @ right.T
    used = [i for i in range(len(R)) if R[i].any() and S[i].any()]
    if not used:
        raise NoValueError
    return sum((aligned[i] * S[i]).sum() / (norm(R[i]) * norm(S[i])) for i in used) / len(used)


def _correlation_table(R: Matrix, S: Matrix) -> Matrix:
    R, S = _spread(R), _spread(S)
    return np.array([[cosine(x, y) for y in S.T] for x in R.T], dtype=object)


def hard_correlation_match(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    table = _correlation_table(R, S)
    rows, columns = _matched(table)
    return table[rows, columns].sum() / len(rows)


def soft_correlation_match(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    table = _correlation_table(R, S)
    return (table.max(0).sum() / table.shape[1] + table.max(1).sum() / table.shape[0]) / 2


def linear_regression(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    basis = singular(_spread(S), ranks.centred[1])[0]
    R = _spread(R)
    return norm(basis.T @ R) ** 2 / norm(R) ** 2


def gulp(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    P, Q = (singular(_spread(X), rank)[0] for X, rank in zip((R, S), ranks.centred, strict=True))
    return P.shape[1] + Q.shape[1] - 2 * norm(P.T @ Q) ** 2


def eigenspace_overlap(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    P, Q = (singular(X, rank)[0] for X, rank in zip((R, S), ranks.as_given, strict=True))
    return norm(P.T @ Q) ** 2 / max(R.shape[1], S.shape[1])


def _cosine_distances(X: Matrix) -> Matrix:
    result = np.array([[1 - cosine(x, y) for y in X] for x in X], dtype=object)
    if max(abs(result[i, j]) for i in range(len(X)) for j in range(i)) < MP.mpf(10) ** -30:
        raise NoValueError
    return result


def _nearest(squares: Matrix, k: int, points: Matrix, sizes: Matrix, width: Width | None) -> Any:
    """Return the nearest neighbours; without a width, squared distances are the same that agree to twelve digits."""
    if width is None:
        return nearest(squares, k)
    unit = squares.max()
    lengths = (points * points).sum(1)
    parts = squares / unit, (lengths[:, None] + lengths) / unit, np.maximum.outer(sizes, sizes) / MP.sqrt(unit)
    near, sums, larger = (part.astype(float) for part in parts)
    return nearest(squares, k, exact(width(near, sums, points.shape[1], larger)) * unit)


def _nearest_directions(X: Matrix, k: int, width: Width | None) -> Any:
    D = _cosine_distances(X)
    lengths = np.array([norm(x) for x in X], dtype=object)
    points = X / np.where(lengths > 0, lengths, MP.mpf(1))[:, None]
    # Directions near each other are compared from their mean.
    if norm(points.sum(0)) > MP.sqrt(MP.mpf(15) / 16) * sum(lengths > 0):
        points = np.where(lengths[:, None] > 0, points - points.sum(0) / sum(lengths > 0), MP.mpf(0))
    return _nearest(2 * np.where(D < MP.mpf(10) ** -30, MP.mpf(0), D), k, points, exact(np.ones(len(X))), width)


def jaccard(R: Matrix, S: Matrix, ranks: Ranks, k: int = 5, width: Width | None = None) -> Any:
    return MP.mpf(overlap(_nearest_directions(R, k, width), _nearest_directions(S, k, width)))


def rank_similarity(R: Matrix, S: Matrix, ranks: Ranks, k: int = 5, width: Width | None = None) -> Any:
    return MP.mpf(rank_agreement(_nearest_directions(R, k, width), _nearest_directions(S, k, width)))


def second_order_cosine(R: Matrix, S: Matrix, ranks: Ranks, k: int = 5, width: Width | None = None) -> Any:
    total = MP.mpf(0)
    D, E = _cosine_distances(R), _cosine_distances(S)
    near = (_nearest_directions(X, k, width) for X in (R, S))
    for i, (a, b) in enumerate(zip(*near, strict=True)):
        union = sorted({*a} | {*b})
        roots = np.array([MP.sqrt(max(side.get(j, (0, 0))[0] for side in (a, b))) for j in union], dtype=object)
        x, y = (roots * np.where(side[i, union] < MP.mpf(10) ** -30, MP.mpf(0), side[i, union]) for side in (D, E))
        total += cosine(x, y) if x.any() or y.any() else 1
    return total / len(R)


def magnitude_difference(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    return abs(norm(R.sum(0) / len(R)) - norm(S.sum(0) / len(S)))


def concentricity_difference(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    sides = []
    for X in (R, S):
        mean = X.sum(0) / len(X)
        if not mean.any():
            raise NoValueError
        sides.append(sum(cosine(x, mean) for x in X) / len(X))
    return abs(sides[0] - sides[1])


def uniformity_difference(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    first, second = (MP.log(sum(MP.exp(-2 * d**2) for d in distances(X).ravel()) / len(X) ** 2) for X in (R, S))
    return abs(first - second)


def imd(R: Matrix, S: Matrix, ranks: Ranks, k: int = 5, width: Width | None = None) -> Any:
    times = np.logspace(-1, 1, 256)
    traces = []
    for X in (R, S):
        points, sizes = _spread(X), np.array([norm(x) for x in X], dtype=object)
        adjacency = np.zeros((len(X), len(X)))
        for i, found in enumerate(_nearest(distances(points) ** 2, k, points, sizes, width)):
            for j, (share, _) in found.items():
                adjacency[i, j] = adjacency[j, i] = max(adjacency[i, j], share)
        root = adjacency.sum(1) ** -0.5
        spectrum = 1 - np.linalg.eigvalsh(root[:, None] * adjacency * root)
        traces.append(np.exp(-times[:, None] * spectrum).mean(1))
    return MP.mpf(float(1e6 * (np.exp(-2 * (times + 1 / times)) * abs(traces[0] - traces[1])).max()))


def rtd(R: Matrix, S: Matrix, ranks: Ranks) -> Any:
    sides = []
    for X in (R, S):
        D = distances(_spread(X))
        scale = MP.mpf(float(np.quantile((D / D.max()).astype(float), 0.9)))
        if not scale:
            raise NoValueError
        sides.append((D / D.max() / scale).astype(float))
    both = [_bars(first, np.minimum(*sides)) for first in sides]
    return MP.mpf(sum(both) / 2)


def _bars(first: Any, smaller: Any) -> float:
    """Return the summed lengths of loops: the boundary matrix of triangles of the doubled points, reduced over Z/2."""
    first = np.where(first < 1e-6 * first.mean(), 0, first)
    D = np.block([[np.zeros_like(first), first.T], [first, smaller]])
    edges = sorted(itertools.combinations(range(len(D)), 2), key=lambda edge: (D[edge], edge))
    position = {edge: index for index, edge in enumerate(edges)}
    triangles = itertools.combinations(range(len(D)), 3)
    columns = sorted((sorted(position[side] for side in itertools.combinations(t, 2)) for t in triangles), key=max)
    owner: dict[int, set[int]] = {}
    total = 0.0
    for sides in columns:
        column = set(sides)
        while column and max(column) in owner:
            column ^= owner[max(column)]
        if column:
            owner[max(column)] = column
            total += D[edges[max(sides)]] - D[edges[max(column)]]
    return float(total)


DEFINITIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(aligned_cosine, angular_shape, cka, concentricity_difference, distance_correlation, eigenspace_overlap),
        *(gulp, hard_correlation_match, imd, jaccard, linear_regression, magnitude_difference, normalized_procrustes),
        *(permutation_procrustes, procrustes, pwcca, rank_similarity, rsa, rsm_norm_difference, rtd),
        *(second_order_cosine, soft_correlation_match, svcca, uniformity_difference),
    )
}
