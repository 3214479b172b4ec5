"""A network to be run: a module as it is, or one that is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

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
        A tokenizer, or a callable that makes tensors of a PIL image.
    kind : str
        What the processor takes: ``texts`` or ``images``; ``tensors`` without one.
    versions : dict from str to str
        Of the library that the network comes from.
    """

    module: nn.Module
    name: str
    processor: Any = None
    kind: Kind = "tensors"
    versions: dict[str, str] = field(default_factory=dict)
