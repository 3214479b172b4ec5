"""The names in the published benchmark's results files, and what they are called here.

One side of a published comparison is a string: of a layer,
``{setting}__{architecture}__{training set}__{seed}__{probe}__{layer}``; of a model's output or accuracy,
``{domain}_{architecture}_{training set}_{setting}_{seed}__{probe}__output``, for language models with an addition after
the seed. The level of a setting stands in the setting on graphs and in language, but in the training set in vision.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from resi.domains.language.settings import SHORTCUT_RATES

GRAPH, LANGUAGE, VISION = "graph", "language", "vision"
STANDARD = "standard"

# Published architecture -> domain and name.
ARCHITECTURES = {
    "GAT": (GRAPH, "gat"),
    "GCN": (GRAPH, "gcn"),
    "GraphSAGE": (GRAPH, "graphsage"),
    "PGNN": (GRAPH, "pgnn"),
    "BERT-L": (LANGUAGE, "bert"),  # in truth BERT base
    "albert-base-v2": (LANGUAGE, "albert"),
    "smollm2-1.7b": (LANGUAGE, "smollm2"),
    "ResNet18": (VISION, "resnet18"),
    "ResNet34": (VISION, "resnet34"),
    "ResNet101": (VISION, "resnet101"),
    "VGG11": (VISION, "vgg11"),
    "VGG19": (VISION, "vgg19"),
    "ViT_B32": (VISION, "vit_b32"),
    "ViT_L32": (VISION, "vit_l32"),
}
# Architectures whose tokens are pooled, by the class token or the mean: the files do not say which.
POOLED = ("albert", "bert")
LAST_TOKEN = ("smollm2",)

GRAPH_DATASETS = {"cora": "cora", "flickr": "flickr", "ogbn-arxiv": "ogbn_arxiv"}
LANGUAGE_DATASETS = {"mnli": "mnli", "sst2": "sst2"}
VISION_DATASETS = {"ImageNet100": "imagenet100", "IN100": "imagenet100", "CIFAR100": "cifar100", "C100": "cifar100",
                   "CIFAR10": "cifar10"}  # fmt: skip
# One and the same data under other names.
SAME_PROBES = {
    "mnli_aug_rate0": "mnli",
    "mnli_mem_rate0": "mnli",
    "mnli_sft_mem_rate0": "mnli_sft",
    "sst2_aug_rate0": "sst2",
    "sst2_mem_rate0": "sst2",
    "sst2_sft_mem_rate0": "sst2_sft",
}
FUNCTIONAL = {"AbsoluteAccDiff": "accuracy_difference", "Disagreement": "disagreement", "JSD": "jsd"}

# Strength of the noise in vision -> level, from none to the strongest.
NOISE = {"Off": "0", "S": "25", "M": "50", "L": "75", "Max": "100"}
TESTS = {"Augmentation": "augmentation", "RandomLabels": "label_randomization", "Shortcut": "shortcut"}
UNALTERED = ("Normal", "Augmentation_0", "RandomLabels_0")

_VISION_SETTING = re.compile(
    r"(?:(?:ColorDot_(?P<dots>\d+)|Gauss_(?P<noise>[A-Za-z]+)|RandomLabel_(?P<labels>\d+))_)?"
    r"(?P<dataset>[A-Za-z0-9]+?)_?(?:DataModule)?"
)
_OUTPUT = re.compile(
    r"(?:GRAPHS|NLP|VISION)_(?P<architecture>" + "|".join(map(re.escape, ARCHITECTURES)) + r")"
    r"_(?P<trained_on>.+?)"
    r"_(?P<setting>Normal|MultiLayer|GaussNoise|Randomlabel|Shortcut|(?:Augmentation|RandomLabels|Shortcut)_\d+)"
    r"_(?P<seed>\d+)(?:_(?:None|\{.*\}))?"
)


class Side(NamedTuple):
    """One side of a published comparison; ``layer`` is empty for a model's output and accuracy."""

    domain: str
    dataset: str
    architecture: str
    setting: str
    seed: int
    layer: str
    probe: str


def parse_side(text: str) -> Side:
    """Return what one side of a published comparison is.

    Raises
    ------
    ValueError
        If a name in it is not known.
    """
    parts = text.split("__")
    if len(parts) == 6:
        setting, architecture, trained_on, seed, probe, layer = parts
        if not (seed.isdecimal() and layer.isdecimal()):
            raise ValueError(f"{text}: seed and layer are to be numbers")
    elif len(parts) == 3 and parts[2] in ("output", "accuracy") and (found := _OUTPUT.fullmatch(parts[0])):
        architecture, trained_on, setting, seed = found.groups()
        probe, layer = parts[1], ""
    else:
        raise ValueError(f"{text} is no layer, output or accuracy of a model")
    if architecture not in ARCHITECTURES:
        raise ValueError(f"{text}: unknown architecture {architecture!r}")
    domain, name = ARCHITECTURES[architecture]
    dataset, own_setting = _names(domain, trained_on, setting)
    return Side(domain, dataset, name, own_setting, int(seed), layer, SAME_PROBES.get(probe, probe))


def _names(domain: str, trained_on: str, setting: str) -> tuple[str, str]:
    """Return our names of dataset and setting."""
    if domain == VISION:
        return _vision_names(trained_on, setting)
    if domain == GRAPH:
        dataset = GRAPH_DATASETS.get(trained_on)
    else:
        dataset = LANGUAGE_DATASETS.get(trained_on.partition("_")[0])
    if dataset is None:
        raise ValueError(f"unknown training set {trained_on!r}")
    if setting in UNALTERED:
        return dataset, STANDARD
    if setting == "MultiLayer":
        return dataset, "six_layers"
    kind, _, level = setting.partition("_")
    if kind not in TESTS or not level.isdecimal():
        raise ValueError(f"unknown setting {setting!r}")
    if domain == LANGUAGE and kind == "Shortcut":
        # A share without its decimal point: 0558 is 0.558, 10 and 1 are 1.
        share = float(f"{level[0]}.{level[1:]}")
        levels = [str(level) for level, rate in SHORTCUT_RATES[dataset].items() if rate == share]
        if not levels:
            raise ValueError(f"unknown share of hints {share} of {setting!r}")
        level = levels[0]
    return dataset, f"{TESTS[kind]}_{level}"


def _vision_names(trained_on: str, setting: str) -> tuple[str, str]:
    found = _VISION_SETTING.fullmatch(trained_on)
    if found is None or found["dataset"] not in VISION_DATASETS:
        raise ValueError(f"unknown training set {trained_on!r}")
    levels = {
        "Normal": STANDARD,
        "Shortcut": found["dots"] and f"shortcut_{found['dots']}",
        "GaussNoise": found["noise"] in NOISE and f"augmentation_{NOISE[found['noise']]}",
        "Randomlabel": found["labels"] and f"label_randomization_{found['labels']}",
    }
    name = levels.get(setting)
    if not name:
        raise ValueError(f"setting {setting!r} does not go with training set {trained_on!r}")
    return VISION_DATASETS[found["dataset"]], name
