"""One model of each architecture at full size, trained for some steps on noise; then its layers are extracted."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from on_gpu import noise
from resi.domains.graph import GraphDomain
from resi.domains.graph.training import train_on
from resi.domains.language import LanguageDomain
from resi.domains.vision import VisionDomain
from resi.specs import ForwardPass, ModelSpec, ProbeSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from on_gpu.report import Run
    from resi.domains.base import Domain
    from resi.specs import DatasetSpec, Trained

IMAGES = ("resnet18", "resnet34", "resnet101", "vgg11", "vgg19", "vit_b32", "vit_l32")
TEXTS = ("bert", "albert", "smollm2")
GRAPHS = ("gcn", "graphsage", "gat", "pgnn")
SMALL_IMAGES, SMALL_TEXTS = ("tiny_resnet", "tiny_vgg", "tiny_vit"), ("bert_tiny", "albert_tiny", "smollm2_tiny")
ALSO_ON_CPU = {"resnet18", "vgg11", "vit_b32", "bert", "albert", *SMALL_IMAGES, *SMALL_TEXTS}
"""Of these, the layers on the CPU are computed, too."""
SINGLE = 2e-3
"""Share of a layer's largest number by which a pass in single precision may differ from the CPU's."""
FORWARD_MEMORY = 8 * 10**9
NEEDED_SECONDS = {"smollm2": 35.0, "resnet101": 12.0, "vit_l32": 12.0}
"""What an architecture may take, where it is more than 8 seconds."""


class Step(NamedTuple):
    """An architecture to be trained, and how."""

    name: str
    train: Callable[[], Trained]
    layers: Callable[[Trained], None] | None = None


def section(run: Run) -> None:
    """Train every architecture, the quick ones first, each by itself."""
    with tempfile.TemporaryDirectory(prefix="resi-cuda-") as folder:
        images, texts = datasets(run, Path(folder))
        rows: list[tuple[Any, ...]] = []
        for step in itertools.chain(graphs(run), vision(run, images), language(run, texts, Path(folder))):
            if not run.has(NEEDED_SECONDS.get(step.name, 8.0) if run.on_gpu else 1.0, step.name):
                continue
            row: list[Any] = [step.name]
            with run.part(step.name):
                trained_row(run, step, row)
            rows.append((*row, *[None] * (6 - len(row))))
            run.say(" · ".join(str(part) for part in rows[-1] if part is not None))
        header = ("architecture", "training s", "peak memory GB", "accuracy on train", "extraction s", "from the CPU")
        run.table("training at full size" if run.on_gpu else "training of small networks", header, rows)


def trained_row(run: Run, step: Step, row: list[Any]) -> None:
    """Train, extract, and add what came of it to a row."""
    found: list[Trained] = []
    start = time.monotonic()
    peak = run.peak(lambda: found.append(step.train()))
    row += [time.monotonic() - start, peak / 1e9]
    trained = found[0]
    accuracies = trained.accuracies
    run.check(f"{step.name}: accuracies", all(0 <= value <= 1 for value in accuracies.values()), accuracies)
    run.check(f"{step.name}: weights are finite", all(map(finite, trained.state.values())), "NaN or infinite")
    row.append(accuracies.get("train", math.nan))
    if step.layers is not None:
        start = time.monotonic()
        difference = step.layers(trained)
        row += [time.monotonic() - start, "not compared" if difference is None else f"{difference:.1e}"]


def finite(tensor: torch.Tensor) -> bool:
    """Return whether all numbers of a tensor are finite."""
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def datasets(run: Run, folder: Path) -> tuple[DatasetSpec, DatasetSpec]:
    """Make the data and return where they are."""
    # Of untrained transformers, a few steps at the usual rate of convolutional networks may end in infinity.
    steps = {"epochs": 1, "batch_size": 64 if run.full else 8, "learning_rate": 0.01}
    architectures = dict.fromkeys((*IMAGES, *SMALL_IMAGES), steps)
    side, train, test = (224, 256, 64) if run.full else (8, 32, 16)
    texts = folder / "texts"
    texts.mkdir()
    noise.register(noise.image_dataset(side, train, test, **architectures), noise.text_dataset(texts, 192, 48))
    return VisionDomain().locate("noise", None, folder), LanguageDomain().locate("noise_texts", None, folder)


def spec_of(domain: Domain, dataset: DatasetSpec, name: str, changes: Mapping[str, Any]) -> ModelSpec:
    """Return the model of an architecture with the recipe of its domain but for changes."""
    values = domain.hyperparameters(name, dataset.name, "standard", changes)
    return ModelSpec(domain.name, dataset.name, dataset.content, name, "standard", 0, values, 1)


def graphs(run: Run) -> Iterator[Step]:
    """Yield the graph networks: on a graph of the size of ogbn-arxiv, P-GNN on one of the size of Cora."""
    domain = GraphDomain()
    for name in GRAPHS:
        is_large = run.full and name != "pgnn"
        dataset = "ogbn_arxiv" if is_large else "cora"
        n_nodes = 2708 if run.on_gpu or not run.quick else 300

        def train(
            name: str = name, dataset: str = dataset, is_large: bool = is_large, n_nodes: int = n_nodes
        ) -> Trained:
            given = noise.graph(169_343, 1_157_799, 128, 40) if is_large else noise.graph(n_nodes, 2 * n_nodes, 200, 7)
            values = domain.hyperparameters(name, dataset, "standard", {"epochs": 5})
            return train_on(given, ModelSpec("graph", dataset, "noise", name, "standard", 0, values, 1), run.device)

        yield Step(name, train)


def vision(run: Run, dataset: DatasetSpec) -> Iterator[Step]:
    """Yield the networks for images, of 224 pixels where there is a GPU."""
    domain = VisionDomain()
    for name in IMAGES if run.full else SMALL_IMAGES:
        changes = {"pretrained": "none"} if "vit" in name else {}
        yield from of_domain(run, domain, dataset, name, changes)


def language(run: Run, dataset: DatasetSpec, folder: Path) -> Iterator[Step]:
    """Yield the networks for texts, fine-tuned from random weights that lie in a folder as pre-trained ones do."""
    from resi.domains.language.lookup import text_network

    domain = LanguageDomain()
    for name in TEXTS if run.full else SMALL_TEXTS:
        changes: dict[str, Any] = {"max_steps": 3} if name.startswith("smollm2") else {"epochs": 1}
        if run.full:
            target = folder / name
            changes |= {"pretrained": str(target), "tokenizer": str(target)}
            with run.part(f"weights of {name}"):
                target.mkdir()
                start = time.monotonic()
                noise.pretrained(text_network(name), name, target, run.device)
                run.say(f"{name}: random weights written in {time.monotonic() - start:.1f} s")
        yield from of_domain(run, domain, dataset, name, changes)


def of_domain(run: Run, domain: Domain, dataset: DatasetSpec, name: str, changes: Mapping[str, Any]) -> Iterator[Step]:
    """Yield what trains a network and then reads all of its layers."""
    spec: list[ModelSpec] = []
    with run.part(f"recipe of {name}"):
        spec.append(spec_of(domain, dataset, name, changes))
    for one in spec:

        def layers(trained: Trained, one: ModelSpec = one) -> float | None:
            return compare_layers(run, domain, dataset, one, trained)

        yield Step(name, lambda one=one: domain.train(one, dataset, run.device), layers)


def compare_layers(run: Run, domain: Domain, dataset: DatasetSpec, spec: ModelSpec, trained: Trained) -> float | None:
    """Extract all layers; return the largest difference from those of the CPU, where they are computed there."""
    state = {name: tensor.cpu() for name, tensor in trained.state.items()}
    probe = domain.probe(spec.architecture, dataset.name, spec.hyperparameters, "layer_monotonicity")
    found = extracted(domain, dataset, spec, state, probe, run.device)
    label = spec.architecture
    run.check(f"{label}: layers", set(found) == {*probe.layers, "logits"}, list(found))
    run.check(f"{label}: layers are finite", all(map(finite, found.values())), "NaN or infinite")
    if label not in ALSO_ON_CPU:
        return None
    expected = extracted(domain, dataset, spec, state, probe, torch.device("cpu"))
    worst = 0.0
    for layer, array in expected.items():
        size = float(array.abs().max()) or 1.0
        difference = float((found[layer] - array).abs().max()) / size
        run.check(f"{label}: layer {layer} is the CPU's", difference <= SINGLE, f"{difference:.1e}")
        worst = max(worst, difference)
    return worst


def extracted(
    domain: Domain,
    dataset: DatasetSpec,
    spec: ModelSpec,
    state: Mapping[str, torch.Tensor],
    probe: ProbeSpec,
    device: torch.device,
) -> dict[str, torch.Tensor]:
    """Return all layers of a model, and its logits."""
    parts: dict[str, list[torch.Tensor]] = {}
    for piece in domain.extract(ForwardPass(spec, state, dataset, probe, device, FORWARD_MEMORY)):
        for layer, array in {**piece.representations, "logits": piece.logits}.items():
            parts.setdefault(layer, []).append(array.float().cpu())
    return {layer: torch.cat(arrays) for layer, arrays in parts.items()}
