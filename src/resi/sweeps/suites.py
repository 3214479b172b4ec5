"""The jobs of sweeps and suites. A suite is a named list of grids of runs, each expanded as a sweep of Hydra's is.

A grid maps keys to values as the command line does: ``cora,flickr`` are two runs, a list is one value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resi.config.words import check_single, quoted
from resi.errors import UsageError, unknown_name
from resi.sweeps.suite_files import Suite, as_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override

JobWords = tuple[str, ...]
"""The words of one run."""
GROUPS = "groups"
CHOICES = ("domain", "dataset", "model", "test", "representation")
"""Keys that, where a grid has them, choose among its values instead of replacing them."""


def expand(words: Sequence[str], suite: Suite | None = None, loader: ConfigLoader | None = None) -> list[JobWords]:
    """Return the jobs of a sweep over ``words``, or those of a suite with further words.

    Words that name a domain, dataset, model, test or representation choose among those of the suite; any other word
    replaces what a grid says, or is added, but for groups where the suite says that they are fixed. Words about one
    model, such as ``model.gcn.epochs=50``, go to the jobs that have it, also in a sweep without a suite. A job that
    several grids have is there once.

    Parameters
    ----------
    loader : ConfigLoader, optional
        Knows what ``glob(*)`` stands for.

    Raises
    ------
    UsageError
        If the suite has nothing of what is chosen, or a key that has one value is given a list.
    """
    further = _parse(words, loader)
    if suite is None:
        jobs = [_without_other_models(job) for job in _product(further)]
        _check_model_keys(further, jobs, "sweep")
        return list(dict.fromkeys(jobs))
    grids = {name: _parse(as_words(grid), loader) for name, grid in suite.grids.items()}
    wanted = {item.key_or_group: _values(item) for item in further if item.key_or_group in CHOICES}
    _check_wanted(suite, wanted, list(grids.values()))
    jobs = []
    for name, grid in grids.items():
        chosen = _narrow(grid, wanted)
        if chosen is not None:
            keys = {item.key_or_group for item in grid}.intersection(CHOICES)
            keys |= {GROUPS} if name in suite.fixed_groups else set()
            added = [str(item.input_line) for item in further if item.key_or_group not in keys]
            jobs += [_without_other_models(job) for job in _product(_parse([*chosen, *added], loader))]
    if not jobs:
        choice = " ".join(f"{key}={','.join(values)}" for key, values in wanted.items())
        raise UsageError(f"suite={suite.name} has no job with {choice} (resi describe {suite.name} lists its grids)")
    _check_model_keys(further, jobs, "suite")
    return list(dict.fromkeys(jobs))


def left_alone(words: Sequence[str], suite: Suite) -> str:
    """Return the note about a word for groups that some grids of a suite do not accept; empty without one."""
    given = [word for word in words if word.lstrip("+").startswith(f"{GROUPS}=")]
    if not given or not suite.fixed_groups:
        return ""
    names = [name for name in suite.grids if name in suite.fixed_groups]
    return f"{given[-1]}: the grids {', '.join(names)} of suite={suite.name} have fixed groups, and keep them"


def _parse(words: Iterable[str], loader: ConfigLoader | None) -> list[Override]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = OverridesParser.create(config_loader=loader).parse_overrides(quoted(words))
    check_single(overrides)
    return overrides


def _product(overrides: list[Override]) -> list[JobWords]:
    """Return one job for each combination; of a key that is given twice, the last value counts."""
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
    """Return the words of a grid with those of its values that are wanted, or None if it has none of them."""
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


def _without_other_models(job: JobWords) -> JobWords:
    """Leave out words about models that the job does not have."""
    models = _models(job)
    return tuple(word for word in job if models is None or _model_of(word) in (None, *models))


def _models(job: JobWords) -> list[str] | None:
    return next((_names(word.partition("=")[2]) for word in job if word.startswith("model=")), None)


def _model_of(word: str) -> str | None:
    """Return the model that a word such as ``model.gcn.epochs=50`` configures."""
    found = re.match(r"[+~]*model\.([^.=]+)\.", word)
    return found[1] if found else None


def _check_model_keys(further: list[Override], jobs: list[JobWords], whole: str) -> None:
    """Raise ``UsageError`` for a word about a model that no job has."""
    keys = {word.partition("=")[0] for job in jobs for word in job}
    for item in further:
        name = _model_of(str(item.input_line))
        if name and str(item.input_line).partition("=")[0] not in keys:
            raise UsageError(f"{item.input_line}: no job of this {whole} has model={name}")
