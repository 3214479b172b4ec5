"""A process that has loaded what comparing needs and forks: the processes of ``compare.isolate`` start at once.

It is a separate program rather than one of :mod:`multiprocessing`, whose children run the main script again and
inherit the way in which a launcher starts its workers. It forks one process at a time, and ends with the one that
started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from resi.errors import MeasureError, UsageError

if TYPE_CHECKING:
    from resi.engine.process import Assignment

# Ctrl-C and SIGTERM are sent to all processes of a terminal or a cluster job; the first process ends the others.
PROGRAM = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.path[:] = json.loads(sys.argv[1])
from resi.engine.forkserver import serve
serve(int(sys.argv[2]))
"""
NUMBER = struct.Struct("!i")


class ForkServer:
    """The forking process, as the one that started it sees it."""

    def __init__(self) -> None:
        if not hasattr(os, "fork"):
            raise UsageError("compare.isolate=true: this system cannot fork processes; use compare.isolate=false")
        self._control, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, "-c", PROGRAM, json.dumps(sys.path), str(theirs.fileno())]
            # A plugin may ask for a GPU when it is imported; asked otherwise, CUDA could not be used after a fork.
            environment = {**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
            self._process = subprocess.Popen(  # noqa: S603
                words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=environment
            )

    def start(self, job: Assignment) -> ForkedProcess:
        """Start a process for a job; the one before has to have ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
                pid = self._number()
            except OSError as error:
                ours.close()
                raise MeasureError("compare.isolate=true: the process for comparisons cannot be started") from error
        connection = Connection(ours.detach())
        process = ForkedProcess(pid, connection, self)
        with contextlib.suppress(OSError):  # it has died, as the reader of its answers will see
            connection.send(job)
        return process

    @property
    def is_alive(self) -> bool:
        """Whether it can start processes; it may have been killed."""
        return self._process.poll() is None

    def exit_code(self) -> int:
        """Wait for the end of the process that was started last; return its exit code, negative for a signal."""
        try:
            return self._number()
        except OSError:
            return -signal.SIGKILL  # of this process, which can no longer report

    def close(self) -> None:
        """End the forking process."""
        self._control.close()
        self._process.wait()

    def _number(self) -> int:
        content = self._control.recv(NUMBER.size, socket.MSG_WAITALL)
        if len(content) < NUMBER.size:
            raise ConnectionResetError("the forking process has ended")
        return int(NUMBER.unpack(content)[0])


class ForkedProcess:
    """A process that works on a job.

    Attributes
    ----------
    connection : Connection
        From which its messages are read.
    """

    def __init__(self, pid: int, connection: Connection[Any, Any], server: ForkServer) -> None:
        self.connection = connection
        self._pid = pid
        self._server = server
        self._exit_code: int | None = None

    def wait(self) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        if self._exit_code is None:
            self._exit_code = self._server.exit_code()
        return self._exit_code

    def end(self) -> None:
        """Kill it at once."""
        if self._exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self.wait()
        self.connection.close()


def serve(descriptor: int) -> None:
    """Fork a process for each that is asked for, until the other side has ended."""
    import torch  # noqa: F401 - so that the processes have it

    from resi import registry
    from resi.engine.process import work

    registry.measures()
    with socket.socket(fileno=descriptor) as control, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                control.close()
                code = 1
                try:
                    work(Connection(descriptors[0]))
                    code = 0
                except SystemExit as leave:  # a measure calls sys.exit
                    code = leave.code if isinstance(leave.code, int) else 1
                finally:
                    os._exit(code)
            os.close(descriptors[0])
            control.sendall(NUMBER.pack(pid))
            _, status = os.waitpid(pid, 0)
            control.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
