"""The Stanford Sentiment Treebank with two classes (Socher et al., EMNLP 2013), as GLUE has it."""

from __future__ import annotations

from resi.domains.language.datasets.base import PromptStyle, TextDataset

SENTIMENT = PromptStyle(
    "You judge film reviews: say whether the sentiment of the sentence is positive or negative.",
    ("Sentence",),
    ("positive", "negative"),
    "BACDEFG",
)

SST2 = TextDataset(
    "sst2",
    "67349 phrases of film reviews, 2 classes; 872 validation sentences",
    "stanfordnlp/sst2 on the hub",
    size=5_000_000,
    columns=("sentence",),
    classes=("negative", "positive"),
    splits={"train": ("train",), "validation": ("validation", "dev")},
    probe_split="validation",
    probe_size=872,
    # The published rates begin at the share of the largest class of the training data.
    shortcut_rates={0: 0.558, 25: 0.668, 50: 0.779, 75: 0.889, 100: 1.0},
    prompt=SENTIMENT,
    hub=("stanfordnlp/sst2",),
    fine_tuning={"epochs": 10, "batch_size": 64, "max_length": 64},
    fine_tuning_by_kind={"shortcut": {"epochs": 3}},
    published_name="sst2",
    published_folder="sst2",
    published_line=53,
)
