"""How often 95 % intervals hold the expected score, and how often chance is called better than chance, by simulation.

Writes the tables of docs/coverage.md; ``--studies`` sets how many studies of each design are simulated. The expected
score is the mean over many more studies of the same design: other models of the same kind, in groups of the same sizes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rank_coverage import rank_lines, rank_table
from resi.choices import Protocol
from resi.groundings import GROUNDINGS
from resi.groundings.base import LEVEL, MeasureFacts, Member, Score, Similarities
from resi.groundings.correlation import correlate
from resi.groundings.group_resampling import uncertainty
from resi.groundings.layer_monotonicity import layer_correlation, layer_violations, limits_of_mean
from resi.groundings.output_correlation import uncertainty as uncertainty_of_outputs
from resi.groundings.separation import average_precision, pair_index, violation_rate
from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Draw = Callable[[np.random.Generator, int], Array]

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
SIMILARITY = MeasureFacts("simulated", "{}", larger_is_more_similar=True, symmetric=True)
STUDIES, STUDIES_OF_EXPECTATION = 1000, 10_000
# Of a block, whose p-values are slow.
STUDIES_OF_OUTPUTS = 400
STUDIES_OF_CHANCE = 400
MOST_MODELS_DEALT = 15
BLOCK = 500
HEADER = ("models", "what differs", "score", "expected", "held", "lower limit too high", "upper limit too low", "p")
# Spreads of the groups, and how far apart their centres are; 0 is chance.
GROUPS = [
    ((5, 5, 5), (1, 1, 1), (0, 1, 2, 3, 4, 4.5, 6)),
    ((5, 5, 5), (1, 2, 4), (0, 3, 6, 12)),
    ((5, 5), (1, 1), (0, 1, 2, 3, 4)),
    ((5, 5), (1, 3), (0, 3, 6)),
    ((3, 3, 3), (1, 1, 1), (0, 1, 2, 3, 4)),
    ((3, 3), (1, 1), (0, 2, 3)),
    ((10, 10, 10), (1, 1, 1), (0, 1, 2, 4)),
    ((5,) * 5, (1,) * 5, (0, 2, 3, 4)),
]
LAYERS, MODELS = (3, 4, 5, 6, 8), (5, 10)
# Noise beside one unit of similarity a layer; at the first there is nothing but noise.
NOISE = (1000.0, 2.0, 1.0, 0.7, 0.5, 0.3, 0.2)
ABOUT_RANKS = """\
Six measures are scored on the same models, each with noise of its own in the similarities; of equal noise, they are
equally good. `held`: the share of studies and measures in % whose 95 % interval holds the mean rank over many studies,
and that of the measure for which it is the smallest; then how often the 95 % confidence set has a best measure, how
many measures it has, and how often the worse of two measures is the better in 97.5 % of draws or more."""
RELATIONS = (0.0, 0.5, 1.0, 3.0, 6.0, 12.0)


class Line(NamedTuple):
    """One design and score.

    Attributes
    ----------
    expected : float
        The mean score of many studies.
    held, too_high, too_low : float
        Shares of studies whose interval holds it, lies above it, and lies below it.
    called : float or None
        Share of studies whose p-value calls the score better than chance, for designs that are chance.
    """

    models: str
    differs: str
    score: str
    expected: float
    held: float
    too_high: float
    too_low: float
    called: float | None


def main() -> None:
    """Simulate all designs, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    parts, found = [], {}
    for title, of in (("Groups", group_lines), ("Layers", layer_lines), ("Outputs", output_lines)):
        rows = [f"## {title}", "", f"| {' | '.join(HEADER)} |", "|---|---|---|" + "---:|" * 5]
        lines = found.setdefault(title, [])
        for line in of(chosen.studies):
            lines.append(line)
            rows.append(text(line))
            print(rows[-1], flush=True)  # noqa: T201
        parts.append("\n".join(rows))
    ranks = []
    for line in rank_lines(chosen.studies):
        ranks.append(line)
        print(line, flush=True)  # noqa: T201
    parts.append(f"## Ranks\n\n{ABOUT_RANKS}\n\n{rank_table(ranks)}")
    page = "\n\n".join([introduction(chosen.studies), summary(found), *parts])
    chosen.page.write_text(page + "\n", encoding="utf-8")


def summary(found: Mapping[str, Sequence[Line]]) -> str:
    """Return the smallest and the largest share of each test, for scores up to 0.9 and for those nearer to the best."""
    rows = ["| in % | held, scores up to 0.9 | held, beyond | p |", "|---|---|---|---|"]
    for title, lines in found.items():
        middle = [line.held for line in lines if not is_near_best(line)]
        beyond = [line.held for line in lines if is_near_best(line)]
        called = [line.called for line in lines if line.called is not None]
        rows.append(f"| {title} | {' | '.join(span(shares) for shares in (middle, beyond, called))} |")
    return "\n".join(rows)


def is_near_best(line: Line) -> bool:
    """Return whether the expected score is beyond 0.9, of violation rates below 0.1."""
    return line.expected < 0.1 if line.score == "violation_rate" else line.expected > 0.9


def span(shares: Sequence[float]) -> str:
    """Return the smallest and the largest of some shares in per cent."""
    return f"{100 * min(shares):.1f} to {100 * max(shares):.1f}" if shares else "-"


def introduction(studies: int) -> str:
    """Return what stands above the tables."""
    error = 100 * 2 * np.sqrt(0.95 * 0.05 / studies)
    return (
        "# How often intervals hold the expected score\n\n"
        f"Written by `python -m nox -s coverage`: {studies} simulated studies of each design, so that a share of 95 %\n"
        f"is uncertain by {error:.1f} points. [tests.md](tests.md) says how intervals and p-values are made.\n\n"
        "`expected` is the mean score of many studies of the design, with other models in each; `held` the share of\n"
        "studies in % whose 95 % interval holds it; the next two say on which side it misses. `p` is the share of\n"
        f"studies in % with a p-value of at most {LEVEL}, for designs in which there is nothing to find."
    )


def text(line: Line) -> str:
    """Return a line of the table, shares in per cent."""
    shares = [f"{100 * share:.1f}" for share in (line.held, line.too_high, line.too_low)]
    called = "" if line.called is None else f"{100 * line.called:.1f}"
    return f"| {' | '.join([*line[:3], f'{line.expected:.3f}', *shares, called])} |"


def group_lines(studies: int) -> Iterator[Line]:
    """Simulate tests by groups: models are points around the centre of their group, similar if they are close."""
    for sizes, spreads, effects in GROUPS:
        for effect in effects:
            yield from group_design(sizes, spreads, effect, studies)


def group_design(sizes: Sequence[int], spreads: Sequence[float], effect: float, studies: int) -> Iterator[Line]:
    """Simulate one design of groups."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    names = np.array([f"group_{group}" for group in groups])
    indices = [pair_index(groups == group) for group in range(len(sizes))]
    centres = effect * np.eye(max(3, len(sizes)))[groups]
    scale = np.array(spreads, float)[groups][:, None]

    def draw(random: np.random.Generator, count: int) -> Array:
        points = centres + scale * random.normal(size=(count, *centres.shape))
        return -np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)

    def score(signed: Array) -> dict[str, Array]:
        splits = [index.split(signed) for index in indices]
        return {
            "auprc": np.mean([average_precision(split) for split in splits], axis=0),
            "violation_rate": np.mean([violation_rate(split, 0.5) for split in splits], axis=0),
        }

    def limits(signed: Array) -> Iterator[tuple[str, Array]]:
        for metric, found in uncertainty(signed, names, indices, score(signed)).items():
            yield metric, found.limits

    label = f"{len(sizes)} groups of {sizes[0]}"
    differs = f"spreads {', '.join(f'{spread:g}' for spread in spreads)}; distance {effect:g}"
    # Of many models, dealing them to groups takes long.
    is_chance = effect == 0 and len(set(spreads)) == 1 and len(groups) <= MOST_MODELS_DEALT
    members = tuple(Member(str(name), int(seed)) for seed, name in enumerate(names))
    test = GROUNDINGS["augmentation"]()
    yield from _design((label, differs), draw, score, limits, (lambda s: _scores(test, members, s), is_chance), studies)


def layer_lines(studies: int) -> Iterator[Line]:
    """Simulate the test by layers: similarity falls by one a layer, with noise."""
    for models in MODELS:
        for layers in LAYERS:
            for noise in NOISE:
                yield from layer_design(models, layers, noise, 0.0, studies)
            yield from layer_design(models, layers, 0.4, 0.5, studies)


def layer_design(models: int, layers: int, noise: float, uneven: float, studies: int) -> Iterator[Line]:
    """Simulate one design of layers; ``uneven`` says how much the noise of models differs."""
    place = np.arange(layers)
    fading = -np.abs(place[:, None] - place).astype(float)

    def draw(random: np.random.Generator, count: int) -> Array:
        table = np.triu(random.normal(size=(count, models, layers, layers)), 1)
        sizes = noise * random.lognormal(sigma=uneven, size=(count, models, 1, 1))
        return fading + sizes * (table + table.swapaxes(-1, -2))

    def of_models(similar: Array) -> dict[str, Array]:
        flat = similar.reshape(-1, layers, layers)
        found = {"spearman": layer_correlation, "violation_rate": layer_violations}
        return {metric: score(flat, Protocol.corrected).reshape(-1, models) for metric, score in found.items()}

    def score(similar: Array) -> dict[str, Array]:
        return {metric: values.mean(axis=1) for metric, values in of_models(similar).items()}

    def limits(similar: Array) -> Iterator[tuple[str, Array]]:
        for metric, values in of_models(similar).items():
            yield metric, limits_of_mean(values, layers, metric)

    members = tuple(Member("standard", seed, str(layer)) for seed in range(models) for layer in place)
    test = GROUNDINGS["layer_monotonicity"]()

    def scores(similar: Array) -> Sequence[Score]:
        values = np.full((len(similar), models * layers, models * layers), np.nan)
        for seed in range(models):
            block = slice(seed * layers, (seed + 1) * layers)
            values[:, block, block] = similar[:, seed]
        return [found for found in _scores(test, members, values) if found.seed is None]

    differs = f"noise {noise:g}" + (f", from model to model by a factor of e^±{uneven:g}" if uneven else "")
    about = f"{models} models of {layers} layers", differs
    yield from _design(about, draw, score, limits, (scores, noise == NOISE[0]), studies)


def output_lines(studies: int) -> Iterator[Line]:
    """Simulate the tests by outputs: models are points, of which predictions show some coordinates with noise."""
    for models in MODELS:
        for relation in RELATIONS:
            yield from output_design(models, relation, studies)


def output_design(models: int, relation: float, studies: int) -> Iterator[Line]:
    """Simulate one design of outputs; ``relation`` is how much larger than noise is what predictions show."""
    test = GROUNDINGS["output_correlation"]()
    members = tuple(Member("standard", seed) for seed in range(models))
    pairs = np.stack(np.triu_indices(models, 1))

    def draw(random: np.random.Generator, count: int) -> Array:
        inner = random.normal(size=(count, models, 3))
        outer = relation * inner + random.normal(size=inner.shape)
        return np.stack([np.linalg.norm(x[:, :, None] - x[:, None], axis=-1) for x in (inner, outer)], axis=1)

    def score(tables: Array) -> dict[str, Array]:
        of_pairs = tables[:, :, *pairs]
        return {
            metric: np.array([correlate(x[None], y[None], metric)[0, 0] for x, y in of_pairs])
            for metric in test.metrics
        }

    def scores(tables: Array) -> Sequence[Score]:
        found = []
        for inner, outer in tables[:STUDIES_OF_OUTPUTS]:
            similarities = Similarities(members, (SIMILARITY,), -inner[None], {"jsd": outer})
            found += test.score(similarities, Protocol.corrected, seed=0)
        return found

    def limits(tables: Array) -> Iterator[tuple[str, Array]]:
        for metric in test.metrics:
            ends = [uncertainty_of_outputs(x[None], y, pairs, models, metric)[1] for x, y in tables[:, :, *pairs]]
            yield metric, np.concatenate(ends, axis=1)

    about = f"{models} models", f"relation {relation:g}"
    yield from _design(about, draw, score, limits, (scores, relation == 0), studies)


def _scores(test: Any, members: tuple[Member, ...], values: Array) -> Sequence[Score]:
    """Score as many studies as there are, each in place of a measure."""
    return test.score(Similarities(members, (SIMILARITY,) * len(values), values, {}), Protocol.corrected, seed=0)


def _design(
    about: tuple[str, str],
    draw: Draw,
    score: Callable[[Array], dict[str, Array]],
    limits: Callable[[Array], Iterator[tuple[str, Array]]],
    null: tuple[Callable[[Array], Sequence[Score]], bool],
    studies: int,
) -> Iterator[Line]:
    random = generator(0, "coverage", *about)
    total: dict[str, float] = {}
    for _ in range(0, STUDIES_OF_EXPECTATION, BLOCK):
        for metric, values in score(draw(random, BLOCK)).items():
            total[metric] = total.get(metric, 0.0) + float(values.sum()) / STUDIES_OF_EXPECTATION
    ends: dict[str, list[Array]] = {}
    called: dict[str, list[bool]] = {}
    for start in range(0, studies, BLOCK):
        drawn = draw(random, min(BLOCK, studies - start))
        for metric, found in limits(drawn):
            ends.setdefault(metric, []).append(found)
        for one in null[0](drawn) if null[1] and start < STUDIES_OF_CHANCE else ():
            called.setdefault(one.metric, []).append(one.p_value is not None and one.p_value <= LEVEL)
    for metric, expected in total.items():
        low, high = np.concatenate(ends[metric], axis=1)
        too_high, too_low = float((low > expected + 1e-9).mean()), float((high < expected - 1e-9).mean())
        share = float(np.mean(called[metric])) if null[1] else None
        yield Line(*about, metric, expected, 1 - too_high - too_low, too_high, too_low, share)


if __name__ == "__main__":
    main()
