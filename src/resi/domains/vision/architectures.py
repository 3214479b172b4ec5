"""Vision models: timm's classes, configured as the published benchmark's networks compute."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet, downsample_conv
from timm.models.vgg import VGG
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from resi.domains.vision.designs import DESIGNS, ResNetDesign, VGGDesign, ViTDesign

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from torch import Tensor

CORNER = 5


class CornerPool(nn.Module):
    """Mean of the top-left 5 x 5 cells of a map; all others never reach the classifier.

    The published ResNets for ImageNet100 pool their 8 x 8 map so. Only their checkpoints need it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled map, shape (n_samples, n_channels)."""
        return x[:, :, :CORNER, :CORNER].mean((2, 3))


def build_model(architecture: str, hyperparameters: Mapping[str, Any], classes: int) -> nn.Module:
    """Return an untrained model; its weights are drawn from torch's own generator.

    Convolutional networks begin with torch's default weights, and every residual block as the identity.
    """
    design = DESIGNS[architecture]
    if isinstance(design, ResNetDesign):
        early = hyperparameters["early_downsampling"]
        model = _build_resnet(design, classes, early, hyperparameters["head_pooling"])
    elif isinstance(design, VGGDesign):
        model = _build_vgg(design, classes)
    else:
        return _build_vit(design, classes, hyperparameters["image_size"])
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if hasattr(module, "zero_init_last"):
            module.zero_init_last()
    return model


def _build_resnet(design: ResNetDesign, classes: int, early_downsampling: bool, head_pooling: str) -> ResNet:
    block = Bottleneck if design.bottleneck else BasicBlock
    model = ResNet(block, design.blocks, num_classes=classes, channels=design.channels)
    stride, padding = (2, 3) if early_downsampling else (1, 1)
    model.conv1 = nn.Conv2d(3, design.stem, 3, stride=stride, padding=padding, bias=False)
    model.bn1 = nn.BatchNorm2d(design.stem)
    model.maxpool = nn.Identity()
    # timm's first stage takes 64 channels and keeps the size of the map.
    width = design.channels[0] * block.expansion
    is_same = stride == 1 and design.stem == width
    projection = None if is_same else downsample_conv(design.stem, width, kernel_size=1, stride=stride)
    model.layer1[0] = block(design.stem, design.channels[0], stride=stride, downsample=projection)
    if head_pooling == "corner":
        model.global_pool = CornerPool()
    return model


def _build_vgg(design: VGGDesign, classes: int) -> VGG:
    config = [entry for stage in design.stages for entry in (*stage, "M")]
    with torch.device("meta"):  # timm's two wide layers, which go, are 100 million weights
        model = VGG(config, num_classes=classes, norm_layer=nn.BatchNorm2d)
        model.pre_logits = nn.Identity()
        model.head.fc = nn.Linear(model.num_features, classes)
    return model.to_empty(device="cpu")


def _build_vit(design: ViTDesign, classes: int, image_size: int) -> VisionTransformer:
    model = VisionTransformer(
        img_size=image_size,
        patch_size=design.patch,
        num_classes=classes,
        embed_dim=design.width,
        depth=design.depth,
        num_heads=design.heads,
        norm_layer=functools.partial(nn.LayerNorm, eps=1e-12),
        weight_init="jax",  # scaled by the width, unlike timm's own, under which narrow ones hardly learn
    )
    model.head.reset_parameters()  # a fresh linear layer, as on pre-trained weights
    return model
