"""Representations to compare: ordinary ones and such as are hard on arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


class Case(NamedTuple):
    """Representations of the same samples.

    Attributes
    ----------
    arrays : dict from name to Tensor of float64
    shape : {"nd", "ntd", "nchw"}
    tolerance : float
        Share by which values of double precision may differ from the CPU's; what rounding of the numbers may change.
    """

    arrays: dict[str, torch.Tensor]
    shape: str = "nd"
    tolerance: float = 1e-9


def cases(quick: bool) -> dict[str, Case]:
    """Return all cases by name."""
    tall, wide, square = ((40, 12), (20, 30), (24, 24)) if quick else ((400, 48), (96, 300), (200, 200))
    maps = (12, 4, 4, 3) if quick else (40, 12, 9, 6)
    n, d, height, cells = maps
    return {
        "more samples": Case(related(3, *tall)),
        "more features": Case(related(3, *wide)),
        "square": Case(related(2, *square)),
        "different widths": Case({**related(1, *tall), **related(1, tall[0], 2 * tall[1], "w")}),
        "offset 1e4": Case(changed(related(2, *tall), lambda x: x + 1e4)),
        "condition 1e6": Case(changed(related(2, *tall), conditioned(1e6))),
        "columns of many sizes": Case(changed(related(2, *tall), scaled_columns)),
        "scale 1e-30": Case(changed(related(2, *tall), lambda x: x * 1e-30)),
        "scale 1e30": Case(changed(related(2, *tall), lambda x: x * 1e30)),
        "rank 5": Case(changed(related(2, *tall), lambda x: x[:, :5] @ x[:5])),
        "ties": Case(changed(related(2, *tall), lambda x: np.sign(x[:, :5]).repeat(2, axis=1))),
        "equal rows and zero rows": Case(changed(related(2, *tall), with_equal_rows)),
        "dead neurons": Case(changed(related(2, *tall), with_dead_neurons)),
        "a rotation": Case(rotated(*tall)),
        "1e-7 apart": Case(nearly_equal(*tall, 1e-7)),
        "constant": Case({**related(1, *tall), "constant": torch.ones(tall, dtype=torch.float64)}),
        "maps": Case(mapped((n, d, height, height), (n, d + 2, cells, cells)), "nchw"),
        "tokens": Case(mapped((n, 5, d), (n, 5, d + 3)), "ntd"),
    }


def related(count: int, n_samples: int, n_features: int, prefix: str = "r") -> dict[str, torch.Tensor]:
    """Return representations with a common part, as models of one task have."""
    draws = np.random.default_rng(0)
    latent = draws.normal(size=(n_samples, 8))
    found = {}
    for number in range(count):
        mixed = latent @ draws.normal(size=(8, n_features)) + draws.normal(size=(n_samples, n_features))
        found[f"{prefix}{number}"] = torch.from_numpy(mixed)
    return found


def changed(given: dict[str, torch.Tensor], change: Callable[[Matrix], Matrix]) -> dict[str, torch.Tensor]:
    """Return arrays of which each was changed."""
    return {name: torch.from_numpy(np.ascontiguousarray(change(array.numpy()))) for name, array in given.items()}


def conditioned(condition: float) -> Callable[[Matrix], Matrix]:
    """Return what stretches directions so that the largest and the smallest lie so far apart."""

    def change(x: Matrix) -> Matrix:
        draws, width = np.random.default_rng(1), x.shape[1]
        turns = [np.linalg.qr(draws.normal(size=(width, width)))[0] for _ in range(2)]
        stretched: Matrix = x @ turns[0] * np.geomspace(1, 1 / condition, width) @ turns[1]
        return stretched

    return change


def scaled_columns(x: Matrix) -> Matrix:
    """Return neurons of very different sizes."""
    return x * np.geomspace(1e-5, 1e5, x.shape[1])


def with_equal_rows(x: Matrix) -> Matrix:
    """Return samples some of which are the same, and some all zero."""
    result = x.copy()
    result[1::7] = result[0]
    result[3::11] = 0
    return result


def with_dead_neurons(x: Matrix) -> Matrix:
    """Return neurons some of which are constant."""
    result = x.copy()
    result[:, ::5] = 0.25
    return result


def rotated(n_samples: int, n_features: int) -> dict[str, torch.Tensor]:
    """Return a representation and a rotated copy, whose distance is zero."""
    x = related(1, n_samples, n_features)["r0"]
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(n_features, n_features)))[0]
    return {"r0": x, "turned": x @ torch.from_numpy(turn)}


def nearly_equal(n_samples: int, n_features: int, distance: float) -> dict[str, torch.Tensor]:
    """Return a representation and one that differs by little."""
    x = related(1, n_samples, n_features)["r0"]
    noise = np.random.default_rng(3).normal(size=(n_samples, n_features))
    return {"r0": x, "near": x + distance * torch.from_numpy(noise)}


def mapped(*sizes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Return arrays of several axes."""
    draws = np.random.default_rng(4)
    return {f"m{number}": torch.from_numpy(draws.normal(size=size)) for number, size in enumerate(sizes)}
