"""Hyperparameters of language models: the config keys that change them, and what else shapes the weights.

The benchmark's recipes are those of the families of networks. ``reviews`` and the tiny models are not in the published
benchmark; their values are chosen so that models of every setting learn what they are given.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resi.domains.groups import STANDARD
from resi.domains.language.local_files import LOCAL, local_hashes
from resi.domains.language.settings import kind_of
from resi.domains.overrides import put_over
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resi.domains.language.datasets.base import TextDataset
    from resi.domains.language.networks.base import TextNetwork, TransformerArchitecture

LAST = "last"
LOWEST_LOSS = "lowest_validation_loss"
RANDOM = "random"
BY_LENGTH = "by_length"
TINY_INSTRUCTION = "Judge the text."
"""Of networks that start from random weights: every word costs, and they know none."""
SHOWN_CHARACTERS = 80


@dataclass
class LanguageModelConfig:
    """Config of one architecture; a null key means the benchmark's value for the dataset and setting.

    Parameters
    ----------
    epochs : int, optional
        Passes over the training sentences.
    max_steps : int, optional
        Optimizer steps after which training ends, regardless of ``epochs``; 0 for no limit.
    batch_size : int, optional
        Sentences per forward pass.
    accumulation : int, optional
        Forward passes per optimizer step.
    batching : str, optional
        How rows are batched: at ``random``, or ``by_length`` (rows of similar length), which needs less padding.
    learning_rate, weight_decay : float, optional
        Learning rate and weight decay of AdamW.
    warmup : float, optional
        Share of the steps with linear warm-up of the learning rate from 0.
    schedule : str, optional
        Decay of the learning rate to 0 after warm-up: ``linear`` or ``cosine``.
    precision : str, optional
        ``float32`` or ``bfloat16``, in training and extraction; weights stay float32.
    max_length : int, optional
        Largest number of tokens of a training input; longer ones are truncated, except prompts of SmolLM2.
    checkpoint_every : int, optional
        Steps between checkpoints, from which a stopped training resumes.
    selection : str, optional
        The weights to keep: those of the ``last`` step, or of the checkpoint with ``lowest_validation_loss``.
    fine_tuning : str, optional
        For SmolLM2: ``full``, or ``lora`` for low-rank updates, which are merged into the weights at the end.
    lora_rank : int, optional
        Rank of the LoRA updates.
    pretrained : str, optional
        Weights to start from: a repository on the hub or a local folder, ``{seed}`` for the model's seed.
    tokenizer : str, optional
        A repository on the hub or a local folder, ``{seed}`` for the model's seed.
    instruction : str, optional
        For SmolLM2: the first line of prompts, ending in a full stop. Published models need that of their publishers.
    """

    epochs: int | None = None
    max_steps: int | None = None
    batch_size: int | None = None
    accumulation: int | None = None
    batching: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    warmup: float | None = None
    schedule: str | None = None
    precision: str | None = None
    max_length: int | None = None
    checkpoint_every: int | None = None
    selection: str | None = None
    fine_tuning: str | None = None
    lora_rank: int | None = None
    pretrained: str | None = None
    tokenizer: str | None = None
    instruction: str | None = None


CHOICES = {
    "batching": (RANDOM, BY_LENGTH),
    "schedule": ("linear", "cosine"),
    "precision": ("float32", "bfloat16"),
    "selection": (LAST, LOWEST_LOSS),
    "fine_tuning": ("full", "lora"),
}
# Smallest value of a hyperparameter, and its exclusive upper limit.
LIMITS = {
    "epochs": (1, math.inf),
    "max_steps": (0, math.inf),
    "batch_size": (1, math.inf),
    "accumulation": (1, math.inf),
    "learning_rate": (0, math.inf),
    "weight_decay": (0, math.inf),
    "warmup": (0, 1),
    "max_length": (8, 513),
    "checkpoint_every": (1, math.inf),
    "lora_rank": (1, math.inf),
}

COMMON: dict[str, Any] = {
    "epochs": 10,
    "max_steps": 0,
    "batch_size": 64,
    "accumulation": 1,
    "batching": RANDOM,
    "learning_rate": 5e-5,
    "weight_decay": 0.0,
    "warmup": 0.1,
    "schedule": "linear",
    "precision": "float32",
    "max_length": 128,
    "checkpoint_every": 1000,
    "selection": LAST,
}


def hyperparameters(
    family: TextNetwork,
    architecture: str,
    dataset: TextDataset,
    setting: str,
    overrides: Mapping[str, Any],
    selection: str = LAST,
) -> dict[str, Any]:
    """Return the family's recipe with those ``overrides`` that are set, and what else shapes the weights.

    Parameters
    ----------
    selection : str
        Rule for the weights that are kept, unless overridden.

    Raises
    ------
    UsageError
        If an override does not exist for the architecture, or does not fit.
    """
    benchmark = {**family.recipe(architecture, dataset, setting), "selection": selection}
    values = put_over(LanguageModelConfig, architecture, benchmark, overrides, CHOICES, LIMITS)
    _check_length(family.architecture(architecture), values)
    if "instruction" in values:
        check_instruction(f"model.{architecture}.instruction is", str(values["instruction"]))
    if values.get("fine_tuning") == "lora" and importlib.util.find_spec("peft") is None:
        raise UsageError(f"model.{architecture}.fine_tuning=lora needs the package peft: pip install 'resi[language]'")
    for name in LOCAL:
        if name in values and (digests := local_hashes(name, str(values[name]))):
            # Where files lie says nothing about what they are.
            values[f"{name}_sha256"] = digests
    if setting != STANDARD:
        values["rate"] = dataset.rate(setting)
    if kind_of(setting) == "augmentation":
        from resi.domains.language.wordnet import wordnet_hash

        values["wordnet_sha256"] = wordnet_hash()
    return values


def check_instruction(what: str, text: str) -> None:
    """Check a first line of prompts; ``what`` says where it comes from.

    Raises
    ------
    UsageError
        If it is not one line that ends in a full stop, before which hints are put.
    """
    if len(text.splitlines()) != 1 or not text.endswith("."):
        raise UsageError(f"{what} {text[:SHOWN_CHARACTERS]!r}: expected one line that ends in a full stop")


def _check_length(architecture: TransformerArchitecture, values: Mapping[str, Any]) -> None:
    name, positions = architecture.name, architecture.positions
    if values.get("max_length", 0) > positions:
        raise UsageError(f"model.{name}.max_length={values['max_length']}: {name} has {positions} positions")
