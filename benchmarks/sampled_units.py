"""CKA from a few samples and units beside that of all: the table of docs/intervals.md."""

from __future__ import annotations

import numpy as np
import torch

import resi
from resi.measures.sampled_units import UnbiasedCKA
from resi.randomness import generator

SAMPLES, UNITS, LATENT = 20_000, (2000, 1500), 20
FEW = ((50, 20, 20), (60, 20, 15), (100, 10, 15), (100, 50, 50), (200, 30, 30), (400, 100, 100))
DRAWS = 600


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    random = generator(0, "sampled units")
    first, other = random.normal(size=(2, SAMPLES, LATENT)) / np.arange(1, LATENT + 1) ** 0.5
    sides = [
        np.tanh(seen @ random.normal(size=(LATENT, count))) + 0.5 * random.normal(size=(SAMPLES, count))
        for seen, count in zip((first, first + 0.7 * other), UNITS, strict=True)
    ]
    print(f"cka of all {SAMPLES} samples, {UNITS[0]} and {UNITS[1]} units: {resi.compare(*sides):.3f}")  # noqa: T201
    print("| samples, units, units | `cka` | `cka_unbiased` | its standard error |\n|---|---:|---:|---:|")  # noqa: T201
    for sizes in FEW:
        values = np.array([compared(sides, sizes, random) for _ in range(DRAWS)])
        plain, unbiased = values.mean(0)
        error = values[:, 1].std(ddof=1) / DRAWS**0.5
        cells = (", ".join(map(str, sizes)), f"{plain:.3f}", f"{unbiased:.3f}", f"{error:.3f}")
        print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


def compared(
    sides: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]],
    sizes: tuple[int, int, int],
    random: np.random.Generator,
) -> tuple[float, float]:
    """Return both values of samples and units that are drawn."""
    rows = random.choice(SAMPLES, sizes[0], replace=False)
    few = [
        side[np.ix_(rows, random.choice(side.shape[1], count, replace=False))]
        for side, count in zip(sides, sizes[1:], strict=True)
    ]
    return resi.compare(*few, "cka"), resi.compare(*few, UnbiasedCKA)


if __name__ == "__main__":
    main()
