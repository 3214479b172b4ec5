"""Names of settings: their parts, and groups of a test that a user selects by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STANDARD = "standard"
"""The setting of models that are trained on unaltered data."""
SHORT_NAME = ("random_labels_", "label_randomization_")
"""Alias of the settings of random labels, and their name."""
FEWEST = 2
"""Groups of a test that compares groups."""


def split_setting(setting: str) -> tuple[str, int]:
    """Return what a setting alters and its level, such as ``shortcut`` and 75; the level is 0 if the name has none.

    Examples
    --------
    >>> split_setting("label_randomization_75"), split_setting("six_layers")
    (('label_randomization', 75), ('six_layers', 0))
    """
    kind, _, level = setting.rpartition("_")
    return (kind, int(level)) if kind and level.isdecimal() else (setting, 0)


def own_name(setting: str, levels: Mapping[str, range]) -> str:
    """Return the name of a setting here; a level 0 that alters nothing is ``standard``.

    Parameters
    ----------
    levels : mapping from kind to range
        Levels with which models can be trained.

    Examples
    --------
    >>> own_name("random_labels_50", {}), own_name("augmentation_0", {"augmentation": range(1, 101)})
    ('label_randomization_50', 'standard')
    """
    name = setting.replace(*SHORT_NAME)
    kind, level = split_setting(name)
    return STANDARD if kind in levels and name == f"{kind}_0" and level not in levels[kind] else name


def choose(
    test: str, groups: Sequence[str], known: Sequence[str], levels: Mapping[str, range], fewest: int = FEWEST
) -> tuple[str, ...]:
    """Return the settings that are named, from unaltered to most altered.

    Parameters
    ----------
    known : sequence of str
        The settings of the benchmark's test, and others that it can have, in their order.
    levels : mapping from kind to range
        Levels that models can be trained with beyond these, by what they alter.
    fewest : int
        Smallest number of settings.

    Raises
    ------
    UsageError
        If a setting is unknown or named twice, or a test that compares several settings gets only one.
    """
    names = [own_name(name, levels) for name in groups]
    for given, name in zip(groups, names, strict=True):
        if name not in known and not _is_level(name, test, levels):
            raise unknown_name(f"group of test={test}:", given, known, _further(test, levels))
    if len(set(names)) < len(names) or len(names) < min(len(known), fewest):
        raise UsageError(
            f"groups=[{','.join(names)}]: test={test} compares models of different settings; name several, each once"
        )
    if all(name in known for name in names):
        return tuple(name for name in known if name in names)
    return tuple(sorted(names, key=lambda name: (split_setting(name)[1], name != STANDARD)))


def _is_level(name: str, test: str, levels: Mapping[str, range]) -> bool:
    """Return whether a name is a level of what a test alters."""
    kind, level = split_setting(name)
    return kind == test and level in levels.get(kind, ()) and name == f"{kind}_{level}"


def _further(test: str, levels: Mapping[str, range]) -> str:
    """Return further allowed names of a test's settings, for a message."""
    if test not in levels:
        return ""
    return f" {test}_L can have any level L from {levels[test].start} to {levels[test].stop - 1}."


def unpublished_level(setting: str, known: Iterable[str]) -> UsageError:
    """Build the error for a setting without published models.

    Parameters
    ----------
    known : iterable of str
        The settings of which there are.
    """
    kind, _ = split_setting(setting)
    levels = sorted({level for of, level in map(split_setting, known) if of == kind})
    return UsageError(
        f"models.source=published: no models of {setting} are published; published levels of {kind}: "
        f"{', '.join(map(str, levels))}"
    )
