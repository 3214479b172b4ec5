"""Models with their accuracies, read from a data root."""

from __future__ import annotations

from pathlib import Path

import pytest

from resi.report.models import Model, columns, doubts, groups, read_models, verdict
from tests.report.rows import finish
from tests.results.rows import comparison


def model(setting: str, seed: int, test: float, train: float = 1.0, classes: int | None = 10) -> Model:
    return Model("graph", "cora", "gcn", setting, seed, {"train": train, "test": test}, {"test": test}, 2.0, classes)


def test_models_of_a_data_root_have_the_accuracies_that_are_stored(data: Path) -> None:
    """The stored numbers, read by another library than the report uses."""
    from safetensors import safe_open

    root = data / "root-of-schema-5"
    found = read_models(root)
    outputs = {path.parent for path in (root / "representations").rglob("*-outputs-*.safetensors")}
    assert len(found) == len(outputs)
    probes = {(m.domain, m.setting, m.seed): m for m in found}
    graph = probes["graph", "augmentation_100", 0]
    (path,) = (root / "representations").rglob("augmentation_100-s0/test-outputs-*.safetensors")
    with safe_open(path, "np") as file:
        logits = file.get_tensor("logits")
    assert graph.classes == logits.shape[1]
    assert 0 < graph.accuracies["train"] <= 1
    assert graph.probes["test"] == pytest.approx(graph.accuracies["test"], abs=1e-6)


def test_models_are_those_of_the_comparisons_and_outputs_tell_of_models_that_are_gone(
    data: Path, tmp_path: Path
) -> None:
    root = data / "root-of-schema-5"
    (tmp_path / "representations").symlink_to(root / "representations")
    gone = {model[:5]: model for model in read_models(tmp_path)}
    known = {model[:5]: model for model in read_models(root)}
    assert gone.keys() == known.keys()
    assert all(gone[names].probes == known[names].probes and not gone[names].accuracies for names in gone)
    sides = {"setting_a": "standard", "seed_a": 0, "setting_b": "standard", "seed_b": 1}
    row = comparison("a", domain="graph", dataset="digits_knn", architecture="gcn", **sides)
    shard = finish(tmp_path / "run", [], [row])
    assert [(model.setting, model.seed) for model in read_models(root, shard)] == [("standard", 0), ("standard", 1)]


def test_what_is_no_model_or_damaged_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "models" / "x").mkdir(parents=True)
    (tmp_path / "models" / "x" / "a.safetensors").write_bytes(b"\x09" * 100)
    assert read_models(tmp_path) == []
    assert read_models(None) == []
    assert verdict([]) == ""


def test_models_that_differ_in_their_seed_are_one_line() -> None:
    some = [model(f"augmentation_{level}", 0, 0.8) for level in (100, 25)]
    found = groups([*some, model("standard", 1, 0.9), model("standard", 0, 0.7)])
    named = [(group.setting, len(group.models)) for group in found]
    assert named == [("standard", 2), ("augmentation_25", 1), ("augmentation_100", 1)]
    assert found[0].accuracies["test"] == pytest.approx((0.7, 0.8, 0.9))
    assert columns(found) == ["train", "test", "probe"]


@pytest.mark.parametrize(
    ("test", "train", "classes", "learned"),
    [(0.9, 1.0, 10, True), (0.1, 0.12, 10, False), (0.1, 0.9, 10, True), (0.5, 0.5, 2, False), (0.9, 1.0, None, None)],
)
def test_a_model_has_learned_where_an_accuracy_is_above_guessing(
    test: float, train: float, classes: int | None, learned: bool | None
) -> None:
    assert model("standard", 0, test, train, classes).has_learned is learned


def test_the_sentence_says_whether_models_learned_and_leaves_random_labels_aside() -> None:
    models = [model("standard", seed, 0.8 + seed / 100) for seed in range(3)]
    random = model("label_randomization_100", 0, 0.1)
    assert verdict([*models, random]) == (
        "All 4 models behind these results learned. Accuracy on unseen data, random labels aside: 0.80 to 0.82."
    )
    assert verdict([*models, model("standard", 3, 0.1, 0.1)]).startswith("1 of 4 models learned next to nothing")


def test_domains_with_models_that_learned_nothing_are_named() -> None:
    models = [
        model("standard", 0, 0.9),
        model("standard", 1, 0.1, 0.1),
        model("standard", 2, 0.9)._replace(domain="vision"),
    ]
    said = "1 of the 2 models learned next to nothing: these answers carry little weight."
    assert doubts(models) == {"graph": said}
