"""What measures say they need is what they take: budgets that are too large forbid work that fits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from resi.measures import MEASURES
from resi.measures.base import BuiltIn
from resi.measures.cca import SVCCA
from resi.measures.guard import needs_of
from resi.measures.kernel import CKA
from resi.measures.needs import Needs, Size, of_pair, total, working
from resi.measures.neighbours import Jaccard, SecondOrderCosine
from resi.measures.regression import Gulp

# Measure, shape, type, and how many are compared: of 50 to 200 MB, in a second or less; more of them are in
# benchmarks/memory.py.
CASES = [
    ("aligned_cosine", (700, 700), "float32", 2),
    ("cka", (1500, 200), "float32", 15),
    ("jaccard", (4200, 500), "float32", 2),
    ("linear_regression", (700, 700), "float64", 2),
    ("rsa", (1500, 30), "float64", 2),
    ("rsm_norm_difference", (2000, 30), "float32", 2),
    ("soft_correlation_match", (20_000, 128), "float32", 2),
    ("uniformity_difference", (2500, 100), "float32", 2),
]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_memory", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def peaks(benchmark: ModuleType) -> dict[tuple, int]:
    if sys.platform != "linux":
        pytest.skip("peaks are read from /proc")
    return dict(zip(CASES, benchmark.peaks([benchmark.Case(*case) for case in CASES]), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1][0]}x{case[1][1]}-{case[2]}-{case[3]}")
def test_estimates_are_what_measures_take(case: tuple, benchmark: ModuleType, peaks: dict[tuple, int]) -> None:
    said = benchmark.said(benchmark.Case(*case))
    # Some pages here and there are not the measure's.
    assert peaks[case] / benchmark.MOST - 2**22 <= said <= benchmark.MOST * peaks[case] + 2**22


def test_few_maps_of_many_numbers_fit_where_their_distances_do() -> None:
    """Ten thousand images with a hundred thousand numbers each, beside a budget of 32 GB for two of them."""
    for measure in MEASURES:
        if measure.name in ("rsa", "concentricity_difference", "distance_correlation", "rsm_norm_difference"):
            assert 2 * measure().prepared_bytes(10_000, 100_000) < 32e9


def test_parts_that_measures_share_count_once() -> None:
    size = Size(5000, 100)
    needs = [needs_of(measure(), size) for measure in (SVCCA, Gulp)]
    assert sum(needs[0].held.values()) == total(needs, 1, 1) - working(needs, 1, 1)
    both = [needs_of(measure(), size) for measure in (SecondOrderCosine, Jaccard)]
    assert total(both, 15, 2) == total(both[:1], 15, 2)
    apart = [needs_of(measure(), size) for measure in (CKA, Jaccard)]
    held = [sum(each.held.values()) for each in apart]
    # The numbers themselves are the same, their directions and centred rows are not.
    assert total(apart, 15, 1) - working(apart, 15, 1) == 15 * (sum(held) - size.double)


def test_what_takes_memory_for_a_while_counts_for_each_thread_at_most() -> None:
    needs = [Needs({"given": 10, "a": 5}, preparing=100, comparing=30), Needs({"given": 10}, comparing=70, together=2)]
    assert total(needs, 2, 1) == 2 * 15 + 100
    assert total(needs, 2, 4) == 2 * 15 + 2 * 100
    assert total(needs, 10, 4) == 10 * 15 + max(4 * 100, 4 * 70 + 4 * 10 * 2)
    assert of_pair(*needs) == 25 + 100
    assert needs[1].of_one == 10 + (70 + 2 * 2) // 2


def test_every_measure_states_its_memory_by_parts() -> None:
    """As the engine counts once what several measures share, and of what is given only the numbers themselves."""
    for measure in MEASURES:
        said = f"{measure.name}: derive it from BuiltIn of resi.measures.base, and let memory_needs return Needs"
        assert issubclass(measure, BuiltIn), said
        assert "given" in needs_of(measure(), Size(100, 10)).held, f"{said} that hold 'given', as size.given() does"


def test_single_precision_takes_less_where_nothing_is_computed_of_all_numbers_at_once() -> None:
    for measure in (measure for measure in MEASURES if issubclass(measure, BuiltIn)):
        double, single = (needs_of(measure(), Size(20_000, 512, itemsize)) for itemsize in (8, 4))
        assert double.held["given"] == 2 * single.held["given"]
        assert ("matrix" in single.held) == any(part in single.held for part in ("shifted", "unit", "uncentred"))
