"""Collect all names that can be completed: commands with their options, keys with their values, and what there is.

A *source* says what can be given: a list of names, or the name of a list that depends on other words or on files (see
:mod:`resi.cli.completion.candidates`).
"""

from __future__ import annotations

import importlib
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, get_type_hints

from resi.choices import Choice, ModelSource, OnError, Protocol, Status
from resi.cli.completion.candidates import REPEATED
from resi.upkeep.items import KINDS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    Source = str | list[str] | None
    About = list[Any]
    """A text, and the source of what follows; None of a flag, after which nothing does."""

BOOLEAN = ["true", "false"]
RUN_OPTIONS: dict[str, tuple[str, Source]] = {
    "--multirun": ("a sweep: a run for each combination of values", None),
    "-m": ("a sweep: a run for each combination of values", None),
    "--help": ("all commands and keys", None),
    "--version": ("the versions of resi, Python and torch", None),
    "--cfg": ("print the composed config", ["job", "hydra", "all"]),
    "--config-dir": ("folder with your own configs", "folders"),
    "--hydra-help": ("launchers and sweeps", None),
    "--install-completion": ("complete words with TAB in this shell", ["bash", "zsh", "fish"]),
    "--show-completion": ("print what completes words with TAB", ["bash", "zsh", "fish"]),
}
RUN_KEYS: dict[str, Source] = {
    "domain": "domains",
    "dataset": "datasets",
    "trained_on": "datasets",
    "model": "models",
    "representation": "representations",
    "groups": "settings",
    "test": "tests",
    "suite": "suites",
    "measure": "measures",
    "protocol": [choice.value for choice in Protocol],
    "models.source": [choice.value for choice in ModelSource],
    "on_error": [choice.value for choice in OnError],
    "by": ["setting", "architecture", "dataset"],
    "device": ["auto", "cpu", "cuda"],
    "root": "folders",
    "dataset.root": "files",
    "models.root": "folders",
    "measure.file": "files",
    "compare.memory": ["auto"],
    "hydra/launcher": "launchers",
}
"""Sources of the keys whose type does not say them."""
OTHER_KEYS: dict[str, Source] = {
    "data": "files",
    "out": "folders",
    "blocks": "files",
    "pooling": ["none", "mean", "max", "cls", "last"],
    "precision": ["float32", "bfloat16", "float16"],
    "overwrite": BOOLEAN,
    "diagonal": BOOLEAN,
    "align": [*BOOLEAN, "shared"],
    "shape": ["nd", "ntd", "nchw"],
    "model": [],
}
"""Sources of keys of ``resi extract`` and ``resi compare``."""
COLUMNS: dict[str, Source] = {
    "test": "tests",
    "measure": "measures",
    "domain": "domains",
    "dataset": "datasets",
    "architecture": "models",
    "protocol": [choice.value for choice in Protocol],
    "status": [status.value for status in Status],
}
"""Sources of columns by which results are filtered."""
WORDS: dict[tuple[str, str], Source] = {
    ("list", "pattern"): "listed",
    ("describe", "name"): "names",
    ("show", "shard"): "shards",
    ("merge", "roots"): "folders",
    ("convert", "files"): "files",
    ("compare", "words"): "files",
    ("check-measure", "words"): "measures or files",
    ("download", "names"): "downloads",
    ("clean", "pattern"): [],
    ("report", "root"): "results or folders",
    ("prepare", "archive"): "folders",
}
"""Sources of words that are neither options nor keys, by the command and the name its parser has for them."""
OPTIONS: dict[str, Source] = {
    "correct": ["holm", "bonferroni", "fdr_bh"],
    "dataset": "datasets",
    "model": "models",
    "beside": "results or folders",
    "sort": "columns",
    "out": "files",
    "remove": list(KINDS),
}
"""Sources of what follows an option, by its name; of others whose value is a path, files."""


def collect_names(commands: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return all names.

    Parameters
    ----------
    commands : mapping
        Of each command the module and what it does.
    """
    from resi.config.loading import config_folder

    found = {name: _command(name, importlib.import_module(module)) for name, (module, _) in commands.items()}
    keys = _run_keys()
    own = {key: about for key, about in keys.items() if key.startswith("measure.") and key != "measure.file"}
    for name in ("compare", "check-measure"):
        found[name]["keys"] |= own
    found["plan"]["keys"] = keys
    found |= _results()
    run = {"options": {name: list(about) for name, about in RUN_OPTIONS.items()}, "words": [], "keys": keys}
    abouts = {name: about for name, (_, about) in commands.items()}
    return {
        "commands": {"": run, **found},
        "abouts": abouts,
        "lists": _lists(),
        "domains": _of_domains(),
        "configs": str(config_folder()),
    }


def _command(name: str, module: Any) -> dict[str, Any]:
    """Return the options, words and keys of a command from its parser."""
    keys = {
        key: [known.about, OTHER_KEYS.get(key, RUN_KEYS.get(key))]
        for key, known in getattr(module, "KEYS", {}).items()
        if not key.endswith(".P")
    }
    return {**_of_parser(name, module.make_parser()), "keys": keys}


def _of_parser(name: str, parser: argparse.ArgumentParser) -> dict[str, Any]:
    options: dict[str, About] = {}
    words: list[Source] = []
    for action in parser._actions:  # nothing public lists them
        source = _source(action)
        if action.option_strings:
            options |= {key: [action.help or "", source] for key in action.option_strings}
            continue
        source = WORDS.get((name, action.dest), list(action.choices or []))
        words += [source, REPEATED] if action.nargs in ("*", "+") else [source]
    return {"options": options, "words": words}


def _source(action: argparse.Action) -> Source:
    """Return what follows an option."""
    if action.nargs == 0:
        return None
    if action.choices:
        return list(map(str, action.choices))
    return OPTIONS.get(action.dest, "files" if getattr(action.type, "__name__", "") == "Path" else [])


def _results() -> dict[str, Any]:
    """Return ``resi list scores`` and ``resi list comparisons``, which filter columns."""
    from resi.cli.list_results import SIDES, make_parser
    from resi.results.schema import COMPARISONS, SCORES

    columns = {"scores": [*SCORES], "comparisons": [*COMPARISONS, *SIDES]}
    return {
        f"list {kind}": {
            **_of_parser(f"list {kind}", make_parser(kind)),
            "keys": {name: ["", COLUMNS.get(name, [])] for name in names},
        }
        for kind, names in columns.items()
    }


def _run_keys() -> dict[str, About]:
    """Return the keys of a run."""
    from resi.cli.help import key_texts
    from resi.config.launchers import LAUNCHERS
    from resi.config.schema import SUBKEYS, RunSchema

    texts = key_texts()
    keys: dict[str, About] = {}
    for prefix, schema in {"": RunSchema, **{f"{group}.": schema for group, schema in SUBKEYS.items()}}.items():
        keys |= {f"{prefix}{name}": [texts.get(f"{prefix}{name}", ""), source] for name, source in _typed(schema)}
    keys |= {key: [texts.get(key, ""), source] for key, source in RUN_KEYS.items()}
    del keys["dataset.name"]
    for group in ("models", "compare"):
        del keys[group]
    for name, options in LAUNCHERS.items():
        keys |= {f"hydra.launcher.{field}": [f"of {name}", source] for field, source in _typed(options)}
    return {key: about for key, about in (keys | _parameters()).items() if not key.endswith("_target_")}


def _parameters() -> dict[str, About]:
    """Return the keys of measures and models."""
    from resi import registry

    keys: dict[str, About] = {}
    for name in registry.measures():
        part = name.replace(registry.SEPARATOR, "--")
        keys |= {f"measure.{part}.{key}": ["", source] for key, source in _typed(registry.measures().get(name))}
    for domain in registry.usable_domains():
        known = list(_typed(domain.model_config))
        for item in domain.architectures():
            keys |= {f"model.{item.name}.{key}": ["", source] for key, source in known}
    return keys


def _typed(schema: type) -> Iterable[tuple[str, Source]]:
    """Yield the names of the fields of a dataclass, and the values of those whose type says them."""
    try:
        types = get_type_hints(schema)
    except Exception:  # of a plugin, whose annotations may name what is imported for a type checker alone
        types = {}
    for field in fields(schema):
        kind = types.get(field.name)
        if kind is bool:
            yield field.name, BOOLEAN
        elif isinstance(kind, type) and issubclass(kind, Choice | Enum):
            yield field.name, [choice.value for choice in kind]
        else:
            yield field.name, []


def _lists() -> dict[str, list[str]]:
    """Return the lists of names that depend on no other word."""
    from resi import registry
    from resi.config.launchers import LAUNCHERS
    from resi.groundings import GROUNDINGS
    from resi.published.datasets import dataset_sources
    from resi.published.releases import releases
    from resi.registry.discovery import load_plugins
    from resi.results.embedded import embedded_names
    from resi.results.schema import COMPARISONS

    return {
        "measures": [*registry.measures(), *registry.measure_sets()],
        "tests": list(GROUNDINGS),
        "domains": list(registry.domains()),
        "plugins": [info.name for info in load_plugins().infos],
        "results": list(embedded_names()),
        "downloads": [*releases(), *dataset_sources()],
        "launchers": list(LAUNCHERS),
        "columns": list(COMPARISONS),
    }


def _of_domains() -> dict[str, dict[str, list[str]]]:
    """Return what each domain has."""
    from resi import registry

    return {
        domain.name: {
            "datasets": [item.name for item in domain.datasets()],
            "models": [item.name for item in domain.architectures()],
            "representations": list(domain.representations),
            "settings": list(
                dict.fromkeys(name for test in domain.settings_by_test for name in domain.known_settings(test))
            ),
        }
        for domain in registry.usable_domains()
    }
