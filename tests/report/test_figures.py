"""Figures as parts of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from resi.errors import ResiError
from resi.report import assets
from resi.report.figures import as_svg, domain_figures
from tests.report.rows import frame, score

HOSTILE = """<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 width="72pt" height="36pt" version="1.1"><metadata><a/></metadata><script>alert(1)</script>
<style>*{color:red}</style><defs><path id="p" d="M0 0" style="stroke: #ff0000; fill: none"/></defs>
<g clip-path="url(#c)" onclick="alert(1)"><use xlink:href="#p" x="1"/><foreignObject/></g><clipPath id="c"/></svg>"""


def test_a_drawing_keeps_its_shapes_and_loses_styles_scripts_and_handlers() -> None:
    text = as_svg(HOSTILE, 'a "label" <b>', "one")
    root = ElementTree.fromstring(text)
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert sorted(tags) == ["clipPath", "defs", "g", "path", "svg", "use"]
    found = {element.tag.rpartition("}")[2]: dict(element.attrib) for element in root.iter()}
    assert found["path"] == {"id": "one-p", "d": "M0 0", "stroke": "#ff0000", "fill": "none"}
    assert found["use"] == {"href": "#one-p", "x": "1"}
    assert found["g"] == {"clip-path": "url(#one-c)"}
    assert (found["svg"]["role"], found["svg"]["aria-label"]) == ("img", 'a "label" <b>')


def test_each_domain_has_its_figures_and_long_names_have_room() -> None:
    names = ("cka", "rsa", "x" * 500)
    rows = [
        score(measure, 0.9 - 0.1 * n + 0.01 * m, architecture, domain=domain)
        for n, measure in enumerate(names)
        for m, architecture in enumerate(("gcn", "gat"))
        for domain in ("graph", "vision")
    ]
    found = domain_figures(frame(rows))
    assert [(figure.domain, figure.anchor) for figure in found] == [
        (domain, f"figure-{domain}-{name}")
        for domain in ("graph", "vision")
        for name in ("ranks", "critical-difference")
    ]
    assert all(" style=" not in figure.svg for figure in found)
    assert "<pattern" in found[0].svg  # the hatch of a measure whose family is not known
    for figure in found:
        referred = set(re.findall(r'(?:url\(|href=")#([^)"]+)', figure.svg))
        assert referred <= set(re.findall(r' id="([^"]+)"', figure.svg))
    assert domain_figures(frame(rows[:1])) == []


def test_a_library_of_another_form_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "EXPORTS", assets.DEFAULT)
    with pytest.raises(ResiError, match=r"install itables 2\.9"):
        assets.load_assets()
