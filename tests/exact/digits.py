"""How many digits of each measure hold, by precision, offset, scale, condition and nearness: tables for the docs.

``python -m tests.exact.digits`` prints them; with ``--write`` it puts them into docs/numerics.md.
"""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import resi
from resi.errors import DegenerateInputError
from tests.exact.definitions import DEFINITIONS, MP, NoValueError, Ranks, exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.exact.definitions import Matrix

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"
BEGIN, END = "<!-- begin: {} -->", "<!-- end: {} -->"
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
PAIRS = 3
MOST = 15
# What is left of zero in the definitions, which take roots of numbers of 50 digits.
NOTHING = 1e-20
NEIGHBOURS = {"k": 5}


def pair(number: int) -> tuple[Matrix, Matrix, np.random.Generator]:
    """Return two related representations of 20 samples, of moderate size and condition."""
    rng = np.random.default_rng(number)
    latent = rng.normal(size=(20, 4))
    sides = [latent @ rng.normal(size=(4, d)) + 0.5 * rng.normal(size=(20, d)) for d in (6, 5)]
    return exact(sides[0]), exact(sides[1]), rng


def offset(size: float) -> Callable[..., tuple[Matrix, Matrix]]:
    def change(R: Matrix, S: Matrix, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
        return R + exact(size * rng.normal(size=(1, 6))), S + exact(size * rng.normal(size=(1, 5)))

    return change


def scale(power: int) -> Callable[..., tuple[Matrix, Matrix]]:
    return lambda R, S, rng: (R * MP.mpf(10) ** power, S * MP.mpf(10) ** power)


def condition(number: float) -> Callable[..., tuple[Matrix, Matrix]]:
    """Stretch directions, not neurons, so that the largest and smallest lie about this factor apart."""

    def change(R: Matrix, S: Matrix, rng: np.random.Generator) -> tuple[Matrix, Matrix]:
        sides = []
        for X in (R, S):
            d = X.shape[1]
            turns = [exact(np.linalg.qr(rng.normal(size=(d, d)))[0]) for _ in range(2)]
            sides.append((X @ turns[0] * exact(np.geomspace(1, 1 / number, d))) @ turns[1])
        return sides[0], sides[1]

    return change


def near(distance: float) -> Callable[..., tuple[Matrix, Matrix]]:
    return lambda R, S, rng: (R, R + exact(distance * rng.normal(size=R.shape)))


CIRCUMSTANCES: dict[str, Callable[..., tuple[Matrix, Matrix]]] = {
    "ordinary": lambda R, S, rng: (R, S),
    "offset 1e3": offset(1e3),
    "offset 1e6": offset(1e6),
    "scale 1e-30": scale(-30),
    "scale 1e30": scale(30),
    "condition 1e3": condition(1e3),
    "condition 1e6": condition(1e6),
    "1e-3 apart": near(1e-3),
    "1e-6 apart": near(1e-6),
}


def definition(name: str, R: Matrix, S: Matrix) -> float | None:
    try:
        return float(DEFINITIONS[name](R, S, Ranks(), **_parameters(name)))
    except NoValueError:
        return None


def _parameters(name: str) -> dict[str, Any]:
    return NEIGHBOURS if name in ("jaccard", "rank_similarity", "second_order_cosine") else {}


def digits(found: float | None, expected: float | None) -> float:
    """Return how many digits of a value hold, at most 15; nan if there is no value."""
    if found is None or expected is None:
        return math.nan
    if abs(found - expected) < NOTHING:  # as where rounding has made both sides the same
        return MOST
    return min(MOST, max(0.0, -math.log10(abs(found - expected) / max(abs(expected), NOTHING))))


def measured(name: str, change: Callable[..., tuple[Matrix, Matrix]], dtype: torch.dtype) -> tuple[str, str]:
    """Return the digits that hold of the numbers given, and of those before they were rounded, at worst."""
    given_digits, before_digits = [], []
    for number in range(PAIRS):
        sides = change(*pair(number))
        arrays = [torch.from_numpy(X.astype(np.float64)).to(dtype) for X in sides]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = resi.compare(*arrays, name, **_parameters(name))
        except DegenerateInputError:
            found = None
        given = [exact(x.double().numpy()) for x in arrays]
        given_digits.append(digits(found, definition(name, *given)))
        before_digits.append(digits(found, definition(name, *sides)))
    return _worst(given_digits), _worst(before_digits)


def _worst(found: list[float]) -> str:
    return "-" if any(map(math.isnan, found)) else str(int(min(found)))


def tables() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each table."""
    rows: dict[str, list[str]] = {"arithmetic": [], "storage": []}
    for name in sorted(DEFINITIONS):
        cells: dict[str, list[str]] = {kind: [] for kind in rows}
        for change in CIRCUMSTANCES.values():
            found = [measured(name, change, dtype) for dtype in DTYPES.values()]
            for kind, numbers in zip(rows, zip(*found, strict=True), strict=True):
                cells[kind].append(" ".join(f"{number:>2}" for number in numbers))
        for kind, lines in rows.items():
            lines.append(f"| `{name}` | {' | '.join(cells[kind])} |")
        sys.stderr.write(f"{name}\n")
    head = f"| measure | {' | '.join(CIRCUMSTANCES)} |\n|---|{'---|' * len(CIRCUMSTANCES)}\n"
    for kind, lines in rows.items():
        yield kind, head + "\n".join(lines) + "\n"


def main() -> None:
    page = PAGE.read_text(encoding="utf-8") if "--write" in sys.argv else None
    for kind, text in tables():
        sys.stdout.write(f"{kind}\n{text}\n")
        if page is not None:
            before, _, rest = page.partition(BEGIN.format(kind))
            _, _, after = rest.partition(END.format(kind))
            page = f"{before}{BEGIN.format(kind)}\n{text}{END.format(kind)}{after}"
    if page is not None:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
