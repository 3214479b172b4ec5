"""The caller's TF32 and autocast change no value, and stand afterwards as before."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import torch

import resi
from on_gpu.inputs import related
from on_gpu.values import FEW_DRAWS
from resi.measures import MEASURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from on_gpu.report import Run


def section(run: Run) -> None:
    """Compare values with and without what a program may have allowed, and the bits of two runs."""
    run.spent = True  # both kinds of switches, once used, are a mixture that other packages may not read
    size = (60, 16) if run.quick else (1500, 256)
    given = {key: array.float().to(run.device) for key, array in related(3, *size).items()}
    measures = {measure.name: FEW_DRAWS.get(measure.name, {}) for measure in MEASURES if measure.name != "rtd"}

    def values() -> dict[Any, Any]:
        frame = resi.pairwise(given, measures=measures)
        return {row[:3]: row[3] for row in frame.select("measure", "source", "target", "value").iter_rows()}

    with run.part("values of measures"):
        unchanged(run, "measures", values, lambda a, b: a == b)
    layers = network_outputs(run)
    with run.part("layers of a network"):
        unchanged(run, "layers", layers, torch.equal)


def unchanged(run: Run, what: str, compute: Callable[[], dict[Any, Any]], equal: Callable[[Any, Any], bool]) -> None:
    """Compute twice as it is, then with everything allowed, and compare all bits."""
    first, second = compute(), compute()
    wavering = {key for key in first if not equal(first[key], second[key])}
    names = sorted({str(key[0] if isinstance(key, tuple) else key) for key in wavering})
    run.table(f"bits of two runs of {what}", ("values", "differ", "of"), [[len(first), len(wavering), " ".join(names)]])
    for name, (allow, restore) in WAYS.items():
        with allowed(run, allow, restore):
            before = flags()
            third = compute()
            run.check(f"flags after {what}, {name}", flags() == before, f"{flags()}, before {before}")
        for key, value in first.items():
            # What differs between two runs anyway says nothing.
            run.check(f"{key} with {name}", key in wavering or equal(value, third[key]), "another value")


@contextlib.contextmanager
def allowed(run: Run, allow: Callable[[], Any], restore: Callable[[], Any]) -> Iterator[None]:
    """Allow what a program may allow, autocast and inference mode included, and take it back."""
    dtype = torch.float16 if run.on_gpu else torch.bfloat16
    try:
        allow()
        with torch.autocast(run.device.type, dtype), torch.inference_mode():
            yield
    finally:
        restore()


def older_switches(on: bool) -> None:
    """Allow TF32 as programs have long done it, or forbid it."""
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on or CUDNN
    torch.backends.cudnn.benchmark = on


def named_precision(on: bool) -> None:
    """Allow products of low precision by the function for that, or forbid them."""
    torch.set_float32_matmul_precision("medium" if on else "highest")


def newer_switches(on: bool) -> None:
    """Allow TF32 by the switches that later versions of torch have, or leave it to the general one."""
    for part in (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn):
        if hasattr(part, "fp32_precision"):
            part.fp32_precision = "tf32" if on else "none"


CUDNN = torch.backends.cudnn.allow_tf32
WAYS = {
    name: (functools.partial(switch, True), functools.partial(switch, False))
    for name, switch in {
        "allow_tf32": older_switches,
        "set_float32_matmul_precision": named_precision,
        "fp32_precision": newer_switches,
    }.items()
}
"""Ways to allow it and to take it back; the last one is not to be mixed with the others."""


def flags() -> dict[str, Any]:
    """Return what is allowed, as far as torch answers."""
    reads: dict[str, Callable[[], Any]] = {
        "float32 products": torch.get_float32_matmul_precision,
        "cuBLAS": lambda: torch.backends.cuda.matmul.allow_tf32,
        "cuDNN": lambda: torch.backends.cudnn.allow_tf32,
        "cuBLAS, newer": lambda: getattr(torch.backends.cuda.matmul, "fp32_precision", None),
        "search": lambda: torch.backends.cudnn.benchmark,
        "autocast": lambda: [torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")],
        "inference mode": torch.is_inference_mode_enabled,
    }
    found = {}
    for name, read in reads.items():
        try:
            found[name] = read()
        except RuntimeError:  # after both kinds of switches were used
            found[name] = "mixed"
    return found


def network_outputs(run: Run) -> Callable[[], dict[str, torch.Tensor]]:
    """Return what gives the layers of a network with convolutions and products for images."""
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        width = 8 if run.quick else 64
        network = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.Flatten(),
            nn.Linear(width * 16 * 16, width), nn.ReLU(), nn.Linear(width, 10),
        )  # fmt: skip
        images = torch.randn(32, 3, 16, 16)

    def layers() -> dict[str, torch.Tensor]:
        with torch.inference_mode(False):
            found = resi.extract(network, images, ["2", "4", "6"], device=str(run.device))
        return {name: torch.as_tensor(item.load()) for name, item in found.layers.items()}

    return layers
