"""Representations of vision models: one forward pass gives all layers, the logits and the accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resi.domains.arithmetic import plain_networks
from resi.domains.vision.inputs import EpochBatches, Inputs, Loader
from resi.domains.vision.loading import load_images
from resi.domains.vision.lookup import image_dataset, image_network
from resi.domains.vision.published import as_built
from resi.domains.vision.settings import TEST_IMAGES_WITH_DOTS
from resi.domains.vision.training import to_device
from resi.domains.vision.weights import load_weights
from resi.errors import BudgetError
from resi.extraction.layers import LayerRecorder
from resi.machine.memory import format_bytes
from resi.specs import Extraction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from resi.domains.vision.images import Images
    from resi.specs import ForwardPass

MAX_BATCH = 256


def extract(run: ForwardPass) -> Iterator[Extraction]:
    """Run a model once over the test images in evaluation mode, and yield what it computes batch by batch.

    Images have uninformative dots in the probe set of shortcut tests. Maps larger than 7 x 7 are pooled on the
    device, so that none leaves it at full size.
    """
    pieces = _extract(run)
    while True:
        with plain_networks(run.device):  # not while the caller has the piece
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


@torch.no_grad()
def _extract(run: ForwardPass) -> Iterator[Extraction]:
    spec, probe, device = run.model, run.probe, run.device
    images = load_images(run.dataset)
    family, built = image_network(spec.architecture), as_built(spec)
    with torch.random.fork_rng(devices=[]):  # weights that are drawn only to be replaced
        model = family.build(spec.architecture, built, _classes(run, images))
    load_weights(model, run.state, spec.label)
    model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    statistics, size = built["normalization"], built["image_size"]
    inputs = Inputs(images, images.test, size, dots=0.0 if probe.probe == TEST_IMAGES_WITH_DOTS else None)
    batch = batch_size(model, size, device, run.memory)
    points = family.layers(spec.architecture)
    start = 0
    with LayerRecorder(model, {layer: points[layer] for layer in probe.layers}, family.reduce) as recorder:
        for pixels, labels in Loader(inputs, EpochBatches(len(inputs), batch), device):
            logits = model(to_device(pixels, device, statistics))
            ids = inputs.split.ids[start : start + len(labels)]
            start += len(labels)
            yield Extraction(
                representations={layer: recorder.latest[layer].cpu() for layer in probe.layers},
                logits=logits.float().cpu(),
                accuracy=float((logits.argmax(1).cpu() == labels).double().mean()),
                samples=[f"{run.dataset.content} {name}" for name in ids],
                layout="nchw",
            )


def _classes(run: ForwardPass, images: Images) -> int:
    """Return how many classes a model has, which may have been trained on other images than it is run on."""
    return images.classes if run.probe.dataset is None else image_dataset(run.model.dataset).classes


def batch_size(model: nn.Module, image_size: int, device: torch.device, memory: int) -> int:
    """Return how many images one forward pass takes within a limit of memory.

    What the modules of a model compute for one image is added up, as though nothing were freed before the end.

    Raises
    ------
    BudgetError
        If a single image takes more.
    """
    need = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal need
        if isinstance(output, torch.Tensor):
            need += output.numel() * output.element_size()

    leaves = [module for module in model.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    model(torch.zeros(1, 3, image_size, image_size, device=device))
    for hook in hooks:
        hook.remove()
    if need > memory:
        raise BudgetError(
            f"one image takes about {format_bytes(need)} in a forward pass, compare.memory is {format_bytes(memory)}"
        )
    return max(1, min(MAX_BATCH, memory // need))
