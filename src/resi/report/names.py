"""Names on the page: anchors for links, and labels of measures, with a mark for those that are not built in."""

from __future__ import annotations

import functools
import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

from resi import registry
from resi.console.redaction import redact
from resi.extraction.files.contents import natural
from resi.groundings.scores import STANDARD
from resi.measures.functional import FUNCTIONAL
from resi.measures.guard import is_built_in
from resi.registry.labels import measure_label

if TYPE_CHECKING:
    from collections.abc import Iterable

# Matches absolute paths, of which only the last part is shown. URLs are not paths.
PATH = re.compile(r"(?<![\w:/.<])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\:'\"<>|,;()]+[/\\])+(?=[^\s/\\])")

TITLES = {
    "accuracy_correlation": "Correlation with accuracy",
    "output_correlation": "Correlation with outputs",
    "label_randomization": "Label randomization",
    "shortcut": "Shortcuts",
    "augmentation": "Augmentation",
    "layer_monotonicity": "Layer monotonicity",
}
KINDS = {
    "settings": "Telling models apart that were trained differently",
    "seeds": "Agreeing with differences of outputs",
    "layers": "Ordering the layers of a network",
}
"""The task of a measure, by the kind of test."""


class Named(NamedTuple):
    """A measure with its parameters.

    Attributes
    ----------
    anchor : str
        Anchor of its card.
    mark : str
        ``plugin``, or ``own`` for a measure that is not installed here; empty for a built-in one.
    about : str
        What the mark means.
    """

    label: str
    anchor: str
    family: str
    mark: str = ""
    about: str = ""


def named(measure: str, parameters: str) -> Named:
    """Return the name of a measure, and whether it is the reader's own."""
    return _named(measure, parameters, id(registry.measures()))


@functools.lru_cache(maxsize=4096)
def _named(measure: str, parameters: str, _: int) -> Named:
    label = measure_label(measure, parameters)
    link = anchor("measure", label)
    if measure in FUNCTIONAL:
        return Named(label, link, "outputs")
    if measure not in registry.measures():
        return Named(label, link, "unknown", "own", "not among the measures installed here")
    entry = registry.measures().origin(measure)
    if is_built_in(entry.item):
        return Named(label, link, entry.item.family)
    return Named(label, link, entry.item.family, "plugin", f"from {entry.distribution} {entry.version}")


def anchor(*words: str | None) -> str:
    """Return a readable id for an element, unique to these words."""
    text = " ".join(word for word in words if word)
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if readable == text.replace(" ", "-").replace("_", "-"):
        return readable
    return f"{readable[:60]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def file_name(*words: str) -> str:
    """Return the name of a file without its suffix; the words may hold commas."""
    return anchor(*(word.replace(",", "") for word in words))


def breakable(text: str) -> Markup:
    """Return an escaped name that may break after an underscore or an equals sign."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[_=])(?=.)", text))


def title(test: str) -> str:
    """Return a test's name as a heading."""
    return TITLES.get(test, test.replace("_", " "))


def without_paths(text: str) -> str:
    """Return a text without secrets and without the folders of absolute paths, as pages are shared."""
    return PATH.sub("…/", redact(text))


def natural_order(names: Iterable[Any]) -> list[Any]:
    """Return a sort key for names: unaltered models first, ``augmentation_25`` and layer 2 before ``_100`` and 10."""
    return [(name != STANDARD, natural(str(name))) for name in names]


def listed(words: list[str]) -> str:
    """Return words as a list in a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
