"""A process that forks others: kept while it would be the same, and what its processes send and say."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from resi.errors import ArtifactError, ResiError, TrainingError, UsageError
from resi.machine import idle
from resi.machine.sender import Sender
from resi.machine.sources import changed_sources, loaded_sources, note_sources

if TYPE_CHECKING:
    from resi.machine.forkserver import ForkServer

FORKED = """
import os, time

VALUE = 1

def load(word):
    if word == "long":
        time.sleep(600)

def work(connection):
    if connection.recv() == "fail":
        raise ZeroDivisionError("of a process")
    connection.send((VALUE, os.getppid()))
"""


@pytest.fixture
def forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the file of a module for forked processes, in a folder that they find."""
    path = tmp_path / "forked_by_test.py"
    path.write_text(FORKED)
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop("forked_by_test", None)


def take(word: str = "") -> ForkServer:
    return idle.take("forked_by_test:load", "forked_by_test:work", [word], os.environ)


def answer(server: ForkServer) -> tuple[int, int]:
    """Return what a process of a server sends: the value in its module, and the server's number."""
    process = server.start("go")
    try:
        found: tuple[int, int] = process.connection.recv()
        assert process.wait() == 0
    finally:
        process.end()
    return found


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns + 10**9))


def test_a_server_is_taken_again_unless_its_source_has_changed(forked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, forked.parent])  # a path that is no text, which Python skips
    server = take()
    first = answer(server)
    idle.give_back(server)
    server = take()
    assert answer(server) == first
    idle.give_back(server)
    edit(forked, "VALUE = 1", "VALUE = 2")
    server = take()
    value, number = answer(server)
    assert (value, number == first[1]) == (2, False)
    idle.give_back(server)


def test_the_servers_that_were_given_back_last_are_kept(forked: Path) -> None:
    words = [f"{forked} {number}" for number in range(idle.MOST_IDLE + 1)]
    numbers = {}
    for word in words:
        server = take(word)
        numbers[word] = answer(server)
        idle.give_back(server)
    assert len(set(numbers.values())) == len(words)
    os.kill(numbers[words[1]][1], signal.SIGKILL)
    kept = {word: take(word) for word in reversed(words)}
    assert [word for word in words if answer(kept[word]) == numbers[word]] == words[2:]
    for server in kept.values():
        idle.give_back(server)


def test_a_server_that_is_still_loading_is_ended_at_once(forked: Path) -> None:
    server = take("long")
    server.close()
    assert not server.is_alive


def test_an_error_of_a_process_is_shown(forked: Path, capfd: pytest.CaptureFixture[str]) -> None:
    server = take()
    process = server.start("fail")
    with pytest.raises(EOFError):
        process.connection.recv()
    assert process.wait() == 1
    process.end()
    idle.give_back(server)
    assert capfd.readouterr().err.endswith("ZeroDivisionError: of a process\n")


def test_changed_sources_are_those_of_modules_that_were_not_loaded_again(forked: Path) -> None:
    module = importlib.import_module("forked_by_test")
    note_sources()
    assert str(forked) in loaded_sources()
    assert str(forked) not in changed_sources()
    edit(forked, "VALUE = 1", "VALUE = 2")
    assert str(forked) in changed_sources()
    assert str(forked) in changed_sources()
    importlib.reload(module)
    assert str(forked) not in changed_sources()
    forked.unlink()
    assert str(forked) in changed_sources()


class OfTwoError(TrainingError):
    """What is pickled, but not read."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


class HoldingError(OSError):
    """What cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("held")
        self.held = ModuleType("held")


def test_every_error_can_be_sent() -> None:
    ours, theirs = multiprocessing.Pipe()
    send = Sender(theirs)
    mine = ArtifactError("it is damaged.", Path("file"), "Make it again.")
    mine.add_note("where")
    for error, kind, text in (
        (OfTwoError("a", "b"), ResiError, "a and b"),
        (HoldingError(), RuntimeError, "HoldingError: held"),
        (UsageError("no"), UsageError, "no"),
        (mine, ArtifactError, str(mine)),
    ):
        error.add_note("a note")
        send(7, error)
        number, found = ours.recv()
        assert (number, type(found), str(found)) == (7, kind, text)
        assert found.__notes__[-1] == "a note"
    assert vars(found) == vars(mine)
    ours.close()
    send(7, None)  # nobody listens, which is for others to notice
    with pytest.raises(TypeError, match="pickle"):
        send(7, ModuleType("held"))
