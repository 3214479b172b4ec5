"""What the documentation says of intervals is what was simulated."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of each table of the page."""
    found = {}
    for part in (DOCS / "coverage.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        title, *lines = part.splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        found[title] = rows[2:]
    return found


def of_scores() -> dict[str, list[list[str]]]:
    """Return the tables of intervals of scores."""
    return {title: rows for title, rows in tables().items() if title != "Ranks"}


def spans() -> dict[str, list[str]]:
    """Return the smallest and largest shares of each table, worked out again from its rows."""
    found = {}
    for title, rows in of_scores().items():
        parts: dict[str, list[float]] = {"middle": [], "beyond": [], "called": []}
        for _, _, score, expected, held, _, _, called in rows:
            near = float(expected) < 0.1 if score == "violation_rate" else float(expected) > 0.9
            parts["beyond" if near else "middle"].append(float(held))
            parts["called"] += [float(called)] if called else []
        found[title] = [f"{min(shares)} to {max(shares)}" if shares else "-" for shares in parts.values()]
    return found


def test_the_pages_quote_what_was_simulated() -> None:
    for page in ("coverage.md", "tests.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        for title, (middle, beyond, called) in spans().items():
            assert f"| {title} | {middle} | {beyond} | {called} |" in text, page


@pytest.mark.parametrize("title", ["Groups", "Layers", "Outputs"])
def test_intervals_hold_the_expected_score_in_every_design(title: str) -> None:
    middle, beyond, called = spans()[title]
    assert float(middle.split(" to ")[0]) >= 92.5  # 93, but for the error of a simulation of so many studies
    assert beyond == "-" or float(beyond.split(" to ")[0]) >= 90
    assert float(called.split(" to ")[1]) <= 5


def test_few_designs_lie_beyond_what_is_wanted_and_the_page_says_which() -> None:
    above = [
        float(held)
        for rows in of_scores().values()
        for _, _, score, expected, held, _, _, _ in rows
        if float(held) > 99 and not (float(expected) < 0.1 if score == "violation_rate" else float(expected) > 0.9)
    ]
    text = (DOCS / "tests.md").read_text(encoding="utf-8")
    assert len(above) == 5
    assert all(f"{held:.1f}" in text for held in above)


def test_intervals_of_ranks_hold_the_mean_rank_and_the_set_a_best_measure() -> None:
    rows = tables()["Ranks"]
    held, worst, in_set, wrong = ([float(row[column]) for row in rows] for column in (3, 4, 5, 7))
    assert min(worst) >= 93
    assert min(in_set) >= 95
    assert max(wrong) <= 2.5
    text = (DOCS / "tests.md").read_text(encoding="utf-8")
    assert f"{min(held)} to {max(held)} %" in text


def test_a_simulated_study_of_ranks_is_what_the_page_says() -> None:
    """A small one, as the page's of 1000 studies takes minutes."""
    path = Path(__file__).parents[2] / "benchmarks" / "rank_coverage.py"
    spec = importlib.util.spec_from_file_location("rank_coverage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STUDIES_OF_EXPECTATION = 400
    line = module.rank_design(5, (0.2, 1.0, 4.0), 2, 40)
    assert line.held >= 0.9
    assert line.in_set >= 0.95
    assert line.wrong <= 0.05
