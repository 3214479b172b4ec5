"""Train and run networks as in a fresh process, independent of the caller's settings."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from resi.machine.devices import plain_arithmetic
from resi.machine.hold import Hold
from resi.machine.precision import full_convolutions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Switch(NamedTuple):
    """A process-wide setting and its default."""

    read: Callable[[], Any]
    turn: Callable[[Any], Any]
    fresh: Any


def _flag(module: Any, name: str, fresh: bool) -> _Switch:
    return _Switch(lambda: getattr(module, name), lambda value: setattr(module, name, value), fresh)


_MATMUL, _CUDA = torch.backends.cuda.matmul, torch.backends.cuda
SWITCHES = (
    # Of what weights are made; the layers of others do not name it.
    _Switch(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    # Deterministic operations add in another order, and some there are none of.
    _Switch(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
    _flag(torch.backends.cudnn, "enabled", True),
    _flag(torch.backends.cudnn, "benchmark", False),
    _flag(torch.backends.cudnn, "deterministic", False),
    _flag(torch.backends.mkldnn, "enabled", True),
    _flag(_MATMUL, "allow_fp16_reduced_precision_reduction", True),
    _flag(_MATMUL, "allow_bf16_reduced_precision_reduction", True),
    # Attention, on a CPU as well.
    _Switch(_CUDA.flash_sdp_enabled, _CUDA.enable_flash_sdp, True),
    _Switch(_CUDA.mem_efficient_sdp_enabled, _CUDA.enable_mem_efficient_sdp, True),
    _Switch(_CUDA.math_sdp_enabled, _CUDA.enable_math_sdp, True),
    _Switch(_CUDA.cudnn_sdp_enabled, _CUDA.enable_cudnn_sdp, True),
)


class _FreshSwitches(Hold):
    """Settings at the defaults of a fresh process."""

    def change(self) -> None:
        for switch in SWITCHES:
            if (before := switch.read()) != switch.fresh:
                self._back.callback(switch.turn, before)
                switch.turn(switch.fresh)


_fresh_switches = _FreshSwitches()


@contextlib.contextmanager
def plain_networks(device: torch.device) -> Iterator[None]:
    """Compute as :func:`resi.machine.devices.plain_arithmetic` says, with torch's own defaults for networks.

    These are float32 for new weights, no deterministic algorithms, no search for the fastest convolutions, and any kind
    of attention. They apply to the whole process, including its other threads, and are restored when no computation of
    resi is running.

    Parameters
    ----------
    device : torch.device
        Where the networks are.
    """
    # Some libraries use the current GPU whatever a tensor's is; of the thread, not of the process.
    current = torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()
    with _fresh_switches(), full_convolutions(), plain_arithmetic(device), current:
        yield
