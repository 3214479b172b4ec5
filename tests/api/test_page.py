"""The page about comparing: its code runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "comparing.md"


def test_the_code_of_the_page_runs() -> None:
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    assert names["values"].shape == (3, 3)
    assert names["rows"] == names["columns"] == ["layer1", "layer2", "layer3"]
    assert set(names["scores"].filter(metric="auprc")["value"]) == {1.0}
