"""The tests in which the true similarity is known: planning their models, and scoring measures against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.groundings.group_separation import Augmentation, LabelRandomization, Shortcut

if TYPE_CHECKING:
    from resi.groundings.base import Grounding

GROUNDINGS: dict[str, type[Grounding]] = {
    grounding.name: grounding for grounding in (LabelRandomization, Shortcut, Augmentation)
}
