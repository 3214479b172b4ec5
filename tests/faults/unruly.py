"""A plugin whose measures misbehave on one pair of representations, the second with the third, and behave elsewhere.

The tests install it as a distribution of its own; see ``install`` in ``tests/registry/test_plugins.py``.
"""

from __future__ import annotations

import ctypes
import os
import re
import time
from dataclasses import dataclass

import numpy as np

import resi
from resi.measures.base import Measure


class Unruly(Measure):
    """Returns the difference of first entries, but on one pair misbehaves."""

    larger_is_more_similar = False

    def prepare(self, x):
        return x.position, float(x.matrix[0, 0])

    def compare(self, a, b):
        if {a[0], b[0]} == {1, 2}:
            self.misbehave()
        return abs(a[1] - b[1])


@dataclass
class Raises(Unruly):
    """Raises."""

    name = "raises"

    def misbehave(self):
        raise RuntimeError("bad day")


@dataclass
class Sleeps(Unruly):
    """Hangs, and lets other threads go on."""

    name = "sleeps"

    def misbehave(self):
        time.sleep(3600)


@dataclass
class Spins(Unruly):
    """Hangs in C code that neither a signal nor another thread interrupts."""

    name = "spins"

    def misbehave(self):
        re.match(r"(a+)+$", "a" * 64 + "b")


@dataclass
class Exhausts(Unruly):
    """Asks for more memory than there is."""

    name = "exhausts"

    def misbehave(self):
        np.ones(10**12)


@dataclass
class Leaks(Unruly):
    """Takes memory without end and never gives it back."""

    name = "leaks"

    def misbehave(self):
        while True:
            _LEAKED.append(np.empty(10**7))


@dataclass
class Leaves(Unruly):
    """Ends its process."""

    name = "leaves"

    def misbehave(self):
        os._exit(7)


@dataclass
class Crashes(Unruly):
    """Reads memory that is not there."""

    name = "crashes"

    def misbehave(self):
        ctypes.string_at(0)


@dataclass
class CrashesPreparing(Unruly):
    """Ends its process while it prepares the second representation."""

    name = "crashes_preparing"

    def prepare(self, x):
        if x.position == 1:
            os._exit(9)
        return super().prepare(x)

    def misbehave(self):
        pass


@dataclass
class CrashesOnce(Unruly):
    """Ends its process the first time that it is asked, as a kill from outside would."""

    name = "crashes_once"

    def misbehave(self):
        flag = os.environ["UNRULY_FLAG"]
        if not os.path.exists(flag):  # noqa: PTH110
            with open(flag, "w"):  # noqa: PTH123
                os._exit(11)


_LEAKED: list[object] = []


@resi.hookimpl
def resi_measures():
    return (Raises, Sleeps, Spins, Exhausts, Leaks, Leaves, Crashes, CrashesPreparing, CrashesOnce)
