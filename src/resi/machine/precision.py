"""Full precision for products of float32, also if the process allows less.

Whether torch may compute them in TF32 or bfloat16 is a switch of the process; torch has none for a thread or a call. So
the switches are turned to full precision while work is under way, and back when the last such work is done. Other
threads of the process compute more exactly in the meantime, never less. Where nothing is allowed, nothing is set.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from resi.machine.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
else:
    from resi.lazy import torch

# From the most general to the most special: what a general switch says holds where a special one says nothing.
PRODUCTS = ("", "mkldnn", "mkldnn.matmul", "cudnn", "cuda.matmul")
CONVOLUTIONS = ("", "cudnn", "cudnn.conv", "cudnn.rnn", "mkldnn", "mkldnn.conv", "mkldnn.rnn")
FULL = ("ieee", "none")


class _FullPrecision(Hold):
    """Switches that are at full precision.

    Parameters
    ----------
    decisive : tuple of str
        The switches that operations look at; the others are more general, and hold where these say nothing.
    turn : callable
        Turns what is not at full precision, and leaves how to turn it back on the stack.
    """

    def __init__(self, decisive: tuple[str, ...], turn: Callable[[contextlib.ExitStack], None]) -> None:
        super().__init__()
        self._decisive = decisive
        self._turn = turn

    def is_needed(self) -> bool:
        """Return whether anything is not at full precision, or is only because others hold it there."""
        return self._holders > 0 or any(_value(name) not in FULL for name in self._decisive)

    def change(self) -> None:
        if any(_value(name) not in FULL for name in self._decisive):
            self._turn(self._back)


def _turn_products(back: contextlib.ExitStack) -> None:
    _turn_switches(PRODUCTS[:1], back)
    # What was set by the older function is reset by it: torch refuses to read a mixture of both.
    with contextlib.suppress(RuntimeError):
        if (before := torch.get_float32_matmul_precision()) != "highest":
            special = _values(("mkldnn.matmul", "cuda.matmul"))
            back.callback(_restore, special)
            back.callback(torch.set_float32_matmul_precision, before)
            torch.set_float32_matmul_precision("highest")
    _turn_switches(PRODUCTS[1:], back)


def _turn_convolutions(back: contextlib.ExitStack) -> None:
    _turn_switches(CONVOLUTIONS[:1], back)
    with contextlib.suppress(RuntimeError):
        if torch.backends.cudnn.allow_tf32:
            special = _values(("cudnn.conv", "cudnn.rnn"))
            back.callback(_restore, special)
            back.callback(setattr, torch.backends.cudnn, "allow_tf32", True)
            torch.backends.cudnn.allow_tf32 = False
    _turn_switches(CONVOLUTIONS[1:], back)


def _turn_switches(names: tuple[str, ...], back: contextlib.ExitStack) -> None:
    for name, value in _values(names).items():
        if value not in FULL:
            back.callback(setattr, _switch(name), "fp32_precision", value)
            _switch(name).fp32_precision = "ieee"


def _restore(values: dict[str, str]) -> None:
    for name, value in values.items():
        if _value(name) != value:
            _switch(name).fp32_precision = value


def _values(names: tuple[str, ...]) -> dict[str, str]:
    """Return the switches that this version of torch has, and how they stand."""
    values = ((name, _value(name)) for name in names)
    return {name: value for name, value in values if value is not None}


def _value(name: str) -> str | None:
    """Return how a switch stands; None if this version of torch lacks it and has the older functions alone."""
    return getattr(_switch(name), "fp32_precision", None)


@functools.cache
def _switch(name: str) -> Any:
    switch: Any = torch.backends
    for part in filter(None, name.split(".")):
        switch = getattr(switch, part, None)
    return switch


full_products = _FullPrecision(("mkldnn.matmul", "cuda.matmul"), _turn_products)
"""Enter it, ``with full_products():``, to have all products of float32 matrices in float32."""
full_convolutions = _FullPrecision(("cudnn.conv", "cudnn.rnn", "mkldnn.conv", "mkldnn.rnn"), _turn_convolutions)
"""The same for convolutions and recurrent layers, for which a GPU uses TF32 unless it is forbidden."""
