"""The page as a browser shows it, opened from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resi.report.page import make_page
from tests.report.browser import Browser, browser
from tests.report.rows import finish, score
from tests.results.rows import comparison

ATTACK = "<script>window.attacked=1</script><img src=x onerror='window.attacked=1'>"
MEASURES = ("cka", "rsa", "gulp", "procrustes")
TABLE = "#test-graph-augmentation > .wide table"
# Boxes of text on the first screen that reach beyond the window or its column, or are too small to read.
ILLEGIBLE = """
const found = [];
const walker = document.createTreeWalker(document.getElementById("answer"), NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, box = node.parentElement;
  if (!node.textContent.trim() || box.closest("details:not([open])")) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const part of range.getClientRects()) {
    const size = parseFloat(getComputedStyle(box).fontSize);
    const least = box.matches(".mark") ? 12 : 15;
    if (part.left < 0 || part.right > arguments[0] || size < least) found.push(node.textContent);
  }
}
return found;
"""
# The contrast of text and background by the rules of WCAG.
CONTRAST = """
const light = (colour) => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
  const linear = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const behind = (box) => {
  for (; box; box = box.parentElement) {
    const colour = getComputedStyle(box).backgroundColor;
    if (!colour.endsWith(", 0)")) return colour;
  }
  return "rgb(255, 255, 255)";
};
const texts = "#answer p, #answer a, #answer h1, #answer h3, #answer h4, nav a, dd, dt";
return [...document.querySelectorAll(texts)].filter((box) => {
  const [a, b] = [light(getComputedStyle(box).color), light(behind(box))].sort();
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
}).map((box) => box.textContent);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with hostile names among its measures, datasets and errors."""
    scores = []
    for number, measure in enumerate((*MEASURES, ATTACK)):
        for place, architecture in enumerate(("gcn", "gat", ATTACK)):
            value = 0.95 - 0.1 * number - 0.01 * place
            influences = str([0.002 * (1 + number + (m % 3)) * (-1) ** m for m in range(15)])
            span = {"low": value - 0.1, "high": value + 0.04, "p_value": 0.001, "normalised": (value - 0.2) / 0.8}
            common = {**span, "influences": influences}
            scores.append(score(measure, value, architecture, **common))
            scores.append(score(measure, value, architecture, domain="vision", dataset=ATTACK, **common))
    few = "with 2 groups of 3 models no p-value can be below 0.1"
    scores += [score(measure, 0.5, domain="language", note=few, groups=2, models=6) for measure in MEASURES]
    rows = [comparison(f"{m} {n}", measure=m, parameters="{}") for m in MEASURES for n in range(3)]
    rows.append(comparison("x", None, "failed", measure=ATTACK, parameters=ATTACK, error=ATTACK))
    folder = tmp_path_factory.mktemp("page")
    path = folder / "report.html"
    run = finish(folder / "run", scores, rows, git="f" * 90, host=ATTACK)
    path.write_text(make_page(run, [ATTACK, "x" * 200]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as session:
        yield session


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_screen_is_legible_and_the_console_empty(
    chromium: Browser, page: Path, width: int, scheme: str
) -> None:
    chromium.open(page, width, scheme)
    assert chromium.run(ILLEGIBLE, width) == []
    assert chromium.run(CONTRAST) == []
    assert chromium.run("return Math.max(innerWidth, document.documentElement.scrollWidth)") <= width
    brightness = chromium.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(brightness) < 128) == (scheme == "dark")
    first = chromium.run("return document.querySelector('.lead').getBoundingClientRect().bottom")
    assert first < 450
    assert chromium.messages() == []


def test_hostile_strings_are_text(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    assert chromium.run("return window.attacked") is None
    assert chromium.run("return document.querySelectorAll('img[src=x], script').length") == 1, "the page's own script"
    assert ATTACK in chromium.run("return document.querySelector('.note').textContent")
    # Filters show the names of datasets once more.
    chromium.run("document.querySelectorAll('#scores thead th .dtcc-button')[2].click()")
    listed = chromium.run(
        "return [...document.querySelectorAll('.dtcc-dropdown')].map((box) => box.textContent).join()"
    )
    assert "onerror" in listed
    assert chromium.run("return window.attacked") is None
    assert chromium.run("return document.querySelectorAll('img[src=x]').length") == 0
    assert chromium.messages() == []


def first_column(chromium: Browser, table: str, column: int) -> list[str]:
    script = (
        "return [...document.querySelectorAll(arguments[0])].map((row) => row.cells[arguments[1]].innerText.trim())"
    )
    return chromium.run(script, f"{table} tbody tr", column)


def test_a_click_and_the_keyboard_sort_a_table(chromium: Browser, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.open(page)
    assert first_column(chromium, TABLE, 0)[:4] == list(MEASURES)
    heads = chromium.driver.find_elements("css selector", f"{TABLE} thead th")
    heads[0].click()
    chromium.wait(lambda: heads[0].get_attribute("aria-sort") == "ascending")
    names = first_column(chromium, TABLE, 0)
    assert names == sorted(names)
    heads[1].find_element("css selector", "[role=button]").send_keys(Keys.ENTER)
    chromium.wait(lambda: heads[1].get_attribute("aria-sort") == "ascending")
    assert first_column(chromium, TABLE, 0)[:4] == list(MEASURES)


def test_scores_are_filtered_by_domain_and_searched(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    assert set(first_column(chromium, "#scores table", 2)) == {"graph", "language", "vision"}
    chromium.driver.find_elements("css selector", "#scores thead th .dtcc-button")[1].click()
    choices = chromium.driver.find_elements("css selector", ".dtcc-dropdown .dtcc-list-buttons button")
    assert [choice.text for choice in choices] == ["graph", "language", "vision"]
    choices[1].click()
    chromium.wait(lambda: set(first_column(chromium, "#scores table", 2)) == {"language"})
    chromium.open(page)
    chromium.driver.find_element("css selector", "#scores input[type=search]").send_keys("procrustes")
    chromium.wait(lambda: set(first_column(chromium, "#scores table", 0)) == {"procrustes"})


def test_links_lead_to_a_measure_and_to_the_evidence(chromium: Browser, page: Path) -> None:
    chromium.open(page, 390)
    chromium.driver.find_element("css selector", ".best a").click()
    assert chromium.run("return document.querySelector(':target').id") == "measure-cka"
    place = chromium.run("return document.querySelector(':target').getBoundingClientRect().top")
    assert 0 < place < 450
    broken = """return [...document.querySelectorAll("a[href^='#']")].map((link) => link.getAttribute("href").slice(1))
        .filter((id) => !document.getElementById(id))"""
    assert chromium.run(broken) == []
    ids = (
        "const ids = [...document.querySelectorAll('[id]')].map((box) => box.id); return ids.length - new Set(ids).size"
    )
    assert chromium.run(ids) == 0


def test_a_screen_reader_has_names_for_everything(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    unnamed = """
        const boxes = [...document.querySelectorAll("table, [role=region], svg[role=img], img, section, nav")];
        const names = ["aria-label", "aria-labelledby", "alt"];
        return boxes.filter((box) => !box.caption && !names.some((name) => box.getAttribute(name)))
            .map((box) => box.outerHTML.slice(0, 80))"""
    assert chromium.run(unnamed) == []
    assert chromium.run("return [...document.querySelectorAll('thead th, tbody th')].every((head) => head.scope)")
    assert chromium.run("return document.querySelectorAll('h1').length") == 1


def test_without_scripts_the_tables_are_whole(chromium: Browser, page: Path) -> None:
    chromium.open(page, scripts=False)
    root = chromium.driver.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    rows = {"nodeId": root, "selector": "#scores tbody tr"}
    found = chromium.driver.execute_cdp_cmd("DOM.querySelectorAll", rows)["nodeIds"]
    chromium.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert len(found) == 2 * 5 * 3 + len(MEASURES)


def test_folded_parts_open_for_a_link_and_on_paper(chromium: Browser, page: Path) -> None:
    chromium.open(page, 390)
    folded = "return document.querySelectorAll('details:not([open])').length"
    assert chromium.run(folded) > 0
    chromium.run("window.dispatchEvent(new Event('beforeprint'))")
    assert chromium.run(folded) == 0
    assert chromium.run("return Math.max(innerWidth, document.documentElement.scrollWidth)") == 390
