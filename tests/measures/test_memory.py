"""What measures say they need is what they take: budgets that are too large forbid work that fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .peak_memory import MEASURES

FAMILIES = ("rsm", "neighbours", "statistics", "topology")
NAMES = [name for name in MEASURES if MEASURES[name].family in FAMILIES]
SIZES = ((1500, 30), (400, 4000))
# Topology takes long for many samples.
CASES = [(name, *size) for name in NAMES for size in SIZES if size[0] < 1000 or MEASURES[name].family != "topology"]
# Among so many rows neighbours are looked for in another way.
CASES.append(("jaccard", 4500, 1500))


@pytest.fixture(scope="module")
def peaks() -> dict[tuple[str, int, int], int]:
    if sys.platform != "linux":
        pytest.skip("peaks are read from /proc")
    program = Path(__file__).parent / "peak_memory.py"
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(program), json.dumps(CASES)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return dict(zip(CASES, json.loads(output), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_estimates_are_what_preparing_takes(case: tuple[str, int, int], peaks: dict[tuple[str, int, int], int]) -> None:
    name, *size = case
    # A page here and there is not the measure's.
    assert peaks[case] - 2**20 <= MEASURES[name].prepared_bytes(*size) <= 1.3 * peaks[case] + 2**20


def test_few_maps_of_many_numbers_fit_where_their_distances_do() -> None:
    """Ten thousand images with a hundred thousand numbers each, beside a budget of 32 GB for two of them."""
    for name in ("rsa", "concentricity_difference", "distance_correlation", "rsm_norm_difference"):
        assert 2 * MEASURES[name].prepared_bytes(10_000, 100_000) < 32e9
