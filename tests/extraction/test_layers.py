"""Layers of any torch module, recorded by hooks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resi.errors import UsageError
from resi.extraction.layers import HookPoint, LayerRecorder


class Branches(nn.Module):
    """A network that reaches one of its layers only if it is asked to, and computes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.act = nn.ReLU(inplace=True)
        self.pair = Pair()

    def forward(self, x: torch.Tensor, further: bool = True) -> torch.Tensor:
        hidden = self.act(self.first(x))
        return self.pair(hidden)[0] if further else hidden


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        return x + 1, x + 2, None


class Words(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x": x}


def test_layers_of_the_latest_pass_are_kept_until_the_hooks_are_removed() -> None:
    model = Branches()
    points = {
        "before": HookPoint("act", at_input=True),
        "after": HookPoint("act"),
        "pair": HookPoint("pair"),
        "second": HookPoint("pair", item=1),
    }
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), LayerRecorder(model, points) as recorder:
        model(x)
        assert list(recorder.latest) == ["before", "after", "pair", "second"]
        assert torch.equal(recorder.latest["before"], model.first(x))  # not what the activation wrote over it
        assert torch.equal(recorder.latest["pair"], recorder.latest["after"] + 1)
        assert torch.equal(recorder.latest["second"], recorder.latest["after"] + 2)
        model(2 * x, further=False)
        assert set(recorder.latest) == {"before", "after"}
    model(x)
    torch.testing.assert_close(recorder.latest["before"], model.first(2 * x).detach())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_what_is_kept_of_a_layer_can_be_reduced() -> None:
    model = Branches()
    with LayerRecorder(model, {"a": HookPoint("first")}, lambda found: found.sum(1)) as recorder:
        model(torch.ones(5, 4))
    assert recorder.latest["a"].shape == (5,)


def test_a_place_that_a_network_does_not_have_is_named() -> None:
    model = Branches()
    with pytest.raises(UsageError, match=r"layer a is read at module 'frist', which Branches does not have; it has f"):
        LayerRecorder(model, {"b": HookPoint("first"), "a": HookPoint("frist")})
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    words = nn.Sequential(Words())
    with (
        LayerRecorder(words, {"w": HookPoint("0")}),
        pytest.raises(UsageError, match="layer w computes dict"),
    ):
        words(torch.ones(1))


@pytest.mark.parametrize(("module", "item"), [("first", 1), ("pair", 2), ("pair", 3)])
def test_an_output_that_a_module_does_not_have_is_named(module: str, item: int) -> None:
    model = Branches()
    with (
        LayerRecorder(model, {"a": HookPoint(module, item=item)}),
        pytest.raises(UsageError, match=f"layer a computes [Tt].*: expected a tuple with a tensor at index {item}"),
    ):
        model(torch.ones(5, 4))
