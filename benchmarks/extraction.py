"""One pass of extraction into a folder, or the same forward passes alone; one JSON line of its cost.

python benchmarks/extraction.py bare     forward passes in a loop
python benchmarks/extraction.py folder   resi.extract(..., out=FOLDER)
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import resi

N_LAYERS, WIDTH = 12, 768
BATCH = 256


class Block(nn.Module):
    """What a transformer computes for each token apart from attention."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.wide, self.narrow = (
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, 4 * WIDTH),
            nn.Linear(4 * WIDTH, WIDTH),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input plus what two layers make of it."""
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))


def main() -> None:
    """Run one pass, and print its processor and wall seconds, and the peak memory of the process in GB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=["bare", "folder"])
    parser.add_argument("--network", choices=["mlp", "bert"], default="mlp")
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--tokens", type=int, default=16, help="of a sample of bert")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    module, data, layers = network(arguments.network, arguments.samples, arguments.tokens)
    call(module, first(data, BATCH))
    started, before = time.perf_counter(), processor_seconds()
    if arguments.way == "bare":
        bare(module, data, arguments.samples)
    else:
        with tempfile.TemporaryDirectory() as folder:
            resi.extract(module, data, layers, "mean", BATCH, "cpu", Path(folder) / "out")
    cost = {
        "processor": processor_seconds() - before,
        "wall": time.perf_counter() - started,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(cost))  # noqa: T201


def network(kind: str, n_samples: int, n_tokens: int) -> tuple[nn.Module, Any, str]:
    """Return a network with random weights, its inputs, and the pattern of its layers."""
    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(*(Block() for _ in range(N_LAYERS))).eval(), torch.randn(n_samples, WIDTH), "*[0-9]"
    from transformers import BertConfig, BertModel

    module = BertModel(BertConfig(vocab_size=1000, attn_implementation="sdpa"), add_pooling_layer=False).eval()
    ids = torch.randint(1000, (n_samples, n_tokens))
    return module, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, "encoder.layer.*[0-9]"


def first(data: Any, stop: int, start: int = 0) -> Any:
    """Return some of the samples."""
    return {key: rows[start:stop] for key, rows in data.items()} if isinstance(data, dict) else data[start:stop]


def bare(module: nn.Module, data: Any, n_samples: int) -> None:
    """Run the forward passes, and keep nothing."""
    for start in range(0, n_samples, BATCH):
        call(module, first(data, start + BATCH, start))


@torch.no_grad()
def call(module: nn.Module, batch: Any) -> None:
    """Run one forward pass."""
    module(**batch) if isinstance(batch, dict) else module(batch)


def processor_seconds() -> float:
    """Return the seconds that all threads of this process have computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
