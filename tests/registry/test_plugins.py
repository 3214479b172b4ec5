"""Plugins: found by entry point, run by name, and isolated when they fail."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pluggy
import pytest

import resi
from resi import registry
from resi.errors import UsageError
from resi.measures.base import Measure, as_measure
from resi.registry import discovery, hookspecs
from tests.conftest import REPOSITORY, TINY
from tests.registry.conftest import forget_plugins

COMMAND = [sys.executable, "-c", "from resi.cli.main import main; main()"]
BROKEN = {
    "raises": ("raise RuntimeError('bad day')", "RuntimeError: bad day"),
    "misspells": ("import resi\n@resi.hookimpl\ndef resi_mesures(): return ()", "unknown hook 'resi_mesures'"),
    "repeats": (
        "import resi\nfrom resi.measures.kernel import CKA\n@resi.hookimpl\ndef resi_measures(): return (CKA,)",
        "measure 'cka' is already provided by resi",
    ),
    "shadows": (
        "import resi\n@resi.hookimpl\ndef resi_measures():\n"
        "    return (resi.as_measure(lambda R, S, shape: 0.0, name='jsd', larger_is_more_similar=False),)",
        "measure 'jsd': the name is taken by a function of outputs",
    ),
    "lacks": (
        "import resi\nclass M(resi.Measure): pass\n@resi.hookimpl\ndef resi_measures(): return (M,)",
        "measure M: class attribute 'name' must be a str, not None",
    ),
}


def environment(folder: Path, **changes: str) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(folder), "RESI_HOME": str(folder / "home"), **changes}


def install(folder: Path, name: str, code: str) -> None:
    """Lay out a distribution as an installer would: a module, and metadata with an entry point."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[resi]\n{name} = {name}\n")


def run(words: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=env, timeout=300, check=False)


def test_the_example_plugin_installs_from_its_folder_and_runs_by_name(folder: Path, said) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    pip += ["--target", str(folder)]
    subprocess.run([*pip, str(REPOSITORY / "plugins" / "resi-example")], check=True, timeout=300)
    listed = run(["list", "measures", "effective*"], environment(folder))
    assert "effective_rank_difference" in listed.stdout
    assert "resi-example 0.1.0" in listed.stdout
    code, shown, errors = said(*TINY, "measure=[cka,effective_rank_difference]")
    assert code == 0, errors
    assert "effective_rank_difference" in shown


@pytest.mark.parametrize("kind", BROKEN)
def test_a_plugin_that_fails_is_reported_and_the_rest_works(
    folder: Path, said, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, message = BROKEN[kind]
    install(folder, "broken", code)
    status, listed, errors = said("list", "plugins", "--json")
    assert status == 0, errors
    assert message in listed
    assert '"distribution": "broken"' in listed
    assert "cka" in said("list", "measures")[1]
    status, _, errors = said("measure=mine")
    assert status == 2
    assert "Plugin broken of broken failed to load: " in errors
    assert ". See resi list measures." in errors
    monkeypatch.setenv("RESI_STRICT_PLUGINS", "1")
    forget_plugins()
    status, _, errors = said("list", "measures")
    assert status == 2
    assert message in errors


def test_plugins_can_be_left_out(folder: Path, said, monkeypatch: pytest.MonkeyPatch) -> None:
    install(folder, "broken", "raise RuntimeError('bad day')")
    for chosen, there in (("", False), ("other", False), ("broken,other", True)):
        monkeypatch.setenv("RESI_LOAD_PLUGINS", chosen)
        forget_plugins()
        assert ("bad day" in said("list", "plugins")[1]) is there


def test_built_in_measures_come_through_the_hook() -> None:
    loaded = discovery.load_plugins()
    provided = [measure for info, measure in loaded.call("resi_measures") if info.distribution == "resi"]
    assert {"cka", "rsa"} <= {measure.name for measure in provided}
    assert loaded.manager.get_plugin("resi:resi.measures") is not None
    assert importlib.metadata.version("resi") in {info.version for info in loaded.infos}


def test_a_plain_function_becomes_a_measure_in_one_call() -> None:
    shift = as_measure(lambda R, S, shape: float((R - S).abs().mean()), name="shift", larger_is_more_similar=False)
    assert issubclass(shift, Measure)
    assert shift().evaluate(np.zeros((3, 2)), np.ones((3, 2))) == 1


CALL_ALONE = """
from dataclasses import dataclass
import resi

@dataclass
class Shift(resi.Measure):
    name = "{name}"
    larger_is_more_similar = False

    def __call__(self, R, S):
        return (R - S).abs().mean()

@resi.hookimpl
def resi_measures():
    return (Shift,)
"""


def test_a_call_alone_makes_a_measure(folder: Path) -> None:
    install(folder, "alone", CALL_ALONE.format(name="shift"))
    R, S = np.zeros((3, 2)), np.ones((3, 2))
    assert resi.compare(R, S, measure="shift") == 1
    assert resi.pairwise({"R": R, "S": S}, ["shift"])["value"].to_list() == [1]


def test_two_plugins_of_one_name_both_load(folder: Path, said) -> None:
    for name in ("first", "second"):
        install(folder, name, CALL_ALONE.format(name=name))
        (folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[resi]\nplugin = {name}\n")
    listed = said("list", "measures")[1]
    assert "first" in listed
    assert "second" in listed


def provided(*measures: object, monkeypatch: pytest.MonkeyPatch) -> tuple[registry.Registry, dict[str, str]]:
    """Return all measures, those of a plugin included, and the errors of plugins by name."""
    loaded = discovery.load_plugins()
    found = discovery.Plugins(loaded.manager, dict(loaded._records))
    own = discovery.PluginInfo("own", "own-package", "1.0")
    found.add(own)
    built_in = list(loaded.call("resi_measures"))
    monkeypatch.setattr(found, "call", lambda hook: iter([*built_in, *((own, measure) for measure in measures)]))
    monkeypatch.setattr("resi.registry.names.load_plugins", lambda: found)
    return registry.measures.__wrapped__(), {info.name: info.error for info in found.failed}


def own_measure(**facts: object) -> type[Measure]:
    body = {"name": "own", "larger_is_more_similar": True, "compare": lambda self, a, b: 0.0, **facts}
    return dataclasses.dataclass(type("Own", (Measure,), body))


class Puzzling(type):
    @property
    def name(cls) -> str:
        raise LookupError("no name today")


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (own_measure(invariances=5), "measure Own: class attribute 'invariances' must be a frozenset, not 5"),
        (own_measure(invariances={5}), "measure Own: unknown invariances ['5']"),
        (own_measure(version="2"), "measure Own: class attribute 'version' must be an int, not '2'"),
        (own_measure(version=True), "measure Own: class attribute 'version' must be an int, not True"),
        (
            own_measure(symetric=False),
            "class attribute 'symetric' is not a fact; did you mean 'symmetric'?",
        ),
        (
            own_measure(is_symmetric=False, symmetric=True),
            "measure Own: class attributes 'is_symmetric' and 'symmetric' contradict each other; state one of them",
        ),
        (own_measure(metric=True), "measure Own: a metric is a symmetric distance"),
        *((own_measure(name=name), f"measure '{name}': the name is taken by a set of") for name in registry.SETS),
        *((own_measure(name=name), f"measure '{name}': the name means something else") for name in ("file", "nan")),
        (own_measure(benchmark=True), "measure 'own': 'benchmark' is reserved for the published measures"),
        (Puzzling("Puzzle", (Measure,), {}), "measure 'Puzzle': LookupError: no name today"),
        (5, "5 is not a class derived from resi.Measure"),
    ],
)
def test_a_measure_that_does_not_fit_costs_its_plugin_alone(measure, message, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: registry.measures().get(name) for name in registry.measures()}
    found, errors = provided(measure, own_measure(name="fine"), monkeypatch=monkeypatch)
    assert message in errors["own"]
    assert {name: found.get(name) for name in found if name != "fine"} == before


def test_a_plugin_that_leaves_the_program_when_it_is_loaded_or_asked_is_named() -> None:
    class Leaving:
        name = "leaving"
        dist = None

        def load(self):
            raise SystemExit(0)

    found = discovery.Plugins(pluggy.PluginManager(hookspecs.PROJECT))
    found.manager.add_hookspecs(hookspecs)
    discovery._load(found, Leaving())

    class Asked:
        @resi.hookimpl
        def resi_measures(self):
            raise SystemExit("not today")

    asked = discovery.PluginInfo("asked", "own-package", "1.0")
    found.manager.register(Asked(), name=asked.key)
    found.add(asked)
    assert list(found.call("resi_measures")) == []
    assert {info.name: info.error for info in found.failed} == {
        "leaving": "SystemExit: 0",
        "asked": "resi_measures: SystemExit: not today",
    }


def test_datasets_of_a_domain_that_does_not_exist_are_asked_for_in_vain() -> None:
    for of_domain in (registry.datasets, registry.networks):
        with pytest.raises(UsageError, match="unknown domain 'grap'; did you mean graph"):
            of_domain("grap")
