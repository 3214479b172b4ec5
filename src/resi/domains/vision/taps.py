"""Where in a vision model each layer is read.

| architecture | first layers | last layer |
|---|---|---|
| ResNet | the stem's batch norm, then every residual block, both before their last ReLU | the pooled map, 1 x 1 |
| VGG | every convolution, before batch norm and ReLU | the input of the classifier |
| ViT | the class token after every encoder layer | the class token after the final norm |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import adaptive_avg_pool2d

from resi.domains.vision.designs import DESIGNS, MAX_GRID, ResNetDesign, VGGDesign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from torch import Tensor, nn


class Tap(NamedTuple):
    """One layer: the input or the output of a module of the model."""

    module: str
    at_input: bool = False


def taps(architecture: str, model: nn.Module) -> dict[str, Tap]:
    """Return the taps of a model's layers by name, in the order of the network."""
    design = DESIGNS[architecture]
    if isinstance(design, ResNetDesign):
        # A block ends in an activation of its own, whose input is what is wanted.
        last = "act3" if design.bottleneck else "act2"
        blocks = [f"layer{stage}.{i}.{last}" for stage, count in enumerate(design.blocks, 1) for i in range(count)]
        found = [Tap("bn1"), *(Tap(block, at_input=True) for block in blocks), Tap("global_pool")]
    elif isinstance(design, VGGDesign):
        convolutions = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Conv2d)]
        found = [*(Tap(name) for name in convolutions), Tap("head.fc", at_input=True)]
    else:
        found = [*(Tap(f"blocks.{i}") for i in range(design.depth)), Tap("head", at_input=True)]
    return {str(number): tap for number, tap in enumerate(found)}


class Recorder:
    """Keeps what a model's layers compute in the latest forward pass.

    Parameters
    ----------
    architecture, model
        The model to listen to.
    layers : iterable of str
        Which layers to keep.

    Attributes
    ----------
    latest : dict from layer to Tensor
        Maps (n_samples, channels, height, width) of at most 7 x 7 cells, vectors (n_samples, features) otherwise.
    """

    def __init__(self, architecture: str, model: nn.Module, layers: Iterable[str]) -> None:
        self.latest: dict[str, Tensor] = {}
        places = taps(architecture, model)
        is_resnet = isinstance(DESIGNS[architecture], ResNetDesign)
        for layer in layers:
            tap = places[layer]
            module = model.get_submodule(tap.module)
            # timm's pooling drops the last two axes, which a map of one cell has.
            as_map = is_resnet and tap.module == "global_pool"
            if tap.at_input:
                module.register_forward_pre_hook(self._keep_input(layer))
            else:
                module.register_forward_hook(self._keep_output(layer, as_map))

    def _keep_input(self, layer: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, inputs: Any) -> None:
            self.latest[layer] = reduce(inputs[0])

        return hook

    def _keep_output(self, layer: str, as_map: bool) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self.latest[layer] = reduce(output[:, :, None, None] if as_map else output)

        return hook


def reduce(activation: Tensor) -> Tensor:
    """Return the class token of tokens, a map of at most 7 x 7 cells of a map, a vector as it is; always a copy.

    What follows a layer may write into its output.
    """
    if activation.ndim == 3:
        return activation[:, 0].clone()
    if activation.ndim == 4:
        grid = (min(activation.shape[2], MAX_GRID), min(activation.shape[3], MAX_GRID))
        if grid != tuple(activation.shape[2:]):
            return adaptive_avg_pool2d(activation, grid)
    return activation.clone()
