"""The tests in which the true similarity is known: planning their groups, and scoring measures against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.groundings.group_separation import Augmentation

if TYPE_CHECKING:
    from resi.groundings.base import Grounding

GROUNDINGS: dict[str, type[Grounding]] = {grounding.name: grounding for grounding in (Augmentation,)}
