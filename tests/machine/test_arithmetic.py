"""What a program has switched on changes no value, and is as it was afterwards."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import resi
from resi import registry
from resi.machine.devices import plain_arithmetic, torch_threads
from resi.measures.functional import FUNCTIONAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SWITCHES = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn", "cudnn", "mkldnn")


def precisions() -> dict[str, object]:
    found: dict[str, object] = {"products": legacy(torch.get_float32_matmul_precision)}
    found["cublas"] = legacy(lambda: torch.backends.cuda.matmul.allow_tf32)
    found["cudnn tf32"] = legacy(lambda: torch.backends.cudnn.allow_tf32)
    found["all"] = torch.backends.fp32_precision
    for name in SWITCHES:
        found[name] = switch(name).fp32_precision
    return found


def legacy(read: Callable[[], object]) -> object:
    try:
        return read()
    except RuntimeError:
        return "mixed"


def switch(name: str):
    result = torch.backends
    for part in name.split("."):
        result = getattr(result, part)
    return result


def the_older_function() -> None:
    torch.set_float32_matmul_precision("medium")


def the_older_flag() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True


def everything() -> None:
    torch.backends.fp32_precision = "tf32"


def one_library() -> None:
    torch.backends.mkldnn.fp32_precision = "bf16"


def one_operation() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"


@contextlib.contextmanager
def restored() -> Iterator[None]:
    try:
        yield
    finally:
        for name in ("cudnn", "mkldnn"):
            switch(name).fp32_precision = "none"
        torch.backends.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="torch has the older functions alone")
@pytest.mark.parametrize("allow", [the_older_function, the_older_flag, everything, one_library, one_operation])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_products_have_full_precision_inside_and_what_was_allowed_afterwards(allow, device: str) -> None:
    with restored():
        allow()
        before = precisions()
        with plain_arithmetic(torch.device(device)):
            inside = precisions()
            with plain_arithmetic():
                pass
            assert precisions() == inside
        assert precisions() == before
    operations = ("cuda.matmul", "mkldnn.matmul", *(("cudnn.conv", "cudnn.rnn") if device == "cuda" else ()))
    assert {inside[name] for name in operations} <= {"ieee", "none"}
    assert inside["cublas"] is not True
    assert inside["products"] == "highest"


def test_precision_is_given_back_by_whichever_thread_is_last() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with plain_arithmetic():
            entered.set()
            leave.wait(10)

    with restored():
        torch.set_float32_matmul_precision("medium")
        thread = threading.Thread(target=hold)
        with plain_arithmetic():
            thread.start()
            entered.wait(10)
        assert torch.get_float32_matmul_precision() == "highest"
        leave.set()
        thread.join()
        assert torch.get_float32_matmul_precision() == "medium"


def test_what_is_switched_on_for_a_thread_is_off_inside() -> None:
    x = torch.ones(3, 3)
    with (
        torch.autocast("cpu", torch.bfloat16),
        torch.inference_mode(),
        torch.device("meta"),
        np.errstate(all="raise"),
    ):
        with plain_arithmetic():
            assert (x @ x).dtype == torch.float32
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            assert torch.zeros(1).device.type == "cpu"
            with pytest.warns(RuntimeWarning, match="overflow"):
                assert np.isinf(np.float64(1e300) * np.float64(1e300))
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_inference_mode_enabled()
        assert torch.zeros(1).device.type == "meta"
        assert np.geterr()["over"] == "raise"


def test_two_threads_that_limit_torch_leave_its_number_as_it_was() -> None:
    before = torch.get_num_threads()
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    after: list[int] = []

    def first() -> None:
        with torch_threads(before + 1):
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with torch_threads(before + 2):
            second_in.set()
            first_out.wait(10)
        after.append(torch.get_num_threads())

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    new = threading.Thread(target=lambda: after.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert after == [before, before]
    assert torch.get_num_threads() == before


@contextlib.contextmanager
def everything_switched_on() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(restored())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled())
        torch.set_float32_matmul_precision("medium")
        torch.set_default_dtype(torch.float16)
        torch.use_deterministic_algorithms(True)
        for context in (
            torch.autocast("cpu", torch.bfloat16),
            torch.inference_mode(),
            torch.device("meta"),
            np.errstate(all="raise"),
        ):
            stack.enter_context(context)
        yield


# Those of topology take seconds, and make their tensors in the same way.
SWITCHED = [name for name in registry.measures() if name not in ("geometry_score", "imd") and name not in FUNCTIONAL]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("threads", [1, 2])
def test_no_value_depends_on_what_the_program_has_switched_on(dtype: str, threads: int) -> None:
    generator = np.random.default_rng(0)
    given = {name: generator.normal(size=(60, width)).astype(dtype) for name, width in (("a", 20), ("b", 12))}
    given["c"] = given["a"] + given["a"].mean(0).astype(dtype) / 8
    plain = resi.pairwise(given, SWITCHED, threads=threads).drop("seconds")
    plain_alone = [resi.compare(given["a"], given["b"], measure=name) for name in SWITCHED]
    with everything_switched_on():
        switched = resi.pairwise(given, SWITCHED, threads=threads).drop("seconds")
        alone = [resi.compare(given["a"], given["b"], measure=name) for name in SWITCHED]
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.zeros(1).dtype == torch.float16
    assert set(plain["status"]) == {"ok"}
    assert switched.equals(plain)
    assert alone == plain_alone
