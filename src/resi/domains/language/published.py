"""The published models of the language domain and their names in the published results.

A model is a folder as ``transformers`` saves it, without a tokenizer; its family knows the folder's name.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.domains.groups import STANDARD, split_setting, unpublished_level
from resi.domains.language.local_files import check_local_files
from resi.domains.language.lookup import text_architecture, text_dataset, text_network
from resi.domains.language.settings import NEW_CLASSES, QUARTERS, SETTINGS, kind_of
from resi.domains.language.weight_files import PARTS, WHOLE, combined_hash, weight_files
from resi.errors import ArtifactError, DatasetError, UsageError
from resi.specs import Trained, WeightFile
from resi.store.checkpoints import CHANGED, read_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from resi.domains.language.datasets.base import TextDataset
    from resi.specs import ModelSpec

FOLDERS = ("models/nlp", "nlp", ".")
"""Where the folders of the architectures lie below ``models.root``."""
UNALTERED = ("Normal", "Augmentation_0", "RandomLabels_0")
"""Published names of the setting ``standard``."""
KINDS = {"Augmentation": "augmentation", "RandomLabels": "label_randomization", "Shortcut": "shortcut"}
"""Published names of the other settings, without their level."""


def own_setting(dataset: TextDataset, setting: str) -> str:
    """Return the name of a setting that the published results call ``setting``.

    Raises
    ------
    ValueError
        If there is none.
    """
    if setting in UNALTERED:
        return STANDARD
    kind, _, level = setting.partition("_")
    if kind not in KINDS or not level.isdecimal():
        raise ValueError(f"unknown setting {setting!r}")
    if kind == "Shortcut":
        # A share without its decimal point: 0558 is 0.558, 10 and 1 are 1.
        share = float(f"{level[0]}.{level[1:]}")
        levels = [str(level) for level, rate in dataset.shortcut_rates.items() if rate == share]
        if not levels:
            raise ValueError(f"unknown share of hints {share} of {setting!r}")
        level = levels[0]
    return f"{KINDS[kind]}_{level}"


def own_probe(probe: str) -> str:
    """Return the name of a probe set without a rate of 0, at which nothing of it is altered."""
    return re.sub(r"_(aug|mem)_rate0$", "", probe)


def published_folders(model: ModelSpec) -> tuple[str, ...]:
    """Return the names that a model's folder may have, relative to ``models/nlp``, the current one first.

    Raises
    ------
    UsageError
        If no such model was published.
    """
    dataset = text_dataset(model.dataset)
    if not (text_architecture(model.architecture).published_name and dataset.published_name):
        families = registry.networks(dataset.domain)
        architectures = [name for name in families if text_architecture(name).published_name]
        datasets = [name for name in registry.datasets(dataset.domain) if text_dataset(name).published_name]
        raise UsageError(
            f"models.source=published: no {model.architecture} on dataset={model.dataset} is published, but "
            f"{_listed(architectures)} on {_listed(datasets)}"
        )
    kind, level = split_setting(model.setting)
    if level not in (0, *QUARTERS):
        raise unpublished_level(model.setting, SETTINGS[kind][max(SETTINGS[kind])])
    return text_network(model.architecture).published_folders(model, dataset)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def places_of(root: Path, model: ModelSpec) -> list[Path]:
    """Return the folders in which a published model may lie."""
    names = published_folders(model)
    elsewhere = text_network(model.architecture).published_elsewhere(names[0])
    places = [root / folder / name for folder in FOLDERS for name in names]
    return places if elsewhere is None else [elsewhere, *places]


def find_checkpoint(root: Path, model: ModelSpec) -> Path:
    """Return the file of a published model's weights, or the index of its parts.

    Raises
    ------
    UsageError
        If no such model was published.
    DatasetError
        If its file is missing: the message names it.
    """
    places = places_of(root, model)
    for place in places:
        for name in (WHOLE, PARTS):
            if (place / name).is_file():
                return place / name
    raise DatasetError(
        f"{places[0] / WHOLE} is missing: with models.source=published it holds {model.label}. Fetch the published "
        f"models with resi download {text_network(model.architecture).download}, name their folder "
        "with models.root, or train models with models.source=train"
    )


def read_published(path: Path, model: ModelSpec) -> Trained:
    """Return a published model with the tokenizer it was trained with; its accuracy is measured on the probe set.

    Raises
    ------
    ArtifactError
        If the files are damaged, have changed since the run was planned, or are another network's.
    """
    import torch

    from resi.domains.language.building import check_network_fit
    from resi.domains.language.tokenization import STATE_KEY, add_hint_tokens, load_tokenizer, to_tensor

    family = text_network(model.architecture)
    tensors, files = _read_weights(path, model.checkpoint, family.tied)
    tokenizer = load_tokenizer(str(model.hyperparameters["tokenizer"]).format(seed=model.seed))
    kind, classes = kind_of(model.setting), len(text_dataset(model.dataset).classes)
    if kind == "shortcut" and not family.is_causal:
        add_hint_tokens(tokenizer, classes)
    rows = _embedding_rows(tensors, family.embeddings)
    if rows < tokenizer.get_vocab_size():
        raise ArtifactError(
            f"has {rows} token embeddings, fewer than the {tokenizer.get_vocab_size()} tokens of "
            f"{model.hyperparameters['tokenizer']}: the tokenizer is another model's"
        )
    config = family.config(model.architecture, rows, classes + (NEW_CLASSES if kind == "label_randomization" else 0))
    family.check_config(_read_config(path), config)
    with torch.device("meta"):
        network = family.build(config)
    check_network_fit(family, network, tensors, model.label)
    check_local_files(model.hyperparameters)
    return Trained({**tensors, STATE_KEY: to_tensor(tokenizer)}, {}, files)


def _embedding_rows(tensors: dict[str, Tensor], name: str) -> int:
    if name not in tensors:
        raise ArtifactError(f"has no weights {name}")
    return tensors[name].shape[0]


def _read_weights(path: Path, expected: str, tied: str) -> tuple[dict[str, Tensor], tuple[WeightFile, ...]]:
    """Return all weights in float32, and which file has which.

    Buffers that older versions of ``transformers`` saved with them, and ``tied`` weights, are left out.
    """
    tensors: dict[str, Tensor] = {}
    hashes: dict[Path, str] = {}
    files = []
    try:
        parts = weight_files(path)
    except DatasetError as error:
        raise ArtifactError(f"cannot be read: {error}") from error
    for file in parts:
        found, hashes[file] = read_safetensors(file)
        kept = {
            name: tensor.float()
            for name, tensor in found.items()
            if not name.endswith((".position_ids", ".inv_freq")) and name != tied
        }
        tensors |= kept
        files.append(WeightFile(str(file.absolute()), hashes[file], tuple(sorted(kept))))
    if expected and combined_hash(path, hashes) != expected:
        raise ArtifactError(CHANGED)
    return tensors, tuple(files)


def _read_config(path: Path) -> dict[str, Any]:
    config = path.with_name("config.json")
    try:
        found: object = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"lacks its {config.name}, which says what network it is: {error}") from error
    if not isinstance(found, dict):
        raise ArtifactError(f"has a {config.name} that does not say what network it is")
    return found
