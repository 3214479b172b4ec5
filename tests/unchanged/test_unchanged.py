"""What users have stored stays valid, and networks compute what they did: all of it is as it was frozen.

Fingerprints of models, keys of comparisons and names of weights decide what of a user's data root is found again.
Where something is meant to change, :mod:`tests.unchanged.freeze` says how.
"""

from __future__ import annotations

import pytest
import torch

from tests.unchanged.current import EXACT
from tests.unchanged.golden import check, read
from tests.unchanged.values import FILLED, TOLERANCE, TRAINED, filled, trained

FROZEN_WITH = (2, 14)
"""Older versions of torch draw truncated normal numbers otherwise, and round otherwise what Adam turns into steps."""


@pytest.mark.parametrize("name", EXACT)
def test_what_decides_names_and_keys_is_as_it_was(name: str) -> None:
    check(name, EXACT[name]())


@pytest.mark.parametrize("case", TRAINED)
def test_a_short_training_gives_the_model_and_layers_that_it_did(case: str) -> None:
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < FROZEN_WITH:
        pytest.skip(f"torch {torch.__version__} is older than the numbers")
    check("values", trained(case), TOLERANCE, part=case)


@pytest.mark.parametrize("case", FILLED)
def test_a_large_network_computes_what_it_did(case: str) -> None:
    check("values", filled(case), TOLERANCE, part=case)


def test_nothing_is_frozen_that_is_not_looked_at() -> None:
    assert set(read("values")) == {*TRAINED, *FILLED}
