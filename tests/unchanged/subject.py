"""The names of resi that these tests use: where code moves, this is the one file that follows.

What is frozen never depends on where code lies.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch import nn

from resi import registry
from resi.cli.plan import plan_sweep
from resi.domains.base import Domain
from resi.errors import UsageError
from resi.groundings import GROUNDINGS
from resi.pipeline.plan import Plan

if TYPE_CHECKING:
    from resi.specs import DatasetSpec, ModelSpec

CPU = torch.device("cpu")
NOWHERE = Path("nowhere")
PROTOCOLS = ("corrected", "published")
SUITES = ("paper", "smoke")

# Features and classes of the graphs, which decide the shapes of weights.
GRAPHS = {"cora": (1433, 7), "digits_knn": (64, 10), "flickr": (500, 7), "ogbn_arxiv": (128, 40)}
CLASSES = {"cifar100": 100, "digits": 10, "imagenet100": 100, "mnli": 3, "reviews": 2, "sst2": 2}
__all__ = ["CPU", "GROUNDINGS", "NOWHERE", "PROTOCOLS", "SUITES", "Domain", "Plan"]


def own_domains(protocol: str = "corrected") -> dict[str, Domain]:
    """Return the domains that come with resi."""
    found = registry.domains()
    return {name: found.get(name)(protocol) for name in ("graph", "language", "vision")}


def own_measures() -> dict[str, Any]:
    """Return the measures that come with resi, with their default parameters."""
    found = registry.measures()
    return {name: found.get(name)() for name in found if not found.origin(name).code}


def measure_sets() -> dict[str, list[str]]:
    """Return the sets of measures."""
    return registry.measure_sets()


@contextmanager
def empty_root() -> Iterator[Path]:
    """Use a data root that does not exist."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, RESI_HOME=str(Path(folder, "home"))):
        yield Path(folder)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Give every dataset that does not come with resi a content made up from its name, whether it is here or not."""
    with empty_root():
        patches = [mock.patch.object(type(domain), "locate", _located(domain)) for domain in own_domains().values()]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


def _located(domain: Domain) -> Any:
    embedded = domain.locate(domain.default_dataset, None, NOWHERE, may_download=False)

    def locate(_self: Domain, dataset: str, *_places: Any, **_more: Any) -> Any:
        is_embedded = dataset == domain.default_dataset
        return embedded if is_embedded else replace(embedded, name=dataset, content=f"content of {dataset}")

    return locate


def planned(*words: str) -> dict[str, Plan]:
    """Return the plans of a run, sweep or suite by the words of each job."""
    _, jobs, plans, problems = plan_sweep(words)
    assert not problems, problems
    return {" ".join(job): plan for job, plan in zip(jobs, plans, strict=True)}


def example(name: str, representation: str) -> tuple[Domain, DatasetSpec, ModelSpec]:
    """Return a domain with its own dataset and any model of it."""
    plan = _example(name)
    return type(plan.config.domain)("corrected", representation), plan.dataset, plan.models[0][0]


@functools.cache
def _example(name: str) -> Plan:
    with empty_root():
        (plan,) = planned(f"domain={name}", "measure=cka").values()
    return plan


def contents(domain: Domain) -> dict[str, str]:
    """Return the content of each dataset: of those that come with resi as it is, of the others from made-up files.

    Files whose hashes are known are taken for what they should be, so that the content is that of the real dataset.
    """
    with tempfile.TemporaryDirectory() as folder:
        return {dataset.name: _content(domain, dataset.name, Path(folder)) for dataset in domain.datasets()}


def _content(domain: Domain, dataset: str, folder: Path) -> str:
    from resi.domains.graph.datasets import cora
    from resi.domains.vision.datasets import cifar100, imagenet100

    for name in MADE_UP.get(dataset, ()):
        path = folder / dataset / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"made up: {dataset} {name}\n")
    root = folder / dataset if dataset in MADE_UP else None
    with (
        mock.patch.object(cora, "read_checked", lambda path: path.read_bytes()),
        mock.patch.object(cifar100, "_md5", lambda path: cifar100.FILES[path.name]),
        mock.patch.object(imagenet100, "WNIDS", imagenet100.WNIDS[:2]),
        mock.patch.object(imagenet100, "IMAGES_PER_CLASS", {"train": 2, "val": 1}),
    ):
        return domain.locate(dataset, root, folder / "nothing", may_download=False).content


def imagenet100() -> dict[str, Any]:
    """Return what is expected of ImageNet100."""
    from resi.domains.vision.datasets.imagenet100 import IMAGES_PER_CLASS, WNIDS

    return {"classes": list(WNIDS), "images_per_class": IMAGES_PER_CLASS}


def altered(name: str, setting: str) -> str:
    """Return a hash of the labels, texts, features and some of the images that a model of a setting is trained on."""
    _, dataset, model = example(name, own_domains()[name].representations[0])
    model = replace(model, setting=setting, seed=3)
    if name == "language":
        from resi.domains.language.alterations import altered_texts

        texts = altered_texts(dataset, "train", setting)
        hints = [] if texts.hints is None else texts.hints.tolist()
        return _hashed(texts.columns, texts.labels.tolist(), texts.classes, hints)
    if name == "graph":
        from resi.domains.graph.alterations import training_graph
        from resi.domains.graph.loading import load_graph

        graph = training_graph(load_graph(dataset), model)
        return _hashed(
            graph.labels.numpy().tobytes(), graph.features.to_dense().mul(1e3).round().long().numpy().tobytes()
        )
    from resi.domains.vision.inputs import TrainingInputs
    from resi.domains.vision.loading import load_images
    from resi.domains.vision.settings import alteration

    inputs = TrainingInputs(load_images(dataset), model, alteration(setting))
    return _hashed(inputs.labels.tolist(), [inputs.pixels(1, index).tolist() for index in range(0, len(inputs), 100)])


def _hashed(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


_CORA = ("allx", "ally", "graph", "test.index", "tx", "ty", "x", "y")
_ARXIV = ("edge", "node-feat", "node-label", "num-node-list")
MADE_UP = {
    "cora": [f"ind.cora.{name}" for name in _CORA],
    "flickr": ["adj_full.npz", "feats.npy", "class_map.json", "role.json"],
    "ogbn_arxiv": [
        *(f"raw/{name}.csv.gz" for name in _ARXIV),
        *(f"split/time/{name}.csv.gz" for name in ("train", "valid", "test")),
    ],
    "sst2": ["train.parquet", "dev.tsv"],
    "mnli": [f"{name}/{file}" for name in ("train", "validation_matched") for file in ("dataset_info.json", "0.arrow")],
    "cifar100": [f"cifar-100-python/{name}" for name in ("train", "test", "meta")],
    "imagenet100": [
        *(f"train/{wnid}/{image}.JPEG" for wnid in ("n01440764", "n01443537") for image in (0, 1)),
        *(f"val/{wnid}/0.JPEG" for wnid in ("n01440764", "n01443537")),
    ],
}
"""Made-up files of the datasets that have to be fetched, in the layouts in which they are found."""


def hyperparameters(domain: Domain, architecture: str, dataset: str, setting: str) -> dict[str, Any] | None:
    """Return the benchmark's hyperparameters, or None where the benchmark has no such model."""
    try:
        return domain.hyperparameters(architecture, dataset, setting, {})
    except UsageError:
        return None


def probe(domain: Domain, architecture: str, dataset: str, values: dict[str, Any], test: str) -> str | None:
    """Return the probe set, pooling and layers with which a test looks at a model; None where the domain refuses."""
    try:
        found = domain.probe(architecture, dataset, values, test)
    except UsageError:
        return None
    assert len(fields(found)) == 4
    assert found.dataset is None
    return f"{found.probe} {found.pooling}: {' '.join(found.layers)}"


def config_keys(domain: Domain) -> list[str]:
    """Return the keys of one architecture's config."""
    return [field.name for field in fields(domain.model_config)]


def network(domain: str, architecture: str, dataset: str, values: dict[str, Any]) -> nn.Module | None:
    """Return an untrained network without memory for its weights; None for one that needs the graph itself."""
    import torch._dynamo  # which torch 2.6 cannot import within the context below

    with torch.device("meta"):
        if domain == "vision":
            from resi.domains.vision.lookup import image_network

            return image_network(architecture).build(architecture, values, CLASSES[dataset])
        if domain == "language":
            return _language_network(architecture, CLASSES[dataset])
        if architecture == "pgnn":
            return None
        features, classes = GRAPHS[dataset]
        model = replace(_example("graph").models[0][0], architecture=architecture, hyperparameters=values)
        graph: Any = SimpleNamespace(features=torch.empty(1, features), classes=classes)
        return registry.networks("graph").get(architecture).build(model, graph)


@functools.cache
def _language_network(architecture: str, classes: int) -> nn.Module:
    from resi.domains.language.lookup import text_architecture, text_network

    family = text_network(architecture)
    return family.build(family.config(architecture, text_architecture(architecture).vocabulary, classes))


def layer_modules(architecture: str, model: nn.Module) -> dict[str, list[Any]]:
    """Return the module at which each layer of a vision network is read, and whether it is the module's input."""
    from resi.domains.vision.lookup import image_network

    points = image_network(architecture).layers(architecture)
    assert all(model.get_submodule(point.module) for point in points.values())
    return {layer: [point.module, point.at_input] for layer, point in points.items()}


def run_vision(architecture: str, model: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the layers of a vision network and its logits."""
    from resi.domains.vision.lookup import image_network
    from resi.extraction.layers import LayerRecorder

    family = image_network(architecture)
    with torch.no_grad(), LayerRecorder(model, family.layers(architecture), family.reduce) as recorder:
        logits = model.eval()(images)
    return {**recorder.latest, "logits": logits}
