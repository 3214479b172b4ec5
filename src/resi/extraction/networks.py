"""The network to run: a module, a module with its tokenizer or transform, or a name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.extraction import named
from resi.extraction.inputs.forward import plain_module
from resi.extraction.inputs.network import Kind, Network, with_processor
from resi.lazy import loaded, torch

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Kind", "Network", "resolve"]


def resolve(model: Any, processor: Any = None) -> Network:
    """Return the network for a ``model`` argument.

    Parameters
    ----------
    model : nn.Module, tuple or str
        A module; a module with its processor; or a name: ``timm:resnet18``, ``torchvision:resnet18``,
        ``hf:PATH_OR_ID``, ``python:package.module:function``. Options follow a question mark, such as
        ``timm:resnet18?pretrained=false&seed=1``, see docs/inputs.md.
    processor : optional
        Used instead of the model's own.

    Raises
    ------
    UsageError
        If the network does not exist or cannot be loaded, or the processor is of an unknown kind.

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
            f"model is {_kind(model)}: expected a torch.nn.Module, a pair of one and its tokenizer or "
            "transform, or a name such as timm:resnet18"
        )
    return with_processor(model, processor, type(plain_module(model)).__name__, _versions(model))


def _kind(model: Any) -> str:
    return f"the class {model.__name__}, not called" if isinstance(model, type) else type(model).__name__


def _named(text: str) -> Network:
    """Return the network of a name."""
    prefix, colon, rest = text.partition(":")
    if not colon or prefix not in named.PREFIXES:
        near = difflib.get_close_matches(prefix, named.PREFIXES, n=1, cutoff=0.5) if colon else []
        guess = f"; did you mean {near[0]}:{rest}?" if near else "."
        forms = ", ".join(f"{known}:{form}" for known, form in named.FORMS.items())
        raise UsageError(f"unknown model {text!r}{guess} Expected one of {forms}, or a torch.nn.Module.")
    return named.network(prefix, rest)


def _versions(module: nn.Module) -> dict[str, str]:
    """Return the version of the library that defines a module's class, if resi knows it."""
    package = type(plain_module(module)).__module__.partition(".")[0]
    library = loaded(package) if package in ("timm", "torchvision", "transformers", "torch_geometric") else None
    return {} if library is None else {package: str(library.__version__)}
