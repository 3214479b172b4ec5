"""Scores as tables on the terminal: the numbers that matter, the best measure of each architecture first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from resi.console import show, shown, width
from resi.console.columns import Column
from resi.console.tables import UNLIMITED, Section, paragraph, print_table
from resi.groundings import SCORED
from resi.groundings.corrections import p_title
from resi.groundings.notes import short_p
from resi.groundings.readable import TITLES, legend, read_scores, why_undefined
from resi.results.schema import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from resi.groundings.readable import Block

NOTHING = (None, "", "none")
COUNTS = {"groups": "groups", "models": "models", "pairs": "pairs", "failed_pairs": "failed"}
NARROW = 80
"""The width of a table of scores in a file, where ``COLUMNS`` asks for none."""
IN_HEADING = ("groups", "models")
"""Where these differ between blocks, their headings say it."""
MORE = "a wider terminal or COLUMNS=160 shows them"
# Numbers with a higher rank are left out first.
VALUE, INTERVAL, P_VALUE, SMALLEST, CHANCE, FURTHER, COUNT = range(7)


class Number(NamedTuple):
    """A column of numbers: a metric's ``value``, ``interval``, ``p_value``, ``smallest_p`` or ``chance``, or a count.

    Attributes
    ----------
    metric : str
        Empty for a count, which all metrics of a line have in common.
    """

    metric: str
    kind: str
    column: Column


def print_scores(scores: pl.DataFrame, title: str, wide: bool = False, more: str = MORE) -> None:
    """Print the scores of one test, with what all lines have in common below; scores of single models are left out.

    Parameters
    ----------
    wide : bool
        Whether all numbers are shown, however wide the table becomes.
    more : str
        How the reader gets to see the numbers that have no room.
    """
    print_blocks(list(read_scores(scores)), title, wide, more)


def print_blocks(blocks: Sequence[Block], title: str, wide: bool = False, more: str = MORE) -> None:
    """Print blocks of scores of one test as one table."""
    rows = [row for block in blocks for row in block.rows]
    if not rows:
        return
    same = _counts_in_common(rows)
    numbers = [*_metric_columns(rows, str(blocks[0].about["test"])), *_count_columns(same)]
    marked = any(row["best"] for row in rows)
    reasons = {block.why_unmarked for block in blocks}
    sections = []
    for block, heading in zip(blocks, _headings(blocks), strict=True):
        cells = [[_label(row, marked), *(_cell(row, number) for number in numbers)] for row in block.rows]
        below = [block.why_unmarked] if block.why_unmarked and len(reasons) > 1 else []
        sections.append(Section(cells, heading, below))
    columns = [Column("  measure" if marked else "measure", rank=0), *(number.column for number in numbers)]
    print_table(columns, sections, title=title, within=UNLIMITED if wide else width() or NARROW, more=more)
    facts = [*(_counted(count, name) for name, count in same.items()), *_least(rows, str(blocks[0].about["test"]))]
    common = [f"in all lines: {', '.join(facts)}"] if facts else []
    reason = next(iter(reasons)) if len(reasons) == 1 else ""
    headline = SCORED[str(blocks[0].about["test"])].headline
    scores = [(row["label"], row["metrics"][headline]) for row in rows if headline in row["metrics"]]
    remarks = [*(legend("*") if marked else []), *([reason] if reason else []), *why_undefined(scores), *common]
    for remark in remarks:
        for line in paragraph(shown(remark)):
            show(line, "dim")


def _least(rows: Sequence[Mapping[str, Any]], test: str) -> Iterator[str]:
    """Yield the smallest p-value that scores can have, where it is one."""
    metric = SCORED[test].headline
    found = _smallest([row["metrics"][metric] for row in rows if metric in row["metrics"]])
    if len(found) == 1:
        yield f"p at least {short_p(found.pop())}"


def _counted(count: int, name: str) -> str:
    return f"{count} {name.removesuffix('s') if count == 1 else name}"


def _metric_columns(rows: Sequence[Mapping[str, Any]], test: str) -> Iterator[Number]:
    """Yield the columns of each metric; of the one that ranks also the interval and p-value, where there are any."""
    for metric in SCORED[test].metrics:
        is_headline = metric == SCORED[test].headline
        scores = [row["metrics"][metric] for row in rows if metric in row["metrics"]]
        title = TITLES.get(metric, metric)
        yield Number(metric, "value", Column(title, is_number=True, rank=VALUE if is_headline else FURTHER))
        if is_headline and any(score["low"] is not None for score in scores):
            yield Number(metric, "interval", Column("95 %", is_number=True, rank=INTERVAL))
        if is_headline and any(score["p_value"] is not None for score in scores):
            yield Number(metric, "p_value", Column(p_title(scores), is_number=True, rank=P_VALUE))
            if len(_smallest(scores)) > 1:
                name = "smallest possible p"
                yield Number(metric, "smallest_p", Column("least p", is_number=True, rank=SMALLEST, name=name))
        if any(score["chance"] for score in scores):  # of a correlation it is always 0
            rank = CHANCE if is_headline else COUNT
            yield Number(metric, "chance", Column("chance", is_number=True, rank=rank, name=f"chance of {title}"))


def _smallest(scores: Sequence[Mapping[str, Any]]) -> set[float]:
    """Return the smallest p-values that some scores can have."""
    return {score["smallest_p"] for score in scores if score["smallest_p"] is not None}


def _count_columns(same: Mapping[str, Any]) -> Iterator[Number]:
    for name, title in COUNTS.items():
        if title not in same and name not in IN_HEADING:  # how many comparisons a score lacks is no detail
            rank = INTERVAL if name == "failed_pairs" else COUNT
            yield Number("", name, Column(title, is_number=True, rank=rank))


def _counts_in_common(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the counts that are the same in all lines, if there are several lines."""
    found = {title: {_first(row)[name] for row in rows} for name, title in COUNTS.items()}
    return {title: counts.pop() for title, counts in found.items() if len(counts) == 1}


def _first(row: Mapping[str, Any]) -> Mapping[str, Any]:
    first: Mapping[str, Any] = next(iter(row["metrics"].values()))
    return first


def _headings(blocks: Sequence[Block]) -> list[str]:
    """Return what distinguishes each block, in words; the architecture in any case."""
    differing = {name for name in blocks[0].about if len({block.about[name] for block in blocks}) > 1}
    texts = []
    for block in blocks:
        about = block.about
        parts = [str(about[name]) for name in ("domain", "dataset") if name in differing]
        parts += [str(about["architecture"])] + [str(about["setting"])] * bool(about["setting"])
        parts += [f"against {about['functional']}"] * bool(about["functional"])
        parts += [f"pooling {about['pooling']}"] * ("pooling" in differing and about["pooling"] not in NOTHING)
        parts += [f"{about[name]} {name}" for name in ("groups", "models") if name in differing]
        parts += [about["design"]] * bool(about["design"])
        texts.append(", ".join(parts))
    several, number = Counter(texts), Counter[str]()
    for place, text in enumerate(texts):
        if several[text] > 1:  # other hyperparameters, or other seeds
            number[text] += 1
            texts[place] = f"{text}, run {number[text]}"
    return [shown(text) for text in texts]


def _label(row: Mapping[str, Any], marked: bool) -> str:
    label = f"{row['label']} ({PUBLISHED})" if row["is_imported"] else row["label"]
    return f"{'* ' if row['best'] else '  '}{label}" if marked else label


def _cell(row: Mapping[str, Any], number: Number) -> str:
    if not number.metric:
        return str(_first(row)[number.kind])
    score = row["metrics"].get(number.metric)
    if number.kind == "interval":
        low, high = (score["low"], score["high"]) if score else (None, None)
        return "-" if low is None or high is None else f"{low:.2f}..{high:.2f}"
    value = score[number.kind] if score else None
    if value is None:
        return "undefined" if number.kind == "value" and score else "-"
    return f"{value:.4f}" if number.kind in ("p_value", "smallest_p") else f"{value:.3f}"
