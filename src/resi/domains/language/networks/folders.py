"""The archive of published encoders, and the names of their folders.

A rate in a name is a decimal number without its point: 0558 is 0.558, 10 is 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.language.settings import kind_of
from resi.domains.releases import DESCRIBED, Holding, Release

if TYPE_CHECKING:
    from resi.domains.language.datasets.base import TextDataset

TEXTS = ("sst2", "mnli")
RESULTS = (Holding(("bert",), TEXTS), Holding(("albert", "smollm2"), TEXTS, DESCRIBED))
"""What the published results are about."""
ENCODERS = (
    Release(
        "11565486",
        r"nlp_data\.zip",
        "models",
        "nlp",
        holdings=(Holding(("bert",), TEXTS), Holding(("albert",), TEXTS, DESCRIBED)),
    ),
)
"""The archive of all of them: a public listing of it has the folders of BERT and none of ALBERT."""


def encode_rate(rate: float) -> str:
    """Return a rate as the published names have it."""
    return str(float(rate)).replace(".", "")


def encoder_folder(dataset: TextDataset, setting: str, pretraining: int, seed: int) -> str:
    """Return the name of a published encoder's folder.

    Parameters
    ----------
    pretraining : int
        Seed of the pre-training.
    seed : int
        Seed of the fine-tuning.
    """
    kind, code = kind_of(setting), encode_rate(dataset.rate(setting))
    name = f"{dataset.published_folder}_pre{pretraining}_ft{seed}"
    return {
        "standard": f"standard/{name}",
        "shortcut": f"shortcut/{name}_scrate{code}",
        "label_randomization": f"memorizing/{name}_labels5_strength{code}",
        "augmentation": f"augmentation/{name}_eda_strength{code}",
    }[kind]
