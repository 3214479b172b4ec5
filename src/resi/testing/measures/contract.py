"""Whether ``prepare``, ``compare``, ``compare_many`` and the engine agree with a plain call, and leave states alone."""

from __future__ import annotations

import itertools
import pickle
from typing import TYPE_CHECKING, Any

from resi.measures.base import Measure
from resi.measures.guard import arrays_in, is_built_in
from resi.registry.files import file_of
from resi.testing.measures.report import Remark
from resi.testing.measures.samples import WIDTH, related

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from resi.testing.measures.case import Case
    from resi.testing.measures.samples import Matrix
else:
    from resi.lazy import torch

THREADS = 4
SLACK = 2**14
"""So many bytes may be held beyond what is declared."""
SIZES = ((200, 6), (30, 300))


def check_contract(case: Case) -> None:
    """Check states that are prepared once and compared many times."""
    arrays = _arrays(case)
    with case.expecting("prepare and compare", "states for representations that have values"):
        states = case.prepared(*arrays)
        before = [(array, _bits(array)) for array in arrays_in(*states)]
        _check_compare(case, arrays, states)
        _check_compare_many(case, states)
        changed = sum(not _same(array, bits) for array, bits in before)
        what = "no change of them by compare"
        case.expect(not changed, "prepared states", what, f"{changed} of {len(before)} arrays changed")
    _check_call(case)


def check_engine(case: Case) -> None:
    """Check that the engine gives what a plain call gives, on several threads at once."""
    check = "engine on several threads"
    if not case.is_guarded:
        case.skipped.append(Remark(check, "the measure writes to its input, which the engine refuses"))
        return
    from resi.engine.execution import Engine
    from resi.engine.tiles import Task
    from resi.machine.devices import plain_arithmetic
    from resi.representation import Representation

    arrays = {f"{place} ({len(X)} x {X.shape[1]})": X for place, X in enumerate(_arrays(case))}
    items = {
        name: Representation(name, array.shape, "nd", "", lambda array=array: array, itemsize=array.dtype.itemsize)  # type: ignore[misc]
        for name, array in arrays.items()
    }
    name = case.measure.name
    engine = Engine({name: case.measure}, 10**10, torch.device("cpu"), threads=THREADS)
    with plain_arithmetic():
        outcomes = list(engine.run([Task(a, b, name) for a, b in itertools.combinations(items, 2)], items))
    for outcome in outcomes:
        on = f"{outcome.task.source} and {outcome.task.target}"
        with case.expecting(check, "what a plain call gives", on):
            expected = case.value(arrays[outcome.task.source], arrays[outcome.task.target])
            holds = outcome.value is not None and case.close(outcome.value, expected)
            found = f"{outcome.value!r} {outcome.error}"
            case.expect(holds, check, f"what a plain call gives, {expected!r}", found, on)


def check_prepared_bytes(case: Case) -> None:
    """Check that ``prepare`` leaves no more in memory than ``prepared_bytes`` declares: the engine plans by it."""
    for n_samples, n_features in SIZES:
        on = f"{n_samples} x {n_features}"
        with case.expecting("prepared_bytes", "a number of bytes", on):
            with case.calling():
                declared = case.measure.prepared_bytes(n_samples, n_features)
                features = case.features(related(case.seed, 80, n_features, n_samples))
                state = case.measure.prepare(features)
            held = _nbytes(features, state)
            fits = isinstance(declared, int | float) and held <= 1.1 * declared + SLACK
            what = f"no more than the {declared} bytes it declares to be held"
            case.expect(fits, "prepared_bytes", what, f"{held} bytes", on)


def check_pickle(case: Case) -> None:
    """Say whether a measure and its states can be sent to other processes."""
    R, S = case.pairs[0].R, case.pairs[0].S
    # Another process reads the file of a measure again, see resi.engine.recipes.
    parts: dict[str, Any] = {} if file_of(type(case.measure)) else {"the measure": case.measure}
    try:
        if not is_built_in(case.measure):  # built-in ones prepare what the engine holds
            parts["its states"] = case.prepared(R, S)
        for name, part in parts.items():
            again = pickle.loads(pickle.dumps(part))  # noqa: S301 - what has just been written
            if name == "the measure" and again != case.measure:
                case.violate("pickle", "the same measure after pickling", repr(again))
    except Exception as error:
        reason = " ".join(str(error).split())
        case.limits.append(Remark("pickle", f"{name} cannot be sent to another process: {reason}"))
    else:
        case.passed.setdefault("pickle")


def _arrays(case: Case) -> list[Matrix]:
    """Return representations each of which has a value with each other one."""
    arrays = [case.pairs[0].R, case.pairs[0].S, related(case.seed, 81, WIDTH)]
    if not case.is_one_width:
        arrays.append(related(case.seed, 82, len(arrays[0]) + 10))
    return arrays


def _check_compare(case: Case, arrays: Sequence[Matrix], states: Sequence[Any]) -> None:
    for one, other in [*itertools.combinations(range(len(arrays)), 2), (0, 1), (1, 0)]:
        on = f"{len(arrays[one])} x {arrays[one].shape[1]} and {len(arrays[other])} x {arrays[other].shape[1]}"
        with case.expecting("prepare and compare", "what a plain call gives", on):
            value = _compare(case, states[one], states[other])
            expected = case.value(arrays[one], arrays[other])
            what = "of states that were prepared before any comparison, the value of a plain call"
            case.expect_same("prepare and compare", expected, value, what, on)


def _compare(case: Case, a: Any, b: Any) -> float:
    with case.calling():
        return float(case.measure.compare(a, b))


def _check_compare_many(case: Case, states: Sequence[Any]) -> None:
    """Check that many pairs at once have the values of single ones: to the last bit, whichever others there are."""
    if type(case.measure).compare_many is Measure.compare_many:
        return
    pairs = list(itertools.combinations(range(len(states)), 2))
    check = "compare_many"
    with case.expecting(check, "a value or None for each pair"):
        with case.calling():
            together = list(case.measure.compare_many(states, pairs, map))
        case.expect(
            len(together) == len(pairs), check, f"{len(pairs)} values for {len(pairs)} pairs", f"{len(together)} values"
        )
        for pair, value in zip(pairs, together, strict=False):
            with case.calling():
                (alone,) = case.measure.compare_many(states, [pair], map)
            on = f"pair {pair} of {len(states)} representations"
            case.expect(alone == value, check, f"the same bits without the other pairs, {value!r}", repr(alone), on)
            if value is not None:
                single = _compare(case, *(states[place] for place in pair))
                case.expect_same(check, single, float(value), "the value of compare", on)


def _check_call(case: Case) -> None:
    """Check that a measure that defines both ``compare`` and a call of its own has one value for both."""
    kind = type(case.measure)
    if kind.__call__ is Measure.__call__ or kind.compare is Measure.compare:
        return
    pair = case.pairs[0]
    with case.expecting("__call__", "the value of prepare and compare", pair):
        with case.calling():
            value = float(case.measure(torch.tensor(pair.R), torch.tensor(pair.S)))
        case.expect_same("__call__", case.of(pair), value, "the value of prepare and compare", pair)


def _bits(array: Any) -> Any:
    return array.clone() if isinstance(array, torch.Tensor) else array.copy()


def _same(array: Any, before: Any) -> bool:
    """Return whether an array holds the same bits; NaN counts as what it was."""
    if isinstance(array, torch.Tensor):
        array, before = array.cpu().numpy(), before.cpu().numpy()
    return bool(array.tobytes() == before.tobytes())


def _nbytes(*values: Any) -> int:
    from resi.engine.cache import nbytes

    return nbytes(*values)
