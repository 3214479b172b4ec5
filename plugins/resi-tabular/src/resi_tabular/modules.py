"""The networks themselves."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class Perceptron(nn.Module):
    """Hidden layers of one width, and a linear classifier."""

    def __init__(self, columns: int, classes: int, layers: int, width: int, dropout: float) -> None:
        super().__init__()
        widths = [columns, *[width] * layers]
        self.hidden = nn.ModuleList(
            nn.Sequential(
                OrderedDict(linear=nn.Linear(before, width), activation=nn.ReLU(), dropout=nn.Dropout(dropout))
            )
            for before in widths[:-1]
        )
        self.classifier = nn.Linear(width, classes)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits, shape (n_rows, classes), of rows of shape (n_rows, columns)."""
        for layer in self.hidden:
            rows = layer(rows)
        return self.classifier(rows)


class Block(nn.Module):
    """What it is given, and what it makes of that: a hidden layer of twice the width, normalised before."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.added = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return the sum, shape (n_rows, width)."""
        return rows + self.added(rows)


class ResidualPerceptron(nn.Module):
    """A linear map to the width, residual blocks, and a linear classifier."""

    def __init__(self, columns: int, classes: int, layers: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(columns, width)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(layers))
        self.classifier = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits, shape (n_rows, classes), of rows of shape (n_rows, columns)."""
        rows = self.first(rows)
        for block in self.blocks:
            rows = block(rows)
        return self.classifier(rows)
