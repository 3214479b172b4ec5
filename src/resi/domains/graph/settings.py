"""What each test does to the training of graph models.

In ``augmentation_L`` every epoch drops each directed edge with the probability below; evaluation sees the whole graph.
The level L counts from no to strongest augmentation and is not the probability, as in the published benchmark.
"""

from __future__ import annotations

STANDARD = "standard"
SIX_LAYERS = "six_layers"
"""Deeper models for layer_monotonicity, trained on untouched data."""

EDGE_DROP = {
    "augmentation_25": 0.2,
    "augmentation_50": 0.4,
    "augmentation_75": 0.6,
    "augmentation_100": 0.8,
}

SETTINGS: dict[str, dict[int, tuple[str, ...]]] = {
    "augmentation": {
        2: (STANDARD, "augmentation_100"),
        3: (STANDARD, "augmentation_25", "augmentation_100"),
        5: (STANDARD, "augmentation_25", "augmentation_50", "augmentation_75", "augmentation_100"),
    },
    # One group, whatever the number asked for.
    **dict.fromkeys(("accuracy_correlation", "output_correlation"), dict.fromkeys((2, 3, 5), (STANDARD,))),
    "layer_monotonicity": dict.fromkeys((2, 3, 5), (SIX_LAYERS,)),
}
