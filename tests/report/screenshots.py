"""Pictures of a report: each part of the page at the width of a window and of a phone, light and dark.

python -m tests.report.screenshots [ROOT] [--out DIR]
python -m tests.report.screenshots --readme     the picture in README: of the results that come with resi
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import tempfile
from pathlib import Path

from resi.cli.main import run_command
from tests.conftest import DATA, REPOSITORY
from tests.report.browser import PHONE, Browser, browser

README_PICTURE = REPOSITORY / "docs/images/report.png"
PARTS = ("answer", "overview", "scores", "figures", "tests", "measures", "maps", "models", "cost", "provenance")


def main() -> None:
    """Write the pictures to a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, help="a data root; default: results that the tests have")
    parser.add_argument("--out", type=Path, default=Path("screenshots"), help="default: screenshots")
    parser.add_argument("--readme", action="store_true", help=f"write {README_PICTURE.relative_to(REPOSITORY)} alone")
    arguments = parser.parse_args()
    if arguments.readme:
        take_for_readme()
        return
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


def take_for_readme() -> None:
    """Take the picture in README: ``resi report baseline`` down to the first answer of each domain."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as scratch, browser() as session:
        page = Path(scratch) / "report.html"
        if run_command(["report", "baseline", "--out", str(page)]):
            raise SystemExit(1)
        session.open(page)
        answers = "[...document.querySelectorAll('.domain')].map(domain => domain.querySelector('.verdict'))"
        bottom = f"return Math.max(...{answers}.map(answer => answer.getBoundingClientRect().bottom))"
        clip = {"x": 0, "y": 0, "width": 1280, "height": session.run(bottom), "scale": 1}
        session.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        words = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        taken = session.driver.execute_cdp_cmd("Page.captureScreenshot", words)
    # As few colours as text needs.
    Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB").quantize(128).save(
        README_PICTURE, optimize=True
    )
    print(f"written to {README_PICTURE}")


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
