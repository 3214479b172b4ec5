"""Restoring process-wide settings that imported third-party code may change."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def unchanged_process() -> Iterator[None]:
    """Restore process-wide settings changed in this block, and redirect its output to standard error.

    That is: torch's default dtype, device, threads, gradients and determinism; the states of the random generators of
    Python, numpy and torch; how numpy treats errors; filters that are for all warnings; the current folder. Of torch
    and numpy only where they were loaded before, but for the default dtype, which nobody else can have set.
    """
    saved = [*_process(), *_numpy(), *_torch()]
    filters = list(warnings.filters)
    had_torch = "torch" in sys.modules
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for restore in saved:
            restore()
        if not had_torch and "torch" in sys.modules:
            sys.modules["torch"].set_default_dtype(sys.modules["torch"].float32)
        _keep_narrow(filters)


def _process() -> list[Callable[[], object]]:
    state = random.getstate()
    restores: list[Callable[[], object]] = [lambda: random.setstate(state)]
    with contextlib.suppress(OSError):  # of a folder that is gone
        folder = os.getcwd()  # noqa: PTH109 - a text, without importing more
        restores.append(lambda: os.chdir(folder))
    return restores


def _numpy() -> list[Callable[[], object]]:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "random"):
        return []
    state, errors = numpy.random.get_state(), numpy.geterr()
    return [lambda: numpy.random.set_state(state), lambda: numpy.seterr(**errors)]


def _torch() -> list[Callable[[], object]]:
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):  # or it is being imported
        return []
    dtype, device, threads = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    gradients, state = torch.is_grad_enabled(), torch.get_rng_state()
    strict = _determinism(torch)

    def restore() -> None:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_grad_enabled(gradients)
        if _determinism(torch) != strict:  # setting it imports torch's compiler, which takes seconds
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
        torch.set_rng_state(state)

    return [restore]


def _determinism(torch: Any) -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _keep_narrow(before: list[Any]) -> None:
    """Take out the filters of warnings that are new and for all of a kind; those for one text or module stay."""
    new = [found for found in warnings.filters if found not in before]
    kept = [found for found in new if found[1] is not None or found[3] is not None]
    if list(warnings.filters) != [*kept, *before]:
        warnings.filters[:] = [*kept, *before]  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]
