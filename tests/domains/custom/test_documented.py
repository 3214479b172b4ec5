"""docs/custom.md names every column of a table, and what each test needs."""

from __future__ import annotations

import re

from resi.domains.custom.table import COLUMNS
from resi.groundings import GROUNDINGS
from tests.conftest import REPOSITORY


def test_columns_and_needs_are_in_the_page() -> None:
    text = (REPOSITORY / "docs" / "custom.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    columns = [row[0].strip("`") for row in rows if len(row) == 2]
    assert columns == list(COLUMNS)
    needs = {}
    for row in rows:
        if len(row) == 3:
            for test in re.findall("`(.+?)`", row[0]):
                needs[test] = tuple(re.findall("`(.+?)`", row[1])) or needs["accuracy_correlation"]
    assert needs == {name: test.needs for name, test in GROUNDINGS.items()}
