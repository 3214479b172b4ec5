"""The page of columns: of every table that resi writes or returns, with the types of the code and what pages say."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.docs.markdown import given, table, ticked
from scripts.docs.places import DOCS, anchor

from resi.api.ranking import PAIRS, TABLE
from resi.results.schema import AGGREGATES, CHANCE, COMPARISONS, DRAWS, INTERVALS, PAIRWISE, SCORES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")
TYPES = {"String": "text", "Float64": "number", "Int64": "integer", "Boolean": "true or false"}


class Known(NamedTuple):
    """One table: how it is had, its columns, and the pages whose tables say what these mean."""

    title: str
    how: str
    columns: Mapping[str, Any]
    pages: tuple[str, ...]


TABLES = (
    Known(
        "Comparisons",
        "`comparisons.parquet` of a shard or a merge; `resi.run(...).comparisons`",
        COMPARISONS,
        ("results.md#comparisons",),
    ),
    Known(
        "Scores",
        "`scores.parquet` of a shard or a merge; `resi.run(...).scores`, `resi.score_table`",
        SCORES,
        ("results.md#scores",),
    ),
    Known("Pairs", "`resi.pairwise`, `resi compare --out`", PAIRWISE, ("comparing.md",)),
    Known("Pairs with chance", "`null=` adds these to a table of pairs", CHANCE, ("chance.md",)),
    Known(
        "Pairs with intervals",
        "`bootstrap=` adds `low` and `high`, `draws=True` the others",
        {**INTERVALS, **DRAWS},
        ("intervals.md",),
    ),
    Known("Pairs of models", "`resi.calibrate`", AGGREGATES, ("chance.md#calibrate", "chance.md", "comparing.md")),
    Known("Ranks", "`resi.ranks(...).table`", TABLE, ("tests.md#ranks",)),
    Known("Pairs of measures", "`resi.ranks(...).pairs`", PAIRS, ("tests.md#pairs",)),
)


def columns() -> str:
    """Return a section for each table."""
    return "\n".join(_section(known) for known in TABLES)


def _section(known: Known) -> str:
    said: dict[str, str] = {}
    for page in known.pages:
        said = {**{name: _moved(text) for name, text in meanings(page).items()}, **said}
    by_meaning: dict[str, list[str]] = {}  # columns of one line of a page stay together
    for name in known.columns:
        what = given(said.get(name), f"column {name} of {known.title}", f"docs/{known.pages[0]}")
        by_meaning.setdefault(what, []).append(name)
    rows = [[ticked(*names), _types(known.columns[name] for name in names), what] for what, names in by_meaning.items()]
    pages = dict.fromkeys(page.partition("#")[0] for page in known.pages)
    about = f"{known.how}. Explained in {', '.join(f'[{page}](../{page})' for page in pages)}."
    head = f"## {known.title} {{ #{anchor('table', known.title.replace(' ', '-'))} }}\n\n{about}\n"
    return f"{head}\n{table(['column', 'type', 'meaning'], rows)}"


def _types(kinds: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(_type(kind) for kind in kinds))


def _type(kind: Any) -> str:
    name = str(kind)
    return "list of numbers" if name.startswith("List") else TYPES.get(name, name)


def _moved(text: str) -> str:
    """Return text of a page in docs/ with its links as from a page one folder below."""
    return LINK.sub(r"](../\1)", text)


@lru_cache
def meanings(place: str, head: str = "column") -> Mapping[str, str]:
    """Return what the tables of a page say of each name in their first column.

    Parameters
    ----------
    place : str
        A page below ``docs``; with ``#NAME`` only the table behind the comment ``<!-- columns: NAME -->`` or below the
        heading of that name.
    head : str
        Heading of the first column; other tables are passed over.
    """
    page, _, part = place.partition("#")
    text = (DOCS / page).read_text(encoding="utf-8")
    if part:
        text = re.split(rf"^(?:## {part}|<!-- columns: {part} -->)$", text, flags=re.MULTILINE | re.IGNORECASE)[1]
    found: dict[str, str] = {}
    for names, cells in _rows(text, head, only_first=bool(part)):
        found |= dict.fromkeys(names, cells[-1])
    return found


def _rows(text: str, head: str, *, only_first: bool) -> Iterator[tuple[list[str], list[str]]]:
    is_wanted = False
    for line in text.splitlines():
        if not line.startswith("|"):
            if is_wanted and only_first:
                return
            is_wanted = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == head:
            is_wanted = True
        elif is_wanted and not cells[0].startswith("-"):
            yield re.findall(r"`([^`]+)`", cells[0]) or cells[:1], cells
