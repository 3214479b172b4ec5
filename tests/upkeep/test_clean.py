"""``resi clean`` on the data root of small runs: what there is, what goes, and what never goes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import resi
from resi.errors import UsageError
from resi.results.shards import find_shards
from resi.store.root import Store
from resi.upkeep import removal
from resi.upkeep.inventory import Inventory, take_inventory
from resi.upkeep.items import KINDS
from tests.conftest import TINY, changed
from tests.faults.running import environment
from tests.faults.test_locks import hold

RUN = [*TINY, "measure=cka"]
OTHER = changed(TINY, "model.gcn.epochs=1", "stage=representations")
"""Models of the same names as those of the run, and of other weights: no shard is about them."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, trained_once: Path) -> Path:
    """Return a data root with a finished run, and with models that nothing has compared."""
    home = tmp_path_factory.mktemp("made") / "home"
    shutil.copytree(trained_once, home)
    resi.run([*RUN, f"root={home}"])
    resi.run([*OTHER, f"root={home}"])
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "home")


Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def clean(home: Path, said: Said) -> Said:
    return lambda *words: said("clean", "--root", str(home), *words)


def unreferenced(inventory: Inventory, *kinds: str) -> set[str]:
    return {item.name(inventory.root) for item in inventory.items if item.reason and item.kind in kinds}


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "locks"
    }


def fingerprints(words: list[str], home: Path) -> set[str]:
    """Return the fingerprints of a run's models, shortened as in their files' names."""
    from resi.config.compose import compose
    from resi.pipeline.planner import make_plan

    return {model.fingerprint[:12] for model, _ in make_plan(compose([*words, f"root={home}"])).models}


def test_what_no_shard_is_about_is_told_from_models_of_the_same_names(home: Path) -> None:
    inventory = take_inventory(home)
    found = unreferenced(inventory, "models")
    assert {path[: -len(".safetensors")].rpartition("-")[2] for path in found} == fingerprints(OTHER, home)
    of_models = {item.about["fingerprint"] for item in inventory.items if item.name(home) in found}
    free = unreferenced(inventory, "representations")
    everything = [item for item in inventory.items if item.kind == "representations"]
    assert {item.name(home) for item in everything if item.about["model"] in of_models} == free
    assert len(free) * 2 == len(everything)
    assert inventory.problems == []


def test_the_table_and_the_json_count_every_file_once(home: Path, clean: Said) -> None:
    code, out, _ = clean("--json")
    kinds = json.loads(out)["kinds"]
    paths = [path for path in home.rglob("*") if path.is_file()]
    assert code == 0
    assert sum(kind["bytes"] for kind in kinds.values()) == sum(path.stat().st_size for path in paths)
    assert kinds["models"]["number"] == 8
    assert kinds["models"]["unreferenced"] == 4
    _, table, _ = clean()
    assert table.splitlines()[3].split()[:2] == ["models", "8"]
    assert files(home) == files(home.parent / "home")
    assert "resi clean --unreferenced --dry-run" in table


def test_nothing_goes_without_being_asked_for(home: Path, clean: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(home)
    code, _, err = clean("--unreferenced")
    assert (code, "--yes removes it without asking" in err) == (2, True)
    code, out, _ = clean("--unreferenced", "--dry-run", "--older-than", "0")
    assert code == 0
    assert "would remove" in out
    assert "models: no shard refers to it" in out

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    code, out, _ = clean("--remove", "models")
    assert "remove 8 things" in out
    assert out.endswith("nothing was removed\n")
    assert files(home) == before
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    _, out, _ = clean("--remove", "models")
    assert "removed 8 things" in out
    assert not list((home / "models").rglob("*.safetensors"))


def test_what_nothing_refers_to_goes_and_the_finished_run_stays_whole(home: Path, clean: Said) -> None:
    before, free = files(home), unreferenced(take_inventory(home), "models", "representations")
    size = sum(len(before[path]) for path in free)
    code, out, _ = clean("--unreferenced", "--yes", "--json")
    notes = {path for path in json.loads(out)["removed"] if not path.startswith("locks")}
    assert all(path.startswith("sources/shards/") for path in notes)
    assert len(notes) == 2  # of the runs that wrote no shard; what is younger than a day stays
    assert {*files(home)} >= free
    code, out, _ = clean("--unreferenced", "--yes", "--older-than", "0", "--json")
    told = json.loads(out)
    assert code == 0
    assert {path for path in told["removed"] if path.startswith(("models", "repr"))} == free
    assert told["freed"] == size
    assert {path: content for path, content in before.items() if path not in free | notes} == files(home)
    assert list((home / "locks").iterdir()) == []
    assert resi.run([*RUN, f"root={home}"]).reused
    again = resi.run([*TINY, "measure=rsa", f"root={home}"])
    assert again.count("ok") == 6
    assert files(home).keys() & free == set()  # nothing was trained for it


def test_models_of_a_run_whose_representations_are_gone_are_referred_to_by_name(home: Path) -> None:
    shutil.rmtree(home / "representations")
    assert unreferenced(take_inventory(home), "models") == set()


def test_while_one_shard_cannot_be_read_nothing_counts_as_unreferenced(home: Path, clean: Said) -> None:
    table = next(find_shards(home)).folder / "comparisons.parquet"
    content = bytearray(table.read_bytes())
    content[100] ^= 1
    table.write_bytes(content)
    _code, out, err = clean("--json")
    kinds = json.loads(out)["kinds"]
    assert (kinds["models"]["unreferenced"], kinds["representations"]["unreferenced"]) == (0, 0)
    assert "no model or representation counts as unreferenced" in err
    assert str(table) in err


def test_damaged_files_are_named_and_kept_and_those_set_aside_go(home: Path, clean: Said) -> None:
    first, second = sorted((home / "models").rglob("*.safetensors"))[:2]
    first.write_bytes(b"no model")
    second.rename(second.with_name(f"{second.name}.damaged"))
    _, out, _ = clean("--details", "*.safetensors")
    assert "models: damaged: its run sets it aside and recomputes it" in out
    clean("--unreferenced", "--yes", "--older-than", "0")
    assert first.exists()
    assert not second.with_name(f"{second.name}.damaged").exists()


def test_what_a_process_holds_stays_until_it_is_killed(home: Path, clean: Said) -> None:
    shard = next(find_shards(home)).folder
    process = hold_lock(home, shard.name)
    before = files(home)
    code, out, _ = clean("--remove", "shards,models,representations,locks", "--yes")
    assert code == 0
    assert "kept" in out
    assert "a running run may read it" in out
    assert "a process is working on it" in out
    assert files(home) == before
    assert Store(home).is_locked(shard.name)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (home / "locks" / f"{shard.name}.owner.json").exists()
    clean("--remove", "shards,locks", "--yes")
    assert not shard.exists()
    assert list((home / "locks").iterdir()) == []


def hold_lock(home: Path, name: str):  # type: ignore[no-untyped-def]
    """Start a process that holds a lock of a data root."""
    import tests.faults.test_locks as module

    before = module.HOLD
    module.HOLD = before.replace('try_lock("a")', f'try_lock("{name}")')
    try:
        return hold(home)
    finally:
        module.HOLD = before


def test_a_model_that_is_being_made_stays(home: Path, clean: Said) -> None:
    inventory = take_inventory(home)
    model = next(item for item in inventory.items if item.kind == "models" and item.reason)
    with Store(home).try_lock(model.about["fingerprint"]) as held:
        assert held
        clean("--unreferenced", "--yes", "--older-than", "0")
        assert model.path.exists()
        assert len(list((home / "models").rglob("*.safetensors"))) == 8  # it may be of any run
    clean("--unreferenced", "--yes", "--older-than", "0")
    assert not model.path.exists()


def test_a_file_that_was_written_since_it_was_listed_stays(home: Path) -> None:
    item = next(item for item in take_inventory(home).items if item.kind == "models")
    os.utime(item.path, (item.changed + 5, item.changed + 5))
    assert [outcome.kept for outcome in removal.Remover(home).remove([item])] == ["it has changed since it was listed"]
    assert item.path.exists()


def test_a_run_beside_a_clean_that_never_ends_gives_the_same_numbers(tmp_path: Path, made: Path) -> None:
    home = tmp_path / "busy"
    shutil.copytree(made, home)
    shutil.rmtree(home / "shards")
    expected = resi.run([*RUN, f"root={made}"]).comparisons
    found: list[object] = []

    def run() -> None:
        try:
            found.append(resi.run([*RUN, f"root={home}", "workers=1"]).comparisons)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    rounds = removed = 0
    items: list[Any] = []
    while thread.is_alive():
        with contextlib.suppress(UsageError):  # all is gone for a moment, so that it is not a data root
            items = [item for item in take_inventory(home).items if item.kind not in ("shards", "begun")]
        removed += sum(not outcome.kept for outcome in removal.Remover(home).remove(items))
        rounds += 1
    thread.join()
    assert rounds
    assert removed
    assert not isinstance(found[0], BaseException), found[0]
    assert found[0].select("key", "value").equals(expected.select("key", "value"))  # type: ignore[attr-defined]


def test_a_clean_that_is_killed_leaves_what_the_next_one_and_the_run_understand(
    home: Path, clean: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, real = next(find_shards(home)).folder, removal._unlink

    def killed(path: Path) -> int:
        if removed:
            raise KeyboardInterrupt
        removed.append(path)
        return real(path)

    removed: list[Path] = []
    with monkeypatch.context() as patched:
        patched.setattr(removal, "_unlink", killed)
        assert clean("--remove", "shards", "--yes")[0] == 130
    assert removed == [shard / "manifest.json"]
    assert unreferenced(take_inventory(home), "leftovers") == {f"shards/{shard.name}"}
    resi.run([*RUN, f"root={home}"])
    assert next(find_shards(home)).verify()
    (shard / "manifest.json").unlink()
    clean("--unreferenced", "--yes")
    assert not shard.exists()


@pytest.fixture
def left(home: Path) -> dict[str, bool]:
    """Put things of all sorts into a data root; return by path whether a clean of what nothing refers to takes it."""
    number = uuid.uuid4().hex
    host = platform.node()
    found = {
        f"models/.a.safetensors.{host}-{dead()}-{number}.tmp": True,
        f"models/.b.safetensors.{host}-{os.getpid()}-{number}.tmp": False,
        f"results/.{'merge'}-x/part.parquet": True,
        "results/manifest.json": False,
        f"unfinished/{number}.safetensors.trainer/checkpoint-5/model.bin": False,
        "shards/graph-cora-augmentation-0123456789ab/parts/.x.parquet": True,
        "shards/graph-cora-augmentation-0123456789ab/comparisons.parquet": False,
        "shards/notes.txt": False,
        f"sources/shards/{number}-graph-cora-augmentation-1123456789ab": True,
        "sources/graph/cora/dataset-0123456789ab.json": False,
        "downloads/11565486/graph_data.zip": True,
        "downloads/11565486/graph_data.zip.unpacked": False,
        "downloads/11565486/nlp_data.zip.part": False,
        "models/graphs/cora/published.pt": False,
        "cache/pictures-0123456789ab/32x32-0123456789abcdef.pixels": True,
        "datasets/graph/cora/x.bin": False,
        "sweeps/2026-01-01/planned.jsonl": False,
        "mine/model.safetensors": False,
        "notes.txt": False,
    }
    for path in found:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text('{"number": 0, "job": "a", "kind": "merged"}\n')
        os.utime(home / path, (time.time() - 3600, time.time() - 3600))
    return found


def dead() -> int:
    """Return the number of a process that has ended."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], environment())
    os.waitpid(child, 0)
    return child


def test_leftovers_of_all_sorts(home: Path, clean: Said, left: dict[str, bool]) -> None:
    clean("--unreferenced", "--yes")
    assert {path: not (home / path).exists() for path in left} == left
    _, out, _ = clean("--remove", "models,published,trainings,begun,results,datasets,downloads,sweeps,sources", "--yes")
    assert "sweeps/2026-01-01: some of its jobs have not ended" in out
    assert {path for path in left if (home / path).exists()} == {
        *(path for path in left if path.startswith("models/.b")),  # this process is writing it
        *("sweeps/2026-01-01/planned.jsonl", "mine/model.safetensors", "notes.txt", "shards/notes.txt"),
    }


def test_notes_on_files_that_have_changed(home: Path, tmp_path: Path) -> None:
    from resi.store.known_files import KnownFiles

    same, changed = tmp_path / "same.bin", tmp_path / "changed.bin"
    names = {same: "0123456789ab", changed: "1123456789ab"}
    known = KnownFiles(home, smallest=0)
    for path in (same, changed):
        path.write_bytes(b"12345")
        os.utime(path, (time.time() - 60, time.time() - 60))
        known._note_file(home / "sources" / "files" / f"{names[path]}.json", [str(path), *state(path)], "0")
    changed.write_bytes(b"123456")
    assert [path.stem for path in known.stale_notes()] == [names[changed]]
    assert f"sources/files/{names[changed]}.json" in unreferenced(take_inventory(home), "sources")


def state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


FOREIGN = (
    "models/notes.txt",
    "models/graph/digits_knn/gcn/mine.pt",
    "representations/graph/digits_knn/gcn/mine.npy",
    "unfinished/mine",
    "sweeps/mine/notes",
    "sweeps/2026-01-02/mine",
    "sweeps/2026-01-03/suite.json",
    "sources/mine/a",
    "results/mine.md",
    "results/report.html",
    "cache/mine/x",
    "cache/mine.bin",
    "cache/pictures-0123456789ab/mine.txt",
    "datasets/mine/data.csv",
    "downloads/mine/x.zip",
    "downloads/mine/x.zip.unpacked",
    "locks/requirements.lock",
    "locks/poetry.lease",
    "shards/mine/parts/000000-a.parquet",
    "published/mine.parquet",
    "models/graph/digits_knn/gcn/mine.damaged",
)
"""Files of users at all places of a data root."""
EVERYTHING = ",".join(kind for kind in KINDS if kind != "other")


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (time.time() - 30 * 86400, time.time() - 30 * 86400))


def test_files_of_users_are_others_and_stay(home: Path, clean: Said) -> None:
    put(*(home / path for path in FOREIGN), home / "sweeps/2026-01-02/planned.jsonl")
    put(home / "cache/pictures-0123456789ab/32x32-0123456789abcdef.pixels")
    empty = home / "results" / "plots", home / "cache" / "pictures-0123456789ab" / "mine"
    for folder in empty:
        folder.mkdir()
    kinds = {item.name(home): item.kind for item in take_inventory(home).items}
    others = {path for path in FOREIGN if any(kinds.get(str(above)) == "other" for above in above_of(path))}
    assert others == {*FOREIGN}
    clean("--unreferenced", "--yes", "--older-than", "0")
    clean("--remove", EVERYTHING, "--yes")
    assert {path for path in FOREIGN if (home / path).exists()} == {*FOREIGN}
    assert all(folder.is_dir() for folder in empty)
    assert not (home / "sweeps/2026-01-02/planned.jsonl").exists()
    assert not list((home / "cache").rglob("*.pixels"))
    assert not list((home / "models").rglob("*.safetensors"))


def above_of(path: str) -> list[Path]:
    return [Path(path), *Path(path).parents]


def test_the_remover_refuses_what_has_not_the_form_of_its_kind(home: Path) -> None:
    put(home / "models" / "notes.txt")
    (other,) = [item for item in take_inventory(home).items if item.path.name == "notes.txt"]
    (outcome,) = removal.Remover(home).remove([replace(other, kind="models")])
    assert outcome.kept == "it does not have the form of what resi creates"
    assert other.path.exists()


@pytest.mark.parametrize("place", ["cache", "datasets", "datasets/vision", "models", "results", "shards", "locks"])
def test_files_behind_links_stay(home: Path, clean: Said, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    if (home / place).exists():
        shutil.move(home / place, outside)
    mine = outside / "mine" / "deep" / "mine.bin", outside / "mine" / "x", outside / "mine.txt"
    put(*mine)
    (home / place).parent.mkdir(exist_ok=True)
    (home / place).symlink_to(outside)
    clean("--unreferenced", "--yes", "--older-than", "0")
    clean("--remove", EVERYTHING, "--yes")
    assert all(path.read_text() == "mine" for path in mine)
    assert (home / place).is_symlink()


@pytest.mark.parametrize("place", ["models", "models/graph", "models/graph/digits_knn", "representations/graph"])
def test_what_resi_has_made_behind_links_is_known(home: Path, clean: Said, tmp_path: Path, place: str) -> None:
    place = place.replace("digits_knn", next((home / "models" / "graph").iterdir()).name)
    before = json.loads(clean("--json")[1])["kinds"]
    shutil.move(home / place, tmp_path / "disk")
    (home / place).symlink_to(tmp_path / "disk")
    (home / place / "circle").symlink_to(tmp_path / "disk")
    after = json.loads(clean("--json")[1])["kinds"]
    assert {kind: after[kind] for kind in KINDS if kind != "other"} == {
        kind: before[kind] for kind in KINDS if kind != "other"
    }
    free = unreferenced(take_inventory(home), "models", "representations")
    clean("--unreferenced", "--yes", "--older-than", "0")
    assert not any((home / path).exists() for path in free)
    assert (home / place).is_symlink()
    assert resi.run([*RUN, f"root={home}"]).reused
    assert resi.run([*TINY, "measure=rsa", f"root={home}"]).count("ok") == 6
    assert files(home).keys() & free == set()


def test_a_second_path_to_what_is_referred_to_does_not_make_it_unreferenced(home: Path, clean: Said) -> None:
    free = unreferenced(take_inventory(home), "models", "representations")
    before = files(home)
    (home / "models" / "a").symlink_to(home / "models" / "graph")
    (home / "representations" / "a").symlink_to(home / "representations" / "graph")
    clean("--unreferenced", "--yes", "--older-than", "0")
    gone = {path for path in before if not (home / path).exists()}
    assert {path for path in gone if path.startswith(("models", "repr"))} == free


def test_links_themselves_stay(home: Path, clean: Said, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside / "mine.bin")
    folder = home / "cache" / "pictures-0123456789ab"
    put(folder / "32x32-0123456789abcdef.pixels")
    (home / "cache" / "linked").symlink_to(outside)
    (folder / "inner").symlink_to(outside)
    (folder / "decoded-0123456789abcdef.pixels").symlink_to(outside / "mine.bin")
    model = next(item for item in take_inventory(home).items if item.kind == "models" and item.reason).path
    shutil.move(model, tmp_path / "model")
    model.symlink_to(tmp_path / "model")
    _, out, _ = clean("--remove", "cache,models", "--yes")
    assert "it is a link, and links are never removed" in out
    assert sorted(path.name for path in folder.iterdir()) == ["decoded-0123456789abcdef.pixels", "inner"]
    assert (home / "cache" / "linked").is_symlink()
    assert model.is_symlink()
    assert (outside / "mine.bin").read_text() == "mine"


def test_the_note_of_its_own_lock_does_not_count_as_freed(home: Path, clean: Said) -> None:
    pictures = home / "cache" / "pictures-0123456789ab" / "32x32-0123456789abcdef.pixels"
    put(pictures, home / "datasets" / "graph" / "Cora" / "raw")
    for lock in (pictures.with_suffix(".lock"), home / "datasets" / "graph" / "Cora" / ".lock"):
        lock.write_text("")
    told = json.loads(clean("--remove", "cache,datasets", "--yes", "--json")[1])
    assert (len(told["removed"]), told["freed"]) == (2, 2 * len("mine"))


@pytest.mark.parametrize("how", ["without its manifest", "in another folder", "scores alone"])
def test_shards_put_aside_or_copied_in_part_are_read(home: Path, clean: Said, how: str) -> None:
    shard = next(find_shards(home)).folder
    before = unreferenced(take_inventory(home), "models", "representations")
    if how == "in another folder":
        (home / "shards" / "old").mkdir()
        shard.rename(home / "shards" / "old" / shard.name)
    else:
        (shard / "manifest.json").unlink()
    if how == "scores alone":
        (shard / "comparisons.parquet").unlink()
        before = set()
        assert "has neither a manifest nor comparisons" in clean()[2]
    assert unreferenced(take_inventory(home), "models", "representations") == before


@pytest.mark.parametrize("is_all", [True, False])
def test_while_a_disk_with_shards_is_not_mounted_nothing_counts_as_unreferenced(
    home: Path, clean: Said, tmp_path: Path, is_all: bool
) -> None:
    place = home / "shards" if is_all else next(find_shards(home)).folder
    shutil.move(place, tmp_path / "shards")
    place.symlink_to(tmp_path / "not-mounted")
    assert "is a link to what is not there" in clean()[2]
    assert unreferenced(take_inventory(home), "models", "representations") == set()


def test_the_lease_of_a_dead_host_blocks_nothing(home: Path, clean: Said) -> None:
    lease = home / "locks" / f"{next(find_shards(home)).folder.name}.lease"
    lease.write_text('{"pid":1,"hostname":"deadnode"}')
    clean("--remove", "shards,locks", "--yes")
    assert lease.exists()
    assert list(find_shards(home))
    os.utime(lease, (time.time() - 10 * 86400, time.time() - 10 * 86400))
    clean("--remove", "shards,locks", "--yes")
    assert list((home / "locks").iterdir()) == []
    assert not list(find_shards(home))


def test_an_interrupt_ends_the_question_at_once(home: Path) -> None:
    pty = pytest.importorskip("pty")
    command = [sys.executable, "-m", "resi", "clean", "--root", str(home), "--remove", "models"]
    main, side = pty.openpty()
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=environment())
    os.close(side)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(main, 1000)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=10) == 130
    finally:
        process.kill()
        process.wait()
    rest = os.read(main, 1000)
    assert b"interrupted" in rest
    assert b"resumes" not in rest
    os.close(main)


def test_a_data_root_that_cannot_be_written(home: Path, clean: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    code, _out, err = clean("--remove", "shards", "--yes")
    assert code == 1
    assert "cannot remove" in err
    assert "Read-only file system" in err
    assert clean()[0] == 0


@pytest.mark.parametrize(
    "made_of",
    [
        [],
        ["models/x.safetensors", "datasets/mine/data.csv"],
        ["shards/a/notes.txt"],
        ["locks/requirements.lock", "cache/keep/x"],
        ["shards/a/manifest.json", "shards/a/parts/x"],
        ["sources/a/b/c.json", "downloads/a/b.zip.unpacked"],
    ],
)
def test_what_is_no_data_root_is_refused(tmp_path: Path, said: Said, made_of: list[str]) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "models").mkdir()
    for path in made_of:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("mine")
    code, _, err = said("clean", "--root", str(tmp_path), "--remove", EVERYTHING, "--yes")
    assert code == 2
    assert "is not a data root" in err
    assert all((tmp_path / path).exists() for path in made_of)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--remove", "modls", "--dry-run"], "did you mean models?"),
        (["--remove", "other", "--yes"], "unknown kind of items in a data root: 'other'"),
        (["--older-than", "soon"], "--older-than soon: expected an age such as 90m, 12h or 7d"),
        (["--root", "/nowhere/at/all"], "/nowhere/at/all does not exist"),
        (["--root", __file__], f"{__file__} is not a folder"),
    ],
)
def test_mistakes_are_one_line(home: Path, said: Said, words: list[str], message: str) -> None:
    code, _, err = said("clean", "--root", str(home), *words)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_pattern_of_names_limits_what_is_shown_and_removed(home: Path, clean: Said) -> None:
    _, out, _ = clean("standard-s0-*", "--details", "--json")
    items = json.loads(out)["items"]
    assert {item["path"].rsplit("/", 1)[-1][:12] for item in items} == {"standard-s0-"}
    clean("--remove", "models", "*/gcn/standard-s0-*", "--yes")
    assert len(list((home / "models").rglob("*.safetensors"))) == 6


@pytest.fixture(autouse=True)
def _is_wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "200")
    yield
