"""Suites: named lists of grids of runs, ``conf/suite/NAME.yaml``, each expanded as a sweep of Hydra's is.

A grid maps keys to values as the command line does: ``cora,flickr`` are two runs, a list is one value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

    Grid = Mapping[str, Any]

Job = tuple[str, ...]
"""The words of one run."""
CHOICES = ("domain", "dataset", "model", "test", "representation")
"""Keys that, where a grid has them, choose among its values instead of replacing them."""


@dataclass(frozen=True)
class Suite:
    """A named list of grids.

    Attributes
    ----------
    about : str
        What it is, in a line.
    grids : mapping from name to mapping
        Each from keys of a run to values, as on the command line.
    """

    name: str
    about: str
    grids: Mapping[str, Grid]


def read_suite(name: str, node: DictConfig | None) -> Suite:
    """Return a suite from its composed config.

    Raises
    ------
    UsageError
        If its YAML is no suite.
    """
    content = OmegaConf.to_container(node, resolve=True) if node is not None else None
    grids = content.get("grids") if isinstance(content, dict) else None
    if not isinstance(grids, dict) or not grids or not all(isinstance(grid, dict) and grid for grid in grids.values()):
        raise UsageError(f"suite={name}: expected `grids:`, a mapping from names to mappings such as {{domain: graph}}")
    return Suite(name, str(content.get("about", "")), grids)  # type: ignore[union-attr]


def load_suite(name: str, loader: ConfigLoader, common: Sequence[str] = ()) -> Suite:
    """Return a suite by name.

    Raises
    ------
    UsageError
        If there is none of that name, or its YAML is no suite.
    """
    from hydra.types import RunMode

    known = sorted(loader.get_group_options("suite", config_name="config", overrides=list(common)))
    if name not in known:
        raise unknown_name("suite", name, known)
    if common:
        words = [*common, f"suite={name}", "measure=cka"]
        return read_suite(name, loader.load_configuration("config", words, RunMode.RUN).get("suite"))
    # By itself it is composed sooner than as a part of a run, but Hydra looks for it in no further search path.
    return read_suite(name, loader.load_configuration(f"suite/{name}", [], RunMode.RUN).get("suite"))


def suite_names(loader: ConfigLoader) -> list[str]:
    """Return the names of all suites."""
    return sorted(loader.get_group_options("suite"))


def expand(words: Sequence[str], suite: Suite | None = None, loader: ConfigLoader | None = None) -> list[Job]:
    """Return the jobs of a sweep over ``words``, or those of a suite with further words.

    Words that name a domain, dataset, model, test or representation choose among those of the suite; any other word
    replaces what a grid says, or is added. Words about one model, such as ``model.gcn.epochs=50``, go to the jobs that
    have it. A job that several grids have is there once.

    Parameters
    ----------
    loader : ConfigLoader, optional
        Knows what ``glob(*)`` stands for.

    Raises
    ------
    UsageError
        If the suite has nothing of what is chosen.
    """
    further = _parse(words, loader)
    if suite is None:
        return _product(further)
    grids = [_parse(as_words(grid), loader) for grid in suite.grids.values()]
    wanted = {item.key_or_group: _values(item) for item in further if item.key_or_group in CHOICES}
    _check_wanted(suite, wanted, grids)
    jobs = []
    for grid in grids:
        chosen = _narrow(grid, wanted)
        if chosen is not None:
            keys = {item.key_or_group for item in grid}.intersection(CHOICES)
            added = [str(item.input_line) for item in further if item.key_or_group not in keys]
            jobs += [_without_other_models(job) for job in _product(_parse([*chosen, *added], loader))]
    if not jobs:
        choice = " ".join(f"{key}={','.join(values)}" for key, values in wanted.items())
        raise UsageError(f"suite={suite.name} has no job with {choice} (resi describe {suite.name} lists its grids)")
    _check_model_keys(further, jobs)
    return list(dict.fromkeys(jobs))


def as_words(grid: Grid) -> list[str]:
    """Return a grid as words of a command line."""
    return [f"{key}={_text(value)}" for key, value in grid.items()]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _parse(words: Iterable[str], loader: ConfigLoader | None) -> list[Override]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create(config_loader=loader).parse_overrides(list(words))


def _product(overrides: list[Override]) -> list[Job]:
    """Return one job for each combination, of a key that stands there twice by its last value."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    return [tuple(job) for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def _values(item: Override) -> list[str]:
    """Return the single names that a word chooses, whether as a sweep or as a list."""
    if item.is_sweep_override():
        texts = [str(text) for text in item.sweep_string_iterator()]
    else:
        texts = [item.get_value_element_as_str()]
    return [name for text in texts for name in _names(text)]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.strip("[]").split(",")]


def _narrow(grid: list[Override], wanted: Mapping[str, list[str]]) -> list[str] | None:
    """Return the words of what a grid has of the values wanted, or None if it has nothing of them."""
    words = []
    for item in grid:
        key = item.key_or_group
        if key not in wanted:
            words.append(str(item.input_line))
            continue
        texts = item.sweep_string_iterator() if item.is_sweep_override() else [item.get_value_element_as_str()]
        kept = [text for text in map(str, texts) if set(_names(text)) <= set(wanted[key])]
        if not kept:
            return None
        words.append(f"{key}={','.join(kept)}")
    return words


def _check_wanted(suite: Suite, wanted: Mapping[str, list[str]], grids: list[list[Override]]) -> None:
    """Raise ``UsageError`` if no grid has one of the names wanted."""
    for key, names in wanted.items():
        by_grid = [[name for item in grid if item.key_or_group == key for name in _values(item)] for grid in grids]
        if all(by_grid):  # a grid without the key takes any name
            known = {name for found in by_grid for name in found}
            for name in names:
                if name not in known:
                    raise unknown_name(f"{key} of suite={suite.name}:", name, known)


def _without_other_models(job: Job) -> Job:
    """Leave out words about models that the job does not have."""
    models = _models(job)
    return tuple(word for word in job if models is None or _model_of(word) in (None, *models))


def _models(job: Job) -> list[str] | None:
    return next((_names(word.partition("=")[2]) for word in job if word.startswith("model=")), None)


def _model_of(word: str) -> str | None:
    """Return which model a word such as ``model.gcn.epochs=50`` is about."""
    found = re.match(r"[+~]*model\.([^.=]+)\.", word)
    return found[1] if found else None


def _check_model_keys(further: list[Override], jobs: list[Job]) -> None:
    """Raise ``UsageError`` for a word about a model that no job has."""
    keys = {word.partition("=")[0] for job in jobs for word in job}
    for item in further:
        name = _model_of(str(item.input_line))
        if name and str(item.input_line).partition("=")[0] not in keys:
            raise UsageError(f"{item.input_line}: no job of this suite has model={name}")
