"""What each test does to the training of graph models, and what it looks at in them.

- ``augmentation_L``: every epoch drops each directed edge with the probability below; evaluation sees the whole graph.
  The level L counts from no to strongest augmentation and is not the probability, as in the published benchmark.
- ``label_randomization_L``: L percent of the labels are random.
- ``shortcut_L``: every node carries a label as an additional feature, which is the node's own for L percent of them.
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
RANDOM_LABELS = {f"label_randomization_{level}": level / 100 for level in (25, 50, 75, 100)}
SHORTCUT = {f"shortcut_{level}": level / 100 for level in (0, 25, 50, 75, 100)}

SETTINGS: dict[str, dict[int, tuple[str, ...]]] = {
    "augmentation": {
        2: (STANDARD, "augmentation_100"),
        3: (STANDARD, "augmentation_25", "augmentation_100"),
        5: (STANDARD, *EDGE_DROP),
    },
    "label_randomization": {
        2: (STANDARD, "label_randomization_100"),
        3: (STANDARD, "label_randomization_25", "label_randomization_100"),
        5: (STANDARD, *RANDOM_LABELS),
    },
    "shortcut": {
        2: ("shortcut_0", "shortcut_100"),
        3: ("shortcut_0", "shortcut_50", "shortcut_100"),
        5: tuple(SHORTCUT),
    },
    # One group, for any number asked for.
    **dict.fromkeys(("accuracy_correlation", "output_correlation"), dict.fromkeys((2, 3, 5), (STANDARD,))),
    "layer_monotonicity": dict.fromkeys((2, 3, 5), (SIX_LAYERS,)),
}

PUBLISHED_NAMES = {
    STANDARD: "Normal",
    SIX_LAYERS: "MultiLayer",
    **{name: name.replace("augmentation", "Augmentation") for name in EDGE_DROP},
    **{name: name.replace("label_randomization", "RandomLabels") for name in RANDOM_LABELS},
    **{name: name.replace("shortcut", "Shortcut") for name in SHORTCUT},
}
"""What the published benchmark calls each setting."""
OWN_NAMES = {
    **{published: name for name, published in PUBLISHED_NAMES.items()},
    # Level 0 of two tests are the models on untouched data.
    "Augmentation_0": STANDARD,
    "RandomLabels_0": STANDARD,
}
"""What the settings of the published results are called here."""

CONV_OUTPUT = "conv_output"
POST_ACTIVATION = "post_activation"
PROBE = "test"
"""The test nodes of the unaltered dataset."""
SHORTCUT_PROBE = "test_without_shortcut"
"""The test nodes, all nodes with random labels as features, independent of their own."""
OWN_SHORTCUT_PROBE = "test_own_shortcut"
"""The test nodes, other nodes with the labels as features that they had in the model's training."""
