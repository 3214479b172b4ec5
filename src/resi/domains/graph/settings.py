"""Settings of the tests of graph models: how each alters training, and the input it uses.

- ``augmentation_L``: every epoch drops each directed edge with the probability L / 125; evaluation sees all of them.
  The level L counts from no to strongest augmentation and is not the probability, as in the published benchmark.
- ``label_randomization_L``: L percent of the labels are random.
- ``shortcut_L``: every node carries a label as an additional feature, which is the node's own for L percent of them.
"""

from __future__ import annotations

from resi.domains.groups import STANDARD, split_setting

SIX_LAYERS = "six_layers"
"""Deeper models for layer_monotonicity, trained on untouched data."""

LEVELS = {"augmentation": range(1, 101), "label_randomization": range(1, 101), "shortcut": range(101)}
"""Levels that models can be trained with; those of the benchmark are multiples of 25."""
DROP_STEPS = 125
"""Level 100 drops edges with a probability of 100 / 125."""
QUARTERS = (25, 50, 75, 100)
_AUGMENTATION = tuple(f"augmentation_{level}" for level in QUARTERS)
_RANDOM_LABELS = tuple(f"label_randomization_{level}" for level in QUARTERS)
_SHORTCUT = tuple(f"shortcut_{level}" for level in (0, *QUARTERS))


def edge_drop(setting: str) -> float | None:
    """Return the probability with which an epoch drops an edge; None if edges are not dropped."""
    kind, level = split_setting(setting)
    return level / DROP_STEPS if kind == "augmentation" else None


def random_labels(setting: str) -> float | None:
    """Return the share of labels that are random; None if labels are not altered."""
    kind, level = split_setting(setting)
    return level / 100 if kind == "label_randomization" else None


def shortcut(setting: str) -> float | None:
    """Return the share of nodes with their own label as a feature; None without label features."""
    kind, level = split_setting(setting)
    return level / 100 if kind == "shortcut" else None


SETTINGS: dict[str, dict[int, tuple[str, ...]]] = {
    "augmentation": {
        2: (STANDARD, "augmentation_100"),
        3: (STANDARD, "augmentation_25", "augmentation_100"),
        5: (STANDARD, *_AUGMENTATION),
    },
    "label_randomization": {
        2: (STANDARD, "label_randomization_100"),
        3: (STANDARD, "label_randomization_25", "label_randomization_100"),
        5: (STANDARD, *_RANDOM_LABELS),
    },
    "shortcut": {
        2: ("shortcut_0", "shortcut_100"),
        3: ("shortcut_0", "shortcut_50", "shortcut_100"),
        5: _SHORTCUT,
    },
    # One group, for any number asked for.
    **dict.fromkeys(("accuracy_correlation", "output_correlation"), dict.fromkeys((2, 3, 5), (STANDARD,))),
    "layer_monotonicity": dict.fromkeys((2, 3, 5), (SIX_LAYERS,)),
}

PUBLISHED_NAMES = {
    STANDARD: "Normal",
    SIX_LAYERS: "MultiLayer",
    **{name: name.replace("augmentation", "Augmentation") for name in _AUGMENTATION},
    **{name: name.replace("label_randomization", "RandomLabels") for name in _RANDOM_LABELS},
    **{name: name.replace("shortcut", "Shortcut") for name in _SHORTCUT},
}
"""Name of each setting in the published benchmark."""
OWN_NAMES = {
    **{published: name for name, published in PUBLISHED_NAMES.items()},
    # Level 0 of two tests are the models on untouched data.
    "Augmentation_0": STANDARD,
    "RandomLabels_0": STANDARD,
}
"""Names here of the settings of the published results."""

CONV_OUTPUT = "conv_output"
POST_ACTIVATION = "post_activation"
PROBE = "test"
"""The test nodes of the unaltered dataset."""
SHORTCUT_PROBE = "test_without_shortcut"
"""The test nodes, all nodes with random labels as features, independent of their own."""
OWN_SHORTCUT_PROBE = "test_own_shortcut"
"""The test nodes, other nodes with the labels as features that they had in the model's training."""
