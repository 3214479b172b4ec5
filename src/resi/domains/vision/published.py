"""The published checkpoints of vision models: their names, where they lie, and reading them.

The archives hold one folder a model, ``{setting}__{dataset}__{architecture}/groupid_{seed}``, with the weights in
``checkpoints/final.ckpt`` and what the network was built from in ``output.json``.
"""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

from resi.domains.groups import STANDARD, split_setting, unpublished_level
from resi.domains.releases import DESCRIBED, Holding, Release
from resi.domains.vision.datasets.base import PUBLISHED_NETWORKS
from resi.domains.vision.lookup import (
    DOMAIN,
    image_architecture,
    image_architectures,
    image_dataset,
    image_datasets,
    image_network,
)
from resi.domains.vision.settings import SETTINGS
from resi.domains.weights import check_fit
from resi.errors import CheckpointError, DatasetError, UsageError
from resi.specs import Trained
from resi.store.checkpoints import read_weights, same_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from resi.specs import ModelSpec

FOLDERS = ("models/vision/vision_models_simbench", "vision_models_simbench", "models/vision", "vision", ".")
"""Where the models' folders may lie below ``models.root``; or in one more folder each, as archives are unpacked."""
CHECKPOINT = "checkpoints/final.ckpt"
RESULTS = (
    Holding(PUBLISHED_NETWORKS, ("imagenet100",)),
    Holding(PUBLISHED_NETWORKS, ("cifar100",), DESCRIBED),
)
"""Contents of the published results."""

# What the published benchmark calls each kind of setting, and how it joins the level to its name of the dataset.
FOLDER_NAMES = {
    "standard": "Normal__{dataset}",
    "augmentation": "GaussNoise__Gauss_{level}_{dataset}",
    "shortcut": "Shortcut__ColorDot_{level}_{dataset}",
    "label_randomization": "Randomlabel__RandomLabel_{level}_{dataset}",
}
NOISE_LEVELS = {0: "Off", 25: "S", 50: "M", 75: "L", 100: "Max"}
LEVELS_OF_NOISE = {name: level for level, name in NOISE_LEVELS.items()}
ONLY_RESULTS = {"CIFAR10": "cifar10"}
"""A dataset of the published results that resi does not have, and its name in tables."""
_TRAINED_ON = re.compile(
    r"(?:(?:ColorDot_(?P<dots>\d+)|Gauss_(?P<noise>[A-Za-z]+)|RandomLabel_(?P<labels>\d+))_)?"
    r"(?P<dataset>[A-Za-z0-9]+?)_?(?:DataModule)?"
)


def own_names(trained_on: str, setting: str) -> tuple[str, str]:
    """Return the names of a dataset and a setting that the published results call ``trained_on`` and ``setting``.

    The level of a setting stands in the name of what a model was trained on, such as ``ColorDot_75_C100DataModule``.

    Raises
    ------
    ValueError
        If either is not known, or the two do not go together.
    """
    datasets = dict(ONLY_RESULTS)
    for known in image_datasets():
        for alias in known.published.aliases if known.published else ():
            datasets.setdefault(alias, known.name)
    found = _TRAINED_ON.fullmatch(trained_on)
    if found is None or found["dataset"] not in datasets:
        raise ValueError(f"unknown training set {trained_on!r}")
    settings = {
        "Normal": STANDARD,
        "Shortcut": found["dots"] and f"shortcut_{found['dots']}",
        "GaussNoise": found["noise"] in LEVELS_OF_NOISE and f"augmentation_{LEVELS_OF_NOISE[found['noise']]}",
        "Randomlabel": found["labels"] and f"label_randomization_{found['labels']}",
    }
    name = settings.get(setting)
    if not name:
        raise ValueError(f"setting {setting!r} does not go with training set {trained_on!r}")
    return datasets[found["dataset"]], name


def download_name(dataset: str) -> str:
    """Return the name of the models on a dataset in ``resi download``."""
    return f"{DOMAIN}_{dataset}"


def releases() -> dict[str, tuple[Release, ...]]:
    """Return the archives of the models on each dataset."""
    return {
        download_name(known.name): known.published.releases
        for known in image_datasets()
        if known.published and known.published.releases
    }


def levels(test: str, dataset: str) -> dict[str, tuple[int, ...]]:
    """Return the levels of a test's settings with published models on a dataset, by architecture."""
    about = image_dataset(dataset).published
    if about is None or test not in about.names:
        return {}
    found = tuple(split_setting(name)[1] for name in SETTINGS[test][max(SETTINGS[test])] if name != STANDARD)
    return {known.name: found for known in image_architectures() if known.published_name}


def published_folder(model: ModelSpec) -> str:
    """Return a model's folder in the archives, such as ``Normal__ImageNet100__ResNet18/groupid_0``.

    Raises
    ------
    UsageError
        If no such model was published.
    """
    published = image_dataset(model.dataset).published
    architecture = image_architecture(model.architecture).published_name
    kind, level = split_setting(model.setting)
    if published is None or kind not in published.names or not architecture:
        *names, last = (known.name for known in image_architectures() if known.published_name)
        datasets = " and ".join(known.name for known in image_datasets() if known.published)
        raise UsageError(
            f"models.source=published: no {model.architecture} on dataset={model.dataset} is published, but "
            f"{', '.join(names)} and {last} on {datasets}"
        )
    if level not in NOISE_LEVELS:
        raise unpublished_level(model.setting, SETTINGS[kind][max(SETTINGS[kind])])
    called = NOISE_LEVELS[level] if kind == "augmentation" else level
    name = FOLDER_NAMES[kind].format(level=called, dataset=published.names[kind])
    return f"{name}__{architecture}/groupid_{model.seed}"


def find_checkpoint(root: Path, model: ModelSpec) -> Path:
    """Return the file of a published model's weights, after a look at what its network was built from.

    Raises
    ------
    UsageError
        If no such model was published.
    DatasetError
        If its files are missing, or it is another network than resi builds.
    """
    name = published_folder(model)
    for folder in FOLDERS:
        for path in (root / folder / name / CHECKPOINT, *(root / folder).glob(f"*/{name}/{CHECKPOINT}")):
            if path.is_file():
                _check_network(path.parents[1] / "output.json", model)
                return path
    raise DatasetError(
        f"{root / FOLDERS[0] / name / CHECKPOINT} is missing: with models.source=published it holds {model.label}. "
        f"Download the published models with resi download {download_name(model.dataset)}, name their "
        "folder with models.root, or train models with models.source=train"
    )


def _check_network(path: Path, model: ModelSpec) -> None:
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}. It belongs to the published {model.label}.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} does not say what the published {model.label} was built from")
    for key, expected in image_network(model.architecture).built_from(image_dataset(model.dataset)).items():
        if found.get(key) != expected:
            raise CheckpointError(
                f"{path} has {key}={found.get(key)}; published networks on {model.dataset} have {expected}"
            )


def read_checkpoint(content: bytes, model: ModelSpec) -> Trained:
    """Return the weights of a published checkpoint, a dictionary of tensors without any code.

    Its accuracy is measured when its representations are taken.

    Raises
    ------
    ArtifactError
        If it is not such a dictionary, or does not fit the architecture.
    """
    import torch

    family = image_network(model.architecture)
    found = read_weights(io.BytesIO(content))
    state = family.from_published(found)
    with torch.device("meta"):
        network = family.build(model.architecture, as_built(model), image_dataset(model.dataset).classes)
    check_fit(network.state_dict(), state, model.label)
    return Trained(state, {}, sources=same_tensors(found, state))


def as_built(model: ModelSpec) -> Mapping[str, Any]:
    """Return the hyperparameters with which a model computes.

    Published models see CIFAR-100 normalized by the statistics of CIFAR-10, and published ResNets pool a corner of
    their last map on ImageNet100.
    """
    if not model.checkpoint:
        return model.hyperparameters
    dataset = image_dataset(model.dataset)
    changes = image_network(model.architecture).published_hyperparameters(dataset)
    if dataset.published is not None and dataset.published.statistics is not None:
        changes["normalization"] = dataset.published.statistics.name
    return {**model.hyperparameters, **changes}
