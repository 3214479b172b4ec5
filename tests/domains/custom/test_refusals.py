"""What does not fit is one line that names it, and says what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import resi
from resi.config.compose import compose
from resi.errors import ResiError, ShapeError, UsageError
from resi.groundings import GROUNDINGS
from tests.domains.custom.conftest import Planted, write_csv

ARRAY = np.random.default_rng(0).normal(size=(12, 4))


def one(**known: Any) -> resi.Model:
    return resi.Model(ARRAY, **known)


def four(**known: Any) -> list[resi.Model]:
    return [one(setting=setting, seed=seed, **known) for setting in "ab" for seed in (0, 1)]


def changed(records: list[dict[str, Any]], row: int, **entries: Any) -> list[dict[str, Any]]:
    return [{**record, **(entries if number == row else {})} for number, record in enumerate(records, 1)]


@pytest.mark.parametrize(
    ("row", "entries", "message"),
    [
        (
            2,
            {"accuracy": 87.5},
            r"mine.csv, row 2: accuracy=87.5: expected a share from 0 to 1; divide percentages by 100",
        ),
        (2, {"accuracy": -1}, r"mine.csv, row 2: accuracy=-1: expected a share from 0 to 1$"),
        (2, {"accuracy": "high"}, r"row 2: accuracy=high: expected a share from 0 to 1$"),
        (3, {"seed": "1.5"}, r"row 3: seed=1.5: expected a whole number of at least 0"),
        (3, {"seed": "first"}, r"row 3: seed=first: expected a whole number of at least 0"),
        (3, {"seed": "-1"}, r"row 3: seed=-1: expected a whole number of at least 0"),
        (1, {"file": ""}, r"row 1: the column file is empty"),
        (1, {"file": "gone.npy"}, r"row 1: there is no file .*/gone.npy$"),
        (
            2,
            {"seed": 0},
            r"mine.csv, row 1 and row 2 are both architecture=own, setting=plain, seed=0, layer=block3; each",
        ),
        (
            2,
            {"file": "plain-0-block3.npy"},
            r"mine.csv, row 1 and row 2 are both .*/plain-0-block3.npy; every model and layer needs its own array",
        ),
        (1, {"dataset": "other"}, r"has several datasets \(other, mine\).*: choose it with dataset.name=other"),
        (
            1,
            {"layer": "head"},
            r"the last layers of models of architecture=own are head, block3; choose .*representation=head",
        ),
    ],
)
def test_an_entry_that_does_not_fit_is_named(small, tmp_path: Path, row: int, entries, message: str) -> None:
    path = write_csv(tmp_path / "mine.csv", changed(small, row, **entries))
    with pytest.raises(UsageError, match=message) as caught:
        compose(["domain=custom", f"dataset.root={path}", "test=shortcut", "measure=cka"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("test", GROUNDINGS)
def test_a_missing_column_is_named_with_the_test_alone(planted: Planted, tmp_path: Path, test: str) -> None:
    for column in GROUNDINGS[test].needs:
        records = [{**record, "file": str(planted.manifest.parent / record["file"])} for record in planted.records]
        if column == "layer":  # one file a model, else two rows are of one model and layer
            records = [record for record in records if record["layer"] == "block1"]
        frame = pl.DataFrame(records).drop(column)
        frame.write_parquet(tmp_path / "mine.parquet")
        with pytest.raises(UsageError) as caught:
            compose(["domain=custom", f"dataset.root={tmp_path / 'mine.parquet'}", f"test={test}", "measure=cka"])
        has = ", ".join(frame.columns)
        if column == "layer":
            assert f"test={test} needs the column layer, which {tmp_path / 'mine.parquet'} lacks" in str(caught.value)
            continue
        expected = f"test={test} needs the column {column}, which {tmp_path / 'mine.parquet'} lacks; it has {has}"
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("models", "test", "message"),
    [
        ([one(setting="a"), one(setting="b")], "shortcut", r"needs the seed of models, .*resi.Model\(..., seed=...\)"),
        ([one(seed=0), one(seed=1)], "shortcut", r"test=shortcut needs the setting of models"),
        ([one(setting="a", seed=0), one(setting="a", seed=1)], "shortcut", r"compares groups .* have the setting a$"),
        ([resi.Model({"hidden": ARRAY + n, "out": ARRAY - n}, setting="a", seed=n) for n in range(2)], "augmentation",
         r"^models: test=augmentation compares groups of models of different settings, but all have the setting a$"),
        ([one(setting="a", seed=0), one(setting="a", seed=1), one(setting="b")], "shortcut",
         r"but all have the setting a; left out: 1 model without seed$"),
        ([one(setting=name, seed=0, architecture=f"net {name}") for name in "ab"], "shortcut",
         r"compares groups .*, but each architecture has one setting$"),
        ([one(), one()], "output_correlation", r"needs the logits of models"),
        ([one(accuracy=0.5)], "accuracy_correlation", r"compares .* but each setting has one model"),
        (four(), "layer_monotonicity", r"test=layer_monotonicity needs several layers of a model"),
        ([resi.Model({"a": ARRAY, "b": ARRAY}, seed=0), resi.Model({"b": ARRAY, "a": ARRAY}, seed=1)],
         "layer_monotonicity", r"layers of architecture=own in different orders: b, a and a, b"),
        ([one(seed=0, setting="a"), one(seed=0, setting="a"), one(seed=0, setting="b")], "shortcut",
         r"models\[0\] and models\[1\] are both .*seed=0"),
        ([], "shortcut", r"expected a list of resi.Model, a table with one row per representation, .* not a list"),
        ([ARRAY], "shortcut", r"expected a list of resi.Model, .* not ndarray"),
        (7, "shortcut", r"expected a list of resi.Model, .* not a int"),
        ([one(seed=True, setting="a")], "shortcut", r"models\[0\]: seed=True: expected a whole number"),
        ([one(accuracy=64)], "accuracy_correlation", r"models\[0\]: accuracy=64: .*divide percentages by 100"),
        ([resi.Model({})], "shortcut", r"models\[0\] has no layers"),
        (four(), "shortcuts", r"unknown test 'shortcuts'; did you mean shortcut"),
        ("nowhere.csv", "shortcut", r"there is no table .*/nowhere.csv"),
        ([{"seed": 1}], "shortcut", r"the table of models lacks the column file; it has seed"),
    ],
)  # fmt: skip
def test_models_that_do_not_fit_are_named(models: Any, test: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        resi.evaluate(models, test, "cka")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": ["a", "c"]}, r"unknown setting of models: 'c'"),
        ({"groups": ["a", "a"]}, r"groups=\[a,a\]: name the settings of groups, each once"),
        ({"seeds": [0, 9]}, r"unknown seed of models: '9'"),
        ({"layer": "fc"}, r"unknown layer of models: 'fc'"),
        ({"dataset": "mnist"}, r"unknown dataset of models: 'mnist'"),
        ({"measures": []}, r"measures is empty"),
        ({"measures": "ckaa"}, r"unknown measure 'ckaa'; did you mean cka"),
        ({"measures": max}, r"max does not say whether large values mean similar"),
        ({"protocol": "old"}, r"unknown protocol 'old'"),
        ({"samples": 1}, r"compare.subsample=1: expected a number from 2 up"),
    ],
)
def test_options_that_do_not_fit_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        resi.evaluate(four(), **{"test": "shortcut", "measures": "cka", **options})
    assert "\n" not in str(caught.value)


def test_a_function_has_to_say_what_is_similar() -> None:
    def spread(R, S):
        return float(R.std() - S.std())

    with pytest.raises(
        UsageError, match=r"spread does not say whether large values mean similar.*resi.as_measure\(spread"
    ):
        resi.evaluate(four(), "shortcut", [spread])
    measure = resi.as_measure(lambda R, S, shape: spread(R, S), name="spread", larger_is_more_similar=False)
    assert resi.evaluate(four(), "shortcut", [measure]).scores.height == 2


def test_samples_that_differ_are_told_with_both_files(small, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    names = [str(tmp_path / record["file"]) for record in small]

    def refused(samples: list[str], rows: int = 40) -> str:
        resi.save(tmp_path / "named.npz", resi.Representations.from_tensors({"block3": _tensor(rows)}, samples))
        write_csv(path, changed(small, 2, file="named.npz"))
        with pytest.raises(ResiError) as caught:
            resi.evaluate(path, "shortcut", "cka")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    numbers = [str(row) for row in range(40)]
    named = str(tmp_path / "named.npz")
    swapped = refused([numbers[1], numbers[0], *numbers[2:]])
    assert swapped == f"{named} holds the same samples in another order than {names[0]}: row 1 is '1', there '0'"
    assert refused(["x", *numbers[1:]]) == f"{named} holds other samples than {names[0]}: row 1 is 'x', there '0'"
    assert refused(numbers[:30], 30) == f"{named} has 30 samples, {names[0]} 40; all need the same ones"


def _tensor(rows: int):
    import torch

    return torch.ones(rows, 3)


def test_logits_of_other_samples_are_told() -> None:
    models = [one(seed=seed, logits=np.ones((11, 2))) for seed in range(3)]
    with pytest.raises(ShapeError, match=r"models\[0\]: logits has logits of 11 samples, models\[0\] 12 samples"):
        resi.evaluate(models, "output_correlation", "cka")


def test_two_accuracies_of_one_model_are_a_contradiction(small, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "mine.csv", [small[0], {**small[0], "layer": "fc", "accuracy": 0.1}])
    with pytest.raises(UsageError, match=r"row 1 and row 2 are of one model .* and state different accuracy"):
        resi.evaluate(path, "accuracy_correlation", "cka")


def test_an_array_is_of_one_model_and_layer(small, tmp_path: Path) -> None:
    (tmp_path / "link.npy").symlink_to(small[0]["file"])
    linked = write_csv(tmp_path / "linked.csv", changed(small, 2, file="link.npy"))
    with pytest.raises(UsageError, match=r"row 1 and row 2 are both .*/link.npy; every model"):
        resi.evaluate(linked, "shortcut", "cka")
    layers = [small[0], {**small[0], "layer": "fc"}, small[1]]
    with pytest.raises(UsageError, match=r"row 1 and row 2 are both .*/plain-0-block3.npy; every model"):
        resi.evaluate(write_csv(tmp_path / "layers.csv", layers), "layer_monotonicity", "cka")
    several = resi.Representations.from_tensors({"a": _tensor(12), "b": _tensor(12)})
    twice = [resi.Model(several, setting=setting, seed=0) for setting in "ab"]
    with pytest.raises(UsageError, match=r"models\[0\] and models\[1\] are both the layer b of models\[1\]; every"):
        resi.evaluate(twice, "shortcut", "cka")


def test_rows_of_one_layer_without_seeds_are_not_guessed_to_be_of_several_models(small, tmp_path: Path) -> None:
    rows = [{"file": record["file"], "layer": layer} for record, layer in zip(small, "abab", strict=True)]
    with pytest.raises(UsageError, match=r"row 1 and row 3 are both .* seed=0, layer=a; each model and layer must"):
        resi.evaluate(write_csv(tmp_path / "mine.csv", rows), "layer_monotonicity", "cka")


def test_logits_are_of_one_model_where_a_test_needs_them(small, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "mine.csv", changed(small, 2, logits=small[0]["logits"]))
    with pytest.raises(UsageError, match=r"row 1 and row 2 both have logits=.*/plain-0-logits.npy; every model"):
        resi.evaluate(path, "output_correlation", "cka")
    assert resi.evaluate(path, "shortcut", "cka").scores.height == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"domain=custom needs dataset.root=MANIFEST: a CSV or Parquet file"),
        (["dataset.root=nowhere.csv"], r"there is no table .*/nowhere.csv"),
        (
            ["dataset.root={path}", "groups=3"],
            r"groups=3: .* has 2 settings: plain, altered; .*groups=\[plain,altered\]",
        ),
        (
            ["dataset.root={path}", "models.source=published"],
            r"models.source=published: domain=custom reads no published",
        ),
        (["dataset.root={path}", "stage=models"], r"stage=models: domain=custom has representations"),
        (["dataset.root={path}", "representation=fc"], r"unknown layer of .*: 'fc'"),
        (["dataset.root={path}", "seeds=[0,7]"], r"unknown seed of .*: '7'"),
        (["dataset.root={path}", "model=gcn"], "not of domain=custom; write domain=graph model=gcn"),
    ],
)
def test_words_that_do_not_fit_are_one_line(planted: Planted, words: list[str], message: str) -> None:
    given = [word.format(path=planted.manifest) for word in words]
    with pytest.raises(UsageError, match=message) as caught:
        compose(["domain=custom", "test=shortcut", "measure=cka", *given])
    assert "\n" not in str(caught.value)


def test_two_groups_of_ones_own_need_no_word_about_it(planted: Planted) -> None:
    words = ["domain=custom", f"dataset.root={planted.manifest}", "test=shortcut", "measure=cka"]
    for further in ([], ["groups=2"], ["groups=[altered,plain]"]):
        assert sorted(compose([*words, *further]).domain.content.settings) == ["altered", "plain"]


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_that_are_no_columns_are_told(tmp_path: Path, mark: str, word: str) -> None:
    (tmp_path / "models.csv").write_text(f"file{mark}setting\na.npy{mark}b\n")
    with pytest.raises(UsageError, match=f"models.csv separates its columns by {word}: expected commas"):
        resi.evaluate(tmp_path / "models.csv", "shortcut", "cka")
