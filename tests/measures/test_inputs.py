"""What a user sees of input that a measure cannot take, and that everything else is taken."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from resi.errors import DegenerateInputError, ShapeError
from resi.measures.base import as_measure
from resi.measures.features import Features
from resi.measures.functional import FUNCTIONAL

from .samples import LINEAR, MEASURES, NAMES

if TYPE_CHECKING:
    from resi.measures.base import Measure

every_measure = pytest.mark.parametrize("measure", LINEAR, ids=NAMES)
GOOD = np.random.default_rng(0).normal(size=(20, 4))


def with_nan() -> Any:
    bad = GOOD.copy()
    bad[3, 1] = np.nan
    bad[4, 0] = np.inf
    return bad


BAD = {
    "rows": (GOOD[:15], "R has 15 rows, S 20"),
    "nan": (with_nan(), r"R of shape \(20, 4\) holds 2 NaN or infinite values"),
    "vector": (GOOD[0], r"R has shape \(4,\)"),
    "cube": (GOOD.reshape(20, 2, 2), r"R has shape \(20, 2, 2\); shape='nd' needs 2 axes"),
    "integers": (np.arange(80).reshape(20, 4), r"R of shape \(20, 4\) is int64; expected floating point"),
    "float8": (torch.ones(20, 4).to(torch.float8_e4m3fn), r"R of shape \(20, 4\) is float8_e4m3fn; expected floating"),
    "complex": (GOOD * 1j, r"R of shape \(20, 4\) is complex128; expected floating point"),
    "text": (np.array([["a"] * 4] * 20), "R is not a numeric array"),
    "no columns": (GOOD[:, :0], r"R has shape \(20, 0\); at least 2 samples and 1 feature are needed"),
    "one row": (GOOD[:1], r"R has shape \(1, 4\); at least 2 samples"),
}


@every_measure
@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line(measure: type[Measure], kind: str) -> None:
    bad, message = BAD[kind]
    with pytest.raises(ShapeError, match=f"^{measure.name}: {message}") as caught:
        measure()(bad, GOOD)
    assert "\n" not in str(caught.value)
    with pytest.raises(ShapeError, match=f"^{measure.name}: "):
        measure()(GOOD, bad)


@pytest.mark.parametrize("name", [name for name in NAMES if MEASURES[name].family == "neighbours"])
def test_too_many_neighbours(name: str) -> None:
    message = rf"^{name}: k = 20 neighbours need at least 21 rows, but the representation has shape \(20, 4\)$"
    with pytest.raises(ShapeError, match=message):
        MEASURES[name](k=20)(GOOD, GOOD)  # type: ignore[call-arg]
    MEASURES[name](k=19)(GOOD, GOOD)  # type: ignore[call-arg]


@pytest.mark.parametrize("said", ["at least 30 rows are needed", "of_thirty: at least 30 rows are needed"])
def test_a_shape_that_a_measure_does_not_take_is_told_with_its_name(said: str) -> None:
    def refuse(R: Any, S: Any, shape: str) -> float:
        raise ShapeError(said)

    with pytest.raises(ShapeError, match=r"^of_thirty: at least 30 rows are needed$"):
        as_measure(refuse, name="of_thirty", larger_is_more_similar=True)()(GOOD, GOOD)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("pwcca", {"variant": "new"}, "pwcca: variant 'new' does not exist; known: corrected, published"),
        ("svcca", {"variant": ""}, "svcca: variant '' does not exist; known: corrected, published"),
        ("gulp", {"regularization": -1.0}, "gulp: regularization -1.0 must be a number of at least 0"),
        ("gulp", {"regularization": float("nan")}, "gulp: regularization nan must be a number of at least 0"),
        ("jaccard", {"k": 0}, "jaccard: k = 0; at least one neighbour is needed"),
        ("jaccard", {"variant": "paper"}, "jaccard: variant 'paper' does not exist; known: corrected, published"),
        ("second_order_cosine", {"variant": "x"}, "variant 'x' does not exist; known: corrected, published, paper"),
        ("rsm_norm_difference", {"variant": "corrected"}, "'corrected' does not exist; known: published, paper"),
        ("uniformity_difference", {"variant": "corrected"}, "'corrected' does not exist; known: published, paper"),
    ],
)
def test_bad_parameters(name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MEASURES[name](**fields)


@every_measure
def test_layouts_of_memory(measure: type[Measure]) -> None:
    """Views, transposed, reversed and read-only arrays are as good as any."""
    expected = measure()(GOOD, GOOD[:, :3].copy())
    read_only = GOOD.copy()
    read_only.flags.writeable = False
    variants = [np.asfortranarray(GOOD), GOOD[::-1].copy()[::-1], read_only, GOOD.tolist()]
    variants.append(np.repeat(GOOD, 2, axis=1)[:, ::2])
    for variant in variants:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert measure()(variant, GOOD[:, :3]) == pytest.approx(expected, rel=1e-9, abs=1e-7)
    tensor = torch.tensor(GOOD, requires_grad=True)
    assert measure()(tensor, GOOD[:, :3]) == pytest.approx(expected, rel=1e-9, abs=1e-7)


@every_measure
def test_prepared_states_are_as_good_as_a_call(measure: type[Measure]) -> None:
    """Features that many measures and pairs have used give the values of fresh ones."""
    rng = np.random.default_rng(1)
    sides = [rng.normal(size=(30, width)) for width in (5, 4, 6)]
    shared = [Features(torch.tensor(side)) for side in sides]
    for other in (MEASURES["cka"](), MEASURES["second_order_cosine"](), MEASURES["procrustes"](), MEASURES["gulp"]()):
        states = [other.prepare(side) for side in shared]
        other.compare(states[0], states[2])
        other.compare(states[1], states[0])
    tested = measure()
    states = [tested.prepare(side) for side in shared]
    for i, j in ((0, 1), (0, 2), (1, 0), (0, 1), (2, 2)):
        assert tested.compare(states[i], states[j]) == pytest.approx(tested(sides[i], sides[j]), rel=1e-12, abs=1e-7)


def test_all_zero_rows_are_left_out_with_a_warning() -> None:
    R, S = GOOD.copy(), np.tanh(GOOD)
    R[2] = 0
    S[[5, 6]] = 0
    with pytest.warns(UserWarning, match="aligned_cosine: 3 all-zero rows are left out"):
        value = MEASURES["aligned_cosine"]()(R, S)
    assert 0 < value < 1
    R[:10], S[10:] = 0, 0
    with pytest.raises(DegenerateInputError, match="every row is zero on at least one side"):
        MEASURES["aligned_cosine"]()(R, S)


def test_importing_measures_imports_nothing_slow() -> None:
    code = (
        "import sys, resi.measures as m, resi.measures.functional; m.MEASURES;"
        "print(sorted({'torch', 'scipy', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


@pytest.mark.parametrize("name", ["jsd", "disagreement"])
def test_bad_logits(name: str) -> None:
    with pytest.raises(ShapeError, match=rf"^{name}: a has shape \(20, 4\), b \(20, 3\)"):
        FUNCTIONAL[name](GOOD, GOOD[:, :3])
    with pytest.raises(ShapeError, match=rf"^{name}: b of shape \(20, 4\) holds 2 NaN"):
        FUNCTIONAL[name](GOOD, with_nan())


def test_logits() -> None:
    far = np.array([[1e5, 0.0], [0.0, 1e5]])
    assert FUNCTIONAL["jsd"](far, far) == 0
    assert FUNCTIONAL["jsd"](far, far[::-1].copy()) == 1
    assert FUNCTIONAL["jsd"](far, far + 7) == 0
    assert FUNCTIONAL["disagreement"](far, far[::-1]) == 1
    assert FUNCTIONAL["disagreement"](np.zeros((3, 2)), np.array([[1.0, 0]] * 3)) == 0
    with pytest.raises(ShapeError, match=r"^accuracy_difference: b is 81; expected an accuracy from 0 to 1$"):
        FUNCTIONAL["accuracy_difference"](0.5, 81)
