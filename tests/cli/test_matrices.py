"""Similarities as text of at most 80 columns."""

from __future__ import annotations

import polars as pl

from resi.cli.matrices import Sides, show


def table(rows: list[str], columns: list[str], is_one: bool, value: float = 0.5) -> pl.DataFrame:
    found = [
        (row, column, "cka", value + 0.001 * (i + j), "ok")
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
        if not is_one or i < j
    ]
    return pl.DataFrame(found, schema=["source", "target", "measure", "value", "status"], orient="row")


def shown(frame: pl.DataFrame, sides: Sides, larger: bool = True) -> list[str]:
    lines = list(show(frame, sides, {"cka": larger}))
    assert max(map(len, lines)) <= 80
    return lines


def test_what_names_have_in_common_is_said_once() -> None:
    names = [f"encoder.layer.{number}.output.dense" for number in range(4)]
    assert shown(table(names, names, True), Sides("bert", "bert")) == [
        "cka (larger is more similar)",
        "  layers: encoder.layer.*.output.dense",
        "         0      1      2      3",
        "  0      -  0.501  0.502  0.503",
        "  1  0.501      -  0.503  0.504",
        "  2  0.502  0.503      -  0.505",
        "  3  0.503  0.504  0.505      -",
    ]


def test_long_names_are_numbers_above_columns() -> None:
    names = ["embeddings", "pooler_dense", "classifier"]
    lines = shown(table(names, names, True), Sides("bert", "bert"))
    assert lines[1:3] == ["                      [1]    [2]    [3]", "  [1] embeddings        -  0.501  0.502"]
    lines = shown(table(["a", "b"], names, False), Sides("x", "bert"))
    assert lines[1:5] == [
        "  rows: x",
        "  columns: bert",
        "    [1] embeddings  [2] pooler_dense  [3] classifier",
        "       [1]    [2]    [3]",
    ]


def test_a_wide_matrix_is_divided() -> None:
    names = [f"layer{number}" for number in range(14)]
    lines = shown(table(names, names, True), Sides("net", "net"))
    assert len(lines) == 1 + 2 * 15 + 1
    assert lines[2].split()[1:4] == ["-", "0.501", "0.502"]


def test_of_a_very_large_one_the_nearest_are_shown() -> None:
    names = [f"layer{number}" for number in range(50)]
    lines = shown(table(names, names, True), Sides("net", "net"))
    assert lines[1] == "  50 x 50 values; for each layer, the most similar other layer:"
    assert lines[2] == "  layer0   0.549  layer49"
    assert lines[-1] == "  and 10 more"
    assert shown(table(names, names, True), Sides("net", "net"), larger=False)[2] == "  layer0   0.501  layer1"
    lines = shown(table(names, names, False), Sides("a", "b"))
    assert lines[1:5] == [
        "  rows: a",
        "  columns: b",
        "  50 x 50 values; for each row, the most similar column:",
        "  layer0   0.549  layer49",
    ]


def test_an_asymmetric_measure_keeps_its_direction() -> None:
    frame = pl.DataFrame(
        [("a", "b", "cka", 0.1, "ok"), ("b", "a", "cka", 0.2, "ok"), ("a", "c", "cka", 0.3, "ok"),
         ("c", "a", "cka", 0.4, "ok"), ("b", "c", "cka", None, "failed"), ("c", "b", "cka", None, "undefined")],
        schema=["source", "target", "measure", "value", "status"], orient="row",
    )  # fmt: skip
    assert shown(frame, Sides("net", "net"))[1:] == [
        "          a       b       c",
        "  a       -   0.100   0.300",
        "  b   0.200       -  failed",
        "  c   0.400  undef.       -",
    ]


def test_values_of_any_size_keep_their_digits() -> None:
    names = ["a", "b", "c"]
    assert "123.5" in shown(table(names, names, True, 123.5), Sides("net", "net"))[2]
    assert "1.23e+07" in shown(table(names, names, True, 12345678), Sides("net", "net"))[2]
    assert "1.20e-05" in shown(table(names, names, True, 0.000012 - 0.001), Sides("net", "net"))[2]
