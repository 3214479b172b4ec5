"""Differences of two models' predictions: functions of their outputs, the ground truth of the prediction tests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resi.errors import ShapeError
from resi.measures.shapes import as_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from resi.representation import ArrayLike
else:
    from resi.lazy import torch


def jsd(a: ArrayLike, b: ArrayLike) -> float:
    """Return the mean Jensen-Shannon divergence between the predicted class probabilities of two models.

    Parameters
    ----------
    a, b : array of shape (n_samples, n_classes)
        Logits for the same samples.

    Returns
    -------
    float
        In bits, in [0, 1]; 0 when the probabilities agree.

    Raises
    ------
    ShapeError
        If the shapes differ or an entry is not finite.

    References
    ----------
    .. [1] Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 1991.
    """
    first, second = (logits.double().log_softmax(1) for logits in _pair("jsd", a, b))
    mixture = torch.logaddexp(first, second) - math.log(2)
    divergence = (first.exp() * (first - mixture) + second.exp() * (second - mixture)).sum(1)
    return float((divergence / (2 * math.log(2))).clamp(0, 1).mean())


def disagreement(a: ArrayLike, b: ArrayLike) -> float:
    """Return the share of samples that two models assign to different classes.

    Parameters
    ----------
    a, b : array of shape (n_samples, n_classes)
        Logits for the same samples; among equal largest ones, the first counts.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ShapeError
        If the shapes differ or an entry is not finite.
    """
    first, second = (_first_largest(logits) for logits in _pair("disagreement", a, b))
    return float((first != second).double().mean())


def accuracy_difference(a: float, b: float) -> float:
    """Return the absolute difference of two accuracies.

    Raises
    ------
    ShapeError
        If one of them is not a number from 0 to 1.
    """
    for argument, value in (("a", a), ("b", b)):
        if not 0 <= value <= 1:
            raise ShapeError(f"accuracy_difference: {argument} is {value}; expected an accuracy from 0 to 1")
    return float(abs(a - b))


FUNCTIONAL: dict[str, Callable[..., float]] = {
    "accuracy_difference": accuracy_difference,
    "disagreement": disagreement,
    "jsd": jsd,
}
"""The functions by name."""
# Increase it when values change: stored values of other versions are not reused.
FUNCTIONAL_VERSION = 1


def _pair(name: str, a: ArrayLike, b: ArrayLike) -> tuple[Tensor, Tensor]:
    first, second = as_tensor(name, "a", a, "nd"), as_tensor(name, "b", b, "nd")
    if first.shape != second.shape:
        raise ShapeError(f"{name}: a has shape {tuple(first.shape)}, b {tuple(second.shape)}; both need the same")
    return first, second


def _first_largest(logits: Tensor) -> Tensor:
    # It is undefined which of equal entries argmax finds.
    return ((logits == logits.amax(1, keepdim=True)).cumsum(1) == 0).sum(1)
