"""The published models of the language domain: where they lie, and reading them.

A model is a folder as ``transformers`` saves it, without a tokenizer. Names of folders tell dataset, seeds and rate; a
rate is a decimal number without its point, so that ``0558`` is 0.558 and ``10`` is 1.0.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.domains.language.designs import DESIGNS
from resi.domains.language.files import SOURCES
from resi.domains.language.settings import NEW_CLASSES, kind_of, rate_of
from resi.errors import ArtifactError, DatasetError, UsageError
from resi.fingerprints import hash_file
from resi.specs import Trained
from resi.store.checkpoints import CHANGED, WeightFile, read_safetensors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from resi.specs import ModelSpec

FOLDERS = ("models/nlp", "nlp", ".")
"""Where the folders of the architectures lie below ``models.root``."""
SMOLLM_VARIABLE = "RESI_SMOLLM_PATH"
"""Names the folder of SmolLM2's models where they lie elsewhere, as the published code has it."""
WHOLE, PARTS = "model.safetensors", "model.safetensors.index.json"
CLASSES = {name: len(source.classes) for name, source in SOURCES.items()}
DATASETS = {"sst2": "sst2", "mnli": "glue__mnli"}
ARCHITECTURES = ("bert", "albert", "smollm2")

# The seeds of some published models are not those they count as.
ALBERT_SST2_STANDARD_SEED = 123
ALBERT_SST2_MEMORIZING_SEEDS = {0: 6}
"""With 75 % random labels the model of seed 0 did not converge and was replaced."""


def published_folders(model: ModelSpec) -> tuple[str, ...]:
    """Return the names that a model's folder may have, relative to ``models/nlp``, the current one first.

    Raises
    ------
    UsageError
        If no such model was published.
    """
    if model.architecture not in ARCHITECTURES or model.dataset not in DATASETS:
        raise UsageError(
            f"models.source=published: no {model.architecture} on dataset={model.dataset} is published, but bert, "
            "albert and smollm2 on sst2 and mnli"
        )
    if model.architecture == "smollm2":
        return (_smollm_folder(model),)
    name = _encoder_folder(model)
    # The first release had no folder for BERT.
    return (f"{model.architecture}/{name}", name) if model.architecture == "bert" else (f"{model.architecture}/{name}",)


def places_of(root: Path, model: ModelSpec) -> list[Path]:
    """Return the folders in which a published model may lie."""
    names = published_folders(model)
    places = [root / folder / name for folder in FOLDERS for name in names]
    if model.architecture == "smollm2" and (elsewhere := os.environ.get(SMOLLM_VARIABLE)):
        places.insert(0, Path(elsewhere).expanduser() / names[0].removeprefix("smollm/"))
    return places


def _encoder_folder(model: ModelSpec) -> str:
    kind, rate = kind_of(model.setting), rate_of(model.setting, model.dataset)
    code = encode_rate(rate)
    seed = model.seed
    if model.architecture == "albert" and model.dataset == "sst2":
        if kind == "standard":
            seed += ALBERT_SST2_STANDARD_SEED
        elif model.setting == "label_randomization_75":
            seed = ALBERT_SST2_MEMORIZING_SEEDS.get(seed, seed)
    pretraining = 0 if model.architecture == "albert" else seed
    name = f"{DATASETS[model.dataset]}_pre{pretraining}_ft{seed}"
    if kind == "standard":
        bert_on_sst2 = model.architecture == "bert" and model.dataset == "sst2"
        return f"standard/{f'sst2_pretrain{seed}_finetune{seed}' if bert_on_sst2 else name}"
    if kind == "shortcut":
        # This one rate was given as a whole number.
        whole = model.architecture == "bert" and model.dataset == "mnli" and rate == 1.0
        return f"shortcut/{name}_scrate{'1' if whole else code}"
    if kind == "label_randomization":
        return f"memorizing/{name}_labels5_strength{code}"
    return f"augmentation/{name}_eda_strength{code}"


def _smollm_folder(model: ModelSpec) -> str:
    kind, rate = kind_of(model.setting), rate_of(model.setting, model.dataset)
    if kind == "augmentation":
        raise UsageError("models.source=published: no smollm2 was trained on augmented texts; choose another test")
    part = {
        "standard": "",
        "shortcut": f"-shortcut{encode_rate(rate)}",
        "label_randomization": f"-mem{encode_rate(rate)}",
    }
    name = f"{model.dataset}{part[kind]}"
    if name == "sst2-shortcut10":
        name = "sst2-shortcut"
    return f"smollm/ft_smollm2_1-7b_{name}_seed{model.seed}_bs16_ff/checkpoint-500"


def encode_rate(rate: float) -> str:
    """Return a rate as the published names have it."""
    return str(float(rate)).replace(".", "")


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
        f"models with resi download {'smollm2' if model.architecture == 'smollm2' else 'language'}, name their folder "
        "with models.root, or train models with models.source=train"
    )


def hash_checkpoint(path: Path, hash_file: Callable[[Path], str] = hash_file) -> str:
    """Return the sha256 of a file, or, if it lists parts, of their hashes."""
    return _hash_of(path, {part: hash_file(part) for part in _weight_files(path)})


def _hash_of(path: Path, hashes: Mapping[Path, str]) -> str:
    if path.name != PARTS:
        return hashes[path]
    lines = "".join(f"{part.name} {found}\n" for part, found in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _weight_files(path: Path) -> list[Path]:
    return _parts(path) if path.name == PARTS else [path]


def _parts(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise DatasetError(f"{index} is no index of weights: {error}") from error
    parts = [index.with_name(Path(str(name)).name) for name in sorted(names)]
    for part in parts:
        if not part.is_file():
            raise DatasetError(f"{part} is missing; {index} names it")
    return parts


def read_published(path: Path, model: ModelSpec) -> Trained:
    """Return a published model with the tokenizer it was trained with; its accuracy is measured on the probe set.

    Raises
    ------
    ArtifactError
        If the files are damaged, have changed since the run was planned, or are another network's.
    """
    import torch

    from resi.domains.language.hyperparameters import check_local_files
    from resi.domains.language.networks import build_config, build_network, check_config, check_fit
    from resi.domains.language.tokenization import STATE_KEY, add_hint_tokens, load_tokenizer, to_tensor

    tensors, files = _read_weights(path, model.checkpoint)
    tokenizer = load_tokenizer(str(model.hyperparameters["tokenizer"]).format(seed=model.seed))
    design = DESIGNS[model.architecture]
    kind, classes = kind_of(model.setting), CLASSES[model.dataset]
    if kind == "shortcut" and not design.is_causal:
        add_hint_tokens(tokenizer, classes)
    rows = _embedding_rows(tensors, design.family)
    if rows < tokenizer.get_vocab_size():
        raise ArtifactError(
            f"has {rows} token embeddings, fewer than the {tokenizer.get_vocab_size()} tokens of "
            f"{model.hyperparameters['tokenizer']}: the tokenizer is another model's"
        )
    config = build_config(model.architecture, rows, classes + (NEW_CLASSES if kind == "label_randomization" else 0))
    check_config(_read_config(path), config)
    with torch.device("meta"):
        network = build_network(config)
    check_fit(network, tensors, model.label)
    check_local_files(model.hyperparameters)
    return Trained({**tensors, STATE_KEY: to_tensor(tokenizer)}, {}, files)


def _embedding_rows(tensors: dict[str, Tensor], family: str) -> int:
    from resi.domains.language.networks import EMBEDDINGS

    name = EMBEDDINGS[family]
    if name not in tensors:
        raise ArtifactError(f"has no weights {name}")
    return tensors[name].shape[0]


def _read_weights(path: Path, expected: str) -> tuple[dict[str, Tensor], tuple[WeightFile, ...]]:
    """Return all weights in float32, and which file has which.

    Buffers that older versions of ``transformers`` saved with them are left out.
    """
    from resi.domains.language.networks import TIED

    tensors: dict[str, Tensor] = {}
    hashes: dict[Path, str] = {}
    files = []
    for file in _weight_files(path):
        found, hashes[file] = read_safetensors(file)
        kept = {
            name: tensor.float()
            for name, tensor in found.items()
            if not name.endswith((".position_ids", ".inv_freq")) and name != TIED
        }
        tensors |= kept
        files.append(WeightFile(str(file.absolute()), hashes[file], tuple(sorted(kept))))
    if expected and _hash_of(path, hashes) != expected:
        raise ArtifactError(CHANGED)
    return tensors, tuple(files)


def _read_config(path: Path) -> dict[str, Any]:
    config = path.with_name("config.json")
    try:
        found: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"lacks its {config.name}, which tells what network it is: {error}") from error
    return found
