"""The requested layers of a network: by name, by pattern, or its blocks."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.errors import UsageError
from resi.extraction.inputs.forward import plain_module
from resi.extraction.modules import other_names
from resi.lazy import torch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torch import nn

OUTPUT = "output"
"""Name of the output of the whole network."""
_PARTS = re.compile(r"(?P<base>.*?)(?:#(?P<call>\d+))?(?P<item>(?:\[[^\[\]]+\])*)")


@dataclass(frozen=True)
class Wanted:
    """The layers selected by one pattern.

    Attributes
    ----------
    text : str
        The pattern itself.
    names : frozenset of str
        Matching modules, as :func:`resi.extraction.modules.named` names them.
    call : int, optional
        Which call of a module in one forward pass, from 1; all if None.
    item : str
        Which of several outputs, such as ``[1][0]``; the first tensor if empty.
    is_exact : bool
        Whether it names one module, which must then give a layer.
    """

    text: str
    names: frozenset[str]
    call: int | None = None
    item: str = ""
    is_exact: bool = False


def wanted_layers(
    network: nn.Module, modules: Mapping[str, nn.Module], layers: str | Sequence[str] | None
) -> list[Wanted]:
    """Return the requested patterns, or the blocks of the network by default.

    Raises
    ------
    UsageError
        If a pattern matches no module.
    """
    if layers is None:
        return [Wanted("its blocks", frozenset(blocks(network, modules)))]
    if not isinstance(layers, Iterable):
        raise UsageError(f"layers={layers!r}: expected names or patterns, such as 'layer3.*', or a list of them")
    texts = [layers] if isinstance(layers, str) else list(layers)
    if not texts:
        raise UsageError("layers=[] is empty: name layers, or leave layers out for the blocks of the network")
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(
                f"layers: {text!r} is {type(text).__name__}: expected names or patterns, such as 'layer3.*'"
            )
    aliases = other_names(network)
    for text in texts:
        if text in aliases and text not in modules:
            first = aliases[text] or OUTPUT
            raise UsageError(
                f"layer {text!r} is the same module as {first!r}: its calls are {first}#1, {first}#2 and so on"
            )
    return [_wanted(text, modules) for text in texts]


def _wanted(text: str, modules: Mapping[str, nn.Module]) -> Wanted:
    """Return the modules that match a pattern.

    Brackets at its end name an output if a module is called what stands before them; else they are those of a pattern,
    such as ``blocks.*[0-9]``, if any module fits it; else they name an output again, of all that fit.
    """
    shown = {name or OUTPUT: name for name in modules}  # the network is first, and a module of that name hides it
    found = _PARTS.fullmatch(text)
    base, call, item = text, None, ""
    if found is not None:
        base, call, item = found["base"], int(found["call"]) if found["call"] else None, found["item"]
    if base in shown:
        return Wanted(text, frozenset({shown[base]}), call, item, is_exact=True)
    if names := _fitting(text, modules):
        return Wanted(text, names)
    if names := _fitting(base, modules):
        return Wanted(text, names, call, item)
    raise unknown_layer(base, shown)


def check_exist(layers: Iterable[str], modules: Mapping[str, nn.Module]) -> None:
    """Raise unless each names a module, or one of its outputs.

    Raises
    ------
    UsageError
        If one does not.
    """
    known = {name or OUTPUT for name in modules}
    for layer in layers:
        found = _PARTS.fullmatch(layer)
        if found is None or found["base"] not in known or found["call"]:
            raise unknown_layer(layer, known)


def _fitting(pattern: str, modules: Iterable[str]) -> frozenset[str]:
    """Return the names that match a pattern; the network itself has no name and never matches."""
    return frozenset(name for name in modules if name and fnmatch.fnmatchcase(name, pattern))


def unknown_layer(text: str, known: Collection[str]) -> UsageError:
    """Return the error for an unknown layer, with the nearest names and how to list all."""
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.5)
    if not near:
        last = text.rpartition(".")[2]
        near = [name for name in known if name.rpartition(".")[2] == last][:3]
    tops = [name for name in known if name and "." not in name]
    guess = f"; did you mean {' or '.join(near)}?" if near else f"; at its top are {', '.join(sorted(tops)[:12])}."
    return UsageError(f"the network has no layer {text!r}{guess} resi.layers(model, example) lists all")


def blocks(network: nn.Module, modules: Mapping[str, nn.Module]) -> list[str]:
    """Return the names of the blocks of a network.

    These are its children; a list or a Sequential is taken apart into its members, and so is a child that mostly
    consists of one, such as the encoder of a BERT. What computes nothing (Identity, Dropout) is left out.
    """
    names = {module: name for name, module in modules.items()}
    found = [names[block] for block in _blocks(plain_module(network)) if block in names]
    return list(dict.fromkeys(found)) or [""]


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for wrapped in module.children():
        child = plain_module(wrapped)
        if isinstance(child, torch.nn.Identity | torch.nn.modules.dropout._DropoutNd):
            continue
        if _is_list(child) or (not _is_list(module) and _trunk_of(child)):
            yield from _blocks(child)
        else:
            yield wrapped


def _is_list(module: nn.Module) -> bool:
    kinds = (torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Sequential)
    return isinstance(module, kinds) and len(module) > 0


def _trunk_of(module: nn.Module) -> bool:
    """Return whether most of a module's weights are in a list of modules, at any depth of its main child."""
    total = _count(module)
    for child in map(plain_module, module.children()):
        if total and 2 * _count(child) > total:
            return (_is_list(child) and len(child) > 1) or _trunk_of(child)  # type: ignore[arg-type]
    return False


def _count(module: nn.Module) -> int:
    """Return the number of weights without token embeddings, which may be larger than all blocks together."""
    tables = {id(each.weight) for each in module.modules() if isinstance(each, torch.nn.Embedding)}
    return sum(parameter.numel() for parameter in module.parameters() if id(parameter) not in tables)
