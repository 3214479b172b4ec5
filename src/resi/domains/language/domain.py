"""The language domain, as plain data; training and extraction import transformers when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi import registry
from resi.domains.base import Domain
from resi.domains.language import published as published_models
from resi.domains.language.hyperparameters import LAST, LOWEST_LOSS, LanguageModelConfig, hyperparameters
from resi.domains.language.instructions import find_instruction
from resi.domains.language.lookup import text_architecture, text_dataset, text_network
from resi.domains.language.networks.base import TextNetwork
from resi.domains.language.networks.folders import RESULTS
from resi.domains.language.settings import LEVELS, NEW_CLASSES, SETTINGS, kind_of, shortcut_probe
from resi.domains.language.weight_files import hash_weights
from resi.errors import UsageError
from resi.fingerprints import hash_file
from resi.specs import DatasetSpec, Extraction, ForwardPass, ModelSpec, ProbeSpec, Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from resi.domains.published_models import PublishedModel
    from resi.domains.releases import Release

TRAINING_VERSION = 2
DEFAULT = "default"
SMALL_PARAMETERS = 10**7
FLOAT_BYTES = 4
TOKENIZER_BYTES = 60
"""About, of a tokenizer with its merges, for each entry of its vocabulary."""


class LanguageDomain(Domain):
    """Text classification."""

    name = "language"
    title = "text classification with BERT, ALBERT and SmolLM2"
    extra = "language"
    default_dataset = "reviews"
    default_models = ("bert_tiny", "albert_tiny", "smollm2_tiny")
    model_config = LanguageModelConfig
    settings_by_test = SETTINGS
    trained_levels = LEVELS
    representations = (DEFAULT, "cls", "mean", "last")
    published_keys = ("tokenizer", "instruction")
    published_prefix = "NLP"
    published_results = RESULTS
    published_settings = r"Normal|(?:Augmentation|RandomLabels|Shortcut)_\d+"
    published_poolings = ("cls", "mean")

    def requires(self) -> tuple[str, ...]:
        """Return transformers and what it needs to train, and to read tokenizers and datasets."""
        return ("transformers", "accelerate", "tokenizers", "datasets")

    def own_names(self, trained_on: str, setting: str) -> tuple[str, str]:
        """Return the names here of a dataset and a setting with the published names ``trained_on`` and ``setting``.

        What was done to the texts may follow the name of the dataset.

        Raises
        ------
        ValueError
            If either is not known.
        """
        found = map(text_dataset, registry.datasets(self.name))
        published = {dataset.published_name: dataset for dataset in found if dataset.published_name}
        dataset = published.get(trained_on.partition("_")[0])
        if dataset is None:
            raise ValueError(f"unknown training set {trained_on!r}")
        return dataset.name, published_models.own_setting(dataset, setting)

    def published_levels(self, test: str, dataset: str) -> dict[str, tuple[int, ...]]:
        """Return the levels with published models on a dataset, as stated by the families."""
        if not text_dataset(dataset).published_name:
            return {}
        levels = {item.name: text_network(item.name).published_levels.get(test, ()) for item in self.architectures()}
        return {name: found for name, found in levels.items() if found and text_architecture(name).published_name}

    def published_models(self) -> Iterable[PublishedModel]:
        """Return the published models with their published names and their names here."""
        from resi.domains.language.published_models import published_models

        return published_models()

    def releases(self) -> dict[str, tuple[Release, ...]]:
        """Return the archives of the families; encoders have theirs together."""
        found: dict[str, tuple[Release, ...]] = {}
        for family in self.networks():
            if isinstance(family, TextNetwork) and family.releases:
                found[family.download] = tuple(dict.fromkeys((*found.get(family.download, ()), *family.releases)))
        return found

    def own_probe(self, probe: str) -> str:
        """Return a probe set's name without alterations at rate 0, such as ``sst2`` for ``sst2_aug_rate0``."""
        return published_models.own_probe(probe)

    def published_pooling(self, architecture: str) -> str | None:
        """Return the last token for causal models; for encoders the files do not state the token."""
        return "last" if text_network(architecture).is_causal else None

    def hyperparameters(
        self, architecture: str, dataset: str, setting: str, overrides: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the benchmark's hyperparameters for the dataset and setting, with those ``overrides`` that are set.

        The published protocol keeps the weights of the lowest validation loss; of random labels those are the ones that
        have memorised least.
        """
        selection = LOWEST_LOSS if self.protocol.is_published else LAST
        family = text_network(architecture)
        return hyperparameters(family, architecture, text_dataset(dataset), setting, overrides, selection)

    def probe(self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any], test: str) -> ProbeSpec:
        """Return the evaluation sentences and the last hidden state; for layer tests all hidden states.

        The embeddings (state 0) of the first token, or of the last one of a prompt, are the same for every sentence, so
        that nothing can be compared; the published protocol has them nevertheless.
        """
        family, split = text_network(architecture), text_dataset(dataset).probe_split
        layers = family.architecture(architecture).layers
        pooling = family.pooling(self.representation, architecture)
        probe = shortcut_probe(split) if test == "shortcut" else split
        if test != "layer_monotonicity":
            return ProbeSpec(probe, (str(layers),), pooling)
        first = 0 if pooling == "mean" or self.protocol.is_published else 1
        return ProbeSpec(probe, tuple(str(layer) for layer in range(first, layers + 1)), pooling)

    def check_foreign(self, architecture: str, trained_on: str, dataset: str, test: str) -> None:
        """Check that a model is an encoder, which reads any texts, and knows the hints of the other dataset.

        Raises
        ------
        UsageError
            If it is a causal model, which is asked in the words of its own dataset, or has fewer hints.
        """
        if text_network(architecture).is_causal:
            raise UsageError(
                f"by=dataset: {architecture} trained on {trained_on} cannot be prompted about {dataset}: it has "
                "prompts for its own dataset only; choose an encoder"
            )
        known, needed = (len(text_dataset(name).classes) for name in (trained_on, dataset))
        if test == "shortcut" and known != needed:
            raise UsageError(
                f"by=dataset: {architecture} trained on {trained_on} knows hints at {known} classes, and the input of "
                f"test=shortcut on {dataset} has {needed}; choose another test"
            )

    def representation_size(
        self, architecture: str, dataset: str, hyperparameters: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the numbers of evaluation sentences and of hidden features."""
        del hyperparameters
        return text_dataset(dataset).probe_size, text_architecture(architecture).width

    def weight_bytes(self, model: ModelSpec) -> int | None:
        """Return the bytes of a model's weights and its tokenizer; of a published model those of the tokenizer."""
        family = text_network(model.architecture)
        tokenizer = TOKENIZER_BYTES * text_architecture(model.architecture).vocabulary
        count = 0 if model.checkpoint else family.weight_count(model.architecture, self.classes_of(model))
        return None if count is None else FLOAT_BYTES * count + tokenizer

    def classes_of(self, model: ModelSpec) -> int:
        """Return the number of classes, those that random labels add included."""
        added = NEW_CLASSES if kind_of(model.setting) == "label_randomization" else 0
        return len(text_dataset(model.dataset).classes) + added

    def repositories(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the sources of a model's initial weights and tokenizer."""
        keys = ("tokenizer",) if model.checkpoint else ("pretrained", "tokenizer")
        found = (str(model.hyperparameters.get(key, "")).format(seed=model.seed) for key in keys)
        return tuple(dict.fromkeys(filter(None, found)))

    def locate(self, dataset: str, root: Path | None, downloads: Path, may_download: bool = True) -> DatasetSpec:
        """Find and hash a dataset's files, or fetch them from the hub."""
        return text_dataset(dataset).locate(root, downloads, may_download)

    def train(
        self, spec: ModelSpec, dataset: DatasetSpec, device: torch.device, unfinished: Path | None = None
    ) -> Trained:
        """Train a model, resuming from the last checkpoint of an interrupted training."""
        from resi.domains.language.training import train

        return train(spec, dataset, device, unfinished)

    def extract(self, run: ForwardPass) -> Iterator[Extraction]:
        """Run a model once over the evaluation sentences, and keep pooled hidden states."""
        from resi.domains.language.extraction import extract

        return extract(run)

    def is_small(self, model: ModelSpec) -> bool:
        """Return whether the network is tiny."""
        return text_architecture(model.architecture).parameters < SMALL_PARAMETERS

    def warm_up(self, dataset: DatasetSpec, architectures: Sequence[str]) -> None:
        """Import the networks of transformers."""
        del dataset
        from resi.domains.language import extraction, training  # noqa: F401

        for architecture in architectures:
            text_network(architecture).transformers_classes()

    def published_paths(self, model: ModelSpec) -> tuple[str, ...]:
        """Return the folders that a published model may have."""
        return tuple(f"{published_models.FOLDERS[0]}/{name}" for name in published_models.published_folders(model))

    def checkpoint(self, root: Path, model: ModelSpec) -> Path:
        """Return the file of a published model's weights, in the folders of the published archives."""
        return published_models.find_checkpoint(root, model)

    def hash_checkpoint(self, path: Path, hash_file: Callable[[Path], str] = hash_file) -> str:
        """Return the hash of all parts of a published model's weights."""
        return hash_weights(path, hash_file)

    def read_published(self, path: Path, model: ModelSpec, dataset: DatasetSpec, device: torch.device) -> Trained:
        """Return a published model from its folder, with its tokenizer from the hub or a local folder."""
        return published_models.read_published(path, model)

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
