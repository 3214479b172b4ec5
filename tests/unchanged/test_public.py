"""All that docs and the example plugins import is among what is frozen as public, and the page of releases says so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.unchanged.golden import read
from tests.unchanged.public import PARTS, REPOSITORY, WHOLE

PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")))
SHOWN = [REPOSITORY / "plugins" / name / "src" for name in ("resi-example", "resi-tabular")]
BLOCK = re.compile(r"^```(?:python|py)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def imported(code: str) -> Iterator[str]:
    """Yield ``module.name`` of all that code imports from resi; nothing of what is no Python."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "resi":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        yield from ((page, block) for block in BLOCK.findall(page.read_text(encoding="utf-8")))
    for folder in SHOWN:
        yield from ((path, path.read_text(encoding="utf-8")) for path in folder.rglob("*.py"))
    for path in (REPOSITORY / "src" / "resi" / "cli" / "scaffold").glob("*.txt"):
        yield path, path.read_text(encoding="utf-8")


def test_what_docs_and_example_plugins_import_is_public() -> None:
    frozen = {f"{module}.{name}" for module, names in read("public")["python"].items() for name in names}
    frozen |= {*WHOLE, *PARTS}
    used = {(name, path.name) for path, code in sources() for name in imported(code)}
    assert len(used) > 40
    assert {(name, path) for name, path in used if name not in frozen} == set()


def test_the_page_of_releases_names_every_public_module() -> None:
    page = (REPOSITORY / "docs" / "releasing.md").read_text(encoding="utf-8")
    assert [module for module in (*WHOLE, *PARTS) if f"`{module}`" not in page] == []
