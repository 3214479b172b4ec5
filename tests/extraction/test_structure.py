"""A finished extraction is of one network: with the same weights, another structure or processor is another one."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import resi
from resi.errors import UsageError
from resi.extraction.structure import hash_processor, hash_structure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor


class Applying(nn.Module):
    """A layer and a function that is no module."""

    def __init__(self, function: Callable[[Tensor], Tensor], n_heads: int = 2) -> None:
        super().__init__()
        self.linear, self.function, self.n_heads = nn.Linear(4, 4), function, n_heads
        self.attention = nn.MultiheadAttention(4, n_heads)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.linear(x))


def sharing(network: nn.Sequential, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(network[0], activation, network[2])


def test_another_activation_between_the_same_weights_is_another_model(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    rows = torch.randn(5, 4)
    resi.extract(network, rows, out=tmp_path / "net")
    assert list(resi.extract(copy.deepcopy(network), rows, out=tmp_path / "net")) == ["0", "1", "2"]
    with pytest.raises(UsageError, match="with another structure of the model"):
        resi.extract(sharing(network, nn.GELU()), rows, out=tmp_path / "net")


@pytest.mark.parametrize("other", [Applying(torch.tanh), Applying(torch.relu, n_heads=1)])
def test_functions_and_numbers_of_modules_are_part_of_the_structure(other: nn.Module) -> None:
    assert hash_structure(other) != hash_structure(Applying(torch.relu)) == hash_structure(Applying(torch.relu))


class Wrapping(nn.Module):
    """Holds a module as torch.compile does."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod = module


def test_compiling_and_training_do_not_change_the_structure() -> None:
    network = nn.Sequential(nn.Sequential(nn.Linear(4, 3)), nn.Dropout())
    before = hash_structure(network)
    assert hash_structure(Wrapping(copy.deepcopy(network).eval())) == before
    network[0] = Wrapping(network[0])
    assert hash_structure(network) == before


class Tokens:
    """As a tokenizer, with the same look whatever its vocabulary."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return "Tokens"

    def get_vocab(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (Tokens("a", "b"), Tokens("a", "b"), Tokens("b", "a")),
        (lambda image: image + 1, lambda image: image + 1, lambda image: image + 2),
    ],
)
def test_processors_are_known_by_what_they_do(one: Any, same: Any, other: Any) -> None:
    assert hash_processor(one) == hash_processor(same) != hash_processor(other)


def test_what_is_not_ours_gets_no_lock(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out, said in ((tmp_path, "other files than an extraction"), (tmp_path / "notes.txt" / "net", "is a file")):
        with pytest.raises(UsageError, match=said):
            resi.extract(nn.Linear(4, 2), torch.zeros(3, 4), out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_layers_that_are_no_names_are_one_line() -> None:
    with pytest.raises(UsageError, match="layers=3: expected names or patterns"):
        resi.extract(nn.Linear(4, 2), torch.zeros(3, 4), layers=3)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_network_is_refused() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 2)))
    with pytest.raises(UsageError, match=r"made by torch\.jit, which calls no hooks"):
        resi.extract(scripted, torch.zeros(3, 4))


def test_empty_batches_are_passed_over() -> None:
    rows, layer = torch.randn(5, 4), nn.Linear(4, 2)
    found = resi.extract(layer, [rows[:0], rows[:2], rows[:0], rows[2:]])
    assert torch.equal(found["output"], torch.cat([layer(rows[:2]), layer(rows[2:])]))
    assert found.samples == ("0", "1", "2", "3", "4")


def test_what_torch_says_to_pad_is_left_out_of_pooling() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    rows, pads = torch.randn(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool)
    pads[1, 3:] = pads[2, 1:] = True
    found = resi.extract(encoder, {"src": rows, "src_key_padding_mask": pads}, "layers.1", pooling="mean")["layers.1"]
    encoder.eval()
    with torch.no_grad():
        for number, length in enumerate((5, 3, 1)):
            alone = encoder(rows[number : number + 1, :length])[0].mean(0)
            torch.testing.assert_close(found[number], alone, rtol=1e-4, atol=1e-5)
    assert encoder.use_nested_tensor


def test_a_mask_of_other_numbers_is_no_guess() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            return self.linear(x) + 0 * attention_mask[:, :, None].clamp(0, 1)

    added = torch.tensor([[0.0, 0.0, -1e9]])  # as it is added to the scores: 0 for each token
    with pytest.raises(UsageError, match="expected 1 for tokens and 0 for padding"):
        resi.extract(Masked(), {"x": torch.randn(1, 3, 4), "attention_mask": added}, pooling="mean")


def test_threads_take_turns_with_one_network() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 2)).train()
    rows = torch.randn(30, 4)
    expected = resi.extract(network, rows, batch_size=3)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: resi.extract(network, rows, batch_size=3), range(8)))
    for one in found:
        assert list(one) == ["0", "2"]
        assert torch.equal(one["2"], expected["2"])
    assert all(module.training for module in network.modules())


def test_layers_of_very_long_names_have_files(tmp_path: Path) -> None:
    network = nn.Sequential()
    names = ["x" * 300, "x" * 299 + "y", "é/ü" * 80]
    for name in names:
        network.add_module(name, nn.Linear(4, 4))
    rows = torch.randn(3, 4)
    found, expected = resi.extract(network, rows, out=tmp_path / "net"), resi.extract(network, rows)
    assert list(found) == list(resi.load(tmp_path / "net")) == names
    assert all(torch.equal(found[name], expected[name]) for name in names)


def test_data_that_became_shorter_are_told_with_both_lengths(tmp_path: Path) -> None:
    rows, layer = torch.randn(6, 4), nn.Linear(4, 2)
    resi.extract(layer, TensorDataset(rows), batch_size=2, out=tmp_path / "net")
    with pytest.raises(UsageError, match="ended after 4 rows, but had 6 before"):
        resi.extract(layer, TensorDataset(rows[:4]), batch_size=2, out=tmp_path / "net")
