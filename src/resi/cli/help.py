"""``resi --help``: its lines about keys are the help texts of the fields in :mod:`resi.config.schema`."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from typing import TYPE_CHECKING

from resi.console import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WIDTH = 80
TEXT = """\
[bold]resi[/bold] measures how similar the representations of neural networks are, and tests
which measures can be trusted.

[bold]A run[/bold] trains or reads models, extracts their representations, compares all
pairs, and scores the measures:
  resi domain=graph test=augmentation measure=cka
  resi dataset=cora dataset.root=FOLDER 'measure=\\[cka,rsa]' measure.jaccard.k=20
[bold]A sweep[/bold] is many runs, one for each combination; each writes a shard:
  resi -m test=augmentation measure=cka,rsa hydra/launcher=joblib
    (or submitit_local, slurm_cpu, slurm_gpu, ray)
  resi -m suite=smoke     a named list of runs; resi list suites,
                          resi plan suite=smoke, resi list progress smoke

[bold]Commands[/bold] (each with --help)
{commands}

[bold]What is compared[/bold] (resi list shows the choices)
{what}

[bold]How[/bold]
{how}

--cfg job prints the composed config, --hydra-help explains launchers and
sweeps.
"""
WHAT = (
    "domain",
    "dataset",
    "model",
    "models",
    "representation",
    "test",
    "measure",
    "protocol",
    "seeds",
    "groups",
    "by",
    "trained_on",
)
HOW = ("suite", "stage", "device", "workers", "compare", "null", "on_error", "root", "shards")
"""Keys of a run in the order in which they are shown; a group of keys stands for all of them."""


def show_help(commands: Mapping[str, tuple[str, str]]) -> int:
    """Print the overview."""
    from rich.markup import escape

    texts = key_texts()
    what, how = ([(key, texts[key]) for key in _keys_below(order, texts)] for order in (WHAT, HOW))
    named = [(f"resi {name}", text) for name, (_, text) in commands.items()]
    parts = {"commands": named, "what": what, "how": how}
    output().print(TEXT.format(**{name: escape(as_table(rows)) for name, rows in parts.items()}))
    return 0


def key_texts() -> dict[str, str]:
    """Return the help text of every key of a run that has one, with the names of what can be chosen, by key."""
    from resi.groundings import GROUNDINGS
    from resi.registry import domains

    choices = {name: domains().get(name).representations for name in domains()}
    known = {
        "domains": ", ".join(domains()),
        "tests": ", ".join(GROUNDINGS),
        "representations": "; ".join(f"for {name} {', '.join(few)}" for name, few in choices.items() if len(few) > 1),
    }
    return {key: text.format(**known) for key, text in help_texts().items()}


def help_texts() -> dict[str, str]:
    """Return the help text of every key of a run that has one, by key."""
    from resi.config.schema import SUBKEYS, RunSchema

    found = {field.name: field for field in fields(RunSchema)}
    found |= {f"{group}.{field.name}": field for group, schema in SUBKEYS.items() for field in fields(schema)}
    return {key: field.metadata["help"] for key, field in found.items() if "help" in field.metadata}


def _keys_below(order: tuple[str, ...], texts: Mapping[str, str]) -> Iterator[str]:
    """Yield every key with a text that is one of the names, or below one."""
    for name in order:
        yield from (key for key in texts if key == name or key.startswith(f"{name}."))


def as_table(rows: list[tuple[str, str]]) -> str:
    """Return lines of names and texts, wrapped within their column."""
    column = 4 + max(len(name) for name, _ in rows)
    wrapper = textwrap.TextWrapper(WIDTH, subsequent_indent=" " * column, break_on_hyphens=False)
    lines = []
    for name, text in rows:
        wrapper.initial_indent = f"  {name}".ljust(column)
        lines.append(wrapper.fill(text))
    return "\n".join(lines)
