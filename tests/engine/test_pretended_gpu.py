"""On a GPU every tensor of a measure is where it belongs, and the values are the CPU's; without a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from resi.engine.chance import Null
from resi.engine.execution import Engine
from resi.engine.intervals import Bootstrap
from resi.engine.tiles import Task
from resi.measures import MEASURES
from resi.measures.base import Measure
from resi.registry import make_measure
from resi.representation import Representation
from tests.pretended_gpu import pretended_gpu

if TYPE_CHECKING:
    from resi.engine.outcomes import Outcome

CPU = torch.device("cpu")
IN_SINGLE = ["angular_shape", "cka", "eigenspace_overlap", "procrustes", "pwcca", "svcca"]
"""Measures that treat numbers of single precision in another way."""
NAMES = [measure.name for measure in MEASURES if not measure.on_cpu]


def items(dtype: torch.dtype, rows: int = 26) -> dict[str, Representation]:
    """Return representations of vectors with rows that are the same and rows of zeros, and of maps."""
    draws = np.random.default_rng(0)
    arrays = {f"r{width}": draws.normal(size=(rows, width)) for width in (5, 40)}
    arrays |= {f"m{side}": draws.normal(size=(rows, 3, side, side)) for side in (2, 3)}
    for array in arrays.values():
        array[3::9] = array[2]
        array[5] = 0
    given = {key: torch.from_numpy(array).to(dtype) for key, array in arrays.items()}
    layouts: dict[int, Any] = {2: "nd", 4: "nchw"}
    return {key: Representation(key, tuple(x.shape), layouts[x.ndim], "", lambda x=x: x) for key, x in given.items()}


def found(device: torch.device, given: dict[str, Representation], measures: Any, **more: Any) -> list[Outcome]:
    pairs = [("r5", "r40"), ("m2", "m3")]
    tasks = [Task(*pair, name) for name in measures for pair in pairs]
    engine = Engine(measures, 10**9, device, threads=1, **more)
    return sorted(engine.run(tasks, given), key=lambda outcome: outcome.task)


@pytest.mark.parametrize(
    ("dtype", "names", "more"),
    [
        (torch.float64, NAMES, {}),
        (torch.float32, IN_SINGLE, {}),
        (torch.float64, ["cka", "distance_correlation", "jaccard", "procrustes", "rsa"], {"null": Null(2)}),
        (torch.float64, ["cka"], {"bootstrap": Bootstrap(40)}),
    ],
)
def test_measures_keep_their_tensors_on_the_device(dtype: torch.dtype, names: list[str], more: dict[str, Any]) -> None:
    given = items(dtype)
    measures = {name: make_measure(name, {}) for name in names}
    expected = found(CPU, given, measures, **more)
    with pretended_gpu() as gpu:
        made = found(gpu, given, measures, **more)
    for one, other in zip(expected, made, strict=True):
        assert (other.task, other.status, other.error) == (one.task, one.status, one.error)
        assert other.value == pytest.approx(one.value, rel=1e-9, abs=1e-12), one.task
        assert other.note == one.note
        assert (other.chance is None, other.interval is None) == (one.chance is None, one.interval is None)


def test_those_of_the_cpu_are_given_tensors_of_the_cpu_beside_it() -> None:
    names = ("cka", "permutation_procrustes", "hard_correlation_match", "imd")
    measures = {name: make_measure(name, {}) for name in names}
    expected = found(CPU, items(torch.float64), measures)
    with pretended_gpu() as gpu:
        made = found(gpu, items(torch.float64), measures)
    assert [(one.task, one.value) for one in made] == [(one.task, one.value) for one in expected]


class Mixing(Measure):
    name = "mixing"
    larger_is_more_similar = True

    def compare(self, a: Any, b: Any) -> float:
        return float((a.sum(0) @ torch.ones(a.shape[1], dtype=torch.float64)) + b.sum())


class Numpy(Measure):
    name = "numpy"
    larger_is_more_similar = True

    def compare(self, a: Any, b: Any) -> float:
        return float(np.asarray(a.numpy()).sum())


@pytest.mark.parametrize(("measure", "error"), [(Mixing(), "same device"), (Numpy(), "state on_cpu = True")])
def test_what_a_gpu_refuses_is_refused(measure: Measure, error: str) -> None:
    with pretended_gpu() as gpu:
        made = found(gpu, items(torch.float64), {measure.name: measure})
    assert all(error in one.error for one in made), made
