"""Groups by number or by name, and how many seeds a run needs."""

from __future__ import annotations

from pathlib import Path

import pytest

import resi
from resi.config.compose import compose
from resi.config.many import compose_all, open_configs
from resi.config.schema import RunConfig
from resi.domains.graph import GraphDomain
from resi.domains.language import LanguageDomain
from resi.domains.vision import VisionDomain
from resi.errors import UsageError
from resi.pipeline.plan import make_plan

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
        ("[standard,label_randomization_60]", r"unknown group of test=label_randomization: 'label_randomization_60'"),
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
