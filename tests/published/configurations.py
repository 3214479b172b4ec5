"""The published configurations as documents, from the table of their facts in ``tests/data/published_configs``."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = ("path", "account", "models")
"""Columns that are not part of a configuration: where it lies, what becomes of it, and how many models it compares."""
OF_EXPERIMENT = ("type", "representation_dataset", "grouping_keys", "separation_keys", "use_acc_comparison")
OF_FILTER = ("domain", "architecture", "train_dataset", "identifier", "seed", "token_pos")


def read_rows(data: Path) -> list[dict[str, str]]:
    with (data / "published_configs" / "configurations.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def document(row: dict[str, str]) -> dict[str, Any]:
    """Return a row as the published format has it: each cell is the YAML of a value, an empty one no key."""
    values = {key: yaml.safe_load(cell) for key, cell in row.items() if cell and key not in ABOUT}
    if merge := values.pop("merge", None):
        return dict(merge)
    experiment = {key: values.pop(key) for key in OF_EXPERIMENT if key in values}
    experiment["filter_key_vals"] = {key: values.pop(key) for key in OF_FILTER if key in values}
    return {**values, "experiments": [experiment]}
