"""Finds the first line of the prompts of published causal models.

The published SmolLM2 were trained with a text of their publishers. resi does not repeat it, and with another one their
representations and predictions are not those of the published models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resi.domains.language.hyperparameters import check_instruction
from resi.domains.language.lookup import text_dataset
from resi.domains.language.published import places_of
from resi.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from resi.specs import ModelSpec

FILE = "instruction.txt"
"""Holds the line, beside a model's weights or one folder above."""
NOTEBOOK = "nlp/llm_tests.ipynb of the published benchmark's code (commit 24ab9e5)"


def find_instruction(root: Path, model: ModelSpec) -> str:
    """Return the first line of the prompts that a published model was trained with, from a file beside its weights.

    Raises
    ------
    UsageError
        If there is no such file, or not one line in it: the message says where the publishers wrote it down.
    """
    of_all = f"instruction_{model.dataset}.txt"  # in the folder that holds the models of every dataset
    places = [
        path
        for folder in places_of(root, model)
        for path in (folder / FILE, folder.parent / FILE, folder.parents[1] / of_all)
    ]
    for path in places:
        if path.is_file():
            text = _read(path)
            check_instruction(f"{path} holds", text)
            return text
    line = text_dataset(model.dataset).published_line
    raise UsageError(
        f"models.source=published: the first line of prompts that {model.label} was trained with is not given, and "
        f"resi's own differs from it. Its publishers wrote it down in {NOTEBOOK}, line {line}: "
        f"copy it to model.{model.architecture}.instruction='...', to {places[0]}, or for all models on "
        f"{model.dataset} to {places[2]}"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
