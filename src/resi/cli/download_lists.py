"""What ``resi download`` prints before it fetches: what there is, and what a call would do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from resi.console import say, write
from resi.console.columns import Column
from resi.console.tables import UNLIMITED, Section, print_table
from resi.domains.releases import EVIDENCE
from resi.errors import ResiError, unknown_name
from resi.machine.memory import format_bytes
from resi.published.choice import published_models
from resi.published.datasets import dataset_sources
from resi.published.releases import RESULTS, domain_of, releases
from resi.store.space import needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from resi.domains.releases import Holding, Release
    from resi.published.datasets import Source
    from resi.published.downloads import Fetching

    Row = dict[str, Any]

MORE = "a wider terminal, --wide or --json shows them"


def print_list(root: Path, names: Sequence[str], as_json: bool, is_wide: bool) -> None:
    """Print what can be downloaded, how it is known to be there, and what is in the data root."""
    rows = [*release_rows(root), *dataset_rows(root)]
    known = list(dict.fromkeys(row["name"] for row in rows))
    for name in names:
        if name not in known:
            raise unknown_name("name to download", name, known)
    rows = [row for row in rows if row["name"] in names or not names]
    _say_by_hand(one for one in dataset_sources().values() if one.dataset.name in names or not names)
    if as_json:
        write(json.dumps(rows, indent=2) + "\n")
        return
    columns = [
        Column("name", rank=0),
        Column("content", is_text=True, rank=1),
        Column("evidence", is_text=True, rank=2),
        Column("here", rank=3),
        Column("size", is_number=True, rank=4),
        Column("from", is_text=True, rank=5),
    ]
    cells = [
        [size_text(row[one.title]) if one.title == "size" else str(row[one.title]) for one in columns] for row in rows
    ]
    print_table(columns, [Section(cells)], within=UNLIMITED if is_wide else None, more=MORE)


def _say_by_hand(sources: Iterable[Source]) -> None:
    for source in sources:
        if source.dataset.by_hand:
            say(f"{source.dataset.name} has to be downloaded by you: {source.dataset.by_hand}")


def release_rows(root: Path) -> Iterator[Row]:
    """Yield what the releases hold, a row for each thing that is known in one way, and how much of it is here."""
    for name, sources in releases().items():
        for source in sources:
            for holding in source.holdings:
                yield {
                    "name": name,
                    "content": _content(name, source, holding),
                    "evidence": EVIDENCE[holding.evidence],
                    "here": _here(name, source, holding, root),
                    "size": source.size,
                    "from": ", ".join(filter(None, (source.title, _place(source)))),
                }


def _place(source: Release) -> str:
    return f"record {source.record}" if source.record else source.place


def _content(name: str, source: Release, holding: Holding) -> str:
    what = "results of " if name == RESULTS else f"{', '.join(source.kinds)}: " if source.kinds else ""
    return f"{what}{', '.join(holding.architectures)} on {', '.join(holding.datasets)}"


def _here(name: str, source: Release, holding: Holding, root: Path) -> str:
    """Return how many of the models a holding is about are in the data root, or whether its file is there."""
    domain = domain_of(name)
    if domain is None:
        return "yes" if any((root / source.folder).glob("*.parquet")) else "no"
    count = 0
    for model in published_models(domain, source, (holding,)):
        try:
            domain.checkpoint(root, model)
        except ResiError:
            continue
        count += 1
    return f"{count} models" if count else "no"


def dataset_rows(root: Path) -> Iterator[Row]:
    """Yield the datasets that are not embedded."""
    for source in dataset_sources().values():
        dataset = source.dataset
        yield {
            "name": dataset.name,
            "content": f"dataset of {source.domain.name}: {dataset.title}",
            "evidence": "by hand" if dataset.by_hand else "fetched by resi",
            "here": "yes" if source.is_here(root) else "no",
            "size": dataset.size,
            "from": dataset.source,
        }


def size_text(size: int) -> str:
    """Return a size for people; empty where it is not known."""
    return format_bytes(size) if size else ""


def print_dry_run(found: Sequence[Fetching], datasets: Sequence[Source], root: Path, as_json: bool) -> None:
    """Print what would be fetched and where it would go, and what space that needs; nothing is written."""
    rows = [*map(_fetching_row, found), *(_dataset_row(source, root) for source in datasets)]
    space: list[Row] = [
        {"folder": str(need.folder), "needed": need.needed, "free": need.free}
        for need in needs([*(one.step for one in found), *(source.step(root) for source in datasets)])
    ]
    _say_by_hand(datasets)
    if as_json:
        write(json.dumps({"files": rows, "space": space}, indent=2) + "\n")
        return
    columns = [
        Column("file", rank=0),
        Column("state", rank=1),
        Column("size", is_number=True, rank=1),
        Column("to fetch", is_number=True, rank=1),
        Column("unpacked, about", is_number=True, rank=2),
        Column("into", is_text=True, rank=3),
        Column("from", rank=4),
    ]
    sizes = ("size", "to fetch", "unpacked, about")
    cells = [
        [format_bytes(row[one.title]) if one.title in sizes else str(row[one.title]) for one in columns] for row in rows
    ]
    print_table(columns, [Section(cells)])
    for need in space:
        enough = "" if need["free"] >= need["needed"] else ": too little"
        write(
            f"{need['folder']}: {format_bytes(need['needed'])} needed for files and their content, "
            f"{format_bytes(need['free'])} free{enough}\n"
        )


def _fetching_row(one: Fetching) -> Row:
    begun = 0 < one.missing_bytes < one.remote.size
    waiting = "begun" if begun else "to fetch" if one.missing_bytes else "to unpack"
    return {
        "file": one.remote.name,
        "state": "done" if one.is_done else waiting,
        "size": one.remote.size,
        "to fetch": one.missing_bytes,
        "unpacked, about": one.content_bytes,
        "into": str(one.folder),
        "from": one.remote.url,
    }


def _dataset_row(source: Source, root: Path) -> Row:
    is_here = source.is_here(root)
    waiting = "by hand" if source.dataset.by_hand else "to fetch"
    missing = 0 if is_here else source.dataset.size
    return {
        "file": source.dataset.name,
        "state": "done" if is_here else waiting,
        "size": source.dataset.size,
        "to fetch": missing,
        "unpacked, about": 0,
        "into": str(source.step(root).folder),
        "from": source.dataset.source,
    }


def say_sizes(found: Sequence[Fetching]) -> None:
    """Say how much is about to be fetched, file by file."""
    for one in found:
        if not one.is_done:
            content = f", about {format_bytes(one.content_bytes)} unpacked" if one.content_bytes else ""
            here = one.remote.size - one.missing_bytes
            begun = f", {format_bytes(here)} of it here already" if here else ""
            say(f"{one.remote.name}: {format_bytes(one.remote.size)}{begun}{content}, into {one.folder}")
