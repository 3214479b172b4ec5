"""Locks: a dead owner blocks nobody, and who is waited for is told."""

from __future__ import annotations

import errno
import os
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resi.store import locks
from resi.store.downloads import download_lock
from resi.store.root import Store
from tests.faults.running import environment

HOLD = """
import sys, time
from resi.store.root import Store
{before}
with Store(__import__("pathlib").Path(sys.argv[1])).try_lock("a") as held:
    print(held, flush=True)
    time.sleep(600)
"""
# As on a file system that has no flock.
NO_FLOCK = """
import errno, fcntl
def missing(*_): raise OSError(errno.{name}, "no flock here")
fcntl.flock = missing
"""
# As on another machine, of whose processes this one knows nothing.
ELSEWHERE = """
import socket
from resi.store import locks
socket.gethostname = lambda: "another-host"
locks.SILENT_SECONDS = {silent}
"""


def hold(root: Path, before: str = "") -> subprocess.Popen[str]:
    """Start a process that takes a lock and keeps it."""
    words = [sys.executable, "-c", HOLD.format(before=before), str(root)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_the_lock_of_a_killed_process_is_free_and_its_note_is_replaced(tmp_path: Path) -> None:
    store, process = Store(tmp_path), hold(tmp_path)
    with store.try_lock("a") as held:
        assert not held
    assert store.holder("a").startswith(f"process {process.pid} on {platform.node()} since 20")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "locks" / "a.owner.json").exists()  # stale: it was killed
    with store.try_lock("a") as held:
        assert held
        assert store.holder("a").startswith(f"process {os.getpid()} on ")
    assert not (tmp_path / "locks" / "a.owner.json").exists()


def test_whom_one_waits_for_is_told_once_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = hold(tmp_path)
    timer = threading.Timer(0.8, process.kill)
    timer.start()
    with Store(tmp_path).lock("a", "is doing the same run"):
        pass
    process.wait()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"waiting for process {process.pid} on {platform.node()} since ")
    assert told[0].endswith(", which is doing the same run")


@pytest.mark.parametrize("name", ["ENOSYS", "ENOTSUP", "ENOLCK"])
def test_without_flock_locks_exclude_too_and_those_of_the_dead_are_taken_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    process = hold(tmp_path, NO_FLOCK.format(name=name))
    without_flock(monkeypatch, name)
    store = Store(tmp_path)
    with store.try_lock("a") as held:
        assert not held
    process.kill()
    process.wait()
    with store.lock("a", "holds it"), store.try_lock("a") as again:
        assert not again
    with store.try_lock("a") as held:
        assert held
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["a.lock"]


def test_without_flock_the_lock_of_a_dead_host_is_taken_over_and_that_of_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = hold(tmp_path, NO_FLOCK.format(name="ENOSYS") + ELSEWHERE.format(silent=1.0))
    without_flock(monkeypatch, "ENOSYS")
    monkeypatch.setattr(locks, "SILENT_SECONDS", 1.0)
    taken = threading.Event()

    def take() -> None:
        with Store(tmp_path).lock("a", "holds it"):
            taken.set()

    taker = threading.Thread(target=take)
    taker.start()
    assert not taken.wait(1.8)
    process.kill()
    process.wait()
    assert taken.wait(20.0)
    taker.join()


def without_flock(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let this process see a file system that has no flock."""
    import fcntl

    def missing(*_: object) -> None:
        raise OSError(getattr(errno, name), "no flock here")

    monkeypatch.setattr(fcntl, "flock", missing)


def test_a_download_waits_for_another_one_and_says_for_whom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with download_lock(tmp_path / "Cora"):
            order.append("second")

    with download_lock(tmp_path / "Cora"):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert capsys.readouterr().err.startswith(f"waiting for process {os.getpid()} on {platform.node()} since ")
    assert [path.name for path in (tmp_path / "Cora").iterdir()] == [".lock"]
