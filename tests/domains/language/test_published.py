"""Published models: every folder pattern, read as it is, from small networks in the published files' format."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import resi
from resi.domains.language import LanguageDomain
from resi.domains.language.lookup import text_network
from resi.domains.language.published import find_checkpoint, published_folders, read_published
from resi.domains.language.tokenization import STATE_KEY, add_hint_tokens, make_tokenizer, stored_tokenizer
from resi.domains.language.weight_files import hash_weights
from resi.errors import ArtifactError, DatasetError, UsageError
from resi.randomness import forked_torch
from resi.specs import DatasetSpec, ModelSpec
from resi.store.models import ModelStore
from resi.store.root import Store

from .conftest import CPU, spec_of

# One folder of every pattern: architecture, dataset, setting, seed, folder below models/nlp.
FOLDERS = [
    ("bert", "sst2", "standard", 3, "bert/standard/sst2_pretrain3_finetune3"),
    ("bert", "mnli", "standard", 9, "bert/standard/glue__mnli_pre9_ft9"),
    ("bert", "sst2", "shortcut_0", 1, "bert/shortcut/sst2_pre1_ft1_scrate0558"),
    ("bert", "sst2", "shortcut_25", 1, "bert/shortcut/sst2_pre1_ft1_scrate0668"),
    ("bert", "sst2", "shortcut_50", 1, "bert/shortcut/sst2_pre1_ft1_scrate0779"),
    ("bert", "sst2", "shortcut_75", 1, "bert/shortcut/sst2_pre1_ft1_scrate0889"),
    ("bert", "sst2", "shortcut_100", 1, "bert/shortcut/sst2_pre1_ft1_scrate10"),
    ("bert", "mnli", "shortcut_0", 2, "bert/shortcut/glue__mnli_pre2_ft2_scrate0354"),
    ("bert", "mnli", "shortcut_25", 2, "bert/shortcut/glue__mnli_pre2_ft2_scrate05155"),
    ("bert", "mnli", "shortcut_50", 2, "bert/shortcut/glue__mnli_pre2_ft2_scrate0677"),
    ("bert", "mnli", "shortcut_75", 2, "bert/shortcut/glue__mnli_pre2_ft2_scrate08385"),
    ("bert", "mnli", "shortcut_100", 2, "bert/shortcut/glue__mnli_pre2_ft2_scrate1"),
    ("bert", "sst2", "label_randomization_25", 4, "bert/memorizing/sst2_pre4_ft4_labels5_strength025"),
    ("bert", "sst2", "label_randomization_50", 4, "bert/memorizing/sst2_pre4_ft4_labels5_strength05"),
    ("bert", "mnli", "label_randomization_75", 4, "bert/memorizing/glue__mnli_pre4_ft4_labels5_strength075"),
    ("bert", "mnli", "label_randomization_100", 0, "bert/memorizing/glue__mnli_pre0_ft0_labels5_strength10"),
    ("bert", "sst2", "augmentation_25", 0, "bert/augmentation/sst2_pre0_ft0_eda_strength025"),
    ("bert", "mnli", "augmentation_100", 0, "bert/augmentation/glue__mnli_pre0_ft0_eda_strength10"),
    ("albert", "sst2", "standard", 0, "albert/standard/sst2_pre0_ft123"),
    ("albert", "sst2", "standard", 9, "albert/standard/sst2_pre0_ft132"),
    ("albert", "mnli", "standard", 9, "albert/standard/glue__mnli_pre0_ft9"),
    ("albert", "sst2", "shortcut_75", 4, "albert/shortcut/sst2_pre0_ft4_scrate0889"),
    ("albert", "mnli", "shortcut_100", 4, "albert/shortcut/glue__mnli_pre0_ft4_scrate10"),
    ("albert", "sst2", "label_randomization_75", 0, "albert/memorizing/sst2_pre0_ft6_labels5_strength075"),
    ("albert", "sst2", "label_randomization_75", 1, "albert/memorizing/sst2_pre0_ft1_labels5_strength075"),
    ("albert", "sst2", "label_randomization_100", 0, "albert/memorizing/sst2_pre0_ft0_labels5_strength10"),
    ("albert", "mnli", "label_randomization_75", 0, "albert/memorizing/glue__mnli_pre0_ft0_labels5_strength075"),
    ("albert", "sst2", "augmentation_100", 2, "albert/augmentation/sst2_pre0_ft2_eda_strength10"),
    ("albert", "mnli", "augmentation_100", 3, "albert/augmentation/glue__mnli_pre0_ft3_eda_strength10"),
    ("smollm2", "sst2", "standard", 9, "smollm/ft_smollm2_1-7b_sst2_seed9_bs16_ff/checkpoint-500"),
    ("smollm2", "mnli", "standard", 0, "smollm/ft_smollm2_1-7b_mnli_seed0_bs16_ff/checkpoint-500"),
    ("smollm2", "sst2", "shortcut_0", 1, "smollm/ft_smollm2_1-7b_sst2-shortcut0558_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "sst2", "shortcut_75", 1, "smollm/ft_smollm2_1-7b_sst2-shortcut0889_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "sst2", "shortcut_100", 1, "smollm/ft_smollm2_1-7b_sst2-shortcut_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "mnli", "shortcut_0", 1, "smollm/ft_smollm2_1-7b_mnli-shortcut0354_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "mnli", "shortcut_75", 1, "smollm/ft_smollm2_1-7b_mnli-shortcut08385_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "mnli", "shortcut_100", 1, "smollm/ft_smollm2_1-7b_mnli-shortcut10_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "sst2", "label_randomization_75", 1, "smollm/ft_smollm2_1-7b_sst2-mem075_seed1_bs16_ff/checkpoint-500"),
    ("smollm2", "mnli", "label_randomization_100", 1, "smollm/ft_smollm2_1-7b_mnli-mem10_seed1_bs16_ff/checkpoint-500"),
]
SMALL: dict[str, dict[str, object]] = {
    "bert": {"num_attention_heads": 2, "intermediate_size": 16},
    "albert": {"embedding_size": 8, "num_attention_heads": 2, "intermediate_size": 16},
    "smollm2": {"num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 16},
}


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the published architectures be small; names of weights do not depend on sizes."""
    for name, sizes in SMALL.items():
        family = text_network(name)
        large = family.architecture(name)
        small = replace(large, layers=2, width=16, vocabulary=400, config={**large.config, **sizes})
        others = (one for one in family.architectures if one.name != name)
        monkeypatch.setattr(family, "architectures", (small, *others))


def model_of(architecture: str, dataset: str, setting: str, seed: int, tokenizer: str = "none") -> ModelSpec:
    values = LanguageDomain().hyperparameters(architecture, dataset, setting, {"tokenizer": tokenizer})
    return ModelSpec("language", dataset, "content", architecture, setting, seed, values, 1)


def save_tokenizer(folder: Path, dataset: DatasetSpec, architecture: str) -> int:
    tiny = {"bert": "bert_tiny", "albert": "albert_tiny", "smollm2": "smollm2_tiny"}[architecture]
    tokenizer = make_tokenizer(spec_of(dataset, tiny), dataset)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()


def save_model(
    folder: Path, architecture: str, rows: int, classes: int, shards: bool = False
) -> dict[str, torch.Tensor]:
    """Write a network as transformers does, and return its weights."""
    with forked_torch(CPU, 0, "test"):
        family = text_network(architecture)
        network = family.build(family.config(architecture, rows, classes))
    network.save_pretrained(folder, max_shard_size="20KB" if shards else "5GB")
    return network.state_dict()


@pytest.mark.parametrize("published", FOLDERS, ids=[folder[-1] for folder in FOLDERS])
def test_every_folder_pattern_is_read_with_its_weights_and_tokenizer(
    published: tuple[str, str, str, int, str], tmp_path: Path, small_sst2: DatasetSpec, small_networks: None
) -> None:
    architecture, dataset, setting, seed, folder = published
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, architecture)
    model = model_of(architecture, dataset, setting, seed, str(tmp_path / "tokenizer"))
    own = 3 if dataset == "mnli" else 2
    classes = own + (5 if setting.startswith("label") else 0)
    has_hints = setting.startswith("shortcut") and architecture != "smollm2"
    rows = -(-(tokens + own) // 64) * 64 if has_hints else tokens
    expected = save_model(tmp_path / "models" / "nlp" / folder, architecture, rows, classes)

    path = find_checkpoint(tmp_path, model)
    assert path == tmp_path / "models" / "nlp" / folder / "model.safetensors"
    state = dict(read_published(path, model).state)
    tokenizer = stored_tokenizer(state, replace(model, checkpoint="its hash"))
    assert tokenizer.get_vocab_size() == tokens + (own if has_hints else 0)
    del state[STATE_KEY]
    assert state.keys() == expected.keys() - {"lm_head.weight"}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())


def test_a_model_in_parts_is_read_whole_and_its_hash_is_that_of_all_parts(
    tmp_path: Path, small_sst2: DatasetSpec, small_networks: None
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "smollm2")
    model = model_of("smollm2", "sst2", "standard", 0, str(tmp_path / "tokenizer"))
    folder = tmp_path / "nlp" / published_folders(model)[0]
    expected = save_model(folder, "smollm2", tokens, 2, shards=True)
    path = find_checkpoint(tmp_path, model)
    assert path.name == "model.safetensors.index.json"
    parts = sorted(folder.glob("*.safetensors"))
    assert len(parts) > 1
    state = read_published(path, model).state
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items() if name != "lm_head.weight")
    before = hash_weights(path)
    tensors = load_file(parts[-1])
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, parts[-1], {"format": "pt"})
    assert hash_weights(path) != before
    parts[-1].unlink()
    with pytest.raises(DatasetError, match=f"{parts[-1].name} is missing"):
        hash_weights(path)


def test_pretrained_weights_in_parts_are_known_by_all_parts(tmp_path: Path, small_networks: None) -> None:
    save_model(tmp_path, "bert", 100, 2, shards=True)

    def known() -> object:
        return LanguageDomain().hyperparameters("bert", "sst2", "standard", {"pretrained": str(tmp_path)})

    before = known()
    assert known() == before
    part = sorted(tmp_path.glob("*.safetensors"))[-1]
    save_file({name: tensor + 1 for name, tensor in load_file(part).items()}, part, {"format": "pt"})
    os.utime(part, ns=(0, part.stat().st_mtime_ns + 10**9))  # the clock of files is coarse
    assert known() != before


def test_a_tokenizer_that_is_replaced_after_it_was_found_is_not_used(
    tmp_path: Path, small_sst2: DatasetSpec, small_networks: None
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "bert")
    model = model_of("bert", "sst2", "standard", 0, str(tmp_path / "tokenizer"))
    save_model(tmp_path / published_folders(model)[0], "bert", tokens, 2)
    path = tmp_path / "tokenizer" / "tokenizer.json"
    about = path.stat()
    path.write_text(path.read_text() + " ")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    with pytest.raises(UsageError, match=r"the files of tokenizer=.* changed after the run began; run again"):
        read_published(find_checkpoint(tmp_path, model), model)


def test_the_first_release_and_smollm_elsewhere_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "models" / "nlp" / "standard" / "sst2_pretrain0_finetune0"
    elsewhere = tmp_path / "other" / "ft_smollm2_1-7b_sst2_seed0_bs16_ff" / "checkpoint-500"
    for folder in (old, elsewhere):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
    monkeypatch.setenv("RESI_SMOLLM_PATH", str(tmp_path / "other"))
    assert find_checkpoint(tmp_path, model_of("bert", "sst2", "standard", 0)).parent == old
    assert find_checkpoint(tmp_path, model_of("smollm2", "sst2", "standard", 0)).parent == elsewhere


def test_what_is_missing_or_was_never_published_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"standard/sst2_pretrain0_finetune0/model\.safetensors is missing"):
        find_checkpoint(tmp_path, model_of("bert", "sst2", "standard", 0))
    with pytest.raises(UsageError, match="no smollm2 was trained on augmented texts"):
        find_checkpoint(tmp_path, model_of("smollm2", "sst2", "augmentation_100", 0))
    tiny = replace(model_of("bert", "sst2", "standard", 0), architecture="bert_tiny")
    with pytest.raises(UsageError, match="no bert_tiny on dataset=sst2 is published"):
        find_checkpoint(tmp_path, tiny)


def test_a_network_that_computes_otherwise_is_refused(
    tmp_path: Path, small_sst2: DatasetSpec, small_networks: None
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "smollm2")
    model = model_of("smollm2", "sst2", "standard", 0, str(tmp_path / "tokenizer"))
    folder = tmp_path / published_folders(model)[0]
    save_model(folder, "smollm2", tokens, 2)
    path = find_checkpoint(tmp_path, model)
    config = json.loads((folder / "config.json").read_text())
    # As transformers before version 5 wrote it, with the right value and with another.
    del config["rope_parameters"]
    for theta in (130000.0, 10000.0):
        (folder / "config.json").write_text(json.dumps({**config, "rope_theta": theta}))
        if theta == 10000.0:
            with pytest.raises(ArtifactError, match="rope_parameters"):
                read_published(path, model)
        else:
            read_published(path, model)
    (folder / "config.json").write_text("[]")
    with pytest.raises(ArtifactError, match=r"has a config\.json that does not say what network it is"):
        read_published(path, model)
    path.write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_published(path, model)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, small_sst2: DatasetSpec, small_networks: None) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "bert")
    model = model_of("bert", "sst2", "shortcut_0", 0, str(tmp_path / "tokenizer"))
    save_model(tmp_path / published_folders(model)[0], "bert", tokens, 2)
    with pytest.raises(ArtifactError, match=r"fewer than the .* tokens"):
        read_published(find_checkpoint(tmp_path, model), model)


def test_a_run_over_published_models_sees_the_shortcut_in_each(
    root: Path, tmp_path: Path, small_sst2: DatasetSpec, small_networks: None
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "bert")
    for seed in (0, 1):
        for setting in ("shortcut_0", "shortcut_100"):
            model = model_of("bert", "sst2", setting, seed)
            save_model(tmp_path / "zoo" / published_folders(model)[0], "bert", -(-(tokens + 2) // 64) * 64, 2)
    result = resi.run(
        [
            "domain=language", "dataset=sst2", f"dataset.root={small_sst2.folder}", "model=bert", "test=shortcut",
            "groups=2", "seeds=[0,1]", "measure=cka", "models.source=published", f"models.root={tmp_path / 'zoo'}",
            f"model.bert.tokenizer={tmp_path / 'tokenizer'}",
        ]
    )  # fmt: skip
    # The four are one network under four names, so that all see the same input if all representations are the same.
    assert result.comparisons["value"].to_list() == pytest.approx([1.0] * 6)


@pytest.mark.parametrize("shards", [False, True])
def test_published_weights_are_read_where_they_lie_and_are_stored_once(
    tmp_path: Path, small_sst2: DatasetSpec, small_networks: None, shards: bool
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "smollm2")
    model = model_of("smollm2", "sst2", "standard", 0, str(tmp_path / "tokenizer"))
    folder = tmp_path / published_folders(model)[0]
    save_model(folder, "smollm2", tokens, 2, shards=shards)
    path = find_checkpoint(tmp_path, model)
    model = replace(model, checkpoint=hash_weights(path))
    trained = read_published(path, model)
    models = ModelStore(Store(tmp_path / "home"))
    models.save(model, trained, 0.0)
    published = sum(part.stat().st_size for part in folder.glob("*.safetensors"))
    assert models.path(model).stat().st_size < published / 2  # the tokenizer, which is no part of what was published
    state = models.load(model)
    assert state.keys() == trained.state.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in trained.state.items())

    part = max(folder.glob("*.safetensors"))
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    with pytest.raises(
        ArtifactError, match=rf"has its weights in {part}, which has changed, or is damaged\. Run again"
    ):
        models.load(model)
    with pytest.raises(ArtifactError, match="differs from its hash: it has changed, or is damaged"):
        read_published(path, model)
    part.unlink()
    with pytest.raises(ArtifactError, match=rf"has its weights in {part}, which is missing\.") as caught:
        models.load(model)
    assert caught.value.path == models.path(model)  # what is set aside, and made again from wherever the file is now


def test_a_published_model_that_has_moved_is_found_again(
    root: Path, tmp_path: Path, small_sst2: DatasetSpec, small_networks: None
) -> None:
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "bert")
    for seed in (0, 1):
        model = model_of("bert", "sst2", "standard", seed)
        save_model(tmp_path / "zoo" / published_folders(model)[0], "bert", tokens, 2)
    words = [
        "domain=language", "dataset=sst2", f"dataset.root={small_sst2.folder}", "model=bert", "test=output_correlation",
        "seeds=[0,1]", "measure=cka", "models.source=published", f"model.bert.tokenizer={tmp_path / 'tokenizer'}",
    ]  # fmt: skip
    resi.run([*words, f"models.root={tmp_path / 'zoo'}", "stage=models"])
    (tmp_path / "zoo").rename(tmp_path / "elsewhere")
    result = resi.run([*words, f"models.root={tmp_path / 'elsewhere'}"])
    assert result.count("ok") == len(result.comparisons)
    assert len(list((root / "models").rglob("*.damaged"))) == 2


def test_hint_tokens_take_in_the_blank_after_them(small_sst2: DatasetSpec) -> None:
    tokenizer = make_tokenizer(spec_of(small_sst2, "albert_tiny"), small_sst2)
    add_hint_tokens(tokenizer, 2)
    assert tokenizer.encode("[CLASS1] lovely", add_special_tokens=False).tokens[0] == "[CLASS1] "


@pytest.mark.parametrize(
    ("names", "own"),
    [
        (("sst2", "Normal"), ("sst2", "standard")),
        (("mnli_aug_rate0", "Augmentation_0"), ("mnli", "standard")),
        (("sst2_mem_rate075", "RandomLabels_75"), ("sst2", "label_randomization_75")),
        (("sst2_sft", "Shortcut_0558"), ("sst2", "shortcut_0")),
        (("mnli", "Shortcut_05155"), ("mnli", "shortcut_25")),
        (("mnli", "Shortcut_1"), ("mnli", "shortcut_100")),
        (("sst2", "Shortcut_10"), ("sst2", "shortcut_100")),
        (("sst2", "Shortcut_0354"), "unknown share of hints 0.354 of 'Shortcut_0354'"),
        (("sst2", "MultiLayer"), "unknown setting 'MultiLayer'"),
        (("reviews", "Normal"), "unknown training set 'reviews'"),
    ],
)
def test_names_of_the_published_results_are_understood(names: tuple[str, str], own: tuple[str, str] | str) -> None:
    if isinstance(own, tuple):
        assert LanguageDomain().own_names(*names) == own
    else:
        with pytest.raises(ValueError, match=own):
            LanguageDomain().own_names(*names)
