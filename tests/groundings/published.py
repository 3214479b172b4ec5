"""The published comparisons and scores on Cora, read into tables of our columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from resi import registry

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONAL = {"JSD": "jsd", "Disagreement": "disagreement", "AbsoluteAccDiff": "accuracy_difference"}
SETTINGS = {"Normal": "standard", "MultiLayer": "six_layers"}
METRICS = {
    "AUPRC": "auprc",
    "correlation": "spearman",
    "pearsonr": "pearson",
    "spearmanr": "spearman",
    "kendalltau": "kendall",
}


def measure_names() -> dict[str, str]:
    measures = [registry.measures().get(name) for name in registry.measures()]
    return {measure.published_name: measure.name for measure in measures} | FUNCTIONAL


def comparisons(folder: Path, name: str) -> pl.DataFrame:
    names = measure_names()
    rows = []
    source = pl.read_parquet(folder / f"results_{name}.parquet")
    for identity, metric, value in source.select("id", "metric", "metric_value").iter_rows():
        first, second, _ = identity.split("___")
        (setting_a, architecture, seed_a, layer_a), (setting_b, _, seed_b, layer_b) = _side(first), _side(second)
        rows.append(
            {
                "domain": "graph",
                "dataset": "cora",
                "architecture": architecture,
                "setting_a": setting_a,
                "seed_a": seed_a,
                "layer_a": layer_a,
                "setting_b": setting_b,
                "seed_b": seed_b,
                "layer_b": layer_b,
                "measure": names[metric],
                "parameters": "{}",
                "value": value,
                "key": identity,
            }
        )
    return pl.DataFrame(rows)


def _side(identity: str) -> tuple[str, str, int, str]:
    parts = identity.split("__")
    if len(parts) == 3:  # outputs: domain_architecture_dataset_setting_seed, probe set, kind
        _, architecture, _, setting, seed = parts[0].split("_")
        layer = ""
    else:
        setting, architecture, _, seed, _, layer = parts
    return SETTINGS.get(setting, setting.lower()), architecture.lower(), int(seed), layer


def scores(folder: Path, name: str) -> pl.DataFrame:
    """Return published scores with the columns architecture, measure, functional, metric, seed, value and pval."""
    frame = pl.read_csv(folder / f"scores_{name}.csv")
    columns = {
        "architecture": pl.col("architecture").str.to_lowercase(),
        "measure": pl.col("similarity_measure").replace_strict(measure_names()),
        "metric": pl.col("quality_measure").replace(METRICS),
    }
    if "corr" in frame.columns:
        columns["functional"] = pl.col("functional_similarity_measure").replace_strict(FUNCTIONAL)
        columns["value"] = pl.col("corr")
    if "model" in frame.columns:
        columns["seed"] = pl.col("model").str.extract(r"_(\d+)$").cast(pl.Int64)
    return frame.with_columns(**columns)
