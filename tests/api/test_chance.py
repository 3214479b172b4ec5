"""What chance alone gives, as users see it: uniform p-values, the authors' numbers, blocks, ids and aggregates."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from scipy.stats import kstest

import resi
from resi.engine.chance import Null
from resi.errors import ShapeError, UsageError
from resi.results.schema import AGGREGATES, CHANCE, PAIRWISE

N_SAMPLES = 24


@pytest.fixture(scope="module")
def two() -> dict[str, np.ndarray]:
    draws = np.random.default_rng(0)
    shared = draws.normal(size=(N_SAMPLES, 3))
    return {"a": shared, "b": shared + draws.normal(size=(N_SAMPLES, 3)), "z": draws.normal(size=(N_SAMPLES, 2))}


@dataclass
class Signed(resi.Measure):
    """A distance that somebody else might have written."""

    name = "signed"
    larger_is_more_similar = False

    def __call__(self, R, S, shape="nd"):
        return float((R[:, 0] - S[:, 0]).square().sum())


def test_p_values_of_independent_representations_are_uniform() -> None:
    draws = np.random.default_rng(1)
    count = 80
    measures = {"cka": {}, "rsa": {}, "jaccard": {"k": 3}, Signed: {}}
    found = []
    for number in range(count):
        R, S = draws.normal(size=(2, 14, 4))
        # Of the same orders of samples p-values would not be independent.
        found.append(resi.pairwise({"a": R}, {"b": S}, measures, null=Null(19, seed=number), threads=1))
    table = pl.concat(found)
    for (measure,), rows in table.group_by("measure"):
        p_values = rows["p_value"].to_numpy()
        # The steps of 1/20 are 0.05 wide; a share of 5 % of p-values up to 0.05 within three standard deviations.
        assert kstest(p_values - draws.uniform(0, 0.05, count), "uniform").pvalue > 0.005, measure
        assert (p_values <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / count)
        assert ((rows["calibrated"] > 0).to_numpy() <= (p_values <= 0.05)).all()


class Given(Null):
    """Orders that are given."""

    def order(self, n_samples, number):
        return np.array(ORDERS[number])


ORDERS: list[list[int]] = []


def test_the_values_of_the_authors_package_are_met(data, monkeypatch) -> None:
    golden = json.loads((data / "calibrated-similarity/golden.json").read_text(encoding="utf-8"))
    monkeypatch.setitem(globals(), "ORDERS", golden["orders"])
    first, second = ({name: np.array(x) for name, x in golden[one].items()} for one in ("first", "second"))
    expected = golden["calibrated p_value threshold"]
    table = resi.pairwise(first, second, "cka", null=Given(len(golden["orders"])))
    found = {f"{row['source']} {row['target']}": row for row in table.iter_rows(named=True)}
    for aggregate in ("max", "mean"):
        (found[aggregate],) = resi.calibrate(
            first, second, aggregate=aggregate, null=Given(len(golden["orders"]))
        ).iter_rows(named=True)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        row = found[name]
        assert [row["calibrated"], row["p_value"], row["null_95"]] == pytest.approx(values, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("permutations", "calibrated", "note"), [(18, None, "18 permutations are too few"), (19, 1.0, "")]
)
def test_a_note_says_that_so_few_permutations_calibrate_nothing(two, permutations, calibrated, note) -> None:
    nearly = two["a"] + 0.1 * np.random.default_rng(1).normal(size=two["a"].shape)
    found = resi.compare(two["a"], nearly, null=permutations)
    assert found.calibrated == (calibrated and pytest.approx(calibrated, abs=0.1))
    assert found.p_value == pytest.approx(1 / (permutations + 1))
    assert note in found.note
    assert bool(found.note) == bool(note)


def test_permutations_within_blocks_are_those_of_all_that_are_possible(two) -> None:
    labels = ["u", "v", "u", "u", "v", "v"]
    R, S = two["a"][:6], two["b"][:6]
    places = {label: [row for row in range(6) if labels[row] == label] for label in "uv"}
    values = []
    for of_u, of_v in itertools.product(*(itertools.permutations(places[label]) for label in "uv")):
        order = np.arange(6)
        order[places["u"]], order[places["v"]] = of_u, of_v
        values.append(resi.compare(R, S[order]))
    found = resi.compare(R, S, null=Null(700), blocks=labels)
    exact_p = np.mean(np.array(values) >= values[0] - 1e-12)
    assert found.p_value == pytest.approx(exact_p, abs=0.06)
    assert found.null_mean == pytest.approx(np.mean(values), abs=0.03)
    assert found.exact_mean is None  # which is for all orders
    assert "only 36 orders of the samples are possible" in found.note
    free = resi.compare(R, S, null=300)
    assert free.exact_mean == pytest.approx(
        np.mean([resi.compare(R, S[list(order)]) for order in itertools.islice(itertools.permutations(range(6)), 720)])
    )


def test_columns_and_what_does_not_change(two) -> None:
    plain = resi.pairwise(two, ["cka", "rsa"])
    table = resi.pairwise(two, ["cka", "rsa"], null=29)
    assert plain.columns == list(PAIRWISE)
    exact = [name for name in CHANCE if name.startswith("exact_")]
    assert table.columns == [*PAIRWISE, *exact, "null_mean", "null_95", "p_value", "calibrated"]
    assert table.drop(*CHANCE, "seconds").equals(plain.drop("seconds"))
    assert table["p_value"].min() == 1 / 30
    again = resi.pairwise({"b": two["b"], "z": two["z"]}, "rsa", null=29, threads=2)
    row = table.filter(source="b", target="z", measure="rsa")
    assert again.select("null_mean", "p_value").rows() == row.select("null_mean", "p_value").rows()


def test_rows_are_permuted_within_blocks_given_by_id_and_for_some_samples(two) -> None:
    labels = ["x" if row % 3 else "y" for row in range(N_SAMPLES)]
    ids = [f"s{row}" for row in range(N_SAMPLES)]
    frames = [pl.DataFrame({"id": ids, **{str(c): two[k][:, c] for c in range(2)}}).to_pandas() for k in "ab"]
    a, b = (frame.set_index("id") for frame in frames)
    order = np.random.default_rng(0).permutation(N_SAMPLES)
    by_row = resi.pairwise({"a": a, "b": b}, null=19, blocks=labels, samples=15)
    by_id = resi.pairwise(
        {"a": a, "b": b.iloc[order]}, null=19, blocks=dict(zip(ids, labels, strict=True)), samples=15, align=True
    )
    assert by_row.drop("seconds").equals(by_id.drop("seconds"))
    one = resi.compare(a, b, null=19, blocks=labels, samples=15)
    assert one.p_value == by_row["p_value"][0]
    assert float(one) == pytest.approx(by_row["value"][0], rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"null": 0}, "null=0: expected the number of permutations, such as 200"),
        ({"null": 2.5}, "null=2.5: expected the number"),
        ({"blocks": [1] * N_SAMPLES}, "blocks= needs null="),
        ({"null": 9, "blocks": [1, 2]}, f"has 2 labels, but {N_SAMPLES} samples"),
        ({"null": 9, "blocks": range(N_SAMPLES)}, "in its own block"),
        ({"null": 9, "blocks": {"s1": 1}}, "no representation has sample ids"),
        ({"null": 9, "blocks": [None] * N_SAMPLES}, "no usable label for row 0"),
        ({"null": 9, "blocks": 4}, "blocks=4: expected one label for each sample"),
    ],
)
def test_what_cannot_be_permuted_is_told(two, options, message) -> None:
    for call in (
        lambda: resi.compare(two["a"], two["b"], **options),
        lambda: resi.pairwise({"a": two["a"], "b": two["b"]}, **options),
    ):
        with pytest.raises(UsageError, match=message):
            call()


def test_a_value_is_a_float_that_knows_more(two) -> None:
    plain = resi.compare(two["a"], two["b"])
    found = resi.compare(two["a"], two["b"], null=49)
    assert found == plain
    assert isinstance(found, float)
    assert repr(found).startswith(f"Value({plain:.6g}, p_value=0.02, calibrated=0.")
    for other in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert (other, other.p_value, other.note) == (found, found.p_value, found.note)
    assert f"{found:.2f}" == f"{plain:.2f}"
    with pytest.raises(ShapeError, match="rows must be the same samples"):
        resi.compare(two["a"], two["b"][:9], null=3)


def test_few_permutations_and_an_unknown_best_value_are_told(two) -> None:
    few = resi.compare(two["a"], two["a"], null=18)
    assert (few.p_value, few.calibrated) == (1 / 19, None)
    assert few.note == "no calibrated value: 18 permutations are too few, 19 are needed"
    table = resi.pairwise({"a": two["a"], "b": two["b"]}, null=18)
    assert (table["calibrated"][0], table["note"][0]) == (None, few.note)
    assert resi.pairwise({}, null=19, blocks=[1, 1]).is_empty()


def test_a_function_that_does_not_say_its_direction_has_no_p_value(two) -> None:
    found = resi.compare(two["a"], two["b"], lambda R, S: float((R * S[:, :3]).sum()), null=9)
    assert found.p_value is found.calibrated is found.null_95 is None
    assert found.null_mean is not None
    assert "does not say whether larger values are more similar" in found.note


def test_what_does_not_depend_on_the_samples_says_so(two) -> None:
    found = resi.compare(two["a"], two["b"], "magnitude_difference", null=19)
    assert (found.p_value, found.calibrated) == (1.0, 0.0)
    assert "does not depend on which samples belong together" in found.note


def test_a_constant_side_has_a_distance_that_no_order_changes(two) -> None:
    flat = two | {"flat": np.ones((N_SAMPLES, 2))}
    for row in resi.pairwise(flat, "procrustes", null=9).iter_rows(named=True):
        assert (row["p_value"] == 1.0) == (row["target"] == "flat") == ("every order" in row["note"])


def test_images_and_tokens_are_permuted_sample_by_sample() -> None:
    draws = np.random.default_rng(0)
    maps = draws.normal(size=(8, 3, 2, 2))
    other = maps + draws.normal(size=maps.shape)
    null = Null(5)
    for given, shape in ((maps, "nchw"), (maps[..., 0], "ntd")):
        S = other if shape == "nchw" else other[..., 0]
        for measure in ("procrustes", "cka"):
            table = resi.pairwise({"a": given, "b": S}, measure, shape=shape, null=null)
            values = [resi.compare(given, S[null.order(8, n)], measure, shape) for n in range(5)]
            assert table["null_mean"][0] == pytest.approx(np.mean(values))


def test_rows_drawn_from_many_cells_are_drawn_again(monkeypatch) -> None:
    monkeypatch.setattr("resi.measures.shapes.MAX_ALIGNED_ROWS", 20)
    draws = np.random.default_rng(0)
    maps, other = draws.normal(size=(2, 8, 3, 2, 2))
    null = Null(4)
    table = resi.pairwise({"a": maps, "b": other}, "procrustes", shape="nchw", null=null)
    values = [resi.compare(maps, other[null.order(8, n)], "procrustes", "nchw") for n in range(4)]
    assert table["null_mean"][0] == pytest.approx(np.mean(values))


def test_an_aggregate_is_calibrated_as_a_whole(two) -> None:
    A, B = {"a": two["a"], "z": two["z"]}, {"b": two["b"], "c": two["z"] + two["b"][:, :2]}
    null = Null(39, seed=2)
    pairs = list(itertools.product(A.values(), B.values()))
    orders = [null.order(N_SAMPLES, number) for number in range(39)]
    for measure, most in (("cka", max), ("procrustes", min), (Signed, min)):
        values = [resi.compare(R, S, measure) for R, S in pairs]
        permuted = [most(resi.compare(R, S[order], measure) for R, S in pairs) for order in orders]
        (row,) = resi.calibrate(A, B, measure, null=null).iter_rows(named=True)
        assert list(row) == list(AGGREGATES)
        assert row["value"] == pytest.approx(most(values))
        assert row["null_mean"] == pytest.approx(np.mean(permuted))
        sign = 1 if most is max else -1
        assert row["p_value"] == (1 + sum(sign * (v - row["value"]) > -1e-9 for v in permuted)) / 40
        assert (row["source"], row["target"]) == list(itertools.product(A, B))[values.index(most(values))]
    (row,) = resi.calibrate(A, B, aggregate=np.median, null=null).iter_rows(named=True)
    assert row["aggregate"] == "median"
    assert row["value"] == pytest.approx(np.median([resi.compare(R, S) for R, S in pairs]))


def test_an_aggregate_of_ones_own_has_its_own_best_value_and_is_a_number(two) -> None:
    A, B = {"a": two["a"], "z": two["z"]}, {"b": two["b"], "same": two["a"]}
    mean, total = (resi.calibrate(A, B, aggregate=by, null=39)["calibrated"][0] for by in ("mean", np.sum))
    assert total == pytest.approx(mean)
    assert 0 < mean < 1
    for wrong, words in ((lambda found: float("nan"), "nan"), (lambda found: found, r"an array of shape \(2, 2\)")):
        with pytest.raises(UsageError, match=f"aggregate=<lambda> returned {words}; expected a finite number"):
            resi.calibrate(A, B, aggregate=wrong, null=19)


def test_an_aggregate_without_all_values_has_none(two) -> None:
    constant = {"a": two["a"], "flat": np.ones((N_SAMPLES, 2))}
    (row,) = resi.calibrate(constant, {"b": two["b"]}, null=5).iter_rows(named=True)
    assert (row["value"], row["status"]) == (None, "failed")
    assert "1 of 2 pairs of layers have no value or no chance, such as flat and b" in row["error"]
    mine = {"mine": lambda R, S: 1.0 * len(R)}
    (row,) = resi.calibrate({"a": two["a"]}, {"b": two["b"]}, mine, null=5).iter_rows(named=True)
    assert "the most similar pair of layers is unknown" in row["error"]
    with pytest.raises(UsageError, match="expected 'max', 'mean' or a function"):
        resi.calibrate({"a": two["a"]}, {"b": two["b"]}, aggregate="median")


def test_a_printed_table_shows_what_was_asked_for() -> None:
    arrays = {name: np.random.default_rng(number).normal(size=(40, 4)) for number, name in enumerate("abc")}
    for options, shown in (
        ({"null": 19}, ["p_value", "calibrated"]),
        ({"bootstrap": 40}, ["low", "high"]),
        ({"bootstrap": 40, "draws": True}, ["low", "high"]),
        ({"null": 19, "bootstrap": 40}, ["low", "high", "p_value", "calibrated"]),
    ):
        table = resi.pairwise(arrays, **options)
        heading = str(table).splitlines()[2]
        assert all(name in heading for name in ["source", "target", "measure", "value", *shown])
        assert table.columns[-len(shown) :] == shown
