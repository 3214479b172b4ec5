"""The tutorial docs/tutorials/own_models.md at full size: its time, and the lines that a reader writes.

``python -m tests.docs.tutorial`` prints them; ``--write`` also puts the outputs and the picture into the page.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "tutorials/own_models.md"
PICTURE = "digits_layers.png"
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
OUTPUT = re.compile(r"```text\n.*?```", re.DOTALL)
MOST_LINES = 12
MOST_SECONDS = 60


def blocks() -> list[str]:
    """Return the page's code; the first block is what the reader has anyway."""
    return CODE.findall(PAGE.read_text(encoding="utf-8"))


def lines_of_the_reader() -> list[str]:
    """Return the lines that are written to use resi."""
    return [line for block in blocks()[1:] for line in block.splitlines() if line.strip()]


def run() -> tuple[dict[str, object], list[str]]:
    """Run the page's code in the current folder; return its names, and what each block prints."""
    scope: dict[str, object] = {}
    printed = []
    for block in blocks():
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(block, str(PAGE), "exec"), scope)
        printed.append(output.getvalue())
    return scope, printed


def tidy(text: str) -> str:
    """Return a text without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def main(write: bool) -> str:
    """Run the tutorial; return what is wrong."""
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, str(PAGE.parent))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        start, used = time.perf_counter(), time.process_time()
        printed = run()[1]
        seconds, used = time.perf_counter() - start, time.process_time() - used
        if write:
            shutil.copy(PICTURE, DOCS / "images" / PICTURE)
    texts = [text for text in printed if text]
    print("\n".join(texts))
    if write:
        rest = iter(texts)
        page = OUTPUT.sub(lambda _: f"```text\n{tidy(next(rest))}\n```", PAGE.read_text(encoding="utf-8"))
        PAGE.write_text(page, encoding="utf-8")
    lines = len(lines_of_the_reader())
    print(f"{lines} lines; {seconds:.0f} s, {used:.0f} s of one of {os.cpu_count()} processors")
    if lines > MOST_LINES:
        return f"{lines} lines are more than {MOST_LINES}"
    return f"{used:.0f} s are more than {MOST_SECONDS}" if used > MOST_SECONDS else ""


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv) or None)
