"""Made-up results in the form of the published benchmark's files, of any size, from all three domains."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from resi import registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Of each domain, the names of a test's three groups: setting, and what follows or surrounds the training set.
GRAPH = {
    "augmentation": ["Normal", "Augmentation_25", "Augmentation_100"],
    "label_randomization": ["Normal", "RandomLabels_50", "RandomLabels_100"],
    "shortcut": ["Shortcut_0", "Shortcut_50", "Shortcut_100"],
}
LANGUAGE = {
    "augmentation": ["Normal", "Augmentation_25", "Augmentation_100"],
    "label_randomization": ["Normal", "RandomLabels_75", "RandomLabels_100"],
    "shortcut": ["Shortcut_0558", "Shortcut_0889", "Shortcut_10"],
}
VISION = {
    "augmentation": [f"GaussNoise Gauss_{level}_{{}}DataModule" for level in ("S", "M", "Max")],
    "label_randomization": ["Normal {}", *(f"Randomlabel RandomLabel_{level}_{{}}_DataModule" for level in (50, 75))],
    "shortcut": [f"Shortcut ColorDot_{level}_{{}}DataModule" for level in (0, 75, 100)],
}  # fmt: skip


class Network(NamedTuple):
    """An architecture on a dataset, by their published names; and how many layers it has."""

    domain: str
    dataset: str
    architecture: str
    layers: int = 4

    @property
    def groups(self) -> dict[str, list[str]]:
        return {"GRAPHS": GRAPH, "NLP": LANGUAGE, "VISION": VISION}[self.domain]

    def layer(self, setting: str, seed: int, layer: int) -> str:
        name, _, trained_on = setting.partition(" ")
        trained_on = trained_on.format(self.dataset) or self.dataset
        return f"{name}__{self.architecture}__{trained_on}__{seed}__{self.dataset}__{layer}"

    def output(self, seed: int, kind: str) -> str:
        more = "_None" if self.domain == "NLP" else ""
        return f"{self.domain}_{self.architecture}_{self.dataset}_Normal_{seed}{more}__{self.dataset}__{kind}"

    @property
    def layered(self) -> str:
        return "MultiLayer" if self.domain == "GRAPHS" else "Normal"


class Size(NamedTuple):
    """Models of each group, of the tests by outputs, and of the layer test."""

    group: int = 5
    outputs: int = 10
    layered: int = 5


def measures() -> dict[str, bool]:
    """Return the published names of the benchmark's measures, and whether they are similarities."""
    found = [measure for measure in registry.measures().in_order() if measure.benchmark]
    return {measure.published_name: measure.larger_is_more_similar for measure in found}


def comparisons(network: Network, chosen: Sequence[str], size: Size) -> dict[tuple[str, str, str], float]:
    """Return the comparisons of a network in all six tests: the later a measure, the more noise it has."""
    draw = random.Random(" ".join(map(str, network)))
    is_similarity = measures()
    found: dict[tuple[str, str, str], float] = {}

    def compare(a: str, b: str, similarity: float) -> None:
        for place, measure in enumerate(chosen):
            noisy = similarity + draw.gauss(0, 0.15 + 0.1 * place)
            found.setdefault((a, b, measure), noisy if is_similarity[measure] else 3 - noisy)

    def last(setting: str, seed: int) -> str:
        return network.layer(setting, seed, network.layers)

    place = [draw.gauss(0, 1) for _ in range(size.outputs)]
    for a, b in itertools.combinations(range(size.outputs), 2):
        apart = abs(place[a] - place[b])
        compare(last("Normal", a), last("Normal", b), 1 - apart / 4)
        outputs = network.output(a, "output"), network.output(b, "output")
        found[(*outputs, "JSD")] = min(1.0, abs(apart / 4 + draw.gauss(0, 0.05)))
        found[(*outputs, "Disagreement")] = min(1.0, abs(apart / 4 + draw.gauss(0, 0.1)))
        accuracies = network.output(a, "accuracy"), network.output(b, "accuracy")
        found[(*accuracies, "AbsoluteAccDiff")] = abs(apart / 20 + draw.gauss(0, 0.02))
    for settings in network.groups.values():
        models = [(setting, seed) for setting in settings for seed in range(size.group)]
        for a, b in itertools.combinations(models, 2):
            compare(last(*a), last(*b), float(a[0] == b[0]))
    for seed, (a, b) in itertools.product(range(size.layered), itertools.combinations(range(1, network.layers + 1), 2)):
        sides = (network.layer(network.layered, seed, layer) for layer in (a, b))
        compare(*sides, 1 - (b - a) / network.layers)
    return found


def write(path: Path, found: Mapping[tuple[str, str, str], float]) -> Path:
    """Write a results file with the columns that published ones have; every pair of layers stands in both orders."""
    is_similarity = measures()
    asymmetric = {"PWCCA", "LinearRegression"}
    turned = {(b, a, name): value + 0.01 * (name in asymmetric) for (a, b, name), value in found.items()
              if name in is_similarity}  # fmt: skip
    both = {**found, **turned}
    columns = {
        "id": [f"{a}___{b}___{name}" for a, b, name in both],
        "source__representation_dataset": [a.split("__")[-2] for a, _, _ in both],
        "target__representation_dataset": [b.split("__")[-2] for _, b, _ in both],
        "metric": [name for *_, name in both],
        "metric_value": list(both.values()),
        "runtime": [math.nan if math.isnan(value) else 0.25 for value in both.values()],
        "is_symmetric": [name not in asymmetric for *_, name in both],
        "larger_is_more_similar": [is_similarity.get(name, False) for *_, name in both],
        "hash": ["0" * 40] * len(both),
        "date": ["2025-01-31 12:00:00"] * len(both),
    }
    pl.DataFrame(columns).write_parquet(path)
    return path
