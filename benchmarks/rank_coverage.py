"""How often intervals of ranks hold the expected mean rank, and how often the confidence set has a best measure.

Several measures are scored on the same models; each adds noise of its own to how similar two models are. Measures with
the same noise are equally good, and share their rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from resi.groundings.group_resampling import uncertainty
from resi.groundings.ranks import (
    RankedColumn,
    best_measures,
    chances_of_better,
    drawn_places,
    interval_of_places,
    shares,
)
from resi.groundings.separation import average_precision, pair_index
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]

HEADER = ("models", "noise of the measures", "columns", "held", "worst measure", "best in the set", "set",
          "wrong way round")  # fmt: skip
DESIGNS = [
    (5, (0.2, 0.4, 0.7, 1.0, 1.4, 2.0), 1),
    (5, (0.2, 0.4, 0.7, 1.0, 1.4, 2.0), 3),
    (5, (0.5, 0.5, 0.5, 0.5, 0.5, 0.5), 1),
    (5, (0.5, 0.5, 0.5, 0.5, 0.5, 0.5), 3),
    (5, (0.2, 0.2, 0.2, 2.0, 2.0, 2.0), 3),
    (10, (0.2, 0.4, 0.7, 1.0, 1.4, 2.0), 1),
    (10, (0.2, 0.2, 1.0, 2.0, 4.0, 8.0), 3),
]
"""Models in each of three groups, the noise of each measure, and on how many sets of models they are ranked."""
DISTANCE = 2.0
STUDIES_OF_EXPECTATION = 4000
SURE = 0.975


class Line(NamedTuple):
    """One design.

    Attributes
    ----------
    held, worst : float
        Share of studies and measures whose interval holds the mean rank of many studies; that of the measure for which
        it is the smallest.
    in_set, size : float
        Share of studies in which the 95 % confidence set has a best measure, and how many measures it has.
    wrong : float
        Share of studies and pairs of measures that are not equally good, of which the worse one is the better in 97.5 %
        of draws or more.
    """

    models: str
    noise: str
    columns: int
    held: float
    worst: float
    in_set: float
    size: float
    wrong: float


def rank_lines(studies: int) -> Iterator[Line]:
    """Simulate all designs."""
    for size, noise, columns in DESIGNS:
        yield rank_design(size, noise, columns, studies)


def rank_design(size: int, noise: Sequence[float], columns: int, studies: int) -> Line:
    """Simulate one design."""
    groups = np.repeat(np.arange(3), size)
    names = np.array([f"group_{group}" for group in groups])
    indices = [pair_index(groups == group) for group in range(3)]
    random = generator(0, "coverage of ranks", size, columns, *map(str, noise))

    def draw() -> Array:
        """Return how similar models are by each measure, all in one study."""
        points = DISTANCE * np.eye(3)[groups] + random.normal(size=(len(groups), 3))
        distances = np.linalg.norm(points[:, None] - points, axis=-1)
        own = np.triu(random.normal(size=(len(noise), len(groups), len(groups))), 1)
        return -(distances + np.array(noise)[:, None, None] * (own + own.swapaxes(1, 2)))

    def scores(signed: Array) -> Array:
        return np.mean([average_precision(index.split(signed)) for index in indices], axis=0)

    many = scores(np.concatenate([draw() for _ in range(STUDIES_OF_EXPECTATION)])).reshape(-1, len(noise))
    # Equally noisy measures are equally good, but for the error of the simulation.
    alike = np.array(noise)[:, None] == np.array(noise)
    mean_place = shares(many).mean(axis=0) @ alike / alike.sum(axis=1)
    truth = np.array(noise)  # the less, the better
    held, in_set, sizes, wrong = np.zeros(len(noise)), 0, 0, 0.0
    for study in range(studies):
        parts = []
        for column in range(columns):
            signed = draw()
            found = {"auprc": scores(signed), "violation_rate": np.zeros(len(noise))}
            influence = uncertainty(signed, names, indices, found)["auprc"].influences
            parts.append(RankedColumn(f"{study} {column}", list(range(len(noise))), found["auprc"], influence))
        places = drawn_places(parts, len(noise))
        ends = np.array(interval_of_places(places), float)
        held += (ends[:, 0] <= mean_place + 1e-9) & (mean_place <= ends[:, 1] + 1e-9)
        best = best_measures(parts, len(noise)) or []
        in_set += bool(truth[best].min(initial=np.inf) == truth.min())
        sizes += len(best)
        worse = truth[:, None] > truth
        wrong += float((chances_of_better(places)[worse] >= SURE).mean()) if worse.any() else 0.0
    label = f"3 groups of {size}", ", ".join(f"{one:g}" for one in noise), columns
    return Line(*label, held.mean() / studies, held.min() / studies, in_set / studies, sizes / studies, wrong / studies)


def rank_table(lines: Sequence[Line]) -> str:
    """Return the lines as a table, shares in per cent."""
    rows = [f"| {' | '.join(HEADER)} |", "|---|---|" + "---:|" * 6]
    for line in lines:
        numbers = [f"{100 * line.held:.1f}", f"{100 * line.worst:.1f}", f"{100 * line.in_set:.1f}", f"{line.size:.1f}"]
        rows.append(f"| {' | '.join([*map(str, line[:3]), *numbers, f'{100 * line.wrong:.1f}'])} |")
    return "\n".join(rows)
