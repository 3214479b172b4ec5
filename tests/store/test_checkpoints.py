"""Checkpoints of others: read as they were written, or not at all."""

from __future__ import annotations

import io
import random

import pytest
import torch

from resi.errors import ArtifactError
from resi.store.checkpoints import read_weights

WEIGHTS = {"layer.weight": torch.arange(600.0).reshape(20, 30), "layer.bias": torch.ones(20), "steps": torch.tensor(3)}


def saved(weights: object = WEIGHTS, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(weights, buffer, **options)
    return buffer.getvalue()


def is_as_written(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == WEIGHTS.keys() and all(torch.equal(state[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("is_zip", [True, False])
def test_weights_are_read_in_either_format_of_torch(is_zip: bool) -> None:
    assert is_as_written(read_weights(io.BytesIO(saved(_use_new_zipfile_serialization=is_zip))))


def test_no_flipped_bit_gives_other_weights_or_a_raw_error() -> None:
    whole = saved()
    draws = random.Random(0)
    unnoticed = found = 0
    for _ in range(1500):
        content = bytearray(whole)
        content[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
        try:
            state = read_weights(io.BytesIO(content))
        except ArtifactError:
            found += 1
        else:
            unnoticed += not is_as_written(state)
    assert unnoticed == 0
    assert found > 500  # the rest lies in the padding between members


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_one_line(share: float) -> None:
    whole = saved()
    with pytest.raises(ArtifactError, match=r"cannot be read as a checkpoint: [^\n]*$"):
        read_weights(io.BytesIO(whole[: int(share * len(whole))]))


def test_what_is_no_dictionary_of_tensors_is_refused() -> None:
    for weights in ([1, 2], {"a": 1}, torch.ones(2)):
        with pytest.raises(ArtifactError, match="does not hold a dictionary of weights"):
            read_weights(io.BytesIO(saved(weights)))
