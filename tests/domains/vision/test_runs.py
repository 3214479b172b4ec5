"""Whole runs on digits, from training to scores."""

from __future__ import annotations

from pathlib import Path

import pytest

import resi
from resi.config.compose import compose
from resi.groundings import GROUNDINGS
from resi.pipeline.planner import make_plan
from tests.conftest import changed

QUICK = [
    "domain=vision",
    "model=tiny_vgg",
    "model.tiny_vgg.epochs=1",
    "model.tiny_vgg.batch_size=128",
    "seeds=[0,1]",
    "groups=2",
    "measure=[cka,jaccard]",
]


@pytest.mark.parametrize(
    ("test", "metric"),
    [
        ("augmentation", "auprc"),
        ("shortcut", "auprc"),
        ("label_randomization", "auprc"),
        ("layer_monotonicity", "spearman"),
    ],
)
def test_a_run_trains_compares_and_scores(tmp_path: Path, test: str, metric: str) -> None:
    result = resi.run([*QUICK, f"test={test}", f"root={tmp_path}", "compare.threads=1"])
    assert set(result.comparisons["status"]) == {"ok"}
    assert metric in set(result.scores["metric"])
    again = resi.run([*QUICK, f"test={test}", f"root={tmp_path}", "compare.threads=1"])
    assert again.reused


def test_the_output_test_needs_three_models(tmp_path: Path) -> None:
    words = changed(QUICK, "seeds=[0,1,2]", "test=output_correlation", f"root={tmp_path}", "compare.threads=1")
    result = resi.run(words)
    assert set(result.comparisons["status"]) == {"ok"}
    assert {"cka", "jsd", "disagreement"} <= set(result.comparisons["measure"])


def test_seeds_are_those_of_the_benchmark() -> None:
    for protocol in ("corrected", "published"):
        for test in GROUNDINGS:
            ten = test in ("accuracy_correlation", "output_correlation", "layer_monotonicity")
            config = compose(["domain=vision", f"test={test}", "measure=cka", f"protocol={protocol}"])
            assert config.seeds == tuple(range(10 if ten else 5)), test
    assert compose(["domain=vision", "test=layer_monotonicity", "measure=cka", "seeds=[3,1]"]).seeds == (3, 1)
    assert compose(["domain=graph", "test=layer_monotonicity", "measure=cka"]).seeds == tuple(range(5))


def test_the_published_protocol_compares_the_published_rows() -> None:
    words = ["domain=vision", "model=tiny_vgg", "measure=[cka,jaccard]"]
    own, published = (make_plan(compose([*words, f"protocol={name}"])) for name in ("corrected", "published"))
    assert (own.sampling, published.sampling) == ("spread", "strided")
    keys = [{c.measure: c.key for c in plan.comparisons[:1] + plan.comparisons[-1:]} for plan in (own, published)]
    assert keys[0]["cka"] == keys[1]["cka"]  # one row a sample, whatever the cells
    assert keys[0]["jaccard"] != keys[1]["jaccard"]
