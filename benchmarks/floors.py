"""Every measure beside its floor: what its definition takes at this machine's own rates of products, sorts and so on.

``python benchmarks/floors.py [1000x64 5000x512 ...]``, one thread, float32.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.table import Table

import resi
from common import CONSOLE, benchmark, cpu_seconds, related, warm_up
from resi.console import progress

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 15
PAIRS = COUNT * (COUNT - 1) // 2
NEIGHBOURS, OF_GRAPH = 10, 5
"""Of the neighbour measures, and of the graph of ``imd``."""
MOST = 3.0
"""What is further above its floor has a reason in words."""
SHORT_SECONDS = 0.002
"""Of a pair, of which calls and checks of what is given are a large part."""


@dataclass
class Machine:
    """Seconds of this machine's own routines for representations of a size, each the best of three.

    Parameters
    ----------
    rows, columns : int
        N and D.
    """

    rows: int
    columns: int

    def __post_init__(self) -> None:
        numbers = torch.randn(self.rows, self.columns, dtype=torch.float64)
        halves = numbers.float()
        symmetric = numbers.T @ numbers
        square = numbers.T @ numbers[:, torch.randperm(self.columns)]
        many = np.random.default_rng(0).normal(size=self.rows * (self.rows - 1) // 2)
        some = torch.rand(min(self.rows, 1000), self.rows)
        self.single = best(lambda: halves.T @ halves) / self.flops
        self.double = best(lambda: numbers.T @ numbers) / self.flops
        self.wide_single = best(lambda: halves @ halves.T) / (2 * self.halved)
        self.wide_double = best(lambda: numbers @ numbers.T) / (2 * self.halved)
        self.eigen = best(lambda: torch.linalg.eigh(symmetric))
        self.values = best(lambda: torch.linalg.svdvals(square))
        self.vectors = best(lambda: torch.linalg.svd(square))
        self.assignment = best(lambda: assign(square.numpy()))
        self.sort = best(many.argsort)
        self.kernel = best(lambda: np.exp(many, out=np.empty_like(many)))
        self.read = best(many.sum) / many.nbytes
        self.select = best(lambda: torch.topk(some, NEIGHBOURS, largest=False)) * self.rows / len(some)

    @property
    def flops(self) -> int:
        """Operations of the product of two representations, D x N by N x D."""
        return 2 * self.rows * self.columns**2

    @property
    def halved(self) -> int:
        """Operations of the products of all pairs of rows, each once."""
        return self.rows**2 * self.columns

    @property
    def triangle(self) -> int:
        """Bytes of a number in double precision for each pair of rows."""
        return 8 * self.rows * (self.rows - 1) // 2


def assign(gains: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    """Match rows to columns."""
    from scipy.optimize import linear_sum_assignment

    linear_sum_assignment(gains, maximize=True)


class Floor:
    """What a measure takes at least.

    Parameters
    ----------
    about : str
        What is counted, preparing first.
    prepare, pair : callable
        Seconds of one representation and of one pair on a machine.
    reason : str
        Why it takes more than three times as much, where it does.
    """

    def __init__(
        self,
        about: str,
        prepare: Callable[[Machine], float],
        pair: Callable[[Machine], float],
        reason: str = "",
    ) -> None:
        self.about, self.prepare, self.pair, self.reason = about, prepare, pair, reason

    def seconds(self, machine: Machine, pairs: int) -> float:
        """Return the seconds of all pairs."""
        return COUNT * self.prepare(machine) + pairs * self.pair(machine)


def nothing(_: Machine) -> float:
    """Return 0 s."""
    return 0.0


def product(machine: Machine) -> float:
    """Return the seconds of a product of two representations in double precision."""
    return machine.flops * machine.double


def distances(machine: Machine) -> float:
    """Return the seconds of the products of all pairs of rows in double precision, each pair once."""
    return machine.halved * machine.wide_double


def neighbours(machine: Machine) -> float:
    """Return the seconds of the products of all pairs of rows in single precision, and of selecting from each row."""
    return machine.halved * machine.wide_single + machine.select


OF_DISTANCES = "each distance is checked for digits that cancelled"
OF_RANKS = "correlations that differ by rounding alone share a rank"
SEVERAL_TIMES = "it is read several times: is it finite, how large, and in double precision"
OF_NEIGHBOURS = "below 4096 samples all distances are computed, in double precision"
SHAPE = Floor("a product and singular values", nothing, lambda m: product(m) + m.values)
FLOORS = {
    "procrustes": SHAPE,
    "normalized_procrustes": SHAPE,
    "angular_shape": SHAPE,
    "aligned_cosine": Floor(
        "two products and a singular value decomposition", nothing, lambda m: 2 * product(m) + m.vectors
    ),
    "permutation_procrustes": Floor("a product and an assignment", nothing, lambda m: product(m) + m.assignment),
    "hard_correlation_match": Floor("a product and an assignment", nothing, lambda m: product(m) + m.assignment),
    "soft_correlation_match": Floor("a product", nothing, product),
    "svcca": Floor(
        "half a product, eigenvalues; a product, singular values",
        lambda m: product(m) / 2 + m.eigen,
        lambda m: product(m) + m.values,
    ),
    "pwcca": Floor(
        "half a product, eigenvalues; a product, a singular value decomposition",
        lambda m: product(m) / 2 + m.eigen,
        lambda m: product(m) + m.vectors,
    ),
    "linear_regression": Floor("half a product, eigenvalues; a product", lambda m: product(m) / 2 + m.eigen, product),
    "eigenspace_overlap": Floor(
        "half a product, eigenvalues, a product; a product", lambda m: 1.5 * product(m) + m.eigen, product
    ),
    "gulp": Floor("half a product, eigenvalues; a product", lambda m: product(m) / 2 + m.eigen, product),
    "cka": Floor("a product in single precision", lambda m: m.flops * m.single / 2, lambda m: m.flops * m.single),
    "rsa": Floor(
        "products of rows, a sort of all pairs; a dot product of all pairs",
        lambda m: distances(m) + m.sort,
        lambda m: 2 * m.triangle * m.read,
        OF_RANKS,
    ),
    "rsm_norm_difference": Floor(
        "products of rows; ten products of the difference with a vector",
        distances,
        lambda m: 10 * 2 * m.triangle * m.read,
        OF_DISTANCES,
    ),
    "distance_correlation": Floor(
        "products of rows; a dot product of all pairs", distances, lambda m: 2 * m.triangle * m.read, OF_DISTANCES
    ),
    "uniformity_difference": Floor(
        "products of rows, an exponential of each", lambda m: distances(m) + m.kernel, nothing, OF_DISTANCES
    ),
    "jaccard": Floor("products of rows, single precision; selecting", neighbours, nothing, OF_NEIGHBOURS),
    "rank_similarity": Floor("products of rows, single precision; selecting", neighbours, nothing, OF_NEIGHBOURS),
    "second_order_cosine": Floor(
        "products of rows, single precision; selecting",
        neighbours,
        nothing,
        "up to 8192 samples all cosines are kept in double precision, as each pair asks for others",
    ),
    "imd": Floor(
        "products of rows, single precision; selecting; the Chebyshev recursion on all columns in cache",
        lambda m: neighbours(m) + 16 * 2 * OF_GRAPH * 8 * m.rows**2 * m.read,
        nothing,
    ),
    "magnitude_difference": Floor(
        "reading the matrix", lambda m: 4 * m.rows * m.columns * m.read, nothing, SEVERAL_TIMES
    ),
    "concentricity_difference": Floor(
        "reading the matrix", lambda m: 4 * m.rows * m.columns * m.read, nothing, SEVERAL_TIMES
    ),
}


def best(call: Callable[[], object]) -> float:
    """Return the CPU seconds of a call, the least of three."""
    return cpu_seconds(call, times=3)


def main() -> None:
    """Print one table for each size given."""
    torch.set_num_threads(1)
    for size in sys.argv[1:] or ["5000x512"]:
        rows, columns = map(int, size.split("x"))
        bench_size(rows, columns)


def bench_size(rows: int, columns: int) -> None:
    """Print all measures of a size over 105 pairs, with their floors."""
    given = related(COUNT, rows, columns)
    names = sorted(benchmark())
    warm_up(given, names)
    machine = Machine(rows, columns)
    table = Table(
        title=f"measures and their floors: {COUNT} representations of {rows}x{columns}, {PAIRS} pairs, one thread, "
        "float32, CPU seconds",
        title_justify="left",
    )
    for column in ("measure", "seconds", "floor", "ratio", "what the floor is"):
        table.add_column(column, justify="left" if column in ("measure", "what the floor is") else "right")
    total = 0.0
    with progress(f"measures on {rows}x{columns}", len(names)) as advance:
        for name in names:
            seconds = cpu_seconds(functools.partial(resi.pairwise, given, [name]))
            total += seconds
            table.add_row(name, f"{seconds:.2f}", *_cells(name, seconds, machine))
            advance()
    table.add_section()
    table.add_row("sum", f"{total:.1f}")
    CONSOLE.print(table)


def _cells(name: str, seconds: float, machine: Machine) -> tuple[str, ...]:
    floor = FLOORS.get(name)
    if floor is None:
        return "", "", "none is known: a reduction of a sparse matrix"
    least = floor.seconds(machine, PAIRS * (1 if resi.registry.measures().get(name).symmetric else 2))
    about = floor.about
    if seconds > MOST * least:
        short = "calls take as long at this size" if seconds < SHORT_SECONDS * PAIRS else ""
        about += f" ({floor.reason or short or 'no reason is known'})"
    return f"{least:.2f}", f"{seconds / least:.1f}", about


if __name__ == "__main__":
    main()
