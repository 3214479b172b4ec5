"""Words of a command line that Hydra by itself would take for something else, or not at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from resi.cli.main import run_command
from resi.config.compose import compose
from resi.config.words import quoted
from resi.errors import UsageError
from resi.sweeps.suite_files import Suite
from resi.sweeps.suites import expand

LISTS = {
    "test": "[augmentation,shortcut]",
    "dataset": "[cora,flickr]",
    "domain": "[graph,vision]",
    "protocol": "[corrected,published]",
    "stage": "[models,compare]",
    "device": "[cpu,cuda]",
    "representation": "[cls,mean]",
}


@pytest.mark.parametrize("key", LISTS)
def test_a_list_for_a_key_of_one_value_is_refused_everywhere(key: str, root: Path) -> None:
    word = f"{key}={LISTS[key]}"
    message = rf"a run has one {key}\. For a run of each write -m {key}={LISTS[key].strip('[]')}"
    with pytest.raises(UsageError, match=message):
        compose([word])
    with pytest.raises(UsageError, match=message):
        expand([word, "measure=cka"])  # -m
    with pytest.raises(UsageError, match=message):
        expand((), Suite("mine", "", {"one": {key: LISTS[key].strip("[]").split(",")}}))
    with pytest.raises(UsageError, match=message):
        expand([f"{key}={LISTS[key]},other"])  # one of the values of a sweep


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["measure=cka", "measure=rsa"],
            r"measure=cka measure=rsa: measure is given twice; for both write '.*=\[cka,rsa\]'",
        ),
        (["domain=graph", "measure=cka", "domain=vision"], "domain=graph domain=vision: domain is given twice$"),
        (["seeds=[0,1]", "seeds=[5,6]"], "seeds is given twice"),
        (["root=a", "+root=b"], "root is given twice"),
        (["model.gcn.epochs=1", "model.gcn.epochs=2"], "model.gcn.epochs is given twice"),
        (["measure.file=a.py", "measure.file=b.py"], r"write 'measure.file=\[a.py,b.py\]'"),
    ],
)
def test_a_key_that_is_given_twice_is_refused(
    words: list[str], message: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=message):
        compose(words)
    for before in ([], ["-m"], ["plan"], ["plan", "-m"], ["plan", "suite=smoke"], ["suite=smoke"]):
        assert run_command([*before, *words]) == 2
        assert re.search(message, (shown := capsys.readouterr().err).strip())
        assert shown.count("\n") == 1
    assert not root.exists() or not any(root.rglob("*.*"))


def test_a_suite_gives_a_key_of_its_grid_again() -> None:
    assert expand(["test=augmentation", "seeds=[5,6]"], Suite("mine", "", {"one": {"seeds": "[0,1]"}})) == [
        ("seeds=[5,6]", "test=augmentation")
    ]


@pytest.mark.parametrize("words", [["test=[augmentation,shortcut]"], ["-m", "test=[augmentation,shortcut]"]])
def test_the_command_line_says_it_and_starts_nothing(
    words: list[str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words) == 2
    assert "write -m test=augmentation,shortcut" in capsys.readouterr().err
    assert not root.exists() or not any(root.rglob("*.*"))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("suite=[smoke,paper]", "a sweep has one suite"),
        ("suite=smoke,paper", "a sweep has one suite"),
        ("hydra/launcher=[basic,joblib]", "a sweep has one launcher"),
        ("test=augmentation,shortcut", "write -m test=augmentation,shortcut"),
        ("model={a:1}", "unknown key 'model.a'"),
        ("dataset={a:1}", "unknown key 'dataset.a'; did you mean dataset.name"),
        ("compare={a:1}", "unknown key 'compare.a'; did you mean compare.threads"),
        ("model.gcn=3", "model.gcn=3: expected a parameter, as model.gcn.PARAMETER=VALUE"),
        ("model.gcn=null", "model.gcn=null: expected a parameter, as model.gcn.PARAMETER=VALUE"),
        ("measure.cka=3", "measure.cka=3: expected a parameter, as measure.cka.PARAMETER=VALUE; measure=NAME chooses"),
        ("measure={cka:1}", r"measure=\{cka:1\}: expected a parameter, as measure.NAME.PARAMETER=VALUE"),
        ("compare=3", "compare=3: expected one of the keys below compare, as compare.KEY=VALUE"),
        ("measure=[{a:1}]", r"expected names in the list, as measure=\[a,b\]"),
        ("domain=[[graph]]", r"expected names in the list, as domain=\[a,b\]"),
        ("domain={graph:1}", "expected one value, not a mapping"),
        ("dataset.root=[a,b]", "expected one value, not a list"),
        ("stage=[all]", "expected one value, not a list"),
        ("device=gpu", "device=gpu: not a device; use auto, cpu, cuda or cuda:N"),
        ("device=", "device=: not a device"),
        ("root=", "root has no value; leave it out for the default"),
        ("dataset.root=", "dataset.root has no value"),
        ("measure.file=", "measure.file has no value"),
        ("suite=", "suite= has no value; resi list suites"),
        ("test=null", "test=null: a run has one test; leave the argument out"),
        ("+comparee.threads=2", r"unknown key 'comparee'; did you mean compare\? resi --help"),
        ("+compare.thread=2", "unknown key 'compare.thread'; did you mean compare.threads"),
        ("+models.rot=2", r"unknown key 'models.rot'; did you mean models.root"),
        ("+model.gcn.epoch=2", "unknown key 'model.gcn.epoch'; did you mean model.gcn.epochs"),
        ("+measure.cka.foo=1", "unknown parameter of cka 'foo'"),
        ("device=a#b", r"""device=a#b: this cannot be read\. .*: "device='a#b'"$"""),
    ],
)
def test_what_a_run_cannot_have_is_one_line(word: str, message: str, root: Path) -> None:
    with pytest.raises(UsageError, match=message) as found:
        compose([word])
    assert "\n" not in str(found.value)
    assert "in brackets" not in str(found.value)
    assert found.value.__cause__ is None  # whose traceback is 200 lines
    assert found.value.__context__ is None


def test_a_list_in_a_config_of_ones_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: [cora, digits_knn]\n  - override /model: [gcn]\n"
        "domain: graph\n"
    )
    with pytest.raises(UsageError, match="a list for dataset in a config: a run has one dataset"):
        compose(["domain=mine"], tmp_path)


def test_one_choice_in_brackets_is_that_choice(root: Path) -> None:
    assert compose(["test=[shortcut]", "model=[gcn,gat]"]).test.name == "shortcut"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~/x", "{home}/x"),
        ("data/a#b", "{here}/data/a#b"),
        ("data/a=b", "{here}/data/a=b"),
        ("my data", "{here}/my data"),
        ("1e5", "{here}/1e5"),
        ("007", "{here}/007"),
        ("true", "{here}/true"),
        ("a:b@c", "{here}/a:b@c"),
        ("'data/a,b'", "{here}/data/a,b"),
    ],
)
def test_a_path_is_taken_as_it_is(given: str, expected: str, root: Path) -> None:
    wanted = expected.format(home=Path.home(), here=Path.cwd())
    assert str(compose([f"root={given}", "measure=cka"]).root) == wanted
    assert str(compose([f"dataset.root={given}", "measure=cka"]).dataset_root) == wanted


def test_an_empty_variable_is_no_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESI_HOME", "")
    assert compose([]).root == Path.cwd() / "experiments"


def test_words_are_quoted_only_where_it_is_needed() -> None:
    words = ["root=/data/x", "root=${oc.env:HOME}/x", "root=a,b", "root=null", "test=a", "shards=s3://b/c", "-m"]
    assert quoted(words) == words
    assert quoted(["shards=https://h/x?a=1&b=2"]) == ["shards='https://h/x?a=1&b=2'"]


def test_the_manifests_config_keeps_interpolations_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET", "s3://key:secret@bucket")
    config = compose(["shards=${oc.env:BUCKET}", "measure=cka"])
    assert config.shards == os.environ["BUCKET"]
    assert config.composed["shards"] == "${oc.env:BUCKET}"
    config = compose(["shards=https://u:hunter2@h/x?token=abc&v=1", "measure=cka"])
    assert config.shards == "https://u:hunter2@h/x?token=abc&v=1"
    assert config.composed["shards"] == "https://***@h/x?token=***&v=1"
