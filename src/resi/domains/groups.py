"""Names of settings: what they consist of, and groups of a test that a user names instead of counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT_NAME = ("random_labels_", "label_randomization_")
"""What settings of random labels may be called, too, and what they are called."""
FEWEST = 2
"""Groups of a test that compares groups."""


def split_setting(setting: str) -> tuple[str, int]:
    """Return what a setting alters and its level, such as ``shortcut`` and 75; the level is 0 where a name has none.

    Examples
    --------
    >>> split_setting("label_randomization_75"), split_setting("six_layers")
    (('label_randomization', 75), ('six_layers', 0))
    """
    kind, _, level = setting.rpartition("_")
    return (kind, int(level)) if kind and level.isdecimal() else (setting, 0)


def choose(test: str, groups: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the settings that are named, in the order of those a test has.

    Raises
    ------
    UsageError
        If there is no such setting, one is named twice, or there are not several where a test compares several.
    """
    names = [name.replace(*SHORT_NAME) for name in groups]
    for name in names:
        if name not in known:
            raise unknown_name(f"group of test={test}:", name, known)
    if len(set(names)) < len(names) or len(names) < min(len(known), FEWEST):
        raise UsageError(
            f"groups=[{','.join(names)}]: test={test} compares models of different settings; name several, each once"
        )
    return tuple(name for name in known if name in names)
