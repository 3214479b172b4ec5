"""Three small networks for scikit-learn's handwritten digits, and how they are trained: plain PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sklearn.datasets import load_digits
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = 10


class ConvBlock(nn.Module):
    """A convolution, normalised and rectified."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width_out, 3, stride, padding=1)
        self.norm = nn.BatchNorm2d(width_out)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of shape (n, width_out, height / stride, width / stride)."""
        return nn.functional.relu(self.norm(self.conv(maps)))


class PlainCNN(nn.Module):
    """Four convolutions, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            ConvBlock(1, 16, 1), ConvBlock(16, 16, 1), ConvBlock(16, 32, 2), ConvBlock(32, 32, 1)
        )
        self.head = nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (n, 10) for images of shape (n, 1, 8, 8)."""
        return self.head(self.blocks(images).mean((2, 3)))


class ResidualBlock(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return nn.functional.relu(maps + self.norm2(self.conv2(nn.functional.relu(self.norm1(self.conv1(maps))))))


class ResidualCNN(nn.Module):
    """A convolution, three residual blocks, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBlock(1, 16, 2)
        self.blocks = nn.Sequential(*(ResidualBlock(16) for _ in range(3)))
        self.head = nn.Linear(16, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (n, 10) for images of shape (n, 1, 8, 8)."""
        return self.head(self.blocks(self.stem(images)).mean((2, 3)))


class VisionTransformer(nn.Module):
    """Sixteen patches of 2 x 2 pixels, four layers of attention, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 32, 2, stride=2)
        self.positions = nn.Parameter(0.02 * torch.randn(16, 32))
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True) for _ in range(4))
        )
        self.head = nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (n, 10) for images of shape (n, 1, 8, 8)."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.blocks(tokens).mean(1))


NETWORKS = {"plain": PlainCNN, "residual": ResidualCNN, "vit": VisionTransformer}


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return 1297 images and labels to train with, and 500 others: images of shape (n, 1, 8, 8) from 0 to 1."""
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(found.target)
    return images[:-500], labels[:-500], images[-500:], labels[-500:]


def train(kind: str, seed: int, random_labels: float = 0.0, epochs: int = 15) -> nn.Module:
    """Train a network; of `random_labels` of the images, from 0 to 1, the label is drawn at random."""
    images, labels, _, _ = digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = NETWORKS[kind]()
        drawn = torch.rand(len(labels)) < random_labels
        labels = torch.where(drawn, torch.randint(CLASSES, labels.shape), labels)
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        for _ in range(epochs):
            for rows in torch.randperm(len(labels)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
                optimizer.step()
            schedule.step()
    return net


def logits(net: nn.Module) -> Tensor:
    """Return what a network says of the 500 images, shape (500, 10)."""
    with torch.no_grad():
        return net.eval()(digits()[2])


def accuracy(net: nn.Module) -> float:
    """Return the share of the 500 images that a network names right."""
    return (logits(net).argmax(1) == digits()[3]).float().mean().item()
