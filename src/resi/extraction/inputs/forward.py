"""What a module's forward pass takes: the arguments it names, and the precision of its weights."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from resi.errors import UsageError
from resi.extraction.inputs.rows import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import nn
else:
    from resi.lazy import torch


def plain_module(module: nn.Module) -> nn.Module:
    """Return the module that ``torch.compile`` has wrapped, or the module itself."""
    return getattr(module, "_orig_mod", module)


def floating_dtype(module: nn.Module) -> torch.dtype | None:
    """Return the floating point type of the weights; None without any, or if they are of several."""
    found = {parameter.dtype for parameter in module.parameters() if parameter.dtype.is_floating_point}
    return next(iter(found)) if len(found) == 1 else None


def _parameters(module: nn.Module) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return the arguments that a forward pass names, and whether it takes others by name."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # a compiled function does not tell
        return {}, True
    named = {each.name: each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    return named, any(each.kind is each.VAR_KEYWORD for each in parameters)


def accepted(
    module: nn.Module,
    given: Mapping[str, Any],
    advice: str = "Rename them, or name the one that is its input with column=",
) -> tuple[dict[str, Any], list[str]]:
    """Return which entries of a dictionary the forward pass takes, and the names of the others.

    Those are taken that ``forward`` names; if it names none and takes anything (``**kwargs``), all tensors. Labels are
    taken only where a network cannot run without them.

    Raises
    ------
    UsageError
        If it takes none.
    """
    module = plain_module(module)
    named, takes_any = _parameters(module)
    if not named and takes_any:
        kept = {name: value for name, value in given.items() if isinstance(value, torch.Tensor) and name not in LABELS}
    else:
        needs_labels = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
        kept = {
            name: value
            for name, value in given.items()
            if name in named and (name not in LABELS or needs_labels or named[name].default is inspect.Parameter.empty)
        }
    if not kept:
        raise UsageError(
            f"a batch has {', '.join(map(str, given)) or 'nothing'}, of which {type(module).__name__}.forward takes "
            f"nothing: it takes {', '.join(named)}. {advice}"
        )
    return kept, [str(name) for name in given if name not in kept]
