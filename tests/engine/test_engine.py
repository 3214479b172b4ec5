"""All pairs at once give what one pair at a time gives, whatever the memory, and errors stay with their pair."""

from __future__ import annotations

import contextlib
import itertools
import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi import registry
from resi.choices import OnError
from resi.engine.budget import Room, block_size, group_measures
from resi.engine.cache import Prepared
from resi.engine.execution import Engine
from resi.engine.tiles import Task, all_pairs, in_tiles
from resi.engine.workers import stream, workers
from resi.errors import ArtifactError, BudgetError, DegenerateInputError, ShapeError, UsageError
from resi.machine.memory import format_bytes, parse_memory
from resi.measures.base import Measure
from resi.measures.guard import needs_of
from resi.measures.needs import Needs, Size, total
from resi.measures.shapes import View
from resi.measures.shared import intermediates
from resi.registry import make_measure
from resi.representation import Representation, subsample

CPU = torch.device("cpu")
FAST = ["cka", "jaccard", "procrustes", "rsa"]


def arrays(count: int = 5, rows: int = 30, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {f"r{i}": generator.normal(size=(rows, 4 + i)) for i in range(count)}


def wrap(items: dict[str, np.ndarray], samples: str = "") -> dict[str, Representation]:
    return {k: Representation(k, v.shape, "nd", samples, lambda v=v: torch.as_tensor(v)) for k, v in items.items()}


@dataclass
class Counting(Measure):
    """Counts how often each representation is prepared."""

    name = "counting"
    larger_is_more_similar = True
    symmetric = False
    prepared: ClassVar[Counter[int]] = Counter()

    def prepare(self, x):
        self.prepared[x.matrix.shape[1]] += 1
        return float(x.matrix[0, 0])

    def compare(self, a, b):
        return a - b


@dataclass
class Failing(Measure):
    """Fails in a different way for each width."""

    name = "failing"
    larger_is_more_similar = True

    def prepare(self, x):
        if x.matrix.shape[1] == 5:
            raise RuntimeError("out of luck")
        if x.matrix.shape[1] == 6:
            raise DegenerateInputError("nothing to see")
        return x.matrix.shape[1]

    def compare(self, a, b):
        return float("nan") if a + b == 11 else a + b


def test_pairwise_is_every_pair_by_itself() -> None:
    given = arrays()
    frame = resi.pairwise(given, measures=FAST)
    columns = ["source", "target", "measure", "value", "seconds", "status", "error", "note", "larger_is_more_similar"]
    assert frame.columns == columns
    assert frame.height == 10 * len(FAST)
    for row in frame.iter_rows(named=True):
        alone = resi.compare(given[row["source"]], given[row["target"]], row["measure"])
        # Many pairs of cka are compared by another formula than one.
        assert row["value"] == (pytest.approx(alone, rel=1e-12) if row["measure"] == "cka" else alone), row
        assert row["status"] == "ok"


@pytest.mark.parametrize("memory", ["40 kB", "200 kB", "1 GB"])
def test_the_memory_budget_does_not_change_values(memory: str) -> None:
    given = arrays(7)
    expected = resi.pairwise(given, measures=["cka", "procrustes"]).drop("seconds")
    assert resi.pairwise(given, measures=["cka", "procrustes"], memory=memory).drop("seconds").equals(expected)


def test_each_representation_is_prepared_once() -> None:
    Counting.prepared.clear()
    items = wrap(arrays(6))
    measures = {"counting": Counting()}
    outcomes = list(Engine(measures, 10**9, CPU).run(all_pairs(list(items), measures), items))
    assert len(outcomes) == 30  # ordered pairs
    assert set(Counting.prepared.values()) == {1}


@dataclass
class Precision(Measure):
    """Notes in which precision it was given the numbers."""

    name = "precision"
    larger_is_more_similar = True

    def prepare(self, x):
        return x.epsilon, x.single, x.matrix.dtype

    def compare(self, a, b):
        return a[0]

    def note(self, a, b):
        return f"{a[1]} {a[2]}"


def test_measures_know_the_precision_that_numbers_had_before_they_were_stored() -> None:
    array = torch.rand(5, 2, dtype=torch.float64)
    kinds = {"own": (array, None), "wide": (array.float(), "bfloat16"), "narrow": (array.half(), "float64")}
    items = {key: Representation(key, (5, 2), "nd", "", lambda x=x: x, dtype) for key, (x, dtype) in kinds.items()}
    tasks = [Task(key, "own", "precision") for key in ("own", "wide", "narrow")]
    for together in ([], tasks):  # one by one, and all
        engine = Engine({"precision": Precision()}, 10**9, CPU, one_by_one=not together)
        found = {outcome.task.source: outcome for outcome in engine.run(tasks, items)}
        assert [found[key].value for key in kinds] == [2.0**-52, 2.0**-7, 2.0**-10]
        assert [found[key].note for key in kinds] == ["False torch.float64", "True torch.float64", "True torch.float64"]


def test_a_note_stands_beside_a_value_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "make_measure", lambda name, parameters: Precision())
    frame = resi.pairwise({"a": np.eye(3), "b": np.eye(3)}, measures=["precision"])
    assert frame["note"].to_list() == ["False torch.float64"]
    monkeypatch.setattr(Precision, "compare", lambda self, a, b: float("nan"))
    frame = resi.pairwise({"a": np.eye(3), "b": np.eye(3)}, measures=["precision"])
    assert frame.select("status", "note").rows() == [("failed", "")]


@pytest.mark.parametrize(
    ("error", "said"),
    [(DegenerateInputError("constant"), ""), (KeyError("k"), "the note of precision failed: KeyError: 'k'")],
)
def test_a_note_that_cannot_be_made_does_not_cost_the_value(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def note(self, a, b):
        raise error

    monkeypatch.setattr(registry, "make_measure", lambda name, parameters: Precision())
    monkeypatch.setattr(Precision, "note", note)
    frame = resi.pairwise({"a": np.eye(3), "b": np.eye(3)}, measures=["precision"])
    assert frame.select("value", "status", "note").rows() == [(2.0**-52, "ok", said)]


def test_a_collapsed_side_has_a_procrustes_distance_whatever_else_is_compared() -> None:
    R = torch.rand(16, 4, dtype=torch.float64).half()
    collapsed = torch.full((16, 3), 1000.0).half()
    collapsed[0, 0] = 1000.5
    alone = resi.compare(R, collapsed, "procrustes")
    assert resi.pairwise({"a": R, "b": collapsed}, ["procrustes"])["value"].to_list() == [alone]


@dataclass
class Together(Measure):
    """Compares pairs at once, except those with the first representation, and fails on some."""

    name = "together"
    larger_is_more_similar = True
    fails: bool = False

    def prepare(self, x):
        return float(x.matrix.shape[1])

    def compare(self, a, b):
        return a + b

    def compare_many(self, states, pairs, spread):
        if self.fails:
            raise ZeroDivisionError("at once")
        sums = spread(lambda pair: states[pair[0]] + states[pair[1]], pairs)
        return [
            None if 4 in (states[a], states[b]) else float("nan") if s == 11 else 100 + s
            for (a, b), s in zip(pairs, sums, strict=True)
        ]


@pytest.mark.parametrize("threads", [1, 2])
def test_pairs_compared_at_once(threads: int) -> None:
    items = wrap(arrays(4))  # widths 4 to 7
    tasks = all_pairs(list(items), {"together": Together()})
    found = {o.task[:2]: o for o in Engine({"together": Together()}, 10**9, CPU, threads).run(tasks, items)}
    assert {pair: outcome.value for pair, outcome in found.items()} == {
        ("r0", "r1"): 9, ("r0", "r2"): 10, ("r0", "r3"): 11,
        ("r1", "r2"): None, ("r1", "r3"): 112, ("r2", "r3"): 113,
    }  # fmt: skip
    assert found["r1", "r2"].error == "the measure returned nan"
    failed = list(Engine({"together": Together(fails=True)}, 10**9, CPU, threads).run(tasks, items))
    assert {o.error for o in failed} == {"ZeroDivisionError: at once"}
    with pytest.raises(ZeroDivisionError):
        list(Engine({"together": Together(fails=True)}, 10**9, CPU, threads, OnError.raise_).run(tasks, items))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_do_not_depend_on_what_else_is_compared(dtype: type) -> None:
    """Not in their last bit: a run that was cut short ends with the numbers of one that was not."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(300, 40))
    given = {f"r{i}": (shared + rng.normal(size=(300, 40))).astype(dtype) for i in range(18)}
    whole = resi.pairwise(given, ["cka", "procrustes"], threads=1).drop("seconds")
    few = {name: given[name] for name in ("r17", "r4", "r9")}
    part = resi.pairwise(few, ["cka", "procrustes"], threads=2).drop("seconds")
    known = {(frozenset(row[:2]), row[2]): row[3] for row in whole.iter_rows()}
    for row in part.iter_rows():
        if row[2] == "cka":
            assert row[3] == known[frozenset(row[:2]), row[2]]
        else:  # sides swapped
            assert row[3] == pytest.approx(known[frozenset(row[:2]), row[2]], rel=1e-6)


@dataclass
class Unsized(Counting):
    """Does not know how much memory it needs."""

    name = "unsized"

    def prepared_bytes(self, n_samples, n_features):
        raise KeyError("no idea")


def test_a_measure_that_cannot_tell_its_memory_fails_alone() -> None:
    items = wrap(arrays(3))
    measures = {"unsized": Unsized(), "counting": Counting()}
    tasks = all_pairs(list(items), measures)
    outcomes = list(Engine(measures, 10**9, CPU).run(tasks, items))
    assert len(outcomes) == len(tasks)
    assert {(o.task.measure, o.status) for o in outcomes} == {("unsized", "failed"), ("counting", "ok")}
    assert {o.error for o in outcomes if o.status == "failed"} == {"KeyError: 'no idea'"}
    with pytest.raises(KeyError, match="no idea"):
        list(Engine(measures, 10**9, CPU, on_error=OnError.raise_).run(tasks, items))


def test_an_error_stays_with_its_pairs_and_says_why() -> None:
    items = wrap(arrays(5))  # widths 4 to 8
    measures = {"failing": Failing()}
    outcomes = {o.task[:2]: o for o in Engine(measures, 10**9, CPU).run(all_pairs(list(items), measures), items)}
    assert outcomes["r0", "r3"].status == "failed"
    assert outcomes["r0", "r3"].error == "the measure returned nan"
    assert (outcomes["r0", "r1"].status, outcomes["r0", "r1"].error) == ("failed", "RuntimeError: out of luck")
    assert (outcomes["r0", "r2"].status, outcomes["r0", "r2"].error) == ("undefined", "S: nothing to see")
    assert (outcomes["r3", "r4"].status, outcomes["r3", "r4"].value) == ("ok", 15)
    with pytest.raises(RuntimeError, match="out of luck"):
        list(Engine(measures, 10**9, CPU, on_error=OnError.raise_).run(all_pairs(list(items), measures), items))


def test_different_samples_and_sizes_are_recorded_as_failed() -> None:
    items = {
        **wrap(arrays(1), "here"),
        **{"other": wrap(arrays(2), "elsewhere")["r1"]},
        **wrap(arrays(3, rows=31), "here"),
    }
    items = {name: Representation(name, r.size, r.layout, r.samples, r.load) for name, r in items.items()}
    engine = Engine({"cka": make_measure("cka", {})}, 10**9, CPU)
    found = {o.task[1]: o for o in engine.run([Task("r0", "other", "cka"), Task("r0", "r2", "cka")], items)}
    assert "different samples" in found["other"].error
    assert found["r2"].status == "ok"
    rows = resi.pairwise({**arrays(1), "longer": arrays(1, rows=31)["r0"]})
    assert rows["error"][0] == "ShapeError: cka: R has 30 rows, S 31; rows must be the same samples"


def test_what_cannot_fit_says_what_it_needs() -> None:
    given = arrays(2, rows=400)
    frame = resi.pairwise(given, measures=["rsa", "cka"], memory="1.5 MB")
    failed = frame.row(by_predicate=pl.col("measure") == "rsa", named=True)
    assert failed["status"] == "failed"
    assert "rsa needs about" in failed["error"]
    assert "memory allows 1.5 MB; raise it, or set samples=" in failed["error"]
    count = int(re.search(r"samples=(\d+)", failed["error"])[1])
    assert 50 < count < 400
    assert resi.pairwise(given, measures="rsa", memory="1.5 MB", samples=count)["status"][0] == "ok"
    assert resi.pairwise(given, measures="rsa", memory="1.5 MB", samples=count + 1)["status"][0] == "failed"
    assert frame.row(by_predicate=pl.col("measure") == "cka", named=True)["status"] == "ok"


def test_tiles_cover_every_task_once_and_use_two_blocks_at_a_time() -> None:
    keys = [f"r{i}" for i in range(11)]
    tasks = all_pairs(keys, {"cka": make_measure("cka", {}), "counting": Counting()})
    tiles = list(in_tiles(tasks, keys, block=3))
    assert sorted(task for tile in tiles for task in tile) == sorted(tasks)
    used = [{key for task in tile for key in (task.source, task.target)} for tile in tiles]
    assert len(used) == 10
    assert max(map(len, used)) == 6
    # Both blocks change at once at most where one row of tiles ends and the next begins.
    assert sum(not a & b for a, b in itertools.pairwise(used)) <= 3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_does_not_change_values(threads: int) -> None:
    given = arrays(7)
    measures = [name for name in registry.measures() if registry.measures().get(name).benchmark]
    expected = resi.pairwise(given, measures, threads=1).drop("seconds")
    found = resi.pairwise(given, measures, threads=threads)
    assert set(found["status"]) == {"ok"}
    assert found.drop("seconds").equals(expected)
    assert torch.get_num_threads() == torch_threads_before


torch_threads_before = torch.get_num_threads()


@pytest.mark.parametrize(
    ("text", "expected"), [("4GB", 4 * 10**9), ("512 MiB", 512 * 2**20), ("1.5k", 1500), (7, 7), ("100B", 100)]
)
def test_memory_is_read(text, expected: int) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "-1GB", "many", "0", "4GX", "1.2.3GB"])
def test_memory_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"compare\.memory="):
        parse_memory(text)


def test_auto_memory_is_half_the_machine_and_sizes_are_readable() -> None:
    assert 10**8 < parse_memory("auto") < 10**14
    assert [format_bytes(n) for n in (0, 999, 1500, 2.5e9, 3e15)] == ["0 B", "999 B", "1.5 kB", "2.5 GB", "3e+03 TB"]


def test_unknown_names_list_what_exists() -> None:
    with pytest.raises(UsageError, match=r"unknown measure 'ckaa'; did you mean cka\? Known: .*\bcka,"):
        resi.compare(np.eye(3), np.eye(3), "ckaa")
    with pytest.raises(UsageError, match=r"unknown parameter of jaccard 'kk'.*Known: k"):
        resi.compare(np.eye(3), np.eye(3), "jaccard", kk=3)
    assert set(FAST) <= set(registry.measures())


@pytest.mark.parametrize(
    ("R", "S", "shape", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), "nd", r"cka: R has 3 rows, S 4; rows must be the same samples"),
        (
            np.array([[1.0], [np.nan]]),
            np.ones((2, 1)),
            "nd",
            r"cka: R of shape \(2, 1\) holds 1 NaN or infinite values",
        ),
        (np.ones((2, 1), int), np.ones((2, 1)), "nd", r"cka: R of shape \(2, 1\) is int64; expected floating point"),
        (np.ones((2, 1)), np.ones((2, 1), complex), "nd", r"cka: S of shape \(2, 1\) is complex128; expected floating"),
        (np.ones(3), np.ones(3), "nd", r"cka: R has shape \(3,\); shape='nd' needs 2 axes"),
        (np.ones((1, 3)), np.ones((1, 3)), "nd", r"cka: R has shape \(1, 3\); at least 2 samples"),
        (np.ones((3, 0)), np.ones((3, 2)), "nd", r"cka: R has shape \(3, 0\); at least 2 samples and 1 feature"),
        (np.ones((3, 2)), np.ones((3, 2)), "nxd", r"cka: unknown shape 'nxd' of R; known: nd, ntd, nchw"),
        (np.ones((3, 2, 4)), np.ones((3, 5, 4)), "ntd", r"both need the same number of tokens"),
        (object(), np.ones((3, 2)), "nd", r"cka: R is not a numeric array"),
        (torch.eye(3).to_sparse(), np.ones((3, 2)), "nd", r"cka: R of shape \(3, 3\) is sparse; call its to_dense"),
    ],
)
def test_bad_input_is_one_line_naming_measure_argument_and_shapes(R, S, shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as error:
        resi.compare(R, S, "cka", shape=shape)
    assert "\n" not in str(error.value)


def test_a_reason_names_the_side_it_is_about() -> None:
    constant, other = np.ones((20, 3)), arrays(1, rows=20)["r0"]
    with pytest.raises(DegenerateInputError, match=r"^cka: S of shape \(20, 3\): the representation is constant"):
        resi.compare(other, constant, "cka")
    frame = resi.pairwise({"other": other, "constant": constant}, ["cka"])
    assert frame["error"][0].startswith("S: the representation is constant")


def test_memory_is_that_of_the_matrix_a_measure_makes_of_maps() -> None:
    generator = np.random.default_rng(0)
    given = {name: generator.normal(size=(100, 8, 7, 7)) for name in "ab"}
    measures = {name: make_measure(name, {}) for name in ("linear_regression", "cka", "rsa")}
    views = {"linear_regression": (4900, 8), "cka": (100, 392), "rsa": (100, 392)}
    for name, measure in measures.items():
        most = 2 * measure.prepared_bytes(*views[name])
        assert resi.pairwise(given, [name], shape="nchw", memory=str(most))["status"][0] == "ok"
        refused = resi.pairwise(given, [name], shape="nchw", memory=str(most - 1))
        assert "memory allows" in refused["error"][0]


def test_sets_of_measures_can_be_named() -> None:
    given = arrays(2, rows=20)
    frame = resi.pairwise(given, ["fast", "rsa"])
    assert set(frame["measure"]) == {*registry.measure_sets()["fast"], "rsa"}


def test_a_constant_representation_is_undefined_with_the_reason() -> None:
    frame = resi.pairwise({"constant": np.ones((20, 3)), **arrays(1, rows=20)}, measures=["cka", "rsa", "procrustes"])
    by_measure = {row["measure"]: row for row in frame.iter_rows(named=True)}
    assert by_measure["cka"]["status"] == "undefined"
    assert "all rows are the same" in by_measure["cka"]["error"]
    assert by_measure["rsa"]["status"] == "undefined"


def test_a_subsample_keeps_the_same_samples_of_all() -> None:
    given = arrays(3, rows=50)
    frame = resi.pairwise(given, measures=["cka"], samples=20)
    row = frame.row(0, named=True)
    kept = subsample(wrap({"r0": np.arange(50.0)[:, None]})["r0"], 20).load().squeeze(1).long()
    assert len(set(kept.tolist())) == 20
    expected = resi.compare(given[row["source"]][kept], given[row["target"]][kept])
    assert row["value"] == pytest.approx(expected, rel=1e-12)
    assert resi.pairwise(given, samples=50).drop("seconds").equals(resi.pairwise(given).drop("seconds"))


def test_lists_have_the_precision_of_python_numbers() -> None:
    given = list(arrays(2).values())
    assert resi.compare(given[0].tolist(), given[1].tolist()) == resi.compare(*given)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resi.pairwise([np.eye(3)]), "pairwise: expected a mapping from names to arrays"),
        (lambda: resi.compare(np.eye(3), np.eye(3), ["cka"]), r"expected the name of a measure, not \['cka'\]"),
        (lambda: resi.compare(np.eye(3), np.eye(3), "jaccard", k=2.5), "jaccard: k=2.5: expected a value such as 10"),
        (lambda: resi.compare(np.eye(3), np.eye(3), "jaccard", k=True), "jaccard: k=True: expected a value such as 10"),
        (lambda: resi.run("measure=cka"), "expected a list of arguments such as"),
        (lambda: resi.run(["measure=ckaa"]), "unknown measure 'ckaa'; did you mean cka"),
        (lambda: resi.run(["frob"]), "frob"),
    ],
)
def test_calls_that_make_no_sense_say_so_in_one_line(call, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_damaged_file_ends_the_run_and_is_no_failure_of_the_measure() -> None:
    def damaged():
        raise ArtifactError("file is damaged")

    items = wrap(arrays(2))
    items["r1"] = Representation("r1", items["r1"].size, "nd", "", damaged)
    with pytest.raises(ArtifactError):
        list(Engine({"cka": make_measure("cka", {})}, 10**9, CPU).run([Task("r0", "r1", "cka")], items))


@pytest.mark.parametrize("threads", [1, 3])
def test_leaving_early_stops_the_rest(threads: int) -> None:
    made = []
    left = threading.Event()

    def work(group: int):
        for item in range(1000):
            if item:
                left.wait()
            made.append((group, item))
            yield group, item

    with workers(CPU, threads, 8) as pool:
        results = stream(work, range(8), pool)
        next(results)
        results.close()
        left.set()
    assert len(made) <= 2 * threads  # what each thread had begun


def test_groups_of_measures_fit_all_representations_and_keep_families_together() -> None:
    families = {"a": "rsm", "b": "alignment", "c": "rsm", "d": "alignment", "e": "kernel"}
    sizes = {"a": 40, "b": 30, "c": 20, "d": 30, "e": 5}
    needs = {name: Needs({name: size}) for name, size in sizes.items()}
    assert group_measures(needs, families, Room(2, 1000)) == [["b", "d", "e", "a", "c"]]
    # Of ten representations 'a' fits by itself, 'b' and 'd' do not, but are prepared and compared together.
    assert group_measures(needs, families, Room(10, 400)) == [["b", "d"], ["e"], ["a"], ["c"]]
    assert group_measures(needs, families, Room(10, 100)) == [["b"], ["d"], ["e"], ["a"], ["c"]]


def test_blocks_of_representations_are_as_large_as_what_stays_and_what_is_needed_for_a_while_allow() -> None:
    assert block_size([Needs({"a": 40})], Room(10, 400)) == 10
    assert block_size([Needs({"a": 40})], Room(10, 399)) == 4
    passing = [Needs({"a": 40}, preparing=100, comparing=70)]
    assert block_size(passing, Room(10, 500, threads=1)) == 10
    assert block_size(passing, Room(10, 499, threads=1)) == 4
    assert block_size(passing, Room(10, 499, threads=2)) == 3
    assert block_size(passing, Room(10, 1, threads=2)) == 1
    assert Room(10, 279, threads=2).threads_for(passing, 2) == 1
    assert Room(10, 280, threads=8).threads_for(passing, 2) == 8
    assert Room(10, 699, threads=8).threads_for(passing, 10) == 2


def test_the_engine_holds_all_representations_that_fit_once_they_are_prepared() -> None:
    given = arrays(6, rows=400)
    measure = make_measure("rsa", {})
    items = {name: Representation(name, x.shape, "nd", "", lambda x=x: x, itemsize=8) for name, x in given.items()}
    needs = [needs_of(measure, Size(*given["r5"].shape))]
    enough = total(needs, 6, 1)
    assert needs[0].of_one * 2 < enough < 6 * needs[0].of_one
    tasks = [Task(a, b, "rsa") for a, b in itertools.combinations(items, 2)]
    prepared: dict[int, list[str]] = {}
    for budget in (enough, enough - 1):
        watched: list[str] = prepared.setdefault(budget, [])

        def watch(work, watched=watched):
            watched += [work.representation] if work.representation else []
            return contextlib.nullcontext()

        engine = Engine({"rsa": measure}, budget, CPU, threads=1, watch=watch)
        assert all(outcome.value is not None for outcome in engine.run(tasks, items))
    assert sorted(prepared[enough]) == sorted(items)
    assert len(prepared[enough - 1]) > len(items)


def test_what_comparing_adds_to_a_representation_counts_as_its_memory() -> None:
    given = {"a": torch.rand(50, 4), "b": torch.rand(50, 4)}
    items = {key: Representation(key, tuple(x.shape), "nd", "", lambda x=x: x) for key, x in given.items()}
    view, measure = View("nd"), make_measure("permutation_procrustes", {})
    prepared = Prepared(budget=2 * 2500, device=CPU)
    prepared.positions = {"a": 0, "b": 1}
    for key, item in items.items():
        prepared.make_room({(key, view)})
        prepared.prepare(item, view, [measure])
    prepared.make_room({("a", view)})
    prepared.make_room({("b", view)})
    assert prepared.side(items["a"], view, measure).state.shape == (50, 4)  # 800 bytes each are within half the budget
    prepared.make_room({("a", view)})
    prepared.side(items["a"], view, measure).state.shared(intermediates.scaled)  # 1600 bytes more, which are not
    prepared.make_room({("b", view)})
    with pytest.raises(KeyError):
        prepared.side(items["a"], view, measure)


def test_products_of_a_pair_are_dropped_when_its_first_side_has_been_compared_with_all(monkeypatch) -> None:
    given = arrays(5, rows=40)
    engine = Engine({"procrustes": make_measure("procrustes", {})}, 10**9, CPU, threads=2)
    kept: list[int] = []
    monkeypatch.setattr(engine.prepared, "clear", lambda: kept.extend(_products(engine)))
    tasks = [Task(a, b, "procrustes") for a, b in itertools.combinations(given, 2)]
    assert all(outcome.value is not None for outcome in engine.run(tasks, wrap(given)))
    assert kept == [0] * 5


def _products(engine: Engine) -> list[int]:
    return [len(entry.features._shared_with_partner) for entry in engine.prepared._entries.values()]


def test_compare_says_what_would_fit_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    R = np.zeros((50_000, 4))
    monkeypatch.setattr(registry.measures().get("rsa"), "prepare", lambda *_: pytest.fail("it has begun"))
    with pytest.raises(BudgetError, match=r"rsa needs about .* memory allows 500 MB; raise it, or set samples=\d+"):
        resi.compare(R, R, measure="rsa", memory="500 MB")
    with pytest.raises(UsageError, match="memory=lots: expected a size such as 4GB"):
        resi.compare(R[:10], R[:10], memory="lots")


def test_compare_takes_the_samples_that_all_pairs_take() -> None:
    given = arrays(2, rows=100)
    value = resi.compare(given["r0"], given["r1"], measure="rsa", samples=30)
    assert value == resi.pairwise(given, "rsa", samples=30)["value"][0]
    assert value != resi.compare(given["r0"], given["r1"], measure="rsa")


def test_an_array_that_cannot_be_compared_fails_its_own_pairs_alone() -> None:
    given = arrays(3)
    given["r1"] = given["r1"].copy()
    given["r1"][0, 0] = np.nan
    frame = resi.pairwise(given, ["cka", "pwcca"])
    assert frame.select("source", "target", "measure").rows() == [
        tuple(task) for task in all_pairs(list(given), {name: make_measure(name, {}) for name in ("cka", "pwcca")})
    ]
    for row in frame.iter_rows(named=True):
        if "r1" in (row["source"], row["target"]):
            assert row["status"] == "failed"
            assert row["error"] == "ShapeError: pairwise: r1 of shape (30, 5) holds 1 NaN or infinite values"
        else:
            assert row["status"] == "ok"
    with pytest.raises(ShapeError, match="r1 of shape"):
        resi.pairwise({"r1": given["r1"]})


def test_names_of_any_kind_are_shown_as_text() -> None:
    first, second = arrays(2).values()
    frame = resi.pairwise({("gcn", 0): first, 7: second})
    assert frame.row(0)[:2] == ("('gcn', 0)", "7")
    with pytest.raises(UsageError, match="two representations have the name '1'"):
        resi.pairwise({1: first, "1": second})


def test_parameters_are_given_by_measure() -> None:
    given = arrays(2)
    frame = resi.pairwise(given, {"jaccard": {"k": 5}, "cka": {}})
    alone = [resi.compare(*given.values(), "jaccard", k=5), resi.compare(*given.values())]
    assert frame["value"].to_list() == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 20}, r"pairwise: unknown argument 'k'; parameters belong to a measure: measures={'jaccard': {'k': 20}}"),
        ({"threads": 0}, "pairwise: threads=0: expected a whole number, at least 1"),
        ({"threads": 1.5}, "pairwise: threads=1.5: expected a whole number, at least 1"),
        ({"samples": 1}, "pairwise: samples=1: expected a whole number, at least 2"),
        ({"memory": "lots"}, "memory=lots: expected a size such as 4GB"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        resi.pairwise(arrays(2), **arguments)


def test_messages_name_a_representation_as_a_person_knows_it() -> None:
    items = {
        key: Representation(key, (30, 4), "nd", "", lambda add=add: arrays(1)["r0"] + add, label=label)
        for key, add, label in (("8f3a", 1.0, "gcn on cora, seed 0"), ("77b1", np.nan, "gcn on cora, seed 1"))
    }
    (outcome,) = Engine({"cka": make_measure("cka", {})}, 10**9, CPU).run([Task("8f3a", "77b1", "cka")], items)
    assert "cka: gcn on cora, seed 1 of shape (30, 4) holds 120 NaN" in outcome.error
