"""resi compare: files and folders from the command line to a table and a figure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import resi
from resi.cli.arguments import names_in
from resi.cli.main import run_command

IDS = [f"{row}.png" for row in range(30)]


def array(seed: int, columns: int = 5, *more: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(30, columns, *more))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two networks and three single layers."""
    monkeypatch.chdir(tmp_path)
    for name, seeds in (("r18", (0, 1, 2)), ("r34", (3, 4))):
        tensors = {f"layer{number}": torch.from_numpy(array(seed)) for number, seed in enumerate(seeds)}
        resi.save(name, resi.Representations.from_tensors(tensors, IDS, name=name))
    for number, name in enumerate("abc"):
        np.save(f"{name}.npy", array(number))
    return tmp_path


def test_one_set_is_all_pairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "r18", "--out", "table.csv"]) == 0
    found = pl.read_csv("table.csv")
    pairs = [("layer0", "layer1"), ("layer0", "layer2"), ("layer1", "layer2")]
    assert list(found.select("source", "target").iter_rows()) == pairs
    values = [resi.compare(array(0), array(1)), resi.compare(array(0), array(2)), resi.compare(array(1), array(2))]
    assert found["value"].to_list() == pytest.approx(values, abs=1e-12)
    a, b, c = (f"{value:.3f}" for value in values)
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "cka (larger is more similar)",
        "          layer0  layer1  layer2",
        f"  layer0       -   {a}   {b}",
        f"  layer1   {a}       -   {c}",
        f"  layer2   {b}   {c}       -",
    ]
    assert shown.err.splitlines()[-1] == "3 comparisons in table.csv"


def test_two_sets_are_each_with_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "r18", "r34", "measure=[cka,procrustes]", "--out", "table.parquet"]) == 0
    found = pl.read_parquet("table.parquet")
    assert found.height == 12
    row = found.filter(source="layer2", target="layer0", measure="procrustes").row(0, named=True)
    assert row["value"] == pytest.approx(resi.compare(array(2), array(3), "procrustes"), abs=1e-9)
    out = capsys.readouterr().out.splitlines()
    assert out[:4] == ["cka (larger is more similar)", "  rows: r18", "  columns: r34", "          layer0  layer1"]
    assert "procrustes (smaller is more similar)" in out


def test_files_of_one_layer_are_one_set(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "a.npy", "b.npy", "c.npy", "measure=jaccard", "measure.jaccard.k=5", "--json"]) == 0
    found = {(row["source"], row["target"]): row["value"] for row in json.loads(capsys.readouterr().out)}
    assert set(found) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert found["a", "c"] == pytest.approx(resi.compare(array(0), array(2), "jaccard", k=5))


def test_few_pairs_are_a_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "a.npy", "b.npy", "measure=[cka,procrustes]"]) == 0
    cka, procrustes = resi.compare(array(0), array(1)), resi.compare(array(0), array(1), "procrustes")
    assert capsys.readouterr().out.splitlines() == [
        "a and b",
        f"  cka         {cka:>10.4f}  larger is more similar",
        f"  procrustes  {procrustes:>10.4f}  smaller is more similar",
    ]


def test_layers_of_many_are_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "r18", "layers=[layer0,layer2]", "--csv"]) == 0
    assert pl.read_csv(capsys.readouterr().out.encode()).select("source", "target").rows() == [("layer0", "layer2")]
    resi.save("bert", resi.Representations.from_tensors({"pooler": torch.from_numpy(array(9))}, IDS))
    assert run_command(["compare", "r18", "bert", "layers=[layer2,pool*]", "--csv"]) == 0
    assert pl.read_csv(capsys.readouterr().out.encode()).select("source", "target").rows() == [("layer2", "pooler")]


@pytest.mark.parametrize(
    "layers",
    ["layer[02]", "[layer[02]]", "layer[0],layer2", "'layer[02]'", '["layer0",layer[2]]', "[layer[0], layer[1-2]]"],
)
def test_brackets_in_a_name_are_those_of_a_pattern(
    folder: Path, capsys: pytest.CaptureFixture[str], layers: str
) -> None:
    assert run_command(["compare", "r18", f"layers={layers}", "--csv"]) == 0
    rows = pl.read_csv(capsys.readouterr().out.encode()).select("source", "target").rows()
    assert ("layer0", "layer2") in rows
    assert len(rows) == (3 if "1-2" in layers else 1)


def test_a_name_with_brackets_is_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {name: torch.from_numpy(array(seed)) for seed, name in enumerate(("lstm[1]", "lstm[0]", "head"))}
    resi.save("rnn", resi.Representations.from_tensors(known, IDS))
    assert run_command(["compare", "rnn", "layers=lstm[1],head", "--csv"]) == 0
    assert pl.read_csv(capsys.readouterr().out.encode()).select("source", "target").rows() == [("lstm[1]", "head")]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("cka", ["cka"]),
        ("[cka,rsa]", ["cka", "rsa"]),
        ('["cka","rsa"]', ["cka", "rsa"]),
        ("blocks.[0-5]", ["blocks.[0-5]"]),
        ("[0-5].conv", ["[0-5].conv"]),
        ("[[0-5]]", ["[0-5]"]),
        ("[blocks.[0,1],x]", ["blocks.[0,1]", "x"]),
        ("a[0].[b]", ["a[0].[b]"]),
        ("'a,b',c", ["a,b", "c"]),
        ("it's", ["it's"]),
        ("a,,b", ["a", "", "b"]),
        ("[cka,rsa", None),
        ("cka,rsa]", None),
        ("a.[0-5", None),
    ],
)
def test_names_of_a_value(value: str, names: list[str] | None) -> None:
    assert names_in(value) == names


def test_rows_in_another_order_are_an_error_or_aligned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = np.random.default_rng(5).permutation(30)
    np.savez("a.npz", x=array(0), ids=np.array(IDS))
    np.savez("b.npz", x=array(1)[order], ids=np.array(IDS)[order])
    assert run_command(["compare", "a.npz", "b.npz"]) == 1
    assert "align=True" in capsys.readouterr().err
    assert run_command(["compare", "a.npz", "b.npz", "align=true", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] == pytest.approx(resi.compare(array(0), array(1)))
    shuffled = resi.Representations.from_tensors({"x": torch.from_numpy(array(1)[order])}, [IDS[row] for row in order])
    resi.save("shuffled", shuffled)
    assert run_command(["compare", "r18", "shuffled"]) != 0
    assert "align=True" in capsys.readouterr().err
    assert run_command(["compare", "r18", "shuffled", "align=true", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["value"] == pytest.approx(resi.compare(array(0), array(1)))


def test_a_figure_is_drawn(folder: Path) -> None:
    assert run_command(["compare", "r18", "r34", "--plot", "map.svg"]) == 0
    assert "<svg" in Path("map.svg").read_text()
    assert run_command(["compare", "r18", "measure=[cka,rsa]", "--plot", "map.png"]) == 0
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")


def test_a_comparison_that_failed_is_said_and_is_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = array(7)
    broken[3, 3] = np.nan
    np.save("broken.npy", broken)
    assert run_command(["compare", "a.npy", "b.npy", "broken.npy"]) == 1
    shown = capsys.readouterr()
    assert "failed" in shown.out
    assert "2 comparisons failed:" in shown.err
    assert "holds 1 NaN" in shown.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name files or folders"),
        (["a.npy"], "a.npy holds one layer; name another"),
        (["a.npy", "a.npy"], "a.npy is named twice"),
        (["r18", "r34", "a.npy"], "3 sets, of which r18 has 3 layers"),
        (["nothing"], "there is no file or folder nothing"),
        (["r18", "mesure=cka"], "unknown key of resi compare: 'mesure'; did you mean measure"),
        (["r18", "measure=[cka,rsa"], r"expected a name or a list, in quotes: 'measure=[a,b]'"),
        (["r18", "measure=ckaa"], "unknown measure 'ckaa'; did you mean cka"),
        (["r18", "measure.jaccard.k=3"], "measure.jaccard.k=3: the measures are cka; add jaccard"),
        (["r18", "measure=jaccard", "measure.jaccard=3"], "expected measure.NAME.PARAMETER=VALUE"),
        (["r18", "measure=jaccard", "measure.jaccard.n=3"], "unknown parameter of jaccard 'n'"),
        (["r18", "samples=many"], "samples=many: expected a whole number"),
        (["r18", "align=yes"], "align=yes: expected true, false or shared"),
        (["r18", "align="], "align has no value"),
        (["r18", "align=true", "align=true"], "align is given twice"),
        (["r18", "--out", "table.xlsx"], "expected a file .csv, .tsv, .parquet or .json"),
        (["r18", "--plot", "map.gif"], "expected a file .png, .svg or .pdf"),
        (["a.npy", "b.npy", "id=zzz"], "id=zzz: .npy files have none; leave it out"),
        (["r18", "columns=f*"], "columns=f*: .safetensors files have none"),
        (["r18", "shape=abc"], "shape=abc: expected nd, ntd or nchw"),
        (["r18", "null=19", "blocks=no"], "blocks=no: expected a text file with one label a sample: No such file"),
        (["r18", "null=19", "blocks=a.npy"], "blocks=a.npy: expected a text file with one label a sample, not a"),
        (["r18", "layers=conv*"], "unknown layer of r18: 'conv*'. Known: layer0, layer1, layer2."),
    ],
)
def test_what_cannot_be_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run_command(["compare", *words]) == 2
    shown = capsys.readouterr().err.strip()
    assert message in shown
    assert "\n" not in shown


def test_a_path_may_hold_an_equals_sign(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.npy").rename("lr=0.1.npy")
    assert run_command(["compare", "lr=0.1.npy", "b.npy"]) == 0
    assert "lr=0.1 and b" in capsys.readouterr().out


def test_what_chance_gives_is_shown_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("labels.txt").write_text("\n".join("xy"[row % 2] for row in range(30)), encoding="utf-8")
    assert run_command(["compare", "a.npy", "b.npy", "null=19"]) == 0
    found = resi.compare(array(0), array(1), null=19)
    lines = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["a and b"],
        ["measure", "value", "p", "calibrated", "larger is"],
        ["cka", f"{found:.4f}", f"{found.p_value:.4f}", f"{found.calibrated:.4f}", "more similar"],
    ]
    assert run_command(["compare", "r18", "null=19", "blocks=labels.txt", "--out", "table.csv"]) == 0
    table = pl.read_csv("table.csv")
    expected = resi.compare(array(0), array(1), null=19, blocks=list("xy") * 15)
    assert table["null_mean"][0] == pytest.approx(expected.null_mean)
    out = capsys.readouterr().out.splitlines()
    assert out[5] == "cka, calibrated (0: no more than chance, 1: the best value)"
    assert out[-1].startswith("  p above 0.05: ")
    assert run_command(["compare", "a.npy", "b.npy", "null=19", "blocks=nowhere.txt"]) == 2
    assert "blocks=nowhere.txt: expected a text file with one label a sample" in capsys.readouterr().err


def test_a_pair_with_more_than_a_value_is_a_table_of_80_columns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "a.npy", "b.npy", "null=19", "bootstrap=40"]
    assert run_command([*words, "measure=[cka,procrustes]"]) == 0
    pair, *lines = capsys.readouterr().out.splitlines()
    assert pair == "a and b"
    assert [line.index(title) for line in lines[:1] for title in ("measure", "95 % interval", "larger is")] == [
        lines[1].index(text) for text in ("cka", lines[1].split()[2], "more similar")
    ]
    assert max(map(len, lines)) <= 80
    assert lines[2].endswith("  more different")
    found = resi.compare(array(0), array(1), null=19, bootstrap=40)
    assert f"{found.low:.4f}..{found.high:.4f}" in lines[1]
    pytest.importorskip("resi_example")  # whose measure has a long name
    assert run_command([*words, "measure=effective_rank_difference"]) == 0
    *_, last = lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert last == "  effective_rank_difference: smaller is more similar"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["t.csv", "a.npy", "--out", "t.csv"], "--out t.csv is an input"),
        (["t.csv", "a.npy", "--out", "./t.csv"], "--out t.csv is an input"),
        (["t.csv", "a.npy", "--out", "link.csv"], "--out link.csv is an input"),
        (["t.parquet", "a.npy", "--out", "t.parquet"], "--out t.parquet is an input"),
        (["a.npy", "b.npy", "null=19", "blocks=t.csv", "--out", "t.csv"], "--out t.csv is an input"),
        (["r18", "--out", "r18/ok.csv"], "--out r18/ok.csv lies in r18, which is an input"),
        (["r18/", "--out", "../here/r18/ok.csv"], "--out ../here/r18/ok.csv lies in r18, which is an input"),
        (["r18", "--out", "t.csv"], "--out t.csv: there is a file that is not a table of comparisons of resi"),
        (["r18", "--out", "t.tsv"], "--out t.tsv: there is a file that is not a table of comparisons of resi"),
        (["r18", "--out", "t.parquet"], "--out t.parquet: there is a file that is not a table of comparisons"),
        (["r18", "--out", "t.json"], "--out t.json: there is a file that is not a table of comparisons of resi"),
        (["r18", "--plot", "t.svg"], "--plot t.svg: there is a file that is not a figure of resi"),
        (["r18", "--plot", "t.png"], "--plot t.png: there is a file that is not a figure of resi"),
    ],
)
def test_files_that_resi_did_not_write_are_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    tensors = {f"layer{number}": torch.from_numpy(array(number)) for number in range(2)}
    resi.save("r18", resi.Representations.from_tensors(tensors, IDS))
    for name in "ab":
        np.save(f"{name}.npy", array(0))
    frame = pl.DataFrame(array(1), schema=list("vwxyz"))
    frame.write_csv("t.csv")
    frame.write_csv("t.tsv", separator="\t")
    frame.write_parquet("t.parquet")
    Path("t.json").write_text('[{"source": 1}]', encoding="utf-8")
    Path("t.svg").write_text("<svg/>", encoding="utf-8")
    Path("t.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("link.csv").symlink_to("t.csv")
    before = {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()}
    assert run_command(["compare", *words]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert not shown.out
    assert {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet", "t.json"])
def test_a_table_and_a_figure_of_resi_are_written_again(folder: Path, name: str) -> None:
    Path(name).touch()
    for words in (["r18"], ["r18", "null=19"], ["r34"]):
        assert run_command(["compare", *words, "--out", name, "--plot", "r18/map.svg"]) == 0
    if name.endswith(".json"):
        assert len(json.loads(Path(name).read_text(encoding="utf-8"))) == 1


def test_what_cannot_be_written_is_named_as_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "r34", "--out", "/proc/table.csv"]) == 1
    assert "cannot write /proc/table.csv: No such file" in (shown := capsys.readouterr().err)
    assert ".tmp" not in shown
