"""Print the tables of docs/graph.md from the shards of a data root, as Markdown.

    python scripts/graph_tables.py ROOT --dataset cora

Scores of the corrected protocol stand beside those of the published one, in brackets, where the root has both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import polars as pl

from resi.groundings import GROUNDINGS
from resi.registry import measures
from resi.results.shards import Shard, find_shards
from resi.store.tensors import read_metadata

# The outputs whose distance a correlation test ranks by here.
FUNCTIONALS = {"output_correlation": "jsd", "accuracy_correlation": "accuracy_difference"}


def main() -> None:
    """Print one table of accuracies, and one of scores for each architecture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="data root")
    parser.add_argument("--dataset", default="cora")
    arguments = parser.parse_args()
    sys.stdout.write(accuracy_table(arguments.root, arguments.dataset))
    scores = read_scores(arguments.root, arguments.dataset)
    for architecture in sorted(scores["architecture"].unique()):
        sys.stdout.write(f"\n### {architecture}\n\n{score_table(scores.filter(architecture=architecture))}")


def accuracy_table(root: Path, dataset: str) -> str:
    """Return mean test accuracies of trained models with their standard errors."""
    rows = []
    for path in sorted((root / "models" / "graph" / dataset).rglob("*.safetensors")):
        about = read_metadata(path)
        if not about["spec"]["checkpoint"]:
            rows.append((about["spec"]["architecture"], about["spec"]["setting"], about["accuracies"]["test"]))
    table = pl.DataFrame(rows, schema=["architecture", "setting", "accuracy"], orient="row")
    value = pl.col("accuracy")
    grouped = table.group_by("architecture", "setting").agg(
        pl.len(), value.mean(), error=value.std() / value.len().sqrt()
    )
    lines = ["| architecture | setting | models | test accuracy |", "|---|---|---|---|"]
    for row in grouped.sort("architecture", "setting").iter_rows(named=True):
        accuracy = f"{row['accuracy']:.3f} ± {row['error'] or 0:.3f}"
        lines.append(f"| {row['architecture']} | {row['setting']} | {row['len']} | {accuracy} |")
    return "\n".join(lines) + "\n"


def read_scores(root: Path, dataset: str) -> pl.DataFrame:
    """Return the scores of all finished shards that rank measures, those of the newest shard last."""
    shards = sorted((shard for shard in find_shards(root) if shard.is_complete), key=Shard.changed)
    tables = [shard.scores() for shard in shards]
    scores = pl.concat(tables).filter(domain="graph", dataset=dataset).filter(pl.col("seed").is_null())
    chosen = [
        scores.filter(test=name, metric=test.headline, functional=FUNCTIONALS.get(name, ""))
        for name, test in GROUNDINGS.items()
    ]
    return pl.concat(chosen)


def score_table(scores: pl.DataFrame) -> str:
    """Return a table with one row a measure and one column a test."""
    tests = [name for name in GROUNDINGS if name in scores["test"]]
    known = {(row["test"], row["measure"], row["protocol"]): row["value"] for row in scores.iter_rows(named=True)}
    heads = [f"{name} ({GROUNDINGS[name].headline})" for name in tests]
    lines = [f"| measure | {' | '.join(heads)} |", "|---|" + "---|" * len(tests)]
    for measure in (name for name in measures() if name in scores["measure"]):
        cells = []
        for test in tests:
            published = known.get((test, measure, "published"))
            beside = "" if published is None else f" ({published:.3f})"
            value = known.get((test, measure, "corrected"))
            cells.append(("" if value is None else f"{value:.3f}") + beside)
        lines.append(f"| {measure} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
