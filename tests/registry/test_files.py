"""Measures of a file: which there are, who they are, and how they run without a package around them."""

from __future__ import annotations

import importlib
import json
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import resi
from resi.config.compose import compose
from resi.engine.recipes import Recipe
from resi.errors import UsageError
from resi.measures.functions import from_function
from resi.measures.kernel import CKA
from resi.measures.source import code_hash
from resi.registry.files import load_file, load_files
from resi.testing import measure_report
from tests.conftest import TINY

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = '''"""Measures that somebody tries."""
from dataclasses import dataclass

import resi
from helpers_of_mine import distance


def gap(R, S, k=1, metric="l2"):
    """Distance of the means."""
    return k * distance(R, S)


gap.larger_is_more_similar = False
gap.symmetric = True


@dataclass
class Overlap(resi.Measure):
    """Share of columns."""

    name = "overlap"
    larger_is_more_similar = True
    share: float = 0.5

    def compare(self, a, b):
        return self.share * min(a.shape[1], b.shape[1]) / max(a.shape[1], b.shape[1])


offset = resi.as_measure(lambda R, S, shape: float((R.mean() - S.mean()).abs()), name="offset",
                         larger_is_more_similar=False)


def helper(x, y):
    return x


def _private(R, S):
    return 0
'''
HELPERS = "from helpers_inner import norm\n\ndef distance(R, S):\n    return norm(R.mean(0), S.mean(0))\n"
INNER = "def norm(a, b):\n    return float(a.norm() - b.norm())\n"


def write(folder: Path, **changes: str) -> Path:
    """Write the file and the modules beside it, with other text for some; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"tries": FILE, "helpers_of_mine": HELPERS, "helpers_inner": INNER, **changes}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "tries.py"


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    """Leave no module of a test behind."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("tries", "helpers_of_mine", "helpers_inner"):
            del sys.modules[name]


def codes(path: Path) -> dict[str, str]:
    return {name: code_hash(measure) for name, measure in load_file(path).measures.items()}


def test_what_a_file_defines(tmp_path: Path) -> None:
    found = load_file(write(tmp_path))
    assert list(found.measures) == ["gap", "overlap", "offset", "helper"]
    assert found.chosen == ("gap", "overlap", "offset")
    gap = found.measures["gap"]
    assert (gap.larger_is_more_similar, gap.symmetric, gap.__doc__) == (False, True, "Distance of the means.")
    assert gap().parameters() == {"k": 1}  # the name of a fact cannot be that of a parameter
    R = np.array([[3.0, 4.0], [3.0, 4.0]])
    assert gap(k=2)(R, np.zeros((2, 2))) == 10.0
    assert [name for name, _ in found.sources] == ["tries.py", "helpers_inner.py", "helpers_of_mine.py"]
    assert load_file(tmp_path / "tries.py") is found
    assert not any(name.startswith("helpers_of_mine") and "site-packages" in name for name in sys.path)
    assert str(tmp_path) not in sys.path


def test_where_none_says_its_direction_all_functions_of_two_matrices_are_meant(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text("def one(a, b):\n    return 0\n\ndef three(a, b, c):\n    return 0\n")
    assert load_file(path).chosen == ("one",)
    path.write_text("def one(a, b):\n    return 0\n\ndef two(R, S):\n    return 0\n")
    assert load_file(path).chosen == ("two",)
    assert list(load_file(path).measures) == ["one", "two"]


def test_the_same_code_is_the_same_wherever_it_lies_and_however_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = codes(write(tmp_path / "a"))
    assert codes(write(tmp_path / "b")) == first
    monkeypatch.syspath_prepend(str(tmp_path / "a"))
    imported = importlib.import_module("tries")
    assert code_hash(imported.Overlap) == first["overlap"]
    assert code_hash(from_function(imported.gap)) == first["gap"]
    changed = {
        "tries": FILE.replace("self.share *", "2 * self.share *"),
        "helpers_of_mine": HELPERS.replace("S.mean(0)", "2 * S.mean(0)"),
        "helpers_inner": INNER.replace("-", "+"),
    }
    found = [first]
    for name, text in changed.items():
        found.append(codes(write(tmp_path / "a", **{name: text})))
    assert len({tuple(known.values()) for known in found}) == 4
    assert codes(write(tmp_path / "a")) == first
    assert code_hash(imported.Overlap) == first["overlap"]


def test_modules_of_one_name_beside_two_files_do_not_mix(tmp_path: Path) -> None:
    other = FILE.replace('name="offset"', 'name="offset_2"').replace('"overlap"', '"overlap_2"').replace("gap", "gap_2")
    first, second = load_files(
        [write(tmp_path / "a"), write(tmp_path / "b", tries=other, helpers_inner=INNER.replace("-", "+"))]
    )
    R, S = np.full((3, 1), 5.0), np.full((3, 1), 2.0)
    assert first.measures["gap"]()(R, S) == 3.0
    assert second.measures["gap_2"]()(R, S) == 7.0


WRONG = {
    "x = (\n": "line 1: SyntaxError: '(' was never closed",
    "import resi\n\n1 / 0\n": "line 3: ZeroDivisionError: division by zero",
    "def f():\n    raise SystemExit(3)\n\nf()\n": "line 2: SystemExit: 3",
    "import nowhere_to_be_found\n": "line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    "x = 3\n": "it defines no measure: a class derived from resi.Measure, a result of resi.as_measure, or a function",
    "def cka(R, S):\n    return 0\n": "line 1: cka is a measure of resi; rename this one",
    "def jsd(R, S):\n    return 0\n": "line 1: the name jsd has another meaning here",
    "def nan(R, S):\n    return 0\n": "line 1: the name nan has another meaning here",
    "\ndef Mine(R, S):\n    return 0\n": "line 2: the name 'Mine' must be a snake_case identifier",
    "import resi\nclass M(resi.Measure):\n    name = 'm'\n": "line 2: measure M: class attribute 'larger_is",
    "def f(R, S): return 0\nf.larger_is_more_simlar = True\n": "'larger_is_more_simlar' is not a fact; did you mean",
    "def f(R, S): return 0\nf.knows_direction = True\n": "'knows_direction' does not state the direction: state",
    "def f(R, S): return 0\nf.metric = 'yes'\n": "class attribute 'metric' must be a bool, not 'yes'",
    "def f(R): return 0\nf.larger_is_more_similar = True\n": "expected a function of R and S",
    "\ndef f(R): return 0\nf.larger_is_mor_similar = True\n": "line 2: measure f: attribute of the function 'larger_is",
    "import resi\ndef f(R, S): return 0\na = resi.as_measure(f, name='f', larger_is_more_similar=True)\n": "twice",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_one_line_with_file_and_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_file(path)
    message = str(caught.value)
    assert message.startswith(f"measure.file={path}")
    assert WRONG[text] in message
    assert "\n" not in message


def test_check_measure_lists_all_that_is_wrong_with_a_file(tmp_path: Path, said) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(
        "import resi\n\n\nclass Mine(resi.Measure):\n    name = 'mine'\n    symetric = True\n\n\n"
        "def f(R, S):\n    return 0\n\n\nf.is_metrics = f.reference_ = ''\n\n\ndef cka(R, S):\n    return 0\n"
    )
    lines = {4: 4, 9: 2, 16: 1}  # of Mine: two attributes, no way to compare, no dataclass
    status, shown, errors = said("check-measure", str(path))
    assert (status, shown) == (2, "")
    assert [line.split(":")[0] for line in errors.splitlines()] == [
        f"measure.file={path}, line {line}" for line, count in lines.items() for _ in range(count)
    ]
    with pytest.raises(UsageError, match=rf"larger_is_more_similar.* \(and 6 more: resi check-measure {path}\)$"):
        load_file(path)


def test_files_that_are_not_there_or_share_a_name(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "no.py", "the file does not exist"),
        (tmp_path / "no.txt", "expected a Python file"),
    ):
        with pytest.raises(UsageError, match=reason):
            load_file(path)
    with pytest.raises(UsageError, match=r"both define gap; rename one of them"):
        load_files([write(tmp_path / "a"), write(tmp_path / "b")])


def test_words_name_files_and_their_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "with space, and comma")
    monkeypatch.chdir(path.parent)
    (tmp_path / "other.py").write_text("def more(R, S):\n    return 0\n\nmore.larger_is_more_similar = True\n")
    assert list(compose(["measure.file=tries.py"]).measures) == ["gap", "overlap", "offset"]
    both = compose(["measure.file=[tries.py,../other.py]", "measure=[cka,gap,more]", "measure.gap.k=3"])
    assert list(both.measures) == ["cka", "gap", "more"]
    assert both.measures["gap"].parameters() == {"k": 3}
    assert both.composed["measure"]["file"] == [str(path), str(tmp_path / "other.py")]
    assert "file" not in compose(["measure=cka"]).composed["measure"]
    for words, message in (
        (["measure=[cka,gap]"], "unknown measure 'gap'"),
        (["measure=cka", "measure.file=tries.py"], "measure=cka names none of its measures; add gap or overlap"),
        (["measure.file=tries.py", "measure.gap.k=x"], "gap: k='x': expected a value such as 1"),
        (["measure.file=tries.py", "measure.gap.kk=3"], "did you mean measure.gap.k"),
        (["measure.fil=tries.py"], "did you mean measure.file"),
        (["measure=../a/tries.py"], r"measure=\.\./a/tries\.py names a file; write measure\.file=\.\./a/tries\.py"),
        (["measure.file=tries.py,other.py"], r"write several files as a list"),
        (["measure=helper", "measure.file=tries.py"], "helper does not say whether large values mean similar"),
    ):
        with pytest.raises(UsageError, match=message):
            compose(words)


def test_a_run_reuses_what_has_not_changed(tmp_path: Path, trained: Path, said) -> None:
    path = write(tmp_path / "a")
    words = [*TINY, f"root={trained}"]
    found = resi.run([*words, f"measure.file={path}"])
    assert set(found.scores["measure"]) == {"gap", "overlap", "offset"}
    kept = json.loads((found.shard / "manifest.json").read_text())["own_measures"]["gap"]
    assert kept["provider"] == str(path)
    assert kept["sources"] == dict(load_file(path).sources)
    assert kept["larger_is_more_similar"] is False
    moved = load_file(write(tmp_path / "b"))
    again = resi.run(words, measures=[moved.measures[name] for name in moved.chosen])
    assert again.reused
    assert again.shard == found.shard
    beside = resi.run([*words, "measure=cka"], measures={"gap_twice": moved.measures["gap"](k=2)})
    assert set(beside.comparisons["measure"]) == {"cka", "gap_twice"}
    status, shown, errors = said(*words, f"measure.file={path}")
    assert (status, "finished before" in errors, "overlap" in shown) == (0, True, True)
    write(tmp_path / "a", helpers_inner=INNER.replace("a.norm() - b.norm()", "(a - b).norm()"))
    status, _, errors = said(*words, f"measure.file={path}", "measure=gap")
    assert status == 0
    assert errors.count(f"gap: its code ({path}) has changed, so its earlier comparisons are computed again") == 1
    other = write(tmp_path / "c", helpers_inner=INNER.replace("a.norm() - b.norm()", "2 * (a - b).norm()"))
    status, _, errors = said(*words, f"measure.file={other}", "measure=gap")
    told = f"gap is now another measure of this name, from {other}: comparisons by that from {path} are not used for it"
    assert (status, errors.count(told), "has changed" in errors) == (0, 1, False)


def test_another_process_makes_the_same_measure_or_says_that_its_file_has_changed(tmp_path: Path) -> None:
    path = write(tmp_path)
    recipe = pickle.loads(pickle.dumps(Recipe.of(load_file(path).measures["gap"](k=4))))
    assert recipe.make().parameters() == {"k": 4}
    assert code_hash(type(recipe.make())) == recipe.code
    write(tmp_path, helpers_inner=INNER.replace("-", "+"))
    with pytest.raises(UsageError, match=r"gap: its code in .*tries.py has changed since the run began; run again"):
        recipe.make()
    assert Recipe.of(CKA()).make() == CKA()


def test_that_a_file_is_read_again_by_other_processes_is_no_limit_of_its_measures(tmp_path: Path) -> None:
    report = measure_report(load_file(write(tmp_path)).measures["gap"], cost=False)
    assert "pickle" in report.passed
    assert "pickle" not in {remark.subject for remark in report.limits}


def test_sweeps_and_plans(tmp_path: Path, trained: Path, said) -> None:
    path = write(tmp_path)
    words = [*TINY, f"root={trained}", f"measure.file={path}"]
    status, shown, errors = said("plan", "-m", *words, "measure=cka,overlap")
    assert (status, "2 jobs" in shown) == (0, True), errors
    status, shown, errors = said("-m", *words, "measure=cka,overlap,gap")
    assert status == 0, errors
    status, shown, _ = said("plan", *words)
    assert "measures: gap, overlap, offset" in shown
    assert said("-m", *words, "measure=cka,rsa")[0] == 2


def test_run_takes_measures_that_no_word_names(trained: Path) -> None:
    words = [*TINY, f"root={trained}"]

    def near(R, S):
        return -float((R - S).norm())

    with pytest.raises(UsageError, match=r"near does not say .* near.larger_is_more_similar = True or False"):
        resi.run(words, measures=near)
    near.larger_is_more_similar = True
    found = resi.run(words, measures=[near, "cka"])
    assert set(found.scores["measure"]) == {"near", "cka"}
    rows = found.comparisons.filter(measure="near")
    assert rows.height == 2 * found.comparisons.filter(measure="cka").height  # either order: it does not say symmetric
    for wrong, message in (
        ({"cka": near}, "cka is the name of another measure of this run"),
        ({"jsd": near}, "the name jsd has another meaning here"),
        ("no_such", "unknown measure 'no_such'"),
    ):
        with pytest.raises(UsageError, match=message):
            resi.run(words, measures=wrong)
    with pytest.raises(UsageError, match=r"compare.isolate=true: near is compared in another process"):
        resi.run([*words, "compare.isolate=true", "compare.overwrite=always"], measures=near)


def test_compare_list_and_describe_take_a_file(tmp_path: Path, said) -> None:
    path = write(tmp_path)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(ord(name)).normal(size=(20, 4)))
    sides = [str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]
    table = tmp_path / "table.csv"
    status, _, errors = said("compare", *sides, f"measure.file={path}", "measure.gap.k=3", "--out", str(table))
    assert status == 0, errors
    assert set(pl.read_csv(table)["measure"]) == {"gap", "overlap", "offset"}
    status, _, errors = said("compare", *sides, f"measure.file={path}", "measure=[helper,cka]")
    assert (status, "failed" in errors) == (1, True)  # it returns a matrix
    assert "names none of its measures" in said("compare", *sides, f"measure.file={path}", "measure=cka")[2]
    assert "is a file; write measure.file=mine.py" in said("compare", *sides, "measure=mine.py")[2]
    listed = json.loads(said("list", "measures", f"measure.file={path}", "--json")[1])
    assert [(row["name"], row["larger is"]) for row in listed] == [
        ("gap", "more different"),
        ("overlap", "more similar"),
        ("offset", "more different"),
        ("helper", "not stated"),
    ]
    shown = said("describe", "gap", f"measure.file={path}")[1]
    assert "Distance of the means." in shown
    assert str(path) in shown
    assert "did you mean overlap" in said("describe", "overlp", f"measure.file={path}")[2]


def test_a_binary_file_is_said_to_be_no_text(tmp_path: Path) -> None:
    (tmp_path / "bin.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"bin.py: it is not a text file in UTF-8$"):
        load_files([tmp_path / "bin.py"])
