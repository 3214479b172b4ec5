"""Measures that Hydra does not know by themselves: those of files, and those named ``distribution:name``."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore

from resi.errors import UsageError
from resi.registry import SEPARATOR
from resi.registry.files import KEY, load_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from resi.measures.base import Measure
    from resi.registry.files import MeasureFile

JOINED = "--"
"""What stands for the colon of ``distribution:name`` in keys, where Hydra allows none; no name has it."""
FILES = "resi_measure_files"
"""Where a store notes which file a measure is from."""
BUILT_IN = re.compile(r"\bresi:(?=[a-z_])")


def key_of(name: str) -> str:
    """Return what a measure or model is called within a key, as in ``measure.resi-example--effective_rank.k``."""
    return name.replace(SEPARATOR, JOINED)


def name_of(key: str) -> str:
    """Return the name that stands within a key."""
    return key.replace(JOINED, SEPARATOR)


def with_files(words: Sequence[str], store: ConfigStore, are_all: bool = True) -> list[str]:
    """Return the words of a run, and let a store know the measures of the files that they name.

    Paths become absolute, and where no word says which measures are meant, one is added: those of the files.

    Parameters
    ----------
    are_all : bool
        Whether these are the words of a command, and not those of one job of a sweep, which may be by other measures.

    Raises
    ------
    UsageError
        If a file has no measures or none that is named, there are several values, or another file that the store
        knows has a measure of one name.
    """
    given = [word for word in words if is_file_word(word)]
    words = [_plain_built_in(word) for word in words if word not in given]
    files = read_files(given[-1]) if given else []
    if not files:
        return words
    paths = ",".join("'" + str(file.path).replace("\\", "\\\\").replace("'", "\\'") + "'" for file in files)
    words.append(f"{KEY}=[{paths}]")
    choices = [word for word in words if names_measures(word)]
    if not choices:
        words.append(f"measure=[{','.join(name for file in files for name in file.chosen)}]")
    elif are_all:
        _check_named(files, choices)
    _add(store, files)
    return words


def copied(store: ConfigStore) -> ConfigStore:
    """Return a store of what another has, to which measures of files can be added."""
    copy = ConfigStore.__new__(ConfigStore)  # by its class alone: calling it returns the one of the process
    copy.repo = {**store.repo, "measure": dict(store.repo["measure"])}
    return copy


def without_files(store: ConfigStore) -> ConfigStore:
    """Return a store without the measures of files that another command has added."""
    for name in vars(store).pop(FILES, {}):
        store.repo["measure"].pop(f"{name}.yaml", None)
    return store


def is_file_word(word: str) -> bool:
    """Return whether a word names files with measures."""
    return word.lstrip("+").startswith(f"{KEY}=")


def names_measures(word: str) -> bool:
    """Return whether a word says which measures are meant."""
    return re.match(r"[+~]*measure(@[^=]*)?=", word) is not None


def read_files(word: str) -> list[MeasureFile]:
    """Return the files that a word names, loaded."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    item = OverridesParser.create().parse_overrides([word])[0]
    if item.is_sweep_override():
        raise UsageError(f"{word}: write several files as a list, '{KEY}=[a.py,b.py]', and sweep over measure=")
    value = item.value()
    if value is None:
        return []
    if value == "":
        raise UsageError(f"{word}: {KEY} has no value; leave it out for the measures that are installed")
    return load_files([str(path) for path in (value if isinstance(value, list) else [value])])


def _plain_built_in(word: str) -> str:
    """Return a word in which measures of resi itself have their plain names, which nobody else can have."""
    return BUILT_IN.sub("", word) if names_measures(word) else word


def _check_named(files: Sequence[MeasureFile], choices: Sequence[str]) -> None:
    """Raise ``UsageError`` if none of the measures of a file is among those that are named."""
    named = {name for word in choices for name in re.findall(r"[a-z_0-9]+", word.partition("=")[2])}
    for file in files:
        if not named.intersection(file.measures):
            raise UsageError(
                f"{KEY}={file.path}: {choices[-1]} names none of its measures; add {' or '.join(file.measures)}, or "
                "leave measure= out for all of the file"
            )


def _add(store: ConfigStore, files: Sequence[MeasureFile]) -> None:
    """Add the measures of files to a store."""
    known: dict[str, Path] = vars(store).setdefault(FILES, {})
    for file in files:
        for name, measure in file.measures.items():
            if known.setdefault(name, file.path) != file.path:
                raise UsageError(f"{KEY}: {known[name]} and {file.path} both define {name}; rename one of them")
            store.store(group="measure", name=name, node=parameters_of(measure), package=f"measure.{name}")


def parameters_of(measure: type[Measure]) -> dict[str, Any]:
    """Return the parameters of a measure that a config can hold, with their defaults."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    found = {}
    for field in dataclasses.fields(measure):  # type: ignore[arg-type]
        value = "???" if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        try:
            OmegaConf.create({field.name: value})
        except (OmegaConfBaseException, TypeError, ValueError):  # it keeps its default
            continue
        found[field.name] = list(value) if isinstance(value, tuple) else value
    return found
