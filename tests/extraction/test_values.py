"""What is extracted equals a forward pass written by hand, bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

import resi

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def draws(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def built(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a network with weights drawn from a generator of the test's own, in training mode as it is made."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


class Blocks(nn.Module):
    """A convolutional network that uses one ReLU twice, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 4, 3)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(x)))
        x = self.relu(self.conv2(x))
        return self.fc(self.drop(x.mean((2, 3))))


@torch.no_grad()
def by_hand(network: Blocks, x: Tensor) -> dict[str, Tensor]:
    """Return what each layer of ``Blocks`` computes, without calling its modules."""
    conv = nn.functional.conv2d(x, network.conv.weight, network.conv.bias)
    norm = nn.functional.batch_norm(
        conv, network.norm.running_mean, network.norm.running_var, network.norm.weight, network.norm.bias
    )
    first = norm.clamp(min=0)
    conv2 = nn.functional.conv2d(first, network.conv2.weight, network.conv2.bias)
    second = conv2.clamp(min=0)
    fc = nn.functional.linear(second.mean((2, 3)), network.fc.weight, network.fc.bias)
    return {"conv": conv, "norm": norm, "relu#1": first, "conv2": conv2, "relu#2": second, "fc": fc}


def same(found: resi.Representations, expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for layer, rows in expected.items():
        assert found[layer].dtype == rows.dtype
        assert torch.equal(found[layer], rows), layer


def test_a_convolutional_network_with_a_module_used_twice() -> None:
    network, x = built(Blocks), draws(10, 3, 8, 8)
    network.norm.running_mean.copy_(draws(8))  # type: ignore[operator, union-attr]
    expected = [by_hand(network, part) for part in x.split(4)]  # type: ignore[arg-type]
    whole = {layer: torch.cat([part[layer] for part in expected]) for layer in expected[0]}
    found = resi.extract(network, x, batch_size=4)
    same(found, whole)
    assert [each.layout for each in found.layers.values()] == ["nchw"] * 5 + ["nd"]
    assert found.samples == tuple(map(str, range(10)))
    pooled = resi.extract(network, x, ["relu#2", "fc"], "mean", 4)
    same(pooled, {"relu#2": whole["relu#2"].mean((2, 3)), "fc": whole["fc"]})
    same(resi.extract(network, x, "relu", "max", 4), {name: whole[name].amax((2, 3)) for name in ("relu#1", "relu#2")})


def test_memory_format_of_maps_does_not_matter() -> None:
    network = built(Blocks).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = draws(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    found = resi.extract(network, x, "conv2")["conv2"]
    assert found.is_contiguous()
    with torch.no_grad():
        assert torch.equal(found, network.eval().conv2(network.relu(network.norm(network.conv(x)))))


@pytest.mark.parametrize("compiled", ["whole", "block", "block in place"])
def test_a_compiled_network_gives_what_it_computes_uncompiled(compiled: str) -> None:
    network, x = built(lambda: nn.Sequential(nn.Linear(4, 6), nn.Sequential(nn.Tanh(), nn.Linear(6, 3)))), draws(5, 4)
    plain = resi.extract(network, x, ["0", "1.0", "1.1", "output"])
    given: nn.Module = network
    if compiled == "whole":
        given = torch.compile(network, backend="eager")  # type: ignore[assignment]
    elif compiled == "block":
        network[1] = torch.compile(network[1], backend="eager")
    else:
        network[1].compile(backend="eager")
    given(x)  # compiled code is made without the hooks
    before = dict(given.__dict__), dict(network[1].__dict__)
    same(resi.extract(given, x, ["0", "1.0", "1.1", "output"]), dict(plain))
    assert (dict(given.__dict__), dict(network[1].__dict__)) == before
    assert list(resi.layers(given, x)) == ["0", "1.0", "1.1", "1", "output"]


def test_a_vision_transformer() -> None:
    import timm

    sizes = {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 3}
    network = built(lambda: timm.create_model("vit_tiny_patch16_224", **sizes))
    x = draws(6, 3, 16, 16)
    with torch.no_grad():
        network.eval()
        tokens = network.norm_pre(network.patch_drop(network._pos_embed(network.patch_embed(x))))
        states = [tokens := block(tokens) for block in network.blocks]
        logits = network.head(network.norm(states[-1])[:, 0])
    network.train()
    found = resi.extract(network, x, ["blocks.?", "output"])
    same(found, {"blocks.0": states[0], "blocks.1": states[1], "output": logits})
    assert found.layers["blocks.0"].layout == "ntd"
    same(resi.extract(network, x, "blocks.1", "cls"), {"blocks.1": states[1][:, 0]})
    same(resi.extract(network, x, "blocks.1", "mean"), {"blocks.1": states[1].mean(1)})
    assert network.training


@pytest.fixture(scope="module")
def bert() -> nn.Module:
    import transformers

    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20
    )
    return built(lambda: transformers.BertModel(config))


TOKENS = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0], [1, 9, 4, 2, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])


def pooled(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Return the pooled tokens, sample by sample, of those alone that do not pad."""
    kept = [row[real.bool()] for row, real in zip(states, mask, strict=True)]
    one = {"cls": lambda row: row[0], "last": lambda row: row[-1], "max": lambda row: row.amax(0)}
    return torch.stack([one[pooling](row) for row in kept])


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max"])
def test_a_bert_whose_samples_differ_in_length(bert: nn.Module, pooling: str) -> None:
    with torch.no_grad():
        states = bert.eval()(TOKENS, attention_mask=MASK, output_hidden_states=True).hidden_states
    if pooling == "mean":
        expected = {i: (states[i] * MASK[:, :, None]).sum(1) / MASK.sum(1, keepdim=True) for i in range(3)}
    else:
        expected = {i: pooled(states[i], MASK, pooling) for i in range(3)}
    data = {"input_ids": TOKENS, "attention_mask": MASK}
    found = resi.extract(bert, data, ["embeddings", "encoder.layer.?"], pooling)
    same(found, {"embeddings": expected[0], "encoder.layer.0": expected[1], "encoder.layer.1": expected[2]})
    assert resi.extract(bert, data, None, pooling).layers.keys() == {*found.layers, "pooler"}
    hidden = resi.extract(bert, data, ["output", "output[pooler_output]"], pooling)
    assert torch.equal(hidden["output"], expected[2])
    assert hidden["output[pooler_output]"].shape == (3, 16)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", ["last", "cls"])
def test_a_decoder_whose_samples_are_padded_on_either_side(side: str, pooling: str) -> None:
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20
    )
    network = built(lambda: transformers.LlamaModel(config)).eval()
    tokens, mask = (TOKENS.flip(1), MASK.flip(1)) if side == "left" else (TOKENS, MASK)
    with torch.no_grad():
        states = network(tokens, attention_mask=mask, output_hidden_states=True).hidden_states[1]
    found = resi.extract(network, {"input_ids": tokens, "attention_mask": mask}, "layers.0", pooling)
    same(found, {"layers.0": pooled(states, mask, pooling)})


def test_a_graph_network_has_nodes_for_samples() -> None:
    from torch_geometric.data import Data
    from torch_geometric.nn import GCNConv

    class Graphs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = GCNConv(4, 8), GCNConv(8, 2)

        def forward(self, data: Data) -> Tensor:
            return self.second(self.first(data.x, data.edge_index).relu(), data.edge_index)

    network = built(Graphs).eval()
    data = Data(x=draws(6, 4), edge_index=torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]))
    with torch.no_grad():
        first = network.first(data.x, data.edge_index)  # type: ignore[operator, union-attr]
        second = network(data)
    same(resi.extract(network, data), {"first": first, "second": second})


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_recurrent_layer_has_samples_first_whatever_its_axes(batch_first: bool) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 6, num_layers=3, batch_first=batch_first)
            self.norm = nn.LayerNorm(6)

        def forward(self, x: Tensor) -> Tensor:
            found = self.norm(self.lstm(x if batch_first else x.transpose(0, 1))[0])
            return found if batch_first else found.transpose(0, 1)

    network, x = built(Recurrent).eval(), draws(3, 3, 4)  # as many tokens, layers and samples: no size tells them apart
    with torch.no_grad():
        states, (last, _) = network.lstm(x if batch_first else x.transpose(0, 1))  # type: ignore[operator]
        states = states if batch_first else states.transpose(0, 1)
        norm = network.norm(states)  # type: ignore[operator]
    found = resi.extract(network, x, ["lstm", "lstm[1][0]", "norm"])
    same(found, {"lstm": states, "lstm[1][0]": last.transpose(0, 1), "norm": norm})
    same(resi.extract(network, x, "lstm", "last"), {"lstm": states[:, -1]})


class Swapped(nn.Module):
    """Channels last, which torch's own networks never have."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(5)
        self.act = nn.ReLU()
        self.conv = nn.Conv1d(7, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(x))
        return self.conv(x.flatten(1, 2).expand(-1, 7, -1))


def test_axes_are_those_of_the_modules() -> None:
    network, x = built(Swapped), draws(4, 7, 1, 5)
    found = resi.extract(network, x, ["norm", "act", "conv"])
    assert [(tuple(found[layer].shape), found.layers[layer].layout) for layer in found] == [
        ((4, 5, 7, 1), "nchw"),
        ((4, 5, 7, 1), "nchw"),
        ((4, 5, 3), "ntd"),
    ]
    said = resi.extract(network, x, "norm", layouts={"norm": "nchw"})
    assert torch.equal(said["norm"], found["norm"].permute(0, 2, 3, 1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_network_of_another_precision_keeps_its_type_and_is_pooled_in_float32(dtype: torch.dtype) -> None:
    network, x = built(lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6))).to(dtype), draws(5, 3, 4).to(dtype)
    with torch.no_grad():
        states = network(x)
    name = str(dtype).removeprefix("torch.")
    kept = resi.extract(network, x, "1")
    same(kept, {"1": states})
    assert kept.layers["1"].dtype == name
    mean = resi.extract(network, x, "1", "mean")
    same(mean, {"1": (states if dtype == torch.float64 else states.float()).mean(1)})
    assert mean.layers["1"].dtype == name
    same(resi.extract(network, x, "1", "last"), {"1": states[:, -1]})


def test_the_precision_of_the_pass_is_chosen_and_the_network_keeps_its_own() -> None:
    network, x = built(lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))).eval(), draws(5, 4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pointers = {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}
    found = resi.extract(network, x, precision="bfloat16")
    assert found["0"].dtype == torch.bfloat16
    assert {name: tensor.data_ptr() for name, tensor in network.state_dict().items()} == pointers
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    with torch.no_grad():
        assert torch.equal(found["1"], network.to(torch.bfloat16)(x.bfloat16()))
