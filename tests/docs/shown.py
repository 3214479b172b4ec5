"""Run what a page shows: its files, its Python and its commands, in the order of the page.

- Python that begins with ``# NAME.py`` is written to that file; any other is run, all of a page in one scope.
- A block ``text`` after Python holds what that prints.
- A block ``console`` holds commands after ``$`` and what each prints. A line ``...`` stands for any lines.
- Blocks behind ``<!-- nox -s tutorial -->`` take long: only that session runs them.

``python -m tests.docs.shown [--write] [--home FOLDER] [PAGE ...]`` runs all of it, and fails where a page shows other
outputs; ``--write`` puts what was printed into the pages, and ``--home`` keeps what was trained for the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("tutorials/own_measure", "tutorials/which_measure", "tutorials/papers_grid", "explanation/what_tests_ground")
PAGES += ("explanation/p_values_and_intervals", "explanation/precision")
MARK = "<!-- nox -s tutorial -->\n"
BLOCK = re.compile(rf"^({re.escape(MARK)})?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\w+\.py)\n")
PROGRESS = re.compile(r"^.*(: \d+/\d+[, ]|: epoch \d+ of).*\n", re.MULTILINE)
# What differs between machines and calls: times, sizes, fitted powers, hashes; and all that depends on trained weights.
UNITS = r"[\d.,]+ ?(us|ms|s|min|h|days|bytes|kB|MB|GB|TB)\b"
VOLATILE = re.compile(rf"{UNITS}|(?<=\^)-?[\d.]+|\b[ND] = \d+|for \d+ x \d+|\b[0-9a-f]{{12}}\b")
POWERS = re.compile(r"; grows as (?:[ND]\^-?[\d.]+ up to [ND] = \d+(?:, )?)+")
"""Fitted to times, and left out where a busy machine's do not fit."""
TRAINED = re.compile(rf"{VOLATILE.pattern}|-?\d+\.\d+")


@dataclass
class Output:
    """What a page shows as printed, where it stands in the page, and what was printed."""

    shown: str
    span: tuple[int, int]
    printed: str
    varies: re.Pattern[str] = VOLATILE

    def agrees(self) -> bool:
        """Whether both are the same but for what varies, and for the places where lines are broken."""
        parts = [re.escape(self._plain(part)) for part in re.split(r"^\.\.\.$", self.shown, flags=re.MULTILINE)]
        return re.fullmatch(".*".join(parts), self._plain(self.printed)) is not None

    def _plain(self, text: str) -> str:
        return self.varies.sub("#", POWERS.sub("", " ".join(text.split())))


def run(page: Path, at_length: bool) -> list[Output]:
    """Run a page in the current folder."""
    text = page.read_text(encoding="utf-8")
    scope: dict[str, Any] = {"__name__": "page"}
    outputs: list[Output] = []
    printed = ""
    for match in BLOCK.finditer(text):
        is_long, kind, code = match[1] is not None, match[2], match[3]
        varies = TRAINED if is_long else VOLATILE
        is_long &= not at_length
        if kind == "python":
            printed = _run_python(page, code, scope, is_long)
        elif kind == "text" and not is_long:
            outputs.append(Output(code, match.span(3), printed, varies))
        elif kind == "console":
            outputs += _run_console(code, match.start(3), varies, is_long)
    return outputs


def _run_python(page: Path, code: str, scope: dict[str, Any], is_long: bool) -> str:
    if is_file := FILE.match(code):
        Path(is_file[1]).write_text(code, encoding="utf-8")
        return ""
    compiled = compile(code, str(page), "exec")
    if is_long:
        return ""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compiled, scope)
    return output.getvalue()


def _run_console(code: str, start: int, varies: re.Pattern[str], is_long: bool) -> Iterator[Output]:
    for match in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", code, re.MULTILINE):
        words = shlex.split(match[1], comments=True)
        if is_long:
            _check_words(words)
            continue
        span = (start + match.start(2), start + match.end(2))
        yield Output(match[2], span, PROGRESS.sub("", _printed(words)), varies)


def _check_words(words: list[str]) -> None:
    """Check a command that takes long: a run is planned, of any other command the name exists."""
    from resi.cli.main import COMMANDS, run_command

    assert words[0] in ("resi", "resi-merge"), words
    if words[0] == "resi" and words[1] not in ("-m", *COMMANDS):
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_command(["plan", *words[1:]]) == 0


def _printed(words: list[str]) -> str:
    """Return what a command prints, on both streams; what is not resi's is not run."""
    from resi.cli.main import run_command

    output = io.StringIO()
    if words[0] == "resi-merge":
        words = ["resi", "merge", *words[1:]]
    if words[0] == "resi":
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            run_command(words[1:])
    return output.getvalue().replace(f"{Path.cwd()}/", "")


def write(page: Path, outputs: list[Output]) -> None:
    """Put what was printed into a page, but where some of it is left out."""
    text = page.read_text(encoding="utf-8")
    for output in reversed(outputs):
        if not output.agrees() and "...\n" not in output.shown:
            lines = "".join(f"{line.rstrip()}\n" for line in output.printed.rstrip().splitlines())
            text = text[: output.span[0]] + lines + text[output.span[1] :]
    page.write_text(text, encoding="utf-8")


def main() -> str:
    """Run pages at length; return the outputs that differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", nargs="*", default=PAGES)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--home", type=Path, help="data root; default: a new one for each page")
    arguments = parser.parse_args()
    arguments.home = arguments.home and arguments.home.absolute()
    os.environ.pop("REP_SIM", None)
    os.environ.pop("RESI_HOME", None)
    wrong = []
    for name in arguments.pages:
        page = DOCS / f"{name}.md"
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            if arguments.home:
                Path("experiments").symlink_to(arguments.home)
            sys.path.insert(0, folder)
            outputs = run(page, at_length=True)
            sys.path.remove(folder)
        if arguments.write:
            write(page, outputs)
        wrong += [f"{name} shows\n{found.shown}but prints\n{found.printed}" for found in outputs if not found.agrees()]
    return "\n".join(wrong)


if __name__ == "__main__":
    sys.exit(main() or None)
