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

from string import ascii_uppercase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resi.domains.language.data import Texts
    from resi.domains.language.datasets.base import PromptStyle


def prompts(texts: Texts, style: PromptStyle, instruction: str) -> list[str]:
    """Return the prompt of every row, up to where the answer begins.

    The hint of a shortcut is a letter before the full stop of the instruction. The options are the dataset's own
    classes, also for models that learn random labels of new ones.
    """
    options = "\n".join(f"{letter}) {option}" for letter, option in zip(ascii_uppercase, style.options, strict=False))
    found = []
    for row in range(len(texts)):
        first = instruction
        if texts.hints is not None:
            first = f"{instruction.removesuffix('.')} {style.letters[texts.hints[row]]}."
        fields = (f"{name}: {column[row]}" for name, column in zip(style.fields, texts.columns, strict=True))
        found.append("\n".join((first, *fields, "Options:", options, "Answer:")))
    return found


def answers(style: PromptStyle) -> list[str]:
    """Return the answer for each label, the new ones included: a blank and a letter."""
    return [f" {letter}" for letter in style.letters]
