"""The built-in datasets; a new one is a file beside this one and a line here."""

from __future__ import annotations

from resi.domains.language.datasets.mnli import MNLI
from resi.domains.language.datasets.reviews import REVIEWS
from resi.domains.language.datasets.sst2 import SST2

DATASETS = (MNLI, REVIEWS, SST2)
