"""Hydra's errors in one line each."""

from __future__ import annotations

import contextlib
import difflib
import re
from dataclasses import fields
from typing import Any

from resi.config.words import SINGLE, how_to_quote, one_value
from resi.errors import stopped, unknown_name
from resi.registry.files import KEY

LISTS = {"measure": True, "model": True, "seeds": False, "groups": False, "trained_on": False}
"""Keys whose value can be a list, and whether a run can also be made for each item."""
KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}
"""What a value is expected to be, by OmegaConf's name for it."""
NO_NUMBER = "a choice such as measure=cka or test=augmentation is a name or a list of names, not a number"


def explain_hydra(error: BaseException) -> str | None:
    """Return what a Hydra or OmegaConf error means for the user, or None for any other error."""
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice(error)
    if not isinstance(error, HydraException | OmegaConfBaseException):
        is_number = isinstance(error, ValueError) and str(error).startswith("Config group override must be")
        return NO_NUMBER if is_number else None
    if isinstance(error, OverrideParseException):
        return how_to_quote(str(error.override))
    return _of_composing(error)


def _of_composing(error: BaseException) -> str:
    """Return what an error means that Hydra or OmegaConf raise when they put a config together."""
    from omegaconf.errors import OmegaConfBaseException

    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if found := re.match("Additional config directory '(.*)' not found", lines[0]):
        return f"--config-dir {found[1]}: there is no such folder"
    if lines[0].startswith("Could not override ''"):
        return "an argument begins with =; write KEY=VALUE, such as measure=cka"
    if unknown := re.match(r"Could not override '([^']+)'", lines[0]):
        below = re.search(r"full_key: (\S+)", f"{error.__cause__}")  # of a mapping, the key in it
        return unknown_key(below[1] if below and below[1].startswith(f"{unknown[1]}.") else unknown[1])
    if ambiguous := re.match(r"Ambiguous value for argument '(.+)'", lines[0]):
        return _ambiguous(ambiguous[1])
    cause = error.__cause__ or error.__context__
    message = lines[0].removeprefix("Error merging override ")
    if isinstance(cause, OmegaConfBaseException) and str(cause).strip():
        return _unfit(message, str(cause).splitlines()[0])
    return f"{message} (resi --help lists the keys)"


def _unfit(word: str, reason: str) -> str:
    """Return the line for a value of another kind than that of its key.

    Parameters
    ----------
    reason : str
        What OmegaConf says.
    """
    key = word.partition("=")[0].lstrip("+")
    if "ListConfig" in reason:
        return f"{word}: expected a list such as [0,1], in quotes: '{key}=[0,1]'"
    if "is not a valid bool" in reason:
        reason = "could not be converted to Boolean"
    if kind := re.search(r"could not be converted to (\w+)$", reason):
        return f"{word}: expected {KINDS.get(kind[1], kind[1])}"
    if choices := re.match(r"Invalid value '(.*)', expected one of \[(.*)\]$", reason):
        return str(unknown_name(key, choices[1], choices[2].split(", ")))
    if found := re.match(r"Cannot convert '(list|dict)' to string|Value .* \((list|dict)\) is not a valid", reason):
        return f"{word}: expected one value, not a {'list' if 'list' in found.groups() else 'mapping'}"
    if "is not a subclass of" in reason:
        return has_keys(word)
    return f"{word}: {reason} (resi --help lists the keys)"


def has_keys(word: str) -> str:
    """Return the line for a value where a key has others below it."""
    key = word.partition("=")[0].lstrip("+")
    group, point, name = key.partition(".")
    if group in ("measure", "model"):
        name = name if point else "NAME"
        return f"{word}: expected a parameter, as {group}.{name}.PARAMETER=VALUE; {group}=NAME chooses a {group}"
    return f"{word}: expected one of the keys below {key}, as {key}.KEY=VALUE; resi --help lists them"


def _ambiguous(word: str) -> str:
    key = word.partition("=")[0].lstrip("+")
    if key in SINGLE:
        return str(one_value(key, word, word.partition("=")[2].split(",")))
    value = word.partition("=")[2].replace(" ", "")
    if key not in LISTS:
        return f"{word}: {key} has one value; for a run of each write resi -m {key}={value}"
    each = f"; for a run of each write resi -m {key}={value}" if LISTS[key] else ""
    return f"{word}: for one run with all of them write a list, in quotes: '{key}=[{value}]'{each}"


def _unknown_choice(error: BaseException) -> str:
    from resi.config.register import own_store
    from resi.registry.discovery import load_plugins

    choice = str(getattr(error, "missing_cfg_file", ""))
    group, _, name = choice.rpartition("/")
    if choice.startswith("measure/") and choice.endswith(".py"):
        return f"measure={choice.removeprefix('measure/')} names a file; write {KEY}={choice.removeprefix('measure/')}"
    if " " in name:
        return f"{group}=[{name}]: put commas between names: '{group}=[{','.join(name.replace(',', ' ').split())}]'"
    if not name and group:
        return f"{group}= has no value; leave it out for the default, or write a name that resi list {group}s shows"
    if several := _several(group, name):
        return f"{group} {name!r} is provided by several plugins; name one of them: {' or '.join(several)}"
    failed = load_plugins().failed if group in ("measure", "domain", "dataset", "model") else []
    hint = "".join(f" Plugin {p.name} of {p.distribution} failed to load: {stopped(p.error)}" for p in failed)
    if group in ("measure", "domain", "dataset", "model", "test"):
        hint += f" See resi list {group}s."
    options = getattr(error, "options", None)
    if options is None:  # of a list of choices Hydra does not say what there is
        options = []
        with contextlib.suppress(OSError):  # what it raises for a group of files alone
            options = [item.removesuffix(".yaml") for item in own_store().list(group)]
    # Of what has a plain name, not distribution:name as well.
    shown = [option for option in options if ":" not in option or option.rpartition(":")[2] not in options]
    return str(unknown_name(group or "config", name, shown, hint))


def _several(group: str, name: str) -> list[str]:
    """Return the full names of a choice whose plain name several plugins have."""
    from resi import registry

    known: list[registry.Registry[Any]] = []
    if group in ("measure", "domain"):
        known = [registry.measures() if group == "measure" else registry.domains()]
    elif group in ("dataset", "model"):
        of_domain = registry.datasets if group == "dataset" else registry.networks
        known = [of_domain(domain) for domain in registry.domains()]
    return [full for items in known for full in items.several(name)]


def unknown_key(key: str) -> str:
    """Return the line for a key that does not exist, or that belongs to a measure or model that is not chosen."""
    from resi.config.launchers import LAUNCHERS

    known = _keys()
    if key in known and key.startswith("hydra.launcher."):
        having = [name for name, options in LAUNCHERS.items() if key.rpartition(".")[2] in _names(options)]
        return f"{key} is set, but the launcher has no such key; choose hydra/launcher={' or '.join(having)}"
    if key in known and key.count(".") > 1:
        group, name, _ = key.split(".", 2)
        return f"{key} is set, but {name} is not chosen; add it to {group}=[...]"
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    beside = [other for other in near if other.rpartition(".")[0] == key.rpartition(".")[0]]
    near = beside or [other for other in near if other.count(".") == key.count(".")] or near
    guess = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"unknown key {key!r}{guess} resi --help lists the keys"


def _names(schema: type) -> list[str]:
    return [field.name for field in fields(schema)]


def _keys() -> list[str]:
    """Return every key of a run, those of all models and measures included."""
    from resi import registry
    from resi.config.launchers import LAUNCHERS
    from resi.config.schema import SUBKEYS, RunSchema
    from resi.registry.files import loaded_measures

    keys = [*(field.name for field in fields(RunSchema)), KEY]
    keys += [f"{group}.{field.name}" for group, schema in SUBKEYS.items() for field in fields(schema)]
    keys += sorted({f"hydra.launcher.{field.name}" for options in LAUNCHERS.values() for field in fields(options)})
    for domain in registry.usable_domains():
        names = [field.name for field in fields(domain.model_config)]
        keys += [f"model.{item.name}.{name}" for item in domain.architectures() for name in names]
    measures = {name: registry.measures().get(name) for name in registry.measures()} | loaded_measures()
    for name, measure in measures.items():
        keys += [f"measure.{name.replace(':', '--')}.{field.name}" for field in fields(measure)]  # type: ignore[arg-type]
    return keys
