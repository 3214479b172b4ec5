"""Notes stand beside values that unrelated representations have, too, and beside no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from resi.measures.features import Features

from .samples import MEASURES


def rng(key: int) -> np.random.Generator:
    return np.random.default_rng([23, key])


def noted(name: str, R: Any, S: Any, **fields: Any) -> tuple[float, str]:
    measure = MEASURES[name](**fields)
    states = [measure.prepare(Features(torch.tensor(X))) for X in (R, S)]
    return measure.compare(*states), measure.note(*states)


def noise(n: int, d: int, key: int = 0) -> tuple[Any, Any]:
    return rng(key).normal(size=(n, d)), rng(key + 1).normal(size=(n, d))


NOTED = {
    "rsa": (noise(8, 6), "of 28 pairs of samples: .* scatter by 0.19"),
    "jaccard": (noise(20, 6), "k = 10 of 19 other rows: unrelated representations share"),
    "rank_similarity": (noise(20, 6), "k = 10 of 19 other rows: unrelated representations share"),
    "second_order_cosine": (noise(60, 300), "cosine distances between rows are all much alike"),
    "distance_correlation": (noise(50, 512), r"of 50 samples have about 0.99 when"),
    "imd": (noise(12, 3), "graphs of 12 samples, each joined to its 5 nearest ones"),
    "uniformity_difference": (noise(40, 30), "rows are so far apart"),
    "concentricity_difference": ([X + 1e3 for X in noise(40, 5)], "mean cosine is above 0.999"),
}


@pytest.mark.parametrize("name", NOTED)
def test_values_that_say_little_have_a_note(name: str) -> None:
    import re

    (R, S), message = NOTED[name]
    note = noted(name, R, S)[1]
    assert re.search(message, note), note
    assert "\n" not in note


@pytest.mark.parametrize("name", NOTED)
def test_others_have_none(name: str) -> None:
    R, S = noise(200, 4)
    assert noted(name, R / 4 + 0.3, S / 4 + 0.3)[1] == ""


def test_ties_have_a_note() -> None:
    R = np.eye(4)[rng(0).integers(0, 4, 80)]
    S = rng(1).normal(size=(80, 4))
    assert noted("jaccard", S, R)[1].startswith("S: for 80 of 80 rows, more rows are as near as the k-th neighbour")


def test_the_chance_of_distance_correlation_is_that_of_permuted_samples() -> None:
    R, S = noise(30, 40)
    values = [noted("distance_correlation", R, S[rng(key).permutation(30)])[0] for key in range(200)]
    note = noted("distance_correlation", R, S)[1]
    assert float(note.split("about ")[1].split()[0]) == pytest.approx(np.sqrt(np.mean(np.square(values))), abs=0.006)


def test_the_scatter_of_rsa_is_that_of_unrelated_representations() -> None:
    values = [noted("rsa", *noise(10, 20, 2 * key))[0] for key in range(200)]
    note = noted("rsa", *noise(10, 20))[1]
    assert float(note.split()[-1]) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize("shape", [(60, 100), (200, 300)])
def test_unrelated_representations_of_even_distances_have_nearly_one(shape: tuple[int, int]) -> None:
    value, note = noted("second_order_cosine", *noise(*shape))
    assert "much alike" in note
    assert value > 0.9
    assert noted("second_order_cosine", *noise(*shape), variant="paper")[1] == ""
