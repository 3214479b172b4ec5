"""Colours and hatches of families of measures, the same in every figure."""

from __future__ import annotations

from typing import Any

from resi.plot.canvas import COLOURS
from resi.plot.ranking import all_families


def look(family: str) -> dict[str, Any]:
    """Return the fill of a family's areas; white with a hatch if the family is unknown."""
    known = all_families()
    if family not in known:
        return {"facecolor": "white", "edgecolor": "#555555", "hatch": "////"}
    place = known.index(family)
    colour = COLOURS[place % len(COLOURS)]
    return {"facecolor": colour, "edgecolor": "black", "hatch": ("", "....", "xxxx")[place // len(COLOURS) % 3] or None}
