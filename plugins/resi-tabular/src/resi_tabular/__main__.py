"""``python -m resi_tabular``: print the accuracies of the models, and the scores of some measures in the six tests."""

from __future__ import annotations

import sys
import tempfile

import resi
from resi.groundings import GROUNDINGS
from resi_tabular.settings import SETTINGS

MEASURES = ("cka", "procrustes", "rsa", "jaccard", "svcca")
COLUMNS = ("train", "test", "test_scrambled", "test_followed")


def main(dataset: str) -> None:
    """Run all tests on a dataset, and print two tables in Markdown."""
    import polars as pl

    with tempfile.TemporaryDirectory() as root:
        words = ["domain=tabular", f"dataset={dataset}", f"root={root}", f"measure=[{','.join(MEASURES)}]"]
        runs = {test: resi.run([*words, f"test={test}"]) for test in SETTINGS}
        models = pl.concat([found.models for found in runs.values()], how="diagonal")
    names = [f"accuracy_{name}" for name in COLUMNS]
    means = models.unique(["architecture", "setting", "seed"]).group_by("architecture", "setting").agg(pl.mean(*names))
    _print(("model", "setting", *COLUMNS), means.select("architecture", "setting", *names).sort(pl.all()).rows())
    rows = []
    for test, found in runs.items():
        headline = GROUNDINGS[test].headline
        best = found.scores.filter(pl.col("metric") == headline)
        scores = dict(best.group_by("measure").agg(pl.mean("value")).rows())
        rows.append((test, headline, *(scores.get(measure) for measure in MEASURES)))
    _print(("test", "score, mean of the models", *MEASURES), rows)


def _print(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    lines = [header, ("---",) * len(header), *rows]
    for line in lines:
        cells = ("" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in line)
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:2] or ["wine"])
