"""resi extract: layers of a network over data, from the command line to a folder that resi compare reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import resi
from resi.cli.main import run_command
from resi.errors import ArtifactError, UsageError

CODE = """
import torch

def build():
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    for weights in network.parameters():
        weights.data = torch.randn(weights.shape, generator=generator)
    return network
"""
INPUTS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
WORDS = ["extract", "model=python:resi_test_networks:build", "data=inputs.npy", "device=cpu"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network and data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("resi_test_networks.py").write_text(CODE)
    np.save("inputs.npy", INPUTS)
    return tmp_path


def test_layers_are_written_and_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*WORDS, "layers=[0,2]", "batch_size=16", "out=reps/net", "name=net"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "Representations of net: 2 layers, 40 samples"
    assert shown.err.splitlines()[-1] == (
        "written to reps/net; compare its layers: resi compare reps/net --plot layers.svg"
    )
    scope: dict[str, object] = {}
    exec(CODE, scope)
    network = scope["build"]()  # type: ignore[operator]
    with torch.no_grad():
        hidden = network[0](torch.from_numpy(INPUTS))
        expected = {"0": hidden, "2": network[2](network[1](hidden))}
    found = resi.load("reps/net")
    assert list(found) == ["0", "2"]
    for layer, rows in expected.items():
        assert torch.allclose(found[layer], rows, atol=1e-6)
        assert found.about[layer]["pooling"] == "none"
    assert run_command(["compare", "reps/net", "--csv"]) == 0
    value = float(capsys.readouterr().out.splitlines()[1].split(",")[3])
    assert value == pytest.approx(resi.compare(expected["0"], expected["2"]), abs=1e-5)


def test_a_finished_extraction_is_there_already(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for more in ([], [], ["overwrite=true"]):
        assert run_command([*WORDS, "layers=0", "out=reps/net", *more]) == 0
        said.append(capsys.readouterr().err.splitlines()[-1].partition(";")[0])
    assert said == ["written to reps/net", "already there, in reps/net", "written to reps/net"]


def test_layers_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*WORDS, "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["layer", "0", "1", "2", "output"]
    assert not Path("reps").exists()
    assert run_command([*WORDS, "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["layer"] == "0"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["extract"], "model= is missing: timm:NAME"),
        ([*WORDS], "out= is missing: the folder to write"),
        ([*WORDS, "images/", "out=x"], "images/: expected KEY=VALUE, such as data=images/"),
        ([*WORDS, "pool=mean", "out=x"], "unknown key of resi extract: 'pool'; did you mean pooling"),
        ([*WORDS, "batch_size=0", "out=x"], "batch_size=0: expected a whole number, at least 1"),
        ([*WORDS, "pooling=median", "out=x"], "median"),
        ([*WORDS, "layers=conv", "out=x"], "conv"),
        ([*WORDS, "--list", "out=x"], "out= does not change which layers there are"),
        (["extract", "model=nothing", "data=inputs.npy", "out=x"], "nothing"),
    ],
)
def test_what_cannot_be_extracted(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run_command(words) == 2
    shown = capsys.readouterr().err.strip()
    assert message in shown
    assert "\n" not in shown
    assert not Path("x").exists()


def test_an_extraction_that_was_stopped_is_not_loaded(folder: Path) -> None:
    assert run_command([*WORDS, "out=net"]) == 0
    assert resi.load("net").samples == tuple(map(str, range(40)))
    Path("net/manifest.json").rename("net/unfinished.jsonl")
    with pytest.raises(UsageError, match="the extraction into it is not finished; repeat the call"):
        resi.load("net")
    Path("net/unfinished.jsonl").rename("net/manifest.json")
    next(iter(Path("net").glob("1.safetensors"))).unlink()
    with pytest.raises(ArtifactError, match=r"1\.safetensors is missing; it holds the layer '1' of net"):
        resi.load("net")
