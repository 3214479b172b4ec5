"""The pages of domains, datasets, models and tests."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from scripts.docs import docstrings
from scripts.docs.markdown import from_docstring, given, table, ticked
from scripts.docs.places import anchor, link_from

from resi import registry
from resi.cli.describe import describe
from resi.groundings import AGAINST, GROUNDINGS, SCORED
from resi.registry.items import BUILT_IN_DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resi.domains.base import Domain

PAGES = {"graph": "graph.md", "language": "language.md", "vision": "vision.md", "custom": "custom.md"}
"""Where each domain is described in full."""
FAMILY = "architectures of its family"
"""Where it stands what a model is."""
SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def domains() -> list[Domain]:
    """Return the domains that come with resi."""
    known = registry.domains()
    origins = [known.origin(name) for name in known]
    return [entry.item() for entry in origins if entry.distribution == BUILT_IN_DISTRIBUTION]


def _own(items: Iterable[Any], known: registry.Registry[Any]) -> Iterator[Any]:
    """Yield those of a domain's items that come with resi."""
    for item in items:
        if item.name not in known or known.origin(item.name).distribution == BUILT_IN_DISTRIBUTION:
            yield item


def all_domains() -> str:
    """Return a table of the domains."""
    rows = []
    for domain in domains():
        name = f"[`{domain.name}`](../{PAGES[domain.name]})" if domain.name in PAGES else f"`{domain.name}`"
        needs = f"`pip install 'resi[{domain.extra}]'`" if domain.extra else ""
        outputs = ticked(*domain.representations) if len(domain.representations) > 1 else ""
        rows.append([name, given(domain.title, f"title of domain {domain.name}", "its class"), needs, outputs])
    return table(["domain", "what it is", "needs", "`representation=`"], rows)


def datasets() -> str:
    """Return a table of the datasets of each domain."""
    parts = []
    for domain in domains():
        rows = []
        for item in _own(domain.datasets(), registry.datasets(domain.name)):
            where = "in the package" if item.embedded else item.by_hand or "downloaded by the run that needs it"
            title = given(item.title, f"title of dataset {item.name}", "its object")
            source = given(item.source, f"source of dataset {item.name}", "its object")
            size = _size(item.size) or ("" if item.embedded else "not stated")
            rows.append([f"`{item.name}`", title, source, where, size])
        if rows:
            parts.append(f"## {domain.name.capitalize()} {{ #{anchor('datasets', domain.name)} }}\n")
            parts.append(table(["dataset", "content", "source", "where it comes from", "size"], rows))
    return "\n".join(parts)


def _size(number: int) -> str:
    for unit, name in SIZES:
        if number >= unit:
            return f"{number / unit:.2g} {name}"
    return ""


def models() -> str:
    """Return a section for each domain: its models, and the keys that change how they are trained."""
    parts = []
    for domain in domains():
        infos = list(_own(domain.architectures(), registry.networks(domain.name)))
        if infos and dataclasses.fields(domain.model_config):  # of models that are given there is nothing to set
            parts.append(f"## {domain.name.capitalize()} {{ #{anchor('models', domain.name)} }}\n")
            parts.append(table(["model", "network", "paper or source", "trained on"], _model_rows(infos)))
            parts += [f"### Keys of {domain.name} models\n", _model_keys(domain)]
    return "\n".join(parts)


def _model_rows(infos: Iterable[Any]) -> Iterator[list[str]]:
    for item in infos:
        _, _, facts = describe(item.name)
        known = [label.removeprefix("on ") for label, value in facts if label.startswith("on ") and "=" in value]
        reference = given(item.reference, f"reference of model {item.name}", FAMILY)
        yield [f"`{item.name}`", given(item.title, f"title of model {item.name}", FAMILY), reference, ticked(*known)]


def _model_keys(domain: Domain) -> str:
    about = docstrings.of(domain.model_config).about("Parameters")
    rows = []
    for field in dataclasses.fields(domain.model_config):
        text = about[field.name].text if field.name in about else ""
        what = given(
            from_docstring(text, link_from("reference/models.md")),
            f"key model.NAME.{field.name} of {domain.name}",
            f"Parameters of the docstring of {domain.model_config.__module__}.{domain.model_config.__qualname__}",
        )
        rows.append([f"`model.NAME.{field.name}`", from_docstring(about[field.name].kind) if text else "", what])
    return table(["key", "type", "meaning"], rows)


def tests() -> str:
    """Return a section for each test."""
    parts = [
        table(
            ["`test=`", "asks whether"],
            [
                [f"[`{name}`](#{anchor('test', name)})", _first_sentence(test.description)]
                for name, test in GROUNDINGS.items()
            ],
        )
    ]
    for name, test in SCORED.items():
        how = f"With `by={name}`." if name in AGAINST else ""
        _, text, facts = describe(name)
        about = given(from_docstring(text), f"description of test {name}", "description of its class")
        rows = [[f"**{label}**", value] for label, value in facts if label != "in full"]
        empty = [label for label in test.metrics if not test.metrics[label]]
        rows += [["", given("", f"metric {label} of test {name}", "metrics of its class")] for label in empty]
        parts += [
            f"## `{name}` {{ #{anchor('test', name)} }}\n",
            f"{how} {about}".strip() + "\n",
            table(["", ""], rows),
        ]
    return "\n".join(parts)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(": ")[0].rstrip(".")
