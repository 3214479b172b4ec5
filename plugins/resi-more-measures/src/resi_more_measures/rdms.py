"""Representational dissimilarity matrices: distances between all samples of one representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError, ShapeError
from resi_more_measures.grams import NEGLIGIBLE, check_choice, median_distance, squared_distances, unit_rows

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

DISTANCES = (
    "correlation",
    "cosine",
    "euclidean",
    "squared_euclidean",
    "gaussian",
    "mahalanobis",
    "poisson",
    "cross_euclidean",
    "crossnobis",
)
"""Distances between samples that the measures here take."""
REPEATED = ("cross_euclidean", "crossnobis")
"""Those that need several measurements of the same samples."""
PRIOR_RATE, PRIOR_WEIGHT = 1.0, 0.1
"""Of the Poisson distance: a rate, and the share of an observation that it counts for."""
LEAST_ROWS = 3
"""Two samples have a single distance, which correlates with nothing."""


@dataclass(frozen=True)
class Dissimilarity:
    """A distance between samples, with its parameter.

    Of rows x and y with D features:

    - ``correlation``: one less Pearson's correlation of x and y
    - ``cosine``: one less their cosine
    - ``euclidean``, ``squared_euclidean``: ``|x - y|``, ``|x - y|²``
    - ``gaussian``: ``1 - exp(-|x - y|² / (2 s²))``, with s the median of ``|x - y|``
    - ``mahalanobis``: ``(x - y)ᵀ C⁻¹ (x - y)`` with C the covariance of the features over all samples, shrunk towards a
      multiple of the identity as far as Ledoit and Wolf (2004) ask
    - ``poisson``: ``Σ (x_i - y_i) (log x_i - log y_i)``, the symmetric Kullback-Leibler divergence of Poisson
      distributions with these rates; each value is first averaged with a prior rate of 1 that has a weight of 0.1
    - ``cross_euclidean``: the features are ``repeats`` blocks, each a further measurement of the same units; products
      ``(x - y)_aᵀ (x - y)_b`` of the differences in two different blocks, over all such pairs on average. Noise that is
      independent between measurements adds nothing on average, so it may be negative
    - ``crossnobis``: the same with ``C⁻¹`` in the product, C being the covariance of what measurements of the same
      sample differ by, shrunk as above. The estimate of C adds a bias of its own unless there are many more samples
      than units

    Parameters
    ----------
    name : str
        One of ``DISTANCES``.
    repeats : int
        How many measurements the features hold, one after another; for the two last distances alone.
    """

    name: str = "correlation"
    repeats: int = 1

    def check(self, measure: str) -> None:
        """Raise ``ValueError`` naming a parameter that does not exist or does not fit."""
        check_choice(measure, "distance", self.name, DISTANCES)
        if self.name in REPEATED and self.repeats < 2:
            raise ValueError(
                f"{measure}: distance={self.name} needs repeats=2 or more, not {self.repeats}: how many measurements "
                "of the same units the features hold, one block after another"
            )
        if self.name not in REPEATED and self.repeats != 1:
            raise ValueError(
                f"{measure}: repeats = {self.repeats} is for distance={' or '.join(REPEATED)}, not {self.name}"
            )


def rdm(x: Features, dissimilarity: Dissimilarity) -> Tensor:
    """Return all distances, shape (n_samples, n_samples), symmetric with a zero diagonal.

    Raises
    ------
    ShapeError
        With fewer than three samples, or features that do not split into the measurements.
    DegenerateInputError
        If the distance does not exist for some row, or is the same for all pairs.
    """
    if x.shape[0] < LEAST_ROWS:
        raise ShapeError(f"at least {LEAST_ROWS} samples are needed for distances to compare, not {x.shape[0]}")
    return _BY_NAME[dissimilarity.name](x.matrix, dissimilarity).fill_diagonal_(0.0)


def triangle(matrix: Tensor) -> Tensor:
    """Return the entries above the diagonal of a symmetric matrix, row by row."""
    row, column = torch.triu_indices(len(matrix), len(matrix), 1, device=matrix.device)
    return matrix[row, column]


def reordered_triangle(values: Tensor, order: Tensor) -> Tensor:
    """Return the entries above the diagonal of the matrix whose row i is row ``order[i]`` of that of the entries."""
    n_samples = len(order)
    row, column = torch.triu_indices(n_samples, n_samples, 1, device=values.device)
    one, other = order[row], order[column]
    first, second = torch.minimum(one, other), torch.maximum(one, other)
    return values[first * n_samples - first * (first + 1) // 2 + second - first - 1]


def _correlation(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    profiles = matrix - matrix.mean(1, keepdim=True)
    flat = profiles.norm(dim=1) <= NEGLIGIBLE * matrix.norm(dim=1)
    if bool(flat.any()):
        raise DegenerateInputError(
            f"all features of row {int(flat.nonzero()[0])} are the same: it has no correlation with another"
        )
    return squared_distances(unit_rows(profiles)) / 2


def _cosine(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    return squared_distances(unit_rows(matrix)) / 2


def _euclidean(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    return squared_distances(matrix).sqrt_()


def _squared_euclidean(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    return squared_distances(matrix)


def _gaussian(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    squares = squared_distances(matrix)
    return -torch.expm1(squares / (-2 * median_distance(squares) ** 2))


def _mahalanobis(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    moved = matrix - matrix.mean(0)
    return squared_distances(whitened((moved,), moved)[0])


def _poisson(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    del dissimilarity
    if bool((matrix < 0).any()):
        raise DegenerateInputError(f"rates of a Poisson distribution are not negative, but one is {matrix.min():g}")
    rates = (matrix + PRIOR_RATE * PRIOR_WEIGHT) / (1 + PRIOR_WEIGHT)
    logarithms = rates.log()
    products = rates @ logarithms.T
    own = products.diagonal()
    distances = own.unsqueeze(1) + own - products - products.T
    distances[distances <= NEGLIGIBLE * (own.abs().unsqueeze(1) + own.abs())] = 0.0
    return distances


def _blocks(matrix: Tensor, repeats: int) -> Tensor:
    """Return the measurements, shape (n_samples, repeats, n_units)."""
    n_features = matrix.shape[1]
    if n_features % repeats:
        raise ShapeError(f"{n_features} features are not {repeats} measurements of equally many units")
    return matrix.reshape(len(matrix), repeats, n_features // repeats)


def _cross_euclidean(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    blocks = _blocks(matrix - matrix.mean(0), dissimilarity.repeats)
    return _across(blocks.unbind(1))


def _crossnobis(matrix: Tensor, dissimilarity: Dissimilarity) -> Tensor:
    blocks = _blocks(matrix, dissimilarity.repeats)
    n_samples, repeats, _ = blocks.shape
    noise = (blocks - blocks.mean(1, keepdim=True)).flatten(0, 1)
    if float(noise.norm()) <= NEGLIGIBLE * float(matrix.norm()):
        raise DegenerateInputError(f"the {repeats} measurements are the same: there is no noise to divide by")
    return _across(whitened((blocks - blocks.mean(0)).unbind(1), noise, freedom=n_samples * (repeats - 1)))


def _across(parts: tuple[Tensor, ...]) -> Tensor:
    """Return squared distances whose products are of differences in two different parts."""
    total = torch.stack(parts).sum(0)
    # Products of all pairs of parts are those of their sums, less those of each with itself.
    products = total @ total.T
    for part in parts:
        products = products - part @ part.T
    own = products.diagonal()
    return (own.unsqueeze(1) + own - products - products.T) / (len(parts) * (len(parts) - 1))


_BY_NAME = {
    "correlation": _correlation,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "squared_euclidean": _squared_euclidean,
    "gaussian": _gaussian,
    "mahalanobis": _mahalanobis,
    "poisson": _poisson,
    "cross_euclidean": _cross_euclidean,
    "crossnobis": _crossnobis,
}


def whitened(parts: tuple[Tensor, ...], sample: Tensor, freedom: int | None = None) -> tuple[Tensor, ...]:
    """Return rows multiplied by ``C^-½``, with C the shrunk covariance of a centred sample.

    Parameters
    ----------
    parts : tuple of Tensor, each of shape (n, n_features)
    sample : Tensor of shape (m, n_features)
        Its means are zero.
    freedom : int or None
        What the sum of squares is divided by, m if it is not given.

    Returns
    -------
    tuple of Tensor
        In the coordinates of the sample's principal axes and, where there are more features than those, what lies
        across them.

    Notes
    -----
    ``C = (1 - r) S + r m I`` with ``S = sample' sample / m``, ``m = tr(S) / D`` and the share r of Ledoit & Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices, Journal of Multivariate Analysis 2004.
    """
    rho, mean = shrinkage(sample)
    scale = 1.0 if freedom is None else len(sample) / freedom
    values, axes = torch.linalg.svd(sample, full_matrices=False)[1:]
    variances = values.square() / len(sample)
    along = ((1 - rho) * variances + rho * mean).mul_(scale)
    if float(along.min()) <= NEGLIGIBLE * float(along.max()):
        raise DegenerateInputError("the covariance of the features is singular, and not shrunk: distances do not exist")
    across = rho * mean * scale
    result = []
    for part in parts:
        coordinates = part @ axes.T
        columns = [coordinates / along.sqrt()]
        if len(axes) < sample.shape[1] and across > 0:
            columns.append((part - coordinates @ axes) / across**0.5)
        result.append(torch.cat(columns, dim=1))
    return tuple(result)


def shrinkage(sample: Tensor) -> tuple[float, float]:
    """Return how far the covariance of a centred sample is to be shrunk, and the mean variance, by Ledoit & Wolf."""
    n_rows, n_features = sample.shape
    lengths = sample.square().sum(1)
    mean = float(lengths.sum()) / (n_rows * n_features)
    products = sample @ sample.T if n_rows < n_features else sample.T @ sample
    square = float(products.square().sum()) / n_rows**2
    spread = square - n_features * mean**2
    error = (float(lengths.square().sum()) / n_rows - square) / n_rows
    return (1.0 if spread <= 0 else min(max(error / spread, 0.0), 1.0)), mean
