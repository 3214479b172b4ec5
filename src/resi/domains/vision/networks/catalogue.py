"""The built-in families of networks for images: this is the only list of them."""

from __future__ import annotations

from resi.domains.vision.networks.resnet import ResNet
from resi.domains.vision.networks.vgg import VGG
from resi.domains.vision.networks.vit import VisionTransformer

NETWORKS = (ResNet(), VGG(), VisionTransformer())
