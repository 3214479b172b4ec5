"""Colours and hatches of families of measures, the same in every figure."""

from __future__ import annotations

from typing import Any

from resi.plot.canvas import COLOURS
from resi.plot.ranking import all_families


def look(family: str) -> dict[str, Any]:
    """Return how areas of a family are filled; white with a hatch where the family is not known."""
    known = all_families()
    if family not in known:
        return {"facecolor": "white", "edgecolor": "#555555", "hatch": "////"}
    place = known.index(family)
    colour = COLOURS[place % len(COLOURS)]
    return {"facecolor": colour, "edgecolor": "black", "hatch": ("", "....", "xxxx")[place // len(COLOURS) % 3] or None}
