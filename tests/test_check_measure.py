"""Each kind of fault of a measure is found and named; what is right passes, whatever inputs are drawn."""

from __future__ import annotations

import json
import random
import sys
import time
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import resi
from resi.cli.main import run_command
from resi.errors import DegenerateInputError, ShapeError, UsageError
from resi.measures.functions import from_function
from resi.registry import measures
from resi.testing import MeasureCheckError, check_measure, measure_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from resi.measures.base import Measure


def centred(x: Any) -> Any:
    return x - x.mean(0)


@dataclass
class Honest(resi.Measure):
    """Linear CKA as its paper has it, but for arrays of any scale."""

    name = "honest"
    larger_is_more_similar = True
    invariances = frozenset({"orthogonal", "permutation", "isotropic_scaling", "translation"})
    self_value = 1.0

    def prepare(self, x: Any) -> Any:
        found = centred(x.matrix)
        largest = float(found.abs().max())
        if largest <= 1e-12 * float(x.matrix.abs().max()):
            raise DegenerateInputError("all rows are the same")
        found = found / largest
        return found / (found.T @ found).norm().sqrt()

    def compare(self, a: Any, b: Any) -> float:
        return float((a.T @ b).square().sum())


@dataclass
class HonestDistance(resi.Measure):
    """Distance of the distance matrices."""

    name = "honest_distance"
    larger_is_more_similar = False
    metric = True
    self_value = 0.0
    invariances = frozenset({"orthogonal", "permutation", "translation"})

    def prepare(self, x: Any) -> Any:
        return torch.cdist(x.matrix, x.matrix, compute_mode="donot_use_mm_for_euclid_dist")

    def compare(self, a: Any, b: Any) -> float:
        return float((a - b).norm())

    def prepared_bytes(self, n_samples: int, n_features: int) -> int:
        return 8 * n_samples * (2 * n_features + n_samples)


def similarity(R: Any, S: Any) -> float:
    """Return the value of ``Honest``, and NaN where there is none."""
    R, S = centred(R), centred(S)
    return float((R.T @ S).square().sum() / ((R.T @ R).norm() * (S.T @ S).norm()))


def distance(R: Any, S: Any) -> float:
    return float((torch.cdist(R, R) - torch.cdist(S, S)).norm())


def made(function: Any, **facts: Any) -> type[Measure]:
    return resi.as_measure(function, name="made", **{"larger_is_more_similar": True, **facts})


def variant(base: type[Measure] = Honest, **body: Any) -> type[Measure]:
    return dataclass(types.new_class("Variant", (base,), exec_body=lambda names: names.update(body)))


class Counter:
    calls = 0

    def __call__(self, R: Any, S: Any, _: str) -> float:
        self.calls += 1
        return similarity(R, S) + 1e-4 * self.calls


def drawing(draw: Any) -> Any:
    return lambda R, S, _: similarity(R, S) + 0 * float(draw())


def written(self: Any, a: Any, b: Any) -> float:
    a.mul_(2)
    return float((a.T @ b).square().sum())


def last_wins(self: Any, x: Any) -> Any:
    self.last = Honest.prepare(self, x)
    return self.last


def of_pairs(self: Any, states: Any, pairs: Any, spread: Any) -> Any:
    return [Honest.compare(self, states[a], states[b]) + 1e-12 * len(pairs) for a, b in pairs]


def other_values(self: Any, states: Any, pairs: Any, spread: Any) -> Any:
    return [Honest.compare(self, states[a], states[b]) ** 2 for a, b in pairs]


def permuted(states: Any, pairs: Any, orders: Any) -> Any:
    return [
        torch.tensor([float((states[a].T @ states[b][order]).square().sum()) for order in orders], dtype=torch.float64)
        for a, b in pairs
    ]


def no_copies(self: Any, a: Any, b: Any) -> float:
    n_distinct = len(a.unique(dim=0))
    return Honest.compare(self, a, b) if n_distinct == 30 or len(a) != 30 or n_distinct < 16 else 1 / 0


@dataclass
class Seeded(Honest):
    """Says that no draws decide, and depends on its seed."""

    name = "seeded"
    seed: int = 0

    def compare(self, a: Any, b: Any) -> float:
        return super().compare(a, b) + (1e-3 * self.seed)


class Racing:
    """Keeps what it works on where other threads change it."""

    def __call__(self, R: Any, S: Any, _: str) -> float:
        self.R = R
        time.sleep(1e-4)
        return similarity(self.R, S) if len(self.R) == len(S) else 0.0


NAN = "degenerate input: expected a finite number, or resi.errors.DegenerateInputError, found nan, on one side constant"
FAULTS: dict[str, tuple[Any, str]] = {
    "similarity that is a distance": (
        lambda: variant(larger_is_more_similar=False),
        "direction: noisy copy: expected smaller",
    ),
    "distance that is a similarity": (
        lambda: made(lambda R, S, _: distance(R, S)),
        "direction: noisy copy: expected larger",
    ),
    "inverted for all but itself": (
        lambda: made(lambda R, S, _: 2.0 if torch.equal(R, S) else 1 - similarity(R, S)),
        "direction: noisy copy: expected larger",
    ),
    "the same for all": (
        lambda: made(lambda R, S, _: 1.0),
        "direction: noisy copy: expected a copy and independent noise",
    ),
    "the same for all, direction not known": (
        lambda: from_function(lambda R, S: 1.0, "made"),
        "different values: expected a copy and independent noise distinguished, found one value for all, 1",
    ),
    "a matrix": (
        lambda: made(lambda R, S, _: R.T @ S),
        "a finite number: expected one for two representations, found MeasureError: made returned a tensor of shape "
        "(6, 5), expected a number",
    ),
    "nothing": (
        lambda: made(lambda R, S, _: None),
        "a finite number: expected one for two representations, found MeasureError: made returned None, expected a",
    ),
    "not symmetric": (
        lambda: made(lambda R, S, _: similarity(R, S) + float(R.mean() - S.mean())),
        "symmetric: expected the value of the other order",
    ),
    "another value with itself": (
        lambda: variant(self_value=0.5),
        "self_value: expected self_value as stated, 0.5, found 1",
    ),
    "invariance that does not hold": (
        lambda: variant(invariances=frozenset({"invertible_linear"})),
        "invariant to invertible_linear: expected the value before",
    ),
    "invariance of one side alone": (
        lambda: made(
            lambda R, S, _: similarity(R, S) + float(S[:, 0].mean()), symmetric=False, invariances={"permutation"}
        ),
        "invariant to permutation: expected the value before",
    ),
    "metric that is a square": (
        lambda: variant(HonestDistance, compare=lambda self, a, b: float((a - b).square().sum())),
        "metric: triangle: expected",
    ),
    "metric that is a cosine": (
        lambda: made(
            lambda R, S, _: float(
                1 - torch.nn.functional.cosine_similarity(*(torch.cdist(X, X).flatten() for X in (R, S)), 0)
            ),
            larger_is_more_similar=False,
            metric=True,
        ),
        "metric: triangle: expected",
    ),
    "metric below zero": (
        lambda: made(lambda R, S, _: distance(R, S) - 3, larger_is_more_similar=False, metric=True),
        "metric: identity: expected 0 for a representation with itself, found -3",
    ),
    "input written to": (
        lambda: made(lambda R, S, _: similarity(R.sub_(1), S)),
        "input left as it is: expected no change",
    ),
    "states written to": (lambda: variant(compare=written), "input left as it is: expected no change"),
    "another value at the second call": (lambda: made(Counter()), "the same value again: expected"),
    "draws of torch": (lambda: made(drawing(lambda: torch.rand(1))), "found changed: the generator of torch"),
    "draws of numpy": (lambda: made(drawing(np.random.random)), "found changed: the generator of numpy"),
    "draws of Python": (lambda: made(drawing(random.random)), "found changed: the generator of Python"),
    "seed of torch": (
        lambda: made(drawing(lambda: torch.manual_seed(0).seed() * 0)),
        "changed: the generator of torch",
    ),
    "flag of torch": (
        lambda: made(drawing(lambda: torch.set_float32_matmul_precision("high") or 0)),
        "found changed: torch's precision of products",
    ),
    "undeclared draws": (lambda: Seeded, "deterministic: expected the same value for another seed"),
    "order of samples": (
        lambda: made(lambda R, S, _: similarity(R[:20], S[:20])),
        "order of samples: expected the value before reordering both sides",
    ),
    "half precision": (
        lambda: variant(
            prepare=lambda self, x: centred(x.given).double() if x.epsilon < 1e-3 else 1 / 0, invariances=()
        ),
        "type bfloat16: expected the value of the same numbers in float64, found ZeroDivisionError",
    ),
    "strides": (
        lambda: variant(prepare=lambda self, x: Honest.prepare(self, x) + 0 * x.given.view(-1)[0]),
        "layout in memory: expected the value of a contiguous array, found RuntimeError",
    ),
    "error for few samples": (
        lambda: made(lambda R, S, _: similarity(R, S) / (len(R) > R.shape[1] or 1 / 0)),
        "a finite number: expected one for two representations, found ZeroDivisionError: division by zero, on more",
    ),
    "error for one feature": (
        lambda: made(lambda R, S, _: similarity(R, S) + 0 * float(R[:, 1].sum())),
        "shapes: expected a value, or resi.errors.DegenerateInputError, found IndexError",
    ),
    "NaN of what is constant": (lambda: made(lambda R, S, _: similarity(R, S)), NAN),
    "a constant beside the scale": (
        lambda: made(
            lambda R, S, _: float(
                (centred(R).T @ centred(S)).norm() ** 2
                / ((centred(R).T @ centred(R)).norm() * (centred(S).T @ centred(S)).norm() + 1e-8)
            ),
            invariances={"isotropic_scaling"},
        ),
        "scale: expected the value before",
    ),
    "a mean that cancels": (
        lambda: variant(
            prepare=lambda self, x: Honest.prepare(self, x) * (1 + float(x.matrix.float().mean(0).square().sum() > 1e6))
        ),
        "large mean: expected the value before",
    ),
    "the last that was prepared": (
        lambda: variant(prepare=last_wins, compare=lambda self, a, b: Honest.compare(self, a, self.last)),
        "prepare and compare: expected of states that were prepared before any comparison",
    ),
    "a call of its own": (
        lambda: variant(__call__=lambda self, R, S, shape="nd": 0.0),
        "__call__: expected the value of prepare and compare",
    ),
    "many that depend on each other": (lambda: variant(compare_many=of_pairs), "compare_many: expected the same bits"),
    "many that differ": (lambda: variant(compare_many=other_values), "compare_many: expected the value of compare"),
    "too few of many": (lambda: variant(compare_many=lambda *_: []), "compare_many: expected 6 values for 6 pairs"),
    "too few bytes": (
        lambda: variant(HonestDistance, prepared_bytes=lambda self, n, d: 8 * n * d),
        "prepared_bytes: expected",
    ),
    "no bytes": (lambda: variant(prepared_bytes=lambda self, n, d: None), "prepared_bytes: expected"),
    "a note of two lines": (lambda: variant(note=lambda self, a, b: "one\ntwo"), "note: expected a text of one line"),
    "another order of states": (
        lambda: variant(permuted=lambda self, state, order: state[order.flip(0)]),
        "permuted: expected the value of rows in that order that are prepared",
    ),
    "states that are reordered in place": (
        lambda: variant(permuted=lambda self, state, order: state.copy_(state[order])),
        "permuted: expected no change of the state that is given",
    ),
    "another order of values": (
        lambda: variant(
            permuted_values=lambda self, states, pairs, orders, spread: permuted(states, pairs, orders.flip(0))
        ),
        "permuted_values: expected the value of rows in that order that are prepared",
    ),
    "no value for copies": (
        lambda: variant(compare=no_copies, copies=True),
        "copies: expected a value for samples that are drawn, found ZeroDivisionError",
    ),
    "draws with other weights": (
        lambda: variant(resampled_values=lambda self, states, pairs, counts, spread: [counts[:, 0]]),
        "resampled_values: expected the value of rows that are drawn and prepared",
    ),
    "threads": (lambda: made(Racing()), " on several threads: expected"),  # calls, or the engine
    "the end of the program": (
        lambda: made(lambda R, S, _: sys.exit()),
        "a finite number: expected one for two representations",
    ),
    "a resolution that is none": (
        lambda: made(lambda R, S, _: similarity(R, S), resolution=0.0),
        "resolution: expected reordering samples to change values by a share of 0",
    ),
}


@pytest.fixture
def flags_put_back() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("flags_put_back")
@pytest.mark.parametrize("fault", FAULTS)
def test_every_kind_of_fault_is_named(fault: str) -> None:
    build, line = FAULTS[fault]
    report = measure_report(build(), cost=False)
    assert any(line in text for text in report.error.splitlines()), report.error


class Resampled(Honest):
    """Honest, with what makes permutations and draws of samples fast."""

    copies = True

    def permuted(self, state: Any, order: Any) -> Any:
        return state[order]

    def permuted_values(self, states: Any, pairs: Any, orders: Any, spread: Any) -> Any:
        return permuted(states, pairs, orders)

    def resampled_values(self, states: Any, pairs: Any, counts: Any, spread: Any) -> Any:
        return [torch.stack([weighted(states[a], states[b], weights) for weights in counts]) for a, b in pairs]


def weighted(a: Any, b: Any, weights: Any) -> Any:
    a, b = (X - weights @ X / weights.sum() for X in (a, b))
    products = [(X.T * weights @ Y).square().sum() for X, Y in ((a, b), (a, a), (b, b))]
    return products[0] / (products[1] * products[2]).sqrt()


@pytest.mark.parametrize("measure", [Honest, HonestDistance, dataclass(Resampled)])
def test_what_is_right_passes(measure: type[Measure]) -> None:
    for seed in range(2):
        report = measure_report(measure, seed=seed, cost=False)
        assert not report.failed
        assert not report.undeclared
        assert {remark.subject for remark in report.skipped} <= {"device cuda"}


def test_all_violations_are_in_one_error_a_line_each() -> None:
    false = variant(symmetric=True, self_value=0.5, invariances=frozenset({"affine"}), larger_is_more_similar=False)
    with pytest.raises(MeasureCheckError) as caught:
        check_measure(false)
    lines = str(caught.value).splitlines()
    checks = {line.split(": ")[1] for line in lines}
    assert {"self_value", "invariant to affine", "direction"} <= checks
    assert all(line.startswith("honest: ") and ": expected " in line and ", found " in line for line in lines)


def test_what_holds_and_is_not_declared_is_suggested() -> None:
    silent = variant(symmetric=False, self_value=None, invariances=frozenset())
    found = {remark.subject for remark in measure_report(silent, cost=False).undeclared}
    held = ("orthogonal", "permutation", "isotropic_scaling", "translation")
    assert found == {"symmetric", "self_value", *(f"invariances: {name}" for name in held)}
    no_metric = measure_report(variant(HonestDistance, metric=False), cost=False)
    assert [remark.subject for remark in no_metric.undeclared] == ["metric"]
    squared = variant(HonestDistance, metric=False, compare=lambda self, a, b: float((a - b).square().sum()))
    assert not measure_report(squared, cost=False).undeclared


def test_what_is_suggested_can_be_pasted() -> None:
    def cosine(R: Any, S: Any) -> float:
        return similarity(R, S)

    report = measure_report(from_function(cosine), cost=False)
    lines = str(report).splitlines()
    at = lines.index("to declare it, below the function")
    pasted = [line.strip() for line in lines[at + 1 : lines.index("", at)]]
    assert "cosine.symmetric = True" in pasted
    exec("\n".join(pasted), {"cosine": cosine})
    again = measure_report(from_function(cosine), cost=False)
    assert not again.undeclared
    assert not {"symmetric", "self_value"} - set(again.passed)
    silent = variant(symmetric=False, self_value=None, invariances=frozenset({"permutation"}))
    declared = measure_report(silent, cost=False).declarations
    every = '{"orthogonal", "permutation", "isotropic_scaling", "translation"}'
    assert declared == ("symmetric = True", "self_value = 1.0", f"invariances = {every}")


def test_a_power_that_does_not_fit_is_not_shown() -> None:
    from resi.testing.measures.cost import Cost, Times

    def growth(*seconds: float) -> float | None:
        times = [Times(64 * 2**place, 4, one, one) for place, one in enumerate(seconds)]
        return Cost(times, times, "").exponent("compare", "samples")

    assert growth(1.0, 2.0, 4.0) == pytest.approx(1)
    assert growth(1.0, 1.0, 30.0) is None
    assert growth(1.0, 1.0, 0.98) is None
    assert growth(4.0, 1.0, 4.0) is None


def test_a_function_has_no_time_of_preparing() -> None:
    def shift(R: Any, S: Any) -> float:
        return float((R.mean() - S.mean()).abs())

    assert [line.split()[0] for line in measure_report(from_function(shift)).cost.lines()] == ["compare", "declared"]
    assert "prepare (once" in "\n".join(measure_report(Honest).cost.lines())


def test_a_measure_that_writes_to_its_input_is_checked_in_all_else() -> None:
    report = measure_report(made(lambda R, S, _: similarity(R.sub_(1), S), self_value=0.5), cost=False)
    assert {"input left as it is", "self_value"} <= {violation.check for violation in report.failed}
    assert "layout in memory" in report.passed


def test_widths_that_are_refused_are_said() -> None:
    def cosine(R: Any, S: Any, _: str) -> float:
        if R.shape != S.shape:
            raise ShapeError("both need the same width")
        if not float(R.norm() * S.norm()):
            raise DegenerateInputError("all zero")
        R, S = R / R.abs().max(), S / S.abs().max()
        return float((R * S).sum() / (R.norm() * S.norm()))

    report = measure_report(made(cosine, invariances={"isotropic_scaling"}, self_value=1.0), cost=False)
    assert not report.failed
    assert ("different widths", "refused: ShapeError: made: both need the same width", "") in report.limits


@dataclass
class Chosen(Honest):
    """Honest for a power of 1 alone."""

    name = "chosen"
    power: float = 1.0

    def compare(self, a: Any, b: Any) -> float:
        return super().compare(a, b) ** self.power - (self.power - 1)


def test_instances_and_settings() -> None:
    check_measure(Chosen(power=1.0))
    with pytest.raises(MeasureCheckError, match=r"^chosen\(power=2.0\): self_value: expected self_value as stated, 1,"):
        check_measure(Chosen, settings=[{}, {"power": 2.0}])
    with pytest.raises(UsageError, match="unknown parameter of chosen 'powr'; did you mean power"):
        check_measure(Chosen, settings=[{"powr": 2.0}])


def test_half_of_the_samples_may_be_too_few() -> None:
    report = measure_report(measures().get("jaccard")(k=20), cost=False)
    assert not report.failed
    assert "half of the samples" in {remark.subject for remark in report.skipped}


def test_global_generators_are_left_as_they_were() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    check_measure(Honest)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_growth_is_the_slope_of_the_largest_sizes() -> None:
    from resi.testing.measures.cost import Cost, Times

    times = [Times(n, 4, 1e-6 * n, 1e-9 * n**2) for n in (64, 128, 256, 512)]
    cost = Cost(times, times[:2], "O(N)")
    assert cost.exponent("prepare", "samples") == pytest.approx(1)
    assert cost.exponent("compare", "samples") == pytest.approx(2)
    assert cost.exponent("compare", "features") is None
    assert "grows as N^2.0 up to N = 512" in "\n".join(cost.lines())


FILE = """
from dataclasses import dataclass
import resi

@dataclass
class Shift(resi.Measure):
    name = "shift"
    larger_is_more_similar = False
    is_symmetric = {symmetric}
    invariant_to_permutation = True

    def __call__(self, R, S):
        return float((R.mean() - S.mean()) ** 2)

def other(R, S, shape):
    return float((R.mean() - S.mean()).abs())

other = resi.as_measure(other, name="other", larger_is_more_similar=False)
"""


def test_the_command_checks_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE.format(symmetric=True))
    assert run_command(["check-measure", str(path), "--no-cost"]) == 0
    said = capsys.readouterr().out
    assert "shift: conforms" in said
    assert "other: conforms" in said
    assert said.splitlines()[-1] == "2 measures: 2 conform"
    assert max(map(len, said.splitlines())) <= 80
    path.write_text(FILE.format(symmetric=True).replace("** 2)", "* 1)"))
    assert run_command(["check-measure", str(path), "--no-cost"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 measures: 1 conform, 1 failed: shift"
    assert run_command(["check-measure", f"{path}:shift", "--no-cost", "--json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert "symmetric" in {violation["check"] for violation in report["failed"]}
    for words, message in (
        ([str(tmp_path / "none.py")], "the file does not exist"),
        ([f"{path}:shft"], "unknown measure of"),
        (["ckaa"], "unknown measure 'ckaa'; did you mean cka"),
        ([], "name a measure or a Python file"),
        (["cka", "measure.rsa.k=3"], "unknown measure of this command: 'rsa'"),
    ):
        assert run_command(["check-measure", *words]) == 2
        assert message in capsys.readouterr().err
