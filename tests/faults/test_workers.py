"""Workers of whole domains give the same bits, and end with their run however that ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import resi
from resi.store.root import Store
from tests.conftest import REPOSITORY
from tests.faults.running import LONG, environment, start
from tests.pipeline.test_workers import TOY, bits
from tests.registry.test_plugins import install

MODELS = {
    "graph": ["model=[gcn,gat]", "model.gcn.epochs=3", "model.gat.epochs=3"],
    "language": ["model=bert_tiny", "model.bert_tiny.max_steps=3"],
    "vision": ["model=[tiny_resnet,tiny_vit]", "model.tiny_resnet.epochs=1", "model.tiny_vit.epochs=1"],
}


@LONG
@pytest.mark.parametrize("domain", MODELS)
def test_bits_of_models_and_of_what_they_compute_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, domain: str
) -> None:
    words = [f"domain={domain}", *MODELS[domain], "seeds=[0,1]", "groups=2", "stage=representations"]
    for count in (1, 2, 3):
        resi.run([*words, f"workers={count}", f"root={tmp_path / str(count)}"])
    alone = bits(tmp_path / "1")
    assert len(alone) == (4 if domain == "language" else 8) * 3
    assert bits(tmp_path / "2") == alone
    assert bits(tmp_path / "3") == alone


@LONG
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_a_run_ends_its_workers_and_releases_their_locks(tmp_path: Path, number: signal.Signals) -> None:
    note, root = tmp_path / "note", tmp_path / "root"
    words = [*TOY, "workers=2", "model.matrix.acts=rest", "model.matrix.everywhere=true", f"model.matrix.note={note}"]
    install(tmp_path / "plugins", "toys", (REPOSITORY / "tests" / "pipeline" / "toys.py").read_text())
    process = start([*words, f"root={root}"], environment(tmp_path / "plugins"))
    while not note.exists() or note.read_text().count("\n") < 2:
        assert process.poll() is None, process.communicate()
    workers = [int(line.split()[0]) for line in note.read_text().splitlines()]
    if number is signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)  # which ends when no process holds it any more
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert "Traceback" not in errors
    specs = [line.split()[2] for line in note.read_text().splitlines()]
    assert len(workers) == len(specs) == 2
    assert not any(Store(root).is_locked(spec) for spec in specs)
    assert not [path for path in root.rglob("*.owner.json") if path.name.split(".")[0] in specs]
