"""The tutorial works, on few images and with networks that are hardly trained."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import resi
from tests.docs import tutorial


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str], Path]:
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tutorial.PAGE.parent))
        patch.chdir(folder)
        module = importlib.import_module("digits_models")
        few = tuple(part[:120] for part in module.digits())
        patch.setattr(module, "digits", lambda: few)
        patch.setattr(module, "train", functools.partial(module.train, epochs=1))
        return *tutorial.run(), folder


def test_it_takes_a_reader_few_lines() -> None:
    assert 5 < len(tutorial.lines_of_the_reader()) <= tutorial.MOST_LINES


def test_its_table_holds_the_cka_of_activations_taken_by_hand(ran: tuple[dict[str, Any], list[str], Path]) -> None:
    scope, _, folder = ran
    nets, images = {kind: net.eval() for kind, net in scope["nets"].items()}, scope["images"]
    assert {kind: len(scope["found"][kind]) for kind in nets} == {"plain": 5, "residual": 5, "vit": 6}

    with torch.no_grad():
        maps = nets["plain"].blocks[:2](images).mean((2, 3))
        tokens = nets["vit"].patches(images).flatten(2).transpose(1, 2) + nets["vit"].positions
        tokens = nets["vit"].blocks[:3](tokens).mean(1)
    grams = []
    for rows in (maps.double().numpy(), tokens.double().numpy()):
        centred = rows - rows.mean(0)
        grams.append(centred @ centred.T)
    cka = np.sum(grams[0] * grams[1]) / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1])

    row = scope["table"].filter(source="plain:blocks.1", target="vit:blocks.2")
    assert row["value"].item() == pytest.approx(cka, rel=1e-3)  # attention in float32, by two ways
    assert scope["table"].height == 16 * 17 / 2
    assert (folder / tutorial.PICTURE).read_bytes().startswith(b"\x89PNG")


def test_it_prints_the_scores_of_four_tests(ran: tuple[dict[str, Any], list[str], Path]) -> None:
    scope, printed, _ = ran
    titles = [line.split(":")[0] for text in printed for line in text.splitlines() if " scores of " in line]
    assert titles == ["label_randomization", "accuracy_correlation", "output_correlation", "layer_monotonicity"]
    assert len(scope["models"]) == 15
    assert isinstance(scope["models"][0], resi.Model)


def test_its_page_shows_what_the_code_prints(ran: tuple[dict[str, Any], list[str], Path]) -> None:
    """Values are those of the networks at full size, but there is the same number of tables and lines."""
    page = tutorial.PAGE.read_text(encoding="utf-8")
    shown = ["\n".join(text.splitlines()[1:-1]) for text in tutorial.OUTPUT.findall(page)]
    printed = [tutorial.tidy(text) for text in ran[1] if text]
    assert [outline(text) for text in shown] == [outline(text) for text in printed]


def outline(text: str) -> list[str]:
    """Return the lines of a text, of each row of a table only that there is one; remarks depend on the values."""
    lines = [line for line in text.splitlines() if line[:2] in ("  ", "* ") or " scores of " in line or not line]
    rows = [line for line in lines if not line.startswith("* better")]
    return [line if " scores of " in line else "row" if line else "" for line in rows]
