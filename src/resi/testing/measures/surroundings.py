"""What a measure must leave alone: global generators and flags; and whether it computes on a GPU."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from resi.testing.measures.report import Remark
from resi.testing.process import GENERATORS, changes, draw_from_generators, process_state

if TYPE_CHECKING:
    import torch

    from resi.testing.measures.case import Case
else:
    from resi.lazy import torch

CALLS = 8


def check_process(case: Case) -> None:
    """Check that a call changes no global generator, and that none so far has changed a global flag."""
    check, pair = "global generators and flags", case.pairs[0]
    with case.expecting(check, "them left alone"):
        for _ in range(2):  # packages may draw numbers when they are imported, which is no fault of a measure
            draw_from_generators()  # a seed that was set before would not show
            before, modules = process_state(), len(sys.modules)
            case.value(pair.R, pair.S)
            changed = changes(before, process_state())
            if len(sys.modules) == modules:
                break
        changed += [name for name in changes(case.began, before) if name not in GENERATORS]
        case.expect(not changed, check, "them left alone", f"changed: {', '.join(changed)}", pair)


def check_threads(case: Case) -> None:
    """Check that calls on several threads at once have the values of single calls."""
    check = "calls on several threads"
    with case.expecting(check, "the value of a call alone"), ThreadPoolExecutor(len(case.pairs) + 1) as pool:
        calls = [case.pairs[number % len(case.pairs)] for number in range(CALLS)]
        values = pool.map(lambda pair: case.value(pair.R, pair.S), calls)
        for pair, value in zip(calls, values, strict=True):
            case.expect_same(check, case.of(pair), value, "the value of a call alone", pair)


def check_gpu(case: Case) -> None:
    """Check that a GPU, where there is one, gives the values of the CPU."""
    if not torch.cuda.is_available():
        case.skipped.append(Remark("device cuda", "this machine has none"))
        return
    for pair in case.pairs:
        with case.expecting("device cuda", "a value for tensors of a GPU", pair):
            value = case.value(torch.tensor(pair.R, device="cuda"), torch.tensor(pair.S, device="cuda"))
            case.expect_same("device cuda", case.of(pair), value, "the value on the CPU", pair)
