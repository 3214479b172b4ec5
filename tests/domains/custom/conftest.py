"""Own models with planted structure: two groups of different sizes, four layers each, and their files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SAMPLES, FEATURES, CLASSES = 40, 6, 3
SIZES = {"plain": 4, "altered": 5}
LAYERS = ("embed", "block1", "block2", "block3")


@dataclass
class Planted:
    """Arrays by (setting, seed), and the table that lists their files."""

    layers: dict[tuple[str, int], dict[str, np.ndarray]]
    logits: dict[tuple[str, int], np.ndarray]
    accuracy: dict[tuple[str, int], float]
    manifest: Path
    records: list[dict[str, Any]]


def write_csv(path: Path, records: list[dict[str, Any]]) -> Path:
    names = list(dict.fromkeys(name for record in records for name in record))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(records)
    return path


@pytest.fixture(scope="package")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Return nine models; tests change no file of them."""
    folder = tmp_path_factory.mktemp("planted")
    rng = np.random.default_rng(7)
    layers, logits, accuracy, records = {}, {}, {}, []
    common = rng.normal(size=(SAMPLES, FEATURES))
    for setting, size in SIZES.items():
        own = rng.normal(size=(SAMPLES, FEATURES))
        for seed in range(size):
            x = common + 0.8 * own
            found = {}
            for layer in LAYERS:
                x = x + 0.5 * rng.normal(size=x.shape)
                found[layer] = x + 1e4  # of which float32 would keep few digits
            model = setting, seed
            layers[model], logits[model] = found, x[:, :CLASSES] + rng.normal(size=(SAMPLES, CLASSES))
            accuracy[model] = round(float(rng.uniform(0.5, 0.9)), 3)
            np.save(folder / f"{setting}-{seed}-logits.npy", logits[model])
            for layer, array in found.items():
                name = f"{setting}-{seed}-{layer}.npy"
                np.save(folder / name, array)
                records.append(
                    {
                        "file": name,
                        "setting": setting,
                        "seed": seed,
                        "layer": layer,
                        "accuracy": accuracy[model],
                        "logits": f"{setting}-{seed}-logits.npy",
                    }
                )
    return Planted(layers, logits, accuracy, write_csv(folder / "mine.csv", records), records)


@pytest.fixture
def small(tmp_path: Path, planted: Planted) -> list[dict[str, Any]]:
    """Return records of the last layers of two models a group, their files copied beside ``tmp_path / "mine.csv"``."""
    import shutil

    kept = [record for record in planted.records if record["layer"] == LAYERS[-1] and record["seed"] < 2]
    for record in kept:
        for column in ("file", "logits"):
            shutil.copy(planted.manifest.parent / record[column], tmp_path / record[column])
    return kept
