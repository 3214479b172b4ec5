"""Whether calibrated measures rank differently in the six tests: raw and calibrated scores on digits and on Cora.

    python benchmarks/calibration.py --cora FOLDER HOME               all; HOME is a data root, whose results are used
    python benchmarks/calibration.py --seeds 3 --groups 2 --samples 300 --cora FOLDER HOME   in 20 minutes of one core
    python benchmarks/calibration.py HOME --only digits_knn           some of digits_knn, cora, digits; --tests likewise

Writes the tables of docs/calibration.md to the standard output, as Markdown.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import torch
from scipy.stats import kendalltau

import resi
from resi import registry
from resi.choices import Status
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
KEY = ["functional", "measure"]
SAME_PAIR = ["setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", "measure"]


class Column(NamedTuple):
    """The scores of one test on one dataset: against one functional, where it correlates with several.

    Attributes
    ----------
    scores : DataFrame
        A row a measure: its score with ``rank``, and that of its calibrated values, ``value_calibrated`` and
        ``rank_calibrated``. Measures whose calibrated values are all 0 have no rank.
    pairs : DataFrame
        A row a measure: ``zeros``, the share of calibrated values that are 0, ``undefined``, the share that there is
        not, and ``order``, Kendall's tau-b of raw and calibrated similarities over all pairs of models or layers.
    """

    dataset: str
    test: str
    functional: str
    models: int
    scores: pl.DataFrame
    pairs: pl.DataFrame

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return f"{self.test} {self.functional}".strip().replace("_", " ")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="data root")
    parser.add_argument("--cora", type=Path, help="folder of Cora's raw files")
    parser.add_argument("--seeds", type=int, default=5, help="models a group; twice as many where there are no groups")
    parser.add_argument("--groups", type=int, default=3, help="groups of models, where there are groups")
    parser.add_argument("--samples", type=int, help="compare on so many samples, drawn once; all by default")
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=TESTS, help="some of the tests")
    parser.add_argument("--only", nargs="+", choices=DATASETS, default=list(DATASETS), help="some of the datasets")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Column] = []
    for dataset in arguments.only:
        if dataset == "cora" and arguments.cora is None:
            parser.error("--cora: the folder of Cora's raw files is needed, or --only for another dataset")
        words = [*DATASETS[dataset], f"root={arguments.home}"]
        words += [f"dataset.root={arguments.cora}"] if dataset == "cora" else []
        words += [f"compare.subsample={arguments.samples}"] if arguments.samples else []
        columns = [column for test in arguments.tests for column in run(dataset, test, words, arguments)]
        sys.stdout.write(f"### {' '.join(DATASETS[dataset])}\n\n{summary(columns)}{scores_by_measure(columns)}")
        sys.stdout.flush()
        found += columns
    sys.stdout.write(pairs_by_measure(found))


def run(dataset: str, test: str, words: list[str], size: argparse.Namespace) -> Iterator[Column]:
    """Run a test, or find what it has stored, and yield its columns."""
    models = list(range(2 * size.seeds if test in CORRELATIONS else size.seeds))
    words = [*words, f"groups={size.groups}"] if test in GROUPED else words
    own = [f"test={test}", "measure=fast", f"null={PERMUTATIONS}", f"seeds={models}".replace(" ", "")]
    found = resi.run([*words, *own, "compare.threads=1"])
    sys.stderr.write(f"{dataset} {test}: {found.comparisons.height} comparisons\n")
    pairs = calibrated_pairs(found.comparisons)
    scores = headline_scores(found.scores).with_columns(calibrated=is_calibrated("parameters"))
    # What does not depend on which samples belong together has nothing that could be ranked once it is calibrated.
    is_ranked = pl.col("measure").is_in(pairs.filter(pl.col("zeros") < 1)["measure"].implode())
    ranks = with_ranks(scores.filter(is_ranked), ["functional", "calibrated"])
    scores = scores.join(
        ranks.select(*KEY, "calibrated", "rank"), on=[*KEY, "calibrated"], how="left", nulls_equal=True
    )
    raw, calibrated = (scores.filter(pl.col("calibrated") == value).drop("calibrated") for value in (False, True))
    both = raw.join(calibrated.select(*KEY, "value", "rank"), on=KEY, suffix="_calibrated", nulls_equal=True)
    for functional in both["functional"].unique().sort():
        part = both.filter(pl.col("functional").eq_missing(functional)).sort("measure")
        yield Column(dataset, test, functional or "", part["models"].max(), part, pairs)


def is_calibrated(column: str) -> pl.Expr:
    """Return whether parameters are those of calibrated values."""
    return pl.col(column).str.contains('"null":', literal=True)


def calibrated_pairs(comparisons: pl.DataFrame) -> pl.DataFrame:
    """Return what calibration does to the values of each measure."""
    raw, calibrated = (comparisons.filter(is_calibrated("parameters") == value) for value in (False, True))
    failed = comparisons.filter(pl.col("status") == Status.failed)
    if failed.height:
        raise RuntimeError(f"{failed.height} comparisons failed, such as {failed['measure'][0]}: {failed['error'][0]}")
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
    lines: list[list[object]] = []
    for column in columns:
        known = column.scores.drop_nulls(["rank", "rank_calibrated"])
        moves = known.with_columns(by=(pl.col("rank_calibrated") - pl.col("rank")).abs()).filter(pl.col("by") > 0)
        moves = moves.sort("by", "measure", descending=[True, False]).head(MOST_MOVED)
        inside = known.filter(pl.col("value_calibrated").is_between("low", "high"))
        left = column.pairs.filter(pl.col("zeros") < 1)
        tau = kendalltau(known["rank"], known["rank_calibrated"]).statistic
        moved = (f"{row['measure']} {row['rank']:.3g} → {row['rank_calibrated']:.3g}" for row in moves.to_dicts())
        lines.append(
            [
                column.name,
                f"{column.models}; {column.scores['pairs'].max()}",
                known.height,
                "all equal" if math.isnan(tau) else f"{tau:.2f}",
                f"{inside.height} of {known.drop_nulls('low').height}",
                f"{100 * left['zeros'].mean():.0f}",
                ", ".join(moved),
            ]
        )
    titles = ["test", "models; pairs", "measures", "tau", "within interval", "zeros, %", "moved most, by rank"]
    return markdown(titles, lines)


def scores_by_measure(columns: list[Column]) -> str:
    """Return score and rank of each measure, raw and calibrated, in each test."""
    names = sorted({name for column in columns for name in column.scores["measure"]})
    lines: list[list[object]] = []
    for name in names:
        rows = [column.scores.row(by_predicate=pl.col("measure") == name, named=True) for column in columns]
        lines.append([name, *(f"{shown(row, '')} → {shown(row, '_calibrated')}" for row in rows)])
    return markdown(["score (rank)", *(column.name for column in columns)], lines)


def shown(row: dict[str, Any], which: str) -> str:
    """Return a score and its rank, where it has one."""
    score, rank = row["value" + which], row["rank" + which]
    return ("undefined" if score is None else f"{score:.2f}") + ("" if rank is None else f" ({rank:.3g})")


def pairs_by_measure(columns: list[Column]) -> str:
    """Return how calibration changes the similarities of each measure: the tests in which it does so most."""
    pairs = pl.concat(column.pairs.with_columns(dataset=pl.lit(column.dataset)) for column in columns)
    worst = pairs.group_by("dataset", "measure").agg(
        pl.col("order").fill_nan(None).min(), pl.col("zeros", "undefined").max()
    )
    datasets = list(dict.fromkeys(column.dataset for column in columns))
    lines: list[list[object]] = []
    for name in pairs["measure"].unique().sort():
        rows = [
            worst.row(by_predicate=(pl.col("dataset") == d) & (pl.col("measure") == name), named=True) for d in datasets
        ]
        lines.append([name, *(changes(row) for row in rows)])
    return markdown(["least tau of pairs; most zeros, %", *datasets], lines)


def changes(row: dict[str, Any]) -> str:
    """Return how a measure's similarities change."""
    order = "-" if row["order"] is None else f"{row['order']:.2f}"
    return f"{order}; {100 * row['zeros']:.0f}" + (
        f"; {100 * row['undefined']:.0f} undefined" if row["undefined"] else ""
    )


def markdown(titles: list[str], lines: list[list[object]]) -> str:
    """Return a table."""
    rows = [titles, ["---"] * len(titles), *lines]
    return "".join(f"| {' | '.join(str(cell) for cell in row)} |\n" for row in rows) + "\n"


if __name__ == "__main__":
    main()
