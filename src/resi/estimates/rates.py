"""How long comparisons, trainings and passes take: as measured with a data root, else as measured once for resi.

Each device has rates of its own. Where none have been measured, as of GPUs for resi itself, times are unknown.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi import registry
from resi.choices import Status
from resi.errors import ArtifactError
from resi.results.summary import matrix_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resi.results.summary import Stored
    from resi.specs import ModelSpec
    from resi.store.models import ModelStore

SHIPPED_FILE = "rates.json"
CPU, GPU = "cpu", "cuda"
DEVICES = (CPU, GPU)
TRAININGS_READ = 5
"""Models of one kind whose training times are read."""
LIKE_SIZE = math.log(4)
"""How far a size may be for a rate of the data root to be taken before any other: a factor of four in all."""
PER_DISTANCE = 256
"""What is done with a distance takes about as long as so many features of it."""
COSTS = {
    "O(1)": lambda n, d: n * d,  # all work is preparing
    "O(N k)": lambda n, d: n**2 * (d + PER_DISTANCE),  # the search for neighbours comes before
    "O(N k²)": lambda n, d: n**2 * (d + PER_DISTANCE),
    "O(N²)": lambda n, d: n**2 * (d + PER_DISTANCE),
    "O(N D²)": lambda n, d: n * d**2,
    "O(N D² + D³)": lambda n, d: n * d**2 + d**3,
}
ON_THE_SHORT_SIDE = "when N < D"
"""What the cost of a measure says whose products are those of samples where these are fewer than features."""
"""Growth of the time with samples and features, by the cost a measure declares, where it does not say more."""


Training = tuple[str, str, str, bool]
"""Domain, dataset and architecture of models, and whether they are published ones, which are read instead."""


class Rate(NamedTuple):
    """Seconds of one comparison at one size, preparing included."""

    samples: int
    features: int
    seconds: float


class Estimate(NamedTuple):
    """Seconds that something takes, and whether that was measured with this data root."""

    seconds: float
    is_measured_here: bool


@dataclass(frozen=True)
class Rates:
    """Rates of comparisons by measure, and of trainings by domain, dataset and architecture.

    Attributes
    ----------
    comparisons : mapping from measure to list of Rate
        As stored in shards of this data root.
    trainings : mapping from Training to float
        Seconds that models stored in this data root took, by their :func:`effort`.
    device : str
        One of ``DEVICES``.
    """

    comparisons: Mapping[str, list[Rate]] = field(default_factory=dict)
    trainings: Mapping[Training, float] = field(default_factory=dict)
    device: str = CPU

    @property
    def is_known(self) -> bool:
        """Whether there are any."""
        return bool(self.comparisons or self.trainings or shipped_comparisons(self.device))

    def comparison(self, measure: str, size: tuple[int, int] | None) -> Estimate | None:
        """Return the time of one comparison of representations of a size, or None if it is unknown.

        From the rate at the nearest size, one of this data root where it is like enough, scaled as the measure says, or
        as its declared cost grows.
        """
        here, shipped = self.comparisons.get(measure, []), shipped_comparisons(self.device).get(measure, [])
        if not here and not shipped:
            return None
        if size is None:
            return Estimate(_mean([rate.seconds for rate in here or shipped]), bool(here))
        like = [rate for rate in here if _distance(size, rate) <= LIKE_SIZE]
        nearest = min(like or [*here, *shipped], key=lambda rate: _distance(size, rate))
        return Estimate(nearest.seconds * _growth(measure, size, nearest), nearest in here)

    def training(self, model: ModelSpec) -> Estimate | None:
        """Return the time of training a model, or of reading a published one, or None if it is unknown."""
        here = self.trainings.get(_training(model))
        if here is not None:
            return Estimate(here * effort(model), True)
        shipped = shipped_models("epochs", self.device).get((model.domain, model.dataset, model.architecture))
        if shipped is None or model.checkpoint or not model.hyperparameters.get("epochs"):
            return None
        return Estimate(shipped * effort(model), False)

    def running(self, model: ModelSpec) -> Estimate | None:
        """Return the time of running a model over the probe set, or None if it is unknown."""
        found = shipped_models("passes", self.device).get((model.domain, model.dataset, model.architecture))
        return None if found is None else Estimate(found, False)


def effort(model: ModelSpec) -> float:
    """Return what the time of a training is in proportion to: its epochs, times its layers where these can be chosen.

    The last layer, which maps to a few classes, counts half. So measured of graph networks, which have six layers for
    ``layer_monotonicity`` instead of two or three.
    """
    if model.checkpoint:
        return 1.0  # it is read
    epochs, layers = model.hyperparameters.get("epochs"), model.hyperparameters.get("layers")
    return float((epochs or 1) * (layers - 0.5 if layers else 1))


def _training(model: ModelSpec) -> Training:
    return model.domain, model.dataset, model.architecture, bool(model.checkpoint)


def measured_rates(stored: Stored, models: ModelStore, trained: Iterable[ModelSpec]) -> dict[str, Rates]:
    """Return by device the mean rates of the comparisons that are stored, and of some of the models ``trained``."""
    trainings: dict[str, dict[Training, float]] = {device: {} for device in DEVICES}
    for kind, found in _trainings(models, trained).items():
        for device, seconds in found.items():
            trainings[device][kind] = _mean(seconds)
    return {device: Rates(_comparisons(stored, device), trainings[device], device) for device in DEVICES}


def _comparisons(stored: Stored, device: str) -> dict[str, list[Rate]]:
    """Return the mean rates on a device, by measure; results of earlier versions that name none are of a CPU."""
    is_gpu = pl.col("device").fill_null("").str.starts_with(GPU)
    is_of_device = is_gpu if device == GPU else ~is_gpu
    made = stored.counts.filter(pl.col("status") != Status.failed.value, pl.col("timed") > 0, is_of_device)
    means = made.group_by("measure", "shape_a").agg(pl.col("seconds").sum() / pl.col("timed").sum())
    comparisons: dict[str, list[Rate]] = defaultdict(list)
    for measure, shape, seconds in means.sort("measure", "shape_a").iter_rows():
        if size := matrix_size(shape):
            comparisons[measure].append(Rate(*size, seconds))
    return comparisons


def _trainings(models: ModelStore, trained: Iterable[ModelSpec]) -> dict[Training, defaultdict[str, list[float]]]:
    """Return the seconds that some models of each kind took, by their effort, by device."""
    times: dict[Training, defaultdict[str, list[float]]] = {}
    for model in trained:
        found = times.setdefault(_training(model), defaultdict(list))
        if sum(map(len, found.values())) < TRAININGS_READ:
            with contextlib.suppress(ArtifactError):  # which is computed again when the model is used
                about = models.about(model)
                device = GPU if str(about.get("device", "")).startswith(GPU) else CPU
                found[device].append(float(about.get("seconds", 0)) / effort(model))
    return times


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _distance(size: tuple[int, int], rate: Rate) -> float:
    return abs(math.log(size[0] / rate.samples)) + abs(math.log(size[1] / rate.features))


def _growth(measure: str, size: tuple[int, int], rate: Rate) -> float:
    """Return how many times longer a comparison takes at a size than at the rate's."""
    if measure not in registry.measures():
        return 1.0
    kind = registry.measures().get(measure)
    with contextlib.suppress(Exception):  # of a plugin, or one that cannot be made without parameters
        now, then = (kind().relative_time(*each) for each in (size, (rate.samples, rate.features)))
        if now and then:
            return now / then
    if ON_THE_SHORT_SIDE in kind.cost:
        return _short_side(*size) / _short_side(rate.samples, rate.features)
    cost = COSTS.get(kind.cost.split(",")[0].split(" times")[0])
    return 1.0 if cost is None else cost(*size) / cost(rate.samples, rate.features)


def _short_side(samples: int, features: int) -> int:
    return samples * features * min(samples, features)


@functools.cache
def shipped_comparisons(device: str = CPU) -> dict[str, list[Rate]]:
    """Return the rates of comparisons shipped with resi, see ``benchmarks/rates.py``: on a CPU those of one thread."""
    return {
        name: [Rate(int(n), int(d), seconds) for n, d, seconds in rates]
        for name, rates in _shipped(device)["seconds"].items()
    }


@functools.cache
def shipped_models(what: str, device: str = CPU) -> dict[tuple[str, str, str], float]:
    """Return seconds by domain, dataset and architecture, measured the same way.

    Parameters
    ----------
    what : {"epochs", "passes"}
        Of training by :func:`effort`, or of running a model over the probe set.
    """
    found = {}
    for name, seconds in _shipped(device)[what].items():
        domain, dataset, architecture = name.split("/")
        found[domain, dataset, architecture] = float(seconds)
    return found


def shipped_machine(device: str = CPU) -> str:
    """Return the machine on which the shipped rates were measured; empty if none were."""
    return str(_shipped(device)["machine"])


@functools.cache
def _shipped(device: str) -> dict[str, Any]:
    content = (Path(__file__).parent / SHIPPED_FILE).read_text(encoding="utf-8")
    rates: dict[str, dict[str, Any]] = json.loads(content)
    return rates[device]
