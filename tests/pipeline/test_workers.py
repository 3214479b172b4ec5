"""Workers: the same bits, whatever their number; errors, warnings and kills are those of one process."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import resi
from resi.errors import TrainingError, UsageError
from resi.store.root import Store
from resi.store.tensors import read_tensors
from tests.conftest import changed
from tests.registry.conftest import forget_plugins
from tests.registry.test_plugins import install

TOY = ["domain=toy", "groups=2", "seeds=[0,1,2]", "measure=cka"]
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the plugin with the toy domain, for this process and for workers."""
    folder = tmp_path_factory.mktemp("toys")
    install(folder, "toys", Path(__file__).with_name("toys.py").read_text())
    sys.path.insert(0, str(folder))
    forget_plugins()
    yield folder
    sys.path.remove(str(folder))
    del sys.modules["toys"]
    forget_plugins()


def bits(root: Path) -> dict[str, str]:
    """Return the hash of all tensors of each file of models and representations."""
    found = {}
    for path in root.rglob("*.safetensors"):
        tensors, _ = read_tensors(path)
        content = b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))
        found[str(path.relative_to(root))] = hashlib.sha256(content).hexdigest()
    return found


def test_workers_share_small_models_with_one_thread_and_no_key_knows_of_them(toys: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    words = [*TOY, f"model.matrix.note={note}"]
    first = resi.run([*words, "workers=3", f"root={tmp_path / 'many'}"])
    made = [line.split() for line in note.read_text().splitlines()]
    assert {threads for _, threads, _ in made} == {"1"}
    assert str(os.getpid()) not in {pid for pid, _, _ in made}
    assert len({spec for _, _, spec in made}) == len(made) == 6
    second = resi.run([*words, "workers=1", f"root={tmp_path / 'one'}"])
    assert {line.split()[0] for line in note.read_text().splitlines()[6:]} == {str(os.getpid())}
    assert bits(tmp_path / "many") == bits(tmp_path / "one")
    assert first.shard.name == second.shard.name
    assert first.comparisons["key"].to_list() == second.comparisons["key"].to_list()
    assert resi.run([*words, "workers=2", f"root={tmp_path / 'one'}"]).reused


def test_large_models_and_a_single_one_are_made_in_this_process(toys: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    words = [*TOY, "workers=2", "stage=models"]
    resi.run([*words, "model=table", f"model.table.note={note}", f"root={tmp_path / 'large'}"])
    small = [*words, f"model.matrix.note={note}", f"root={tmp_path / 'small'}"]
    resi.run(changed(small, "workers=1"))
    min((tmp_path / "small").rglob("*.safetensors")).unlink()
    resi.run(small)
    made = [line.split()[0] for line in note.read_text().splitlines()]
    assert made == [str(os.getpid())] * (6 + 6 + 1)


def test_an_error_in_a_worker_is_the_one_line_of_one_process(toys: Path, said: Said, tmp_path: Path) -> None:
    for act, expected in (
        ("fail", "resi: matrix on nothing, standard, seed 0 is not to be trained"),
        ("break", "resi: ZeroDivisionError: a fault of somebody else's (HYDRA_FULL_ERROR=1 shows where)"),
    ):
        for count in (1, 2):
            root = tmp_path / f"{act}{count}"
            code, _, errors = said(*TOY, f"model.matrix.acts={act}", f"workers={count}", f"root={root}")
            assert (code, errors.splitlines()[-1]) == (1, expected)
            assert not list(root.rglob("*.owner.json"))
    with pytest.raises(TrainingError) as caught:
        resi.run([*TOY, "model.matrix.acts=fail", "workers=2", f"root={tmp_path}"])
    assert "in fail" in caught.value.__notes__[0]


def test_what_workers_print_and_warn_about_comes_once(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TOY, "model.matrix.acts=tell", "workers=2", "stage=models", f"root={tmp_path}"]
    with pytest.warns(UserWarning, match="beware") as caught:
        resi.run(words)
    assert [Path(one.filename).name for one in caught if "beware" in str(one.message)] == ["toys.py"]
    out, err = capsys.readouterr()
    assert out == "printed\n"
    assert err.splitlines()[0] == "told 2"
    assert re.fullmatch(r"training models: 6/6 in [0-9.]+ s", err.splitlines()[1])


def test_a_model_whose_worker_is_killed_is_taken_up_again_once(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "note"
    words = [*TOY, f"model.matrix.note={note}", "workers=2", "stage=models"]
    resi.run([*words, "model.matrix.acts=die once", f"root={tmp_path / 'once'}"])
    assert len(bits(tmp_path / "once")) == 6
    line = "a worker was ended by SIGKILL while training matrix on nothing, standard, seed 0; another one continues"
    assert line in capsys.readouterr().err.splitlines()
    with pytest.raises(TrainingError, match=r"was ended by SIGKILL while training .*, and so did one before"):
        resi.run([*words, "model.matrix.acts=die", f"root={tmp_path / 'always'}"])


def test_a_damaged_model_is_set_aside_and_made_again_by_workers(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TOY, "workers=2", f"root={tmp_path}"]
    resi.run([*words, "stage=models"])
    path = min(tmp_path.rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-9])
    resi.run(words)
    assert f"{path} is damaged" in capsys.readouterr().err
    assert path.with_name(f"{path.name}.damaged").exists()
    assert len(bits(tmp_path)) == 6 * 3


def test_a_model_that_another_run_makes_is_waited_for(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    monkeypatch.setattr("resi.store.root.say", said.put)
    words = [*TOY, "workers=2", f"root={tmp_path}", "stage=models"]
    resi.run([*words])
    path = min((tmp_path / "models").rglob("*.safetensors"))
    content, fingerprint = path.read_bytes(), read_tensors(path)[1]["fingerprint"]
    for model in (tmp_path / "models").rglob("*.safetensors"):
        model.unlink()

    with Store(tmp_path).try_lock(fingerprint) as held:
        assert held
        waiting = threading.Thread(target=resi.run, args=([*words],))
        waiting.start()
        assert said.get(timeout=60).startswith(f"waiting for process {os.getpid()} on ")
        assert len(list((tmp_path / "models").rglob("*.safetensors"))) == 5
        path.write_bytes(content)
    waiting.join(60)
    assert not waiting.is_alive()
    assert path.read_bytes() == content  # it is the other run's


def test_what_workers_do_not_find_is_made_here_and_said(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from resi import registry

    class MyDomain(registry.domains().get("toy")):  # type: ignore[misc]
        pass

    get = registry.domains().get
    monkeypatch.setattr(registry.domains(), "get", lambda name: MyDomain if name == "toy" else get(name))
    resi.run([*TOY, "workers=2", "stage=models", f"root={tmp_path}"])
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("models are made one after another, as workers cannot make them: tests.pipeline.")
    assert first.endswith("MyDomain is toys.ToyDomain in another process")
    assert len(bits(tmp_path)) == 6


def test_where_a_source_has_changed_models_are_made_by_the_code_that_the_run_has(
    toys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TOY, "workers=2", "stage=models"]
    source = toys / "toys.py"
    before = source.stat()
    resi.run([*words, f"root={tmp_path / 'before'}"])
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    resi.run([*words, f"root={tmp_path / 'changed'}"])
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("training models: 6/6")]
    line = "models are made one after another, as workers cannot make them"
    assert said == [f"{line}: {source} has changed since the run's process loaded it"]
    assert bits(tmp_path / "before") == bits(tmp_path / "changed")


def test_workers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for given in ("0", "-1"):
        with pytest.raises(UsageError, match=f"workers={given}: expected a number from 1 up"):
            resi.run([f"workers={given}", f"root={tmp_path}"])
