"""``resi check-measure NAME|FILE``: whether a measure keeps its contract and the facts it states."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.cli.arguments import Key, parameters, parser, split, text
from resi.console import say, write
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from resi.measures.base import Measure
    from resi.testing import MeasureReport

KEYS = {"measure.NAME.P": Key("a parameter of a measure, as measure.jaccard.k=20", text)}
ABOUT = """\
Check measures: what they state about themselves and does not hold, what holds and is not stated, which arrays they \
cannot take, and how their time grows. A measure is a name, a Python file, or FILE:NAME for one of several in a file; \
a file is executed.

Exits with 1 if anything has failed. What is checked stands in docs/checking.md."""
EXAMPLES = """\
  resi check-measure my_measure.py
  resi check-measure my_measures.py:second --thorough
  resi check-measure jaccard measure.jaccard.k=5"""


def main(words: list[str]) -> int:
    """Check measures and print what was found; return 1 if anything has failed."""
    from resi.registry.files import MeasureFileError

    arguments = make_parser().parse_intermixed_args(words)
    names, values = split(arguments.words, {}, "check-measure", parameters_of="measure")
    if not names:
        raise UsageError("resi check-measure: name a measure or a Python file, see resi check-measure --help")
    chosen = parameters(values, "measure")
    try:
        kinds = [kind for name in names for kind in _kinds(name)]
    except MeasureFileError as error:
        for problem in error.problems:
            say(problem)
        return error.exit_code
    known = [kind.name for kind in kinds]
    for name in chosen:
        if name not in known:
            raise unknown_name("measure of this command:", name, known)
    reports = []
    for number, kind in enumerate(kinds):
        report = _report(kind, chosen.get(kind.name, {}), arguments)
        reports.append(report)
        if not arguments.json:
            write(f"{'' if number == 0 else chr(10)}{report}\n")
    if len(reports) > 1 and not arguments.json:
        write(f"\n{_summary(reports)}\n")
    if arguments.json:
        write(json.dumps([_as_json(report) for report in reports], indent=2) + "\n")
    return 0 if all(report.ok for report in reports) else 1


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    usage = "resi check-measure NAME|FILE[:NAME] [...] [KEY=VALUE ...] [options]"
    found = parser("check-measure", usage, ABOUT, KEYS, EXAMPLES)
    found.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    found.add_argument("--thorough", action="store_true", help="draw more inputs, which takes several times as long")
    found.add_argument("--seed", type=int, default=0, help="another one draws other inputs; default 0")
    found.add_argument("--no-cost", action="store_true", help="do not measure times")
    found.add_argument("--json", action="store_true", help="print JSON")
    return found


def _summary(reports: list[MeasureReport]) -> str:
    """Return how many of several measures conform, and which do not."""
    failed = [report.measure for report in reports if not report.ok]
    conform = len(reports) - len(failed)
    return f"{len(reports)} measures: {conform} conform{f', {len(failed)} failed: ' * bool(failed)}{', '.join(failed)}"


def _report(kind: type[Measure], values: dict[str, Any], arguments: argparse.Namespace) -> MeasureReport:
    from resi.registry import configured
    from resi.testing import measure_report

    made = configured(kind, values) if values else kind
    return measure_report(made, seed=arguments.seed, thorough=arguments.thorough, cost=not arguments.no_cost)


def _kinds(word: str) -> list[type[Measure]]:
    """Return the measures that a word means: a name, or those of a file."""
    from resi.registry import measures
    from resi.registry.files import load_file

    path, _, name = word.partition(":")
    if not path.endswith(".py"):
        return [measures().get(word)]
    found = load_file(Path(path).expanduser().absolute())
    if name and name not in found.measures:
        raise unknown_name(f"measure of {path}:", name, list(found.measures))
    return [found.measures[chosen] for chosen in ([name] if name else found.chosen)]


def _as_json(report: MeasureReport) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return {
        "measure": report.measure,
        "failed": [violation._asdict() for violation in report.failed],
        "undeclared": [remark._asdict() for remark in report.undeclared],
        "limits": [remark._asdict() for remark in report.limits],
        "passed": list(report.passed),
        "skipped": [remark._asdict() for remark in report.skipped],
        "cost": list(report.cost.lines()) if report.cost else [],
        "seconds": report.seconds,
    }
