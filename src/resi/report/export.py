"""The tables of the report as CSV, LaTeX and Markdown, and its figures as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resi.errors import UsageError
from resi.groundings.corrections import correct_on_request
from resi.report import answer, models, overview
from resi.report.benchmark_tables import APPENDIX, benchmark_tables
from resi.report.failures import costs, summary
from resi.report.figures import rankings, write_figures
from resi.report.forms import csv_text, latex_line, latex_text, markdown_line, markdown_rule, markdown_text, no_formula
from resi.report.grid_forms import grid_csv, grid_latex, grid_markdown
from resi.report.leaderboard import conditions, leaderboards
from resi.report.names import file_name, listed, title
from resi.store.files import make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from resi.report.leaderboard import Leaderboard
    from resi.results.shards import Shard

ALL_SCORES = "all_scores.csv"


class Table(NamedTuple):
    """A table as text; ``left`` columns hold words, the others numbers."""

    name: str
    caption: str
    heads: list[str]
    rows: list[list[str]]
    left: int


def write_tables(shard: Shard, folder: Path, root: Path | None = None, correct: str | None = None) -> list[Path]:
    """Write all tables, each in three forms, and the figures; return the files.

    These are the tables of the page, and those of the published benchmark, see :mod:`resi.report.benchmark_tables`.

    Parameters
    ----------
    correct : str, optional
        How p-values are corrected for the number of measures, see :func:`resi.groundings.corrections.correct`.

    Raises
    ------
    UsageError
        If the folder has files of the same names that are not of an earlier report.
    """
    scores = correct_on_request(shard.scores(), correct)
    make_folder(folder)
    texts = {ALL_SCORES: as_csv(_all_scores(scores))}  # the first: it shows whose the folder is
    for table in tables(shard, scores, root):
        texts |= {f"{table.name}.csv": as_csv(table), f"{table.name}.tex": as_latex(table)}
        texts[f"{table.name}.md"] = as_markdown(table)
    for grid in benchmark_tables(scores):
        texts |= {f"{grid.name}.csv": grid_csv(grid), f"{grid.name}.tex": grid_latex(grid)}
        texts[f"{grid.name}.md"] = grid_markdown(grid)
    found = next((name for name in texts if (folder / name).exists()), None)
    if found and not (folder / ALL_SCORES).exists():
        raise UsageError(f"{folder / found} is not of an earlier report and is left as it is; name another folder")
    make_folder(folder / APPENDIX)
    for name, text in texts.items():
        write_text(folder / name, text)
    return [*(folder / name for name in texts), *write_figures(scores, folder)]


def tables(shard: Shard, scores: pl.DataFrame, root: Path | None = None) -> Iterator[Table]:
    """Yield the tables: answers, mean ranks, each test, all scores, models, ranks as drawn, and cost."""
    boards = list(leaderboards(scores))
    yield _answers(boards)
    for matrix in overview.matrices(boards):
        heads = ["measure", "mean place", *(f"{domain}: {test}" for domain, test, _, _ in matrix.heads)]
        rows = [
            [_label(named.label, imported), _number(mean, ".3f"), *(_number(place.rank, ".1f") for place in places)]
            for named, imported, places, mean in matrix.rows
        ]
        yield Table(file_name("ranks", matrix.conditions), f"Mean ranks {matrix.conditions}".strip(), heads, rows, 1)
    yield from map(_board, boards)
    found = overview.score_matrix(scores)
    heads = ["measure", "family", *overview.ABOUT, *found.tests]
    rows = [
        [_label(line.measure.label, line.imported), line.measure.family, *line.about, *map(_entry, line.entries)]
        for line in found.lines
    ]
    yield Table("scores", "Scores by which measures are ranked", heads, rows, 2 + len(overview.ABOUT))
    yield _models(models.groups(models.read_models(root, shard)))
    yield from _rank_tables(scores)
    rows = [
        [cost.measure.label, str(cost.ok), str(cost.undefined), str(cost.failed), _number(cost.milliseconds, ".3g")]
        for cost in costs(summary(shard))
    ]
    yield Table("cost", "Comparisons by measure", ["measure", "ok", "undefined", "failed", "ms each"], rows, 1)


def _rank_tables(scores: pl.DataFrame) -> Iterator[Table]:
    """Yield the numbers of each figure of ranks in all domains."""
    heads = ["domain", "measure", "family", "median rank", "mean rank", "rankings"]
    for name, _, about, by_domain in rankings(scores):
        rows = [
            [domain, measure, family, f"{median:.2f}", f"{mean:.2f}", str(np.count_nonzero(~np.isnan(values)))]
            for domain, found in by_domain
            for measure, family, median, mean, values in zip(
                found.names, found.families, found.medians, found.means, found.values, strict=True
            )
        ]
        words = conditions(about["protocol"], about["model_source"])
        yield Table(name, f"Ranks of measures by domain{f' ({words})' if words else ''}", heads, rows, 3)


def _all_scores(scores: pl.DataFrame) -> Table:
    """Return every score by every metric, including those of single models."""
    rows = [["" if value is None else str(value) for value in row] for row in scores.drop("influences").iter_rows()]
    return Table("all_scores", "All scores", scores.drop("influences").columns, rows, 0)


def _answers(boards: Sequence[Leaderboard]) -> Table:
    rows = [
        [
            found.domain,
            found.conditions or "trained models",
            found.question,
            listed([_label(named.label, imported) for named, imported in found.best]),
            found.sentence,
            " ".join([found.basis, *found.caveats]),
        ]
        for found in answer.answers(boards)
    ]
    heads = ["domain", "conditions", "task", "measures", "answer", "basis"]
    return Table("answers", "Measures that cannot be distinguished from the best", heads, rows, len(heads))


def _board(board: Leaderboard) -> Table:
    heads = ["measure", "mean rank", *(", ".join(head) for head in board.columns)]
    rows = [
        [
            _label(row.label, row.imported),
            _number(row.mean_rank, ".1f"),
            *("-" if cell is None else _with_interval(cell.text, cell.interval) for cell in row.cells),
        ]
        for row in board.rows
    ]
    about = f"{title(board.test)} in {board.domain}, {board.metric}"
    caption = f"{about}, {board.conditions}" if board.conditions else about
    return Table(file_name("test", board.domain, board.test, board.conditions), caption, heads, rows, 1)


def _models(groups: Sequence[models.Group]) -> Table:
    columns = models.columns(groups, every=True)
    rows = []
    for group in groups:
        means = [_number(group.accuracies[name][1] if name in group.accuracies else None, ".3f") for name in columns]
        rows.append([*group[:4], str(len(group.models)), *means, _number(group.seconds, ".3g")])
    heads = ["domain", "dataset", "architecture", "setting", "models", *columns, "training seconds"]
    return Table("models", "Models with their mean accuracies", heads, rows, 4)


def _entry(entry: overview.Entry) -> str:
    return _with_interval(entry.text or "-", entry.interval or "-")


def _with_interval(text: str, interval: str) -> str:
    return text if interval == "-" else f"{text} [{interval.replace('..', ', ')}]"


def _label(label: str, imported: bool) -> str:
    return f"{label} (published results)" if imported else label


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def as_csv(table: Table) -> str:
    """Return a table as CSV; text that a spreadsheet would read as a formula is marked as text."""
    return csv_text([table.heads, *([no_formula(text) for text in row] for row in table.rows)])


def as_markdown(table: Table) -> str:
    """Return a table as GitHub's Markdown."""
    lines = [markdown_line(map(markdown_text, row)) for row in (table.heads, *table.rows)]
    return "\n".join([lines[0], markdown_rule(table.left, len(table.heads)), *lines[1:]]) + "\n"


def as_latex(table: Table) -> str:
    """Return a table as LaTeX; it needs the package booktabs."""
    align = "l" * table.left + "r" * (len(table.heads) - table.left)
    head, *rows = (latex_line(map(latex_text, row)) for row in (table.heads, *table.rows))
    body = "\n".join(rows)
    return (
        "% \\usepackage{booktabs}\n\\begin{table}\n\\centering\n"
        f"\\caption{{{latex_text(table.caption)}.}}\n\\begin{{tabular}}{{{align}}}\n\\toprule\n{head}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )
