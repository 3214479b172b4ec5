"""On a GPU, measures have the CPU's values, and those that compute on the CPU do so beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

import resi
from resi.choices import Status
from resi.engine.execution import Engine
from resi.engine.tiles import all_pairs
from resi.measures import MEASURES
from resi.measures.base import Measure
from resi.registry import make_measure
from resi.representation import Representation

NAMES = [measure.name for measure in MEASURES if measure.benchmark]
SIZES = [(60, 8), (20, 50)]


def arrays(rows: int, columns: int, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    draws = np.random.default_rng(0)
    latent = draws.normal(size=(rows, 4))
    sides = [latent @ draws.normal(size=(4, columns)) + draws.normal(size=(rows, columns)) for _ in range(3)]
    return {f"r{number}": torch.from_numpy(side).to(dtype) for number, side in enumerate(sides)}


def values(given: dict[str, torch.Tensor], **more: Any) -> dict[tuple[str, str, str], float]:
    frame = resi.pairwise(given, measures=NAMES, **more)
    assert set(frame["status"]) == {Status.ok}, frame.filter(frame["status"] != Status.ok)
    return {row[:3]: row[3] for row in frame.select("source", "target", "measure", "value").iter_rows()}


@pytest.mark.parametrize("size", SIZES)
def test_values_of_double_precision_are_those_of_the_cpu(gpu: torch.device, size: tuple[int, int]) -> None:
    given = arrays(*size)
    expected = values(given)
    found = values({key: array.to(gpu) for key, array in given.items()})
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_what_a_program_allows_changes_no_value(gpu: torch.device) -> None:
    given = {key: array.to(gpu) for key, array in arrays(200, 40, torch.float32).items()}
    expected = values(given)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with torch.autocast("cuda", torch.float16):
            assert values(given) == pytest.approx(expected, rel=1e-12, abs=1e-12)
            assert torch.backends.cuda.matmul.allow_tf32
            assert torch.is_autocast_enabled("cuda")
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("memory", ["100 kB", "2 GB"])
def test_a_limit_of_memory_changes_no_value(gpu: torch.device, memory: str) -> None:
    given = {key: array.to(gpu) for key, array in arrays(60, 8).items()}
    names = ["cka", "procrustes", "permutation_procrustes"]
    expected = resi.pairwise(given, measures=names)["value"]
    assert resi.pairwise(given, measures=names, memory=memory)["value"].to_list() == pytest.approx(expected.to_list())


@dataclass
class Where(Measure):
    """Says on which device it was given the numbers."""

    name = "where"
    larger_is_more_similar = True

    def compare(self, a: torch.Tensor, b: torch.Tensor) -> float:
        return float(a.is_cuda + b.is_cuda)


class WhereOnCPU(Where):
    name = "where_on_cpu"
    on_cpu = True


def test_matrices_lie_where_a_measure_computes(gpu: torch.device) -> None:
    given = arrays(20, 4)
    items = {k: Representation(k, tuple(x.shape), "nd", "", lambda x=x: x) for k, x in given.items()}
    measures = {"where": Where(), "where_on_cpu": WhereOnCPU(), "rtd": make_measure("rtd", {})}
    for one_by_one in (False, True):
        engine = Engine(measures, 10**9, gpu, one_by_one=one_by_one)
        found = {(one.task.measure, one.value) for one in engine.run(all_pairs(list(items), measures), items)}
        assert {pair for pair in found if pair[0] != "rtd"} == {("where", 2.0), ("where_on_cpu", 0.0)}
    R, S = (array.to(gpu) for array in list(given.values())[:2])
    assert resi.compare(R, S, Where) == 2.0
    assert resi.compare(R, S, WhereOnCPU) == 0.0


def test_null_and_bootstrap_are_those_of_the_cpu(gpu: torch.device) -> None:
    given = arrays(40, 6)
    names = ["cka", "procrustes", "rsa", "jaccard", "hard_correlation_match"]
    expected = resi.pairwise(given, measures=names, null=19, bootstrap=50)
    found = resi.pairwise({key: array.to(gpu) for key, array in given.items()}, measures=names, null=19, bootstrap=50)
    for column in ("value", "null_mean", "p_value", "low", "high"):
        assert found[column].to_list() == pytest.approx(expected[column].to_list(), rel=1e-6, abs=1e-6), column


def test_a_measure_of_numpy_says_what_to_state(gpu: torch.device) -> None:
    def overlap(R: Any, S: Any) -> float:
        return float(np.abs(R.numpy()).sum())

    given = {key: array.to(gpu) for key, array in arrays(20, 4).items()}
    frame = resi.pairwise(given, measures=overlap)
    assert all("on_cpu = True" in error for error in frame["error"])
    overlap.on_cpu = True  # type: ignore[attr-defined]
    assert set(resi.pairwise(given, measures=overlap)["status"]) == {Status.ok}
