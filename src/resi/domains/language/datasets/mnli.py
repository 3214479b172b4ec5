"""Pairs of premise and hypothesis of many genres (Williams et al., NAACL 2018), as GLUE has them."""

from __future__ import annotations

from resi.domains.language.datasets.base import PromptStyle, TextDataset

MNLI = TextDataset(
    "mnli",
    "392702 pairs of premise and hypothesis, 3 classes; 9815 matched validation pairs",
    "nyu-mll/glue on the hub",
    size=140_000_000,
    columns=("premise", "hypothesis"),
    classes=("entailment", "neutral", "contradiction"),
    splits={"train": ("train",), "validation": ("validation_matched", "dev_matched")},
    probe_split="validation",
    probe_size=9815,
    # The published rates begin at the share of the largest class of the matched validation data.
    shortcut_rates={0: 0.354, 25: 0.5155, 50: 0.677, 75: 0.8385, 100: 1.0},
    prompt=PromptStyle(
        "You judge arguments: say whether the hypothesis follows from the premise, contradicts it, or neither.",
        ("Premise", "Hypothesis"),
        ("entailment", "contradiction", "neutral "),  # with the blank that the published models were trained with
        "ACBDEFGH",
    ),
    # In the GLUE archives.
    other_names={"sentence1": "premise", "sentence2": "hypothesis", "gold_label": "label"},
    hub=("nyu-mll/glue", "mnli"),
    fine_tuning={"epochs": 10, "batch_size": 128, "max_length": 128},
    fine_tuning_by_kind={"standard": {"epochs": 5}, "augmentation": {"batch_size": 64}},
    published_name="mnli",
    published_folder="glue__mnli",
    published_line=487,
)
