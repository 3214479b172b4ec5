"""The tables of the README name measures that there are, and all of them."""

from __future__ import annotations

import re
from pathlib import Path

from resi_more_measures import resi_measures
from resi_more_measures.rdms import DISTANCES

import resi

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def names(heading: str, column: int) -> list[str]:
    """Return what is set as code in one column of the table below a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [name for row in rows for name in re.findall("`([^`]*)`", row.split("|")[column + 1])]


def test_the_first_table_holds_all_measures_and_no_others() -> None:
    assert sorted(names("Measures", 0)) == sorted(measure.name for measure in resi_measures())


def test_the_second_table_leads_to_measures_that_there_are() -> None:
    words = [name for name in names("Names in the public catalogue", 1) if re.fullmatch("[a-z0-9]+(_[a-z0-9]+)+", name)]
    assert len(words) > 40
    assert set(words) <= {*resi.list_measures(), *DISTANCES}
