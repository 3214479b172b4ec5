"""What the language domain offers, as plain data; training and extraction load transformers when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.domains.base import Domain
from resi.domains.language import files, published
from resi.domains.language.designs import DESIGNS
from resi.domains.language.hyperparameters import LAST, LOWEST_LOSS, LanguageModelConfig, hyperparameters
from resi.domains.language.instructions import find_instruction
from resi.domains.language.settings import PROBE_SPLIT, SETTINGS, shortcut_probe
from resi.errors import UsageError
from resi.fingerprints import hash_file
from resi.specs import (
    ArchitectureInfo,
    DatasetInfo,
    DatasetSpec,
    Extraction,
    ForwardPass,
    ModelSpec,
    ProbeSpec,
    Trained,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import torch

PROBE_SENTENCES = {"mnli": 9815, "reviews": 350, "sst2": 872}
BERT_WIDTH = 768
TRAINING_VERSION = 2

BERT = "Devlin et al., NAACL 2019"
ALBERT = "Lan et al., ICLR 2020"
SMOLLM2 = "Ben Allal et al., arXiv:2502.02737"
ARCHITECTURES = (
    ArchitectureInfo("albert", "12 layers that share weights, ALBERT base v2", "albert-base-v2", ALBERT),
    ArchitectureInfo("bert", "12 layers, MultiBERTs", "BERT-L", "Sellam et al., ICLR 2022"),
    ArchitectureInfo("smollm2", "24 layers, 1.7 billion parameters, asked by prompts", "smollm2-1.7b", SMOLLM2),
    ArchitectureInfo("albert_tiny", "4 layers that share weights, 1.3 million parameters", "", ALBERT),
    ArchitectureInfo("bert_tiny", "4 layers, 1.1 million parameters", "", BERT),
    ArchitectureInfo("smollm2_tiny", "4 layers, 0.9 million parameters, asked by prompts", "", SMOLLM2),
)
DEFAULT = "default"


class LanguageDomain(Domain):
    """Text classification."""

    name = "language"
    title = "text classification with BERT, ALBERT and SmolLM2"
    extra = "language"
    default_dataset = "reviews"
    default_models = ("bert_tiny", "albert_tiny", "smollm2_tiny")
    model_config = LanguageModelConfig
    settings_by_test = SETTINGS
    representations = (DEFAULT, "cls", "mean", "last")
    published_keys = ("tokenizer", "instruction")

    def requires(self) -> tuple[str, ...]:
        """Return transformers and what it needs to train, and to read tokenizers and datasets."""
        return ("transformers", "accelerate", "tokenizers", "datasets")

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """Return the datasets."""
        return (
            DatasetInfo(
                "mnli",
                "392702 pairs of premise and hypothesis, 3 classes; 9815 matched validation pairs",
                "nyu-mll/glue on the hub",
            ),
            DatasetInfo(
                "reviews", "1500 short film reviews, 2 classes; 350 test sentences", "written for resi", embedded=True
            ),
            DatasetInfo(
                "sst2",
                "67349 phrases of film reviews, 2 classes; 872 validation sentences",
                "stanfordnlp/sst2 on the hub",
            ),
        )

    def architectures(self) -> tuple[ArchitectureInfo, ...]:
        """Return the architectures."""
        return ARCHITECTURES

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset and setting, with those ``overrides`` that are set.

        The published protocol keeps the weights of the lowest validation loss; of random labels those are the ones that
        have memorised least.
        """
        selection = LOWEST_LOSS if self.protocol == "published" else LAST
        return hyperparameters(architecture, dataset, setting, overrides, selection)

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the evaluation sentences and the last hidden state; for layer tests all hidden states.

        The embeddings (state 0) of the first token, or of the last one of a prompt, are the same for every sentence, so
        that nothing can be compared; the published protocol has them nevertheless.
        """
        design = DESIGNS[architecture]
        pooling = self._pooling(architecture)
        split = PROBE_SPLIT[dataset]
        probe = shortcut_probe(split) if test == "shortcut" else split
        if test != "layer_monotonicity":
            return ProbeSpec(probe, (str(design.layers),), pooling)
        first = 0 if pooling == "mean" or self.protocol == "published" else 1
        return ProbeSpec(probe, tuple(str(layer) for layer in range(first, design.layers + 1)), pooling)

    def _pooling(self, architecture: str) -> str:
        causal = DESIGNS[architecture].is_causal
        if self.representation == DEFAULT:
            return "last" if causal else "cls"
        if causal and self.representation == "cls":
            raise UsageError(
                f"representation=cls: the first token of {architecture} sees no other one and is the same for every "
                "sentence; choose last or mean"
            )
        return self.representation

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of evaluation sentences and of hidden features."""
        del hyperparameters
        return PROBE_SENTENCES[dataset], DESIGNS[architecture].config.get("hidden_size", BERT_WIDTH)

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and hash a dataset's files, or fetch them from the hub."""
        return files.locate(dataset, root, downloads, may_download)

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model, going on after the last checkpoint of a training that was stopped."""
        from resi.domains.language.training import train

        return train(spec, dataset, device, unfinished)

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a model once over the evaluation sentences, and keep pooled hidden states."""
        from resi.domains.language.extraction import extract

        return extract(run)

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file of a published model's weights, in the folders of the published archives."""
        return published.find_checkpoint(root, model)

    def hash_checkpoint(self, path: Path, hash_file: Callable[[Path], str] = hash_file) -> str:
        """Return the hash of all parts of a published model's weights."""
        return published.hash_checkpoint(path, hash_file)

    def read_published(self, path: Path, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its folder, with its tokenizer from the hub or a local folder."""
        return published.read_published(path, model)

    def training_version(self) -> int:
        """Return the version number of the training code."""
        return TRAINING_VERSION

    def published_hyperparameters(
        self, root: Path, model: ModelSpec, overrides: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the hyperparameters with the first line of prompts that the publishers trained a model with."""
        if "instruction" not in model.hyperparameters or overrides.get("instruction") is not None:
            return model.hyperparameters
        return {**model.hyperparameters, "instruction": find_instruction(root, model)}
