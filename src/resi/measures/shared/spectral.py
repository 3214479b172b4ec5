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
TOLERANCE = 2e-10


def spectral_norm(matrix: Tensor, start: Tensor) -> float:
    """Return the largest absolute eigenvalue of a symmetric matrix, to a relative accuracy of 2e-10 or better.

    Parameters
    ----------
    matrix : Tensor of shape (n, n)
        Symmetric.
    start : Tensor of shape (n,)
        A guess of the eigenvector; the better it is, the fewer products are needed.

    Notes
    -----
    Lanczos iteration with full reorthogonalisation. A Ritz value θ with residual r is within r of an eigenvalue, and
    within r² / gap if others are further away than that; the iteration stops when r is below 2e-10 |θ| at the end of
    the spectrum with the larger absolute value, and the other end cannot catch up. As a rule θ has all its digits
    then. A fixed pseudo-random share of the start vector keeps it from missing a direction. Without convergence all
    eigenvalues are computed.
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
    (winner, residual), (other, other_residual) = sorted(
        ((abs(values[end]), residuals[end]) for end in (0, -1)), reverse=True
    )
    needed = TOLERANCE * winner
    settled = residual <= needed and (other + other_residual <= winner or other_residual <= needed)
    return float(winner) if settled else None
