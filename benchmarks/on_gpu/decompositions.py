"""Ways to decompose a tall matrix on the card, beside the CPU's: which one measures of column spaces should take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from on_gpu.inputs import conditioned, related

if TYPE_CHECKING:
    from collections.abc import Callable

    from on_gpu.report import Run

Parts = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
SIZES = ((1000, 64), (10_000, 256), (1024, 1024), (10_000, 1024))
SMALL_SIZES = ((120, 16), (40, 40))
DRIVERS = ("gesvd", "gesvdj", "gesvda")


def section(run: Run) -> None:
    """Time decompositions of double precision, and how well they keep small singular values and orthogonality."""
    for n_samples, n_features in SIZES if run.full else SMALL_SIZES:
        given = torch.from_numpy(conditioned(1e6)(related(1, n_samples, n_features)["r0"].numpy()))
        expected = torch.linalg.svdvals(given)
        rows: list[tuple[Any, ...]] = []
        for name, decompose in ways(run).items():
            # Each is as slow as the one before, or slower: what was measured is printed before time is over.
            if not run.has(2 * max([0.5, *(row[1] for row in rows)]), f"{name}, {n_samples} x {n_features}"):
                break
            with run.part(f"{name}, {n_samples} x {n_features}"):
                rows.append((name, *measured(run, decompose, given, expected)))
        header = ("way", "seconds", "largest share by which a singular value is off", "least orthogonal")
        run.table(f"{n_samples} x {n_features}, condition 1e6", header, rows)


def measured(
    run: Run, decompose: Callable[[torch.Tensor], Parts], given: torch.Tensor, expected: torch.Tensor
) -> tuple[float, float, float]:
    """Return seconds, the largest error of a singular value as a share of it, and of the products of left vectors."""
    there = given.to(run.device)
    decompose(there[:32, :16])  # loads what it needs
    found: list[Parts] = []
    seconds = run.timed(lambda: found.append(decompose(there)))
    left, values, _ = found[0]
    off = float(((values.cpu() - expected).abs() / expected).max())
    products = left.T @ left
    return (
        seconds,
        off,
        float((products - torch.eye(len(products), dtype=products.dtype, device=left.device)).abs().max()),
    )


def ways(run: Run) -> dict[str, Callable[[torch.Tensor], Parts]]:
    """Return the ways by name."""
    found: dict[str, Callable[[torch.Tensor], Parts]] = {"svd": lambda x: torch.linalg.svd(x, full_matrices=False)}
    found["svd on the CPU"] = lambda x: tuple(
        part.to(x.device) for part in torch.linalg.svd(x.cpu(), full_matrices=False)
    )
    if run.on_gpu:
        for driver in DRIVERS:
            found[f"svd, {driver}"] = lambda x, d=driver: torch.linalg.svd(x, full_matrices=False, driver=d)
    found["QR, then svd"] = lambda x: after_qr(x, x.device)
    found["QR, then svd on the CPU"] = lambda x: after_qr(x, torch.device("cpu"))
    return found


def after_qr(x: torch.Tensor, device: torch.device) -> Parts:
    """Return the decomposition by way of that of a square factor."""
    q, r = torch.linalg.qr(x)
    left, values, right = torch.linalg.svd(r.to(device), full_matrices=False)
    return q @ left.to(x.device), values.to(x.device), right.to(x.device)
