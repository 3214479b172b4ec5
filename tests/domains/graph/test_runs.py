"""All six tests run from words to scores on graphs, under both protocols."""

from __future__ import annotations

from pathlib import Path

import pytest

import resi
from resi.groundings import GROUNDINGS
from resi.store.tensors import read_metadata

WORDS = ["seeds=[0,1,2]", "groups=3", "measure=[cka,jaccard]"]


@pytest.mark.parametrize("test", GROUNDINGS)
@pytest.mark.parametrize("architecture", ["gcn", "pgnn"])
def test_every_test_goes_from_words_to_scores(test: str, architecture: str, tmp_path: Path) -> None:
    if (architecture, test) == ("pgnn", "augmentation"):
        pytest.skip("P-GNN has no augmentation, see test_pgnn.py")
    words = [*WORDS, f"model={architecture}", f"model.{architecture}.epochs=1", f"test={test}", f"root={tmp_path}"]
    result = resi.run(words)
    assert result.count("failed") == 0
    assert result.scores.height > 0
    assert set(result.scores["test"]) == {test}


def test_protocols_share_the_models_that_they_train_alike_and_no_others(tmp_path: Path) -> None:
    words = [*WORDS, "model=gcn", "model.gcn.epochs=1", f"root={tmp_path}"]

    def models(*more: str) -> set[Path]:
        before = set((tmp_path / "models").rglob("*.safetensors"))
        resi.run([*words, *more])
        return set((tmp_path / "models").rglob("*.safetensors")) - before

    assert len(models("test=augmentation")) == 9
    assert not models("test=augmentation", "protocol=published")
    assert len(models("test=label_randomization")) == 6  # standard ones are there
    made = models("test=label_randomization", "protocol=published")
    assert {read_metadata(path)["spec"]["rules"] for path in made} == {"published"}
    assert len(made) == 6
    assert len(models("test=shortcut")) == len(models("test=shortcut", "protocol=published")) == 9


def test_half_precision_in_training_leaves_representations_in_full(tmp_path: Path) -> None:
    words = [*WORDS, "model=gcn", "model.gcn.epochs=1", "model.gcn.precision=bfloat16", "test=augmentation"]
    resi.run([*words, f"root={tmp_path}", "stage=representations"])
    paths = [path for path in (tmp_path / "representations").rglob("*.safetensors") if "outputs" not in path.name]
    assert {read_metadata(path)["dtype"] for path in paths} == {"float32"}


def test_models_of_the_shortcut_test_are_probed_as_the_protocol_says(tmp_path: Path) -> None:
    words = [*WORDS, "model=gcn", "model.gcn.epochs=1", "test=shortcut", f"root={tmp_path}"]
    resi.run(words)
    resi.run([*words, "protocol=published"])
    found = {path.name.rsplit("-", 2)[0] for path in (tmp_path / "representations").rglob("*.safetensors")}
    assert found == {"test_without_shortcut", "test_own_shortcut"}
