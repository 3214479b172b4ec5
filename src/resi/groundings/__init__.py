"""Groundings, which the command line calls tests: their models, and scores of measures by known similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.groundings.group_separation import Augmentation, LabelRandomization, Shortcut
from resi.groundings.layer_monotonicity import LayerMonotonicity
from resi.groundings.output_correlation import AccuracyCorrelation, OutputCorrelation

if TYPE_CHECKING:
    from resi.groundings.base import Grounding

_TESTS = (AccuracyCorrelation, OutputCorrelation, LabelRandomization, Shortcut, Augmentation, LayerMonotonicity)

GROUNDINGS: dict[str, type[Grounding]] = {grounding.name: grounding for grounding in _TESTS}
