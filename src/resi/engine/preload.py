"""Loaded once by the process from which those of ``compare.isolate`` are forked, so that each starts at once."""

from __future__ import annotations

import torch  # noqa: F401

from resi import registry
from resi.engine import process  # noqa: F401

registry.measures()
