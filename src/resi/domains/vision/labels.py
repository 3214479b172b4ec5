"""Random labels: a share of training images whose label says nothing about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    Labels = np.ndarray[Any, np.dtype[np.int64]]


def randomize(labels: Labels, images: Sequence[str], classes: int, share: float) -> Labels:
    """Return labels of which each is drawn anew with probability ``share``, from all classes, its own included.

    The draws are keyed by the share and the image's id, so that all models of a setting learn the same labels, and
    models of different settings different ones.
    """
    if share == 0:
        return labels
    result = labels.copy()
    for index, image in enumerate(images):
        draws = generator(0, "random label", share, image)
        if draws.random() < share:
            result[index] = draws.integers(classes)
    return result
