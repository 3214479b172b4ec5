"""The topological measures against what the published code and a plain reading of the definition give.

The published RTD computes in float32 and looked at all rows; IMD is by exact spectrum.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resi.measures.homology.topology import IMD, RTD

GOLDEN = {
    "nd_wide": ("nd", 0.798729658126831, 13.758125597553848),
    "nd_dead_units": ("nd", 7.096582889556885, 61.96466834251895),
    "ntd": ("ntd", 5.4109416007995605, 11.927916071660349),
    "nchw_resized": ("nchw", 6.012556552886963, 9.396011578847245),
    "nd_identical": ("nd", 0.0, 0.0),
}


@pytest.fixture(scope="module")
def inputs():
    with np.load(Path(__file__).with_name("data_topology.npz")) as data:
        return dict(data)


@pytest.mark.parametrize("case", GOLDEN)
def test_published_rtd(inputs, case):
    layout, expected, _ = GOLDEN[case]
    assert RTD()(inputs[f"{case}.a"], inputs[f"{case}.b"], layout) == pytest.approx(expected, rel=1e-6, abs=0)


@pytest.mark.parametrize("case", GOLDEN)
def test_defined_imd(inputs, case):
    layout, _, expected = GOLDEN[case]
    assert IMD()(inputs[f"{case}.a"], inputs[f"{case}.b"], layout) == pytest.approx(expected, rel=1e-9, abs=0)
