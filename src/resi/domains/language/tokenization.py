"""Tokenizers, pre-trained or trained on the data, and the inputs of models.

A model keeps its tokenizer among its weights, so that it is read with the tokenizer it was trained with.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from resi.domains.language.data import load_texts
from resi.domains.language.hyperparameters import TINY_INSTRUCTION
from resi.domains.language.lookup import text_dataset, text_network
from resi.domains.language.prompts import answers, prompts
from resi.domains.language.settings import kind_of
from resi.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenizers import Tokenizer
    from torch import Tensor

    from resi.domains.language.data import Texts
    from resi.specs import DatasetSpec, ModelSpec

STATE_KEY = "tokenizer.json"
FRAME = ("[CLS]", "[SEP]")
"""Tokens around an encoder's texts."""
PROBE_LENGTH = 128
"""Tokens at which an encoder's inputs are cut when representations are taken."""


@dataclass(frozen=True)
class Inputs:
    """Tokens of rows.

    Attributes
    ----------
    ids, types : list of list of int
        Token ids, and which text each token is of, row by row; not padded.
    targets : array of int, shape (n_rows,)
        What the model is to predict: labels, or the token ids of answers.
    """

    ids: list[list[int]]
    types: list[list[int]]
    targets: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """Return one row, as a data loader asks for it."""
        return {"ids": self.ids[row], "types": self.types[row], "target": int(self.targets[row])}


def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Return rows as one batch, padded at the right to the longest of them."""
    longest = max(len(row["ids"]) for row in rows)
    names = ("input_ids", "token_type_ids", "attention_mask")
    batch = {name: torch.zeros(len(rows), longest, dtype=torch.long) for name in names}
    for number, row in enumerate(rows):
        length = len(row["ids"])
        batch["input_ids"][number, :length] = torch.tensor(row["ids"])
        batch["token_type_ids"][number, :length] = torch.tensor(row["types"])
        batch["attention_mask"][number, :length] = 1
    return {**batch, "labels": torch.tensor([row["target"] for row in rows])}


def encode(tokenizer: Tokenizer, texts: Texts, spec: ModelSpec, max_length: int) -> Inputs:
    """Return a model's inputs for texts: prompts of causal models, never truncated, else the texts themselves.

    Token ids do not depend on the padding, the truncation or the special tokens that the tokenizer was saved with.

    Raises
    ------
    UsageError
        If the tokenizer lacks the tokens that frame an encoder's texts.
    """
    tokenizer = plain(tokenizer, spec.architecture)
    if text_network(spec.architecture).is_causal:
        rows: Any = prompts(texts, text_dataset(spec.dataset).prompt, spec.hyperparameters["instruction"])
        found = tokenizer.encode_batch(rows)
        targets = np.array(answer_ids(tokenizer, spec.dataset), dtype=np.int64)[texts.labels]
    else:
        tokenizer.enable_truncation(max_length, strategy="longest_first")
        first = texts.columns[0]
        if texts.hints is not None:
            first = tuple(hint_token(label) + text for label, text in zip(texts.hints, first, strict=True))
        rows = list(zip(first, *texts.columns[1:], strict=True)) if texts.columns[1:] else list(first)
        found = tokenizer.encode_batch(rows)
        targets = texts.labels
    return Inputs([item.ids for item in found], [item.type_ids for item in found], targets)


def plain(tokenizer: Tokenizer, architecture: str) -> Tokenizer:
    """Return a copy that neither pads nor cuts, and adds nothing but what frames an encoder's texts.

    A tokenizer.json keeps the padding, truncation and dropout that were switched on when it was saved, and may have
    its own post-processor.

    Raises
    ------
    UsageError
        If the tokenizer lacks the tokens that frame an encoder's texts.
    """
    copy = _unpadded(tokenizer)
    if text_network(architecture).is_causal:
        copy.post_processor = None
    else:
        _frame(copy)
    return copy


def is_plain(tokenizer: Tokenizer, architecture: str) -> bool:
    """Return whether a tokenizer gives texts the same ids as its plain copy."""
    given = ("a", None) if text_network(architecture).is_causal else ("a", "a")
    found, expected = (one.encode(*given) for one in (tokenizer, plain(tokenizer, architecture)))
    is_same = (found.ids, found.type_ids) == (expected.ids, expected.type_ids)
    return is_same and tokenizer.padding is None


def _unpadded(tokenizer: Tokenizer) -> Tokenizer:
    copy = from_json(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    if getattr(copy.model, "dropout", None):
        copy.model.dropout = None  # by which merges are left out at random
    return copy


def hint_token(label: int) -> str:
    """Return the token that hints at a label, put before the text of an encoder; the blank is part of it."""
    return f"[CLASS{label}] "


def answer_ids(tokenizer: Tokenizer, dataset: str) -> list[int]:
    """Return the token id of the answer for each label.

    Raises
    ------
    UsageError
        If the tokenizer takes an answer for more than one token.
    """
    found = []
    tokenizer = _unpadded(tokenizer)
    for answer in answers(text_dataset(dataset).prompt):
        ids = tokenizer.encode(answer, add_special_tokens=False).ids
        if len(ids) != 1:
            raise UsageError(
                f"the tokenizer splits the answer {answer!r} into {len(ids)} tokens; choose one that does not"
            )
        found.append(ids[0])
    return found


def make_tokenizer(spec: ModelSpec, dataset: DatasetSpec) -> Tokenizer:
    """Return the tokenizer of a model to be trained, with the tokens of its shortcut if it has one."""
    family = text_network(spec.architecture)
    if family.architecture(spec.architecture).hub:
        tokenizer = load_tokenizer(str(spec.hyperparameters["tokenizer"]).format(seed=spec.seed))
    else:
        tokenizer = from_json(_trained_on(dataset, spec.architecture))
    tokenizer = plain(tokenizer, spec.architecture)
    if kind_of(spec.setting) == "shortcut" and not family.is_causal:
        add_hint_tokens(tokenizer, load_texts(dataset, "train").classes)
    return tokenizer


def add_hint_tokens(tokenizer: Tokenizer, classes: int) -> None:
    """Give each class its own token."""
    from tokenizers import AddedToken

    tokenizer.add_special_tokens([AddedToken(hint_token(label), normalized=False) for label in range(classes)])


def load_tokenizer(source: str) -> Tokenizer:
    """Return a pre-trained tokenizer from a local folder or the hub.

    Raises
    ------
    UsageError
        If it cannot be loaded: the message says how to provide it without a network.
    """
    from tokenizers import Tokenizer

    folder = Path(source).expanduser()
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder) if folder.is_dir() else source).backend_tokenizer
    except Exception as error:  # for every error of the hub, the remedy is the same
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"the tokenizer {source} cannot be loaded ({type(error).__name__}: {reason}). Without a network, name a "
            "local folder with its files: model.NAME.tokenizer=FOLDER"
        ) from error


@functools.lru_cache(maxsize=4)
def _trained_on(dataset: DatasetSpec, architecture: str) -> str:
    """Return a tokenizer trained on the unaltered training texts, as JSON."""
    texts, family = load_texts(dataset, "train"), text_network(architecture)
    if family.is_causal:
        style = text_dataset(dataset.name).prompt
        corpus = prompts(texts, style, TINY_INSTRUCTION)
        # Every answer once a row, so that each is one token.
        corpus += ["".join(answers(style))] * len(texts)
    else:
        corpus = [text for column in texts.columns for text in column]
    tokenizer = family.train_tokenizer(corpus, family.architecture(architecture).vocabulary)
    if not family.is_causal:
        _frame(tokenizer)
    return tokenizer.to_str()


def _frame(tokenizer: Tokenizer) -> None:
    """Let an encoder's tokenizer frame texts by ``[CLS]`` and ``[SEP]``."""
    from tokenizers import processors

    ids = {name: tokenizer.token_to_id(name) for name in FRAME}
    if missing := [name for name, number in ids.items() if number is None]:
        raise UsageError(
            f"the tokenizer has no token {missing[0]}, which encoders put around texts; choose another one"
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=list(ids.items())
    )


def from_json(text: str) -> Tokenizer:
    """Return a tokenizer from its JSON."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)


def to_tensor(tokenizer: Tokenizer) -> Tensor:
    """Return a tokenizer as bytes, to be stored with a model's weights."""
    return torch.frombuffer(bytearray(_unpadded(tokenizer).to_str().encode()), dtype=torch.uint8)


def stored_tokenizer(state: Mapping[str, Tensor], spec: ModelSpec) -> Tokenizer:
    """Return the tokenizer that is stored with a model's weights.

    Raises
    ------
    ArtifactError
        If there is none, or if the weights were trained on what a tokenizer had added to the texts.
    """
    if STATE_KEY not in state:
        raise ArtifactError(f"the weights of {spec.label} come without a tokenizer; delete them and train again")
    tokenizer = from_json(bytes(state[STATE_KEY].cpu().numpy()).decode())
    # Earlier versions fed models what a file's own settings made of texts, and stored the settings with the weights.
    if not spec.checkpoint and not is_plain(tokenizer, spec.architecture):
        raise ArtifactError(
            f"the weights of {spec.label} were trained by an earlier version of resi on texts to which the tokenizer "
            "had added padding or special tokens; delete them and train again"
        )
    return tokenizer
