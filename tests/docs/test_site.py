"""The site has every page, links that lead somewhere on it, and a check that says where a built one does not."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from scripts.docs import checking, staging
from scripts.docs.places import DOCS, relative

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def entries(nav: Any) -> Iterator[str]:
    """Yield the pages that the site's menu names."""
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from entries(entry)


def test_the_menu_names_every_page() -> None:
    config = tomllib.loads((REPOSITORY / "zensical.toml").read_text(encoding="utf-8"))["project"]
    named = list(entries(config["nav"]))
    assert len(named) == len(set(named))
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert written - set(named) == set()
    also = {staging.site_path(REPOSITORY / name) for name in staging.ALSO}
    assert set(named) - written <= also


def test_links_lead_to_pages_of_the_site() -> None:
    text, linked = staging.page(DOCS / "results.md")
    assert "](repository/src/resi/results/schema.py.md)" in text
    assert "](repository/benchmarks.md" in text
    assert "](tests.md#architectures-or-datasets-as-groups)" in text
    assert REPOSITORY / "src/resi/results/schema.py" in linked
    readme, _ = staging.page(REPOSITORY / "README.md")
    assert "](../images/report.png)" in readme
    assert "](../graph.md)" in readme
    assert "](docs/" not in readme
    listing, _ = staging.page(REPOSITORY / "conf" / "suite" / "baseline.yaml")
    assert "# conf/suite/baseline.yaml" in listing
    assert (REPOSITORY / "conf/suite/baseline.yaml").read_text(encoding="utf-8").strip() in listing


@pytest.mark.parametrize(
    ("target", "page", "link"),
    [
        ("a.md", "b.md", "a.md"),
        ("r/a.md#x", "b.md", "r/a.md#x"),
        ("a.md", "r/b.md", "../a.md"),
        ("r/a.md#x", "r/a.md", "#x"),
    ],
)
def test_links_are_relative(target: str, page: str, link: str) -> None:
    assert relative(target, page) == link


def test_code_is_not_taken_for_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "DOCS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text('# Page\n\n[a](a.md) <img src="p.png">\n\n```\n[b](../b.md)\n```\n[c](c.md#d)\n', encoding="utf-8")
    text, linked = staging.page(page)
    assert [path.name for path in linked] == ["a.md", "p.png", "c.md"]
    assert text == page.read_text(encoding="utf-8")


def test_a_page_that_links_to_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "ALSO", ())
    monkeypatch.setattr(staging, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(staging, "REPOSITORY", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Page\n\n[a](missing.md), NOT DOCUMENTED: this\n", encoding="utf-8")
    with pytest.raises(ValueError) as caught:
        staging.stage(tmp_path / "out")
    lines = [
        "docs/page.md links to docs/missing.md, which does not exist",
        "docs/page.md: not documented: this",
    ]
    assert str(caught.value).splitlines() == lines


def test_the_check_of_a_built_site_finds_what_is_wrong(tmp_path: Path) -> None:
    page = (
        '<a href="b.html#there">ok</a> <a href="b.html#gone">no part</a> <a href="c.html">none</a>'
        '<a href="https://example.org">may be followed</a> <a href="#own">ok</a> <h1 id="own"></h1>'
        '<script src="//cdn.example/x.js"></script>'
        '<link rel="stylesheet" href="https://fonts.example/f.css"> <link rel="canonical" href="https://example.org/">'
        '<pre class="mermaid"></pre> <img src="gone.png">'
    )
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    (tmp_path / "b.html").write_text('<h2 id="there"></h2>', encoding="utf-8")
    (tmp_path / "site.css").write_text("@font-face { src: url('https://fonts.example/f.woff'); }", encoding="utf-8")
    assert checking.problems(tmp_path) == [
        "a.html has a diagram that is drawn by a program from elsewhere; make it a picture",
        "a.html loads //cdn.example/x.js",
        "a.html loads https://fonts.example/f.css",
        "a.html links to b.html#gone, of which there is no such part",
        "a.html links to c.html, which is not there",
        "a.html links to gone.png, which is not there",
        "site.css loads https://fonts.example/f.woff",
    ]
    assert checking.problems(tmp_path / "nothing") == [f"{tmp_path / 'nothing'} has no pages"]
