"""Plugins that do all they should not: each costs itself alone, and leaves the process as it was."""

from __future__ import annotations

import json
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import resi
from resi import registry
from resi.machine.unchanged import unchanged_process
from resi.registry import discovery
from tests.conftest import TINY
from tests.registry.test_plugins import install

HEAD = "from dataclasses import dataclass, field\nimport resi\n"
HOOK = "\n@resi.hookimpl\ndef resi_measures():\n    return ({},)\n"
MEASURE = HEAD + "@dataclass\nclass M(resi.Measure):\n    name = '{name}'\n    larger_is_more_similar = True\n"
COMPARE = "    def compare(self, a, b):\n        return 1.0\n"


def measure(name: str, body: str, compare: str = COMPARE) -> str:
    return MEASURE.format(name=name) + body + compare + HOOK.format("M")


# Those that cannot be used, with what is said of them.
BROKEN = {
    "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "unspeakable": ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E()", "E"),
    "verbose": ("raise RuntimeError('x' * 10**6)", "RuntimeError: xxx"),
    "generates": (
        f"{HEAD}@resi.hookimpl\ndef resi_measures():\n    yield 5\n    raise LookupError('gone')\n",
        "resi_measures: LookupError: gone",
    ),
    "nothing": (f"{HEAD}@resi.hookimpl\ndef resi_measures():\n    return None\n", "resi_measures: TypeError"),
    "dataset": (
        f"{HEAD}@resi.hookimpl\ndef resi_datasets():\n    return (5,)\n",
        "resi_datasets: dataset of type int: AttributeError",
    ),
    "title": (
        f"{HEAD}class D:\n    domain = 'graph'\n    name = 'mine'\n    title = 5\n    source = ''\n"
        "@resi.hookimpl\ndef resi_datasets():\n    return (D(),)\n",
        "title must be a text, not 5",
    ),
    "path": (
        f"{HEAD}class D:\n    domain = 'graph'\n    name = '../../x'\n    title = source = ''\n"
        "@resi.hookimpl\ndef resi_datasets():\n    return (D(),)\n",
        "'../../x': a name must consist of letters, digits",
    ),
    "networks": (
        f"{HEAD}class N:\n    domain = 'graph'\n    architectures = None\n"
        "@resi.hookimpl\ndef resi_networks():\n    return (N(),)\n",
        "resi_networks: model of type N: TypeError",
    ),
    "property": (
        f"{HEAD}class Meta(type):\n    @property\n    def name(cls): raise SystemExit('no')\n"
        "class D(metaclass=Meta): pass\n@resi.hookimpl\ndef resi_domains():\n    return (D,)\n",
        "domain 'D': SystemExit: no",
    ),
}
# Those that can, however strange.
STRANGE = {
    "prints": measure("prints", "    print('hello')\n"),
    "lazy_types": "from __future__ import annotations\n"
    + measure("lazy_types", "    k: Unknown = 3\n    j: 'np.ndarray' = None\n"),
    "objects": measure("objects", "    k: object = field(default_factory=object)\n    j: int = 2\n"),
    "no_default": measure("no_default", "    k: int\n"),
    "refuses": measure("refuses", "    def __post_init__(self): raise LookupError('not today')\n"),
    "documents": measure("documents", "    __doc__ = 'word ' * 20000\n"),
    "bytes_raise": measure("bytes_raise", "    def prepared_bytes(self, n, d): raise LookupError('how many?')\n"),
    "bytes_text": measure("bytes_text", "    def prepared_bytes(self, n, d): return 'many'\n"),
    "notes_raise": measure("notes_raise", "    def note(self, a, b): raise LookupError('what?')\n"),
    "notes_none": measure("notes_none", "    def note(self, a, b): return 5\n"),
    "leaves": measure("leaves", "", "    def compare(self, a, b):\n        import sys; sys.exit(0)\n"),
    "speaks": measure("speaks", "", "    def compare(self, a, b):\n        return 'much'\n"),
    "states": measure("states", "    def parameters(self): raise LookupError('none')\n"),
}


@pytest.fixture
def hostile(folder: Path) -> Path:
    """Return a folder with all of them, installed at a time."""
    for name, (code, _) in BROKEN.items():
        install(folder, f"broken_{name}", code)
    for name, code in STRANGE.items():
        install(folder, f"strange_{name}", code)
    (folder / "nameless-1.0.dist-info").mkdir()
    (folder / "nameless-1.0.dist-info" / "entry_points.txt").write_text("[resi]\nnameless = not a module !\n")
    return folder


def test_listing_and_describing_go_on(hostile: Path, said) -> None:
    status, listed, errors = said("list", "plugins", "--json")
    assert status == 0, errors
    found = {row["distribution"]: row["error"] for row in json.loads(listed)}
    for name, (_, message) in BROKEN.items():
        assert message in found[f"broken_{name}"], name
        assert len(found[f"broken_{name}"]) < 1000
    assert {name for name in STRANGE if found[f"strange_{name}"]} == set()
    for kind in ("measures", "models", "datasets", "domains", "tests", "suites"):
        for form in ("--json", "--csv", "--wide"):
            status, listed, errors = said("list", kind, form)
            assert (status, errors) == (0, ""), (kind, errors)
            assert "hello" not in listed
    assert said("list")[0] == 0
    for name in (*STRANGE, "cka", "digits_knn", "gcn", "augmentation", "graph"):
        status, _, errors = said("describe", name)
        assert status == 0, errors
    assert said("--help")[0] == 0


def test_a_run_by_each_of_them_is_one_line_or_rows_that_say_why(hostile: Path, trained: Path, said) -> None:
    tiny = [*TINY, f"root={trained}"]
    usable = [name for name in STRANGE if name not in ("no_default", "objects", "refuses", "states")]
    words = [*tiny, f"measure=[cka,{','.join(usable)}]"]
    status, _, errors = said("plan", *words)
    assert status == 0, errors
    found = resi.run(words).comparisons
    by_measure = {name: found.filter(measure=name).row(0, named=True) for name in ("cka", *usable)}
    assert by_measure["cka"]["status"] == "ok"
    reasons = {
        "bytes_raise": "LookupError: how many?",
        "bytes_text": "prepared_bytes returned 'many'; expected a number of bytes",
        "leaves": "leaves tried to end the program (SystemExit: 0)",
        "speaks": "speaks returned 'much', expected a number",
    }
    for name in usable:
        row = by_measure[name]
        assert row["status"] == ("failed" if name in reasons else "ok"), (name, row["error"])
        assert reasons.get(name, "") in row["error"]
    assert "the note of notes_raise failed: LookupError: what?" in by_measure["notes_raise"]["note"]
    assert "the note of notes_none is not a text but 5" in by_measure["notes_none"]["note"]
    kinds = "its parameters have to be numbers, texts, lists or null, which tables can hold"
    for name, reason in {
        "no_default": "no_default: k has no default; give measure.no_default.k=VALUE",
        "refuses": "refuses: not today",
        "states": f"states: {kinds}: LookupError: none",
        "objects": f"objects: {kinds}: TypeError: Object of type object is not JSON serializable",
    }.items():
        status, _, errors = said(*tiny, f"measure={name}")
        assert status == 2
        assert errors.strip().splitlines()[-1] == f"resi: {reason}"
    assert said(*tiny, "measure=no_default", "measure.no_default.k=3", "stage=models")[0] == 0


CHANGES = {
    "the default dtype": ("torch.set_default_dtype(torch.float64)", torch.get_default_dtype),
    "the number of threads": ("torch.set_num_threads(3)", torch.get_num_threads),
    "torch's generator": ("torch.manual_seed(7)", lambda: torch.get_rng_state().sum().item()),
    "numpy's generator": ("np.random.seed(7)", lambda: float(np.random.get_state()[1].sum())),
    "Python's generator": ("random.seed(7)", lambda: hash(random.getstate())),
    "gradients": ("torch.set_grad_enabled(False)", torch.is_grad_enabled),
    "determinism": ("torch.use_deterministic_algorithms(True)", torch.are_deterministic_algorithms_enabled),
    "the default device": ("torch.set_default_device('meta')", torch.get_default_device),
    "errors of numpy": ("np.seterr(all='raise')", np.geterr),
    "the folder": ("os.chdir('/')", Path.cwd),
    "filters of warnings": ("warnings.simplefilter('error')", lambda: list(warnings.filters)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_importing_changes_for_everybody_is_put_back(what: str) -> None:
    code, state = CHANGES[what]
    before = state()
    with unchanged_process():
        exec(code, {"torch": torch, "np": np, "random": random, "os": os, "warnings": warnings})
        assert state() != before
    assert state() == before


def test_plugins_are_imported_within_that(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "    import torch, warnings\n    torch.set_default_dtype(torch.float64)\n"
    install(folder, "changes", measure("changes", body + "    warnings.simplefilter('error')\n    print('loud')\n"))
    filters = list(warnings.filters)
    assert "changes" in registry.measures()
    assert discovery.load_plugins().failed == []
    assert torch.get_default_dtype() is torch.float32
    assert list(warnings.filters) == filters
    assert capsys.readouterr().out == ""
    assert torch.equal(torch.zeros(1).float(), torch.zeros(1))


def test_filters_for_one_text_or_module_stay() -> None:
    with warnings.catch_warnings():
        with unchanged_process():
            warnings.filterwarnings("ignore", message="of this library")
            warnings.simplefilter("error")
        assert any(found[1] is not None and found[1].pattern == "of this library" for found in warnings.filters)
        assert warnings.filters[0][0] == "ignore"
