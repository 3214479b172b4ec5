"""Published SmolLM2 models are asked with their publishers' words or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import resi
from resi.config.compose import compose
from resi.domains.language import LanguageDomain, extraction
from resi.domains.language.lookup import text_dataset
from resi.domains.language.published import published_folders
from resi.errors import UsageError
from resi.pipeline.planner import make_plan

from .test_published import model_of, save_model, save_tokenizer, small_networks

if TYPE_CHECKING:
    from pathlib import Path

    from resi.specs import DatasetSpec

__all__ = ["small_networks"]  # a fixture
TEXT = "Somebody else's words, as they published them."


@pytest.fixture
def words(tmp_path: Path, root: Path, small_sst2: DatasetSpec, small_networks: None) -> list[str]:
    """Return a run over published models of the shortcut test."""
    tokens = save_tokenizer(tmp_path / "tokenizer", small_sst2, "smollm2")
    for seed in (0, 1):
        for setting in ("shortcut_0", "shortcut_100"):
            folder = published_folders(model_of("smollm2", "sst2", setting, seed))[0]
            save_model(tmp_path / "zoo" / folder, "smollm2", tokens, 2)
    return [
        "domain=language", "dataset=sst2", f"dataset.root={small_sst2.folder}", "model=smollm2", "test=shortcut",
        "groups=2", "seeds=[0,1]", "measure=cka", "models.source=published", f"models.root={tmp_path / 'zoo'}",
        f"model.smollm2.tokenizer={tmp_path / 'tokenizer'}",
    ]  # fmt: skip


def first_lines(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> set[str]:
    """Run, and return the first lines that models were fed, without hints."""
    seen: set[str] = set()
    encode = extraction.encode

    def watched(tokenizer, texts, spec, max_length):
        inputs = encode(tokenizer, texts, spec, max_length)
        fed = [tokenizer.decode(ids).split("\n")[0] for ids in inputs.ids]
        seen.update(line.replace(" A.", ".").replace(" B.", ".") for line in fed)
        return inputs

    monkeypatch.setattr(extraction, "encode", watched)
    resi.run([*words, "stage=representations"])
    return seen


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_without_their_words_nothing_is_asked(words: list[str], protocol: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resi.run([*words, f"protocol={protocol}"])
    message = str(caught.value)
    assert "\n" not in message
    assert "nlp/llm_tests.ipynb of the published benchmark's code (commit 24ab9e5), line 53" in message
    assert "model.smollm2.instruction='...'" in message
    assert str(tmp_path / "zoo" / "models/nlp/smollm/instruction_sst2.txt") in message
    assert text_dataset("sst2").prompt.instruction not in message


def test_the_words_beside_the_weights_are_what_models_are_asked(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zoo" / "smollm" / "instruction_sst2.txt").write_text(f"{TEXT}\n")
    plan = make_plan(compose(words))
    models = {model for model, _ in plan.models}
    assert {model.hyperparameters["instruction"] for model in models} == {TEXT}
    given = make_plan(compose([*words, f'model.smollm2.instruction="{TEXT}"']))
    assert {model.fingerprint for model, _ in given.models} == {model.fingerprint for model in models}
    assert first_lines(monkeypatch, words) == {TEXT}

    folder = tmp_path / "zoo" / published_folders(model_of("smollm2", "sst2", "shortcut_0", 0))[0]
    (folder / "instruction.txt").write_text("Its own.")
    changed = {model.hyperparameters["instruction"] for model, _ in make_plan(compose(words)).models}
    assert changed == {"Its own.", TEXT}
    (folder / "instruction.txt").write_text("Two\nlines.")
    with pytest.raises(UsageError, match=r"instruction\.txt holds 'Two\\nlines\.': expected one line"):
        make_plan(compose(words))


@pytest.mark.parametrize("text", ["no full stop", "two\nlines.", ""])
def test_a_line_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"model\.smollm2_tiny\.instruction is .*: expected one line that ends in a full"
    ):
        LanguageDomain().hyperparameters("smollm2_tiny", "sst2", "standard", {"instruction": text})


def test_models_trained_here_are_asked_as_before() -> None:
    values = LanguageDomain().hyperparameters("smollm2", "sst2", "standard", {})
    assert values["instruction"] == text_dataset("sst2").prompt.instruction
