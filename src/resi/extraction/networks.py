"""A network to be run: a module as it is, one with what prepares its inputs, or one that is named."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from resi.errors import UsageError
from resi.extraction.inputs.images import is_image_processor
from resi.lazy import loaded, torch

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["tensors", "texts", "images"]


@dataclass(frozen=True)
class Network:
    """A module with what prepares its inputs.

    Attributes
    ----------
    module : nn.Module
    name : str
        What a person knows it by.
    processor : object, optional
        A tokenizer of transformers, an image processor of transformers, or a callable that makes a tensor of a PIL
        image.
    kind : str
        What the processor takes: ``texts`` or ``images``; ``tensors`` without one.
    versions : dict from str to str
        Of the library that the network comes from.
    missing : str
        Why there is no processor, where one was looked for.
    """

    module: nn.Module
    name: str
    processor: Any = None
    kind: Kind = "tensors"
    versions: dict[str, str] = field(default_factory=dict)
    missing: str = ""


def resolve(model: Any, processor: Any = None) -> Network:
    """Return the network that a person means.

    Parameters
    ----------
    model : nn.Module, tuple or str
        A module; a module with its processor; or a name: ``timm:resnet18``, ``torchvision:resnet18``,
        ``hf:PATH_OR_ID``, ``python:package.module:function``. Options follow a question mark, such as
        ``timm:resnet18?pretrained=false&seed=1``, see docs/inputs.md.
    processor : optional
        Instead of the one that comes with the model.

    Raises
    ------
    UsageError
        If there is no such network, it cannot be had, or the processor is none.

    Examples
    --------
    >>> import torch
    >>> resolve(torch.nn.Linear(2, 1)).name
    'Linear'
    """
    if isinstance(model, Network):
        return model if processor is None else with_processor(model.module, processor, model.name, model.versions)
    if isinstance(model, str):
        found = _named(model)
        return found if processor is None else with_processor(found.module, processor, found.name, found.versions)
    if isinstance(model, tuple) and len(model) == 2 and processor is None:
        model, processor = model
    if not isinstance(model, torch.nn.Module):
        raise UsageError(
            f"model is {type(model).__name__}: expected a torch.nn.Module, a pair of one and its tokenizer or transform, "
            "or a name such as timm:resnet18"
        )
    return with_processor(model, processor, type(getattr(model, "_orig_mod", model)).__name__, _versions(model))


def with_processor(module: nn.Module, processor: Any, name: str, versions: dict[str, str]) -> Network:
    """Return a network with the kind of inputs that its processor takes.

    Raises
    ------
    UsageError
        If the processor is none, or one of several kinds of inputs.
    """
    if processor is None:
        return Network(module, name, versions=versions)
    if hasattr(processor, "tokenizer") and hasattr(processor, "image_processor"):
        raise UsageError(
            f"the processor of {name} takes texts and images: give one of the two, (model, processor.tokenizer) or "
            "(model, processor.image_processor)"
        )
    tokenizers = loaded("tokenizers")
    if tokenizers is not None and isinstance(processor, tokenizers.Tokenizer):
        from transformers import PreTrainedTokenizerFast

        processor = PreTrainedTokenizerFast(tokenizer_object=processor)
    if hasattr(processor, "convert_ids_to_tokens"):
        return Network(module, name, processor, "texts", versions)
    if is_image_processor(processor) or callable(processor):
        return Network(module, name, processor, "images", versions)
    raise UsageError(
        f"the processor of {name} is {type(processor).__name__}: expected a tokenizer or an image processor of "
        "transformers, or a function that makes a tensor of a PIL image"
    )


def _named(text: str) -> Network:
    """Return the network of a name."""
    from resi.extraction import named

    prefix, colon, rest = text.partition(":")
    if not colon or prefix not in named.PREFIXES:
        near = difflib.get_close_matches(prefix, named.PREFIXES, n=1, cutoff=0.5) if colon else []
        guess = f"; did you mean {near[0]}:{rest}?" if near else "."
        forms = ", ".join(f"{known}:{form}" for known, form in named.FORMS.items())
        raise UsageError(f"unknown model {text!r}{guess} Expected one of {forms}, or a torch.nn.Module.")
    return named.network(prefix, rest)


def _versions(module: nn.Module) -> dict[str, str]:
    """Return the version of the library that a module's class is of, where it is one of those that resi names."""
    package = type(getattr(module, "_orig_mod", module)).__module__.partition(".")[0]
    library = loaded(package) if package in ("timm", "torchvision", "transformers", "torch_geometric") else None
    return {} if library is None else {package: str(library.__version__)}
