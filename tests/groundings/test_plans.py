"""Which models and comparisons the tests plan, with a domain that has all of them."""

from __future__ import annotations

import pytest

from resi.domains.graph.domain import GraphDomain
from resi.groundings import GROUNDINGS
from resi.groundings.base import Models
from resi.specs import DatasetSpec
from tests.conftest import REPOSITORY

LEVELS = {2: (0, 100), 3: (0, 50, 100), 5: (0, 25, 50, 75, 100)}


class FullDomain(GraphDomain):
    """The graph domain with settings of its own for the group tests."""

    def settings(self, test: str, groups: int) -> tuple[str, ...]:
        if GROUNDINGS[test].kind == "settings":
            return tuple(f"{test}_{level}" for level in LEVELS[groups])
        return super().settings(test, groups)


def plan(test: str, seeds=None, groups: int = 3):
    grounding = GROUNDINGS[test]()
    dataset = DatasetSpec("digits_knn", None, "content")
    return grounding.plan(Models(FullDomain(), dataset, "gcn", {}, tuple(seeds or grounding.seeds), groups))


def test_every_test_and_score_is_documented() -> None:
    text = (REPOSITORY / "docs" / "tests.md").read_text()
    for name, grounding in GROUNDINGS.items():
        for word in (name, *grounding.metrics, *grounding.functional):
            assert f"`{word}`" in text, word


def test_there_are_six_tests() -> None:
    assert list(GROUNDINGS) == [
        "accuracy_correlation",
        "output_correlation",
        "label_randomization",
        "shortcut",
        "augmentation",
        "layer_monotonicity",
    ]


@pytest.mark.parametrize("test", ["label_randomization", "shortcut", "augmentation"])
@pytest.mark.parametrize("groups", [2, 3, 5])
def test_group_tests_compare_five_models_a_level_at_their_last_layer(test: str, groups: int) -> None:
    (experiment,) = plan(test, groups=groups)
    assert experiment.groups == tuple(f"{test}_{level}" for level in LEVELS[groups])
    assert len(experiment.models) == len(experiment.items) == 5 * groups
    assert {item.layer for item in experiment.items} == {"1"}
    assert experiment.functional == ()


@pytest.mark.parametrize(
    ("test", "functional"),
    [("accuracy_correlation", ("accuracy_difference",)), ("output_correlation", ("jsd", "disagreement"))],
)
def test_correlation_tests_compare_ten_models_and_their_outputs(test: str, functional) -> None:
    (experiment,) = plan(test)
    assert [item.model.seed for item in experiment.items] == list(range(10))
    assert experiment.groups == ("standard",)
    assert {item.layer for item in experiment.items} == {"1"}
    assert experiment.functional == functional


def test_the_layer_test_compares_all_hidden_layers_of_one_model_at_a_time() -> None:
    experiments = plan("layer_monotonicity")
    assert [experiment.models[0].seed for experiment in experiments] == [0, 1, 2, 3, 4]
    for experiment in experiments:
        assert len(experiment.models) == 1
        assert [item.layer for item in experiment.items] == ["0", "1", "2", "3", "4"]


def test_the_key_of_a_comparison_is_the_fingerprint_of_what_it_is() -> None:
    from resi.fingerprints import canonical, fingerprint
    from resi.pipeline.keys import comparison_key

    measure = canonical({"measure": 'quoted "ä"', "version": 1, "parameters": canonical({"k": 10})})
    for sides, symmetric in ((("b", "a"), True), (("b", "a"), False), (("a", "b"), True)):
        first, second = sorted(sides) if symmetric else sides
        expected = fingerprint({"representations": [first, second], "measure": measure})
        assert comparison_key(*sides, measure, symmetric) == expected
