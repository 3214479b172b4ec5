"""``resi doctor``: what works on this machine, a line each, and one thing to do about each line that needs it."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.arguments import CommandParser
from resi.console import show, shown, write
from resi.console.tables import paragraph
from resi.errors import UsageError
from resi.store.root import check_text, default_root

if TYPE_CHECKING:
    from resi.upkeep.checks import Check

EPILOG = """\
A line is ok; missing: it is not there, and not everybody needs it; or FAILED,
with one thing to do behind "->". The exit code is 1 if a line is FAILED, else 0.

examples:
  resi doctor                      all of it
  resi doctor --seconds 0          without loading libraries: done in a second
  resi doctor --json > doctor.txt  to put into a report of a fault
"""
STATE, NAME = 9, 14
"""How wide the columns of states and names are."""
STYLES = {"missing": "yellow", "FAILED": "bold red"}


def main(words: list[str]) -> int:
    """Print lines as they are known; return 1 if something has failed."""
    from resi.upkeep.checks import State
    from resi.upkeep.doctor import examine

    arguments = make_parser().parse_args(words)
    root = (arguments.root or default_root()).expanduser().absolute()
    check_text(root)
    found: list[Check] = []
    for check in examine(root, _seconds(arguments.seconds)):
        if not arguments.json:
            _print(check, found[-1].group if found else None)
        found.append(check)
    counts = Counter(check.state for check in found)
    if arguments.json:
        write(json.dumps({"checks": [check.to_dict() for check in found], "failed": counts[State.failed]}, indent=2))
        write("\n")
    else:
        show("")
        show(", ".join(f"{counts[state]} {state}" for state in State))
    return 1 if counts[State.failed] else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi doctor",
        description="What works here: versions, extras, plugins, cores, GPU, data root, locks, caches; and all "
        "measures of the benchmark against exact values.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, help="data root; default as for a run")
    parser.add_argument(
        "--seconds", default="10", metavar="N", help="how long measures are computed; 0: not at all; default 10"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, at the end")
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < 1e6:
        raise UsageError(f"--seconds {text}: expected a number of seconds, 0 for none")
    return seconds


def _print(check: Check, before: str | None) -> None:
    """Print a line, and the group above it if the line before was of another."""
    if check.group != before:
        if before is not None:
            show("")
        show(check.group, "bold")
    name = check.name if len(check.name) < NAME else f"{check.name} "
    indent = " " * (STATE + NAME)
    lines = paragraph(shown(f"{check.state:<{STATE}}{name:<{NAME}}{check.text}"), indent)
    if check.advice:
        lines += paragraph(shown(f"{indent}-> {check.advice}"), indent + "   ")
    for line in lines:
        show(line, STYLES.get(check.state, ""))
    sys.stdout.flush()
