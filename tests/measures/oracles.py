"""Every measure once more, slowly, straight from its definition, in plain numpy."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from collections.abc import Callable

    Matrix = np.ndarray[Any, np.dtype[np.float64]]


def centre(X: Matrix) -> Matrix:
    return X - X.mean(0)


def pad(R: Matrix, S: Matrix) -> tuple[Matrix, Matrix]:
    width = max(R.shape[1], S.shape[1])
    return tuple(np.pad(X, ((0, 0), (0, width - X.shape[1]))) for X in (R, S))  # type: ignore[return-value]


def column_space(X: Matrix) -> Matrix:
    """Return an orthonormal basis by Gram-Schmidt, most independent column first."""
    rest = X.copy()
    basis: list[Any] = []
    size = np.linalg.norm(X)
    while True:
        lengths = np.linalg.norm(rest, axis=0)
        if lengths.max() <= 1e-10 * size:
            return np.array(basis).T
        new = rest[:, lengths.argmax()] / lengths.max()
        for old in basis:
            new = new - old * (old @ new)
        basis.append(new / np.linalg.norm(new))
        rest = rest - np.outer(basis[-1], basis[-1] @ rest)


def cosine(x: Matrix, y: Matrix) -> float:
    lengths = math.sqrt(x @ x) * math.sqrt(y @ y)
    return float(x @ y) / lengths if lengths > 0 else 0.0


def correlation(x: Matrix, y: Matrix) -> float:
    x, y = x - x.mean(), y - y.mean()
    return 0.0 if min(np.abs(x).max(), np.abs(y).max()) < 1e-12 else cosine(x, y)


def distances(X: Matrix) -> Matrix:
    return np.array([[math.sqrt(((x - y) ** 2).sum()) for y in X] for x in X])


def cka(R: Matrix, S: Matrix) -> float:
    K, L = centre(R) @ centre(R).T, centre(S) @ centre(S).T
    return float(np.trace(K @ L) / math.sqrt(np.trace(K @ K) * np.trace(L @ L)))


def canonical(R: Matrix, S: Matrix) -> tuple[Matrix, Matrix]:
    """Return canonical correlations, and the variates of R, from the product of the two projections."""
    P, Q = (column_space(centre(X)) for X in (R, S))
    values, vectors = np.linalg.eigh(P.T @ Q @ Q.T @ P)
    return np.sqrt(np.clip(values[::-1], 0, 1)), P @ vectors[:, ::-1]


def pwcca(R: Matrix, S: Matrix) -> float:
    if column_space(centre(S)).shape[1] < column_space(centre(R)).shape[1]:
        R, S = S, R
    correlations, variates = canonical(R, S)
    weights = [sum(abs(h @ x) for x in centre(R).T) for h in variates.T]
    return float(np.dot(weights, correlations) / sum(weights))


def principal(X: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(centre(X).T @ centre(X))
    values, vectors = values[::-1], vectors[:, ::-1]
    count = next(k for k in range(1, len(values) + 1) if values[:k].sum() >= 0.99 * values.sum())
    return centre(X) @ vectors[:, :count]


def svcca(R: Matrix, S: Matrix) -> float:
    R, S = principal(R), principal(S)
    if R.shape[1] > S.shape[1]:
        R, S = S, R
    return float(canonical(R, S)[0].mean())


def rsa(R: Matrix, S: Matrix) -> float:
    ranks = []
    for X in (R, S):
        pairs = [(i, j) for i in range(len(X)) for j in range(i)]
        ranks.append(rankdata(np.round([correlation(X[i], X[j]) for i, j in pairs], 12)))
    return correlation(*ranks)


def rsm_norm_difference(R: Matrix, S: Matrix) -> float:
    return float(np.linalg.norm(distances(R) - distances(S), 2))


def double_centred(X: Matrix) -> Matrix:
    D = distances(X)
    return D - D.mean(0) - D.mean(1)[:, None] + D.mean()


def distance_correlation(R: Matrix, S: Matrix) -> float:
    A, B = double_centred(R), double_centred(S)
    return math.sqrt((A * B).mean() / math.sqrt((A * A).mean() * (B * B).mean()))


def procrustes_residual(R: Matrix, S: Matrix) -> float:
    """Return the distance of S from the best rotation of R, measured after rotating."""
    R, S = pad(R, S)
    U, _, Vt = np.linalg.svd(R.T @ S)
    return float(np.linalg.norm(R @ U @ Vt - S))


def procrustes(R: Matrix, S: Matrix) -> float:
    return procrustes_residual(centre(R), centre(S))


def normalized_procrustes(R: Matrix, S: Matrix) -> float:
    R, S = centre(R), centre(S)
    return procrustes_residual(R / np.linalg.norm(R), S / np.linalg.norm(S))


def angular_shape(R: Matrix, S: Matrix) -> float:
    return math.acos(1 - normalized_procrustes(R, S) ** 2 / 2)


def matches(n: int, m: int) -> Any:
    """Return all one-to-one matches of n things with as many of m."""
    return itertools.permutations(range(m), n)


def permutation_procrustes(R: Matrix, S: Matrix) -> float:
    R, S = pad(R, S)
    return min(float(np.linalg.norm(R[:, list(order)] - S)) for order in matches(R.shape[1], R.shape[1]))


def aligned_cosine(R: Matrix, S: Matrix) -> float:
    R, S = pad(R, S)
    U, values, Vt = np.linalg.svd(R.T @ S)
    kept = values > 1e-12 * values[0]
    aligned = R @ U[:, kept] @ Vt[kept]
    used = [i for i in range(len(R)) if R[i].any() and S[i].any()]
    lengths = [np.linalg.norm(R[i]) * np.linalg.norm(S[i]) for i in used]
    return float(np.mean([aligned[i] @ S[i] / length for i, length in zip(used, lengths, strict=True)]))


def correlation_table(R: Matrix, S: Matrix) -> Matrix:
    return np.array([[correlation(x, y) for y in S.T] for x in R.T])


def hard_correlation_match(R: Matrix, S: Matrix) -> float:
    if R.shape[1] > S.shape[1]:
        R, S = S, R
    table = correlation_table(R, S)
    return max(float(np.mean([table[i, j] for i, j in enumerate(order)])) for order in matches(*table.shape))


def soft_correlation_match(R: Matrix, S: Matrix) -> float:
    table = correlation_table(R, S)
    return float((table.max(0).mean() + table.max(1).mean()) / 2)


def linear_regression(R: Matrix, S: Matrix) -> float:
    R, S = centre(R), centre(S)
    predicted = S @ np.linalg.lstsq(S, R, rcond=1e-12)[0]
    return float((predicted**2).sum() / (R**2).sum())


def gulp(R: Matrix, S: Matrix, regularization: float = 0.0) -> float:
    R, S = (centre(X) * math.sqrt(len(X)) / np.linalg.norm(centre(X)) for X in (R, S))
    n_samples = len(R)
    A, B, C = R.T @ R / n_samples, S.T @ S / n_samples, R.T @ S / n_samples
    P, Q = (np.linalg.pinv(X + regularization * np.eye(len(X)), rcond=1e-12, hermitian=True) for X in (A, B))
    return float(np.trace(A @ P @ A @ P) + np.trace(B @ Q @ B @ Q) - 2 * np.trace(P @ C @ Q @ C.T))


def eigenspace_overlap(R: Matrix, S: Matrix) -> float:
    U, V = column_space(R), column_space(S)
    return float(((U.T @ V) ** 2).sum() / max(R.shape[1], S.shape[1]))


def cosine_distances(X: Matrix) -> Matrix:
    return np.array([[1 - cosine(x, y) for y in X] for x in X])


def nearest(D: Any, k: int, widths: Any = None) -> list[dict[int, tuple[float, float]]]:
    """Return how much of a neighbour, and of which rank, which row is to each row: rows at one distance share places.

    Distances are the same that agree to twelve digits or, where a table of widths is given, to the larger of theirs.
    """
    widths = np.asarray(D) * 1e-12 if widths is None else widths
    found = []
    for i in range(len(D)):
        order = sorted((j for j in range(len(D)) if j != i), key=lambda j: D[i][j])
        groups: list[list[int]] = []
        for j in order:
            if groups and D[i][j] - D[i][groups[-1][-1]] <= max(widths[i][j], widths[i][groups[-1][-1]]):
                groups[-1].append(j)
            else:
                groups.append([j])
        row: dict[int, tuple[float, float]] = {}
        taken = 0
        for group in groups:
            places = [place for place in range(taken + 1, taken + len(group) + 1) if place <= k]
            if places:
                row |= {j: (len(places) / len(group), sum(places) / len(places)) for j in group}
            taken += len(group)
        found.append(row)
    return found


def rounded(D: Matrix) -> Matrix:
    """Return distances with what is rounding error at zero, and beyond twelve digits, taken off."""
    return np.round(D, 12)


def overlap(a: list[dict[int, tuple[float, float]]], b: list[dict[int, tuple[float, float]]]) -> float:
    values = []
    for first, second in zip(a, b, strict=True):
        parts = [(first.get(j, (0, 0))[0], second.get(j, (0, 0))[0]) for j in {*first, *second}]
        values.append(sum(map(min, parts)) / sum(map(max, parts)))
    return float(np.mean(values))


def jaccard(R: Matrix, S: Matrix, k: int = 10) -> float:
    return overlap(*(nearest(rounded(cosine_distances(X)), k) for X in (R, S)))


def best(row: dict[int, tuple[float, float]], count: float) -> float:
    """Return the largest sum of reciprocal ranks that ``count`` neighbours can have."""
    total = 0.0
    for share, rank in sorted(row.values(), key=lambda item: item[1]):
        total += min(share, count) / rank
        count -= min(share, count)
    return total


def rank_agreement(a: list[dict[int, tuple[float, float]]], b: list[dict[int, tuple[float, float]]]) -> float:
    values = []
    for first, second in zip(a, b, strict=True):
        common = [(min(first[j][0], second[j][0]), first[j][1], second[j][1]) for j in first if j in second]
        gain = sum(part * 2 / ((1 + abs(p - q)) * (p + q)) for part, p, q in common)
        count = sum(part for part, _, _ in common)
        values.append(2 * gain / (best(first, count) + best(second, count)) if common else 0.0)
    return float(np.mean(values))


def rank_similarity(R: Matrix, S: Matrix, k: int = 10) -> float:
    return rank_agreement(*(nearest(rounded(cosine_distances(X)), k) for X in (R, S)))


def second_order_cosine(R: Matrix, S: Matrix, k: int = 10, paper: bool = False) -> float:
    values = []
    D, E = (np.where(table < 1e-13, 0, table) for table in map(cosine_distances, (R, S)))
    for i, (a, b) in enumerate(zip(nearest(rounded(D), k), nearest(rounded(E), k), strict=True)):
        union = sorted({*a, *b})
        parts = np.sqrt([max(side.get(j, (0, 0))[0] for side in (a, b)) for j in union])
        x, y = (parts * ((1 - side[i, union]) if paper else side[i, union]) for side in (D, E))
        values.append(cosine(x, y) if x.any() or y.any() else 1.0)
    return float(np.mean(values))


def magnitude_difference(R: Matrix, S: Matrix) -> float:
    return float(abs(np.linalg.norm(R.mean(0)) - np.linalg.norm(S.mean(0))))


def concentricity_difference(R: Matrix, S: Matrix) -> float:
    first, second = (np.mean([cosine(x, X.mean(0)) for x in X]) for X in (R, S))
    return float(abs(first - second))


def uniformity_difference(R: Matrix, S: Matrix) -> float:
    first, second = (math.log(np.exp(-2 * distances(X) ** 2).sum() / len(X) ** 2) for X in (R, S))
    return abs(first - second)


ORACLES: dict[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        *(aligned_cosine, angular_shape, cka, concentricity_difference, distance_correlation, eigenspace_overlap),
        *(gulp, hard_correlation_match, jaccard, linear_regression, magnitude_difference, normalized_procrustes),
        *(permutation_procrustes, procrustes, pwcca, rank_similarity, rsa, rsm_norm_difference, second_order_cosine),
        *(soft_correlation_match, svcca, uniformity_difference),
    )
}
