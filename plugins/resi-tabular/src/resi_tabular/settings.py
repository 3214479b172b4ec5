"""What each test does to the training of a model, and on which inputs it looks at them.

- ``augmentation_L``: whenever a row is trained on, noise is added to its features, and some of them are hidden: set to
  their mean over the training rows.
- ``label_randomization_L``: L percent of the training labels are random.
- ``shortcut_L``: further columns name a class, which is the row's own for L percent of the training rows, else random.
"""

from __future__ import annotations

from typing import NamedTuple

STANDARD = "standard"


class Strength(NamedTuple):
    """How strong an augmentation is.

    Attributes
    ----------
    noise : float
        Standard deviation of the noise, that of a feature over the training rows being 1.
    hidden : float
        Probability that a feature is hidden.
    """

    noise: float
    hidden: float


AUGMENTATION = {
    "augmentation_25": Strength(0.25, 0.15),
    "augmentation_50": Strength(0.5, 0.3),
    "augmentation_75": Strength(0.75, 0.45),
    "augmentation_100": Strength(1.0, 0.6),
}
RANDOM_LABELS = {f"label_randomization_{level}": level / 100 for level in (25, 50, 75, 100)}
SHORTCUT = {f"shortcut_{level}": level / 100 for level in (0, 25, 50, 75, 100)}

# The groups of each test, by their number, from unaltered to most altered.
SETTINGS: dict[str, dict[int, tuple[str, ...]]] = {
    "augmentation": {
        2: (STANDARD, "augmentation_100"),
        3: (STANDARD, "augmentation_50", "augmentation_100"),
        5: (STANDARD, *AUGMENTATION),
    },
    "label_randomization": {
        2: (STANDARD, "label_randomization_100"),
        3: (STANDARD, "label_randomization_50", "label_randomization_100"),
        5: (STANDARD, *RANDOM_LABELS),
    },
    "shortcut": {
        2: ("shortcut_0", "shortcut_100"),
        3: ("shortcut_0", "shortcut_50", "shortcut_100"),
        5: tuple(SHORTCUT),
    },
    # One group, for any number asked for.
    **dict.fromkeys(
        ("accuracy_correlation", "output_correlation", "layer_monotonicity"), dict.fromkeys((2, 3, 5), (STANDARD,))
    ),
}

NEXT_INPUT = "next_input"
"""What the next layer takes."""
PRE_ACTIVATION = "pre_activation"
"""What a hidden layer's linear map computes."""

TEST_ROWS = "test"
TEST_ROWS_SCRAMBLED = "test_scrambled"
"""The test rows, in which the columns of the shortcut name random classes, for all models the same."""
