"""The arguments of a command line ("words"), ``KEY=VALUE``, before Hydra reads them."""

from __future__ import annotations

import contextlib
import difflib
import re
import shlex
from typing import TYPE_CHECKING, NoReturn

from resi.console.redaction import redact
from resi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hydra.core.override_parser.types import Override

PATHS = ("root", "dataset.root", "models.root", "shards", "measure.file")
"""Keys whose values are paths or URLs: any text is allowed."""
SINGLE = {
    "domain": "run",
    "dataset": "run",
    "test": "run",
    "protocol": "run",
    "stage": "run",
    "representation": "run",
    "device": "run",
    "by": "run",
    "suite": "sweep",
    "hydra/launcher": "sweep",
    "hydra/sweeper": "sweep",
}
"""Keys that have one value, and what has it."""
# A value that Hydra reads as the text it is, of letters, digits and a few signs, and that is not a number or constant.
PLAIN = re.compile(r"[A-Za-z_./\\-][A-Za-z0-9_./\\%@+:*-]*")
# The beginning of a key such as measure.resi-example:effective_rank.k
OF_DISTRIBUTION = re.compile(r"([+~]*(?:measure|model)\.[A-Za-z0-9-]+):(?=[A-Za-z_])")
CHOSEN = ("domain", "dataset", "test", "protocol")
"""Groups of which a run has one choice."""
NAMES = (*CHOSEN, "measure", "model")
"""Groups whose choices are names."""
SUITE = re.compile(r"[+~]*suite(@[^=]*)?=(.*)", re.DOTALL)
WITH_VALUE = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--package", "-p", "--cfg", "-c")
"""Options of Hydra that are followed by a value."""
CONSTANTS = ("true", "false", "null", "inf", "nan", "-inf", "-nan")
# Quoted, or with a meaning that a path has not: a sweep, a list, a call or an interpolation.
MEANT = re.compile(r"""^['"]|[,\[\](){}$'"\\]|^null$""")


def quoted(words: Iterable[str]) -> list[str]:
    """Return the words, with quotes around paths that Hydra would misread otherwise, such as ``root=~/x``."""
    return [_quoted(word) for word in words]


def _quoted(word: str) -> str:
    key, equals, value = word.partition("=")
    if found := OF_DISTRIBUTION.match(key):  # in a key Hydra allows no colon
        key = f"{found[1]}--{key[found.end() :]}"
        word = f"{key}={value}"
    if not equals or key.lstrip("+") not in PATHS or not value or MEANT.search(value):
        return word
    if PLAIN.fullmatch(value) and value.lower() not in CONSTANTS:
        return word
    return f"{key}='{value}'"


def check_single(overrides: Iterable[Override]) -> None:
    """Raise ``UsageError`` for a list of values under a key that has one, or for a list of names with something else.

    Of a group of which one config is chosen, Hydra takes a list as several configs and keeps the last of them.
    """
    for item in overrides:
        key = item.key_or_group
        if key in NAMES:
            _check_names(item)
        if key in PATHS and not item.is_sweep_override() and item.value() == "":
            raise UsageError(f"{item.input_line}: {key} has no value; leave it out for the default")
        if key not in SINGLE:
            continue
        for value in item.sweep_iterator() if item.is_discrete_sweep() else [item.value()]:
            if isinstance(value, list) and len(value) != 1:
                raise one_value(key, str(item.input_line), [str(part) for part in value])
            if value is None and key in CHOSEN:
                raise UsageError(f"{item.input_line}: a run has one {key}; leave the argument out for the default")


def _check_names(item: Override) -> None:
    """Raise ``UsageError`` for a list in which something is not a name."""
    for value in item.sweep_iterator() if item.is_discrete_sweep() else [item.value()]:
        if isinstance(value, list) and any(isinstance(part, list | dict) for part in value):
            raise UsageError(
                f"{redact(str(item.input_line))}: expected names in the list, as {item.key_or_group}=[a,b]"
            )


def check_words(words: Iterable[str]) -> None:
    """Raise ``UsageError`` as :func:`check_single` does, of words as they stand on a command line, options included."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    for word in words:
        if "=" in word and not word.startswith("-"):
            with contextlib.suppress(HydraException):  # which Hydra says itself
                check_single(parser.parse_overrides([word]))


def check_once(words: Iterable[str]) -> None:
    """Raise ``UsageError`` for a key that is given twice, of which Hydra takes the last value and says nothing.

    Parameters
    ----------
    words : iterable of str
        As a person wrote them; a suite replaces values of its grids by giving them again.
    """
    given: dict[str, str] = {}
    before = ""
    for word in words:
        key = word.partition("=")[0].lstrip("+")
        is_value = before in WITH_VALUE
        before = word
        if is_value or "=" not in word or word.startswith(("-", "~", "=")) or SUITE.fullmatch(word):
            continue
        if key in given:
            both = ""
            if key in ("measure", "measure.file", "model") and not re.search(r"[{'\"]", given[key] + word):
                values = [each.partition("=")[2].strip("[]") for each in (given[key], word)]
                items = dict.fromkeys(",".join(values).split(","))
                both = f"; for both write '{key}=[{','.join(items)}]'"
            raise UsageError(f"{redact(given[key])} {redact(word)}: {key} is given twice{both}")
        given[key] = word


def check_options(words: Sequence[str]) -> None:
    """Raise ``UsageError`` for an option of a command line that a run does not have."""
    from hydra._internal.utils import get_args_parser

    def fail(message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')}; see resi --help")

    for word in words:
        if "=" in word and re.match("-[A-Za-z]{2}", word):
            raise UsageError(f"unknown option {redact(word)}: keys of a run have no dashes; write {redact(word[1:])}")
    is_sweep = {"-m", "--multirun"}.intersection(words) or suite_of(words)
    if is_sweep and {"--cfg", "-c"}.intersection(word.partition("=")[0] for word in words):
        raise UsageError("--cfg prints the config of one run, not of a sweep; resi plan --json shows its jobs")
    parser = get_args_parser()
    parser.error = fail  # type: ignore[method-assign]
    known = [name for action in parser._actions for name in action.option_strings]
    for word in parser.parse_known_args(words)[1]:
        name, equals, _ = word.partition("=")
        if equals and name not in known:
            raise UsageError(f"unknown option {word}: keys of a run have no dashes; write {word.lstrip('-')}")
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(f"unknown option {word}{f'; did you mean {near[0]}? Or' if near else ';'} see resi --help")


def one_value(key: str, given: str, values: Iterable[str] = ()) -> UsageError:
    """Build the error for several values of a key that has one.

    Parameters
    ----------
    given : str
        The argument as given.
    values : iterable of str
        The values, if they are known.
    """
    label, whole = key.rpartition("/")[2], SINGLE[key]
    if whole == "sweep":
        return UsageError(f"{given}: a sweep has one {label}; use one command for each")
    listing = ",".join(values) or "a,b"
    return UsageError(
        f"{given}: a run has one {label}. For a run of each write -m {key}={listing}; in a suite `{key}: {listing}`, "
        "without brackets; in Python, call resi.run once for each"
    )


def how_to_quote(word: str) -> str:
    """Return the message for a word that cannot be parsed."""
    key, _, value = word.partition("=")
    if key != key.strip() and key.strip() and value.strip():
        return f"{word}: no spaces may stand around =; write {shlex.quote(f'{key.strip()}={value.strip()}')}"
    if not value:
        return f"{word}: expected KEY=VALUE, such as measure=cka"
    if value.startswith("[") and not value.endswith("]"):
        return f"{word}: the list does not end with a bracket; write it without spaces, in quotes, as '{key}=[a,b]'"
    inner = value.replace("'", "\\'")
    quoted_word = f"{key}='{inner}'"
    shown = shlex.quote(quoted_word) if re.search(r'[$`"\\!]', quoted_word) else f'"{quoted_word}"'
    return (
        f"{word}: this cannot be read. Put a value with spaces or any of # = ~ , : [ ] {{ }} ( ) in quotes, which the "
        f"shell has to leave: {shown}"
    )


def suite_of(words: Sequence[str]) -> str | None:
    """Return the suite that the words of a command line name, if they name one.

    Raises
    ------
    UsageError
        If they name several, or the name is empty.
    """
    named = [found for found in map(SUITE.fullmatch, words) if found]
    if not named:
        return None
    name = named[-1][2]
    if not name:
        raise UsageError("suite= has no value; resi list suites shows which there are")
    if len(named) > 1 or re.search(r"[,\[\]]", name):
        given = " ".join(found[0] for found in named)
        raise UsageError(f"{given}: a sweep has one suite; use one command for each")
    return None if name == "null" else name


def label(words: Sequence[str]) -> str:
    """Return the words of a job as a person reads them, without secrets and those that are Hydra's own."""
    return " ".join(redact(word) for word in words if not word.startswith(("hydra.", "hydra/")))
