"""Pictures of a report: each part of the page at the width of a window and of a phone, light and dark.

python -m tests.report.screenshots [ROOT] [--out DIR]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from resi.cli.main import run_command
from tests.conftest import DATA
from tests.report.browser import PHONE, Browser, browser

PARTS = ("answer", "overview", "scores", "figures", "tests", "measures", "maps", "models", "cost", "provenance")


def main() -> None:
    """Write the pictures to a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, help="a data root; default: results that the tests have")
    parser.add_argument("--out", type=Path, default=Path("screenshots"), help="default: screenshots")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    page = arguments.out.absolute() / "report.html"
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.root or imported(Path(scratch))
        if run_command(["report", str(root), "--out", str(page)]):
            raise SystemExit(1)
    with browser() as session:
        for width in (1280, PHONE):
            for scheme in ("light", "dark"):
                take(session, page, width, scheme)
    print(f"written to {arguments.out}")


def imported(root: Path) -> Path:
    """Return a data root with the published results among the tests' data."""
    os.environ["RESI_HOME"] = str(root)
    files = [
        word
        for path in sorted((DATA / "published-cora").glob("results_*.parquet"))
        for word in ("--published", str(path))
    ]
    run_command(["merge", str(root), *files])
    return root


def take(session: Browser, page: Path, width: int, scheme: str) -> None:
    """Take a picture of each part of a page."""
    session.open(page, width, scheme)
    for part in PARTS:
        session.run("document.getElementById(arguments[0])?.scrollIntoView()", part)
        session.driver.save_screenshot(str(page.parent / f"{part}-{width}-{scheme}.png"))


if __name__ == "__main__":
    main()
