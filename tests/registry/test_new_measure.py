"""The package that ``resi new-measure`` writes: whole, working, and of the form of the example."""

from __future__ import annotations

import importlib.util
import inspect
import tomllib
from pathlib import Path

import pytest

from resi.cli.new_measure import names_of, rendered, write_files
from tests.conftest import REPOSITORY
from tests.registry.conftest import forget_plugins
from tests.registry.test_plugins import install

EXAMPLE = REPOSITORY / "plugins" / "resi-example"


def test_what_it_writes_is_found_passes_its_own_tests_and_says_what_to_do(folder: Path, said) -> None:
    place = folder / "packages" / "mine"
    status, shown, errors = said("new-measure", "own-spread", "--out", str(place))
    assert (status, errors) == (0, "")
    assert [line.strip().split(" ")[0] for line in shown.splitlines()[1:]] == ["python", "python", "resi"]
    about = tomllib.loads((place / "pyproject.toml").read_text())
    assert about["project"]["name"] == "resi-own-spread"
    assert "license" not in about["project"]
    module = about["project"]["entry-points"]["resi"]["resi-own-spread"]
    install(folder, module, (place / "src" / module / "__init__.py").read_text())
    forget_plugins()
    listed = said("list", "measures", "own_spread")[1]
    assert "own_spread" in listed
    assert "resi_own_spread 1.0" in listed
    spec = importlib.util.spec_from_file_location("tests_of_it", place / "tests" / "test_own_spread.py")
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    functions = [value for name, value in vars(tests).items() if name.startswith("test_")]
    assert len(functions) == 4
    for function in functions:
        for order in (1.0, 2.0) if "order" in inspect.signature(function).parameters else (None,):
            function(*([] if order is None else [order]))
    status, shown, _ = said("describe", "own_spread")
    assert "How differently far from their centre" in shown
    assert "measure.own_spread.order=1.0" in shown
    # It tries to be installed a second time.
    assert said("new-measure", "own_spread")[2].endswith(
        "resi_own_spread has a measure own_spread; choose another name\n"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Mine", "expected lower-case letters, digits and _ or -, such as mean_shift"),
        ("2d", "expected lower-case letters"),
        ("a b", "expected lower-case letters"),
        ("../x", "expected lower-case letters"),
        ("lambda", "lambda is a word of Python"),
        ("match", "match is a word of Python"),
        ("cka", "resi has a measure cka"),
        ("fast", "measure=fast means something else"),
        ("jsd", "measure=jsd means something else"),
        ("file", "measure=file means something else"),
        ("null", "measure=null means something else"),
    ],
)
def test_names_that_cannot_be(name: str, reason: str, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, errors = said("new-measure", name)
    assert (status, errors.count("\n")) == (2, 1)
    assert reason in errors
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, said) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    status, _, errors = said("new-measure", "own-spread", "--out", str(tmp_path))
    assert (status, "exists already; name another folder with --out DIR" in errors) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert "expected an SPDX expression" in said("new-measure", "own-spread", "--license", 'MIT" #')[2]
    empty = tmp_path / "empty"
    empty.mkdir()
    write_files(empty, names_of("own-spread"), "MIT")
    assert 'license = "MIT"' in (empty / "pyproject.toml").read_text()


def test_names_follow_from_that_of_the_measure() -> None:
    assert names_of("own-spread") == names_of("own_spread") == names_of("resi-own-spread")
    assert names_of("own-spread") == ("own_spread", "OwnSpread", "resi_own_spread", "resi-own-spread")


def test_the_example_has_the_same_form() -> None:
    measure = "effective_rank_difference"
    names = names_of("own-spread")._replace(measure=measure, module="resi_example", distribution="resi-example")
    about = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    texts = rendered(names, about["license"], about["description"])
    assert (EXAMPLE / "pyproject.toml").read_text() == texts["pyproject.toml"]
    assert all((EXAMPLE / path).is_file() for path in texts)
