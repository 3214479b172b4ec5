"""Whatever there is, is documented: the reference is written from registries, and nothing in it lacks a text."""

from __future__ import annotations

import dataclasses
import inspect
import re
import tomllib
from typing import TYPE_CHECKING, ClassVar

import polars as pl
import pytest
from scripts.docs import api, columns, commands, docstrings, markdown, measures, plugins, reference, settings
from scripts.docs.places import DOCS, MODULES

import resi
from resi.cli import main
from resi.config.launchers import LAUNCHERS
from resi.config.schema import CompareConfig
from resi.domains.graph.datasets import catalogue as graph
from resi.domains.language.datasets import catalogue as language
from resi.domains.vision.datasets import catalogue as vision
from resi.errors import ResiError
from resi.groundings import SCORED
from resi.measures import MEASURES, statistics
from resi.registry import hookspecs
from resi.results import schema
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGES = sorted(path.name for path in (DOCS / "reference").glob("*.md"))


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    return {name: reference.filled((DOCS / "reference" / name).read_text(encoding="utf-8")) for name in PAGES}


def test_nothing_lacks_a_text(pages: Mapping[str, str]) -> None:
    lacking = [f"docs/reference/{name}: {gap}" for name, page in pages.items() for gap in markdown.gaps(page)]
    if lacking:
        pytest.fail("\n".join(["not documented, and where the text has to stand:", *lacking]), pytrace=False)


def test_every_part_of_the_reference_is_on_a_page() -> None:
    text = "".join((DOCS / "reference" / name).read_text(encoding="utf-8") for name in PAGES)
    assert sorted(reference.MARK.findall(text)) == sorted(reference.PARTS)


def test_everything_is_there(pages: Mapping[str, str]) -> None:
    """Counted from where it is defined, not through what the pages are written with."""
    heads = {name: set(re.findall(r"^#+ `([^`]+)`", page, re.MULTILINE)) for name, page in pages.items()}
    assert {kind.name for kind in MEASURES} <= heads["measures.md"]
    assert set(SCORED) <= heads["tests.md"]
    assert {name for name in vars(hookspecs) if name.startswith("resi_")} == heads["hooks.md"]
    assert {f"resi {name}" for name in main.COMMANDS} <= heads["commands.md"]
    assert {f"hydra/launcher={name}" for name in LAUNCHERS} <= heads["settings.md"]
    for module, page in zip((resi, resi.plot, resi.testing), MODULES.values(), strict=True):
        assert {f"{module.__name__}.{name}" for name in module.__all__} <= heads[page.removeprefix("reference/")]
    for name in (field.name for field in dataclasses.fields(CompareConfig)):
        assert f"`compare.{name}`" in pages["settings.md"]
    for name in (*schema.COMPARISONS, *schema.SCORES, *schema.PAIRWISE, *schema.CHANCE, *schema.AGGREGATES):
        assert f"`{name}`" in pages["columns.md"]
    for domain in (graph, language, vision):
        assert [item.name for item in domain.DATASETS if f"`{item.name}`" not in pages["datasets.md"]] == []
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert [name for name in scripts if name not in pages["commands.md"]] == []


def test_every_variable_that_is_read_is_documented() -> None:
    known, read = set(columns.meanings("reference/settings.md", "variable")), set(settings.read())
    lacking, unread = sorted(read - known), sorted(known - read)
    assert not lacking, f"no row in 'Variables of the environment' of docs/reference/settings.md: {', '.join(lacking)}"
    assert not unread, f"docs/reference/settings.md documents what nothing reads: {', '.join(unread)}"


def test_what_is_not_documented_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each kind is added without a word."""

    class Bare(statistics.MagnitudeDifference):
        name: ClassVar[str] = "bare"
        benchmark: ClassVar[bool] = True
        reference: ClassVar[str] = ""
        cost: ClassVar[str] = ""
        strength: int = 1

    Bare.__doc__ = ""
    monkeypatch.setattr(measures, "measures", lambda: {"bare": dataclasses.dataclass(Bare)})
    assert markdown.gaps(measures.overview() + measures.each()) == [
        "digits of measure bare, in docs/numerics.md, by nox -s numerics",
        "cost per pair of measure bare, in cost of its class",
        "definition of measure bare, in the docstring of its class",
        "cost per pair of measure bare, in cost of its class", "paper of measure bare, in reference of its class",
        "parameter strength of measure bare, in Parameters of the docstring of its class",
    ]  # fmt: skip

    known = columns.TABLES[0]._replace(columns={"bare": pl.String})
    monkeypatch.setattr(columns, "TABLES", (known,))
    assert markdown.gaps(columns.columns()) == ["column bare of Comparisons, in docs/results.md#comparisons"]

    monkeypatch.setattr(settings, "run_keys", lambda: {"bare": dataclasses.field(default=None)})
    assert markdown.gaps(settings.keys()) == ["key bare, in help= of its field in src/resi/config/schema.py"]

    monkeypatch.setattr(commands, "COMMANDS", {"bare": ("resi.cli.describe", "")})
    assert markdown.gaps(commands.overview()) == ["command bare, in its text in COMMANDS of src/resi/cli/main.py"]
    assert commands.unexplained(
        "options:\n  -h, --help  show this\n  --bare BARE\n  --out OUT\n              where\n"
    ) == ["--bare"]

    class BareError(ResiError):
        exit_code = 3

    BareError.__doc__ = ""
    try:
        monkeypatch.setattr(plugins, "error_types", lambda: [BareError])
        assert markdown.gaps(plugins.exit_codes()) == [
            "exit code 3, in the table of exit codes of docs/faults.md",
            "error BareError, in the docstring of its class",
        ]  # fmt: skip
    finally:
        monkeypatch.setattr(plugins, "error_types", lambda: [ResiError])

    def resi_bare() -> None: ...

    monkeypatch.setattr(plugins, "hooks", lambda: {"resi_measures": resi_bare})
    assert markdown.gaps(plugins.all_hooks()) == [
        "hook resi_measures, in its docstring in src/resi/registry/hookspecs.py"
    ]


def test_a_public_name_needs_a_text_for_each_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    def scale(R: object, by: float = 1.0) -> object:
        """Scale an array.

        Parameters
        ----------
        R : array
            Any.
        """
        return R, by

    page = api.Page("reference/api.md")
    assert markdown.gaps(page.section("resi.scale", scale, resi)) == ["resi.scale(by), in Parameters of its docstring"]
    text = "Scale an array.\n\nParameters\n----------\nR, by : array\n    Any.\n"
    monkeypatch.setattr(scale, "__doc__", text)
    assert markdown.gaps(page.section("resi.scale", scale, resi)) == []
    monkeypatch.setattr(scale, "__doc__", f"{text}to : array\n    None such.\n")
    with pytest.raises(ValueError, match="no parameter to"):
        page.section("resi.scale", scale, resi)
    monkeypatch.setattr(scale, "__doc__", "")
    assert markdown.gaps(page.section("resi.scale", scale, resi)) == [
        "resi.scale, in its docstring",
        "resi.scale(R), in Parameters of its docstring",
        "resi.scale(by), in Parameters of its docstring",
    ]


def test_docstrings_become_markdown() -> None:
    text = "See :func:`~resi.compare`, ``a | b`` and x<y; as\n- one\n- two\n\nThen::\n\n    code\n\nend"
    parts = ["See [`compare`](api.md#c), `a | b` and x&lt;y; as", "- one\n- two", "Then:", "```\ncode\n```", "end"]
    assert markdown.from_docstring(text, lambda name: {"resi.compare": "api.md#c"}[name]) == "\n\n".join(parts)
    entry = docstrings.parsed("T.\n\nReturns\n-------\nR, S : array\n    Two.\n").entries("Returns")
    assert entry == [docstrings.Entry(("R", "S"), "array", "Two.")]
    assert inspect.getdoc(resi.compare).startswith(docstrings.of(resi.compare).text)  # type: ignore[union-attr]
