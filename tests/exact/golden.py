"""What the self-test of ``resi doctor`` compares with: two small representations, and each measure's exact value.

``python -m tests.exact.golden`` writes the file in the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.exact.definitions import DEFINITIONS, MP, Ranks, exact

GOLDEN = Path(__file__).resolve().parents[2] / "src" / "resi" / "upkeep" / "golden.json"
SHOWN_DIGITS = 20
NEIGHBOURS = {"k": 4}


def representations() -> tuple[list[list[float]], list[list[float]]]:
    """Return two related representations of 16 samples, of a few digits, with means other than zero."""
    rng = np.random.default_rng(20)
    latent = rng.normal(size=(16, 3))
    sides = [
        latent @ rng.normal(size=(3, d)) + 0.5 * rng.normal(size=(16, d)) + offset for d, offset in ((5, 1), (4, -0.5))
    ]
    R, S = (np.round(side, 3).tolist() for side in sides)
    return R, S


def golden() -> dict[str, Any]:
    """Return the content of the file: values as texts, which have more digits than a float64."""
    R, S = representations()
    found = {}
    for name, define in DEFINITIONS.items():
        given = NEIGHBOURS if name in ("jaccard", "rank_similarity", "second_order_cosine") else {}
        value = define(exact(np.array(R)), exact(np.array(S)), Ranks(), **given)
        found[name] = {"value": MP.nstr(value, SHOWN_DIGITS), "parameters": given}
    return {"R": R, "S": S, "measures": found}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
