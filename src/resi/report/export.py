"""The tables of the report as CSV, LaTeX and Markdown, and its figures as files."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from resi.groundings.corrections import correct_on_request
from resi.report import answer, models, overview
from resi.report.failures import costs, summary
from resi.report.figures import write_figures
from resi.report.leaderboard import leaderboards
from resi.report.names import anchor, listed, title
from resi.store.files import make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from resi.report.leaderboard import Leaderboard
    from resi.results.shards import Shard

LATEX = {character: f"\\{character}" for character in "&%$#_{}"}
LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"}
LATEX |= {">": r"\textgreater{}", "[": "{[}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "\n": " "}


class Table(NamedTuple):
    """A table as text; ``left`` columns hold words, the others numbers."""

    name: str
    caption: str
    heads: list[str]
    rows: list[list[str]]
    left: int


def write_tables(shard: Shard, folder: Path, root: Path | None = None, correct: str | None = None) -> list[Path]:
    """Write all tables, each in three forms, and the figures; return the files.

    Parameters
    ----------
    correct : str, optional
        How p-values are corrected for the number of measures, see :func:`resi.groundings.corrections.correct`.
    """
    scores = correct_on_request(shard.scores(), correct)
    make_folder(folder)
    written = []
    for table in tables(shard, scores, root):
        for ending, form in (("csv", as_csv), ("tex", as_latex), ("md", as_markdown)):
            path = folder / f"{table.name}.{ending}"
            write_text(path, form(table))
            written.append(path)
    path = folder / "all_scores.csv"
    write_text(path, as_csv(_all_scores(scores)))
    return [*written, path, *write_figures(scores, folder)]


def tables(shard: Shard, scores: pl.DataFrame, root: Path | None = None) -> Iterator[Table]:
    """Yield the tables: answers, mean ranks, each test, all scores, models and cost."""
    boards = list(leaderboards(scores))
    yield _answers(boards)
    for matrix in overview.matrices(boards):
        heads = ["measure", "mean place", *(f"{domain}: {test}" for domain, test, _, _ in matrix.heads)]
        rows = [
            [_label(named.label, imported), _number(mean, ".3f"), *(_number(place.rank, ".1f") for place in places)]
            for named, imported, places, mean in matrix.rows
        ]
        yield Table(anchor("ranks", matrix.conditions), f"Mean ranks {matrix.conditions}".strip(), heads, rows, 1)
    yield from map(_board, boards)
    found = overview.score_matrix(scores)
    heads = ["measure", "family", *overview.ABOUT, *found.tests]
    rows = [
        [_label(line.measure.label, line.imported), line.measure.family, *line.about, *map(_entry, line.entries)]
        for line in found.lines
    ]
    yield Table("scores", "Scores by which measures are ranked", heads, rows, 2 + len(overview.ABOUT))
    yield _models(models.groups(models.read_models(root, shard)))
    rows = [
        [cost.measure.label, str(cost.ok), str(cost.undefined), str(cost.failed), _number(cost.milliseconds, ".3g")]
        for cost in costs(summary(shard))
    ]
    yield Table("cost", "Comparisons by measure", ["measure", "ok", "undefined", "failed", "ms each"], rows, 1)


def _all_scores(scores: pl.DataFrame) -> Table:
    """Return every score by every metric, those of single models included."""
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
    return Table("answers", "Measures that cannot be told from the best", heads, rows, len(heads))


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
    return Table(anchor("test", board.domain, board.test, board.conditions), caption, heads, rows, 1)


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
    """Return a table as CSV; a text that a spreadsheet would take for a formula is marked as text."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.heads)
    writer.writerows([[_no_formula(text) for text in row] for row in table.rows])
    return file.getvalue()


def _no_formula(text: str) -> str:
    is_number = re.fullmatch(r"[-+]?[\d.,e\[\] +-]+|-", text) is not None
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") and not is_number else text


def as_markdown(table: Table) -> str:
    """Return a table as GitHub's Markdown."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_plain(text) for text in cells)} |"

    rule = ["---" if number < table.left else "---:" for number in range(len(table.heads))]
    return "\n".join([line(table.heads), f"|{'|'.join(rule)}|", *map(line, table.rows)]) + "\n"


def _plain(text: str) -> str:
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", one_line)


def as_latex(table: Table) -> str:
    """Return a table as LaTeX; it needs the package booktabs."""

    def line(cells: Sequence[str]) -> str:
        return f"{' & '.join(''.join(LATEX.get(character, character) for character in text) for text in cells)} \\\\"

    align = "l" * table.left + "r" * (len(table.heads) - table.left)
    caption = "".join(LATEX.get(character, character) for character in table.caption)
    body = "\n".join(map(line, table.rows))
    return (
        "% \\usepackage{booktabs}\n\\begin{table}\n\\centering\n"
        f"\\caption{{{caption}.}}\n\\begin{{tabular}}{{{align}}}\n\\toprule\n{line(table.heads)}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )
