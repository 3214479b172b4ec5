"""A process that has loaded what work needs and forks: further processes start at once.

It is a separate program rather than one of :mod:`multiprocessing`, whose children run the main script again and
inherit the way in which a launcher starts its workers. It computes nothing itself, so that no library has threads when
it forks, and it ends with the process that started it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from resi.machine.sources import changed_sources, note_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Ctrl-C and SIGTERM are sent to all processes of a terminal or a cluster job; the first process ends the others.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
import json, sys
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from resi.machine.forkserver import serve
serve(given["descriptor"], given["load"], given["work"], given["words"])
import os
os._exit(0)  # there is nothing to tidy up, which libraries would take a while for
"""
NOTE = struct.Struct("!cii")
"""What the forking process says of another: that it was started or has ended, which one, and its exit code."""
STARTED, ENDED, CURRENT = b"+", b"-", b"?"
START, ASK = b"+", b"?"
PARENT_POLL_SECONDS = 1.0
IDLE_SECONDS = 60.0
"""After so long without a process a forking process ends, which holds some hundred megabytes."""


def can_fork() -> bool:
    """Return whether this system can fork processes."""
    return hasattr(os, "fork")


class ForkServer:
    """The forking process, as the one that started it sees it.

    Parameters
    ----------
    load : str
        ``module:function`` that is called once, with ``words``: it imports what the processes need.
    work : str
        ``module:function`` that each process calls with its connection.
    words : sequence of str
        For ``load``.
    environment : mapping, optional
        Environment variables of the processes; those of this one if not given.
    """

    def __init__(
        self, load: str, work: str, words: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._control, theirs = socket.socketpair()
        self._ended: dict[int, int] = {}
        self._is_broken = False
        with theirs:
            given = {
                "path": [place for place in sys.path if isinstance(place, str)],  # Python, too, skips others
                "descriptor": theirs.fileno(),
                "load": load,
                "work": work,
                "words": list(words),
            }
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", PROGRAM, json.dumps(given)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # A plugin may ask for a GPU when it is imported; asked otherwise, CUDA could not be used after a fork.
                env={**(os.environ if environment is None else environment), "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
            )

    def start(self, job: Any) -> ForkedProcess:
        """Start a process, and send it a job, which it receives from its connection.

        Raises
        ------
        OSError
            If the forking process has ended, or cannot fork.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [START], [theirs.fileno()])
                pid = self._next(STARTED)[0]
            except BaseException:
                ours.close()
                self._is_broken = True  # what it says of this process would be taken for the next one's
                raise
        self._ended.pop(pid, None)  # of an earlier one with that number
        connection = Connection(ours.detach())
        process = ForkedProcess(pid, connection, self)
        with contextlib.suppress(OSError):  # it has died, as the reader of its answers will see
            connection.send(job)
        return process

    @property
    def is_alive(self) -> bool:
        """Whether it can start processes; it may have been killed."""
        return not self._is_broken and self._process.poll() is None

    def is_current(self) -> bool:
        """Return whether it can start processes, with the code that is in the files now: it may have waited."""
        try:
            self._control.sendall(ASK)
            return bool(self._next(CURRENT)[1])
        except OSError:
            return False

    def exit_code(self, pid: int) -> int:
        """Wait for the end of a process; return its exit code, negative for a signal."""
        try:
            while pid not in self._ended:
                self._next(ENDED)
            return self._ended.pop(pid)
        except OSError:
            return -signal.SIGKILL  # of the forking process, which can no longer report

    def has_ended(self, pid: int) -> bool:
        """Return whether a process has ended, as far as is known."""
        with contextlib.suppress(OSError):
            while pid not in self._ended and select.select([self._control], [], [], 0)[0]:
                self._next(ENDED)
        return pid in self._ended or not self.is_alive

    def close(self) -> None:
        """End the forking process, also while it loads; those that it has started are left to end by themselves."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _next(self, kind: bytes) -> tuple[int, int]:
        """Return the next process that was started, or has ended, and its exit code."""
        while True:
            content = self._control.recv(NOTE.size, socket.MSG_WAITALL)
            if len(content) < NOTE.size:
                raise ConnectionResetError("the forking process has ended")
            found, pid, code = NOTE.unpack(content)
            if found == ENDED:
                self._ended[pid] = code
            if found == kind:
                return pid, code


class ForkedProcess:
    """A process that works on a job.

    Attributes
    ----------
    pid : int
    connection : Connection
        From which its messages are read.
    """

    def __init__(self, pid: int, connection: Connection[Any, Any], server: ForkServer) -> None:
        self.pid = pid
        self.connection = connection
        self._server = server
        self._exit_code: int | None = None

    def wait(self) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        if self._exit_code is None:
            self._exit_code = self._server.exit_code(self.pid)
        return self._exit_code

    def has_ended(self) -> bool:
        """Return whether it has ended, as far as is known."""
        return self._exit_code is not None or self._server.has_ended(self.pid)

    def end(self) -> None:
        """Kill it at once."""
        if self._exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait()
        self.connection.close()


def serve(descriptor: int, load: str, work: str, words: Sequence[str]) -> None:
    """Fork a process for each that is asked for, until the other side has ended."""
    parent = os.getppid()
    # Collecting garbage takes a fifth of the time in which modules are loaded, and finds none.
    gc.disable()
    _function(load)(*words)
    note_sources()
    gc.freeze()  # later collections do not look at what is loaded, so that its memory stays shared
    function = _function(work)
    # The end of a process wakes the loop below.
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    children: set[int] = set()
    last = time.monotonic()
    with socket.socket(fileno=descriptor) as control, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while os.getppid() == parent and (children or time.monotonic() - last < IDLE_SECONDS):
            ready, _, _ = select.select([descriptor, woken], [], [], PARENT_POLL_SECONDS)
            if woken in ready:
                os.read(woken, 512)
            _report_ended(children, control)
            last = time.monotonic() if children else last
            if descriptor not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                return
            if message == ASK:
                control.sendall(NOTE.pack(CURRENT, 0, not changed_sources()))
                continue
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                control.close()
                _run(function, descriptors[0])
            os.close(descriptors[0])
            children.add(pid)
            control.sendall(NOTE.pack(STARTED, pid, 0))


def _function(place: str) -> Callable[..., None]:
    module, _, name = place.partition(":")
    function: Callable[..., None] = getattr(importlib.import_module(module), name)
    return function


def _run(function: Callable[..., None], descriptor: int) -> None:
    """Do the work of a process that was just forked, and end it."""
    code = 1
    gc.enable()
    try:
        function(Connection(descriptor))
        code = 0
    except SystemExit as leave:  # a measure or a training calls sys.exit
        code = leave.code if isinstance(leave.code, int) else 1
    except (KeyboardInterrupt, EOFError, ConnectionResetError):  # the other side wants no more
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def _report_ended(children: set[int], control: socket.socket) -> None:
    """Say which processes have ended."""
    for child in list(children):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            children.discard(pid)
            control.sendall(NOTE.pack(ENDED, pid, os.waitstatus_to_exitcode(status)))
