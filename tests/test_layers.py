"""The drawing of the layers is the one that is checked."""

from __future__ import annotations

import re
import tomllib

from tests.conftest import REPOSITORY


def test_the_drawing_in_contributing_is_what_import_linter_checks() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = [layer.split(" | ") for contract in contracts for layer in contract.get("layers", [])]
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = text.split("## Layers")[1].split("```")[1].strip()
    # What each wing holds stands behind the names, after more space than between them.
    drawn = [re.split(r"\s+", line[:52].strip()) for line in drawing.splitlines()]
    assert drawn == checked
    wings = {path.stem for path in (REPOSITORY / "src" / "resi").iterdir() if not path.name.startswith("_")}
    assert wings - {"conf", "py"} == {wing for layer in checked for wing in layer}
