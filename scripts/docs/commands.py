"""The page of commands: what each prints with ``--help``."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import re
from typing import TYPE_CHECKING
from unittest import mock

from scripts.docs.markdown import code, given, table
from scripts.docs.places import anchor

from resi.cli.list import RESULTS
from resi.cli.main import COMMANDS, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = "80"
OPTION = re.compile(r"^ {2}(-[^ ]+|[A-Za-z{][^ ]*)(.*)$")
"""An argument in what ``--help`` prints; what it means stands behind it, or deeper below it."""
PLACE = "its text in COMMANDS of src/resi/cli/main.py"
"""Where it stands what a command does."""


def overview() -> str:
    """Return a table of the commands."""
    rows = [
        [f"[`resi {name}`](#{anchor('command', f'resi-{name}')})", given(text, f"command {name}", PLACE)]
        for name, (_, text) in COMMANDS.items()
    ]
    return table(["command", "what it does"], rows)


def commands() -> str:
    """Return a section for each command."""
    parts = [_section("resi", run_command)]
    for name, (module, _) in COMMANDS.items():
        main = importlib.import_module(module).main
        parts.append(_section(f"resi {name}", main))
        # Lists of rows of tables have options of their own.
        parts += [_section(f"resi {name} {kind}", main, kind) for kind in RESULTS if name == "list"]
    return "\n".join(parts)


def _section(name: str, main: Callable[[list[str]], object], *words: str) -> str:
    text = given(printed(main, [*words, "--help"]), f"help of {name}", "make_parser() of its module")
    place = "help= of the argument, in make_parser() of its module"
    missing = "\n".join(given("", f"{argument} of {name}", place) for argument in unexplained(text))
    return f"## `{name}` {{ #{anchor('command', name.replace(' ', '-'))} }}\n\n{code(text, 'text')}{missing}"


def printed(main: Callable[[list[str]], object], words: list[str]) -> str:
    """Return what a command prints that may end the program, as on a terminal of 80 columns without colours."""
    out, terminal = io.StringIO(), {"COLUMNS": WIDTH, "NO_COLOR": "1"}
    with mock.patch.dict(os.environ, terminal), contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(words)
    return out.getvalue()


def unexplained(text: str) -> list[str]:
    r"""Return the arguments in a help text that have no words behind or below them.

    Examples
    --------
    >>> unexplained("options:\n  -h, --help  show this\n  --bare\n  --root ROOT\n              the root\n")
    ['--bare']
    """
    lines, found = [*text.splitlines(), ""], []
    is_listing = False
    for line, following in itertools.pairwise(lines):
        if re.match(r"^(options|arguments|positional arguments|.*separated by commas):$", line):
            is_listing = True
        elif not line.strip():
            is_listing = False
        elif is_listing and (argument := OPTION.match(line)):
            has_words = re.search(r"\S {2,}\S", line[2:]) or following.startswith(" " * 6)
            found += [] if has_words else [argument[1].rstrip(",")]
    return found
