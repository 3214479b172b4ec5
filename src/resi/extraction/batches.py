"""Data of any kind as batches: the one place that knows all kinds."""

from __future__ import annotations

from resi.extraction.inputs.base import Batch, Batches

__all__ = ["Batch", "Batches"]
