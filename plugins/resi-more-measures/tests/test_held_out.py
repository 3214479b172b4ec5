"""Alignment of some samples, and its angle on others, by scipy's solver on the same splits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from resi_more_measures.held_out import HeldOutAngularShape
from resi_more_measures.splits import Scheme
from scipy.linalg import orthogonal_procrustes

import resi
from resi.errors import DegenerateInputError

Pair = tuple[np.ndarray, np.ndarray]


def test_angle_after_the_rotation_of_the_training_samples(pair: Pair) -> None:
    first, second = pair
    second = np.pad(second, ((0, 0), (0, 5)))
    angles = []
    for train, test in Scheme(5, "folds", 0).splits("test", 40):
        means = first[train].mean(0), second[train].mean(0)
        rotation, _ = orthogonal_procrustes(first[train] - means[0], second[train] - means[1])
        one, other = (first[test] - means[0]) @ rotation, second[test] - means[1]
        angles.append(math.acos(np.sum(one * other) / np.linalg.norm(one) / np.linalg.norm(other)))
    assert HeldOutAngularShape()(*pair) == pytest.approx(np.mean(angles), rel=1e-9)
    assert HeldOutAngularShape()(*pair) > resi.compare(*pair, measure="angular_shape")


def test_unrelated_representations_are_at_right_angles(rng: np.random.Generator) -> None:
    first, second = rng.normal(size=(100, 70)), rng.normal(size=(100, 90))
    assert HeldOutAngularShape()(first, second) == pytest.approx(math.pi / 2, abs=0.1)
    assert resi.compare(first, second, measure="angular_shape") < 1


def test_a_rotated_copy_is_at_angle_zero(pair: Pair, rng: np.random.Generator) -> None:
    rotated = 3 * pair[0] @ np.linalg.qr(rng.normal(size=(12, 12)))[0] + 1
    assert HeldOutAngularShape()(pair[0], rotated) == pytest.approx(0, abs=1e-6)


def test_what_is_not_seen_in_training_counts_as_at_right_angles(rng: np.random.Generator) -> None:
    """Ten samples of a hundred directions: those held out lie almost outside of what eight of them span."""
    wide = rng.normal(size=(10, 2000))
    assert HeldOutAngularShape()(wide, wide) == pytest.approx(math.pi / 2, abs=0.2)


def test_constant_representations_have_no_angle(pair: Pair) -> None:
    with pytest.raises(DegenerateInputError, match="constant"):
        HeldOutAngularShape()(pair[0], np.ones((40, 3)))
