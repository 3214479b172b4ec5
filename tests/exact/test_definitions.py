"""Definitions at 50 digits agree with slow ones in double precision, and the page of digits is about all of them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.exact.definitions import DEFINITIONS, NoValueError, Ranks, exact
from tests.exact.digits import CIRCUMSTANCES, DTYPES, PAGE, measured
from tests.measures.oracles import ORACLES
from tests.measures.samples import MEASURES


def test_every_measure_of_the_benchmark_has_a_definition() -> None:
    lacking = sorted(name for name, measure in MEASURES.items() if measure.benchmark and name not in DEFINITIONS)
    assert not lacking, f"{', '.join(lacking)}: add the definition to DEFINITIONS of tests/exact/definitions.py"
    unknown = sorted(set(DEFINITIONS) - set(MEASURES))
    assert not unknown, (
        f"{', '.join(unknown)}: defined in tests/exact/definitions.py, but not in MEASURES of resi.measures"
    )


@pytest.mark.parametrize("name", sorted(set(DEFINITIONS) & set(ORACLES)))
def test_a_definition_is_the_slow_formula(name: str) -> None:
    rng = np.random.default_rng(1)
    R, S = rng.normal(size=(12, 4)), rng.normal(size=(12, 3)) + 0.5
    given = {"k": 5} if MEASURES[name].family == "neighbours" else {}
    assert float(DEFINITIONS[name](exact(R), exact(S), Ranks(), **given)) == pytest.approx(
        ORACLES[name](R, S, **given), rel=1e-10, abs=1e-12
    )


def test_a_constant_representation_has_no_value() -> None:
    constant, other = exact(np.ones((5, 2))), exact(np.random.default_rng(0).normal(size=(5, 2)))
    with pytest.raises(NoValueError):
        DEFINITIONS["cka"](constant, other, Ranks())


def test_the_page_has_a_row_for_each_measure_and_a_column_for_each_circumstance() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert lines.count(f"| measure | {' | '.join(CIRCUMSTANCES)} |") == 2
    for name in DEFINITIONS:
        rows = [line for line in lines if line.startswith(f"| `{name}` |")]
        assert len(rows) == 2, f"{name} has {len(rows)} rows in docs/numerics.md; python -m nox -s numerics writes them"
        assert all(line.count("|") == len(CIRCUMSTANCES) + 2 for line in rows)


def test_a_cell_of_the_page_is_what_its_measure_gives() -> None:
    arithmetic = measured("cka", CIRCUMSTANCES["offset 1e6"], DTYPES["float64"])[0]
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `cka` |"))
    cell = row.split("|")[2 + list(CIRCUMSTANCES).index("offset 1e6")].split()[0]
    assert abs(int(cell) - int(arithmetic)) <= 1  # the last digit depends on the processor
