"""A family of transformers as one object: building, extraction, inputs, training and published models."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from resi.domains.base import NetworkFamily
from resi.domains.groups import STANDARD
from resi.domains.language.hyperparameters import COMMON, TINY_INSTRUCTION
from resi.domains.language.networks.folders import encode_rate
from resi.domains.language.settings import kind_of
from resi.domains.overrides import changed_by_dataset
from resi.domains.published_models import SEEDS, STANDARD_SEEDS
from resi.errors import ArtifactError, UsageError
from resi.specs import ArchitectureInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tokenizers import Tokenizer
    from transformers import PreTrainedConfig

    from resi.domains.language.datasets.base import TextDataset
    from resi.domains.releases import Release
    from resi.specs import ModelSpec

Network: TypeAlias = Any
"""A ``PreTrainedModel``; the methods of ``transformers`` have no types."""
SEGMENTS = 2
"""Of an encoder's input, each with an embedding."""
MEMORIZING_EPOCHS = 8
"""At least, of networks that start from random weights: random labels take longer to learn than true ones."""


@dataclass(frozen=True, kw_only=True)
class TransformerArchitecture(ArchitectureInfo):
    """What an architecture is built from.

    Attributes
    ----------
    layers : int
        Transformer blocks; there is one hidden state more than that, the embeddings.
    width : int
        Features of a hidden state.
    vocabulary : int
        Size of the tokenizer's vocabulary; of a trained one the largest it may get.
    positions : int
        Most tokens of an input.
    hub : str
        Repository of weights and tokenizer, ``{seed}`` for the model's seed; empty for networks that start from random
        weights and a tokenizer trained on the data.
    config : mapping
        Of the ``transformers`` config, where it differs from the family's defaults.
    recipe : mapping
        Hyperparameters, where they differ from the family's.
    """

    layers: int
    width: int
    vocabulary: int
    positions: int = 512
    hub: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """About how many weights it has: those of blocks and of embeddings."""
        return 12 * self.layers * self.width**2 + self.vocabulary * self.width


def encoder_layer(width: int, inner: int) -> int:
    """Return the number of weights of an encoder's layer: attention, two matrices between, two norms, all vectors."""
    return 4 * (width + 1) * width + 2 * width * inner + inner + 5 * width


class TextNetwork(NetworkFamily):
    """A family of networks of ``transformers``.

    A family is an encoder with a classification head, or a causal language model that reads the answer to a prompt off
    its next token.
    """

    domain: ClassVar[str] = "language"
    architectures: ClassVar[tuple[TransformerArchitecture, ...]]
    is_causal: ClassVar[bool] = False
    """Whether it is a causal language model, which is asked by a prompt."""
    projects_embeddings: ClassVar[bool] = False
    """Whether state 0 is a product with a matrix; else it is read from a table and never of half precision."""
    embeddings: ClassVar[str]
    """Name of the weights of token embeddings."""
    output: ClassVar[str] = ""
    """Name of the weights of the classification head; empty where there is none."""
    tied: ClassVar[str] = ""
    """Name of weights that are those of the embeddings again and are not stored; empty where there are none."""
    checked: ClassVar[tuple[str, ...]] = (
        "model_type",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "hidden_act",
    )
    """Values of a config that decide how a checkpoint computes and may not show in the shapes of its weights."""
    low_rank_targets: ClassVar[tuple[str, ...]] = ()
    """Modules that ``fine_tuning=lora`` updates."""
    download: ClassVar[str] = "language"
    """Name of the published models in ``resi download``."""
    published_levels: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    """Levels of the settings of a test of which there are published models, by the test."""
    releases: ClassVar[tuple[Release, ...]] = ()
    """Their archives."""
    published_seeds_on: ClassVar[Mapping[tuple[str, str], range]] = {}
    """Their seeds by dataset and setting, where there are more than of most."""

    def architecture(self, name: str) -> TransformerArchitecture:
        """Return one of the family's architectures."""
        return next(architecture for architecture in self.architectures if architecture.name == name)

    def published_seeds(self, dataset: TextDataset, setting: str) -> dict[int, int]:
        """Return the seeds of the published models of a setting: what they are here, and what they are there."""
        usual = STANDARD_SEEDS if setting == STANDARD else SEEDS
        seeds = self.published_seeds_on.get((dataset.name, setting), usual)
        return {seed: self.published_seed(dataset, setting, seed) for seed in seeds}

    def published_seed(self, dataset: TextDataset, setting: str, seed: int) -> int:
        """Return the seed that a published model has in its names."""
        del dataset, setting
        return seed

    def published_rate(self, dataset: TextDataset, setting: str) -> str:
        """Return the rate of a setting as the names of published training sets have it."""
        return encode_rate(dataset.rate(setting))

    @abstractmethod
    def transformers_classes(self) -> tuple[Any, Any]:
        """Return the classes of the config and of the network."""

    def weight_count(self, name: str, classes: int) -> int | None:
        """Return how many weights an architecture has, by which plans estimate disk; None if it is not known.

        Of a trained tokenizer, as many as it may have at most.
        """
        del name, classes
        return None

    def config(self, name: str, vocabulary: int, classes: int) -> PreTrainedConfig:
        """Return the config of an architecture; a causal model has no use for ``classes``."""
        architecture = self.architecture(name)
        labels: dict[str, Any] = {} if self.is_causal else {"num_labels": classes}
        config: PreTrainedConfig = self.transformers_classes()[0](
            num_hidden_layers=architecture.layers,
            hidden_size=architecture.width,
            max_position_embeddings=architecture.positions,
            vocab_size=vocabulary,
            **architecture.config,
            **labels,
            attn_implementation="sdpa",
        )
        return config

    def build(self, config: PreTrainedConfig) -> Network:
        """Return a network with random weights from torch's generator, in float32."""
        return self.transformers_classes()[1](config)

    @abstractmethod
    def train_tokenizer(self, corpus: list[str], vocabulary: int) -> Tokenizer:
        """Return a tokenizer of the family's kind, trained on texts; training twice has to give the same one."""

    def pooling(self, asked: str, architecture: str) -> str:
        """Return how the tokens of a row become one vector; ``default`` is the first token, or the last of a prompt.

        Raises
        ------
        UsageError
            If that would be the same vector for every row.
        """
        if asked == "default":
            return "last" if self.is_causal else "cls"
        if self.is_causal and asked == "cls":
            raise UsageError(
                f"representation=cls: the first token of {architecture} sees no other one and is the same for every "
                "sentence; choose last or mean"
            )
        return asked

    def recipe(self, name: str, dataset: TextDataset, setting: str) -> dict[str, Any]:
        """Return the benchmark's hyperparameters of an architecture on a dataset in a setting."""
        architecture, kind = self.architecture(name), kind_of(setting)
        values = {**COMMON, **self.family_recipe(architecture, dataset, kind), **architecture.recipe}
        if architecture.hub:
            values |= {"pretrained": architecture.hub, "tokenizer": architecture.hub}
        if self.is_causal:
            del values["max_length"]  # prompts are never cut
            values["instruction"] = dataset.prompt.instruction if architecture.hub else TINY_INSTRUCTION
        values = changed_by_dataset(name, values, dataset.name, dataset.hyperparameters)
        if kind == "label_randomization" and not architecture.hub:
            values["epochs"] = max(values["epochs"], MEMORIZING_EPOCHS)
        return values

    def family_recipe(self, architecture: TransformerArchitecture, dataset: TextDataset, kind: str) -> dict[str, Any]:
        """Return the hyperparameters that the family has in common: of pre-trained encoders those of the dataset."""
        if not architecture.hub:
            return {}
        return {**dataset.fine_tuning, **dataset.fine_tuning_by_kind.get(kind, {})}

    def check_config(self, found: Mapping[str, Any], expected: PreTrainedConfig) -> None:
        """Check that weights belong to a network that computes as ours does.

        Raises
        ------
        ArtifactError
            Naming the first value that differs.
        """
        ours = expected.to_dict()
        for name in self.checked:
            if name in ours and name in found and found[name] != ours[name]:
                raise ArtifactError(f"has {name}={found[name]} in its config; expected {ours[name]}")

    def published_folders(self, model: ModelSpec, dataset: TextDataset) -> tuple[str, ...]:
        """Return the names that a published model's folder may have, relative to ``models/nlp``, the current one first.

        Raises
        ------
        UsageError
            If no such model was published.
        """
        raise UsageError(f"models.source=published: no {model.label} is published; use models.source=train")

    def published_elsewhere(self, folder: str) -> Path | None:
        """Return where a folder may lie if not below ``models.root``."""
        del folder
        return None
