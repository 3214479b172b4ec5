"""Which device computes, with how many threads, and in which arithmetic."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING, NamedTuple

from resi.errors import UsageError
from resi.machine.hold import Hold
from resi.machine.precision import full_convolutions, full_products
from resi.machine.resources import device_index, read_slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
else:
    from resi.lazy import torch


def check_device(name: str) -> None:
    """Raise ``UsageError`` for a name that is not a device, whether or not this machine has it."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name):
        raise UsageError(f"device={name}: not a device; use auto, cpu, cuda or cuda:N")


def resolve_device(name: str) -> torch.device:
    """Return the device for a config value: ``auto`` is CUDA where there is one, else the CPU.

    Of several CUDA devices, jobs of a sweep that run on one machine at the same time take one after the other, unless
    set to ``cuda:N``. Which devices a job can see is left to ``CUDA_VISIBLE_DEVICES``, as Slurm and Ray set it.

    Raises
    ------
    UsageError
        If the name is not a device, or this machine does not have it; there is no silent fallback.
    """
    check_device(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (count := torch.cuda.device_count()) > 1:
        return torch.device("cuda", device_index(read_slot(os.environ)[0], count))
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise UsageError(f"device={name}: this machine has {count} CUDA devices; use device=cpu or device=auto")
    return device


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Limit torch to ``count`` threads for a while; None leaves its own choice.

    A thread that begins while another one limits torch finds that one's number; what it leaves behind is what there
    was before both.
    """
    if count is None:
        yield
        return
    here = threading.get_ident()
    with _LIMITS_LOCK:
        found = torch.get_num_threads()
        others = [limit for limit in _LIMITS if limit.thread != here]
        before = others[0].before if any(limit.number == found for limit in others) else found
        limit = _Limit(here, count, before)
        _LIMITS.append(limit)
        torch.set_num_threads(count)
    try:
        yield
    finally:
        with _LIMITS_LOCK:
            _LIMITS.remove(limit)
            torch.set_num_threads(before)


class _OneBlasThread(Hold):
    """The BLAS libraries of the process compute with one thread."""

    def change(self) -> None:
        if not self._holders:
            from threadpoolctl import threadpool_limits

            self._back.enter_context(threadpool_limits(1, user_api="blas"))


_one_blas_thread = _OneBlasThread()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch and the BLAS libraries to one thread for a while, so that sums are added in one order."""
    with torch_threads(1), _one_blas_thread():
        yield


class _Limit(NamedTuple):
    thread: int
    number: int
    before: int


_LIMITS: list[_Limit] = []
_LIMITS_LOCK = threading.Lock()


AUTOCAST_DEVICES = ("cpu", "cuda")
NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""How numpy is when a program has changed nothing."""


@contextlib.contextmanager
def plain_arithmetic(device: torch.device | None = None) -> Iterator[None]:
    """Compute as a fresh process does, with the caller's settings switched off; they are restored afterwards.

    Inside, autocast and inference mode are off, gradients are recorded, tensors are made on the CPU unless a device is
    given, numpy warns of an overflow instead of raising it, and float32 products have full precision: all of them for
    this thread alone, but for the last, which torch has for the whole process only (see
    :mod:`resi.machine.precision`). Threads that are started inside need not enter it: they begin as a fresh process
    does.

    Not changed are the type of tensors that are made without one (``torch.set_default_dtype``) and whether torch is to
    use deterministic algorithms. Both are of the whole process, and changing them would change what other threads
    compute. Code of resi names the type of every tensor it makes.

    Parameters
    ----------
    device
        Where the work is done. On CUDA, convolutions have full precision, too: by default they have not.
    """
    holds = [full_products] if full_products.is_needed() else []
    if device is not None and device.type == "cuda":
        holds.append(full_convolutions)
    switches = _thread_switches()
    if not holds and not switches:
        yield
        return
    with contextlib.ExitStack() as stack:
        for hold in holds:
            stack.enter_context(hold())
        for switch in switches:
            stack.enter_context(switch)
        yield


def _thread_switches() -> list[contextlib.AbstractContextManager[object]]:
    """Return what has to be entered for this thread to compute as a new one."""
    import numpy as np

    switches: list[contextlib.AbstractContextManager[object]] = []
    if torch.is_inference_mode_enabled():
        switches.append(torch.inference_mode(False))
    if not torch.is_grad_enabled():
        switches.append(torch.enable_grad())
    switches += [torch.autocast(kind, enabled=False) for kind in AUTOCAST_DEVICES if torch.is_autocast_enabled(kind)]
    if torch.empty(0).device.type != "cpu":  # in a sixth of the time that asking for the default takes
        switches.append(torch.device("cpu"))
    if np.geterr() != NUMPY_ERRORS:
        switches.append(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
    return switches
