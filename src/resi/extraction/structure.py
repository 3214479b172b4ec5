"""What determines a network's outputs besides its weights: its modules, their settings, and its processor."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from resi.extraction.inputs.forward import plain_module
from resi.extraction.modules import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

# Where objects are in memory, and what transformers says of where they are from and which version wrote them.
_ORIGIN = re.compile(
    r""" at 0x[0-9a-f]+|\bname_or_path='[^']*'|"(_name_or_path|transformers_version)": ("[^"]*"|null),?\s*"""
)
NO_SETTINGS = ("training", "forward", "name_or_path")
"""The mode; what others wrap; the folder or the id that a model of transformers was read from."""
_PLAIN = (bool, int, float, str, type(None))


def hash_structure(module: nn.Module, renamed: tuple[str, str] | None = None) -> str:
    """Return a hash of the classes of all modules and their settings, 64 hexadecimal digits.

    Settings are the public attributes that are numbers, texts, functions, or tuples and lists of these, what the module
    shows of itself, and the config of a model of transformers. Two networks with the same weights and another
    activation, or number of attention heads, have different hashes; ``torch.compile`` changes nothing, nor does the
    folder that a model was read from.

    Parameters
    ----------
    renamed : (str, str), optional
        The name of a Python module, and the one under which its classes count.
    """
    digest = hashlib.sha256()
    for name, each in named(plain_module(module)).items():
        for line in _lines(plain_module(each), renamed):
            digest.update(f"{name} {line}\n".encode())
    return digest.hexdigest()


def hash_processor(processor: Any) -> str:
    """Return a hash of a tokenizer or transform; empty without one.

    It is of what the object shows of itself, of the vocabulary of a tokenizer, and of the code of a function.
    """
    if processor is None:
        return ""
    digest = hashlib.sha256(_shown(processor).encode())
    if hasattr(processor, "get_vocab"):
        digest.update(repr(sorted(processor.get_vocab().items())).encode())
    return digest.hexdigest()


def _lines(module: nn.Module, renamed: tuple[str, str] | None) -> Iterator[str]:
    kind = type(module)
    own = renamed[1] if renamed is not None and kind.__module__ == renamed[0] else kind.__module__
    yield f"{own}.{kind.__qualname__}({_without_origin(module.extra_repr())})"
    for key, value in sorted(vars(module).items()):
        if key.startswith("_") or key in NO_SETTINGS:
            continue
        if hasattr(value, "to_json_string"):
            yield f"{key}={_without_origin(value.to_json_string())}"
        elif _is_plain(value) or callable(value):
            yield f"{key}={_shown(value)}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, tuple | list) and all(map(_is_plain, value)))


def _shown(value: Any) -> str:
    """Return what a value shows of itself; of a function its name and code."""
    code = getattr(value, "__code__", None)
    if code is None:
        return _without_origin(repr(value))
    # Sets have another order in each process.
    constants = [sorted(map(repr, each)) if isinstance(each, frozenset) else each for each in code.co_consts]
    return _without_origin(f"{value.__qualname__} {code.co_code.hex()} {constants} {code.co_names}")


def _without_origin(text: str) -> str:
    return _ORIGIN.sub("", text)
