"""Results of a test in a notebook: a compact table and a plot."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from resi.console.columns import Column, lay_out
from resi.errors import count_of
from resi.groundings.corrections import correct_on_request
from resi.groundings.readable import legend, read_scores, score_frame, why_undefined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from matplotlib.figure import Figure

SHOWN = ("architecture", "setting", "functional", "measure", "best", "value", "low", "high", "p_value", "smallest_p",
         "chance")  # fmt: skip
NOT_SHOWN = ("test", "domain", "dataset", "protocol", "parameters", "metric", "groups", "origin", "model_source",
             "reason", "note")  # fmt: skip
NAMES = {"functional": "against", "p_value": "p", "smallest_p": "least p"}
MOST_ROWS = 60
"""The most lines shown in a notebook; ``table()`` has all."""
MOST_LINES = 20
"""The most lines shown at a prompt."""
OFTEN_ALIKE = ("architecture", "setting", "functional")
"""Columns that a printed table has if they distinguish its lines."""
STYLE = "text-align:right;padding:1px 8px;white-space:nowrap"


class ScoreViews:
    """Shared by all results with scores: ``table()``, ``plot()``, and a small table at a prompt and in a notebook."""

    scores: pl.DataFrame
    comparisons: pl.DataFrame
    shard: Any  # a path, or None where the tables are not kept

    def table(self, correct: str | None = None) -> pl.DataFrame:
        """Return one row for each architecture and measure, the best first.

        Parameters
        ----------
        correct : str, optional
            Correct p-values for the number of measures: ``holm``, ``bonferroni`` or ``fdr_bh``, see
            :func:`resi.correct`.

        Returns
        -------
        polars.DataFrame
            ``architecture``, ``setting`` and ``functional`` where the test has them, ``measure``, ``best``, which marks
            measures that are better than chance and cannot be distinguished from the best (see
            :func:`resi.groundings.readable.read_scores`), the score by the test's first metric under its name, its 95 %
            interval from ``low`` to ``high``, its ``p_value``, ``smallest_p``, the smallest p-value possible with so
            few models, ``chance``, the scores by other metrics, and ``models``, ``pairs`` and ``failed_pairs``.
        """
        frame = score_frame(correct_on_request(self.scores, correct))
        named = frame.rename({"value": frame["metric"][0]} if frame.height else {})
        empty = {name for name in ("setting", "functional") if (frame[name].fill_null("") == "").all()}
        return named.drop(*NOT_SHOWN, *empty)

    def plot(self, **options: Any) -> Figure:
        """Draw the scores with their intervals and chance, see :func:`resi.plot.scores` for the options."""
        from resi.plot import scores

        protocol = self.scores["protocol"][0] if self.scores.height else "corrected"
        return scores(self.scores, **{"protocol": protocol, **options})

    def __repr__(self) -> str:
        tests = ", ".join(self.scores["test"].unique())
        about = f"{count_of(self.scores.height, 'score')} of {count_of(self.comparisons.height, 'comparison')}"
        return "\n".join([f"{tests}: {about}" if tests else about, *score_lines(self.scores)])

    def _left_out(self) -> Sequence[str]:
        """Return what was left out and why, one line each."""
        return ()

    def _repr_html_(self) -> str:
        where = f" in {self.shard.name}" if self.shard else ""
        return _html(self.scores, f"{count_of(self.comparisons.height, 'comparison')}{where}", self._left_out())


def score_lines(scores: pl.DataFrame) -> list[str]:
    """Return a table for a prompt: the best measure first, with ``*`` those not distinguishable from it."""
    frame = score_frame(scores)
    if frame.is_empty():
        return []
    names = [name for name in SHOWN if name != "best" and (name not in OFTEN_ALIKE or frame[name].n_unique() > 1)]
    titles = NAMES | {"value": frame["metric"][0]}
    columns = [
        Column(""),
        *(Column(titles.get(name, name), is_number=frame[name].dtype.is_numeric()) for name in names),
    ]
    rows = [
        ["*" if row["best"] else "", *(_text(row[name], name) for name in names)]
        for row in frame.head(MOST_LINES).iter_rows(named=True)
    ]
    found = lay_out(columns, rows, None)
    remarks = [*(legend("*") if frame["best"].any() else _why_unmarked(scores)), *_why_undefined(frame)]
    more = frame.height - MOST_LINES
    if more > 0:
        remarks.append(f"and {more} more lines in .table()")
    lines = [found.header, *(line for lines in found.lines for line in lines), *remarks]
    return [line.rstrip() for line in lines]


def _why_unmarked(scores: pl.DataFrame) -> list[str]:
    return sorted({block.why_unmarked for block in read_scores(scores)} - {""})


def _why_undefined(frame: pl.DataFrame) -> list[str]:
    return why_undefined([(row["measure"], row) for row in frame.iter_rows(named=True)])


def _html(scores: pl.DataFrame, about: str, left_out: Sequence[str]) -> str:
    """Return a small table: the best measure of each architecture first, all texts escaped."""
    frame = score_frame(scores)
    if frame.is_empty():
        return f"<p>{html.escape(about)}; no scores</p>"
    first = frame.row(0, named=True)
    title = f"{first['test']} on {first['dataset']} ({first['protocol']} protocol): {first['metric']}"
    names = [name for name in SHOWN if name != "best" and any(value not in (None, "") for value in frame[name])]
    head = "".join(f'<th style="{STYLE}">{html.escape(NAMES.get(name, name))}</th>' for name in names)
    rows = [_html_row(row, names) for row in frame.head(MOST_ROWS).iter_rows(named=True)]
    remarks = [*(legend("bold:") if frame["best"].any() else []), *_why_unmarked(scores), *_why_undefined(frame)]
    if frame.height > MOST_ROWS:
        remarks.append(f"and {frame.height - MOST_ROWS} more lines in .table()")
    below = "".join(f"<div>{html.escape(text)}</div>" for text in [*remarks, *left_out, about])
    table = f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{''.join(rows)}</table>"
    return f"<div>{table}{below}</div>"


def _html_row(row: Mapping[str, Any], names: Sequence[str]) -> str:
    weight = ";font-weight:bold" if row["best"] else ""
    cells = "".join(f'<td style="{STYLE}{weight}">{html.escape(_text(row[name], name))}</td>' for name in names)
    return f"<tr>{cells}</tr>"


def _text(value: Any, name: str) -> str:
    if value is None:
        return "undefined" if name == "value" else "-"
    if isinstance(value, float):
        return f"{value:.4f}" if name in ("p_value", "smallest_p") else f"{value:.3f}"
    return str(value)
