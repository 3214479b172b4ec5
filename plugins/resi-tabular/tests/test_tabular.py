from pathlib import Path

import numpy as np
import pytest
import torch
from resi_tabular import TabularDomain, inputs
from resi_tabular.inputs import load_table, training_rows

import resi
from resi import registry
from resi.specs import DatasetSpec, ForwardPass, ModelSpec, Trained
from resi.testing import check_domain

CPU = torch.device("cpu")
DOMAIN = TabularDomain()
MODELS = TabularDomain.default_models


def located(name: str) -> DatasetSpec:
    return DOMAIN.locate(name, None, Path("nowhere"))


def model(architecture: str = "residual_mlp", setting: str = "standard", dataset: str = "wine") -> ModelSpec:
    values = DOMAIN.hyperparameters(architecture, dataset, setting, {})
    content = located(dataset).content
    return ModelSpec("tabular", dataset, content, architecture, setting, 0, values, DOMAIN.training_version())


def trained(architecture: str = "residual_mlp", setting: str = "standard", dataset: str = "wine") -> Trained:
    return DOMAIN.train(model(architecture, setting, dataset), located(dataset), CPU)


def test_the_domain_keeps_its_contract() -> None:
    check_domain(TabularDomain)


def test_it_is_found_by_name() -> None:
    assert registry.domains().origin("tabular").distribution == "resi-tabular"
    assert list(registry.datasets("tabular")) == ["breast_cancer", "wine"]
    assert list(registry.networks("tabular")) == sorted(MODELS)


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_splits_are_halves_of_each_class_standardised_by_the_training_half(name: str) -> None:
    from sklearn import datasets

    raw, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    table = load_table(located(name))
    assert sorted([*table.train, *table.test]) == list(range(len(labels)))
    for label in range(table.classes):
        assert 0 <= (labels[table.train] == label).sum() - (labels[table.test] == label).sum() <= 1
    assert len(table.test) == DOMAIN.representation_size("mlp", name, {"width": 1})[0]
    mean, deviation = raw[table.train].mean(0), raw[table.train].std(0)
    np.testing.assert_allclose(table.features, (raw - mean) / deviation, rtol=1e-4, atol=1e-5)


def test_random_labels_are_of_the_training_rows_and_a_level_holds_those_below_it() -> None:
    table = load_table(located("wine"))
    true = table.labels[table.train]
    half, whole = (training_rows(table, f"label_randomization_{level}").labels.numpy() for level in (50, 100))
    changed = half != true
    assert 0 < changed.sum() <= len(true) // 2
    assert (half[changed] == whole[changed]).all()
    assert (inputs.test_rows(table, "label_randomization_100").labels.numpy() == table.labels[table.test]).all()


def test_a_shortcut_names_the_class_in_training_and_nothing_where_it_is_scrambled() -> None:
    table = load_table(located("wine"))
    rows = training_rows(table, "shortcut_100")
    assert rows.features.shape[1] == table.features.shape[1] + table.classes
    assert (rows.features[:, -table.classes :].argmax(1) == rows.labels).all()
    one, other = (inputs.test_rows(table, f"shortcut_{level}", scrambled=True) for level in (0, 100))
    assert torch.equal(one.features, other.features)
    assert float((one.named == one.labels).double().mean()) < 0.5


@pytest.mark.parametrize("architecture", MODELS)
def test_models_learn_and_random_labels_lower_their_accuracy(architecture: str) -> None:
    assert trained(architecture).accuracies["test"] > 0.93
    assert trained(architecture, "label_randomization_100").accuracies["test"] < 0.6


@pytest.mark.parametrize("architecture", MODELS)
def test_models_of_the_shortcut_follow_it_and_fail_where_it_is_scrambled(architecture: str) -> None:
    used, unused = (trained(architecture, f"shortcut_{level}").accuracies for level in (100, 0))
    assert used["test"] > 0.97
    assert used["test_scrambled"] < 0.8
    assert unused["test_scrambled"] > 0.9
    assert used["test_followed"] > 0.5 > unused["test_followed"]


def test_layers_are_those_of_a_forward_pass_by_hand() -> None:
    spec, state = model("mlp"), dict(trained("mlp").state)
    rows = inputs.test_rows(load_table(located("wine")), "standard")
    x, before, after = rows.features, {}, {}
    for layer in range(4):
        before[str(layer)] = x @ state[f"hidden.{layer}.linear.weight"].T + state[f"hidden.{layer}.linear.bias"]
        x = after[str(layer)] = before[str(layer)].clamp(min=0)
    logits = x @ state["classifier.weight"].T + state["classifier.bias"]
    for representation, expected in (("pre_activation", before), ("next_input", after)):
        domain = TabularDomain(representation=representation)
        probe = domain.probe("mlp", "wine", spec.hyperparameters, "layer_monotonicity")
        (found,) = domain.extract(ForwardPass(spec, state, located("wine"), probe, CPU, 10**9))
        assert list(found.representations) == list(expected)
        for layer, values in expected.items():
            torch.testing.assert_close(found.representations[layer], values)
        torch.testing.assert_close(found.logits, logits)


@pytest.mark.parametrize("test", TabularDomain.settings_by_test)
def test_every_test_goes_from_words_to_scores(test: str, tmp_path: Path) -> None:
    words = ["domain=tabular", f"test={test}", "model=mlp", "measure=[cka,procrustes]", f"root={tmp_path}"]
    found = resi.run([*words, "model.mlp.epochs=5", "seeds=[0,1,2,3,4]", "groups=2", "device=cpu"])
    assert set(found.scores["measure"]) == {"cka", "procrustes"}
    assert set(found.comparisons["status"]) == {"ok"}
    assert found.scores["reason"].fill_null("").eq("").all()
