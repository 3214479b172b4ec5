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
"""What tokenizers without a limit state is larger."""


class Tokenization:
    """Token ids as the tokenizer gives them, special tokens included, padded to the longest text of a batch.

    Padding goes to the right, whatever side the tokenizer is set to: left padding is for generating, and shifts the
    positions of models that learned absolute ones. Behind the text neither encoders, which mask it, nor decoders, which
    do not look ahead, see it, so that what a text gives does not depend on the others of its batch.

    Texts longer than the model takes are cut, and counted in the notes.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        It is not changed: a copy pads.
    module : nn.Module
        The model, which may take fewer tokens than its tokenizer states.

    Attributes
    ----------
    limit : int or None
        Most tokens of a text; None if there is no limit.
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
        """How many texts were cut so far."""
        if not self._cut:
            return []
        return [
            f"{self._cut} of {self._total} texts were cut at {self.limit} tokens, which is all that the model takes "
            f"(the longest has {self._longest})"
        ]

    def __call__(self, texts: Sequence[Text]) -> dict[str, Tensor]:
        """Return ``input_ids``, ``attention_mask`` and what else the tokenizer gives, of shape (n_texts, n_tokens)."""
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
    """Return the most tokens that both a tokenizer and its model take; None if neither has a limit."""
    stated = [getattr(tokenizer, "model_max_length", None), _positions(plain_module(module))]
    limits = [int(limit) for limit in stated if limit is not None and 0 < limit < NO_LIMIT]
    return min(limits) if limits else None


def _positions(module: nn.Module) -> int | None:
    """Return how many positions a model has learned, or its config states."""
    for name, child in module.named_modules():
        # Models after RoBERTa begin to count behind the index that pads.
        if name.endswith("position_embeddings") and isinstance(child, torch.nn.Embedding):
            return child.num_embeddings - (0 if child.padding_idx is None else child.padding_idx + 1)
    return getattr(getattr(module, "config", None), "max_position_embeddings", None)
