"""Groups by number or by name, and how many seeds a run needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import resi
from resi.config.compose import compose
from resi.config.many import compose_all, open_configs
from resi.config.schema import RunConfig
from resi.domains.graph import GraphDomain
from resi.domains.graph.settings import edge_drop
from resi.domains.labels import partly_random
from resi.domains.language import LanguageDomain
from resi.domains.language.lookup import text_dataset
from resi.domains.vision import VisionDomain
from resi.domains.vision.settings import alteration
from resi.errors import DatasetError, UsageError
from resi.pipeline.planner import make_plan
from resi.specs import ModelSpec

W = ["test=label_randomization", "model=gcn", "model.gcn.epochs=1", "measure=cka", "seeds=[0,1]"]
LEVELS = "groups=[standard,label_randomization_50,label_randomization_100]"


@pytest.mark.parametrize("domain", [GraphDomain(), LanguageDomain(), VisionDomain()])
def test_levels_that_published_configs_compare_can_be_named(domain) -> None:
    expected = ("standard", "label_randomization_50", "label_randomization_100")
    assert domain.settings("label_randomization", expected[::-1]) == expected
    assert domain.settings("label_randomization", ["random_labels_100", "standard", "random_labels_50"]) == expected
    for test, by_number in domain.settings_by_test.items():
        for number, settings in by_number.items():
            assert domain.settings(test, number) == domain.settings(test, settings) == settings


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            "[standard,label_randomization_160]",
            r"unknown group of test=label_randomization: 'label_randomization_160'.* any level L from 1 to 100",
        ),
        ("[standard,label_randomization_05]", r"unknown group of test=label_randomization: 'label_randomization_05'"),
        ("[random_labels_0,standard]", r"groups=\[standard,standard\]: .*each once"),
        ("[standard,shortcut_50]", r"unknown group of test=label_randomization: 'shortcut_50'"),
        ("[standard]", r"groups=\[standard\]: test=label_randomization compares models of different settings"),
        ("[standard,standard]", r"groups=\[standard,standard\]: .*each once"),
        ("[]", r"groups=\(\): .* has groups=2, 3, 5, or a list of standard, label_randomization_25"),
        ("4", r"groups=4: .* has groups=2, 3, 5, or a list of"),
        ("many", r"groups=many: expected 2, 3, 5, or a list"),
        ("3.0", r"groups=3\.0: expected 2, 3, 5, or a list"),
        ("true", r"groups=True: expected 2, 3, 5, or a list"),
    ],
)
def test_groups_that_do_not_fit_are_one_line(groups: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        compose([*W, f"groups={groups}"])
    assert "\n" not in str(caught.value)


def test_a_test_of_one_group_takes_no_others() -> None:
    assert GraphDomain().settings("layer_monotonicity", ["six_layers"]) == ("six_layers",)
    with pytest.raises(UsageError, match="unknown group of test=layer_monotonicity: 'standard'"):
        compose(["test=layer_monotonicity", "groups=[standard]"])


def test_named_groups_run_and_share_what_numbered_ones_have_made(tmp_path: Path) -> None:
    words = [*W, f"root={tmp_path}"]
    result = resi.run([*words, LEVELS])
    assert set(result.comparisons["setting_a"]) == {"standard", "label_randomization_50", "label_randomization_100"}
    assert result.scores["groups"].unique().to_list() == [3]
    assert not make_plan(compose([*words, "groups=2"])).missing_models()
    named = make_plan(compose([*words, "groups=[label_randomization_100,standard]"]))
    assert named.shard.folder == make_plan(compose([*words, "groups=2"])).shard.folder


def test_one_seed_is_enough_for_layers_and_where_nothing_is_compared(tmp_path: Path) -> None:
    words = ["model=gcn", "model.gcn.epochs=1", "measure=cka", "seeds=[0]", f"root={tmp_path}"]
    result = resi.run([*words, "test=layer_monotonicity"])
    assert result.count("ok") == 10
    assert set(result.scores["seed"].to_list()) <= {0, None}
    resi.run([*words, "test=augmentation", "stage=models"])
    assert len(list((tmp_path / "models").rglob("*.safetensors"))) == 1 + 3
    resi.run([*words, "test=augmentation", "stage=representations"])
    with pytest.raises(UsageError, match=r"seeds=\[0\]: expected at least two seeds"):
        resi.run([*words, "test=augmentation"])
    with pytest.raises(UsageError, match=r"seeds=\[\]: expected seeds"):
        compose(["test=layer_monotonicity", "seeds=[]"])


def test_many_runs_are_composed_as_each_alone() -> None:
    jobs = [
        [*W[:-1], *words]
        for words in (
            ["seeds=[0]", "stage=models"],
            ["seeds=[0]"],
            ["seeds=[0]", "stage=score"],
            [LEVELS],
            ["groups=[standard,random_labels_75]"],
        )
    ]
    found = compose_all(jobs, open_configs())
    assert [isinstance(config, RunConfig) for config in found] == [True, False, False, True, True]
    assert found[3].groups == compose(jobs[3]).groups
    assert found[4].groups == compose(jobs[4]).groups


@pytest.mark.parametrize("domain", [GraphDomain(), LanguageDomain(), VisionDomain()])
@pytest.mark.parametrize("test", ["augmentation", "label_randomization", "shortcut"])
def test_levels_between_those_of_the_benchmark_can_be_named(domain, test: str) -> None:
    found = domain.settings(test, [f"{test}_90", f"{test}_7", f"{test}_100"])
    assert found == (f"{test}_7", f"{test}_90", f"{test}_100")
    with pytest.raises(UsageError, match=f"unknown group of test={test}: '{test}_101'"):
        domain.settings(test, [f"{test}_101", f"{test}_100"])


def test_level_zero_of_what_alters_nothing_then_is_standard() -> None:
    for domain in (GraphDomain(), LanguageDomain(), VisionDomain()):
        found = domain.settings("label_randomization", ["random_labels_100", "random_labels_0"])
        assert found == ("standard", "label_randomization_100")
        assert domain.settings("shortcut", ["shortcut_5", "shortcut_0"]) == ("shortcut_0", "shortcut_5")
    assert GraphDomain().settings("augmentation", ["augmentation_5", "augmentation_0"]) == (
        "standard",
        "augmentation_5",
    )
    # In vision it is milder than the full augmentation of standard training.
    found = VisionDomain().settings("augmentation", ["augmentation_5", "augmentation_0", "standard"])
    assert found == ("standard", "augmentation_0", "augmentation_5")


def test_any_level_alters_as_much_as_it_says() -> None:
    assert [edge_drop(f"augmentation_{level}") for level in (25, 50, 75, 100)] == [0.2, 0.4, 0.6, 0.8]
    assert edge_drop("augmentation_10") == 0.08
    assert edge_drop("standard") is None
    assert alteration("augmentation_10").noise == 400
    assert alteration("label_randomization_7").random_labels == 0.07
    assert alteration("shortcut_33").dots == 0.33
    sst2 = text_dataset("sst2")
    assert [sst2.rate(f"shortcut_{level}") for level in (0, 25, 50, 75, 100)] == [0.558, 0.668, 0.779, 0.889, 1.0]
    assert sst2.rate("shortcut_10") == pytest.approx(0.558 + 0.4 * 0.11)
    assert sst2.rate("label_randomization_10") == 0.1
    labels = np.arange(100) % 10
    for level in range(101):  # 0.29 * 100 is less than 29 in floating point
        drawn = partly_random(np.full(100, -1), np.arange(100), 10, level / 100, "random labels")
        assert np.count_nonzero(drawn != -1) == level
    assert np.array_equal(partly_random(labels, np.arange(100), 10, 0.0, "random labels"), labels)


@pytest.mark.parametrize(
    ("domain", "architecture", "dataset"),
    [(GraphDomain(), "gcn", "cora"), (LanguageDomain(), "bert", "sst2"), (VisionDomain(), "resnet18", "imagenet100")],
)
def test_levels_that_nobody_published_are_refused_by_name(domain, architecture, dataset, tmp_path: Path) -> None:
    def checkpoint(setting: str) -> Path:
        spec = ModelSpec(
            domain=domain.name,
            dataset=dataset,
            dataset_content="",
            architecture=architecture,
            setting=setting,
            seed=0,
            hyperparameters={},
            training_version=1,
        )
        return domain.checkpoint(tmp_path, spec)

    for level in (25, 50, 75, 100):
        with pytest.raises(DatasetError, match="is missing"):
            checkpoint(f"label_randomization_{level}")
    with pytest.raises(UsageError, match=r"no models of label_randomization_60 are published; .*25, 50, 75, 100"):
        checkpoint("label_randomization_60")
