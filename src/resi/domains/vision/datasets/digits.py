"""scikit-learn's handwritten digits, enlarged and dimmed: embedded, so that everything runs without a download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.scikit_learn import hash_scikit_learn
from resi.domains.vision.datasets.base import ImageDataset, Statistics
from resi.fingerprints import fingerprint
from resi.specs import DatasetSpec

if TYPE_CHECKING:
    from pathlib import Path

    from resi.domains.vision.images import Images

# Raised when the code that turns the file into images, splits or labels would give others.
RECIPE = 1
SIDE = 12
# Dim, so that a shortcut's dot outshines them: digits are too easy to learn for a shortcut to be needed.
WHITE = 40
TEST = 500
VALIDATION = 200


def locate(root: Path | None, downloads: Path, may_download: bool) -> DatasetSpec:
    """Hash the digits that come with scikit-learn, without importing it."""
    del root, downloads, may_download
    return DatasetSpec("digits", None, fingerprint({"files": hash_scikit_learn("digits.csv.gz"), "recipe": RECIPE}))


def load(dataset: DatasetSpec) -> Images:
    """Read the 8 x 8 digits, enlarged to 12 x 12 and as three equal colours."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    from resi.domains.vision.images import InMemory, Split
    from resi.randomness import generator

    del dataset
    grey, labels = load_digits(return_X_y=True)
    grey = np.rint(grey.reshape(-1, 8, 8) * (WHITE / 16)).astype(np.uint8)
    size = (SIDE, SIDE)
    enlarged = np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) for image in grey])
    pixels = np.repeat(enlarged[..., None], 3, axis=3)
    order = generator(0, "digits split").permutation(len(labels))
    parts = np.split(order, [TEST, TEST + VALIDATION])
    test, validation, train = (
        Split(
            [f"digit {i}" for i in np.sort(part)],
            labels[np.sort(part)].astype(np.int64),
            InMemory(pixels[np.sort(part)]),
        )
        for part in parts
    )
    return DIGITS.images(train, validation, test)


DIGITS = ImageDataset(
    "digits",
    "1797 handwritten digits, enlarged to 12 x 12 pixels, 10 classes; 500 test images",
    "scikit-learn",
    embedded=True,
    image_size=SIDE,
    classes=10,
    test_images=TEST,
    statistics=Statistics("digits", (0.0482,) * 3, (0.0508,) * 3),
    dot_diameter=3,
    locate=locate,
    load=load,
    # Flipped or cut, many would not be digits any more: there is no augmentation.
)
