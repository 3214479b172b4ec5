"""The tables of docs/graph.md are the scores of the shards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import resi
from tests.conftest import REPOSITORY, TINY


def test_tables_hold_the_scores_of_both_protocols(tmp_path: Path) -> None:
    words = [*TINY, "measure=[cka,rsa]", f"root={tmp_path}"]
    corrected = resi.run(words).scores.filter(metric="auprc", measure="cka")["value"].item()
    published = resi.run([*words, "protocol=published"]).scores.filter(metric="auprc", measure="cka")["value"].item()
    resi.run([*words, "test=layer_monotonicity"])
    command = [
        sys.executable,
        str(REPOSITORY / "scripts" / "graph_tables.py"),
        str(tmp_path),
        "--dataset",
        "digits_knn",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    row = next(line for line in shown.splitlines() if line.startswith("| cka "))
    assert f"| {corrected:.3f} ({published:.3f}) |" in row
    assert "### gcn" in shown
    assert "augmentation (auprc)" in shown
    assert "layer_monotonicity (spearman)" in shown
    assert "| gcn | standard | 2 | 0." in shown
