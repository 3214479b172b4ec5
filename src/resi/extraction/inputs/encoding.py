"""From rows to the arguments of a forward pass: texts are tokenized, images transformed, floating types matched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resi.console import say
from resi.errors import UsageError
from resi.extraction.inputs.forward import accepted, floating_dtype
from resi.extraction.inputs.images import to_tensors
from resi.extraction.inputs.rows import Images, Texts
from resi.extraction.inputs.tokens import Tokenization
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from resi.extraction.inputs.rows import Rows, Tensors
    from resi.extraction.networks import Network

PADDING = ("src_key_padding_mask", "key_padding_mask")
"""Torch's name for a mask that is true for padding tokens."""
Encoded = tuple[tuple[Any, ...], dict[str, Any], "Tensor | None"]


class Encoder:
    """Makes arguments of rows for one network; each change to the data is reported once.

    Floating point tensors get the type of the network's weights, which could not be multiplied with another: a float64
    array is rounded for a float32 network, as one would do by hand, and the note says so. Integers stay as they are.

    Attributes
    ----------
    notes : list of str
        The changes.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._said: list[str] = []
        self._tokenization: Tokenization | None = None

    @property
    def notes(self) -> list[str]:
        """The changes so far."""
        return [*self._said, *([] if self._tokenization is None else self._tokenization.notes)]

    def encode(self, rows: Rows, ids: Sequence[str], first: int) -> Encoded:
        """Return positional arguments, named ones and the attention mask.

        Parameters
        ----------
        ids : sequence of str
            Ids of the rows, for messages.
        first : int
            Number of the first of them.
        """
        if isinstance(rows, Texts):
            return self._encode_texts(rows)
        if isinstance(rows, Images):
            return self._encode_images(rows, first)
        return self._encode_tensors(rows)

    def finish(self) -> None:
        """Report what is known only after the last row."""
        for note in [] if self._tokenization is None else self._tokenization.notes:
            self._say_once(note, keep=False)

    def _encode_texts(self, rows: Texts) -> Encoded:
        if self.network.kind != "texts":
            raise UsageError(
                f"{self.network.name} has no tokenizer for texts{self._why()}: pass one with it, model=(module, "
                "tokenizer), name a model that has one, such as hf:FOLDER, or pass batches of token ids"
            )
        if self._tokenization is None:
            self._tokenization = Tokenization(self.network.processor, self.network.module)
        found = self._tokenization(rows.values)
        kwargs, _ = accepted(self.network.module, found, "The forward pass must accept input_ids")
        mask = found["attention_mask"]
        if "attention_mask" not in kwargs and not mask.all():
            self._say_once(f"{self.network.name} takes no attention_mask, so it reads padding tokens as text")
        return (), kwargs, mask

    def _encode_images(self, rows: Images, first: int) -> Encoded:
        if self.network.kind != "images":
            raise UsageError(
                f"{self.network.name} has no transform for images{self._why()}: pass one with it, model=(module, "
                "transform), name a model that has one, such as timm:resnet18, or pass tensors"
            )
        found = to_tensors(rows, self.network.processor, first)
        if isinstance(found, torch.Tensor):
            return (self._matched(found),), {}, None
        kwargs, _ = accepted(self.network.module, dict(found), "The forward pass must accept the processor's output")
        return (), {name: self._matched(value) for name, value in kwargs.items()}, None

    def _encode_tensors(self, rows: Tensors) -> Encoded:
        kwargs: Mapping[str, Any] = rows.kwargs
        if kwargs:
            kwargs, others = accepted(self.network.module, kwargs)
            if others:
                self._say_once(f"left out of the batches: {', '.join(others)}, which {self.network.name} does not take")
        for value in rows.args:
            self._check_type(value)
        args = tuple(self._matched(value, say_so=True) for value in rows.args)
        named = {name: self._matched(value, say_so=True) for name, value in kwargs.items()}
        return args, named, self._mask_of(rows.kwargs, named)

    def _mask_of(self, given: Mapping[str, Any], named: Mapping[str, Any]) -> Tensor | None:
        """Return the mask of real tokens, by its names in transformers and torch; None if there is none."""
        mask = given.get("attention_mask")
        if isinstance(mask, torch.Tensor) and mask.dim() == 2:
            return mask
        if isinstance(mask, torch.Tensor):
            self._say_once(
                f"attention_mask has {mask.dim()} axes, from which padding tokens are unknown: pooling uses all tokens"
            )
        for name in PADDING:
            padding = named.get(name)
            if isinstance(padding, torch.Tensor) and padding.dtype == torch.bool and padding.dim() == 2:
                return ~padding
        return None

    def _check_type(self, value: Any) -> None:
        """Raise if a tensor clearly does not fit the network."""
        dtype = value.dtype if isinstance(value, torch.Tensor) else None
        if self.network.kind == "texts" and dtype is not None and dtype.is_floating_point:
            raise UsageError(
                f"{self.network.name} reads texts, but the data are numbers of {dtype}: pass texts, or token ids as "
                "integers"
            )
        if self.network.kind == "images" and dtype == torch.uint8:
            raise UsageError(
                f"{self.network.name} takes images scaled by its transform, but the data are tensors of uint8: "
                "pass PIL images or files, or scale them"
            )

    def _matched(self, value: Any, say_so: bool = False) -> Any:
        """Return a tensor in the floating type of the weights."""
        if not isinstance(value, torch.Tensor) or not value.dtype.is_floating_point:
            return value
        dtype = floating_dtype(self.network.module)
        if dtype is None or value.dtype == dtype:
            return value
        if say_so:
            before, after = (str(each).removeprefix("torch.") for each in (value.dtype, dtype))
            self._say_once(
                f"inputs are converted from {before} to {after}, the type of the weights of {self.network.name}"
            )
        return value.to(dtype)

    def _say_once(self, note: str, keep: bool = True) -> None:
        if note not in self._said:
            if keep:
                self._said.append(note)
            say(note)

    def _why(self) -> str:
        return f" ({self.network.missing})" if self.network.missing else ""
