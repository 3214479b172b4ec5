"""``resi describe NAME``: one measure, model, dataset, test or suite in full."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.cli.arguments import CommandParser, take_files
from resi.cli.kinds import described_kinds, suite_names
from resi.cli.list import of_files, print_rows
from resi.console import show, shown, write
from resi.console.tables import paragraph
from resi.errors import UsageError, unknown_name
from resi.groundings import SCORED
from resi.measures.cards import definition, properties

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from resi.domains.base import Domain
    from resi.groundings.base import Grounding
    from resi.measures.base import Measure
    from resi.registry.files import MeasureFile
    from resi.registry.items import Registry

    Facts = list[tuple[str, str]]

# Within a paragraph; a line that is indented or begins a list stays one.
LINE_BREAK = re.compile(r"(?<=\S)\n(?=[^\s*|-])")
STANDARD = "standard"
PARAMETERS = 9
"""The place of a measure's parameters among its facts: behind what holds for any of them."""


def main(words: list[str]) -> int:
    """Print all that is known about a name."""
    words, files = take_files(words)
    arguments = make_parser().parse_args(words)
    if arguments.name is None:
        _print_kinds(arguments)
        return 0
    kind, text, facts = describe(arguments.name, arguments.config_dir, files)
    if arguments.json:
        about = {"name": arguments.name, "kind": kind, "about": LINE_BREAK.sub(" ", text), **dict(facts)}
        write(json.dumps(about, indent=2) + "\n")
    else:
        _print(arguments.name, kind, text, facts)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi describe",
        description="Describe a measure, model, dataset, test, domain or suite: what it is and its properties.",
        epilog="examples: resi describe cka; resi describe my_measure measure.file=my_measure.py",
    )
    parser.add_argument("name", nargs="?", help="as resi list shows it; without it, which kinds there are")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="folder with your own suites, in suite/")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _print_kinds(arguments: argparse.Namespace) -> None:
    kinds = described_kinds(arguments.config_dir)
    if arguments.json:
        write(json.dumps(kinds, indent=2) + "\n")
    else:
        print_rows("kinds", kinds)
        write("resi list KIND lists their names, such as resi list measures\n")


def _print(name: str, kind: str, text: str, facts: Facts) -> None:
    show(f"{name} ({kind})", "bold")
    write("\n")
    for line in LINE_BREAK.sub(" ", text).splitlines():
        _show(line)
    write("\n")
    widest = max(len(label) for label, _ in facts)
    for label, value in facts:
        _show(f"{label.ljust(widest)}  {value}", " " * (widest + 2))


def _show(line: str, indent: str = "") -> None:
    for part in paragraph(shown(line), indent):
        show(part)


def describe(name: str, config_dir: Path | None = None, files: Sequence[MeasureFile] = ()) -> tuple[str, str, Facts]:
    """Return the kind, the text and the facts of a name, or raise ``UsageError`` with suggestions.

    Parameters
    ----------
    files : sequence of MeasureFile
        Where a name is looked for first.
    """
    of_file = dict(of_files(files))
    if name in of_file or (files and name not in registry.measures()):
        if name not in of_file:
            raise unknown_name(f"measure of {files[0].path}:", name, list(of_file))
        return "measure", _text(of_file[name].item), _measure_facts(name, of_file[name])
    if name in registry.measures():
        entry = registry.measures().origin(name)
        return "measure", _text(entry.item), _measure_facts(name, entry)
    if name in SCORED:
        test = SCORED[name]
        facts = [*test.metrics.items(), ("ranked by", test.headline), ("uncertainty", test.uncertainty)]
        if test.functional:
            facts.append(("against", _join(test.functional)))
        facts += _levels(name) if test.kind == "settings" else []
        facts += [("seeds", _seeds(test)), ("own models", f"need the columns {_join(('file', *test.needs))}")]
        facts.append(("in full", "docs/tests.md"))
        return "test", test.description, facts
    if name in registry.domains():
        return _describe_domain(name)
    if found := _in_domains(name):
        return found
    if found := _suite(name, config_dir):
        return found
    known = [*registry.measures(), *SCORED, *registry.domains(), *_domain_names(), *suite_names(config_dir)]
    raise unknown_name("name", name, known)


def _describe_domain(name: str) -> tuple[str, str, Facts]:
    entry = registry.domains().origin(name)
    domain = entry.item()
    facts = [
        ("datasets", _join(item.name for item in domain.datasets())),
        ("models", _join(item.name for item in domain.architectures())),
    ]
    facts += [("tests", _join(domain.settings_by_test))] if domain.settings_by_test else []
    facts += [("representations", _join(domain.representations))] if len(domain.representations) > 1 else []
    facts += [("needs", domain.needs())] if domain.extra else []
    return "domain", domain.title, [*facts, ("provider", f"{entry.distribution} {entry.version}")]


def _suite(name: str, config_dir: Path | None) -> tuple[str, str, Facts] | None:
    """Describe a built-in suite, or one of a user."""
    from resi.config.many import open_configs
    from resi.sweeps.suite_files import as_words, load_suite
    from resi.sweeps.suites import expand

    if name not in suite_names(config_dir):
        return None
    loader = open_configs(config_dir)
    suite = load_suite(name, loader)
    facts = [(grid, " ".join(as_words(words))) for grid, words in suite.grids.items()]
    facts += _only_described(suite.grids.values())
    facts += [
        ("jobs", str(len(expand((), suite, loader)))),
        ("run it", f"resi {f'--config-dir {config_dir} ' if config_dir else ''}-m suite={name}"),
        ("in full", "docs/sweeps.md"),
    ]
    return "suite", suite.about, facts


def _in_domains(name: str) -> tuple[str, str, Facts] | None:
    for domain in registry.usable_domains():
        for item in domain.datasets():
            if item.name == name:
                embedded = "yes" if item.embedded else "no"
                facts = [("domain", domain.name), ("source", item.source), ("embedded", embedded)]
                facts += [("by hand", item.by_hand)] if item.by_hand else []
                facts += _published(dataset=name)
                return "dataset", item.title, [*facts, *_provider(registry.datasets(domain.name), name)]
        for architecture in domain.architectures():
            if architecture.name == name:
                facts = [("domain", domain.name), ("reference", architecture.reference), *_published(name)]
                facts += [(f"on {item.name}", _hyperparameters(domain, name, item.name)) for item in domain.datasets()]
                keys = _join(field.name for field in dataclasses.fields(domain.model_config))
                facts.append(("config keys", f"model.{name}.KEY=VALUE with KEY one of {keys}"))
                facts += _provider(registry.networks(domain.name), name)
                return "model", architecture.title, facts
    return None


def _published(architecture: str = "", dataset: str = "") -> Facts:
    """Return what is known of published models and results."""
    from resi.published.releases import evidence

    found = evidence(architecture, dataset)
    return [(f"published {what}", "; ".join(phrases)) for what, phrases in found.items()]


def _only_described(grids: Iterable[Mapping[str, Any]]) -> Facts:
    """Return which published models and results of a suite are known by their publishers' description alone."""
    from resi.published.releases import only_described

    named = [[_names(grid.get(key, "")) for key in ("model", "dataset")] for grid in grids]
    pairs = {pair for models, datasets in named for pair in product(models, datasets)}
    return [
        (f"published {what}", f"only by the publishers' description: {'; '.join(phrases)}")
        for what, phrases in only_described(pairs).items()
    ]


def _names(value: Any) -> list[str]:
    """Return the names that a value of a grid has, which is a text or a list."""
    return [name.strip(" []") for name in (value.split(",") if isinstance(value, str) else map(str, value))]


def _provider(known: Registry[Any], name: str) -> Facts:
    """Return which distribution an item comes from; what a domain lists by itself is not registered."""
    if name not in known:
        return []
    entry = known.origin(name)
    return [("provider", f"{entry.distribution} {entry.version}")]


def _hyperparameters(domain: Domain, architecture: str, dataset: str) -> str:
    """Return what a model is trained with in the standard setting, or in a domain's first one if it has no such."""
    known = [name for groups in domain.settings_by_test.values() for names in groups.values() for name in names]
    setting = known[0] if known and STANDARD not in known else STANDARD
    try:
        values = domain.hyperparameters(architecture, dataset, setting, {})
    except UsageError:
        return "not in the benchmark"
    return ", ".join(f"{key}={value}" for key, value in values.items())


def _domain_names() -> list[str]:
    domains = registry.usable_domains()
    datasets = [item.name for domain in domains for item in domain.datasets()]
    return datasets + [item.name for domain in domains for item in domain.architectures()]


def _text(measure: type[Measure]) -> str:
    text, notes = definition(measure)
    return f"{text}\n\nNotes: {notes}" if notes else text


def _measure_facts(name: str, entry: registry.Registered[type[Measure]]) -> Facts:
    facts = [*properties(entry.item).items(), ("provider", f"{entry.distribution} {entry.version}".strip())]
    facts.insert(PARAMETERS, ("parameters", _parameters(name, entry.item)))
    return facts


def _parameters(name: str, measure: type[Measure]) -> str:
    fields: tuple[Any, ...] = dataclasses.fields(measure)  # type: ignore[arg-type]
    key = f"measure.{name.replace(registry.SEPARATOR, '--')}"
    return ", ".join(f"{key}.{field.name}={_default(field)}" for field in fields) or "none"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        try:
            return str(field.default)
        except Exception:  # of a plugin
            return "..."
    return "VALUE" if field.default_factory is dataclasses.MISSING else "..."


def _levels(test: str) -> Facts:
    """Return by domain which groups a test has, and by dataset which levels of models are published."""
    facts: Facts = []
    for domain in registry.usable_domains():
        if test not in domain.settings_by_test:
            continue
        numbers = [
            f"groups={number} {_join(name.removeprefix(f'{test}_') for name in names)}"
            for number, names in domain.settings_by_test[test].items()
        ]
        if levels := domain.trained_levels.get(test):
            any_level = f"{test}_L with L from {levels.start} to {levels.stop - 1}"
            standard = [name for name in domain.known_settings(test) if name == STANDARD]
            numbers.append(f"groups=[A,B] several of {_join([*standard, any_level])}")
        facts.append((f"in {domain.name}", "; ".join(numbers)))
        for dataset in domain.datasets():
            by_levels: dict[tuple[int, ...], list[str]] = {}
            for architecture, found in domain.published_levels(test, dataset.name).items():
                by_levels.setdefault(found, []).append(architecture)
            if by_levels:
                texts = [f"levels {_join(levels)} of {_join(names)}" for levels, names in by_levels.items()]
                facts.append((f"published on {dataset.name}", "; ".join(texts)))
    return facts


def _seeds(test: type[Grounding]) -> str:
    """Return a test's seeds, and those of domains that have others."""
    parts = [_join(test.seeds)]
    for domain in registry.usable_domains():
        if seeds := domain.seeds_by_test.get(test.name):
            parts.append(f"{domain.name}: {_join(seeds)}")
    return "; ".join(parts)


def _join(items: Any) -> str:
    return ", ".join(str(item) for item in items)
