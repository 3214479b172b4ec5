"""Tables of measures by columns of scores: the best ones, their significance, and what is missing."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from resi import registry
from resi.groundings.base import LEVEL
from resi.registry.labels import measure_label
from resi.report.grids import ABSENT, Grid, GridCell, GridRow, in_family_order
from resi.report.names import counted, listed, named
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from resi.report.leaderboard import Key
    from resi.report.score_columns import Columns, Score, Site, Task

STARS = {False: ((LEVEL / 5, "**"), (LEVEL, "*")), True: ((0.01, "**"), (0.05, "*"))}
"""The p-value thresholds, by whether the protocol is the published one, with two-sided p-values."""
SHOWN_NAMES = 8


def make_grid(
    name: str,
    caption: str,
    wanted: Iterable[tuple[tuple[str, ...], Task, Site]],
    columns: Columns,
    sentences: Sequence[str] = (),
) -> Grid:
    """Return the table of some tasks and sites; those without scores are columns of dashes."""
    heads: list[tuple[str, ...]] = []
    parts: list[Mapping[Key, Score]] = []
    domains = set()
    for head, task, site in wanted:
        domains.add(site.domain)
        runs = columns.scores.get((task, site), {})
        for run, words in _run_names(runs).items():
            heads.append((*head[:-1], ", ".join([head[-1], *words])))
            parts.append(runs[run])
        if not runs:
            heads.append(head)
            parts.append({})
    labels, remarks = _labels(columns.measures(domains))
    best = [_best(part, columns.is_published) for part in parts]
    rows = []
    for key, label in labels.items():
        cells = zip(parts, best, strict=True)
        row = [_cell(part.get(key), key in top, columns.is_published) for part, top in cells]
        rows.append(GridRow(label, named(key[0], key[1]).family, row))
    marks = _marks(parts, columns)
    return Grid(name, caption, heads, in_family_order(rows), (*sentences, *marks, *remarks, *_without_scores(labels)))


def _run_names(runs: Iterable[Key]) -> dict[Key, list[str]]:
    """Return the names that distinguish the runs of a column, in order: their design, otherwise a number."""
    found: dict[Key, list[str]] = {}
    for design, group in groupby(sorted(runs), lambda run: str(run[0])):
        alike = list(group)
        for number, run in enumerate(alike, 1):
            found[run] = [design] * bool(design) + [f"run {number}"] * (len(alike) > 1)
    return found


def _best(part: Mapping[Key, Score], is_published: bool) -> set[Key]:
    """Return the best measures of a column: by rank, or by the printed value in the published form."""
    name = "value" if is_published else "rank"
    known = {key: score[name] for key, score in part.items() if score["several"] == 1 and score[name] is not None}
    if not known:
        return set()
    if is_published:
        printed = {key: round(value, 2) for key, value in known.items()}
        return {key for key, value in printed.items() if value == max(printed.values())}
    return {key for key, rank in known.items() if rank == min(known.values())}


def _cell(score: Score | None, is_best: bool, is_published: bool) -> GridCell:
    if score is None:
        return GridCell(why_missing=ABSENT)
    if score["several"] > 1:
        return GridCell(why_missing="with several scores")
    if score["value"] is None:
        return GridCell(why_missing="undefined")
    p_value = score["p_value"]
    stars = next((mark for most, mark in STARS[is_published] if p_value is not None and p_value <= most), "")
    return GridCell(score["value"], is_best, stars, bool(score["failed_pairs"]), "")


def _labels(keys: Iterable[Key]) -> tuple[dict[Key, str], list[str]]:
    """Return the shortest label of each measure in a table, and a note on what it leaves out."""
    found = sorted(keys, key=lambda key: tuple(map(str, key)))
    several = {name for name, *_ in found if len({key[1] for key in found if key[0] == name}) > 1}
    mixed = len({key[2] for key in found}) > 1
    labels, left_out = {}, []
    for key in found:
        name, parameters, origin = key
        whole = measure_label(name, parameters)
        label = whole if name in several else str(name)
        if label != whole:
            left_out.append(whole)
        labels[key] = f"{label} (published results)" if mixed and origin == PUBLISHED else label
    return labels, [f"Not at their default parameters: {', '.join(dict.fromkeys(left_out))}."] if left_out else []


def _marks(parts: Sequence[Mapping[Key, Score]], columns: Columns) -> Iterator[str]:
    """Yield the meaning of bold type and stars."""
    if any(_best(part, columns.is_published) for part in parts):
        yield f"Bold: the best of a column{', after rounding' if columns.is_published else ''}."
    if all(score["p_value"] is None for part in parts for score in part.values()):
        return
    (low, _), (high, _) = STARS[columns.is_published]
    sides = "two-sided, of the correlations" if columns.is_published else "one-sided"
    corrected = (
        f", with {columns.correction}'s correction"
        if columns.correction
        else ", not corrected for the number of measures"
    )
    yield f"*, **: p at most {high:g}, {low:g} ({sides}{corrected})."


def _without_scores(keys: Iterable[Key]) -> Iterator[str]:
    """Yield a sentence on the measures of the benchmark without any score."""
    known = {key[0] for key in keys}
    every = [measure.name for measure in registry.measures().in_order() if measure.benchmark]
    absent = [name for name in every if name not in known]
    if absent:
        names = absent[:SHOWN_NAMES] + ([f"{len(absent) - SHOWN_NAMES} more"] if len(absent) > SHOWN_NAMES else [])
        count = f"{counted(len(absent), 'measure')} of the {len(every)} of the benchmark"
        yield f"Not in these results: {count} ({listed(names)})."
