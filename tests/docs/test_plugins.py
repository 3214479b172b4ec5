"""The plugins that the pages of domains show can be pasted: they load, and pass the check that is shown with them."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
import pytest

from resi import registry
from resi.config.register import own_store
from resi.registry import names
from resi.registry.discovery import PluginInfo, load_plugins
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PROBE = 500
"""The probe texts that the page of the language domain states."""


def shown(page: str) -> tuple[str, str, str]:
    """Return the plugin of a page, by its first line the name of its module, and the check after it."""
    blocks = BLOCK.findall((REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    (number,) = (number for number, code in enumerate(blocks) if code.startswith("# resi_"))
    return blocks[number].splitlines()[0].removeprefix("# ").removesuffix(".py"), blocks[number], blocks[number + 1]


@contextmanager
def installed(module: str, code: str, folder: Path) -> Iterator[None]:
    """Write a plugin's module, load it as if its distribution were installed, and forget it afterwards."""
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    plugins, info = load_plugins(), PluginInfo(module, module.replace("_", "-"), "1")
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        __import__(module)
        plugins.manager.register(sys.modules[module], name=info.key)
        plugins.add(info)
        try:
            yield
        finally:
            plugins.manager.unregister(sys.modules.pop(module))
            del plugins._records[info.key]
            forget()


def forget() -> None:
    """Let what exists be looked up once more."""
    for cached in (names._of_domains, names.usable_domains, own_store):
        cached.cache_clear()


def write_weather(folder: Path) -> None:
    for split, rows in (("train", 60), ("validation", PROBE)):
        texts = [f"{('sunny and warm', 'rain all day')[row % 2]} , day {row}" for row in range(rows)]
        table = pl.DataFrame({"text": texts, "label": [("sun", "rain")[row % 2] for row in range(rows)]})
        table.write_parquet(folder / f"{split}.parquet")


@pytest.mark.parametrize(
    ("page", "dataset", "network"),
    [("graph", "karate", "gin"), ("language", "weather", ""), ("vision", "bars", "perceptron")],
)
def test_a_plugin_can_be_pasted(page: str, dataset: str, network: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("resi.domains.vision.unfinished.SAVE_SECONDS", 0.0)  # so that a stop leaves something
    module, code, check = shown(page)
    write_weather(tmp_path)
    with installed(module, code, tmp_path):
        assert dataset in registry.datasets(page)
        assert not network or network in {info.name for info in registry.domains().get(page)().architectures()}
        exec(check, {"FOLDER": tmp_path})
    assert dataset not in registry.datasets(page)
