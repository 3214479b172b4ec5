"""``resi doctor``: what is right is ok, and everything that can be wrong is a line that says what to do."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement

from resi.registry.discovery import PluginInfo, load_plugins
from resi.store.root import Store
from resi.upkeep import doctor, environment, place, self_test, stored
from resi.upkeep.checks import Check, State
from resi.upkeep.environment import Needs
from tests.faults.running import environment as of_a_process

Said = Callable[..., tuple[int, str, str]]


def by_name(checks: Iterator[Any]) -> dict[str, Check]:
    return {check.name: check for check in checks if isinstance(check, Check)}


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute in this process, which has loaded the libraries."""
    monkeypatch.setattr(
        self_test, "in_process", lambda seconds: (c for c in self_test.checks(seconds) if type(c) is Check)
    )


def test_all_of_it_on_this_machine(root: Path, said: Said, no_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = said("doctor")
    assert (code, err) == (0, "")
    assert max(len(line) for line in out.splitlines() if "/" not in line) <= 80  # no path is cut
    assert "23 measures have their exact values, within " in out
    assert "rtd, cpu      its exact value, within " in out
    groups = [
        line for line in out.splitlines() if line and not line.startswith((" ", *(f"{state} " for state in State)))
    ]
    assert groups[:-1] == [
        *("versions", "extras", "machine", "data root", "locks", "caches", "plugins", "datasets"),
        *("libraries", "gpu", "self-test"),
    ]
    assert groups[-1].endswith(", 0 FAILED")
    assert not root.exists()  # nothing was made
    code, out, _ = said("doctor", "--json", "--seconds", "0")
    told = json.loads(out)
    assert (code, told["failed"]) == (0, 0)
    assert {check["group"] for check in told["checks"]} == {*groups[:8]}


def test_lines_appear_as_they_are_known(root: Path, said: Said, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from resi.cli import doctor as command

    seen = []

    def slow(_root: Path, _seconds: float) -> Iterator[Check]:
        yield Check("versions", "first", State.ok, "known")
        seen.append(capsys.readouterr().out)
        yield Check("versions", "second", State.failed, "broken", "mend it")

    monkeypatch.setattr(doctor, "examine", slow)
    assert command.main([]) == 1
    assert "first         known" in seen[0]
    out = capsys.readouterr().out
    assert "FAILED   second        broken\n" in out
    assert "-> mend it\n" in out
    assert out.endswith("1 ok, 0 missing, 1 FAILED\n")


def test_a_part_that_breaks_is_a_line_and_the_others_go_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resi.upkeep.plugins", None)
    found = list(doctor.examine(root, 0))
    broken = [check for check in found if check.state is State.failed]
    assert [check.name for check in broken] == ["plugins"]
    assert "ModuleNotFoundError" in broken[0].text
    assert found[-1].group == "datasets"


def test_packages_that_are_missing_or_too_old(tmp_path: Path) -> None:
    needs = Needs(
        [Requirement("numpy>=1"), Requirement("torch>=99"), Requirement("no-such-package>=2")],
        {
            "graph": [Requirement("no-such-package>=2")],
            "vision": [Requirement("numpy>=99")],
            "files": [Requirement("numpy")],
        },
    )
    found = by_name(environment.versions(tmp_path, needs))
    assert found["numpy"].state is State.ok
    assert found["torch"].state is State.failed
    assert found["torch"].text.endswith("is not >=99")
    assert found["no-such-package"].advice == "python -m pip install 'no-such-package>=2'"
    extras = by_name(environment.extras(tmp_path, needs))
    assert [extras[name].state for name in ("graph", "vision", "files")] == [State.missing, State.failed, State.ok]
    assert extras["graph"].advice == "python -m pip install 'resi[graph]'"
    assert extras["vision"].advice == "python -m pip install 'resi[vision]' --upgrade"


def test_every_extra_is_explained() -> None:
    import tomllib

    from tests.conftest import REPOSITORY

    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*environment.ABOUT} == {*extras} - {environment.TOGETHER}


def test_plugins_that_failed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resi.upkeep.plugins import plugins

    broken = PluginInfo("mine", "my-measures", "1.2", "ImportError: no module named x")
    monkeypatch.setitem(load_plugins()._records, broken.key, broken)
    found = by_name(plugins(tmp_path))
    assert found["built in"].state is State.ok
    assert found["mine"].state is State.failed
    assert found["mine"].text == "my-measures 1.2 is left out: ImportError: no module named x"
    assert found["mine"].advice.endswith("--upgrade my-measures, or uninstall it")


def test_a_data_root_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    found = by_name(place.place(tmp_path))["writing"]
    assert found.state is State.failed
    assert found.text == f"{tmp_path} is not writable: Read-only file system; stored results can be read"
    assert found.advice == "choose another folder: export RESI_HOME=FOLDER"
    (tmp_path / "file").write_text("")
    assert by_name(place.place(tmp_path / "file"))["folder"].state is State.failed


def lax(*_: object) -> None:
    """Let everybody have every lock."""


def refuses(number: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_file_systems_without_what_resi_relies_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {check.state for check in place.place(tmp_path)} == {State.ok}
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", lax)
        found = by_name(place.place(tmp_path))["locks"]
        assert (found.state, "two processes get the same lock" in found.text) == (State.failed, True)
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refuses(errno.ENOSYS))
        found = by_name(place.place(tmp_path))["locks"]
        assert (found.state, "lock files" in found.text) == (State.ok, True)
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refuses(errno.EIO))
        assert by_name(place.place(tmp_path))["locks"].state is State.failed
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refuses(errno.EPERM))
        found = by_name(place.place(tmp_path))["links"]
        assert (found.state, found.advice) == (State.missing, "resi prepare --how copy copies instead")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuses(errno.EPERM))
        assert by_name(place.place(tmp_path))["renaming"].state is State.failed
    with monkeypatch.context() as patched:
        patched.setattr(place, "LEAST_FREE", 2**62)
        assert by_name(place.place(tmp_path))["disk"].state is State.failed
    assert list(tmp_path.iterdir()) == []


def test_locks_that_are_held_and_those_of_killed_processes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "dead.owner.json").write_text("{}")
    with store.try_lock("running"):
        found = by_name(stored.held_locks(tmp_path))
        assert found["held 1"].text.startswith(f"process {os.getpid()} on ")
        assert found["held 1"].text.endswith(": running")
        assert found["stale locks"].text.startswith("1 were held by killed processes")
    assert "held 1" not in by_name(stored.held_locks(tmp_path))


def test_caches_of_other_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = by_name(stored.caches(tmp_path))
    assert [found[name].state for name in ("hub", "torch")] == [State.missing, State.missing]
    assert "HF_HUB_OFFLINE forbid" in found["hub"].text
    assert found["hub"].advice.endswith(f"copy the folder to {tmp_path / 'hub'}")
    (tmp_path / "hub" / "models--a--b").mkdir(parents=True)
    assert stored_hub(tmp_path).text.startswith("1 model from the hub in ")


def stored_hub(folder: Path) -> Check:
    return by_name(stored.caches(folder))["hub"]


def test_a_library_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    found = by_name(self_test.checks())
    assert found["load numba"].state is State.failed
    assert found["load numba"].advice.startswith("python -m pip install --force-reinstall 'numba>=")
    assert found["load torch"].state is State.ok


def test_a_wrong_value_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = json.loads(self_test.GOLDEN.read_text())
    golden["measures"] = {name: golden["measures"][name] for name in ("cka", "rsa", "gulp")}
    golden["measures"]["cka"]["value"] = str(float(golden["measures"]["cka"]["value"]) * (1 + 1e-9))
    golden["measures"]["gulp"]["parameters"] = {"none": 1}
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    monkeypatch.setattr(self_test, "GOLDEN", tmp_path / "golden.json")
    found = by_name(self_test.computed("cpu", time.monotonic() + 60))
    assert found["cka, cpu"].text.startswith("relative error 1e-09 against its exact value")
    assert found["gulp, cpu"].state is State.failed
    assert found["cpu"].text.startswith("1 measures have")


def test_measures_without_time_and_those_that_fail_alike_share_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    (late,) = by_name(self_test.computed("cpu", time.monotonic() - 1)).values()
    assert late.state is State.missing
    assert late.text.startswith("not computed: ")
    assert late.text.endswith(" and 21 more: time limit reached")
    assert late.advice == "resi doctor --seconds 120"

    def broken(*_: object) -> float:
        raise ImportError("no numba here")

    monkeypatch.setattr(self_test, "_value", broken)
    first, others = by_name(self_test.computed("cpu", time.monotonic() + 60)).values()
    assert first.text == "ImportError: no numba here"
    assert others.name == "23 more, cpu"


def test_without_torch_no_measure_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = by_name(self_test.checks())
    assert [check.name for check in found.values() if check.state is State.failed] == ["load torch"]
    assert found["measures"].text == "not computed, as torch does not load"


def test_extras_that_are_installed_and_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"torchvision", "timm", "torch_geometric", "transformers"} <= {*itertools.chain(*self_test.EXTRA.values())}
    (tmp_path / "broken_extra.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(self_test, "EXTRA", {"vision": ("broken_extra", "not_installed")})
    monkeypatch.setattr(self_test, "computed", lambda *_: iter(()))
    found = by_name(self_test.checks())
    assert found["load broken_extra"].text == "RuntimeError: operator torchvision::nms does not exist"
    assert "load not_installed" not in found


def test_advice_for_an_extra_names_its_version() -> None:
    assert "; extra" not in self_test._remedy("loading torchvision")
    assert self_test._remedy("loading torchvision").startswith("python -m pip install --force-reinstall 'torchvision>")


@pytest.mark.parametrize(
    ("visible", "cuda", "state", "text"),
    [
        ("", "12.8", State.missing, "CUDA_VISIBLE_DEVICES= hides every GPU"),
        (None, None, State.missing, "is built for CPUs only"),
        ("0", None, State.failed, "is built for CPUs only"),
        (None, "12.8", State.missing, "no NVIDIA GPU"),
        ("0", "12.8", State.failed, "cannot use them: RuntimeError: the driver is too old"),
    ],
)
def test_why_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, cuda: str | None, state: State, text: str
) -> None:
    def refuse() -> None:
        raise RuntimeError("the driver is too old")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", refuse)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr("resi.machine.resources.DEVICES", Path("/nowhere"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = by_name(self_test.gpus())["cuda"]
    assert (found.state, text in found.text) == (state, True)


def test_a_gpu_is_named_and_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**9, 8 * 10**9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H100")
    devices: list[str] = []
    monkeypatch.setattr(self_test, "computed", lambda device, _end: iter(devices.append(device) or ()))
    found = by_name(self_test.checks())
    assert found["cuda:0"].text == "H100, 1 GB of 8 GB free"
    assert devices == ["cpu", "cuda"]


def test_a_library_that_ends_its_process_ends_the_self_test_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{of_a_process()['PYTHONPATH']}")
    found = list(self_test.in_process())
    assert [check.text for check in found] == ["the process ended: signal 4"]
    assert found[0].name == "loading numpy"
    assert found[0].advice.startswith("python -m pip install --force-reinstall 'numpy>=")


def test_a_step_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho \'{"begin": "rtd, cpu", "computes": true}\'\nexec sleep 60\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    found = list(self_test.in_process(-0.9))
    assert [check.state for check in found] == [State.missing]
    assert found[0].advice == "resi doctor --seconds 120"
    program.write_text(program.read_text().replace("exec sleep 60", "echo so long >&2; exit 3"))
    found = list(self_test.in_process())
    assert [check.text for check in found] == ["the process ended: exit code 3, so long"]
    assert found[0].advice.startswith("python -m pip install --force-reinstall 'torch>=")

    program.write_text(program.read_text().replace("exit 3", "exit 0"))
    assert [check.text for check in self_test.in_process()] == ["the process ended: exit code 0, so long"]


def link(path: Path, to: str) -> None:
    path.symlink_to(path.parent / to)


@pytest.mark.parametrize("to", ["nowhere", "root"])
def test_a_root_that_is_a_link_to_nothing(tmp_path: Path, to: str) -> None:
    link(tmp_path / "root", to)
    (found,) = place.place(tmp_path / "root")
    assert (found.state, found.name) == (State.failed, "folder")
    assert found.text == f"{tmp_path / 'root'} is a link to what does not exist, or to itself"


def test_folders_of_a_root_in_which_every_run_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shards").write_text("")
    link(tmp_path / "models", "nowhere")
    (tmp_path / "locks").mkdir()
    (tmp_path / "results").mkdir()
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: allowed(path, mode) and (Path(path).name, mode) != ("locks", os.W_OK)
    )
    found = by_name(place.place(tmp_path))
    assert {name: found[name].text.removeprefix(f"{tmp_path}/") for name in found if name.endswith("/")} == {
        "shards/": "shards is not a folder",
        "models/": "models is a link to what does not exist, or to itself",
        "locks/": "locks is not writable for this user",
    }
    assert {found[name].state for name in found if name.endswith("/")} == {State.failed}


def test_a_root_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(store: Store) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(store.locks))

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(Store, "lock_files", refused)
    found = [check for check in doctor.examine(tmp_path, 0) if check.state is State.failed]
    assert [(check.group, check.text) for check in found] == [
        ("data root", f"{tmp_path} cannot be read: permission denied"),
        ("locks", f"{tmp_path}/locks: Permission denied"),
    ]


def test_what_to_do_about_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "LEAST_FREE", 2**62)
    assert by_name(place.place(tmp_path))["disk"].advice.startswith("free space there, or choose another folder")
    with Store(tmp_path).try_lock("0" * 32):
        assert by_name(place.place(tmp_path))["disk"].advice == "resi clean shows what can be removed"


def test_a_dataset_of_which_a_part_is_there(tmp_path: Path) -> None:
    for path in ("cora/raw/ind.cora.x", "flickr/.lock"):
        (tmp_path / "datasets" / "graph" / path).parent.mkdir(parents=True)
        (tmp_path / "datasets" / "graph" / path).write_text("")
    found = by_name(stored.datasets(tmp_path))
    assert found["cora"].state is State.missing
    assert found["cora"].text != "not in the data root"
    assert f"{tmp_path / 'datasets' / 'graph' / 'cora'}" in found["cora"].text
    assert found["flickr"].text == "not in the data root"


BLOCKED = """
import sys
sys.modules[sys.argv[1]] = None
sys.argv = ["resi", *sys.argv[2:]]
from resi.cli.main import main
main()
"""


def command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"stdout": subprocess.PIPE, **options}
    return subprocess.run(
        [sys.executable, *words], stderr=subprocess.PIPE, text=True, env=of_a_process(), check=False, **options
    )


@pytest.mark.parametrize("module", ["pluggy", "omegaconf"])
def test_a_library_of_the_command_itself_that_does_not_import(root: Path, module: str) -> None:
    found = command("-c", BLOCKED, module, "doctor", "--seconds", "0", "--root", str(root))
    assert found.stderr == ""
    assert found.stdout.count("FAILED   plugins") == (module == "pluggy")
    assert found.returncode == (module == "pluggy")
    found = command("-c", BLOCKED, module, "domain=graph", "measure=cka")
    assert (found.returncode, len(found.stderr.splitlines())) == (1, 1)
    assert module in found.stderr


@pytest.mark.parametrize("words", [["doctor", "--seconds", "0"], ["clean"]])
def test_output_that_is_closed_or_full(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / f"{'0' * 32}.lock").write_text("")
    words = ["-m", "resi", *words, "--root", str(tmp_path)]
    found = command(*words, stdout=None, preexec_fn=lambda: os.close(1))
    assert (found.returncode, found.stderr) == (0, "")
    if not Path("/dev/full").exists():
        return
    with Path("/dev/full").open("w") as full:
        found = command(*words, stdout=full)
    assert (found.returncode, found.stderr) == (1, "resi: cannot write the output: no space is left where it goes\n")


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_time_that_is_none_is_refused(root: Path, said: Said, text: str) -> None:
    code, _, err = said("doctor", f"--seconds={text}")
    assert (code, err) == (2, f"resi: --seconds {text}: expected a number of seconds, 0 for none\n")


def test_the_page_names_every_group_and_every_kind_and_its_commands_are_understood() -> None:
    from resi.cli.clean import make_parser
    from resi.upkeep.items import KINDS
    from tests.conftest import REPOSITORY
    from tests.docs.test_pages import commands

    page = REPOSITORY / "docs" / "doctor.md"
    rows = [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {kind for row in rows for kind in row.replace("`", "").replace(" ", "").split(",")} >= {*KINDS}
    found = [words for words in commands(page) if words[0] == "clean"]
    assert len(found) == 6
    for words in found:
        make_parser().parse_args(words[1:])
