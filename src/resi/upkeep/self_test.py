"""Loading libraries and computing measures in a separate process, which a broken library may crash or block.

The values are compared with exact ones, computed from the definitions with 50 digits. The process prints its results
as lines of JSON; the parent passes them on, and ends the process when its time is over.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import itertools
import json
import os
import platform
import queue
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from resi.errors import described
from resi.upkeep.checks import Check, State, failed, missing, ok
from resi.upkeep.environment import needed, requirement_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIBRARIES, GPU, SELF_TEST = "libraries", "gpu", "self-test"
LOADED = ("numpy", "scipy.linalg", "sklearn", "polars", "numba", "torch")
EXTRA = {
    "graph": ("torch_geometric",),
    "vision": ("torchvision", "timm"),
    "language": ("transformers", "datasets"),
    "files": ("h5py",),
}
"""Modules of extras, which are loaded where they are installed."""
GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 1e-10
"""Relative tolerance of values: other processors and libraries change the last two or three of 16 digits."""
SECONDS = 10.0
"""Default time limit for computing measures."""
LOADING_SECONDS = 180.0
"""How long a library may take to load: minutes from a cluster's file system."""
SLOW_FIRST = "rtd"
"""The measure that numba compiles for half a minute on its first call: it comes last."""
BEGIN = "begin"
END = "end"
LOADING = "loading "


def in_process(seconds: float = SECONDS) -> Iterator[Check]:
    """Yield the results of a new process as they arrive, and a failed line if it ends abnormally."""
    program = "from resi.upkeep.self_test import serve; serve(float(__import__('sys').argv[1]))"
    words = [sys.executable, "-P", "-c", program, str(seconds)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True)  # noqa: S603
        try:
            yield from _passed_on(process, seconds, errors)
        finally:
            process.kill()
            process.wait()


def _passed_on(process: subprocess.Popen[str], seconds: float, errors: IO[bytes]) -> Iterator[Check]:
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    doing, deadline = f"{LOADING}numpy", time.monotonic() + LOADING_SECONDS
    is_computing = has_ended = False
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            yield _too_slow(doing, seconds, is_computing)
            return
        if line is None:
            break
        found = json.loads(line)
        if END in found:
            has_ended = True
            continue
        if BEGIN not in found:
            yield Check(**{**found, "state": State(found["state"])})
            continue
        doing = found[BEGIN]
        if not is_computing:
            is_computing = bool(found["computes"])
            # Slightly more than the process's own limit, as it stops between two measures.
            deadline = time.monotonic() + (seconds + 1 if is_computing else LOADING_SECONDS)
    if process.wait() != 0 or not has_ended:
        how = _last_words(process.returncode, errors)
        yield failed(SELF_TEST, doing, f"the process ended: {how}", _remedy(doing))


def _read(stream: IO[str] | None, lines: queue.Queue[str | None]) -> None:
    with contextlib.suppress(ValueError):  # closed, as nobody is waiting any longer
        for line in stream or ():
            lines.put(line)
    lines.put(None)


def _too_slow(doing: str, seconds: float, is_computing: bool) -> Check:
    if not is_computing:
        return failed(SELF_TEST, doing, f"not done after {LOADING_SECONDS:.0f} s", _remedy(doing))
    text = f"not done within {seconds:.0f} s: it is compiled on first use, which takes up to a minute"
    return missing(SELF_TEST, doing, text, "resi doctor --seconds 120")


def _last_words(code: int, errors: IO[bytes]) -> str:
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{how}, {said[-1]}" if said else how


def _remedy(doing: str) -> str:
    """Return what to do about a library that does not load, or about the libraries that compute a measure."""
    modules = [doing.removeprefix(LOADING).partition(".")[0]] if doing.startswith(LOADING) else ["torch", "numba"]
    needs = needed()
    known = [*needs.core, *itertools.chain(*needs.extras.values())]
    wanted = " ".join(f"'{requirement_of(module, known)}'" for module in modules)
    return f"python -m pip install --force-reinstall {wanted}"


def serve(seconds: float) -> None:
    """Run in the new process: print results as lines of JSON, and nothing else on standard output."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # redirects output of libraries
        for found in checks(seconds):
            out.write(json.dumps(found if isinstance(found, dict) else found.to_dict()) + "\n")
            out.flush()
        out.write(json.dumps({END: True}) + "\n")


def checks(seconds: float = SECONDS) -> Iterator[Check | dict[str, Any]]:
    """Yield the results of this process, and before each step that may crash, its name."""
    broken = set()
    for module in (*LOADED, *filter(_is_installed, itertools.chain(*EXTRA.values()))):
        if module not in LOADED and "torch" in broken:
            break  # nearly all of them need torch
        yield {BEGIN: f"{LOADING}{module}", "computes": False}
        found = _load(module)
        yield found
        if found.state is State.failed:
            broken.add(module)
    if "torch" in broken:
        yield missing(SELF_TEST, "measures", "not computed, as torch does not load")
        return
    devices = ["cpu"]
    yield {BEGIN: f"{LOADING}torch", "computes": False}
    devices_found = list(gpus())
    yield from devices_found
    devices += ["cuda"] if any(check.state is State.ok for check in devices_found) else []
    end = time.monotonic() + seconds
    for device in devices:
        yield from computed(device, end)


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _load(module: str) -> Check:
    name = module.partition(".")[0]
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(module)
        detail = _details(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failed(LIBRARIES, f"load {name}", described(error), _remedy(f"{LOADING}{name}"))
    return ok(LIBRARIES, f"load {name}", f"{time.perf_counter() - start:.1f} s{detail}")


def _details(name: str) -> str:
    if name == "numba":
        import numba

        double = numba.njit(lambda x: 2 * x)
        if double(21) != 42:
            raise RuntimeError("a compiled function returns another number than Python")
        return ", compiles"
    if name != "torch":
        return ""
    import torch
    from threadpoolctl import threadpool_info

    blas = {f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info() if pool["user_api"] == "blas"}
    return f", {torch.get_num_threads()} threads; {', '.join(sorted(blas)) or 'its own BLAS'}"


def gpus() -> Iterator[Check]:
    """Yield a line for each CUDA device of torch, or a line with the reason why there is none."""
    import torch

    from resi.machine.memory import format_bytes
    from resi.machine.resources import visible_devices

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            memory = f"{format_bytes(free)} of {format_bytes(total)} free"
            yield ok(GPU, f"cuda:{number}", f"{torch.cuda.get_device_name(number)}, {memory}")
        return
    expected = visible_devices(os.environ)
    if os.environ.get("CUDA_VISIBLE_DEVICES") is not None and not expected:
        text = f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']} hides every GPU"
        yield missing(GPU, "cuda", text, "unset CUDA_VISIBLE_DEVICES, where there is a GPU")
    elif torch.version.cuda is None and torch.version.hip is None:
        text = f"torch {torch.__version__} is built for CPUs only; everything runs on the CPU"
        advice = "where there is a GPU, install torch for it: https://pytorch.org/get-started/locally"
        yield (failed if expected else missing)(GPU, "cuda", text, advice)
    elif not expected:
        yield missing(GPU, "cuda", f"no NVIDIA GPU on {platform.node()}; everything runs on the CPU")
    else:
        advice = "update the NVIDIA driver, or install torch for an older CUDA; nvidia-smi shows both"
        text = f"{expected} GPUs, but torch {torch.__version__} cannot use them: {_refusal()}"
        yield failed(GPU, "cuda", text, advice)


def _refusal() -> str:
    import torch

    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:
        return described(error)
    return "no reason given"


def computed(device: str, end: float) -> Iterator[Check | dict[str, Any]]:
    """Yield the results of measures on a device: one line for all correct ones, and one for each other.

    Measures that fail as an earlier one did share a line, and so do those for which there is no time.

    Parameters
    ----------
    end : float
        When to stop, on the monotonic clock.
    """
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    start = time.monotonic()
    right: list[float] = []
    late: list[str] = []
    alike: dict[str, list[str]] = {}
    for name in sorted(golden["measures"], key=lambda name: name == SLOW_FIRST):
        line = f"{name}, {device}"
        if name == SLOW_FIRST:
            yield from _counted(device, right, time.monotonic() - start)
        if time.monotonic() > end:
            late.append(name)
            continue
        yield {BEGIN: line, "computes": True}
        found = _compared(golden, name, device)
        if isinstance(found, Check):
            alike.setdefault(found.text, []).append(name)
            if len(alike[found.text]) == 1:
                yield found
            continue
        right.append(found)
        if name == SLOW_FIRST:
            yield ok(SELF_TEST, line, f"its exact value, within {found:.0e}")
    if SLOW_FIRST not in golden["measures"]:
        yield from _counted(device, right, time.monotonic() - start)
    yield from _others(device, alike.values(), late)


def _others(device: str, alike: Iterable[list[str]], late: list[str]) -> Iterator[Check]:
    """Yield the lines for measures that failed as others did, and for those there was no time for."""
    for first, *others in alike:
        if others:
            text = f"fail as {first} does: {', '.join(others)}"
            yield failed(SELF_TEST, f"{len(others)} more, {device}", text, REPORT)
    if late:
        text = f"{', '.join(late[:3])}{f' and {len(late) - 3} more' if len(late) > 3 else ''}: time limit reached"
        yield missing(SELF_TEST, f"the rest, {device}", f"not computed: {text}", "resi doctor --seconds 120")


def _counted(device: str, right: list[float], seconds: float) -> Iterator[Check]:
    if right:
        text = f"{len(right)} measures have their exact values, within {max(right):.0e}, in {seconds:.1f} s"
        yield ok(SELF_TEST, device, text)


def _compared(golden: dict[str, Any], name: str, device: str) -> float | Check:
    """Return the relative error of a value; or a line if it is too large, or there is no value."""
    expected = float(golden["measures"][name]["value"])
    try:
        off = abs(_value(golden, name, device) - expected) / abs(expected)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failed(SELF_TEST, f"{name}, {device}", described(error), REPORT)
    if off <= TOLERANCE:
        return off
    # Also true for NaN.
    text = f"relative error {off:.0e} against its exact value: this machine computes wrong numbers"
    return failed(SELF_TEST, f"{name}, {device}", text, REPORT)


REPORT = "repair the libraries above if one has failed; otherwise report this with: resi doctor --json"


def _value(golden: dict[str, Any], name: str, device: str) -> float:
    import torch

    import resi

    R, S = (torch.tensor(golden[side], dtype=torch.float64, device=device) for side in ("R", "S"))
    return float(resi.compare(R, S, name, **golden["measures"][name]["parameters"]))
