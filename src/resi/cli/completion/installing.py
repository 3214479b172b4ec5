"""``resi --install-completion``, ``--show-completion`` and, for the shells, ``--complete``."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from resi.console import say, write
from resi.console.plain_text import visible
from resi.errors import StoreError, UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish")
MARK = "# resi --install-completion"


def complete(words: list[str], commands: Mapping[str, tuple[str, str]]) -> int:
    """Print what can follow in a command line, one a line: ``SHELL LINE [BREAKS]``.

    A shell calls this at each TAB; ``BREAKS`` are the characters at which bash divides words.
    """
    from resi.cli.completion.candidates import candidates
    from resi.cli.completion.line import read_line
    from resi.cli.completion.names import load_names

    if len(words) < 2:
        raise UsageError("resi --complete SHELL LINE is what shells call at a TAB; see resi --install-completion")
    shell, text, *breaks = words
    if shell not in SHELLS:
        raise unknown_name("shell", shell, SHELLS)
    line = read_line(text, "".join(breaks))
    for found in candidates(line.words, load_names(commands)):
        parts = [line.as_typed(found.word, shell), " ".join(found.about.split())]
        sys.stdout.write("\t".join(visible(part) for part in parts if part) + "\n")  # a tab that is meant
    return 0


def show_completion(words: list[str]) -> int:
    """Print the script of a shell."""
    write(_script(_shell("--show-completion", words)))
    return 0


def install_completion(words: list[str], commands: Mapping[str, tuple[str, str]]) -> int:
    """Write the script of a shell to where it is read, and say where and how to undo that."""
    from resi.cli.completion.names import load_names

    shell = _shell("--install-completion", words)
    file, start = _places(shell)
    line = f"source {shlex.quote(str(file))}  {MARK}"
    try:
        _write(file, _script(shell), start, line)
    except OSError as error:
        raise StoreError(
            f"cannot write {error.filename or file}: {error.strerror or error}. resi --show-completion {shell} prints "
            "the script, for a place of your choice"
        ) from None
    say(f"written: {file}")
    undo = f"rm {shlex.quote(str(file))}"
    if start:
        say(f"read from {start}, by its line {line}")
        undo += f", and delete that line of {start}"
    load_names(commands)  # so that the first TAB finds them
    say(f"In a new {shell}, resi and TAB complete commands, options, keys and names. To undo: {undo}")
    return 0


def _write(file: Path, script: str, start: Path | None, line: str) -> None:
    """Write a script, and the line by which the file with which a shell starts reads it; nothing if that cannot be."""
    with contextlib.ExitStack() as stack:
        appended = stack.enter_context(start.open("a", encoding="utf-8")) if start else None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8")
        text = start.read_text(encoding="utf-8", errors="surrogateescape") if start else ""
        if appended and line not in text.splitlines():
            appended.write(f"{'' if text.endswith(chr(10)) or not text else chr(10)}{line}\n")


def _places(shell: str) -> tuple[Path, Path | None]:
    """Return where a script goes, and the file of the shell that has to name it."""
    if not os.path.isabs(os.environ.get("HOME", "/")):  # noqa: PTH117 - which a Path of an empty text would hide
        raise UsageError("HOME is not the path of a folder; set it to that of your home")
    home = Path.home()
    if shell == "fish":
        return _folder("XDG_CONFIG_HOME", home / ".config") / "fish" / "completions" / "resi.fish", None
    file = _folder("XDG_DATA_HOME", home / ".local" / "share") / "resi" / f"completion.{shell}"
    return file, _folder("ZDOTDIR", home) / ".zshrc" if shell == "zsh" else home / ".bashrc"


def _folder(variable: str, default: Path) -> Path:
    """Return the folder that a variable names; a relative path, which would be another one elsewhere, is ignored."""
    found = Path(os.environ.get(variable, ""))
    return found if found.is_absolute() else default


def _shell(option: str, words: list[str]) -> str:
    """Return the shell that is named, or that of the user."""
    if len(words) > 1:
        raise UsageError(f"resi {option} {' '.join(words)}: name one of {', '.join(SHELLS)}")
    if words:
        if words[0] not in SHELLS:
            raise unknown_name("shell", words[0], SHELLS)
        return words[0]
    found = Path(os.environ.get("SHELL", "")).name
    if found not in SHELLS:
        raise UsageError(f"resi {option}: $SHELL does not say which shell; write resi {option} {'|'.join(SHELLS)}")
    return found


def _script(shell: str) -> str:
    return (Path(__file__).parent / "scripts" / f"resi.{shell}").read_text(encoding="utf-8")
