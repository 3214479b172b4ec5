"""Random labels: a share of training images with uninformative labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Labels = np.ndarray[Any, np.dtype[np.int64]]


def randomize(labels: Labels, images: Sequence[str], classes: int, share: float) -> Labels:
    """Return labels, each replaced with probability ``share`` by one drawn from all classes, its own included.

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
