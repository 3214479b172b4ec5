"""Prompts for causal language models: a question with lettered options, answered by the letter that follows.

::

    <instruction>
    Sentence: <text>
    Options:
    A) positive
    B) negative
    Answer:
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resi.domains.language.data import Texts


@dataclass(frozen=True)
class PromptStyle:
    """How rows of a dataset are asked about.

    Attributes
    ----------
    instruction : str
        First line, which ends in a full stop.
    fields : tuple of str
        What stands before each text.
    options : tuple of str
        In the order of the letters.
    letters : str
        The letter of each class, new ones included, in the order of the labels.
    """

    instruction: str
    fields: tuple[str, ...]
    options: tuple[str, ...]
    letters: str


# Every word costs, and a tiny model knows none of them.
TINY_INSTRUCTION = "Judge the text."
_SENTIMENT = PromptStyle(
    "You judge film reviews: say whether the sentiment of the sentence is positive or negative.",
    ("Sentence",),
    ("positive", "negative"),
    "BACDEFG",
)
STYLES = {
    "reviews": _SENTIMENT,
    "sst2": _SENTIMENT,
    "mnli": PromptStyle(
        "You judge arguments: say whether the hypothesis follows from the premise, contradicts it, or neither.",
        ("Premise", "Hypothesis"),
        ("entailment", "contradiction", "neutral "),  # with the blank that the published models were trained with
        "ACBDEFGH",
    ),
}


def prompts(texts: Texts, dataset: str, instruction: str) -> list[str]:
    """Return the prompt of every row, up to where the answer begins.

    The hint of a shortcut is a letter before the full stop of the instruction. The options are the dataset's own
    classes, also for models that learn random labels of new ones.
    """
    style = STYLES[dataset]
    options = "\n".join(f"{letter}) {option}" for letter, option in zip("ABC", style.options, strict=False))
    found = []
    for row in range(len(texts)):
        first = instruction
        if texts.hints is not None:
            first = f"{instruction.removesuffix('.')} {style.letters[texts.hints[row]]}."
        fields = (f"{name}: {column[row]}" for name, column in zip(style.fields, texts.columns, strict=True))
        found.append("\n".join((first, *fields, "Options:", options, "Answer:")))
    return found


def answers(dataset: str) -> list[str]:
    """Return the answer for each label, the new ones included: a blank and a letter."""
    return [f" {letter}" for letter in STYLES[dataset].letters]
