"""What to type instead of a first word that is not a command: it may be a name, a key, or what others call a run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

STARTS = ("run", "sweep", "train", "start", "multirun")
"""What commands that start something are often called."""


def unknown_command(words: Sequence[str], commands: Collection[str]) -> UsageError:
    """Build the error for a command line whose first word is not a command.

    Parameters
    ----------
    words : sequence of str
        The command line without the name of the program.
    commands : collection of str
        Those that there are.
    """
    word = words[0]
    if word in STARTS:
        begun = "resi -m" if word in ("sweep", "multirun") else "resi"
        rest = shlex.join(words[1:]) or "measure=cka"
        return UsageError(f"unknown command {word!r}: a run is started without a command; write {begun} {rest}")
    if advice := _advice(word):
        return UsageError(f"unknown command {word!r}: {advice}")
    return unknown_name("command", word, commands, " A run takes arguments KEY=VALUE, see resi --help.")


def _advice(word: str) -> str:
    """Return what a word is, and what to write for it; nothing where it is not a name."""
    from resi import registry
    from resi.cli.help import help_texts
    from resi.cli.kinds import KINDS, suite_names
    from resi.groundings import GROUNDINGS

    if word in KINDS:
        return f"write resi list {word}"
    if word in help_texts():
        return f"it is a key of a run; write resi {word}=VALUE, see resi --help"
    if word in suite_names(None):
        return f"it is a suite; write resi -m suite={word} to run it, or resi describe {word}"
    known: dict[str, Collection[str]] = {
        "measure": [*registry.measures()],
        "test": GROUNDINGS,
        "domain": [*registry.domains()],
    }
    for kind, names in known.items():
        if word in names:
            return _named(kind, f"{kind}={word}", word)
    for domain in registry.usable_domains():
        datasets = [item.name for item in domain.datasets()]
        models = [item.name for item in domain.architectures()]
        for kind, names in {"dataset": datasets, "model": models}.items():
            if word in names:
                return _named(kind, f"domain={domain.name} {kind}={word}", word)
    return ""


def _named(kind: str, words: str, name: str) -> str:
    return f"it is a {kind}; write resi {words} for a run, or resi describe {name}"
