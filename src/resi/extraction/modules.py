"""The modules of a network by name, and the state in which it runs and to which it is restored."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

COMPILED = "_orig_mod"
"""Attribute in which ``torch.compile`` keeps the module that it wraps."""
_LOCKS: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


def named(network: nn.Module) -> dict[str, nn.Module]:
    """Return all modules by name, each once; the network itself has the name ``""``.

    A module wrapped by ``torch.compile`` keeps its name.
    """
    found: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        found.setdefault(_plain(name), module)
    return found


def other_names(network: nn.Module) -> dict[str, str]:
    """Return the name under which a module is listed, for each further name that it has."""
    first = {module: name for name, module in named(network).items()}
    every = ((_plain(name), module) for name, module in network.named_modules(remove_duplicate=False))
    return {name: first[module] for name, module in every if module in first and first[module] != name}


def _plain(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != COMPILED)


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Switch every module to evaluation mode, and compiled ones to their original code, and restore them at the end.

    Compiled code calls no hooks that were registered after it was compiled, so nothing could be recorded. The nested
    tensors that a ``TransformerEncoder`` makes of padded ones have no shape, and its layers take none once they have
    hooks. Another thread that asks for the same network waits: it would be put back to training under this one.
    """
    with _LOCKS_LOCK:
        lock = _LOCKS.setdefault(network, threading.RLock())
    with lock, _as_evaluated(network):
        yield


@contextlib.contextmanager
def _as_evaluated(network: nn.Module) -> Iterator[None]:
    modules = list(network.modules())
    training = [(module, module.training) for module in modules]
    with contextlib.ExitStack() as back:
        back.callback(_restore, training)
        for module in modules:
            wrapped = getattr(module, COMPILED, None)
            if wrapped is not None and "forward" in module.__dict__:
                _replace(module, "forward", wrapped, back)
            if module.__dict__.get("_compiled_call_impl") is not None:
                _replace(module, "_compiled_call_impl", None, back)
            if module.__dict__.get("use_nested_tensor") is True:
                _replace(module, "use_nested_tensor", False, back)
        network.eval()
        yield


def _replace(module: nn.Module, name: str, value: Any, back: contextlib.ExitStack) -> None:
    before = module.__dict__[name]
    back.callback(lambda: module.__dict__.__setitem__(name, before))
    module.__dict__[name] = value


def _restore(training: list[tuple[nn.Module, bool]]) -> None:
    for module, was_training in training:
        module.training = was_training
