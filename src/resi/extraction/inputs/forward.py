"""The inputs of a module's forward pass: its named arguments, and the precision of its weights."""

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
    """Return the module that ``torch.compile`` wraps, or the module itself."""
    return getattr(module, "_orig_mod", module)


def floating_dtype(module: nn.Module) -> torch.dtype | None:
    """Return the floating point type of the weights; None if there are none, or several types."""
    found = {parameter.dtype for parameter in module.parameters() if parameter.dtype.is_floating_point}
    return next(iter(found)) if len(found) == 1 else None


def _parameters(module: nn.Module) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return the named arguments of a forward pass, and whether it accepts further keywords."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # a compiled function does not tell
        return {}, True
    named = {each.name: each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    return named, any(each.kind is each.VAR_KEYWORD for each in parameters)


def accepted(
    module: nn.Module,
    given: Mapping[str, Any],
    advice: str = "Rename them, or name its input with column=",
) -> tuple[dict[str, Any], list[str]]:
    """Return which entries of a dictionary the forward pass takes, and the names of the others.

    These are the entries that ``forward`` names, or all tensors if it names none and accepts ``**kwargs``. Labels are
    included only if the network cannot run without them.

    Raises
    ------
    UsageError
        If it takes none of them.
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
