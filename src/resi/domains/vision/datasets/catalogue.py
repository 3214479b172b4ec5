"""The built-in datasets of images: this is the only list of them."""

from __future__ import annotations

from resi.domains.vision.datasets.cifar100 import CIFAR100
from resi.domains.vision.datasets.digits import DIGITS
from resi.domains.vision.datasets.imagenet100 import IMAGENET100

DATASETS = (CIFAR100, DIGITS, IMAGENET100)
