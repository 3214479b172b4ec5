"""What docs/real_results.md says are the results that come with resi."""

from __future__ import annotations

import polars as pl
import pytest
from scripts.real_results import PAGE, SECTION, filled, sections

from resi.results.embedded import embedded_results


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return sections(embedded_results("baseline"))


def test_the_page_holds_what_the_script_prints(found: dict[str, str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert {match[2] for match in SECTION.finditer(page)} == found.keys()
    assert page == filled(page, found), "run python scripts/real_results.py --write"


def test_numbers_are_those_of_the_tables(found: dict[str, str]) -> None:
    scores = embedded_results("baseline").scores()
    rows = scores.filter(dataset="cora", architecture="gcn", test="shortcut", metric="auprc")
    line = next(line for line in found["tests"].splitlines() if line.startswith("| cora | shortcut | "))
    cells = line.strip("| ").split(" | ")
    place = cells[2].split(", ").index("gcn")
    values = rows["value"].drop_nulls()
    assert cells[3].split(", ")[place] == f"{values.min():.2f} to {values.max():.2f}"
    assert int(cells[6].split(", ")[place]) == (values > values.max() - 1e-9).sum()
    comparisons = embedded_results("baseline").comparisons()
    failures = [line.rsplit("| ", 1)[1] for line in found["failures"].splitlines()[2:]]
    odd = comparisons.filter((pl.col("status") != "ok") | (pl.col("note") != ""))
    assert sum(int(count.removesuffix(" |")) for count in failures) == odd.height
