"""Whether calibrated measures rank differently in the six tests: raw and calibrated scores on digits and on Cora.

    python benchmarks/calibration.py --cora FOLDER HOME               all; HOME is a data root, whose results are used
    python benchmarks/calibration.py --seeds 3 --groups 2 --samples 300 --cora FOLDER HOME      in a quarter of an hour
    python benchmarks/calibration.py --only digits_knn HOME           one of digits_knn, cora, digits

Writes the tables of docs/calibration.md to the standard output, as Markdown.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import torch
from scipy.stats import kendalltau

import resi
from resi import registry
from resi.groundings.ranks import with_ranks
from resi.report.leaderboard import headline_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

PERMUTATIONS = 200
TESTS = (
    "accuracy_correlation",
    "output_correlation",
    "label_randomization",
    "shortcut",
    "augmentation",
    "layer_monotonicity",
)
CORRELATIONS, GROUPED = TESTS[:2], TESTS[2:5]
MOST_MOVED = 3
DATASETS = {
    "digits_knn": ["domain=graph", "dataset=digits_knn", "model=gcn"],
    "cora": ["domain=graph", "dataset=cora", "model=gcn"],
    "digits": ["domain=vision", "dataset=digits", "model=tiny_resnet"],
}
SAME_PAIR = ["setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", "measure"]


class Column(NamedTuple):
    """The scores of one test on one dataset: against one functional, where it correlates with several.

    Attributes
    ----------
    scores : DataFrame
        A row a measure: ``score`` and ``rank`` of the measure itself, ``score_calibrated`` and ``rank_calibrated``,
        ``low`` and ``high`` of the former.
    pairs : DataFrame
        A row a measure: ``zeros``, the share of calibrated values that are 0, ``undefined``, the share that there is
        not, and ``order``, Kendall's tau-b of raw and calibrated similarities over all pairs of models or layers.
    """

    dataset: str
    name: str
    models: int
    scores: pl.DataFrame
    pairs: pl.DataFrame


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="data root")
    parser.add_argument("--cora", type=Path, help="folder of Cora's raw files")
    parser.add_argument("--seeds", type=int, default=5, help="models a group; twice as many where there are no groups")
    parser.add_argument("--groups", type=int, default=3, help="groups of models, where there are groups")
    parser.add_argument("--samples", type=int, help="compare on so many samples, drawn once; all by default")
    parser.add_argument("--only", choices=DATASETS, help="one of the datasets")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for dataset in [arguments.only] if arguments.only else DATASETS:
        if dataset == "cora" and arguments.cora is None:
            parser.error("--cora: the folder of Cora's raw files is needed, or --only for another dataset")
        words = [*DATASETS[dataset], f"root={arguments.home}"]
        words += [f"dataset.root={arguments.cora}"] if dataset == "cora" else []
        words += [f"compare.subsample={arguments.samples}"] if arguments.samples else []
        columns = [column for test in TESTS for column in run(dataset, test, words, arguments)]
        sys.stdout.write(summary(columns) + scores_by_measure(columns) + pairs_by_measure(columns))
        sys.stdout.flush()


def run(dataset: str, test: str, words: list[str], size: argparse.Namespace) -> Iterator[Column]:
    """Run a test, or find what it has stored, and yield its columns."""
    models = list(range(2 * size.seeds if test in CORRELATIONS else size.seeds))
    words = [*words, f"groups={size.groups}"] if test in GROUPED else words
    own = [f"test={test}", "measure=fast", f"null={PERMUTATIONS}", f"seeds={models}".replace(" ", "")]
    found = resi.run([*words, *own, "compare.threads=1"])
    sys.stderr.write(f"{dataset} {test}: {found.comparisons.height} comparisons\n")
    # A measure whose pairs chance explains entirely has all of them equal, and is ranked by the chance of that.
    scores = headline_scores(found.scores).with_columns(calibrated=is_calibrated("parameters"))
    ranked = with_ranks(scores, ["functional", "calibrated"])
    raw, calibrated = (ranked.filter(pl.col("calibrated") == value) for value in (False, True))
    both = raw.select("functional", "measure", "models", "low", "high", score="value", rank="rank").join(
        calibrated.select("functional", "measure", score_calibrated="value", rank_calibrated="rank"),
        on=["functional", "measure"],
        nulls_equal=True,
    )
    pairs = calibrated_pairs(found.comparisons)
    for functional in both["functional"].unique().sort():
        part = both.filter(pl.col("functional").eq_missing(functional)).sort("measure")
        yield Column(dataset, f"{test} {functional or ''}".strip(), part["models"].max(), part, pairs)


def is_calibrated(column: str) -> pl.Expr:
    """Return whether parameters are those of calibrated values."""
    return pl.col(column).str.contains('"null":', literal=True)


def calibrated_pairs(comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return what calibration does to the values of each measure."""
    raw, calibrated = (comparisons.filter(is_calibrated("parameters") == value) for value in (False, True))
    both = raw.join(calibrated, on=SAME_PAIR, suffix="_calibrated", nulls_equal=True)
    if both.height < calibrated.height:
        raise RuntimeError(f"{calibrated.height - both.height} calibrated values have no raw one")
    rows = []
    for (name,), part in both.group_by("measure"):
        known = part.drop_nulls(["value", "value_calibrated"])
        sign = 1 if registry.measures().get(str(name)).larger_is_more_similar else -1
        rows.append(
            {
                "measure": name,
                "zeros": (part["value_calibrated"] == 0).sum() / part.height,
                "undefined": part["value_calibrated"].null_count() / part.height,
                "order": kendalltau(sign * known["value"], known["value_calibrated"]).statistic,
            }
        )
    return pl.DataFrame(rows).sort("measure")


def summary(columns: list[Column]) -> str:
    """Return how far the two rankings of each test agree."""
    lines = []
    for column in columns:
        known = column.scores.join(column.pairs, on="measure").drop_nulls(["rank", "rank_calibrated"])
        left = known.filter(pl.col("zeros") < 1)
        moved = known.with_columns(by=pl.col("rank_calibrated") - pl.col("rank"))
        moved = moved.sort(pl.col("by").abs(), "measure", descending=[True, False]).head(MOST_MOVED)
        inside = known.filter(pl.col("score_calibrated").is_between("low", "high"))
        lines.append(
            [
                column.name,
                column.models,
                agreement(known),
                agreement(left) + ("" if left.height == known.height else f" ({left.height})"),
                f"{inside.height} of {known.drop_nulls('low').height}",
                f"{100 * column.pairs['zeros'].mean():.0f}",
                ", ".join(
                    f"{row['measure']} {row['rank']:.3g} → {row['rank_calibrated']:.3g}"
                    for row in moved.iter_rows(named=True)
                    if row["by"]
                ),
            ]
        )
    titles = ["test", "models", "tau", "tau of the others", "within the interval", "zeros, %", "moved most (rank)"]
    return f"### {columns[0].dataset}\n\n" + markdown(titles, lines)


def agreement(scores: pl.DataFrame) -> str:
    """Return Kendall's tau-b between ranks of measures and those of their calibrated values."""
    return f"{kendalltau(scores['rank'], scores['rank_calibrated']).statistic:.2f}"


def scores_by_measure(columns: list[Column]) -> str:
    """Return score and rank of each measure, raw and calibrated, in each test."""
    names = sorted({name for column in columns for name in column.scores["measure"]})
    lines: list[list[object]] = []
    for name in names:
        cells = []
        for column in columns:
            row = column.scores.row(by_predicate=pl.col("measure") == name, named=True)
            cells.append(f"{shown(row, '')} → {shown(row, '_calibrated')}")
        lines.append([name, *cells])
    return markdown(["score (rank)", *(column.name.replace("_", " ") for column in columns)], lines)


def shown(row: dict[str, object], which: str) -> str:
    """Return a score and its rank."""
    score, rank = row["score" + which], row["rank" + which]
    return "undefined" if score is None else f"{score:.2f} ({'-' if rank is None else f'{rank:.3g}'})"


def pairs_by_measure(columns: list[Column]) -> str:
    """Return how calibration changes the similarities of each measure, in each test."""
    tests = {column.name.split()[0]: column.pairs for column in columns}
    lines: list[list[object]] = []
    for name in columns[0].pairs["measure"]:
        cells = []
        for pairs in tests.values():
            row = pairs.row(by_predicate=pl.col("measure") == name, named=True)
            order = "-" if math.isnan(row["order"]) else f"{row['order']:.2f}"
            undefined = f", {100 * row['undefined']:.0f} % undefined" if row["undefined"] else ""
            cells.append(f"{order}; {100 * row['zeros']:.0f}{undefined}")
        lines.append([name, *cells])
    return markdown(["tau of pairs; zeros, %", *(name.replace("_", " ") for name in tests)], lines)


def markdown(titles: list[str], lines: list[list[object]]) -> str:
    """Return a table."""
    rows = [titles, ["---"] * len(titles), *lines]
    return "".join(f"| {' | '.join(str(cell) for cell in row)} |\n" for row in rows) + "\n"


if __name__ == "__main__":
    main()
