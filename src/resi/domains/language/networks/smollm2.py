"""SmolLM2: a causal language model of the Llama kind, asked by prompts (Ben Allal et al., arXiv:2502.02737)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.language.networks.base import TextNetwork, TransformerArchitecture
from resi.domains.language.networks.folders import encode_rate
from resi.domains.language.settings import kind_of
from resi.domains.published_models import STANDARD_SEEDS
from resi.domains.releases import DESCRIBED, Holding, Release
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenizers import Tokenizer
    from transformers import PreTrainedConfig

    from resi.domains.language.datasets.base import TextDataset
    from resi.specs import ModelSpec

REFERENCE = "Ben Allal et al., arXiv:2502.02737"
FOLDER = "smollm"
VARIABLE = "RESI_SMOLLM_PATH"
"""Names the folder of the published models where they lie elsewhere, as the published code has it."""
# The name of one published folder is not formed as the others.
SHORT_NAMES = {"sst2-shortcut10": "sst2-shortcut"}
# The published code for fine-tuning is not public: batch size 16 and 500 steps are in the names of its folders, the
# rest is resi's choice.
RECIPE: dict[str, Any] = {
    "max_steps": 500,
    "batch_size": 16,
    "learning_rate": 2e-5,
    "schedule": "cosine",
    "precision": "bfloat16",
    "fine_tuning": "full",
    "lora_rank": 16,
}


class SmolLM2Network(TextNetwork):
    """SmolLM2 of 1.7 billion parameters, or small and from random weights."""

    architectures: ClassVar[tuple[TransformerArchitecture, ...]] = (
        TransformerArchitecture(
            "smollm2",
            "24 layers, 1.7 billion parameters, asked by prompts",
            "smollm2-1.7b",
            REFERENCE,
            layers=24,
            width=2048,
            vocabulary=49152,
            positions=8192,
            hub="HuggingFaceTB/SmolLM2-1.7B",
            config={
                "intermediate_size": 8192,
                "num_attention_heads": 32,
                "num_key_value_heads": 32,
                "rms_norm_eps": 1e-5,
                "rope_theta": 130000.0,
                "tie_word_embeddings": True,
                "bos_token_id": 0,
                "eos_token_id": 0,
            },
        ),
        TransformerArchitecture(
            "smollm2_tiny",
            "4 layers, 0.9 million parameters, asked by prompts",
            "",
            REFERENCE,
            layers=4,
            width=96,
            vocabulary=8192,
            config={
                "intermediate_size": 192,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
                "initializer_range": 0.05,
                "tie_word_embeddings": True,
            },
            recipe={"epochs": 4, "max_steps": 0, "batch_size": 32, "learning_rate": 2e-3, "precision": "float32"},
        ),
    )
    is_causal: ClassVar[bool] = True
    embeddings: ClassVar[str] = "model.embed_tokens.weight"
    tied: ClassVar[str] = "lm_head.weight"
    checked: ClassVar[tuple[str, ...]] = (
        *TextNetwork.checked,
        "num_key_value_heads",
        "rms_norm_eps",
        "rope_parameters",
    )
    low_rank_targets: ClassVar[tuple[str, ...]] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    download: ClassVar[str] = "smollm2"
    published_levels: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "label_randomization": (75, 100),
        "shortcut": (0, 75, 100),
    }
    published_seeds_on: ClassVar[Mapping[tuple[str, str], range]] = {
        ("sst2", "shortcut_0"): STANDARD_SEEDS,
        ("sst2", "shortcut_100"): STANDARD_SEEDS,
    }
    releases: ClassVar[tuple[Release, ...]] = tuple(
        Release(
            "",
            rf"smollm_{dataset}_checkpoints\.tar\.zst",
            f"models/nlp/{FOLDER}",
            r"ft_smollm2_1-7b_.+",
            size=207 * 2**30,
            holdings=(Holding(("smollm2",), (dataset,), DESCRIBED),),
            place="below the share that the published benchmark's README names (line 51, commit 24ab9e5)",
        )
        for dataset in ("sst2", "mnli")
    )

    def weight_count(self, name: str, classes: int) -> int:
        """Return the weights of embeddings, which are those of the output again, and of layers without vectors."""
        del classes
        size = self.architecture(name)
        share = int(size.config["num_key_value_heads"]) / int(size.config["num_attention_heads"])
        attention = int(2 * size.width**2 * (1 + share))
        between = 3 * size.width * int(size.config["intermediate_size"])
        return size.vocabulary * size.width + size.layers * (attention + between + 2 * size.width) + size.width

    def transformers_classes(self) -> tuple[Any, Any]:
        """Return the classes of the config and of the network."""
        from transformers import LlamaConfig, LlamaForCausalLM

        return LlamaConfig, LlamaForCausalLM

    def train_tokenizer(self, corpus: list[str], vocabulary: int) -> Tokenizer:
        """Train merged bytes, digits each by itself."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(corpus, trainer)
        return tokenizer

    def family_recipe(self, architecture: TransformerArchitecture, dataset: TextDataset, kind: str) -> dict[str, Any]:
        """Return the hyperparameters that all have in common, on every dataset."""
        del architecture, dataset, kind
        return RECIPE

    def check_config(self, found: Mapping[str, Any], expected: PreTrainedConfig) -> None:
        """Check that weights belong to a network that computes as ours does."""
        values = dict(found)
        if "rope_theta" in values and not values.get("rope_parameters"):  # as transformers before version 5 has it
            values["rope_parameters"] = {"rope_type": "default", "rope_theta": values["rope_theta"]}
        super().check_config(values, expected)

    def published_folders(self, model: ModelSpec, dataset: TextDataset) -> tuple[str, ...]:
        """Return the name of a published model's folder, relative to ``models/nlp``."""
        kind, code = kind_of(model.setting), encode_rate(dataset.rate(model.setting))
        if kind == "augmentation":
            raise UsageError("models.source=published: no smollm2 was trained on augmented texts; choose another test")
        addition = {"standard": "", "shortcut": f"-shortcut{code}", "label_randomization": f"-mem{code}"}[kind]
        name = f"{dataset.published_name}{addition}"
        name = SHORT_NAMES.get(name, name)
        return (f"{FOLDER}/ft_smollm2_1-7b_{name}_seed{model.seed}_bs16_ff/checkpoint-500",)

    def published_elsewhere(self, folder: str) -> Path | None:
        """Return where a folder lies below that which the environment names."""
        elsewhere = os.environ.get(VARIABLE)
        return Path(elsewhere).expanduser() / folder.removeprefix(f"{FOLDER}/") if elsewhere else None
