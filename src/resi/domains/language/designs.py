"""The architectures as plain data: family, size, and where pre-trained weights and tokenizers are on the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Family = Literal["bert", "albert", "llama"]


@dataclass(frozen=True)
class Design:
    """What an architecture is built from.

    Attributes
    ----------
    family : {"bert", "albert", "llama"}
        Class of models in ``transformers``. A ``llama`` reads the answer to a prompt off its next token, the others
        have a classification head.
    layers : int
        Transformer blocks; there is one hidden state more than that, the embeddings.
    config : dict
        Of the ``transformers`` config, where it differs from the family's defaults.
    vocabulary : int
        Size of the tokenizer's vocabulary; of a trained one the largest it may get.
    hub : str
        Repository of weights and tokenizer, ``{seed}`` for the model's seed; empty for networks that start from random
        weights and a tokenizer trained on the data.
    """

    family: Family
    layers: int
    vocabulary: int
    hub: str = ""
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def is_causal(self) -> bool:
        """Whether it is a causal language model, which is asked by a prompt."""
        return self.family == "llama"

    @property
    def projects_embeddings(self) -> bool:
        """Whether state 0 is a product with a matrix; else it is read from a table and never of half precision."""
        return self.family == "albert"


DESIGNS: dict[str, Design] = {
    "bert": Design("bert", 12, 30522, "google/multiberts-seed_{seed}"),
    "albert": Design(
        "albert",
        12,
        30000,
        "albert/albert-base-v2",
        {
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
    ),
    "smollm2": Design(
        "llama",
        24,
        49152,
        "HuggingFaceTB/SmolLM2-1.7B",
        {
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-5,
            "rope_theta": 130000.0,
            "tie_word_embeddings": True,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    "bert_tiny": Design(
        "bert",
        4,
        8192,
        config={
            "hidden_size": 96,
            "num_attention_heads": 4,
            "intermediate_size": 192,
            "max_position_embeddings": 128,
            "attention_probs_dropout_prob": 0.0,  # without it, attention is one fused operation on a CPU, too
        },
    ),
    "albert_tiny": Design(
        "albert",
        4,
        8192,
        config={
            "embedding_size": 192,
            "hidden_size": 96,
            "num_attention_heads": 4,
            "intermediate_size": 192,
            "max_position_embeddings": 128,
            "hidden_dropout_prob": 0.1,
            "classifier_dropout_prob": 0.1,
        },
    ),
    "smollm2_tiny": Design(
        "llama",
        4,
        8192,
        config={
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "initializer_range": 0.05,
            "max_position_embeddings": 512,
            "tie_word_embeddings": True,
        },
    ),
}
TINY = tuple(name for name, design in DESIGNS.items() if not design.hub)
