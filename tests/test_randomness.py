"""Draws depend on their key alone, and leave torch's own generator as it was."""

from __future__ import annotations

import numpy as np
import torch

from resi.randomness import forked_torch, generator, torch_generator

CPU = torch.device("cpu")


def test_equal_keys_draw_equal_numbers_and_others_do_not() -> None:
    first = generator(0, "labels", 3).random(5)
    np.testing.assert_array_equal(first, generator(0, "labels", 3).random(5))
    for other in (
        generator(1, "labels", 3),
        generator(0, "edges", 3),
        generator(0, "labels", 4),
        generator(0, "labels"),
    ):
        assert not np.array_equal(first, other.random(5))


def test_torch_draws_are_keyed_too() -> None:
    first = torch.rand(5, generator=torch_generator(CPU, 0, "edges", 1))
    assert torch.equal(first, torch.rand(5, generator=torch_generator(CPU, 0, "edges", 1)))
    assert not torch.equal(first, torch.rand(5, generator=torch_generator(CPU, 0, "edges", 2)))


def test_forking_keys_torch_and_puts_it_back() -> None:
    before = torch.get_rng_state()
    with forked_torch(CPU, 0, "training"):
        first = torch.rand(5)
    torch.rand(3)
    with forked_torch(CPU, 0, "training"):
        assert torch.equal(first, torch.rand(5))
    torch.set_rng_state(before)
    expected = torch.rand(5)
    torch.set_rng_state(before)
    with forked_torch(CPU, 1, "training"):
        torch.rand(100)
    assert torch.equal(expected, torch.rand(5))
