"""Tables of scores as CSV, Markdown and LaTeX."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from resi.report.forms import csv_text, latex_line, latex_text, markdown_line, markdown_rule, markdown_text, no_formula
from resi.report.grids import DASH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resi.report.grids import Grid, GridCell

LABELS = ("measure", "family")
NO_SCORE = "no score"
"""Heading of the line that counts the missing cells of each column."""
WIDE = 8
"""Tables with more columns of numbers span the whole width of a page."""


def grid_csv(grid: Grid) -> str:
    """Return a table for programs: numbers with all digits, empty cells for missing ones, and no marks."""
    heads = [*LABELS, *(no_formula(" / ".join(part for part in head if part)) for head in grid.heads)]
    rows = [
        [no_formula(row.label), row.family, *("" if cell.value is None else repr(cell.value) for cell in row.cells)]
        for row in grid.rows
    ]
    return csv_text([heads, *rows])


def grid_markdown(grid: Grid) -> str:
    """Return a table as GitHub's Markdown, with its caption and notes."""

    def cell(found: GridCell) -> str:
        number = f"**{found.number}**" if found.is_best else found.number
        return number + markdown_text(found.marks)

    heads = [*LABELS, *("<br>".join(markdown_text(part) for part in head if part) for head in grid.heads)]
    lines = [markdown_line(heads), markdown_rule(len(LABELS), len(heads))]
    lines += [markdown_line([markdown_text(row.label), row.family, *map(cell, row.cells)]) for row in grid.rows]
    if any(grid.missing):
        lines.append(markdown_line([NO_SCORE, "", *map(str, grid.missing)]))
    notes = "\n".join(f"- {markdown_text(note)}" for note in grid.notes)
    return "\n".join([f"**{markdown_text(grid.caption)}.**", "", *lines, "", notes]).rstrip() + "\n"


def grid_latex(grid: Grid) -> str:
    """Return a table as LaTeX; it needs the package booktabs, and graphicx if it is wide."""
    is_wide = len(grid.heads) > WIDE
    name, width = ("table*", r"\textwidth") if is_wide else ("table", r"\linewidth")
    caption = " ".join(latex_text(sentence) for sentence in (f"{grid.caption}.", *grid.notes))
    return (
        "\n".join(
            [
                r"% \usepackage{booktabs}" + r", \usepackage{graphicx}" * is_wide,
                rf"\begin{{{name}}}",
                r"\centering",
                r"\footnotesize",
                rf"\caption{{{caption}}}",
                *([rf"\resizebox{{{width}}}{{!}}{{%"] if is_wide else []),
                rf"\begin{{tabular}}{{l{'l' * len(grid.heads)}}}",
                r"\toprule",
                *_latex_heads(grid),
                r"\midrule",
                *_latex_rows(grid),
                r"\bottomrule",
                r"\end{tabular}" + "}" * is_wide,
                rf"\end{{{name}}}",
            ]
        )
        + "\n"
    )


def _latex_heads(grid: Grid) -> Iterator[str]:
    """Yield the lines of headings, with rules below those that span several columns."""
    for level in range(grid.levels):
        spans = list(grid.spans(level))
        if not any(text for text, _ in spans):
            continue
        first = "measure" if level == grid.levels - 1 else ""
        cells = [latex_text(text) if count == 1 else rf"\multicolumn{{{count}}}{{c}}{{{latex_text(text)}}}"
                 for text, count in spans]  # fmt: skip
        yield latex_line([first, *cells])
        ends = list(itertools.accumulate((count for _, count in spans), initial=1))
        rules = [
            rf"\cmidrule(lr){{{start + 1}-{end}}}"
            for (text, count), start, end in zip(spans, ends, ends[1:], strict=False)
            if count > 1 and text
        ]
        if rules and level < grid.levels - 1:
            yield " ".join(rules)


def _latex_rows(grid: Grid) -> Iterator[str]:
    """Yield a line for each measure, with a heading for each family."""
    family = None
    for row in grid.rows:
        if row.family != family:
            if family is not None:
                yield r"\addlinespace"
            yield rf"\multicolumn{{{1 + len(grid.heads)}}}{{l}}{{\emph{{{latex_text(row.family)}}}}} \\"
            family = row.family
        yield latex_line([latex_text(row.label), *map(_latex_cell, row.cells)])
    if any(grid.missing):
        yield r"\midrule"
        yield latex_line([NO_SCORE, *map(str, grid.missing)])


def _latex_cell(cell: GridCell) -> str:
    if cell.value is None:
        return "--"
    number = cell.number.replace(DASH, "$-$")
    marks = latex_text(cell.marks)
    return (rf"\textbf{{{number}}}" if cell.is_best else number) + (rf"\textsuperscript{{{marks}}}" if marks else "")
