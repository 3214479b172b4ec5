"""The page of ``resi report``."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from resi.cli.main import run_command
from resi.report import page as page_module
from resi.report.page import make_page
from resi.results.schema import COMPARISONS, SCORES
from resi.results.shards import Shard
from tests.report.rows import finish, score
from tests.results.rows import comparison


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out, which take most of the time and have tests of their own."""
    monkeypatch.setattr(page_module, "domain_figures", lambda scores: [])


ATTACKS = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</style></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;",
]


class Structure(HTMLParser):
    """All elements with the names of their attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # where a name may go on in the next line
            self.elements.append((tag, [name for name, _ in attrs]))

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(folder: Path, texts: dict[str, str]) -> Shard:
    """Return tables in which every column of text holds the text of its name; the test alone has to be a known one.

    One score more lacks what columns show only where it differs.
    """
    of_scores = {name: texts[name] for name, dtype in SCORES.items() if dtype == pl.String}
    of_rows = {name: texts[name] for name, dtype in COMPARISONS.items() if dtype == pl.String}
    known = {"test": "augmentation", "metric": "auprc"}
    less = dict.fromkeys(("setting", "pooling", "functional"), "")
    blank = score("", 0.5, low=0.3, high=0.6, normalised=0.4)
    scores = [
        {**blank, **of_scores, **known, "key": "a"},
        {**blank, **of_scores, **known, **less, "key": "b", "value": None},
        {**blank, **of_scores, "key": "c"},
    ]
    rows = [
        {**comparison("a"), **of_rows, "key": "a", "status": "ok"},
        {**comparison("b", None, "failed"), **of_rows, "status": "failed"},
    ]
    return finish(folder, scores, rows, finished=texts["test"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_string_that_came_from_a_file_is_text_on_the_page(tmp_path: Path, attack: str) -> None:
    names = [name for name, dtype in {**SCORES, **COMPARISONS}.items() if dtype == pl.String]
    plain = hostile(tmp_path / "plain", {name: f"{name}-" for name in names})
    attacked = hostile(tmp_path / "attacked", {name: f"{name}-{attack}" for name in names})
    expected, found = Structure(make_page(plain, ["a note-"])), Structure(make_page(attacked, ["a note-" + attack]))
    assert found.elements == expected.elements
    shown = ("test", "measure", "parameters", "architecture", "dataset", "domain", "setting", "pooling", "functional")
    for name in (*shown, "reason", "error", "note", "protocol", "resi_version", "a note"):
        assert f"{name}-{attack}" in found.text, name


def test_a_page_needs_nothing_beside_it_and_runs_its_own_script_alone(tmp_path: Path) -> None:
    page = make_page(finish(tmp_path, [score("cka", 0.9)], [comparison("a")]))
    structure = Structure(page)
    assert [tag for tag, _ in structure.elements if tag in ("script", "style", "link", "iframe", "object")] == [
        "style",
        "style",
        "script",
    ]
    attributes = {name for _, names in structure.elements for name in names}
    assert not {name for name in attributes if name.startswith("on")} | (attributes & {"style", "srcset"})
    outside = re.compile(r"<[^>]+\s(?:src|href)=[\"'](?!#|data:image/png)")
    body = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert not outside.search(body)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    allowed = html.unescape(policy)
    assert "default-src 'none'" in allowed
    assert "unsafe" not in allowed
    for kind, content in re.findall(r"<(script|style)[^>]*>(.*?)</\1>", page, flags=re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert re.search(f"{kind}-src[^;]*'sha256-{re.escape(digest)}'", allowed), kind


def text_of(page: str) -> str:
    """Return the text of a page, a bar between elements."""
    body = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    plain = html.unescape(re.sub(r"\s*<[^>]*>\s*", "|", body.replace("<wbr>", "")))
    return re.sub(r"\|[\s|]*", "|", plain)


def test_the_page_tells_ranks_counts_times_and_why_values_are_missing(tmp_path: Path) -> None:
    scores = [
        score("cka", 0.9, low=0.8, high=0.95, p_value=0.001),
        score("rsa", 0.3),
        score("gulp", None, reason="all pairs failed"),
    ]
    rows = [comparison(f"a{n}", measure="cka", parameters="{}", seconds=0.01, prepare_seconds=0.02) for n in range(3)]
    why = {"measure": "gulp", "parameters": "{}", "error": "ValueError: singular <matrix>"}
    rows += [comparison(f"b{n}", None, "failed", **why) for n in range(2)]
    page = text_of(make_page(finish(tmp_path, scores, rows)))
    assert "3 comparisons, 0 undefined, 2 failed" in page
    assert "|cka|1.0|0.900|0.80..0.95|" in page
    assert "|rsa|2.0|0.300|" in page
    assert "|cka|3|0|0|30|0.09|" in page
    assert "|2|gulp|ValueError: singular <matrix>|failed|x|" in page
    assert "Undefined (gulp): all pairs failed" in page


def test_notes_are_counted_by_measure_and_text_and_escaped(tmp_path: Path) -> None:
    few = "fewer samples than directions: <b>10</b> < 64"
    rows = [comparison(f"a{n}", measure="pwcca", parameters="{}", note=few) for n in range(3)]
    rows += [comparison("b", measure="cka", parameters="{}", note="another"), comparison("c", measure="rsa")]
    scores = [score("pwcca", 0.2, note="all values are ties"), score("cka", 0.9, note="")]
    page = make_page(finish(tmp_path, scores, rows))
    assert few not in page
    text = text_of(page)
    notes = text[text.index("|Notes|") :]
    assert f"|3|comparisons|pwcca|{few}|1|comparisons|cka|another|1|scores|pwcca|all values are ties|" in notes


def test_the_page_says_how_sure_ranks_are(tmp_path: Path) -> None:
    rows = [
        score(measure, 0.9 - place / 10, architecture, influences="[0.001, -0.001, 0.0005]")
        for place, measure in enumerate(("cka", "rsa", "gulp"))
        for architecture in ("gcn", "gat", "pgnn")
    ]
    text = text_of(make_page(finish(tmp_path, rows, [comparison("a")])))
    assert "|cka|1.0|1.0..1.0|" in text
    assert "3 measures have a rank in all 3 columns" in text
    assert "with a probability of 0.05 (Friedman test)" in text
    assert "less than\n1.9 apart" in text
    assert "|cka|is the best of 3 measures." in text
    assert "Best in" in text
    assert "|cka|1.0|1.0..1.0|100 %|" in text


def test_p_values_are_shown_with_the_smallest_there_can_be_and_corrected_on_request(tmp_path: Path) -> None:
    p_values = {"p_value": 0.011, "smallest_p": 0.008, "low": 0.5, "high": 0.95}
    shard = finish(tmp_path, [score("cka", 0.9, **p_values), score("rsa", 0.7, **p_values)], [comparison("a")])
    text = text_of(make_page(shard))
    assert "|p|least p|" in text
    assert "|0.0110|0.0080|" in text
    assert "They are not corrected for the number of measures" in text
    corrected = text_of(make_page(shard, correct="bonferroni"))
    assert "p-values corrected for the number of measures (Bonferroni)" in corrected
    assert "|p (Bonferroni)|least p|" in corrected
    assert "|0.0220|0.0160|" in corrected
    assert shard.scores()["p_value"].to_list() == [0.011, 0.011]


def test_the_overview_has_mean_ranks_of_all_tests_and_domains(tmp_path: Path) -> None:
    rows = [
        score("cka", 0.9),
        score("rsa", 0.3),
        score("cka", 0.1, test="shortcut"),
        score("rsa", 0.2, test="shortcut"),
    ]
    rows += [score("gulp", 0.05, test="shortcut")]
    text = text_of(make_page(finish(tmp_path, rows, [comparison("a")])))
    overview = text[text.index("|Mean ranks|") :]
    # Always first is 0 %, always last 100 %.
    heads = "|Measure|All tests|graph|Shortcuts|[3]|graph|Augmentation|[2]"
    assert overview.startswith(f"|Mean ranks{heads}|cka|25 %|2.0|1.0|rsa|50 %|1.0|2.0|gulp|100 %|3.0|-|")


def test_a_test_with_one_measure_ranks_nothing_and_a_parameter_makes_another_row(tmp_path: Path) -> None:
    rows = [score("cka", 0.9), score("rsa", 0.3), score("cka", 0.1, test="shortcut")]
    rows += [score("jaccard", 0.5, parameters='{"k":10}'), score("jaccard", 0.1, parameters='{"k":5}')]
    text = text_of(make_page(finish(tmp_path, rows, [comparison("a")])))
    overview = text[text.index("|[4]|") : text.index('"All tests" is')]
    ranks = "|cka|0 %|-|1.0|jaccard|33 %|-|2.0|rsa|67 %|-|3.0|jaccard (k=5)|100 %|-|4.0|"
    assert overview == f"|[4]{ranks}"


def test_a_measure_of_a_plugin_and_imported_results_are_marked(tmp_path: Path) -> None:
    rows = [score("mine", 0.9), score("cka", 0.8), score("cka", 0.7, origin="published", key="p")]
    text = text_of(make_page(finish(tmp_path, rows, [comparison("a", measure="mine", parameters="{}")])))
    overview = text[text.index("|Mean ranks|") : text.index("|Evidence:")]
    assert "All tests" not in overview, "there is one"
    assert "|mine|own|1.0|" in overview
    assert "|cka|2.0|" in overview
    assert "|cka|published|3.0" in overview
    first = "|Which similarity measure can be trusted?|mine|own|: mean rank 1.0 of 3 in|graph: augmentation|."
    assert first in text, "before the answer"
    assert "A measure of your own or of a plugin: not among the measures installed here." in text


def test_a_page_shows_no_folders_of_its_author(tmp_path: Path) -> None:
    error = "OSError: /home/ada/secret/data.pt and C:\\Users\\ada\\data.pt, https://example.org/a/b?token=abc"
    rows = [comparison("b", None, "failed", measure="cka", parameters="{}", error=error)]
    shard = finish(tmp_path / "run", [score("cka", 0.9, note="see /home/ada/x/y.txt")], rows)
    page = make_page(shard, ["shards in /home/ada/run are missing"], tmp_path)
    assert "ada" not in text_of(page)
    assert "…/data.pt and …/data.pt, https://example.org/a/b?token=***" in text_of(page)


def test_the_same_tables_give_the_same_page(tmp_path: Path) -> None:
    rows = [
        score(measure, 0.9 - 0.1 * n, a) for n, measure in enumerate(("cka", "rsa", "gulp")) for a in ("gcn", "gat")
    ]
    shard = finish(tmp_path, rows, [comparison("a")])
    assert make_page(shard) == make_page(shard)


def test_scores_that_do_not_say_what_was_compared_are_told_of(tmp_path: Path) -> None:
    told = "Some scores do not record their models"
    assert told not in make_page(finish(tmp_path / "a", [score("cka", 0.9)], [comparison("a")]))
    assert told in make_page(finish(tmp_path / "b", [score("cka", 0.9, compared=None)], [comparison("a")]))


def test_the_command_writes_the_page_of_merged_tables_and_of_one_shard(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = finish(root / "shards" / "one", [score("cka", 0.9)], [comparison("a")])
    assert run_command(["report"]) == 0
    results = root / "results"
    said = f"merged 1 shard into {results}\nwritten to {results / 'report.html'}\n"
    assert capsys.readouterr().err == said
    assert run_command(["report"]) == 0
    assert capsys.readouterr().err == f"written to {results / 'report.html'}\n"
    first = (root / "results" / "report.html").read_bytes()
    assert run_command(["report", str(root / "results"), "--out", str(tmp_path / "new" / "page.html")]) == 0
    assert (tmp_path / "new" / "page.html").read_bytes() == first
    assert run_command(["report", str(shard.folder), "--out", str(tmp_path / "shard.html")]) == 0
    assert "0.900" in (tmp_path / "shard.html").read_text(encoding="utf-8")
    assert run_command(["merge"]) == 0, "a report beside the tables is no stray"


def test_what_merged_tables_lack_is_merged_first_and_contradictions_are_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(root / "shards" / "one", [score("cka", 0.9)], [comparison("a", 1.0)])
    finish(root / "shards" / "two", [score("cka", 0.9)], [comparison("a", 2.0)])
    assert run_command(["merge"]) == 1
    finish(root / "shards" / "three", [], [comparison("b")])
    capsys.readouterr()
    assert run_command(["report"]) == 0
    assert f"merged 3 shards into {root / 'results'}\n" in capsys.readouterr().err
    page = (root / "results" / "report.html").read_text(encoding="utf-8")
    assert "missing from these tables" not in page
    assert str(root) not in page
    assert "contradict each other and have no value here; they are listed in conflicts.parquet" in page
    finish(root / "shards" / "one", [score("cka", 0.8)], [comparison("a", 2.0)])
    assert run_command(["report"]) == 0
    assert "contradict" not in (root / "results" / "report.html").read_text(encoding="utf-8")


def test_tables_that_hold_more_than_a_data_root_are_left_and_what_they_lack_is_told(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(root / "shards" / "one", [score("cka", 0.9)], [comparison("a", 1.0)])
    finish(tmp_path / "other" / "shards" / "two", [score("rsa", 0.9)], [comparison("b", 2.0)])
    assert run_command(["merge", str(root), str(tmp_path / "other")]) == 0
    merged = (root / "results" / "comparisons.parquet").read_bytes()
    finish(root / "shards" / "three", [], [comparison("c")])
    capsys.readouterr()
    assert run_command(["report"]) == 0
    said = f"1 shard in {root} is missing from these tables or changed since (first: three)."
    assert said in capsys.readouterr().err
    page = (root / "results" / "report.html").read_text(encoding="utf-8")
    assert "is missing from these tables or changed since (first: three)." in page
    assert str(root) not in page
    assert (root / "results" / "comparisons.parquet").read_bytes() == merged


def test_shards_that_were_left_out_or_made_again_are_told_of(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(root / "shards" / "one", [score("cka", 0.9)], [comparison("a", 1.0)])
    two = finish(root / "shards" / "two", [score("rsa", 0.9)], [comparison("b", 2.0)])
    (two.folder / "comparisons.parquet").write_bytes(b"")
    assert run_command(["merge"]) == 1
    capsys.readouterr()
    assert run_command(["report"]) == 0
    errors = capsys.readouterr().err
    assert "left out: " in errors
    assert "changed since (first: two). `resi-merge` says why" in errors
    finish(two.folder, [score("rsa", 0.9)], [comparison("b", 2.0)])
    assert run_command(["report", str(root / "shards"), "--out", str(root)]) == 0
    assert capsys.readouterr().err == f"merged 2 shards into {root / 'results'}\nwritten to {root / 'report.html'}\n"
    assert run_command(["report"]) == 0
    assert capsys.readouterr().err == f"written to {root / 'results' / 'report.html'}\n"


def test_what_cannot_be_reported_is_one_line(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", str(tmp_path / "nowhere")]) == 2
    assert "nowhere is not a folder; name a data root" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run_command(["report", str(tmp_path / "empty")]) == 2
    assert "empty holds no finished runs; finish a run there" in capsys.readouterr().err
    shard = Shard(root / "shards" / "begun")
    shard.add(comparison("a"))
    shard.flush()
    assert run_command(["report", str(shard.folder)]) == 2
    assert "begun is unfinished; repeat its run" in capsys.readouterr().err
    whole = finish(root / "shards" / "one", [score("cka", 0.9)], [comparison("a")])
    (whole.folder / "scores.parquet").write_bytes(b"")
    assert run_command(["report", str(whole.folder)]) != 0
    assert "scores.parquet is damaged" in capsys.readouterr().err
    assert not list(root.rglob("*.html"))


def test_a_page_is_written_over_pages_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results"
    finish(folder, [score("cka", 0.5)], [comparison("k")], kind="merged")
    tables = folder / "comparisons.parquet"
    before = tables.read_bytes()
    assert run_command(["report", str(folder), "--out", str(tables)]) == 2
    assert f"{tables} is not an HTML page and is left as it is" in capsys.readouterr().err
    assert tables.read_bytes() == before
    assert run_command(["report", str(folder)]) == 0
    assert run_command(["report", str(folder)]) == 0


def test_the_overview_of_the_benchmark_has_as_many_columns_in_each_line(tmp_path: Path) -> None:
    rows = [score("cka", 0.904, p_value=0.001), score("<i>own", 0.3), score("cka", 0.8, test="shortcut")]
    page = make_page(finish(tmp_path, rows, [comparison("a")]))
    table = page[page.index('<table class="levels">') :].partition("</table>")[0]
    heads, body = table.split("<tbody>")
    spans = [sum(map(int, re.findall(r'colspan="(\d+)"', line))) for line in heads.split("<tr>")[1:]]
    assert spans == [6] * 4
    assert [line.count("<td>") for line in body.split("<tr>")[1:]] == [6, 6]
    assert "<td><b>0.90</b><sup>**</sup></td>" in body
    assert "&lt;i&gt;own" in body and "<i>" not in body
    assert "A dash: no score, 9 of 12 cells (9 not in these results)." in page
