"""Groundings, called tests on the command line: their models, and scores of measures by known similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.groundings.against import ArchitectureSeparation, DatasetSeparation
from resi.groundings.group_separation import Augmentation, LabelRandomization, Shortcut
from resi.groundings.layer_monotonicity import LayerMonotonicity
from resi.groundings.output_correlation import AccuracyCorrelation, OutputCorrelation

if TYPE_CHECKING:
    from resi.groundings.base import Grounding

_TESTS = (AccuracyCorrelation, OutputCorrelation, LabelRandomization, Shortcut, Augmentation, LayerMonotonicity)

GROUNDINGS: dict[str, type[Grounding]] = {grounding.name: grounding for grounding in _TESTS}
"""The tests of the benchmark, from which a run chooses."""
AGAINST = {grounding.name: grounding for grounding in (ArchitectureSeparation, DatasetSeparation)}
"""Tests of groups that are not settings: a run uses them with ``by=architecture`` and ``by=dataset``."""
SCORED: dict[str, type[Grounding]] = {**GROUNDINGS, **AGAINST}
"""All tests that can have scores."""
