"""Layers are written as they come; what was stopped goes on, and nothing is added to anything else."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch
from torch import nn

import resi
from resi.errors import DatasetError, UsageError
from resi.extraction import writing
from resi.store.locks import try_lock
from resi.store.tensors import read_metadata, read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

LAYERS = ["0", "1"]


def network(seed: int = 0) -> nn.Sequential:
    found = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    generator = torch.Generator().manual_seed(seed)
    for parameter in found.parameters():
        nn.init.normal_(parameter, generator=generator)
    return found


def inputs(n_samples: int = 20) -> Tensor:
    return torch.randn(n_samples, 4, generator=torch.Generator().manual_seed(1))


class Stopping(nn.Module):
    """Computes nothing, and stops the pass at one of its calls."""

    def __init__(self, call: int, stop: Any = KeyboardInterrupt) -> None:
        super().__init__()
        self.left, self.stop = call, stop

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if not self.left:
            if self.stop == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise self.stop
        return x


def extract(out: Path | None, model: nn.Module | None = None, data: Any = None, **options: Any) -> resi.Representations:
    options = {"layers": LAYERS, "batch_size": 3, **options}
    return resi.extract(model or network(), inputs() if data is None else data, out=out, **options)


def stopped(out: Path, call: int, stop: Any = KeyboardInterrupt, data: Any = None) -> None:
    """Extract into a folder until the network is called so often."""
    model = network()
    model[2].register_forward_hook(lambda *_: counting(None))
    counting = Stopping(call, stop)
    extract(out, model, data)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "net"
    extract(out)
    return out


def test_a_folder_says_all_that_is_known(whole: Path) -> None:
    in_memory, found = extract(None), resi.load(whole)
    assert list(found) == LAYERS
    for layer in LAYERS:
        assert torch.equal(found[layer], in_memory[layer])
        tensors, about = read_tensors(whole / f"{layer}.safetensors")
        assert list(tensors) == ["representation"]
        assert about["layer"] == layer
        assert (about["layout"], about["dtype"], about["pooling"], about["precision"]) == (
            "nd",
            "float32",
            "none",
            "float32",
        )
        assert about["versions"].keys() == {"resi", "torch"}
        assert len(about["weights"]) == len(about["data"]) == 64
        assert in_memory.about[layer]["weights"] == about["weights"]
        assert in_memory.about[layer]["data"] == about["data"]
    assert found.samples == in_memory.samples
    assert pl.read_parquet(whole / "samples.parquet")["sample"].to_list() == list(found.samples)
    assert json.loads((whole / "manifest.json").read_text())["layers"] == {
        layer: f"{layer}.safetensors" for layer in LAYERS
    }


def test_a_finished_extraction_is_returned_without_running_the_network(whole: Path) -> None:
    before = contents(whole)
    model = network()
    model.forward = None  # type: ignore[method-assign, assignment]
    found = extract(whole, model)
    assert list(found) == LAYERS
    assert extract(whole, model, batch_size=7).samples == found.samples  # values are of the data, whatever the batches
    assert contents(whole) == before


def batches(rows: Tensor) -> list[Tensor]:
    return list(rows.split(3))


def other_row(row: int) -> Tensor:
    data = inputs()
    data[row] += 1
    return data


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": network(1)}, "with another weights of the model: choose another out, or overwrite=True"),
        ({"data": other_row(19)}, "holds an extraction of other data: choose"),
        ({"data": inputs(21)}, r"of other data \(20 samples, now 21\): choose"),
        ({"data": batches(inputs(21))}, "of other data: choose"),
        ({"data": batches(inputs(19))}, "of other data: choose .* ended after 19 rows"),
        ({"layers": "0"}, r"another layers \(\['0', '1'\], now '0'\)"),
        ({"pooling": "mean"}, r"another pooling \('none', now 'mean'\)"),
        ({"precision": "bfloat16"}, r"another precision \('float32', now 'bfloat16'\)"),
    ],
)
def test_a_finished_extraction_of_something_else_is_left_alone(
    whole: Path, options: dict[str, Any], message: str
) -> None:
    before = contents(whole)
    with pytest.raises(UsageError, match=message):
        extract(whole, **options)
    assert contents(whole) == before


@pytest.mark.parametrize("call", [1, 2, 5, 7])
@pytest.mark.parametrize("kind", ["rows", "batches"])
def test_a_stopped_pass_goes_on_with_the_same_bits(tmp_path: Path, whole: Path, call: int, kind: str) -> None:
    data = inputs() if kind == "rows" else batches(inputs())
    with pytest.raises(KeyboardInterrupt):
        stopped(tmp_path / "net", call, data=data)
    assert not (tmp_path / "net" / "manifest.json").exists()
    with pytest.raises(UsageError):
        resi.load(tmp_path / "net")
    model, calls = network(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    extract(tmp_path / "net", model, data)
    assert len(calls) == 7 - (call - 1)  # 20 samples in batches of 3; those before are not run again
    expected, found = contents(whole), contents(tmp_path / "net")
    assert found.keys() == expected.keys()
    for name in ("0.safetensors", "1.safetensors", "samples.parquet"):
        assert found[name] == expected[name]


@pytest.mark.parametrize("moment", ["a batch", "finishing"])
def test_a_killed_process_leaves_what_can_go_on(
    tmp_path: Path, whole: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if moment == "finishing":  # when the first file has its name
        replace = Path.replace
        monkeypatch.setattr(
            Path, "replace", lambda self, to: (replace(self, to), self.suffix == ".part" and os.kill(os.getpid(), 9))
        )
    process = multiprocessing.get_context("fork").Process(
        target=stopped, args=(tmp_path / "net", 4 if moment == "a batch" else 100, "kill")
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    monkeypatch.undo()
    extract(tmp_path / "net")
    assert {**contents(tmp_path / "net"), "manifest.json": b""} == {**contents(whole), "manifest.json": b""}


@pytest.mark.parametrize("damage", ["torn line", "half a batch", "lost rows", "changed rows"])
def test_rows_that_are_not_what_the_journal_says_are_made_again(tmp_path: Path, whole: Path, damage: str) -> None:
    out = tmp_path / "net"
    with pytest.raises(KeyboardInterrupt):
        stopped(out, 5)
    journal, part = out / "unfinished.jsonl", out / "1.safetensors.part"
    content = part.read_bytes()
    if damage == "torn line":
        journal.write_bytes(journal.read_bytes()[:-5])
    elif damage == "half a batch":
        part.write_bytes(content + b"abc")
    elif damage == "lost rows":
        part.write_bytes(content[:-7])
    else:
        part.write_bytes(content[:-100] + bytes(100))
    extract(out)
    assert {**contents(out), "manifest.json": b""} == {**contents(whole), "manifest.json": b""}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": network(1)}, UsageError, "an unfinished extraction with another weights of the model"),
        ({"batch_size": 4}, UsageError, r"unfinished extraction with another batch_size \(3, now 4\)"),
        ({"data": other_row(2)}, DatasetError, "the first 9 rows .* have changed since"),
        ({"data": batches(other_row(2))}, UsageError, "another batch_size"),
    ],
)
def test_nothing_else_is_ever_appended(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    out = tmp_path / "net"
    with pytest.raises(KeyboardInterrupt):
        stopped(out, 4)
    before = contents(out)
    with pytest.raises(error, match=message):
        extract(out, **options)
    assert contents(out) == before
    extract(out, **options, overwrite=True)
    assert (out / "manifest.json").exists()


def test_a_pass_that_failed_before_its_first_batch_leaves_nothing_that_counts(tmp_path: Path, whole: Path) -> None:
    for layers in (["0", "1", "2"], ["2"]):
        with pytest.raises(UsageError, match="cannot take the batch"):
            extract(tmp_path / "net", data=torch.zeros(4, 7), layers=layers)
    with pytest.raises(KeyboardInterrupt):
        stopped(tmp_path / "net", 1)
    extract(tmp_path / "net")
    assert contents(tmp_path / "net") == contents(whole)


def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="holds other files than an extraction of resi: choose another folder"):
            extract(tmp_path, overwrite=overwrite)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize("manifest", ['{"name": "app"}', "[1]", "no JSON", "saved"])
def test_a_manifest_of_others_gives_no_leave_to_remove_files(tmp_path: Path, manifest: str) -> None:
    out = tmp_path / "net"
    if manifest == "saved":
        resi.save(out, {"model": inputs()})
    else:
        out.mkdir()
        (out / "manifest.json").write_text(manifest)
        (out / "model.safetensors").write_bytes(b"mine")
    before = contents(out)
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="holds other files than an extraction of resi: choose another folder"):
            extract(out, overwrite=overwrite)
    assert contents(out) == before


def test_overwriting_removes_the_layers_alone(tmp_path: Path, whole: Path) -> None:
    extract(tmp_path, layers="2")
    resi.save(tmp_path / "mine.safetensors", inputs())
    mine = (tmp_path / "mine.safetensors").read_bytes()
    extract(tmp_path, overwrite=True)
    assert contents(tmp_path) == {**contents(whole), "mine.safetensors": mine}


def test_a_damaged_manifest_is_told_and_can_be_overwritten(tmp_path: Path, whole: Path) -> None:
    extract(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match=r"manifest.json is damaged: .*; choose another out, or overwrite=True"):
        extract(tmp_path)
    extract(tmp_path, overwrite=True)
    assert contents(tmp_path) == contents(whole)


def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    with try_lock(tmp_path / ".lock"), pytest.raises(UsageError, match=r"is being written by process \d+ on .*: wait"):
        extract(tmp_path)
    extract(tmp_path)


def test_one_batch_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of samples, a batch is written before the next one is asked for."""
    events = []

    def rows() -> Iterator[Tensor]:
        for number in range(6):
            events.append(f"read {number}")
            yield inputs(3) + number

    class Folder(writing.Folder):
        def add(self, *args: Any) -> None:
            super().add(*args)
            size = (tmp_path / "net" / "0.safetensors.part").stat().st_size
            events.append(f"{(size - 8 - 4096) // (3 * 6 * 4)} batches in the file")

    monkeypatch.setattr("resi.extraction.reuse.Folder", Folder)
    extract(tmp_path / "net", data=rows())
    ahead = events[1:] if events[1] == "read 0" else events  # one batch may be looked at, to see what the data are
    assert [each for each in ahead if "file" in each] == [f"{number} batches in the file" for number in range(1, 7)]
    for number in range(1, 5):
        assert events.index(f"{number} batches in the file") < events.index(f"read {number + 1}")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_floating_type_is_written_and_goes_on(tmp_path: Path, dtype: torch.dtype) -> None:
    model, data = network().to(dtype), inputs().to(dtype)
    model[2].register_forward_hook(lambda *_: counting(None))
    counting = Stopping(3)
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path, model, data)
    found = extract(tmp_path, network().to(dtype), data)
    with torch.no_grad():
        expected = torch.cat([network().to(dtype)[0](part) for part in data.split(3)])
    assert found["0"].dtype == dtype
    assert torch.equal(found["0"], expected)
    assert read_metadata(tmp_path / "0.safetensors")["dtype"] == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    "damage", ["a bit", "a bit behind the last sector", "a sector of zeros", "two sectors swapped"]
)
def test_a_checksum_finds_what_disks_do_to_rows(damage: str) -> None:
    content = torch.randn(1030, generator=torch.Generator().manual_seed(0)).numpy().tobytes()  # 8 sectors and 24 bytes
    assert writing.checksum(memoryview(content)) == writing.checksum(bytes(content))
    changed = bytearray(content)
    if damage == "a bit":
        changed[700] ^= 1
    elif damage == "a bit behind the last sector":
        changed[-1] ^= 128
    elif damage == "a sector of zeros":
        changed[512:1024] = bytes(512)
    else:
        changed[:512], changed[2048:2560] = changed[2048:2560], changed[:512]
    assert writing.checksum(changed) != writing.checksum(content)


def defined_in(module: str, **body: Any) -> nn.Module:
    """Return a network whose classes are of a module of that name."""
    inner = type("Inner", (nn.Linear,), {"__module__": module, **body})
    outer = type("Outer", (nn.Sequential,), {"__module__": module})
    torch.manual_seed(0)
    return outer(inner(4, 3), nn.ReLU())


@pytest.mark.parametrize(("first", "second"), [("__main__", "own.networks"), ("own.networks", "__main__")])
def test_a_class_of_a_script_is_the_same_where_another_script_imports_it(
    tmp_path: Path, first: str, second: str
) -> None:
    data = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    before = resi.extract(defined_in(first), data, out=tmp_path / "net")
    assert torch.equal(resi.extract(defined_in(second), data, out=tmp_path / "net")["0"], before["0"])
    with pytest.raises(UsageError, match="with another structure of the model"):
        resi.extract(defined_in(second, extra_repr=lambda _: "other"), data, out=tmp_path / "net")
    other = defined_in(second)
    other[0].weight.data += 1
    with pytest.raises(UsageError, match="with another weights of the model"):
        resi.extract(other, data, out=tmp_path / "net")


def test_classes_of_two_modules_that_are_imported_are_not_the_same(tmp_path: Path) -> None:
    data = torch.randn(9, 4)
    resi.extract(defined_in("one"), data, out=tmp_path / "net")
    with pytest.raises(UsageError, match=r"another class of the model \('one.Outer', now 'other.Outer'\)"):
        resi.extract(defined_in("other"), data, out=tmp_path / "net")


def test_one_layer_is_a_list_of_one(tmp_path: Path) -> None:
    data = torch.randn(9, 4)
    for layers in ("0", ["0"], "0"):
        assert list(resi.extract(defined_in("one"), data, layers, out=tmp_path / "net")) == ["0"]
