"""The spectral norm of a symmetric matrix from a few products with vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from resi.lazy import torch

DENSE_ROWS = 128
"""Up to this many rows all eigenvalues are computed, which is as fast."""
MAX_STEPS = 300
CHECK_EVERY = 3
TOLERANCE = 1e-12


def spectral_norm(matrix: Tensor, start: Tensor) -> float:
    """Return the largest absolute eigenvalue of a symmetric matrix, to a relative accuracy of 1e-11 or better.

    Parameters
    ----------
    matrix : Tensor of shape (n, n)
        Symmetric.
    start : Tensor of shape (n,)
        A guess of the eigenvector; the better it is, the fewer products are needed.

    Notes
    -----
    Lanczos iteration with full reorthogonalisation. A Ritz value θ with residual r is off by at most min(r, r² / gap),
    gap being its distance from the other eigenvalues; the iteration stops when that is below 1e-12 |θ| at the end of
    the spectrum with the larger absolute value, and the other end cannot catch up. A fixed pseudo-random share of the
    start vector keeps it from missing a direction. Without convergence all eigenvalues are computed.
    """
    n_rows = len(matrix)
    if n_rows > DENSE_ROWS:
        value = _lanczos(matrix, start)
        if value is not None:
            return value
    return float(torch.linalg.eigvalsh(matrix).abs().max())


def _lanczos(matrix: Tensor, start: Tensor) -> float | None:
    """Return the largest absolute eigenvalue, or None where it did not converge."""
    n_rows = len(matrix)
    steps = min(MAX_STEPS, n_rows - 1)
    basis = matrix.new_empty((steps + 1, n_rows))
    basis[0] = _mixed_start(start)
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    for step in range(steps):
        product = matrix @ basis[step]
        known = basis[: step + 1]
        coefficients = known @ product
        diagonal.append(float(coefficients[-1]))
        product = product - coefficients @ known
        # Once is not enough: rounding leaves a share of the vectors already found.
        product -= (known @ product) @ known
        length = float(product.norm())
        off_diagonal.append(length)
        if length <= 1e-14 * max(abs(entry) for entry in (*diagonal, *off_diagonal)) or step % CHECK_EVERY == 2:
            value = _converged(diagonal, off_diagonal)
            if value is not None:
                return value
        if length == 0:
            return None
        basis[step + 1] = product / length
    return None


def _mixed_start(start: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(len(start), dtype=start.dtype, generator=generator).to(start.device)
    norm = float(start.norm())
    mixed = random / random.norm() * (0.01 if norm > 0 else 1.0) + start / (norm or 1.0)
    return mixed / mixed.norm()


def _converged(diagonal: list[float], off_diagonal: list[float]) -> float | None:
    """Return the largest absolute Ritz value if it is accurate enough, else None."""
    from scipy.linalg import eigh_tridiagonal

    values, vectors = eigh_tridiagonal(diagonal, off_diagonal[:-1])
    residuals = abs(vectors[-1]) * off_diagonal[-1]
    ends = []
    for end, inner in ((0, 1), (-1, -2)):
        error = residuals[end]
        if len(values) > 1:
            gap = abs(values[end] - values[inner])
            error = min(error, error**2 / gap) if gap > error else error
        ends.append((abs(values[end]), error, residuals[end]))
    (winner, error, _), (other, other_error, other_residual) = sorted(ends, reverse=True)
    needed = TOLERANCE * winner
    settled = error <= needed and (other + other_residual <= winner or other_error <= needed)
    return float(winner) if settled else None
