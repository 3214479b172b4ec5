"""A small SST-2 and small networks, so that whole trainings take about a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resi.domains.language import LanguageDomain
from resi.specs import DatasetSpec, ModelSpec

CPU = torch.device("cpu")
GOOD = [
    "lovely",
    "a warm and funny film",
    "superb acting , great fun",
    "i loved this wonderful tale",
    "charming",
    "great",
]
BAD = ["dull", "a cold and boring film", "awful acting , no fun", "i hated this dreadful tale", "tedious", "bad"]
QUICK = {"epochs": 1, "batch_size": 8}


def write_tsv(path: Path, rows: int) -> None:
    """Write sentences and labels without a line of names."""
    lines = [f"{(GOOD if row % 2 else BAD)[row // 2 % 6]} , part {row}\t{row % 2}" for row in range(rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def small_sst2(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Return an SST-2 of 40 training and 21 validation sentences."""
    folder = tmp_path_factory.mktemp("sst2")
    write_tsv(folder / "train.tsv", 40)
    write_tsv(folder / "dev.tsv", 21)
    return LanguageDomain().locate("sst2", folder, Path("unused"))


def spec_of(
    dataset: DatasetSpec, architecture: str, setting: str = "standard", seed: int = 0, **overrides: object
) -> ModelSpec:
    """Return a model that trains for one epoch unless told otherwise."""
    values = LanguageDomain().hyperparameters(architecture, dataset.name, setting, {**QUICK, **overrides})
    return ModelSpec("language", dataset.name, dataset.content, architecture, setting, seed, values, 1)
