"""Runs with ``null=``: every measure has a second variant, whose values are calibrated by permutations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import resi
from resi.cli.main import run_command
from resi.errors import UsageError
from resi.results.schema import is_calibrated

MEASURES = ["cka", "procrustes", "linear_regression"]
CHANCE = ["null_mean", "null_95", "p_value"]


@pytest.fixture(scope="module")
def arrays() -> dict[tuple[str, int], np.ndarray]:
    """Return the representations of three models in each of two groups."""
    draws = np.random.default_rng(3)
    bases = {name: draws.normal(size=(40, 6)) for name in ("plain", "altered")}
    return {(name, seed): bases[name] + draws.normal(size=(40, 6)) for name in bases for seed in range(3)}


def evaluate(arrays, root: Path, **options):
    models = [resi.Model(array, setting=setting, seed=seed) for (setting, seed), array in arrays.items()]
    return resi.evaluate(models, "shortcut", MEASURES, root=root, **options)


@pytest.fixture(scope="module")
def evaluated(arrays, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("calibrated")
    return root, evaluate(arrays, root, null=19)


def split(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of measures themselves, and those of their calibrated variants."""
    calibrated = is_calibrated(pl.col("parameters"))
    return table.filter(~calibrated), table.filter(calibrated)


def test_calibrated_values_are_those_of_pairs(evaluated, arrays) -> None:
    _, found = evaluated
    names = {f"{setting}{seed}": array for (setting, seed), array in arrays.items()}
    pairs = resi.pairwise(names, MEASURES, null=19)
    backwards = resi.pairwise(dict(reversed(names.items())), MEASURES, null=19)
    expected = {(row["measure"], row["source"], row["target"]): row for row in pairs.iter_rows(named=True)}
    turned = {(row["measure"], row["target"], row["source"]): row for row in backwards.iter_rows(named=True)}
    _, calibrated = split(found.comparisons)
    assert calibrated.height == 15 + 15 + 30
    assert calibrated.filter(pl.col("value") > 0).height > 6
    for row in calibrated.iter_rows(named=True):
        key = row["measure"], f"{row['setting_a']}{row['seed_a']}", f"{row['setting_b']}{row['seed_b']}"
        either = [table.get(key) or table[key[0], key[2], key[1]] for table in (expected, turned)]
        if row["measure"] == "linear_regression":
            either = [expected[key]]
        assert any(
            row["raw"] == pytest.approx(one["value"], rel=1e-12)
            and row["value"] == pytest.approx(one["calibrated"], rel=1e-9)
            and [row[name] for name in CHANCE] == pytest.approx([one[name] for name in CHANCE], rel=1e-9)
            for one in either
        )
        assert json.loads(row["parameters"])["null"] == 19


def test_the_measures_own_rows_are_those_of_a_plain_run(evaluated, arrays, tmp_path: Path) -> None:
    root, found = evaluated
    plain, _ = split(found.comparisons)
    alone = evaluate(arrays, tmp_path).comparisons
    timed = ["seconds", "prepare_seconds", "value"]
    assert alone.drop(timed).equals(plain.drop(timed))
    np.testing.assert_allclose(alone["value"], plain["value"], rtol=1e-12)
    assert plain.select(pl.all_horizontal(pl.col("raw", *CHANCE).is_null()).all()).item()
    # Seconds are those of the stored rows, so none was computed again.
    assert evaluate(arrays, root).comparisons.equals(plain)
    again = evaluate(arrays, tmp_path, null=19).comparisons
    assert split(again)[0].equals(alone)
    assert split(again)[1].drop(timed).equals(split(found.comparisons)[1].drop(timed))


def test_calibrated_distances_are_scored_as_similarities(evaluated) -> None:
    plain, calibrated = split(evaluated[1].scores.filter(metric="auprc"))
    for scores in (plain, calibrated):
        assert scores["measure"].to_list() == sorted(MEASURES)
        assert scores["value"].to_list() == [1.0, 1.0, 1.0]
    assert "procrustes (null=19)" in repr(evaluated[1])


def test_samples_do_not_depend_on_the_order_of_groups(arrays, tmp_path: Path) -> None:
    ours, theirs = (
        split(found.comparisons)[1].sort("key").select("key", "value", *CHANCE)
        for found in (
            evaluate(arrays, tmp_path / "a", null=19, groups=["plain", "altered"], seeds=[0, 1, 2]),
            evaluate(arrays, tmp_path / "b", null=19, groups=["altered", "plain"], seeds=[2, 1, 0]),
        )
    )
    assert ours["key"].equals(theirs["key"])
    for name in ("value", *CHANCE):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9)


def test_a_plan_counts_both_variants_once(arrays, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["file,setting,seed"]
    for (setting, seed), array in arrays.items():
        np.save(tmp_path / f"{setting}{seed}.npy", array)
        rows.append(f"{setting}{seed}.npy,{setting},{seed}")
    (tmp_path / "models.csv").write_text("\n".join(rows))
    words = ["domain=custom", f"dataset.root={tmp_path / 'models.csv'}", "test=shortcut", "measure=cka"]
    words += [f"root={tmp_path / 'root'}"]
    resi.run(words)
    capsys.readouterr()
    for null, expected in (("19", ["30", "15", "15"]), ("null", ["15", "15", "0"])):
        assert run_command(["plan", *words, f"null={null}"]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("compare")]
        assert line.split()[1:4] == expected


def test_no_value_of_chance_is_said(arrays, tmp_path: Path) -> None:
    @dataclass
    class Refuses(resi.Measure):
        """Sum of products; there is none if the second side was permuted."""

        name = "refuses"
        larger_is_more_similar = True

        def prepare(self, x):
            if float(x.matrix[0, 0]) not in firsts:
                raise ValueError("rows are not in their order")
            return x.matrix

        def compare(self, a, b) -> float:
            return float((a * b).sum())

    firsts = {float(array[0, 0]) - float(array[:, 0].mean()) for array in arrays.values()}
    firsts |= {float(array[0, 0]) for array in arrays.values()}
    models = [resi.Model(array, setting=setting, seed=seed) for (setting, seed), array in arrays.items()]
    found = resi.evaluate(models, "shortcut", [Refuses()], null=19).comparisons
    plain, calibrated = split(found)
    assert set(plain["status"]) == {"ok"} and set(plain["note"]) == {""}
    assert set(calibrated["status"]) == {"failed"} and calibrated["value"].null_count() == calibrated.height
    assert all("rows are not in their order" in text for text in calibrated["error"])


@pytest.mark.parametrize("null", [0, 18, True])
def test_too_few_permutations_are_refused(arrays, tmp_path: Path, null: int) -> None:
    with pytest.raises(UsageError, match=f"null={null}: expected a number of permutations from 19 up"):
        evaluate(arrays, tmp_path, null=null)
