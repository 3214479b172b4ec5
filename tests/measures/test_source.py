"""What the code of a measure is, and that comparisons by changed code are made again."""

from __future__ import annotations

import importlib
import linecache
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import resi
from resi import registry
from resi.config.register import own_store
from resi.fingerprints import canonical
from resi.measures.base import Measure, as_measure
from resi.measures.kernel import CKA
from resi.measures.source import code_hash
from resi.pipeline.keys import measure_key
from tests.conftest import TINY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = {
    "__init__.py": "from own_package.measure import Own\n",
    "measure.py": (
        "from dataclasses import dataclass\nimport resi\nfrom own_package.inner.helpers import scale\n\n"
        "@dataclass\nclass Own(resi.Measure):\n"
        "    name = 'own'\n    larger_is_more_similar = False\n    k: int = 3\n"
        "    def compare(self, a, b):\n        return scale(float(a.norm()), float(b.norm()))\n"
    ),
    "inner/__init__.py": "",
    "inner/helpers.py": "def scale(a, b):\n    return abs(a - b)\n",
}
PRINT = "import own_package; from resi.measures.source import code_hash as c; print(c(own_package.Own, 'own 1.0'))"


def write(folder: Path, changes: dict[str, str]) -> None:
    for name, text in {**PACKAGE, **changes}.items():
        path = folder / "own_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def identity(folder: Path, monkeypatch: pytest.MonkeyPatch, provider: str = "own 1.0") -> str:
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "own_package"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return code_hash(importlib.import_module("own_package").Own, provider)


def test_the_identity_of_a_package_is_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(tmp_path, {})
    first = identity(tmp_path, monkeypatch)
    assert identity(tmp_path, monkeypatch, "own 1.1") != first
    found = {first}
    changes = {
        "measure.py": PACKAGE["measure.py"].replace("float(b.norm())", "2 * float(b.norm())"),
        "inner/helpers.py": "def scale(a, b):\n    return (a - b) ** 2\n",
        "inner/more.py": "LEVEL = 3\n",
    }
    for name, text in changes.items():
        folder = tmp_path / name.replace("/", "-")
        write(folder, {name: text})
        found.add(identity(folder, monkeypatch))
    assert len(found) == 4
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere, {name: text.replace("\n", "\r\n") for name, text in PACKAGE.items()})
    assert identity(elsewhere, monkeypatch) == first
    path = os.pathsep.join([str(elsewhere), *sys.path])
    env = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    printed = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, env=env, check=True)
    assert printed.stdout.strip() == first


def scaled(factor, weights=None, default=1.0):
    def difference(R, S, shape, default=default):
        return float(factor * default * (R.mean() - S.mean()).abs())

    return as_measure(difference, name="scaled", larger_is_more_similar=False, reference=f"{weights is None}")


def test_what_a_function_was_given_is_part_of_its_code() -> None:
    def offset(value: float) -> float:
        return value

    made = [
        scaled(1.0),
        scaled(2.0),
        scaled(1.0, default=3.0),
        scaled(offset),
        scaled(np.arange(3.0)),
        scaled(np.arange(4.0)),
        scaled({"a": (1, 2), "b": {3}}),
        scaled({"a": (1, 2), "b": {4}}),
    ]
    assert len({code_hash(measure, "") for measure in made}) == len(made)
    assert code_hash(scaled(np.arange(3.0)), "") == code_hash(made[4], "")


HELPERS = {
    "function": ("def helper(a):\n    return a", "def helper(a):\n    return -a"),
    "array": ("from numpy import ones\nhelper = ones(3)", "from numpy import ones\nhelper = 2 * ones(3)"),
    "options": ("helper = {'k': 1}", "helper = {'k': 2}"),
}


@pytest.mark.parametrize("used", ["helper", "[helper for _ in R]"])
@pytest.mark.parametrize("kind", HELPERS)
def test_functions_without_a_file_have_their_bytecode_and_what_they_use(kind: str, used: str, monkeypatch) -> None:
    def make(helper: str, more: str = "") -> str:
        names: dict[str, object] = {"__name__": "typed_in"}
        exec(f"{helper}\ndef own(R, S, shape):\n    return {used}{more}\n", names)
        return code_hash(as_measure(names["own"], name="own", larger_is_more_similar=True), "")

    # What Python keeps for `python -c`, in which functions that are executed later are not.
    monkeypatch.setitem(linecache.cache, "<string>", (99, None, ["def another(): pass\n"] * 9, "<string>"))
    first, second = HELPERS[kind]
    assert len({make(first), make(second), make(first, " and R")}) == 3
    assert make(first) == make(first)


IN_A_SET = """
from resi.measures.base import as_measure
from resi.measures.source import code_hash
names = {"__name__": "typed_in"}
exec("def own(R, S):\\n    return float(R.shape[0] in {'alpha', 'beta', 'gamma'})", names)
print(code_hash(as_measure(names["own"], name="own", larger_is_more_similar=True)))
"""


def test_sets_in_the_code_of_a_function_are_the_same_in_every_process() -> None:
    found = [
        subprocess.run(
            [sys.executable, "-c", IN_A_SET],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    assert found[0]
    assert found[0] == found[1]


def test_identities_of_built_in_measures_hold_no_code() -> None:
    assert {registry.measures().origin(name).code for name in registry.measures().match("c*")} == {""}
    expected = {"measure": "cka", "version": CKA.version, "parameters": canonical(CKA().parameters())}
    assert measure_key(CKA(), None) == canonical(expected)


@dataclass
class Changing(Measure):
    """Gives what it is told to."""

    name = "changing"
    larger_is_more_similar = True

    def compare(self, a, b):
        return VALUES[0]


VALUES = [1.0]


@pytest.fixture
def register() -> Iterator[Callable[[str], None]]:
    """Yield what registers the measure with a hash of its code, so that Hydra knows it, too."""
    known = registry.measures()

    def forget() -> None:
        known._by_plain.pop("changing", None)
        known._qualified.pop("own-package:changing", None)
        known._shortest = None

    def register(code: str) -> None:
        forget()
        known.add("changing", Changing, "own-package", "1.0", code)

    register("")
    own_store.cache_clear()
    yield register
    forget()
    own_store.cache_clear()


def test_comparisons_by_changed_code_are_made_again_and_it_is_said(
    root: Path, capsys: pytest.CaptureFixture[str], register: Callable[[str], None]
) -> None:
    words = [*TINY, "domain=graph", "test=augmentation", "measure=[cka,changing]"]

    def values(code: str) -> tuple[set[float], str]:
        register(code * 32)
        found = resi.run(words)
        rows = found.comparisons.filter(measure="changing")
        return set(rows["value"]), capsys.readouterr().err

    said = "changing: its code (own-package) has changed, so its earlier comparisons are computed again"
    first, messages = values("a")
    assert first == {1.0}
    assert said not in messages
    VALUES[0] = 2.0
    assert values("a")[0] == {1.0}  # stored
    second, messages = values("b")
    assert second == {2.0}
    assert messages.count(said) == 1
    assert values("a")[0] == {1.0}
    assert root.is_dir()
