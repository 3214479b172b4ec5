"""``resi convert``: configurations of the published benchmark as command lines or as a suite."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.arguments import CommandParser
from resi.console import say, write
from resi.console.plain_text import visible
from resi.errors import ResiError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Mapping

    from resi.published.convert.outcome import Outcome, Remark

ABOUT = (
    "Turn configurations of the published benchmark into command lines of resi that compare the same models, or into a "
    "suite, and say in one line each what has no counterpart or is different. Starts nothing."
)
EXAMPLES = (
    "examples: resi convert configs/vision/IN100_shortcut.yaml; "
    "resi convert configs/graphs/*.yaml --suite my_conf/suite/graphs.yaml, then resi --config-dir my_conf suite=graphs"
)


def main(words: list[str]) -> int:
    """Convert files; return 1 if something in them is not converted, 2 if one cannot be read."""
    arguments = make_parser().parse_args(words)
    if arguments.suite and arguments.json:
        raise UsageError("--suite and --json: choose one")
    found: dict[Path, Outcome] = {}
    code = 0
    for path in arguments.files:
        try:
            found[path] = convert_file(path, arguments.published)
        except ResiError as error:
            if len(arguments.files) == 1:
                raise
            say(f"resi convert: {error}")
            code = error.exit_code
    if not found:
        return code
    check_jobs(found)
    if arguments.json:
        _write_json(found)
    elif arguments.suite:
        _write_suite(found, arguments.suite)
    else:
        _write_all(found)
    return max(code, int(any(outcome.refused for outcome in found.values())))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(prog="resi convert", description=ABOUT, epilog=EXAMPLES)
    parser.add_argument("files", nargs="+", type=Path, metavar="CONFIG.yaml", help="a published configuration")
    parser.add_argument(
        "--suite", type=Path, metavar="NAME.yaml", help="write a suite of that name; runs find it in a folder suite/"
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="runs read the published models and compute the published numbers (models.source=published "
        "protocol=published)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def convert_file(path: Path, as_published: bool = False) -> Outcome:
    """Return what becomes of a file.

    Raises
    ------
    UsageError
        If it cannot be read, or is not a configuration.
    """
    from resi.published.convert.configuration import convert
    from resi.published.convert.reading import read_configuration
    from resi.published.names import published_models

    document = read_configuration(path)
    try:
        return convert(document, published_models(), as_published)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def check_jobs(found: dict[Path, Outcome]) -> None:
    """Compose every run; those that cannot be composed are refused for the reason of that."""
    from resi.config.many import compose_all, open_configs
    from resi.published.convert.outcome import Remark

    words = list(dict.fromkeys(job.words for outcome in found.values() for job in outcome.jobs))
    if not words:
        return
    composed = dict(zip(words, compose_all(words, open_configs()), strict=True))
    for outcome in found.values():
        for job in outcome.jobs:
            if isinstance(error := composed[job.words], ResiError):
                outcome.refused.append(Remark(" ".join(job.words), str(error)))
        outcome.jobs = [job for job in outcome.jobs if not isinstance(composed[job.words], ResiError)]


def _shared(found: Mapping[Path, Outcome]) -> dict[Remark, int]:
    """Return the remarks on keys of whole files that several have, and how many."""
    counts = Counter(remark for outcome in found.values() for remark in outcome.remarks)
    return {
        remark: count for remark, count in counts.items() if count > 1 and not remark.about.startswith("experiments[")
    }


def _head(shared: Mapping[Remark, int]) -> list[str]:
    return [visible(f"{count} files: {remark}") for remark, count in shared.items()]


def _lines(path: Path, outcome: Outcome, shared: Container[Remark]) -> list[str]:
    """Return the messages about a file, each in one line that no content of the file can break."""
    refused = [f"not converted: {remark}" for remark in outcome.refused]
    own = [str(remark) for remark in outcome.remarks if remark not in shared]
    return [visible(line) for line in (str(path), *refused, *own)]


def _write_all(found: Mapping[Path, Outcome]) -> None:
    from resi.published.convert.rendering import command, grids

    shared = _shared(found)
    for line in _head(shared):
        write(f"# {line}\n")
    for path, outcome in found.items():
        for line in _lines(path, outcome, shared):
            write(f"# {line}\n")
        for grid in grids(outcome.jobs):
            write(f"{command(grid)}\n")
        for merge in outcome.merges:
            write(f"{visible(shlex.join(['resi', *merge]))}\n")


def _write_json(found: dict[Path, Outcome]) -> None:
    content = [
        {
            "file": str(path),
            "runs": [dict(job.values) for job in outcome.jobs],
            "merges": [list(merge) for merge in outcome.merges],
            "remarks": [remark._asdict() for remark in outcome.remarks],
            "not converted": [remark._asdict() for remark in outcome.refused],
        }
        for path, outcome in found.items()
    ]
    write(json.dumps(content, indent=2) + "\n")


def _write_suite(found: dict[Path, Outcome], target: Path) -> None:
    from resi.published.convert.rendering import suite
    from resi.store.files import atomic_path

    parts = [(path.stem, outcome.jobs) for path, outcome in found.items() if outcome.jobs]
    for path, outcome in found.items():
        for merge in outcome.merges:
            say(f"{path}: a merge is not a run, and is not in the suite: {visible(shlex.join(['resi', *merge]))}")
    if target.suffix != ".yaml":
        raise UsageError(f"--suite {target}: the file of a suite is called NAME.yaml")
    if target.exists():
        raise UsageError(f"--suite {target}: the file exists; name another, or remove it")
    if not parts:
        raise UsageError(f"--suite {target}: nothing was converted that a suite can hold")
    shared = _shared(found)
    comments = _head(shared) + [line for path in found for line in _lines(path, found[path], shared)]
    about = visible(f"converted from {', '.join(path.name for path in found)}")
    with atomic_path(target) as temporary:
        temporary.write_text(suite(about, parts, comments), encoding="utf-8")
    for path, outcome in found.items():
        for remark in outcome.refused:
            say(f"not converted: {path}: {remark}")
    say(f"{target} is written, with what differs at its head; {_how_to_run(target)}")


def _how_to_run(target: Path) -> str:
    if target.resolve().parent.name == "suite":
        return f"resi --config-dir {shlex.quote(str(target.parent.parent))} suite={target.stem} runs it"
    return f"put it into a folder suite/, then resi --config-dir FOLDER suite={target.stem} runs it"
