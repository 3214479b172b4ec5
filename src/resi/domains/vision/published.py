"""The published checkpoints of vision models: where they lie, and reading them.

The archives hold one folder a model, ``{setting}__{dataset}__{architecture}/groupid_{seed}``, with the weights in
``checkpoints/final.ckpt`` and what the network was built from in ``output.json``.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from resi.domains.vision.designs import DESIGNS, ResNetDesign
from resi.errors import DatasetError, UsageError
from resi.specs import Trained
from resi.store.checkpoints import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from resi.specs import ModelSpec

FOLDERS = ("models/vision/vision_models_simbench", "vision_models_simbench", "models/vision", "vision", ".")
"""Where the models' folders may lie below ``models.root``; or in one more folder each, as archives are unpacked."""
CHECKPOINT = "checkpoints/final.ckpt"

# The published names of settings and datasets are one string; `{}` stands for the level.
NAMES = {
    ("standard", "imagenet100"): "Normal__ImageNet100",
    ("standard", "cifar100"): "Normal__CIFAR100",
    ("augmentation", "imagenet100"): "GaussNoise__Gauss_{}_ImageNet100DataModule",
    ("augmentation", "cifar100"): "GaussNoise__Gauss_{}_CIFAR100DataModule",
    ("shortcut", "imagenet100"): "Shortcut__ColorDot_{}_ImageNet100DataModule",
    ("shortcut", "cifar100"): "Shortcut__ColorDot_{}_C100DataModule",
    ("label_randomization", "imagenet100"): "Randomlabel__RandomLabel_{}_IN100_DataModule",
    ("label_randomization", "cifar100"): "Randomlabel__RandomLabel_{}_C100_DataModule",
}
NOISE_LEVELS = {"0": "Off", "25": "S", "50": "M", "75": "L", "100": "Max"}
# What the published networks were built from, as `output.json` has it; vision transformers ignore it.
BUILT_FROM = {
    "imagenet100": {"n_cls": 100, "early_downsampling": True, "global_average_pooling": 5},
    "cifar100": {"n_cls": 100, "early_downsampling": False, "global_average_pooling": 4},
}


def published_folder(model: ModelSpec, published_architecture: str) -> str:
    """Return a model's folder in the archives, such as ``Normal__ImageNet100__ResNet18/groupid_0``.

    Raises
    ------
    UsageError
        If no such model was published.
    """
    if model.dataset not in BUILT_FROM or not published_architecture:
        raise UsageError(
            f"models.source=published: no {model.architecture} on dataset={model.dataset} is published, but "
            "resnet18, resnet34, resnet101, vgg11, vgg19, vit_b32 and vit_l32 on imagenet100 and cifar100"
        )
    kind, _, level = model.setting.rpartition("_")
    name = NAMES[(kind or "standard", model.dataset)].format(NOISE_LEVELS[level] if kind == "augmentation" else level)
    return f"{name}__{published_architecture}/groupid_{model.seed}"


def find_checkpoint(root: Path, model: ModelSpec, published_architecture: str) -> Path:
    """Return the file of a published model's weights, after a look at what its network was built from.

    Raises
    ------
    UsageError
        If no such model was published.
    DatasetError
        If its files are missing, or it is another network than resi builds.
    """
    name = published_folder(model, published_architecture)
    for folder in FOLDERS:
        for path in (root / folder / name / CHECKPOINT, *(root / folder).glob(f"*/{name}/{CHECKPOINT}")):
            if path.is_file():
                _check_network(path.parents[1] / "output.json", model)
                return path
    raise DatasetError(
        f"{root / FOLDERS[0] / name / CHECKPOINT} is missing: with models.source=published it holds {model.label}. "
        f"Download the published models with resi download vision_{model.dataset}, name their "
        "folder with models.root, or train models with models.source=train"
    )


def _check_network(path: Path, model: ModelSpec) -> None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}. It belongs to the published {model.label}.") from error
    keys = BUILT_FROM[model.dataset] if isinstance(DESIGNS[model.architecture], ResNetDesign) else {"n_cls": 100}
    for key, expected in keys.items():
        if found.get(key) != expected:
            raise DatasetError(
                f"{path} has {key}={found.get(key)}; published networks on {model.dataset} have {expected}"
            )


def read_checkpoint(content: bytes, model: ModelSpec) -> Trained:
    """Return the weights of a published checkpoint, a dictionary of tensors without any code.

    Its accuracy is measured when its representations are taken.

    Raises
    ------
    ArtifactError
        If it is no such dictionary, or does not fit the architecture.
    """
    import torch

    from resi.domains.vision.architectures import build_model
    from resi.domains.vision.checkpoints import check_fit, from_published

    state = from_published(model.architecture, read_weights(io.BytesIO(content)))
    with torch.device("meta"):
        network = build_model(model.architecture, as_built(model), BUILT_FROM[model.dataset]["n_cls"])
    check_fit(network, state, model.label)
    return Trained(state, {})


def as_built(model: ModelSpec) -> Mapping[str, Any]:
    """Return the hyperparameters with which a model computes.

    Published models see CIFAR-100 normalized by the statistics of CIFAR-10, and published ResNets pool a corner of
    their last map on ImageNet100.
    """
    if not model.checkpoint:
        return model.hyperparameters
    changes = {}
    if model.dataset == "cifar100":
        changes["normalization"] = "cifar10"
    elif isinstance(DESIGNS[model.architecture], ResNetDesign):
        changes["head_pooling"] = "corner"
    return {**model.hyperparameters, **changes}
