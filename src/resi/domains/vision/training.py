"""Training of vision models: a fixed number of epochs, the last weights kept, resumed after a stop."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from resi.console import say
from resi.domains.arithmetic import plain_networks
from resi.domains.vision.evaluation import accuracies
from resi.domains.vision.inputs import EpochBatches, Loader, TrainingInputs, normalize
from resi.domains.vision.loading import load_images
from resi.domains.vision.lookup import image_network
from resi.domains.vision.settings import alteration
from resi.domains.vision.unfinished import UnfinishedTraining
from resi.errors import TrainingError
from resi.randomness import forked_torch
from resi.specs import Trained

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from resi.specs import DatasetSpec, ModelSpec

REPORT_SECONDS = 60.0


def train(
    spec: ModelSpec,
    dataset: DatasetSpec,
    device: torch.device,
    unfinished: Path | None = None,
    workers: int | None = None,
) -> Trained:
    """Train one model.

    Parameters
    ----------
    unfinished : Path, optional
        Where the state after an epoch is kept; training resumes from it.
    workers : int, optional
        Processes that read images; the result does not depend on it.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite.
    """
    with plain_networks(device):
        return _train(spec, dataset, device, unfinished, workers)


def _train(
    spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None, workers: int | None
) -> Trained:
    images = load_images(dataset)
    inputs = TrainingInputs(images, spec, alteration(spec.setting, spec.hyperparameters.get("shortcut_coins", 1)))
    batches = EpochBatches(len(inputs), spec.hyperparameters["batch_size"], spec.seed)
    model = initial_model(spec, images.classes).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(model, spec.hyperparameters)
    scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")
    state = UnfinishedTraining(unfinished, spec.fingerprint, model, optimizer, scaler)
    read = Loader(inputs, batches, device, workers)
    report = _Report(spec)
    for epoch in range(state.load(), spec.hyperparameters["epochs"]):
        batches.epoch = epoch
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(epoch, spec.hyperparameters)
        loss = _train_epoch(model, read, optimizer, scaler, spec.hyperparameters, device)
        if not math.isfinite(loss):
            raise TrainingError(f"training {spec.label} failed in epoch {epoch + 1}: its loss is {loss}")
        report(epoch, loss)
        state.save(epoch + 1)
    found = accuracies(spec, model, images, inputs.labels, device)
    return Trained({name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}, found)


def initial_model(spec: ModelSpec, classes: int) -> nn.Module:
    """Return the model before training, its weights drawn by its seed or pre-trained."""
    family = image_network(spec.architecture)
    with forked_torch(torch.device("cpu"), spec.seed, "vision weights"):
        model = family.build(spec.architecture, spec.hyperparameters, classes)
    family.load_pretrained(model, spec.hyperparameters)
    return model


def build_optimizer(model: nn.Module, hyperparameters: Mapping[str, Any]) -> Optimizer:
    """Return SGD with Nesterov's momentum 0.9, or AdamW; weight decay is of all parameters."""
    arguments = {"lr": hyperparameters["learning_rate"], "weight_decay": hyperparameters["weight_decay"], "fused": True}
    if hyperparameters["optimizer"] == "adamw":
        return torch.optim.AdamW(model.parameters(), betas=(0.9, 0.999), eps=1e-8, **arguments)
    return torch.optim.SGD(model.parameters(), momentum=0.9, nesterov=True, **arguments)


def learning_rate(epoch: int, hyperparameters: Mapping[str, Any]) -> float:
    """Return an epoch's learning rate: linear warm-up from 0, then cosine decay to 0."""
    highest, warmup = hyperparameters["learning_rate"], hyperparameters["warmup_epochs"]
    if epoch < warmup:
        return highest * epoch / max(warmup - 1, 1)
    share = (epoch - warmup) / max(hyperparameters["epochs"] - warmup, 1)
    return highest * (1 + math.cos(math.pi * share)) / 2


def _train_epoch(
    model: nn.Module,
    read: Any,
    optimizer: Optimizer,
    scaler: torch.amp.GradScaler,
    hyperparameters: Mapping[str, Any],
    device: torch.device,
) -> float:
    """Go once over the training images; return the mean loss."""
    accumulation = hyperparameters["accumulation"]
    total, seen = torch.zeros((), device=device), 0
    model.train()
    for number, (images, labels) in enumerate(read, 1):
        inputs = to_device(images, device, hyperparameters["normalization"])
        targets = labels.to(device, non_blocking=True)
        with torch.autocast("cuda", torch.float16, enabled=device.type == "cuda"):
            loss = cross_entropy(model(inputs), targets, label_smoothing=hyperparameters["label_smoothing"])
        scaler.scale(loss / accumulation).backward()
        if number % accumulation == 0 or number == len(read):
            _step(model, optimizer, scaler, hyperparameters["clip_gradient_norm"])
        total += loss.detach().float() * len(targets)
        seen += len(targets)
    return float(total) / seen


def _step(model: nn.Module, optimizer: Optimizer, scaler: torch.amp.GradScaler, largest_norm: float) -> None:
    if largest_norm:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), largest_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)


def to_device(images: Tensor, device: torch.device, statistics: str) -> Tensor:
    """Return normalized float images on a device; bytes are transferred."""
    on_device = images.to(device, non_blocking=True, memory_format=torch.channels_last)
    return normalize(on_device, statistics)


class _Report:
    """Reports the progress of a long training once a minute."""

    def __init__(self, spec: ModelSpec) -> None:
        self._label = spec.label
        self._epochs = spec.hyperparameters["epochs"]
        self._told = time.monotonic()

    def __call__(self, epoch: int, loss: float) -> None:
        if time.monotonic() - self._told >= REPORT_SECONDS:
            self._told = time.monotonic()
            say(f"{self._label}: epoch {epoch + 1} of {self._epochs}, loss {loss:.3f}")
