"""How long to search, and what was found: counts for each measure, printed at the end."""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = float(os.environ.get("RESI_FUZZ", "0"))
"""How long every kind of test searches, in all; with none, a few fixed examples are enough."""
BATCH = 50
"""So many examples are drawn before the clock is looked at."""


@dataclass
class Tally:
    """What became of the examples of one measure."""

    examples: int = 0
    undefined: int = 0
    largest: float = 0.0
    """Largest error, as a share of what is allowed."""


@dataclass
class Search:
    """Draws examples for as long as there is time, and counts them."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))

    def run(self, check: Callable[[Any], None], examples: Any, few: int, parts: int) -> None:
        """Call a check with examples of a strategy.

        Parameters
        ----------
        few : int
            How many there are without minutes to spend.
        parts : int
            How many tests share the minutes of their kind.
        """
        # Examples are small and say how they were made; to make them smaller still would take most of the time.
        phases = (Phase.generate,)
        common = settings(deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck))
        if not MINUTES:
            settings(common, max_examples=few, derandomize=True)(given(examples)(check))()
            return
        end = time.monotonic() + 60 * MINUTES / parts
        for number in itertools.count():
            seed(number)(settings(common, max_examples=BATCH)(given(examples)(check)))()
            if time.monotonic() > end:
                return


SEARCH = Search()


@pytest.fixture
def search() -> Search:
    return SEARCH


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not MINUTES or not SEARCH.tallies:
        return
    terminalreporter.section("examples")
    for (test, measure), tally in sorted(SEARCH.tallies.items()):
        terminalreporter.write_line(
            f"{test:12} {measure:26} {tally.examples:7d} examples, {tally.undefined:5d} undefined, "
            f"largest error {tally.largest:8.2%} of what is allowed"
        )
    terminalreporter.write_line(f"{sum(tally.examples for tally in SEARCH.tallies.values())} examples in all")
