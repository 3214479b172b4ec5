"""Print the tables of docs/real_results.md from the results that come with resi, as Markdown.

python scripts/real_results.py            # prints them
python scripts/real_results.py --write    # puts them into the page, and draws its figure
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi import plot
from resi.groundings import GROUNDINGS
from resi.groundings.readable import differs_from_chance, read_scores
from resi.report import models
from resi.report.answer import answers
from resi.report.leaderboard import leaderboards
from resi.report.names import KINDS, listed, named
from resi.results.embedded import embedded_results, models_of, runs_of
from resi.store.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.groundings.readable import Block
    from resi.report.leaderboard import Leaderboard
    from resi.results.shards import Shard

NAME = "baseline"
DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURE = DOCS / "real_results.md", DOCS / "images" / "real_results.png"
SECTION = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
WITHIN = 1e-9
"""Scores that differ by less are equal but for rounding."""


class Table(NamedTuple):
    """Rows of text, with how many columns of words stand before those of numbers."""

    heads: list[str]
    rows: list[list[str]]
    words: int

    def __str__(self) -> str:
        rule = ["---"] * self.words + ["---:"] * (len(self.heads) - self.words)
        lines = [self.heads, rule, *self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables, or write them and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the page and the figure")
    arguments = parser.parse_args(words)
    found = sections(embedded_results(NAME))
    if not arguments.write:
        sys.stdout.write("\n".join(f"## {name}\n\n{text}" for name, text in found.items()))
        return
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), found))
    plot.ranks(embedded_results(NAME).scores()).savefig(FIGURE, dpi=110)


def filled(page: str, found: dict[str, str]) -> str:
    """Return a page with the sections in it replaced."""
    return SECTION.sub(lambda match: f"{match[1]}{found[match[2]]}{match[3]}", page)


def sections(tables: Shard) -> dict[str, str]:
    """Return all tables by the name of their section."""
    scores = tables.scores()
    boards = sorted(leaderboards(scores), key=lambda board: (board.domain, list(GROUNDINGS).index(board.test)))
    found = {
        "said": "".join(f"- {sentence}\n" for sentence in said(tables, boards)),
        "made": made(tables),
        "models": model_table(tables),
        "answers": answer_table(boards),
        "tests": test_table(scores),
        "places": place_table(boards),
        "failures": failure_table(tables),
    }
    return {name: str(table) for name, table in found.items()}


def said(tables: Shard, boards: Sequence[Leaderboard]) -> Iterator[str]:
    """Yield what the results show, in sentences."""
    blocks = [(block, _known(block)) for block in read_scores(tables.scores())]
    measures = max(len(known) for _, known in blocks)
    told = [sum(differs_from_chance(score) is True for score in known) for _, known in blocks]
    tied = [sum(score["value"] > known[0]["value"] - WITHIN for score in known) for _, known in blocks]
    yield (
        f"There are {len(blocks)} columns of scores: a test on one dataset and architecture, the test by outputs with "
        f"two differences of outputs. In {sum(not count for count in told)} of them no measure is better than chance, "
        f"in {sum(count >= measures / 2 for count in told)} at least half of the {measures} are."
    )
    nothing = Counter(_test(block) for (block, _), count in zip(blocks, told, strict=True) if not count)
    if nothing:
        where = listed([f"{count} of {test}" for test, count in nothing.items()])
        yield f"Columns without a measure better than chance: {where}."
    yield (
        f"In {sum(count > 1 for count in tied)} columns several measures share the highest score, in "
        f"{sum(count >= measures / 3 for count in tied)} at least a third of them: such a column is too easy to tell "
        "them apart."
    )
    able = [found for found in answers(boards) if found.best]
    often = Counter(name.label for found in able for name, _ in found.best)
    always = sorted(label for label, count in often.items() if count == len(able))
    counts = [len(found.best) for found in able]
    yield (
        f"Of the {measures} measures, {min(counts)} to {max(counts)} cannot be distinguished from the best in a domain "
        f"and kind of test. In all {len(able)}: {listed(always) or 'none'}."
    )


def _known(block: Block) -> list[dict[str, Any]]:
    """Return the scores of a block that have a value, the highest first."""
    headline = GROUNDINGS[block.about["test"]].headline
    found = [row["metrics"][headline] for row in block.rows if headline in row["metrics"]]
    return sorted((score for score in found if score["value"] is not None), key=lambda score: -score["value"])


def _test(block: Block) -> str:
    about = block.about
    return about["test"] if not about["functional"] else f"{about['test']} ({about['functional']})"


def made(tables: Shard) -> Table:
    """Return what each part consists of, how long it took, and by which versions."""
    comparisons, known = tables.comparisons(), models_of(tables.folder)
    rows = []
    for (domain, dataset), part in comparisons.group_by("domain", "dataset", maintain_order=True):
        runs = [about for _, about in runs_of(tables.folder) if about["dataset"] == dataset]
        trained = known.filter(domain=domain, dataset=dataset)
        seconds = part["seconds"].fill_null(0).sum() + part["prepare_seconds"].fill_null(0).sum()
        rows.append(
            [
                str(dataset),
                ", ".join(sorted(set(part["architecture"]))),
                str(len(runs)),
                str(trained.height),
                f"{trained['seconds'].sum() / 60:.0f}",
                f"{part.height:,}",
                f"{seconds / 60:.0f}",
                listed(sorted({f"resi {about['resi']}, torch {about['packages']['torch']}" for about in runs})),
            ]
        )
    heads = ["dataset", "architectures", "runs", "models", "training, minutes", "comparisons", "comparing, minutes"]
    return Table([*heads, "versions"], rows, 2)


def model_table(tables: Shard) -> Table:
    """Return the accuracies of all models by their setting: mean, with the lowest and highest."""
    groups = models.groups(models.read_models(None, tables))
    columns = models.columns(groups)
    rows = [
        [
            group.dataset,
            group.architecture,
            group.setting,
            str(len(group.models)),
            *(_spread(group.accuracies.get(name)) for name in columns),
        ]
        for group in groups
    ]
    names = {"train": "training data", "probe": "where compared"}
    return Table(["dataset", "architecture", "setting", "models", *(names.get(n, n) for n in columns)], rows, 3)


def _spread(accuracies: tuple[float, float, float] | None) -> str:
    if accuracies is None:
        return "-"
    low, mean, high = accuracies
    return f"{mean:.3f}" if high - low < 5e-4 else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def answer_table(boards: Sequence[Leaderboard]) -> Table:
    """Return which measures cannot be distinguished from the best, by domain and kind of test."""
    rows = []
    for found in answers(boards):
        best = ", ".join(name.label for name, _ in found.best)
        said = " ".join([found.sentence, *found.caveats])
        rows.append([found.domain, found.question, best, said, found.basis])
    return Table(["domain", "asked", "measures", "", "basis"], rows, 5)


def test_table(scores: pl.DataFrame) -> Table:
    """Return for each dataset and test, by architecture, how far scores are apart and what they can tell."""
    rows: dict[tuple[str, str], list[list[str]]] = {}
    for block in read_scores(scores):
        about, known = block.about, _known(block)
        values = [score["value"] for score in known]
        chances = {round(score["chance"], 3) for score in known}
        rows.setdefault((about["dataset"], _test(block)), []).append(
            [
                about["architecture"],
                f"{min(values):.2f} to {max(values):.2f}",
                f"{min(chances):.2f}" + (f" to {max(chances):.2f}" if len(chances) > 1 else ""),
                str(sum(differs_from_chance(score) is True for score in known)),
                str(sum(value > max(values) - WITHIN for value in values)),
                str(sum(row["best"] is True for row in block.rows)) if not block.why_unmarked else "0",
            ]
        )
    heads = [
        "dataset",
        "test",
        "architectures",
        "scores",
        "chance",
        "better than chance",
        "share the highest",
        "not distinguished from the best",
    ]
    joined = [[*names, *(_joined(column) for column in zip(*rows[names], strict=True))] for names in sorted(rows)]
    return Table(heads, joined, 3)


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 and len(texts) > 1 and not texts[0].isdigit() else ", ".join(texts)


def place_table(boards: Sequence[Leaderboard]) -> Table:
    """Return the mean place of each measure in each kind of test of each domain, in percent: 0 is the first place."""
    places: dict[str, dict[tuple[str, str], list[float]]] = {}
    for board in boards:
        for row in board.rows:
            if row.mean_share is not None:
                places.setdefault(row.label, {}).setdefault((board.domain, board.kind), []).append(row.mean_share)
    columns = sorted({column for found in places.values() for column in found}, key=_order)
    means = {label: {column: fmean(shares) for column, shares in found.items()} for label, found in places.items()}
    ordered = sorted(means, key=lambda label: fmean(means[label].values()))
    rows = [
        [
            label,
            named(label, "{}").family,
            *(f"{100 * means[label][column]:.0f}" if column in means[label] else "-" for column in columns),
            f"{100 * fmean(means[label].values()):.0f}",
        ]
        for label in ordered
    ]
    return Table(["measure", "family", *(f"{domain}: {kind}" for domain, kind in columns), "mean"], rows, 2)


def _order(column: tuple[str, str]) -> tuple[str, int]:
    return column[0], list(KINDS).index(column[1])


def failure_table(tables: Shard) -> Table | str:
    """Return how many comparisons have no value or a note, by dataset, measure and reason."""
    reason = pl.when(pl.col("status") != "ok").then("error").otherwise("note")
    # Numbers of rows and directions differ from pair to pair.
    rows = tables.comparisons().with_columns(why=reason.str.replace_all(r"\s+", " ").str.replace_all(r"\b\d+\b", "n"))
    found = rows.filter(pl.col("why") != "").group_by("dataset", "measure", "status", "why").len()
    lines = [[*map(str, row)] for row in found.sort("dataset", "measure", "status", "why").iter_rows()]
    if not lines:
        return "Every comparison has a value, and none has a note.\n"
    return Table(["dataset", "measure", "status", "reason or note", "comparisons"], lines, 4)


if __name__ == "__main__":
    main()
