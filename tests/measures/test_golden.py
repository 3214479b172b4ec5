"""Values of the published benchmark and by definition, on nine pairs of representations of all shapes.

``data/inputs.npz`` holds the pairs, ``data/values.json`` the values: ``published`` as the published benchmark gives
them (failures as text), ``defined`` by the definition of a measure where that differs from what is published.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resi import measures
from resi.errors import DegenerateInputError
from resi.measures.functional import FUNCTIONAL

if TYPE_CHECKING:
    from resi.measures.base import Measure

DATA = Path(__file__).parent / "data"
INPUTS = dict(np.load(DATA / "inputs.npz"))
VALUES = json.loads((DATA / "values.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Expectation:
    """How a measure is constructed for comparison, and how near it has to come."""

    parameters: dict[str, Any] = field(default_factory=dict)
    relative: float = 1e-9
    # A root of a cancelled difference stands behind a distance near zero.
    absolute: float = 1e-6


EXPECTATIONS = {
    # Published with three trials; its library works in float32.
    "rtd": Expectation({"trials": 3}, relative=1e-6),
}
# Values near zero are themselves what is to be reproduced here.
EXPECTATIONS |= {
    name: Expectation(absolute=1e-13)
    for name in ("magnitude_difference", "concentricity_difference", "uniformity_difference")
}
MEASURES = {measure.name: measure for measure in measures.MEASURES}


def cases() -> list[Any]:
    """Return (measure, case, direction, value) for every value there is."""
    found = []
    for name, measure in MEASURES.items():
        for case, published in VALUES["published"].items():
            values = published.get(measure.published_name, {}) | VALUES["defined"][case].get(name, {})
            found += [
                pytest.param(measure, case, direction, value, id=f"{name}-{case}-{direction}")
                for direction, value in values.items()
                if not isinstance(value, str)
            ]
    return found


def published_variants() -> list[Any]:
    return [
        pytest.param(MEASURES[name], case, direction, value, id=f"{name}-{case}-{direction}")
        for name in ("pwcca", "svcca")
        for case, published in VALUES["published"].items()
        for direction, value in published[MEASURES[name].published_name].items()
    ]


def value_of(measure: Measure, case: str, direction: str) -> float:
    first, second = direction
    with warnings.catch_warnings():
        # Some cases hold all-zero rows, which aligned_cosine warns about.
        warnings.simplefilter("ignore", UserWarning)
        return measure(INPUTS[f"{case}.{first}"], INPUTS[f"{case}.{second}"], VALUES["shapes"][case])


@pytest.mark.parametrize(("measure", "case", "direction", "value"), cases())
def test_value(measure: type[Measure], case: str, direction: str, value: float) -> None:
    expected = EXPECTATIONS.get(measure.name, Expectation())
    result = value_of(measure(**expected.parameters), case, direction)
    near_zero = expected.absolute if not measure.larger_is_more_similar else 0.0
    assert result == pytest.approx(value, rel=expected.relative, abs=near_zero)


@pytest.mark.parametrize(("measure", "case", "direction", "value"), published_variants())
def test_published_variant(measure: type[Measure], case: str, direction: str, value: float | str) -> None:
    published = measure(variant="published")  # type: ignore[call-arg]
    if isinstance(value, str):
        with pytest.raises(DegenerateInputError, match="variant='published'"):
            value_of(published, case, direction)
    else:
        assert value_of(published, case, direction) == pytest.approx(value, rel=1e-9)


def test_every_measure_has_values() -> None:
    compared = {case.values[0].name for case in cases()}
    assert compared >= {name for name, measure in MEASURES.items() if measure.benchmark}


@pytest.mark.parametrize("case", ["logits0", "logits1", "logits2"])
@pytest.mark.parametrize("name", ["jsd", "disagreement"])
def test_functional(name: str, case: str) -> None:
    value = FUNCTIONAL[name](INPUTS[f"{case}.a"], INPUTS[f"{case}.b"])
    assert value == pytest.approx(VALUES["functional"][case][name], rel=1e-9)


def test_accuracy_difference() -> None:
    values = VALUES["functional"]["accuracies"]
    result = FUNCTIONAL["accuracy_difference"](values["a"], values["b"])
    assert result == pytest.approx(values["accuracy_difference"], rel=1e-9)
