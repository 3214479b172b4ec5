"""What each test does to the training of graph models.

In ``augmentation_L`` every epoch drops each directed edge with the probability below; evaluation sees the whole graph.
The level L counts from no to strongest augmentation and is not the probability, as in the published benchmark.
"""

from __future__ import annotations

STANDARD = "standard"

EDGE_DROP = {
    STANDARD: 0.0,
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
}
