"""Do what README says, word for word: from a clone in a fresh environment to a report, own models and an own measure.

    python scripts/newcomer.py                 # in a folder that is deleted in the end: 6 GB, about 15 minutes
    python scripts/newcomer.py --keep FOLDER   # in a new folder, which stays

Every command and every block of Python is taken from the README of the last commit, so that nothing can be typed here
that it does not say. Prints how long each step takes, and how long nothing was to be seen meanwhile. Stops with 1 at
the first command that fails, that shows nothing for a minute at its beginning, or that does not leave what it promises.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
SECTIONS = ("Two commands", "My own models", "My own measure", "The benchmark")
NOT_TYPED = {
    "python -m pip install nox && python -m nox -s tests": "takes long, and is what developers type",
    "resi dataset=cora dataset.root=FOLDER test=augmentation measure=fast": "FOLDER is the reader's",
    "resi -m suite=smoke": "takes long, and needs more extras",
}
"""Commands of README that are left out here, and why."""
PROMISED = {
    "python -m nox -s demo": "experiments/results/report.html",
    "resi compare reps/relu reps/tanh 'measure=[cka,procrustes]'": "table.csv layers.svg",
    "resi new-measure": "resi-my-shift/pyproject.toml",
}
"""By how a command begins, or what stands in it: the files that are there when it has ended."""
FIRST_SECONDS = 60
"""The longest that nothing is shown at the beginning of a command."""
DROPPED = ("PYTHONPATH", "RESI_HOME", "REP_SIM", "VIRTUAL_ENV", "NOX_CURRENT_SESSION", "OMP_NUM_THREADS")
"""Variables that a newcomer has not set."""
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"# (\w+\.py)\n")
# Runs each file whose name it reads, in one scope, as the lines of a console are.
CONSOLE = """
import sys
scope = {"__name__": "__main__"}
for name in sys.stdin:
    exec(compile(open(name.strip()).read(), "README.md", "exec"), scope)
    print(end="\\0", flush=True)
"""


class Step(NamedTuple):
    """One thing that README has its reader do.

    Attributes
    ----------
    section : str
    kind : {"shell", "python", "file"}
    text : str
        The command, or the code.
    """

    section: str
    kind: str
    text: str

    @property
    def title(self) -> str:
        """What it is called in the list of times."""
        return self.text.splitlines()[0] if self.kind != "python" else f"Python, {len(self.text.splitlines())} lines"


class Took(NamedTuple):
    """How long a step took, and how long nothing was shown: at its beginning, and at most; in seconds."""

    seconds: float
    first: float
    silent: float


def steps(page: str) -> Iterator[Step]:
    """Yield what README has its reader do, in order: one for each command and each block of Python."""
    parts = HEADING.split(page)
    for section, text in zip(parts[1::2], parts[2::2], strict=True):
        for kind, block in BLOCK.findall(text):
            if kind == "sh":
                for line in block.splitlines():
                    yield Step(section, "shell", re.sub(r"\s{2,}#.*", "", line))
            elif kind == "python":
                yield Step(section, "file" if FILE_NAME.match(block) else "python", block)


@dataclass
class Newcomer:
    """Somebody who types what README says.

    Parameters
    ----------
    folder : Path
        The clone.
    environment : mapping
        Variables of the shell, which commands such as ``. activate`` change.
    """

    folder: Path
    environment: Mapping[str, str]
    console: subprocess.Popen[bytes] | None = None
    times: list[tuple[Step, Took]] = field(default_factory=list)

    def do(self, step: Step) -> None:
        """Do a step, and note how long it takes."""
        print(f"\n{'>>>' if step.kind == 'python' else '$'} {step.title}", flush=True)
        if step.kind == "file":
            (self.folder / FILE_NAME.match(step.text)[1]).write_text(step.text, encoding="utf-8")  # type: ignore[index]
            return
        took = self._type(step.text) if step.kind == "shell" else self._execute(step.text)
        self.times.append((step, took))
        if took.first > FIRST_SECONDS:
            raise SystemExit(f"nothing was shown for {took.first:.0f} s: {step.title}")
        promised = [names for words, names in PROMISED.items() if words in step.text]
        missing = [name for name in " ".join(promised).split() if not (self.folder / name).exists()]
        if missing:
            raise SystemExit(f"{', '.join(missing)} not there after: {step.title}")

    def _type(self, command: str) -> Took:
        """Type a command, and keep what it changes in the shell for the next one."""
        changed = self.folder.parent / "variables"
        script = f"set -e\n{command}\nenv -0 > '{changed}'"
        shell = subprocess.Popen(  # noqa: S603 - commands of README
            ["/bin/bash", "-c", script],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        took = watch(shell)
        if shell.returncode:
            raise SystemExit(f"exit code {shell.returncode}: {command}")
        lines = changed.read_text(encoding="utf-8").rstrip("\0").split("\0")
        self.environment = dict(line.split("=", 1) for line in lines)
        return took

    def _execute(self, code: str) -> Took:
        """Type code into a Python console, which stays open."""
        if self.console is None:
            self.console = subprocess.Popen(  # noqa: S603 - code of README
                ["/usr/bin/env", "python", "-u", "-c", CONSOLE],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        path = self.folder.parent / "typed.py"
        path.write_text(code, encoding="utf-8")
        assert self.console.stdin is not None  # noqa: S101 - it is a pipe
        self.console.stdin.write(f"{path}\n".encode())
        self.console.stdin.flush()
        took = watch(self.console, until=b"\0")
        if self.console.poll() is not None:
            raise SystemExit(f"Python ended with {self.console.returncode} in:\n{code}")
        return took

    def close(self) -> None:
        """Close the console."""
        if self.console is not None:
            self.console.communicate()


def watch(process: subprocess.Popen[bytes], until: bytes = b"") -> Took:
    """Show what a process prints until it has ended, or has printed ``until``; return how long that took."""
    start = shown = time.monotonic()
    first = silent = 0.0
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            selector.select()
            found = os.read(process.stdout.fileno(), 65536)
            now = time.monotonic()
            first, silent, shown = first or now - start, max(silent, now - shown), now
            is_over = not found or bool(until and until in found)
            sys.stdout.write(found.replace(until or b"\0", b"").decode(errors="replace"))
            sys.stdout.flush()
            if not found:
                process.wait()
            if is_over:
                return Took(now - start, first, silent)


def main(words: Sequence[str] | None = None) -> None:
    """Go through README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder to work in, which stays")
    arguments = parser.parse_args(words)
    with contextlib.ExitStack() as stack:
        home = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="resi-newcomer-")))
        newcomer = arrive(home.absolute())
        stack.callback(newcomer.close)
        try:
            for step in chosen((newcomer.folder / "README.md").read_text(encoding="utf-8")):
                newcomer.do(step)
        finally:
            print_times(newcomer.times)


def arrive(home: Path) -> Newcomer:
    """Return somebody who has a clone and an environment with nothing but pip."""
    home.mkdir(parents=True, exist_ok=True)
    folder, environment = home / "resi", home / "fresh"
    subprocess.run(["/usr/bin/env", "git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)  # noqa: S603
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)  # noqa: S603
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    return Newcomer(folder, {**kept, "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"})


def chosen(page: str) -> list[Step]:
    """Return the steps that are done; say which are not."""
    found = [step for step in steps(page) if step.section in SECTIONS]
    unknown = set(NOT_TYPED) - {step.text for step in found}
    if unknown or {step.section for step in found} != set(SECTIONS):
        raise SystemExit(
            f"README has changed: it has no {', '.join(unknown) or 'section of a name that is known here'}"
        )
    for command, reason in NOT_TYPED.items():
        print(f"not typed: {command}: {reason}")
    return [step for step in found if step.text not in NOT_TYPED]


def print_times(times: Sequence[tuple[Step, Took]]) -> None:
    """Print how long each step took."""
    print(f"\n{'seconds':>8} {'to first line':>14} {'longest silence':>16}  step")
    section = ""
    for step, took in times:
        if step.section != section:
            section = step.section
            print(f"{'':40}  {section}")
        print(f"{took.seconds:8.1f} {took.first:14.1f} {took.silent:16.1f}    {step.title}")
    print(f"{sum(took.seconds for _, took in times):8.1f} {'':31}  all")


if __name__ == "__main__":
    main()
