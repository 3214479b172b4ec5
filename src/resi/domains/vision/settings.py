"""Settings of the tests of vision models: how each alters training.

- ``augmentation_L`` adds new Gaussian noise in every epoch.
- ``shortcut_L`` puts a colour dot on every image, whose colour gives the class in L per cent of them.
- ``label_randomization_L`` replaces the labels of L per cent of the training images by random ones.

The groups, and which levels form them, are the published benchmark's.
"""

from __future__ import annotations

from dataclasses import dataclass

from resi.domains.groups import STANDARD, split_setting

NOISE_STEP = 40
"""Largest variance of the noise for each level, on the scale of 0 to 255; each image draws its own below it."""
LEVELS = {"augmentation": range(101), "label_randomization": range(1, 101), "shortcut": range(101)}
"""Levels that models can be trained with; those of the benchmark are multiples of 25."""
FURTHER = {"augmentation": (STANDARD,)}
"""Models trained with the dataset's full augmentation, and none of this noise."""

SETTINGS: dict[str, dict[int, tuple[str, ...]]] = {
    "augmentation": {
        2: ("augmentation_0", "augmentation_100"),
        3: ("augmentation_25", "augmentation_50", "augmentation_100"),
        5: ("augmentation_0", "augmentation_25", "augmentation_50", "augmentation_75", "augmentation_100"),
    },
    "shortcut": {
        2: ("shortcut_0", "shortcut_100"),
        3: ("shortcut_0", "shortcut_75", "shortcut_100"),
        5: ("shortcut_0", "shortcut_25", "shortcut_50", "shortcut_75", "shortcut_100"),
    },
    "label_randomization": {
        2: (STANDARD, "label_randomization_75"),
        3: (STANDARD, "label_randomization_50", "label_randomization_75"),
        5: (
            STANDARD,
            "label_randomization_25",
            "label_randomization_50",
            "label_randomization_75",
            "label_randomization_100",
        ),
    },
    # One group, for any number asked for.
    **dict.fromkeys(
        ("accuracy_correlation", "output_correlation", "layer_monotonicity"), dict.fromkeys((2, 3, 5), (STANDARD,))
    ),
}

# The layer test looks at all ten standard models, not at five as in other domains.
SEEDS = {"layer_monotonicity": tuple(range(10))}

TEST_IMAGES = "test"
TEST_IMAGES_WITH_DOTS = "test_dots"
"""The test images with dots whose colour is independent of the class."""


@dataclass(frozen=True)
class Alteration:
    """Alterations of images and labels by a setting.

    Attributes
    ----------
    dots : float or None
        Probability that an image's dot has the colour of its class rather than any; None: no dots.
    noise : int
        Largest variance of Gaussian noise on training images, on the scale of 0 to 255.
    random_labels : float
        Share of training images whose label is replaced by a random one.
    strong : bool
        Whether the dataset's full augmentation is applied, or only the mild part that goes with noise.
    """

    dots: float | None = None
    noise: int = 0
    random_labels: float = 0.0
    strong: bool = True


def alteration(setting: str, coins: int = 1) -> Alteration:
    """Return the alterations of a setting.

    Parameters
    ----------
    coins : int
        How many coins of a shortcut's probability have to agree before a dot has its class's colour. The published code
        tosses two on CIFAR-100, and so has fewer such dots than its levels say.
    """
    if setting == STANDARD:
        return Alteration()
    kind, level = split_setting(setting)
    if kind == "augmentation":
        return Alteration(noise=NOISE_STEP * level, strong=False)
    if kind == "shortcut":
        return Alteration(dots=(level / 100) ** coins)
    return Alteration(random_labels=level / 100)
