"""Ways to decompose a tall matrix on the card, beside the CPU's: which one measures of column spaces should take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from on_gpu.inputs import conditioned, related

if TYPE_CHECKING:
    from collections.abc import Callable

    from on_gpu.report import Run

Parts = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
DRIVERS = ("gesvd", "gesvdj", "gesvda")


def section(run: Run) -> None:
    """Time decompositions of double precision, and how well they keep small singular values and orthogonality."""
    sizes = [(120, 16), (40, 40)] if not run.full else [(1000, 64), (10_000, 256), (10_000, 1024), (1024, 1024)]
    for n_samples, n_features in sizes:
        if not run.has(6.0 if run.on_gpu else 1.0, f"{n_samples} x {n_features}"):
            break
        given = conditioned(1e6)(related(1, n_samples, n_features)["r0"].numpy())
        here = torch.from_numpy(given)
        there = here.to(run.device)
        expected = torch.linalg.svd(here, full_matrices=False)[1]
        rows: list[tuple[Any, ...]] = [
            ("CPU, svd", run.timed(lambda x=here: torch.linalg.svd(x, full_matrices=False)), *[""] * 2)
        ]
        for name, decompose in ways(run).items():
            with run.part(f"{name}, {n_samples} x {n_features}"):
                parts = decompose(there)
                seconds = run.timed(lambda way=decompose, x=there: way(x), times=2)
                off = float(((parts[1].cpu() - expected).abs() / expected).max())
                unit = torch.eye(parts[0].shape[1], dtype=torch.float64, device=there.device)
                orthogonal = float((parts[0].T @ parts[0] - unit).abs().max())
                rows.append((name, seconds, off, orthogonal))
        header = ("way", "seconds", "largest share by which a singular value is off", "least orthogonal")
        run.table(f"{n_samples} x {n_features}, condition 1e6", header, rows)


def ways(run: Run) -> dict[str, Callable[[torch.Tensor], Parts]]:
    """Return the ways by name."""
    found: dict[str, Callable[[torch.Tensor], Parts]] = {"svd": lambda x: torch.linalg.svd(x, full_matrices=False)}
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
