"""Tables of the report as files."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.main import run_command
from resi.report.export import Table, as_csv, as_latex, as_markdown
from tests.report.rows import finish, score
from tests.results.rows import comparison

if TYPE_CHECKING:
    import pytest

TABLE = Table("name", "50 % of_it", ["measure", "score"], [["a_b & c|d", "0.5 [0.4, 0.6]"], ["=1+1", "-0.2"]], 1)


def test_csv_is_read_back_and_formulas_are_texts() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(TABLE))))
    assert rows == [["measure", "score"], ["a_b & c|d", "0.5 [0.4, 0.6]"], ["'=1+1", "-0.2"]]


def test_latex_is_booktabs_with_everything_escaped() -> None:
    text = as_latex(TABLE)
    assert r"\caption{50 \% of\_it.}" in text
    assert r"a\_b \& c|d & 0.5 {[}0.4, 0.6] \\" in text
    assert r"\begin{tabular}{lr}" in text
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1


def test_markdown_keeps_its_columns() -> None:
    lines = as_markdown(TABLE).splitlines()
    assert lines[0] == "| measure | score |"
    assert lines[1] == "|---|---:|"
    assert lines[2] == r"| a\_b & c\|d | 0.5 \[0.4, 0.6\] |"


def test_tables_of_somebody_else_are_left_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [score(measure, 0.5, architecture) for measure in ("cka", "rsa") for architecture in ("gcn", "gat")]
    finish(tmp_path / "run", rows, [comparison("a", measure="cka", parameters="{}")])
    (out := tmp_path / "mine").mkdir()
    (out / "models.csv").write_text("mine", encoding="utf-8")
    words = ["report", str(tmp_path / "run"), "--out", str(tmp_path / "page.html"), "--tables"]
    assert run_command([*words, str(out)]) == 2
    assert f"{out / 'models.csv'} is not of an earlier report and is left as it is" in capsys.readouterr().err
    assert [path.read_text(encoding="utf-8") for path in out.iterdir()] == ["mine"]
    assert run_command([*words, str(out / "models.csv")]) == 2
    assert f"--tables {out / 'models.csv'} is a file; name a folder" in capsys.readouterr().err


def test_the_command_writes_tables_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        score(measure, 0.9 - 0.2 * n + 0.01 * m, architecture, low=0.1, high=0.95)
        for n, measure in enumerate(("cka", "rsa"))
        for m, architecture in enumerate(("gcn", "gat"))
    ]
    finish(tmp_path / "run", rows, [comparison("a", measure="cka", parameters="{}")])
    old = [score("cka", 0.1, "gcn", low=0.05, high=0.2)]
    finish(tmp_path / "old", old, [comparison("a", measure="cka", parameters="{}")])
    out = tmp_path / "tables"
    words = ["report", str(tmp_path / "run"), "--tables", str(out), "--against", str(tmp_path / "old")]
    assert run_command(words) == 0
    printed = capsys.readouterr()
    assert f"tables and figures written to {out}" in printed.err
    assert printed.out.splitlines()[:6] == [
        "All measures in all tests, on one dataset and architecture of each domain",
        "measure  acc.  outputs  labels  shortcuts  augm.  layers",
        "────────────────────────────────────────────────────────",
        "graph",
        "rsa         -        -       -          -   0.71       -",
        "cka         -        -       -          -   0.91       -",
    ]
    assert all(len(line) <= 80 for line in printed.out.splitlines())
    names = {path.name for path in out.iterdir()}
    assert {"answers.md", "ranks.tex", "test-graph-augmentation.csv", "models.csv", "all_scores.csv"} <= names
    assert {f"{name}.{end}" for name in ("overview", "figure-ranks") for end in ("csv", "md", "tex")} <= names
    assert {path.name for path in (out / "appendix").iterdir()} == {
        f"graph-augmentation.{e}" for e in ("csv", "md", "tex")
    }
    for name in ("figure-graph-ranks", "figure-ranks"):
        assert {f"{name}.pdf", f"{name}.svg", f"{name}.png"} <= names
    ranks = list(csv.reader((out / "figure-ranks.csv").open(encoding="utf-8")))
    assert ranks[1:] == [["graph", "cka", "kernel", "1.00", "1.00", "2"], ["graph", "rsa", "rsm", "2.00", "2.00", "2"]]
    board = list(csv.reader((out / "test-graph-augmentation.csv").open(encoding="utf-8")))
    assert board[0] == ["measure", "mean rank", "gat, cora", "gcn, cora"]
    assert board[1] == ["cka", "1.0", "0.910 [0.10, 0.95]", "0.900 [0.10, 0.95]"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Compared with old: 1 score is in both, 1 of them with another value, 1 of these outside" in page
