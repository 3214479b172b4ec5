"""Small real models with their tokenizers, and small files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

TEXTS = [
    "a fine film",
    "the plot is thin and the film is long",
    "fine",
    "a long long film the plot is a plot is a plot",
    "thin",
]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "fine", "film", "the", "plot", "is", "thin", "and", "long"]


def word_tokenizer(framed: bool):  # type: ignore[no-untyped-def]
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if framed:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return tokenizer


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny BERT of 12 positions and its tokenizer."""
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = BertModel(
            BertConfig(
                vocab_size=len(WORDS),
                hidden_size=8,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=16,
                max_position_embeddings=12,
            )
        )
    model.save_pretrained(folder)
    tokens = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=word_tokenizer(framed=True), model_input_names=names, **tokens)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of classes with small images of several modes, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    draws = np.random.default_rng(0)
    for number, (name, mode) in enumerate(
        [("cat/b.png", "RGB"), ("cat/a.png", "L"), ("dog/c.PNG", "RGBA"), ("top.jpg", "RGB"), ("dog/deep/d.png", "P")]
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draws.integers(0, 256, (20 + number, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
    (folder / "labels.csv").write_text("file,label\n")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture(autouse=True, scope="session")
def quiet_libraries() -> None:
    logging.getLogger("transformers").setLevel(logging.ERROR)
