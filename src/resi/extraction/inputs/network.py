"""A module with what prepares its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import UsageError
from resi.extraction.inputs.images import is_image_processor
from resi.lazy import loaded

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["tensors", "texts", "images"]


@dataclass(frozen=True)
class Network:
    """A module with its tokenizer or image transform.

    Attributes
    ----------
    module : nn.Module
    name : str
        Its name, for people.
    processor : object, optional
        A tokenizer of transformers, an image processor of transformers, or a callable that converts a PIL image to a
        tensor.
    kind : str
        Input of the processor: ``texts`` or ``images``; ``tensors`` without a processor.
    versions : dict from str to str
        Version of the library that the network comes from.
    missing : str
        Why no processor was found, where one was looked for.
    """

    module: nn.Module
    name: str
    processor: Any = None
    kind: Kind = "tensors"
    versions: dict[str, str] = field(default_factory=dict)
    missing: str = ""


def with_processor(module: nn.Module, processor: Any, name: str, versions: dict[str, str]) -> Network:
    """Return a network with the kind of inputs of its processor.

    Raises
    ------
    UsageError
        If the processor is none, or one of several kinds of inputs.
    """
    if processor is None:
        return Network(module, name, versions=versions)
    if hasattr(processor, "tokenizer") and hasattr(processor, "image_processor"):
        raise UsageError(
            f"the processor of {name} takes texts and images: pass one part of it, (model, processor.tokenizer) or "
            "(model, processor.image_processor)"
        )
    tokenizers = loaded("tokenizers")
    if tokenizers is not None and isinstance(processor, tokenizers.Tokenizer):
        from transformers import PreTrainedTokenizerFast

        processor = PreTrainedTokenizerFast(tokenizer_object=processor)  # type: ignore[no-untyped-call]
    if hasattr(processor, "convert_ids_to_tokens"):
        return Network(module, name, processor, "texts", versions)
    if is_image_processor(processor) or callable(processor):
        return Network(module, name, processor, "images", versions)
    raise UsageError(
        f"the processor of {name} is {type(processor).__name__}: expected a tokenizer or an image processor of "
        "transformers, or a function that converts a PIL image to a tensor"
    )
