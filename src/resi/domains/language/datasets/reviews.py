"""Short film reviews written for resi, which come with it."""

from __future__ import annotations

from pathlib import Path

from resi.domains.language.datasets.base import TextDataset
from resi.domains.language.datasets.sst2 import SENTIMENT

REVIEWS = TextDataset(
    "reviews",
    "1500 short film reviews, 2 classes; 350 test sentences",
    "written for resi",
    embedded=True,
    columns=("sentence",),
    classes=("negative", "positive"),
    splits={"train": ("train",), "validation": ("validation",), "test": ("test",)},
    probe_split="test",
    probe_size=350,
    shortcut_rates={0: 0.5, 25: 0.625, 50: 0.75, 75: 0.875, 100: 1.0},
    prompt=SENTIMENT,
    folder=Path(__file__).parents[1] / "reviews",
    fine_tuning={"epochs": 10, "batch_size": 64, "max_length": 64},
    fine_tuning_by_kind={"shortcut": {"epochs": 3}},
    hyperparameters={"bert_tiny": {"learning_rate": 2e-3}},  # twice its own, as there are few rows
)
