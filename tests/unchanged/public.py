"""What users and plugins may rely on, as docs/releasing.md promises: names, words, keys, columns, exit codes.

Types of parameters are not part of it: taking more kinds of values breaks nobody's code.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import importlib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

Found = dict[str, Any]

REPOSITORY = Path(__file__).parents[2]
WHOLE = ("resi", "resi.errors", "resi.plot", "resi.testing")
"""Modules of which every name in ``__all__``, else every class, is public."""
PARTS: dict[str, tuple[str, ...]] = {
    "resi.domains.arithmetic": ("plain_networks",),
    "resi.domains.base": ("Domain", "NetworkFamily"),
    "resi.domains.datasets": ("Found", "FoundDataset"),
    "resi.domains.given": ("GivenDomain",),
    "resi.domains.graph": ("Found", "GraphDataset", "GraphNetwork", "PyGNetwork", "recipe"),
    "resi.domains.graph.data": ("Graph",),
    "resi.domains.labels": ("partly_random",),
    "resi.domains.language": ("PromptStyle", "TextDataset", "TextNetwork"),
    "resi.domains.lookup": ("find_dataset", "find_family"),
    "resi.domains.overrides": ("changed_by_dataset", "put_over"),
    "resi.domains.scikit_learn": ("hash_scikit_learn",),
    "resi.domains.vision": ("ImageArchitecture", "ImageDataset", "ImageNetwork", "Statistics"),
    "resi.domains.vision.images": ("Images", "InMemory", "OnDisk", "Split"),
    "resi.domains.vision.networks.base": ("common_recipe",),
    "resi.domains.weights": ("check_fit",),
    "resi.extraction.layers": ("HookPoint", "LayerRecorder"),
    "resi.groundings": ("GROUNDINGS",),
    "resi.machine.devices": ("torch_threads",),
    "resi.measures.base": ("Measure", "as_measure"),
    "resi.measures.features": ("Features",),
    "resi.measures.sampled_units": ("UnbiasedCKA",),
    "resi.randomness": ("forked_torch", "generator", "torch_generator"),
    "resi.registry": ("domains", "make_measure", "measure_sets", "measures"),
    "resi.specs": (
        "ArchitectureInfo", "DatasetInfo", "DatasetSpec", "Extraction", "ForwardPass", "ModelSpec", "ProbeSpec",
        "Trained",
    ),
}  # fmt: skip
"""Modules of which some names are public: what plugins are written with."""
VARIABLES = re.compile(r"\b(?:RESI_[A-Z_]+|REP_SIM)\b")
INTERNAL_VARIABLES = {"RESI_CORES", "RESI_MEMORY", "RESI_SLOT"}
"""They tell jobs of a sweep their share; launchers set them."""


def public() -> Found:
    """Return all that is public, but for names of measures, models, datasets and tests, which ``names`` has."""
    return {
        "python": {module: _names(module, only) for module, only in {**dict.fromkeys(WHOLE), **PARTS}.items()},
        "hooks": _hooks(),
        "commands": dict(_commands()),
        "keys of a run": dict(_keys()),
        "columns": _columns(),
        "exit codes": _exit_codes(),
        "environment": _variables(),
        "installed": _installed(),
    }


def _names(module_name: str, only: tuple[str, ...] | None) -> Found:
    module = importlib.import_module(module_name)
    if only is None:
        only = tuple(getattr(module, "__all__", [name for name, item in vars(module).items() if _is_own(module, item)]))
    return {name: _about(getattr(module, name)) for name in sorted(only)}


def _is_own(module: Any, item: Any) -> bool:
    return isinstance(item, type) and item.__module__ == module.__name__ and not item.__name__.startswith("_")


def _about(item: Any) -> Any:
    """Return the parameters of a function, those of a class and its members, or the kind of anything else."""
    if isinstance(item, type):
        members = {name: _about_member(member) for name, member in _members(item)}
        return {"(": _parameters(item), **members}
    if callable(item):
        return _parameters(item)
    return type(item).__name__


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public members of a class, with those that it has from other classes of resi."""
    found: Found = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("resi"):
            found |= {name: member for name, member in vars(base).items() if not name.startswith("_")}
            found |= dict.fromkeys((name for name in _annotations(base) if name not in found), None)
    yield from sorted(found.items())


def _annotations(kind: type) -> list[str]:
    return [name for name in vars(kind).get("__annotations__", {}) if not name.startswith("_")]


def _about_member(member: Any) -> str:
    if isinstance(member, staticmethod | classmethod):
        return _parameters(member.__func__)
    return _parameters(member) if inspect.isfunction(member) else "value"


def _parameters(function: Callable[..., Any]) -> str:
    try:
        signature = inspect.signature(function)
    except ValueError:  # of classes in C
        return "(...)"
    shown = [
        parameter.replace(annotation=parameter.empty, default=_default(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=shown, return_annotation=signature.empty))


class _Shown(str):
    """A text that stands for itself in a signature, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty or value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, enum.Enum):
        return _Shown(f"{type(value).__name__}.{value.name}")
    return value if isinstance(value, str | tuple) and " at 0x" not in repr(value) else _Shown("...")


def _hooks() -> Found:
    from resi.registry import hookspecs

    return {name: _parameters(hook) for name, hook in vars(hookspecs).items() if name.startswith("resi_")}


class _Parsing(Exception):  # noqa: N818
    """Where a command would parse its words."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _commands() -> Iterator[tuple[str, Found]]:
    from resi.cli.list import RESULTS
    from resi.cli.main import COMMANDS

    for name, (module, _) in COMMANDS.items():
        yield name, _about_command(module, [])
    for kind in RESULTS:
        yield f"list {kind}", _about_command(COMMANDS["list"][0], [kind])
    yield "resi-merge", _about_command("resi.cli.merge", [])


def _about_command(module_name: str, words: list[str]) -> Found:
    """Return the options, positional words and keys of a command: it is called, and stopped where it parses."""
    module = importlib.import_module(module_name)
    with mock.patch.object(argparse.ArgumentParser, "parse_known_args", _stop):
        try:
            module.main(words)
        except _Parsing as stopped:
            parser = stopped.parser
        else:
            raise AssertionError(f"{module_name} parses no words")
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    options = [_option(action) for action in actions if action.option_strings]
    positional = [_positional(action) for action in actions if not action.option_strings]
    return {"words": positional, "options": sorted(options), "keys": sorted(getattr(module, "KEYS", {}))}


def _stop(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
    raise _Parsing(parser)


def _option(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_choices(action) or 'VALUE'}"
    return "/".join(action.option_strings) + value


def _positional(action: argparse.Action) -> str:
    return f"{_choices(action) or action.metavar or action.dest}{action.nargs or ''}"


def _choices(action: argparse.Action) -> str:
    # Plugins add names of datasets; those of resi stand in ``names``.
    return "|".join(sorted(map(str, action.choices))) if action.choices and action.dest != "dataset" else ""


def _keys() -> Iterator[tuple[str, str]]:
    """Yield keys of a run with their defaults; those of models, measures and tests depend on what is chosen."""
    from resi.config.schema import SUBKEYS, RunSchema

    for field in dataclasses.fields(RunSchema):
        below = SUBKEYS.get(field.name)
        if below is None:
            yield field.name, _shown_default(field)
        else:
            for inner in dataclasses.fields(below):
                yield f"{field.name}.{inner.name}", _shown_default(inner)


def _shown_default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return repr(field.default_factory())
    return str(_default(field.default))


def _columns() -> Found:
    from resi.results import embedded, schema

    tables: dict[str, Mapping[str, Any]] = {
        "comparisons": schema.COMPARISONS,
        "scores": schema.SCORES,
        "pairwise": schema.PAIRWISE,
        "pairwise with null": schema.CHANCE,
        "pairwise with bootstrap": {**schema.INTERVALS, **schema.DRAWS},
        "calibrate": schema.AGGREGATES,
        "models": embedded.MODELS,
        "runs": embedded.RUNS,
    }
    found = {name: {column: str(kind) for column, kind in columns.items()} for name, columns in tables.items()}
    return {"schema version": schema.SCHEMA_VERSION, **found}


def _exit_codes() -> Found:
    from resi import errors
    from resi.machine import signals

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ResiError)]
    by_error = {kind.__name__: kind.exit_code for kind in kinds}
    return {"interrupted": signals.INTERRUPTED, "terminated": signals.TERMINATED, **by_error}


def _variables() -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "src" / "resi").rglob("*.py")]
    return sorted({name for text in texts for name in VARIABLES.findall(text)} - INTERNAL_VARIABLES)


def _installed() -> Found:
    """Return the commands and extras that installing resi gives, and the group of plugins' entry points."""
    from resi.registry.hookspecs import PROJECT

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = sorted(project["optional-dependencies"])
    return {"commands": sorted(project["scripts"]), "extras": extras, "group of entry points": PROJECT}
