"""Texts to token ids, by the tokenizer of a transformers model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.extraction.inputs.forward import plain_module
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from resi.extraction.inputs.rows import Text

NO_LIMIT = 1_000_000
"""Tokenizers without a limit state a larger number."""


class Tokenization:
    """Token ids as the tokenizer gives them, special tokens included, padded to the longest text of a batch.

    Padding is always on the right: left padding is for generation, and shifts the positions of models with learned
    absolute ones. Encoders mask padding after the text, and decoders do not look ahead, so the output for a text does
    not depend on the other texts of its batch.

    Texts that are too long for the model are truncated, and counted in the notes.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        It is not changed: a copy is used.
    module : nn.Module
        The model, which may take fewer tokens than its tokenizer states.

    Attributes
    ----------
    limit : int or None
        Largest number of tokens of a text; None if there is no limit.
    """

    def __init__(self, tokenizer: Any, module: nn.Module) -> None:
        self.limit = token_limit(tokenizer, module)
        self._tokenizer = copy.deepcopy(tokenizer)
        self._tokenizer.padding_side = "right"
        self._cut, self._total, self._longest = 0, 0, 0
        if self._tokenizer.pad_token is None:
            stand_in = self._tokenizer.eos_token or self._tokenizer.bos_token or self._tokenizer.unk_token
            if stand_in is None:
                raise UsageError(
                    "the tokenizer has no token to pad with, nor one that ends, begins or stands for an unknown word: "
                    "set tokenizer.pad_token"
                )
            # Any token will do, since the mask hides it.
            self._tokenizer.pad_token = stand_in

    @property
    def notes(self) -> list[str]:
        """How many texts were truncated so far."""
        if not self._cut:
            return []
        return [
            f"{self._cut} of {self._total} texts were cut to the model's limit of {self.limit} tokens "
            f"(the longest has {self._longest})"
        ]

    def __call__(self, texts: Sequence[Text]) -> dict[str, Tensor]:
        """Return ``input_ids``, ``attention_mask`` and further outputs of the tokenizer, shape (n_texts, n_tokens)."""
        found = dict(
            self._tokenizer(
                list(texts),
                padding=True,
                truncation=self.limit is not None,
                max_length=self.limit,
                return_attention_mask=True,
                return_tensors="pt",
            )
        )
        self._total += len(texts)
        if self.limit is not None and found["input_ids"].shape[1] == self.limit:
            full = found["attention_mask"].sum(1) == self.limit
            self._count([text for text, is_full in zip(texts, full.tolist(), strict=True) if is_full])
        return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}

    def _count(self, texts: Sequence[Text]) -> None:
        """Count those of the texts that are longer than the limit."""
        lengths = [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]
        self._cut += sum(length > (self.limit or 0) for length in lengths)
        self._longest = max(self._longest, *lengths)


def token_limit(tokenizer: Any, module: nn.Module) -> int | None:
    """Return the largest number of tokens that both a tokenizer and its model accept; None if neither has a limit."""
    stated = [getattr(tokenizer, "model_max_length", None), _positions(plain_module(module))]
    limits = [int(limit) for limit in stated if limit is not None and 0 < limit < NO_LIMIT]
    return min(limits) if limits else None


def _positions(module: nn.Module) -> int | None:
    """Return the number of positions that a model has learned or its config states."""
    for name, child in module.named_modules():
        # RoBERTa and its successors count positions from after the padding index.
        if name.endswith("position_embeddings") and isinstance(child, torch.nn.Embedding):
            return child.num_embeddings - (0 if child.padding_idx is None else child.padding_idx + 1)
    return getattr(getattr(module, "config", None), "max_position_embeddings", None)
