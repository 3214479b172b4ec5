"""Command lines of arguments ``KEY=VALUE`` that are not runs: those of ``resi extract`` and ``resi compare``."""

from __future__ import annotations

import argparse
import ast
import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from resi.cli.help import WIDTH, as_table
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from resi.registry.files import MeasureFile

LIST = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]")
"""A whole text in brackets, with patterns such as ``blocks.[0-5]`` inside."""
NAME = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|((?:[^,\[\]]|\[[^\[\]]*\])*))\s*(?:,|$)""")
"""A name or pattern, in quotes or without, and the comma after it."""
_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True)
class Key:
    """One key of a command.

    Attributes
    ----------
    about : str
        What it is, for the help.
    read : callable
        Takes the key and the text of its value, returns the value.
    """

    about: str
    read: Callable[[str, str], Any]


def text(_key: str, value: str) -> str:
    """Return a value as it stands."""
    return value


def texts(key: str, value: str) -> list[str]:
    """Return a list of names: ``a``, ``a,b`` or ``[a,b]``; brackets inside a name are those of a pattern."""
    found = [part for part in names_in(value) or () if part]
    if not found:
        raise UsageError(f"{key}={value}: expected a name or a list, in quotes: '{key}=[a,b]'")
    return found


def names_in(value: str) -> list[str] | None:
    """Return the names in a text, divided at commas outside brackets and quotes; None if either is not closed.

    Examples
    --------
    >>> names_in("[blocks.[0-5], 'a,b']")
    ['blocks.[0-5]', 'a,b']
    """
    inner = value[1:-1] if LIST.fullmatch(value) else value
    found: list[str] = []
    place = 0
    while match := NAME.match(inner, place):
        found.append(next(text for text in match.groups() if text is not None).strip())
        place = match.end()
        if not match[0].endswith(","):
            return found
    return None


def count(key: str, value: str) -> int:
    """Return a whole number, at least 1."""
    if not re.fullmatch(r"\d+", value) or int(value) < 1:
        raise UsageError(f"{key}={value}: expected a whole number, at least 1")
    return int(value)


def flag(key: str, value: str) -> bool:
    """Return whether a value is ``true``."""
    if value.lower() not in ("true", "false"):
        raise UsageError(f"{key}={value}: expected true or false")
    return value.lower() == "true"


def plain(_key: str, value: str) -> Any:
    """Return a number, true, false or null, as which a value can be read; else the text."""
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return found if isinstance(found, int | float) else value


def split(
    words: Sequence[str], keys: Mapping[str, Key], command: str, parameters_of: str = ""
) -> tuple[list[str], dict[str, Any]]:
    """Return the words that are paths, and the values by key.

    Parameters
    ----------
    words : sequence of str
        As they stand on the command line. A path may hold ``=``, if there is such a file.
    parameters_of : str, optional
        Key below which there are others, as ``measure`` has ``measure.jaccard.k``; their values are numbers or texts.

    Raises
    ------
    UsageError
        If a key does not exist, is given twice, or its value cannot be read.
    """
    paths: list[str] = []
    values: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        is_parameter = bool(parameters_of) and key not in keys and key.startswith(f"{parameters_of}.")
        if not equals or (key not in keys and not is_parameter and ("/" in key or Path(word).exists())):
            paths.append(word)
            continue
        if key not in keys and not is_parameter:
            raise unknown_name(f"key of resi {command}:", key, list(keys), f" See resi {command} --help.")
        if key in values:
            raise UsageError(f"{word}: {key} is given twice")
        if not value:
            raise UsageError(f"{word}: {key} has no value; leave it out for its default")
        values[key] = plain(key, value) if is_parameter else keys[key].read(key, value)
    return paths, values


def parameters(values: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """Take the values of ``KEY.NAME.PARAMETER`` out; return them by name and parameter.

    Raises
    ------
    UsageError
        If one of the three parts is missing.
    """
    found: dict[str, dict[str, Any]] = {}
    for given in [name for name in values if name.startswith(f"{key}.")]:
        parts = given.split(".")
        if len(parts) == 3:
            parts[1] = parts[1].replace("--", ":")  # as a run spells a measure of a distribution in keys
        if len(parts) != 3 or not all(parts):
            raise UsageError(f"{given}={values[given]}: expected {key}.NAME.PARAMETER=VALUE, as {key}.jaccard.k=20")
        found.setdefault(parts[1], {})[parts[2]] = values.pop(given)
    return found


def take_files(words: Sequence[str]) -> tuple[list[str], list[MeasureFile]]:
    """Take ``measure.file=FILE`` out of the words of a command; return the others and the files, loaded."""
    key = "measure.file="
    given = [word for word in words if word.startswith(key)]
    if not given:
        return list(words), []
    from resi.registry.files import load_files

    paths = [path for word in given for path in texts(key[:-1], word.removeprefix(key))]
    return [word for word in words if word not in given], load_files(paths)


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line each, with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Raise ``UsageError`` for what the parser says in its own way.

        Parameters
        ----------
        message : str
            Of argparse, such as "unrecognized arguments: --jsn".
        """
        if found := re.fullmatch(r"argument (.+): invalid choice: '(.*)' \(choose from (.*)\)", message):
            raise unknown_name(f"{found[1]} of {self.prog}:", found[2], re.findall(r"[^', ]+", found[3]))
        message = message.replace("the following arguments are required:", "missing:")
        message = re.sub(r"^argument (.+): expected one argument$", r"\1 needs a value", message)
        end = ";"
        if found := re.match("unrecognized arguments: (-[^ =]+)", message):
            known = [name for action in self._actions for name in action.option_strings]
            near = difflib.get_close_matches(found[1], known, n=1)
            message, end = f"unknown option {found[1]}", f"; did you mean {near[0]}? Or" if near else ";"
        raise UsageError(f"{self.prog.removeprefix('resi ')}: {message}{end} see {self.prog} --help")


def parser(command: str, usage: str, about: str, keys: Mapping[str, Key], examples: str) -> CommandParser:
    """Return a parser of options whose help is 80 columns wide, with a table of keys and examples below."""
    import textwrap

    paragraphs = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in about.split("\n\n"))
    table = as_table([(key, known.about) for key, known in keys.items()])
    return CommandParser(
        prog=f"resi {command}",
        usage=usage,
        description=f"{paragraphs}\n\narguments:\n{table}",
        epilog=f"examples:\n{examples}",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=WIDTH, max_help_position=20),
    )


def add_correct(parser: argparse.ArgumentParser) -> None:
    """Let a command take ``--correct METHOD``, see :func:`resi.groundings.corrections.correct`."""
    about = "correct p-values for the number of measures by holm, bonferroni or fdr_bh; stored tables stay as they are"
    parser.add_argument("--correct", metavar="METHOD", help=about)
