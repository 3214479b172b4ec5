"""Time and size of a report of the benchmark's size: 24 measures, three domains, 50,000 scores, made-up values.

python benchmarks/report.py [ROOT]
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from resi import registry
from resi.cli.main import run_command
from resi.groundings import GROUNDINGS
from resi.results.manifests import MERGED
from resi.results.schema import COMPARISONS, SCORES
from resi.results.shards import Shard

ARCHITECTURES = {
    "graph": (["cora", "flickr", "ogbn_arxiv"], ["gcn", "graphsage", "gat", "pgnn"]),
    "language": (["mnli", "sst2"], ["bert", "albert", "smollm2"]),
    "vision": (
        ["imagenet100", "cifar100"],
        ["resnet18", "resnet34", "resnet101", "vgg11", "vgg19", "vit_b32", "vit_l32"],
    ),
}
SCORES_WANTED = 50_000
MODELS = 15


def scores(measures: list[str]) -> pl.DataFrame:
    """Return a table of scores of every test, architecture, dataset, measure, metric and protocol."""
    rng = np.random.default_rng(0)
    skill = dict(zip(measures, rng.normal(0, 0.08, len(measures)), strict=True))
    rows = []
    for domain, dataset, architecture in places():
        for test, protocol in itertools.product(GROUNDINGS.values(), ("corrected", "published")):
            for functional, measure, metric in itertools.product(test.functional or ("",), measures, test.metrics):
                rows.append(
                    _score(
                        rng, skill[measure], domain, dataset, architecture, test, protocol, functional, measure, metric
                    )
                )
    single = [row for row in rows if row["test"] == "layer_monotonicity"]
    seeds = itertools.count()
    while len(rows) < SCORES_WANTED:
        row = single[next(seeds) % len(single)]
        rows.append({**row, "seed": len(rows) % 5, "models": 1, "key": f"key-{len(rows)}"})
    return pl.DataFrame(rows, schema=SCORES)


def places() -> list[tuple[str, str, str]]:
    """Return each domain, dataset and architecture."""
    return [
        (domain, dataset, architecture)
        for domain, (datasets, architectures) in ARCHITECTURES.items()
        for dataset, architecture in itertools.product(datasets, architectures)
    ]


def _score(rng: np.random.Generator, skill: float, *names: Any) -> dict[str, Any]:
    domain, dataset, architecture, test, protocol, functional, measure, metric = names
    value = float(np.clip(0.6 + skill + rng.normal(0, 0.08), 0.05, 1.0))
    chance = 0.219 if metric == "auprc" else 0.0
    row = dict.fromkeys(SCORES, "")
    row |= {"test": test.name, "domain": domain, "dataset": dataset, "architecture": architecture, "measure": measure}
    row |= {"metric": metric, "functional": functional, "protocol": protocol, "parameters": "{}", "origin": "resi"}
    row |= {
        "value": value,
        "low": max(value - 0.12, 0.0),
        "high": min(value + 0.1, 1.0),
        "p_value": 0.001,
        "seed": None,
    }
    row |= {"chance": chance, "normalised": (value - chance) / (1 - chance), "groups": 3, "models": MODELS}
    row |= {"pairs": 105, "failed_pairs": 0, "pooling": "cls" if domain == "language" else "none"}
    row |= {
        "model_source": "trained",
        "compared": f"{domain} {dataset} {architecture} {test.name}",
        "resi_version": "0",
    }
    return row | {
        "influences": str([round(float(share), 5) for share in rng.normal(0, 0.01, MODELS)]),
        "key": f"{rng.integers(1 << 62):x}",
    }


def comparisons(measures: list[str]) -> pl.DataFrame:
    """Return the comparisons of three groups of five models for each measure, and those of eight layers."""
    rng = np.random.default_rng(0)
    parts = []
    for test in ("augmentation", "label_randomization", "shortcut"):
        models = [(f"{test}_{level}", seed, "last") for level in (0, 50, 100) for seed in range(5)]
        parts += list(itertools.combinations(models, 2))
    for seed in range(5):
        parts += list(itertools.combinations([("standard", seed, str(layer)) for layer in range(8)], 2))
    sides = pl.DataFrame(
        [(*a, *b) for a, b in parts],
        schema=["setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b"],
        orient="row",
    )
    about = pl.DataFrame(places(), schema=["domain", "dataset", "architecture"], orient="row")
    rows = sides.join(about, how="cross").join(pl.DataFrame({"measure": measures}), how="cross")
    texts = {"status": "ok", "origin": "resi", "model_source": "trained", "pooling": "none", "parameters": "{}"}
    number = pl.Series("value", rng.random(rows.height))
    rows = rows.with_columns(
        number, seconds=pl.lit(0.1), prepare_seconds=pl.lit(0.1), **{k: pl.lit(v) for k, v in texts.items()}
    )
    missing = [
        pl.lit("" if dtype == pl.String else None).cast(dtype).alias(name)
        for name, dtype in COMPARISONS.items()
        if name not in rows.columns
    ]
    return rows.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in COMPARISONS.items())


def main() -> None:
    """Write the tables to a data root and report on them."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="resi-report-"))
    measures = [name for name in registry.measures() if registry.measures().get(name).benchmark]
    rows = comparisons(measures)
    table = scores(measures)
    Shard(root / "results").finish(rows, table, {"kind": MERGED, "shards": {}})
    start = time.perf_counter()
    run_command(["report", str(root)])
    size = (root / "results" / "report.html").stat().st_size
    sys.stdout.write(
        f"{table.height} scores, {rows.height} comparisons: {time.perf_counter() - start:.1f} s, {size / 1e6:.1f} MB\n"
    )


if __name__ == "__main__":
    main()
