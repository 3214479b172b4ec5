"""How often 95 % intervals over samples hold the expected value, by simulation.

Writes the tables of docs/interval_coverage.md. The expected value is the mean over many other draws of as many samples;
``--studies`` sets how many studies are simulated of each design, and ``--sizes`` their numbers of samples.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from resi import registry
from resi.engine.execution import Engine
from resi.engine.intervals import Bootstrap, interval
from resi.engine.tiles import Task
from resi.measures.sampled_units import UnbiasedCKA
from resi.randomness import generator
from resi.representation import Representation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from resi.engine.outcomes import Outcome
    from resi.measures.base import Measure

    Arrays = Mapping[str, torch.Tensor]

PAGE = Path(__file__).parents[1] / "docs" / "interval_coverage.md"
SIZES = (100, 300, 1000)
STUDIES, DRAWS = 400, 200
OTHER_STUDIES = 5
"""The expected value is the mean of so many times the studies."""
LARGEST_TOPOLOGY = 100
MEMORY = 10**9
KINDS = {
    "kernel": ("cka",),
    "alignment": ("procrustes", "normalized_procrustes", "aligned_cosine", "hard_correlation_match"),
    "cca": ("pwcca", "svcca"),
    "regression": ("linear_regression", "gulp", "eigenspace_overlap"),
    "rsm": ("rsa", "distance_correlation", "rsm_norm_difference"),
    "neighbours": ("jaccard", "rank_similarity", "second_order_cosine"),
    "statistics": ("magnitude_difference", "concentricity_difference"),
    "topology": ("imd",),
    "corrected": ("cka_unbiased",),
}
DESIGNS = ("near", "related", "heavy tails")
HEADER = ("measure", "samples", "design", "expected", "held", "too high", "too low", "width", "difference held")


class Line(NamedTuple):
    """One measure in one design.

    Attributes
    ----------
    expected : float
        The mean value of many studies.
    held, too_high, too_low : float
        Shares of studies whose interval holds it, lies above it, and lies below it.
    width : float
        Mean standard error of the intervals, as a share of the standard deviation of the values.
    difference : float
        Share of studies whose interval of the difference of two values holds the expected one.
    """

    measure: str
    n_samples: int
    design: str
    expected: float
    held: float
    too_high: float
    too_low: float
    width: float
    difference: float


def main() -> None:
    """Simulate all designs, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--designs", nargs="+", default=DESIGNS, choices=DESIGNS)
    parser.add_argument("--measures", nargs="+", default=[name for names in KINDS.values() for name in names])
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    lines = []
    for n_samples in chosen.sizes:
        names = [name for name in chosen.measures if n_samples <= LARGEST_TOPOLOGY or name not in KINDS["topology"]]
        for design in chosen.designs:
            for line in simulate(names, design, n_samples, chosen.studies, chosen.draws):
                lines.append(line)
                print(text(line), flush=True)  # noqa: T201
    order = {name: place for place, name in enumerate(chosen.measures)}
    lines.sort(key=lambda line: order[line.measure])
    table = [f"| {' | '.join(HEADER)} |", "|---|---:|---|" + "---:|" * 6, *map(text, lines)]
    page = "\n\n".join([introduction(chosen.studies, chosen.draws), summary(lines), "\n".join(table)])
    chosen.page.write_text(page + "\n", encoding="utf-8")


def introduction(studies: int, draws: int) -> str:
    """Return what stands above the tables."""
    error = 100 * 2 * np.sqrt(0.95 * 0.05 / studies)
    return (
        "# How often intervals over samples hold the expected value\n\n"
        f"Written by `python benchmarks/sample_coverage.py`: {studies} simulated studies of each design with {draws} "
        "draws\n"
        f"of the samples, so that a share of 95 % is uncertain by {error:.1f} points. [intervals.md](intervals.md)\n"
        "says how\n"
        "the intervals are made. Samples have 8 latent numbers; representations of 12 and 16 features see them through "
        "a\n"
        "tanh, with noise. `expected` is the mean value of many other studies of as many samples; `held` the share of\n"
        "studies in % whose 95 % interval holds it, the next two say on which side it misses. `width` is the mean\n"
        "standard error as a share of the standard deviation of values over studies. The last column is about\n"
        "differences: is A nearer to B than to C?"
    )


def summary(lines: Sequence[Line]) -> str:
    """Return the smallest and the largest share of each kind of measures."""
    rows = ["| in % | held | difference held |", "|---|---|---|"]
    for kind, names in KINDS.items():
        own = [line for line in lines if line.measure in names]
        if own:
            spans = (
                f"{100 * min(shares):.1f} to {100 * max(shares):.1f}"
                for shares in ([line.held for line in own], [line.difference for line in own])
            )
            rows.append(f"| {kind} | {' | '.join(spans)} |")
    return "\n".join(rows)


def text(line: Line) -> str:
    """Return a line of the table, shares in per cent."""
    shares = [f"{100 * share:.1f}" for share in (line.held, line.too_high, line.too_low)]
    cells = [line.measure, str(line.n_samples), line.design, f"{line.expected:.4g}", *shares, f"{line.width:.2f}"]
    return f"| {' | '.join(cells)} | {100 * line.difference:.1f} |"


def population(design: str) -> Callable[[np.random.Generator, int], Arrays]:
    """Return what draws three representations A, B and C of so many samples."""
    fixed = generator(0, "sample coverage", design)
    scales = np.arange(1, 9) ** -0.5
    maps = [fixed.normal(size=(8, width)) for width in (12, 16, 16)]
    noise = 0.2 if design == "near" else 0.7

    def draw(random: np.random.Generator, count: int) -> Arrays:
        latent = random.normal(size=(count, 8)) * scales
        if design == "heavy tails":
            latent *= np.exp(0.5 * random.normal(size=(count, 1)))
        other = latent + 0.3 * random.normal(size=latent.shape) * scales
        return {
            name: torch.from_numpy(np.tanh(seen @ by + 0.2) + noise * random.normal(size=(count, by.shape[1])))
            for name, seen, by in zip("ABC", (latent, latent, other), maps, strict=True)
        }

    return draw


def simulate(names: Sequence[str], design: str, n_samples: int, studies: int, draws: int) -> Iterator[Line]:
    """Yield a line a measure."""
    draw = population(design)
    measures = {name: make_measure(name) for name in names}
    random = generator(1, "sample coverage", design, n_samples)
    values = np.array([_values(measures, draw(random, n_samples)) for _ in range(OTHER_STUDIES * studies)])
    expected, spread = values.mean(0), values.std(0)
    found = np.array(
        [_study(measures, draw(random, n_samples), Bootstrap(draws, study, keep=True)) for study in range(studies)]
    )
    for place, name in enumerate(measures):
        low, high, error, low_of, high_of = found[:, place].T
        middle = expected[place, 0]
        too_high, too_low = float((low > middle).mean()), float((high < middle).mean())
        apart = middle - expected[place, 1]
        difference = float(((low_of <= apart) & (apart <= high_of)).mean())
        held, width = 1 - too_high - too_low, float(error.mean() / spread[place, 0])
        yield Line(name, n_samples, design, float(middle), held, too_high, too_low, width, difference)


def make_measure(name: str) -> Measure:
    """Return a measure by its name, ``cka_unbiased`` included."""
    return UnbiasedCKA() if name == UnbiasedCKA.name else registry.make_measure(name, {})


def _values(measures: Mapping[str, Measure], arrays: Arrays) -> list[tuple[float, float]]:
    return [tuple(outcome.value for outcome in both) for both in _compared(measures, arrays, None)]


def _study(measures: Mapping[str, Measure], arrays: Arrays, bootstrap: Bootstrap) -> list[tuple[float, ...]]:
    """Return for each measure the limits of A and B, their standard error, and the limits of the difference."""
    found = []
    for one, other in _compared(measures, arrays, bootstrap):
        if one.interval is None or other.interval is None:
            raise RuntimeError(f"{one.task.measure} has no interval: {one.note or other.note}")
        apart = np.subtract(one.interval.replicates, other.interval.replicates)
        limits = interval(one.value - other.value, apart, one.interval.units)
        found.append((*one.interval[:3], limits.low, limits.high))
    return found


def _compared(
    measures: Mapping[str, Measure], arrays: Arrays, bootstrap: Bootstrap | None
) -> list[tuple[Outcome, Outcome]]:
    items = {
        key: Representation(key, tuple(array.shape), "nd", "", lambda array=array: array)
        for key, array in arrays.items()
    }
    tasks = [Task("A", target, name) for name in measures for target in "BC"]
    engine = Engine(measures, MEMORY, torch.device("cpu"), 1, bootstrap=bootstrap)
    outcomes = {outcome.task: outcome for outcome in engine.run(tasks, items)}
    return [(outcomes[one], outcomes[other]) for one, other in zip(tasks[::2], tasks[1::2], strict=True)]


if __name__ == "__main__":
    main()
