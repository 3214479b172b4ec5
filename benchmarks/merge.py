"""Time and peak memory of merging many shards.

    python benchmarks/merge.py --shards 2000 --rows 5000     ten million comparisons
    python benchmarks/merge.py --shards 10000 --rows 100     many small shards

Shards are generated in a temporary folder; one row in ten stands in two of them. The peak is that of a process of its
own that does nothing but merge.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from resi import registry
from resi.results.schema import COMPARISONS, SCORES
from resi.results.shards import Shard

SETTINGS = [f"augmentation_{level}" for level in range(0, 100, 5)]
MERGE = """
import resource, sys
from resi.cli.merge import main
code = main([sys.argv[1]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def make_shard(root: Path, number: int, rows: int) -> None:
    """Write a shard of ``rows`` comparisons; the first tenth are also those of the next shard's end."""
    rng = np.random.default_rng(number)
    index = np.arange(number * rows, (number + 1) * rows)
    index[: rows // 10] -= rows // 10  # the end of the shard before
    index = np.maximum(index, 0)
    measures = [*registry.measures()]
    versions = [registry.measures().get(name).version for name in measures]
    models = index // len(measures)
    frame = pl.DataFrame(
        {
            "domain": "graph",
            "dataset": "cora",
            "architecture": "gcn",
            "setting_a": pl.Series(SETTINGS).gather(models % len(SETTINGS)),
            "seed_a": models // len(SETTINGS) % 1000,
            "layer_a": "1",
            "setting_b": pl.Series(SETTINGS).gather(models // 7 % len(SETTINGS)),
            "seed_b": models // (1000 * len(SETTINGS)),
            "layer_b": "1",
            "measure": pl.Series(measures).gather(index % len(measures)),
            "value": np.sin(index),
            "status": "ok",
            "error": "",
            "seconds": rng.random(rows),
            "prepare_seconds": rng.random(rows),
            "device": "cpu",
            "measure_version": pl.Series(versions).gather(index % len(measures)),
            "parameters": "{}",
            "shape_a": "1000x64",
            "shape_b": "1000x64",
            "key": _hashes(index),
            "resi_version": "0.1.0",
            "origin": "resi",
            "probe": "test",
            "pooling": "none",
            "model_source": "trained",
            "pair": _hashes(models),
            "note": "",
        }
    ).select(pl.col(name).cast(dtype) for name, dtype in COMPARISONS.items())
    folder = root / "shards" / f"graph-cora-augmentation-{number:012x}"
    Shard(folder).finish(frame.unique("key"), pl.DataFrame(schema=SCORES), {"counts": {"failed": 0}})


def _hashes(numbers: np.ndarray) -> list[str]:
    """Return what looks like a hash of each number."""
    return [f"{value:032x}" for value in (numbers.astype(object) * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128]


def main() -> None:
    """Generate, merge and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=5000, help="of each shard")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.shards):
            make_shard(Path(folder), number, arguments.rows)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", MERGE, folder], capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in (Path(folder) / "results").iterdir())
    sys.stdout.write(f"{done.stderr.strip()}\n")
    sys.stdout.write(f"{seconds:.1f} s, peak {int(done.stdout) / 2**20:.2f} GiB, tables of {size / 2**20:.0f} MiB\n")


if __name__ == "__main__":
    main()
