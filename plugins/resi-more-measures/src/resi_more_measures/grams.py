"""Gram matrices of representations, what scales them, and the two ways of centring them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.shared import intermediates

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resi.measures.features import Features
else:
    from resi.lazy import torch

KERNELS = ("linear", "rbf", "laplacian", "polynomial", "cosine")
"""Kernels that measures here take."""
NEGLIGIBLE = 2.0**-40
"""Share of a size below which what is left of it is rounding."""
SAME = 1e-12
"""A cosine this near to 1 is 1."""
LEAST_SAMPLES = 4
"""Estimates without bias divide by N - 3."""


@dataclass(frozen=True)
class Kernel:
    """A kernel with its parameters.

    ``linear`` is ``<x, y>``; ``cosine`` is ``<x, y> / (|x| |y|)``; ``polynomial`` is ``(<x, y> / D + offset)^degree``;
    ``rbf`` is ``exp(-|x - y|² / (2 s²))``; ``laplacian`` is ``exp(-|x - y| / s)``, with Euclidean lengths.

    Parameters
    ----------
    name : str
        One of ``KERNELS``.
    bandwidth : float
        s in units of the median distance between two different samples.
    sigma : float or None
        s in the units of the features; it replaces ``bandwidth``.
    degree, offset : int, float
        Of the polynomial kernel.
    """

    name: str = "linear"
    bandwidth: float = 1.0
    sigma: float | None = None
    degree: int = 3
    offset: float = 1.0

    def check(self, measure: str) -> None:
        """Raise ``ValueError`` naming a parameter that does not exist or does not fit."""
        check_choice(measure, "kernel", self.name, KERNELS)
        if not self.bandwidth > 0:
            raise ValueError(f"{measure}: bandwidth = {self.bandwidth}; it has to be positive")
        if self.sigma is not None and not self.sigma > 0:
            raise ValueError(f"{measure}: sigma = {self.sigma}; it has to be positive, or null for the median distance")
        if self.degree < 1 or self.offset < 0:
            raise ValueError(
                f"{measure}: degree = {self.degree}, offset = {self.offset}; the kernel needs a degree of 1 or more "
                "and an offset of 0 or more"
            )


def gram(x: Features, kernel: Kernel, about_mean: bool = False) -> Tensor:
    """Return the kernel's values for all pairs of samples, shape (n_samples, n_samples), float64.

    Parameters
    ----------
    about_mean : bool
        Whether the linear kernel takes the features less their means: where the Gram matrix will be centred, that
        gives the same with more digits.

    Raises
    ------
    DegenerateInputError
        If a kernel of distances has no scale, or the cosine kernel a row of zeros.
    """
    matrix = x.matrix
    if kernel.name == "linear":
        matrix = matrix - matrix.mean(0) if about_mean else matrix
        return matrix @ matrix.T
    if kernel.name == "cosine":
        rows = unit_rows(matrix)
        return rows @ rows.T
    if kernel.name == "polynomial":
        return (matrix @ matrix.T / matrix.shape[1] + kernel.offset) ** kernel.degree
    squares = squared_distances(matrix)
    sigma = kernel.bandwidth * median_distance(squares) if kernel.sigma is None else kernel.sigma
    if kernel.name == "rbf":
        return squares.div_(-2 * sigma**2).exp_()
    return squares.sqrt_().div_(-sigma).exp_()


def squared_distances(matrix: Tensor) -> Tensor:
    """Return the squared Euclidean distances between rows; those of rows that are the same are 0.

    Rows are moved to have mean zero first, so that an offset takes no digits. What is below the rounding of the two
    rows' own lengths counts as 0, so that equal rows have equal distances to everything.
    """
    moved = matrix - matrix.mean(0)
    lengths = moved.square().sum(1)
    sums = lengths.unsqueeze(1) + lengths
    squares = torch.addmm(sums, moved, moved.T, alpha=-2)
    squares = (squares + squares.T) / 2
    squares[squares <= NEGLIGIBLE * sums] = 0.0
    return squares


def moderate(values: Tensor) -> Tensor:
    """Return values whose squares do not leave what a float64 holds: divided by a power of two where they would.

    Raises
    ------
    DegenerateInputError
        If the values themselves have left it.
    """
    low, high = values.aminmax()
    largest = max(-float(low), float(high))
    if not math.isfinite(largest):
        raise DegenerateInputError("the numbers are too large for this kernel or distance: divide the features first")
    smallest_safe, largest_safe = intermediates.SAFE_RANGE
    if largest == 0 or smallest_safe <= largest <= largest_safe:
        return values
    return values / 2.0 ** max(-1000, min(1000, math.frexp(largest)[1]))


def median_distance(squares: Tensor) -> float:
    """Return the median distance between two different samples.

    Raises
    ------
    DegenerateInputError
        If more than half of the pairs are the same, so that it is 0.
    """
    if len(squares) < 2:
        raise ShapeError("one sample has no distance to another; at least two rows are needed")
    row, column = torch.triu_indices(len(squares), len(squares), 1, device=squares.device)
    distances = squares[row, column].sqrt().sort().values
    middle = len(distances) // 2
    median = float(distances[middle] if len(distances) % 2 else (distances[middle - 1] + distances[middle]) / 2)
    if median == 0:
        raise DegenerateInputError(
            "the median distance between samples is 0: half of the pairs or more are the same; give sigma"
        )
    return median


def unit_rows(matrix: Tensor) -> Tensor:
    """Return the rows with length one.

    Raises
    ------
    DegenerateInputError
        If a row is all zero: it has no direction.
    """
    lengths = matrix.norm(dim=1, keepdim=True)
    if bool((lengths == 0).any()):
        row = int((lengths == 0).squeeze(1).nonzero()[0])
        raise DegenerateInputError(f"row {row} is all zero and has no direction")
    return matrix / lengths


def centred(matrix: Tensor) -> Tensor:
    """Return a Gram matrix with the means of its rows and columns taken off, ``H K H``."""
    return matrix - matrix.mean(0) - matrix.mean(1, keepdim=True) + matrix.mean()


def u_centred(matrix: Tensor) -> Tensor:
    """Return a symmetric Gram matrix centred so that products of two are unbiased; its diagonal is zero.

    Off the diagonal, with sums over the entries of a row but the diagonal one,
    ``K_ij - Σ_l K_il / (N - 2) - Σ_l K_lj / (N - 2) + Σ_lm K_lm / ((N - 1)(N - 2))``. Then
    ``Σ_ij K_ij L_ij / (N (N - 3))`` is the unbiased HSIC of Song et al. 2012.

    Raises
    ------
    ShapeError
        With fewer than four samples.
    """
    n_samples = len(matrix)
    if n_samples < LEAST_SAMPLES:
        raise ShapeError(f"an unbiased estimate needs at least {LEAST_SAMPLES} samples, but there are {n_samples}")
    rest = matrix.clone().fill_diagonal_(0.0)
    rows = rest.sum(1) / (n_samples - 2)
    result = rest - rows - rows.unsqueeze(1) + rows.sum() / (n_samples - 1)
    return result.fill_diagonal_(0.0)


def unit(matrix: Tensor, size: float) -> Tensor:
    """Return a centred matrix divided by its Frobenius norm.

    Parameters
    ----------
    size : float
        Norm before centring: if hardly anything of it is left, that is rounding.

    Raises
    ------
    DegenerateInputError
        If nothing is left.
    """
    norm = float(matrix.norm())
    if norm <= NEGLIGIBLE * size or norm == 0:
        raise DegenerateInputError("the kernel has the same value for all pairs of samples: nothing varies")
    return matrix / norm


def reordered(matrix: Tensor, order: Tensor) -> Tensor:
    """Return a matrix over all samples with its samples in another order, row i being that of ``order[i]``."""
    return matrix[order.unsqueeze(1), order]


def bounded(value: float) -> float:
    """Return a cosine, which rounding must not move out of [-1, 1], or off 1 where it is 1."""
    return 1.0 if value > 1 - SAME else max(value, -1.0)


def check_choice(measure: str, parameter: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless the value of a parameter is one of those known."""
    if value not in known:
        raise ValueError(f"{measure}: {parameter} {value!r} does not exist; known: {', '.join(known)}")
