"""A dataset and a family of networks of a plugin are trained, looked at and compared as those that come with resi."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

import resi
from resi import registry
from resi.config.register import own_store
from resi.domains.language import LanguageDomain, PromptStyle, TextDataset, TextNetwork, TransformerArchitecture
from resi.domains.language.building import network_from
from resi.domains.releases import Release
from resi.errors import UsageError
from resi.published.releases import releases
from resi.registry import names
from resi.registry.discovery import PluginInfo, load_plugins
from resi.specs import DatasetInfo

WEATHER = ("sunny and warm", "rain all day", "snow and ice")
RATES = {0: 1 / 3, 25: 0.5, 50: 2 / 3, 75: 5 / 6, 100: 1.0}
WORDS = [
    "domain=language", "dataset=weather", "model=electra_mini", "model.electra_mini.max_steps=1", "groups=2",
    "seeds=[0,1]", "measure=cka",
]  # fmt: skip


class Electra(TextNetwork):
    """ELECTRA from random weights, fed whole words."""

    architectures = (
        TransformerArchitecture(
            "electra_mini",
            "2 layers",
            "",
            "Clark et al., ICLR 2020",
            layers=2,
            width=16,
            vocabulary=100,
            config={"embedding_size": 8, "num_attention_heads": 2, "intermediate_size": 16},
            recipe={"batch_size": 6},
        ),
    )
    download = "electra"
    releases = (Release("1", r"electra\.zip", "models/nlp"),)
    projects_embeddings = True
    embeddings = "electra.embeddings.word_embeddings.weight"
    output = "classifier.out_proj.weight"

    def transformers_classes(self) -> tuple[Any, Any]:
        from transformers import ElectraConfig, ElectraForSequenceClassification

        return ElectraConfig, ElectraForSequenceClassification

    def train_tokenizer(self, corpus: list[str], vocabulary: int) -> Tokenizer:
        words = sorted({word for text in corpus for word in text.split()})
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words][:vocabulary]
        tokenizer = Tokenizer(models.WordLevel({token: number for number, token in enumerate(tokens)}, "[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer


def weather(folder: Path) -> TextDataset:
    for split, rows in (("train", 24), ("test", 12)):
        lines = [f"{WEATHER[row % 3]} , day {row}\t{row % 3}\n" for row in range(rows)]
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    return TextDataset(
        "weather",
        "24 reports of the weather, 3 classes",
        "this test",
        embedded=True,
        columns=("text",),
        classes=("sun", "rain", "snow"),
        splits={"train": ("train",), "validation": ("test",)},
        probe_split="validation",
        probe_size=12,
        shortcut_rates=RATES,
        prompt=PromptStyle("You judge the weather.", ("Report",), ("sun", "rain", "snow"), "ABCDEFGH"),
        folder=folder,
        published_name="wthr",
    )


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Load a plugin for a while, with a dataset and a family of networks."""
    module = SimpleNamespace(
        resi_datasets=resi.hookimpl(lambda: (weather(tmp_path),)), resi_networks=resi.hookimpl(lambda: (Electra(),))
    )
    loaded, info = load_plugins(), PluginInfo("own", "own-package", "1.0")
    loaded.manager.register(module, name=info.key)
    loaded.add(info)
    clear_caches()
    yield module
    loaded.manager.unregister(module)
    del loaded._records[info.key]
    clear_caches()


def clear_caches() -> None:
    for cached in (names._of_domains, names.usable_domains, own_store):
        cached.cache_clear()


def test_a_whole_test_runs_on_a_dataset_and_a_network_of_a_plugin(plugin: object, root: Path) -> None:
    result = resi.run([*WORDS, "test=shortcut"])
    assert set(result.comparisons["status"]) == {"ok"}
    assert len(result.scores) > 0
    assert registry.networks("language").origin("electra_mini").distribution == "own-package"


def test_networks_that_come_with_resi_are_asked_about_a_dataset_of_a_plugin(plugin: object, root: Path) -> None:
    words = [word.replace("electra_mini", "smollm2_tiny") for word in WORDS]
    assert set(resi.run([*words, "test=output_correlation"]).comparisons["status"]) == {"ok"}


def test_a_plugin_says_what_the_published_results_call_its_dataset(plugin: object) -> None:
    assert LanguageDomain().own_names("wthr_sft", "Shortcut_05") == ("weather", "shortcut_25")


def test_the_published_models_of_a_family_can_be_downloaded(plugin: object) -> None:
    assert releases()["electra"] == Electra.releases
    assert list(LanguageDomain().releases()) == ["language", "smollm2", "electra"]


def test_a_dataset_that_is_of_no_use_is_refused_by_name(plugin: SimpleNamespace) -> None:
    load_plugins().manager.unregister(plugin)
    plugin.resi_datasets = resi.hookimpl(lambda: (Plain("plain", "", ""),))
    load_plugins().manager.register(plugin, name="own-package:own")
    clear_caches()
    with pytest.raises(UsageError, match="dataset=plain of domain=language is a Plain: expected a TextDataset"):
        LanguageDomain().hyperparameters("bert_tiny", "plain", "standard", {})


class Plain(DatasetInfo):
    domain = "language"


def test_models_of_two_datasets_are_told_apart_on_one(plugin: object, root: Path) -> None:
    words = ["domain=language", "dataset=weather", "model=bert_tiny", "model.bert_tiny.max_steps=1", "measure=cka"]
    words += ["seeds=[0,1]", "workers=1"]
    result = resi.run([*words, "by=dataset", "trained_on=[reviews,weather]"])
    table = result.comparisons
    assert set(table["status"]) == {"ok"}
    assert sorted(table["dataset"].unique()) == ["reviews+weather@weather", "reviews@weather", "weather"]
    (score,) = result.scores.filter(metric="auprc").to_dicts()
    names = ("test", "dataset", "architecture", "setting", "settings", "pairs", "failed_pairs")
    expected = ["dataset", "reviews+weather@weather", "bert_tiny", "standard", "reviews, weather", 6, 0]
    assert [score[name] for name in names] == expected
    # Pairs of models that are represented on what they were trained on are those of any test.
    own = resi.run([*words, "test=output_correlation"]).comparisons.filter(measure="cka")
    assert own["key"].to_list() == table.filter(dataset="weather")["key"].to_list()
    # The classes of another dataset are not a model's.
    models = result.models
    assert models.filter(pl.col("accuracy_probe").is_null())["dataset"].to_list() == ["reviews", "reviews"]
    check_foreign_representation(result.plan)


def check_foreign_representation(plan: Any) -> None:
    """Check that a model has read the texts of the other dataset, with the tokens of its own."""
    model, probe = next((model, probe) for model, probe in plan.models if model.dataset == "reviews")
    state = plan.model_store.load(model)
    tokenizer = Tokenizer.from_str(bytes(state.pop("tokenizer.json").numpy()).decode())
    network = network_from(state, model).eval()
    found = plan.representations.open(model, probe, probe.layers[-1]).load()
    assert found.shape == (12, 96)
    for row in range(12):
        ids = tokenizer.encode(f"{WEATHER[row % 3]} , day {row}").ids
        with torch.no_grad():
            states = network(torch.tensor([ids]), output_hidden_states=True).hidden_states
        assert torch.allclose(states[-1][0, 0], found[row], atol=1e-5)


def test_a_causal_model_is_not_asked_about_another_dataset(plugin: object, root: Path) -> None:
    words = ["domain=language", "model=smollm2_tiny", "by=dataset", "trained_on=[reviews,weather]", "dataset=weather"]
    with pytest.raises(UsageError, match="smollm2_tiny trained on reviews cannot be prompted about weather"):
        resi.run(words)
    words = [word.replace("smollm2_tiny", "bert_tiny") for word in words]
    with pytest.raises(UsageError, match="knows hints at 2 classes, and the input of test=shortcut on weather has 3"):
        resi.run([*words, "test=shortcut"])
