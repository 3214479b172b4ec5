"""Settings of the tests of language models: how each alters training.

- ``shortcut_L``: a hint at a label goes with every sentence. L counts the way from a hint that is right as often as the
  largest class is frequent (0) to one that is always right (100); each dataset has the rates in between.
- ``label_randomization_L``: L per cent of the labels are drawn from five classes that the dataset does not have.
- ``augmentation_L``: Easy Data Augmentation alters L per cent of the words of every sentence.
"""

from __future__ import annotations

from resi.domains.groups import STANDARD, split_setting

QUARTERS = (25, 50, 75, 100)
LEVELS = {"augmentation": range(1, 101), "label_randomization": range(1, 101), "shortcut": range(101)}
"""Levels that models can be trained with; those of the benchmark are multiples of 25."""

NEW_CLASSES = 5
"""Classes from which random labels are drawn, beyond the dataset's own."""

SETTINGS: dict[str, dict[int, tuple[str, ...]]] = {
    "shortcut": {
        2: ("shortcut_0", "shortcut_100"),
        3: ("shortcut_0", "shortcut_75", "shortcut_100"),
        5: ("shortcut_0", *(f"shortcut_{level}" for level in QUARTERS)),
    },
    "label_randomization": {
        2: (STANDARD, "label_randomization_100"),
        3: (STANDARD, "label_randomization_75", "label_randomization_100"),
        5: (STANDARD, *(f"label_randomization_{level}" for level in QUARTERS)),
    },
    "augmentation": {
        2: (STANDARD, "augmentation_100"),
        3: (STANDARD, "augmentation_25", "augmentation_100"),
        5: (STANDARD, *(f"augmentation_{level}" for level in QUARTERS)),
    },
    # One group, for any number asked for.
    **dict.fromkeys(
        ("accuracy_correlation", "output_correlation", "layer_monotonicity"), dict.fromkeys((2, 3, 5), (STANDARD,))
    ),
}


def kind_of(setting: str) -> str:
    """Return what a setting alters: ``shortcut``, ``label_randomization``, ``augmentation`` or ``standard``."""
    return split_setting(setting)[0]


def shortcut_probe(split: str) -> str:
    """Return the name of the probe set with hints that are no more informative than the largest class."""
    return f"{split}_shortcut"
