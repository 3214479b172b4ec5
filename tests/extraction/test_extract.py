"""The network is given back as it was, layers are chosen by patterns, and what does not fit is told in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch
from torch import nn

import resi
from resi.errors import ResiError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Encoder(nn.Module):
    """Mostly a list of blocks, as the encoder of a BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Block() for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.layer:
            x = block(x)
        return x


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(4, 4)
        self.mlp = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(self.output(x))


class Network(nn.Module):
    """Has a dropout, a module that is never called, one that gives counts, one with several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 4)
        self.drop = nn.Dropout(0.9)
        self.encoder = Encoder()
        self.unused = nn.Linear(4, 4)
        self.counts = Counts()
        self.pair = Pair()
        self.head = nn.Sequential(nn.Linear(4, 2), nn.Identity())

    def forward(self, x: Tensor) -> dict[str, Any]:
        x = self.encoder(self.drop(self.embed(x)))
        self.counts(x)
        return {"loss": None, "logits": self.head(self.pair(x)[0]), "states": (x, 2 * x)}


class Counts(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).sum(1, keepdim=True)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, x + 2


BLOCKS = ["embed", "encoder.layer.0", "encoder.layer.1", "encoder.layer.2", "pair", "head.0"]
X = torch.arange(15.0).reshape(5, 3) / 15


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, BLOCKS),
        ("encoder.layer.*.output", [f"encoder.layer.{i}.output" for i in range(3)]),
        (["head.0", "embed"], ["embed", "head.0"]),  # as they are computed
        ("encoder.layer.[01]", BLOCKS[1:3]),
        ("*.layer.*[0-9]", [*BLOCKS[1:4], *(f"encoder.layer.{i}.mlp.{j}" for i in range(3) for j in range(3))]),
        ("p*r[1]", ["pair[1]"]),
        ("e*d#1", ["embed"]),
        (["pair[1]", "pair[0]"], ["pair", "pair[1]"]),
        (["output", "output[states][1]"], ["output", "output[states][1]"]),
        ("encoder", ["encoder"]),
        ("*.mlp", [f"encoder.layer.{i}.mlp" for i in range(3)]),
    ],
)
def test_layers_are_chosen(network: Network, layers: Any, expected: list[str]) -> None:
    assert sorted(resi.extract(network, X, layers)) == sorted(expected)
    order = [layer for layer in resi.layers(network, X) if layer in expected]
    assert list(resi.extract(network, X, layers)) == order


def test_layers_are_listed(network: Network) -> None:
    found = resi.layers(network, X)
    frame = found.to_frame()
    assert frame.columns == ["layer", "kind", "shape", "layout", "default"]
    assert frame.filter(frame["default"])["layer"].to_list() == BLOCKS
    assert {"pair[1]", "output[states][0]", "drop"} <= set(found)
    assert not {"unused", "counts"} & set(found)
    assert frame.row(by_predicate=pl.col("layer") == "head") == ("head", "Sequential", [2], "nd", False)
    assert repr(found).splitlines()[1].split() == ["embed", "Linear", "4", "nd", "yes"]
    assert "<td>embed</td>" in found._repr_html_()
    assert list(resi.extract(network, X, list(found))) == list(found)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: nn.Linear(3, 2), ["output"]),
        (
            lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.Tanh())),
            ["0", "1", "2.0", "2.1"],
        ),
        (lambda: nn.Sequential(Network().embed, Encoder()), ["0", "1"]),
    ],
)
def test_blocks_of_small_networks(build: Callable[[], nn.Module], expected: list[str]) -> None:
    assert list(resi.extract(build(), X)) == expected


def test_blocks_of_known_networks() -> None:
    import timm
    import transformers

    with torch.device("meta"):
        resnet = timm.create_model("resnet18", num_classes=3)
    from resi.extraction.modules import named
    from resi.extraction.patterns import blocks

    assert blocks(resnet, named(resnet)) == [
        *("conv1", "bn1", "act1", "maxpool"),
        *(f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)),
        *("global_pool", "fc"),
    ]
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.LlamaConfig(vocab_size=9000, **sizes)  # most weights are of the table of tokens
    with torch.device("meta"):
        decoder = transformers.LlamaForCausalLM(config)
    assert blocks(decoder, named(decoder)) == [
        *("model.embed_tokens", "model.layers.0", "model.layers.1", "model.norm", "model.rotary_emb", "lm_head"),
    ]


def state(network: nn.Module) -> list[Any]:
    return [
        (
            module.training,
            list(module._forward_hooks),
            list(module._forward_pre_hooks),
            [(each.requires_grad, each.grad, each.device, each.dtype) for each in module.parameters()],
        )
        for module in network.modules()
    ]


@pytest.mark.parametrize("is_error", [False, True])
def test_the_network_is_given_back_as_it_was(is_error: bool) -> None:
    network = Network().train()
    network.encoder.eval()
    network.head[0].weight.requires_grad_(False)
    own = network.embed.register_forward_hook(lambda *_: None)
    before, drawn = state(network), torch.random.get_rng_state()
    with torch.enable_grad():
        if is_error:
            with pytest.raises(UsageError):
                resi.extract(network, torch.zeros(5, 7))
            with pytest.raises(UsageError):
                resi.layers(network, torch.zeros(5, 7))
        else:
            found = resi.extract(network, X)
            assert not found["pair"].requires_grad
            resi.layers(network, X)
        assert torch.is_grad_enabled()
    assert state(network) == before
    assert torch.equal(torch.random.get_rng_state(), drawn)
    own.remove()


def test_the_callers_settings_have_no_effect(network: Network) -> None:
    expected = resi.extract(network, X)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        found = resi.extract(network, X)
    assert all(torch.equal(found[layer], expected[layer]) for layer in expected)
    assert not any(found[layer].is_inference() for layer in found)
    network(X)["logits"].sum().backward()  # nothing of inference mode is left in the network
    network.zero_grad()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "encoder.layers.0"}, r"no layer 'encoder.layers.0'; did you mean encoder.layer.0"),
        (
            {"layers": "xyz"},
            r"no layer 'xyz'; at its top are counts, drop, embed.* resi.layers\(model, example\) lists",
        ),
        ({"layers": "xyz*"}, r"no layer 'xyz\*'"),
        ({"layers": []}, r"layers=\[\] is empty"),
        ({"layers": [3]}, r"3 is int: expected names or patterns"),
        ({"layers": "unused"}, "layers='unused': the forward pass never calls it"),
        ({"layers": "unuse*"}, "layers='unuse.': the forward pass calls none that fits"),
        ({"layers": "counts"}, "layer counts cannot be extracted: it is int64, expected floating point"),
        ({"layers": "embed#2"}, "embed is called 1 time in a forward pass"),
        ({"layers": "pair[2]"}, r"pair computes pair\[0\], pair\[1\]"),
        ({"pooling": "median"}, "pooling='median': expected one of none, mean, max, cls, last"),
        ({"precision": "int8"}, "precision='int8': expected one of float32, bfloat16"),
        ({"layouts": {"embedd": "nd"}}, "the network has no layer 'embedd'; did you mean embed"),
        ({"layouts": {"embed": "dn"}}, "layouts: embed has 'dn': expected one of nd, ntd"),
        (
            {"layouts": {"embed": "ntd"}, "layers": "embed"},
            r"layer embed cannot be extracted: it has shape \(5, 4\), expected",
        ),
        ({"device": "cuda:77"}, "device=cuda:77"),
        ({"device": "mars"}, "device=mars"),
    ],
)
def test_what_does_not_fit_is_told(network: Network, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ResiError, match=message) as caught:
        resi.extract(network, X, **options)
    assert "\n" not in str(caught.value)


def test_a_module_with_two_names_has_one() -> None:
    shared = nn.Tanh()
    model = nn.Sequential(nn.Linear(3, 3), shared, nn.Linear(3, 3), shared)
    assert list(resi.extract(model, X)) == ["0", "1#1", "2", "1#2"]
    with pytest.raises(UsageError, match="layer '3' is the same module as '1': its calls are 1#1, 1#2"):
        resi.extract(model, X, "3")


def test_a_batch_that_a_network_cannot_take_is_named(network: Network) -> None:
    rows = [torch.zeros(3, 3), torch.zeros(2, 7)]
    message = r"Network cannot take the batch of samples 3, 4 with float32 \(2, 7\): RuntimeError: mat1 and mat2"
    with pytest.raises(UsageError, match=message) as caught:
        resi.extract(network, rows)
    assert "\n" not in str(caught.value)


def failing(kind: str) -> nn.Module:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.conv = nn.ReLU(), nn.Conv2d(1, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            if kind == "calls":
                for _ in range(int(x[0, 0]) + 1):
                    x = self.act(x)
                return x
            if kind == "lengths":
                return self.act(x[:, :, None].expand(-1, -1, int(x[0, 0]) + 2))
            if kind == "axis":
                return self.act(x[:, :, None].transpose(0, 1).expand(-1, -1, 9))
            return self.act(self.conv(x[:, None, :, None]))

    return Odd()


ROWS = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [2.0, 1.0, 1.0], [2.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("kind", "pooling", "message"),
    [
        ("calls", "none", "layer act is called 3 times for samples 2, 3, but 1 times for the first ones"),
        ("lengths", "none", r"layer act computes an array of \(3, 4\) per sample for 2, 3, but of \(3, 2\) for those"),
        (
            "axis",
            "mean",
            r"layer act cannot be extracted: it has shape \(3, 2, 9\) for 2 samples.*layouts={'LAYER': 'tnd'}",
        ),
        (
            "maps",
            "cls",
            "layer act computes maps, for which pooling=cls is not defined: choose pooling=mean, max or none",
        ),
    ],
)
def test_what_a_layer_computes_has_to_be_one_array(kind: str, pooling: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resi.extract(failing(kind), ROWS, "act", pooling, 2)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_that_are_no_numbers_are_told_with_their_samples(value: float, dtype: torch.dtype) -> None:
    rows = {"x": X.clone().to(dtype), "id": ["a.png", "b.png", "c.png", "d.png", "e.png"]}
    rows["x"][3, 1] = value  # type: ignore[index]

    class Double(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(2 * x)

    with pytest.raises(UsageError, match=r"layer act computes NaN or infinity for 1 of 2 samples: d.png"):
        resi.extract(Double(), rows, "act", batch_size=2)


def test_tokens_of_samples_that_differ_in_length_are_not_kept_unpooled() -> None:
    mask = torch.tensor([[1, 1], [1, 0]])
    model = Masked()
    with pytest.raises(UsageError, match=r"layer act computes tokens for samples of different length.*choose pooling"):
        resi.extract(model, {"x": torch.ones(2, 2, 3), "attention_mask": mask}, "act")
    whole = resi.extract(model, {"x": torch.ones(2, 2, 3), "attention_mask": torch.ones(2, 2)}, "act")
    assert whole.layers["act"].layout == "ntd"
    with pytest.raises(UsageError, match=r"sample '1' has only padding tokens"):
        resi.extract(model, {"x": torch.ones(2, 2, 3), "attention_mask": mask.tril()[:, [1, 0]] * mask}, "act", "mean")
    with pytest.raises(UsageError, match=r"layer act computes 2 tokens, but the attention mask has 3"):
        resi.extract(model, {"x": torch.ones(1, 2, 3), "attention_mask": torch.tensor([[1, 1, 0]])}, "act", "mean")


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        return self.act(x)


def test_nan_in_tokens_that_pad_does_no_harm() -> None:
    x = torch.ones(2, 2, 3)
    x[1, 1] = torch.nan
    data = {"x": x, "attention_mask": torch.tensor([[1, 1], [1, 0]])}
    for pooling in ("mean", "max", "cls", "last"):
        assert torch.equal(resi.extract(Masked(), data, "act", pooling)["act"], torch.ones(2, 3))  # type: ignore[arg-type]


def test_sizes_are_in_kilobytes_where_a_layer_is_small() -> None:
    def shown(rows: int) -> list[list[str]]:
        found = resi.Representations.from_tensors({"a": torch.zeros(rows, 5), "b": torch.zeros(rows, 1000)})
        return [line.split() for line in repr(found).splitlines()[1:]]

    heading, small, large = shown(50)
    assert (heading[-1], small[-1], large[-1]) == ("kB", "1.0", "200.0")
    heading, small, large = shown(10_000)
    assert (heading[-1], small[-1], large[-1]) == ("MB", "0.2", "40.0")
