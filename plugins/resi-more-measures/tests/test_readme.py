"""The tables of the README name measures that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from resi_more_measures import (
    cca,
    covariances,
    dimension,
    encoding,
    gromov,
    held_out,
    predictivity,
    shape,
    subspaces,
    topology,
    transport,
)

import resi

FAMILIES = (
    cca,
    covariances,
    dimension,
    encoding,
    gromov,
    held_out,
    predictivity,
    shape,
    subspaces,
    topology,
    transport,
)
TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def cells(heading: str, column: int) -> list[str]:
    """Return one column of the table below a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [row.split("|")[column + 1].strip() for row in rows]


@pytest.mark.parametrize("measure", [m for family in FAMILIES for m in family.MEASURES], ids=lambda m: m.name)
def test_every_measure_is_in_the_table(measure: type[resi.Measure]) -> None:
    assert any(f"`{measure.name}`" in cell for cell in cells("Measures", 0))


def test_every_name_in_the_tables_is_a_measure() -> None:
    named = [name for cell in cells("Measures", 0) for name in re.findall("`([^`]*)`", cell)]
    named += [
        re.findall(r"[a-z][a-z0-9_]{2,}", name)[0]
        for cell in cells("Names in the public catalogue", 1)
        for name in re.findall("`([^`]*)`", cell)
        if "=" not in name
    ]
    assert len(named) > 50
    assert set(named) <= set(resi.list_measures())
