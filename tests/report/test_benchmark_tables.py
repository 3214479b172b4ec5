"""The tables of the published benchmark, against slow formulas in plain Python on the raw values of a results file."""

from __future__ import annotations

import csv
import io
import itertools
import math
from statistics import mean, median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from resi.published.results import import_published
from resi.report.benchmark_tables import benchmark_tables
from resi.report.figures import rankings
from resi.report.grid_forms import grid_csv, grid_latex, grid_markdown
from tests.report.published_results import Network, Size, comparisons, measures, write
from tests.report.rows import frame, score

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from resi.report.grids import Grid, GridCell

    Comparisons = dict[tuple[str, str, str], float]

SIZE = Size(group=3, outputs=6, layered=3)
NETWORKS = {
    "graph": Network("GRAPHS", "flickr", "GraphSAGE"),
    "language": Network("NLP", "sst2", "BERT-L"),
    "vision": Network("VISION", "ImageNet100", "ResNet18"),
}
OTHER = Network("GRAPHS", "cora", "GCN")
MEASURES = {
    "cka": "CKA",
    "procrustes": "ProcrustesSizeAndShapeDistance",
    "jaccard": "JaccardSimilarity",
    "imd": "IMDScore",
}
TESTS = {
    "accuracy": "AbsoluteAccDiff",
    "outputs": "JSD",
    "random labels": "label_randomization",
    "shortcuts": "shortcut",
    "augmentation": "augmentation",
    "layers": "",
}


class Imported(NamedTuple):
    """The raw values of a results file, and the scores that were imported from it, and their tables."""

    raw: Comparisons
    scores: pl.DataFrame
    grids: dict[str, Grid]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """Return results of all three domains; imd has no value on ResNet18, and cka lacks one of BERT's."""
    raw: Comparisons = {}
    for network in (*NETWORKS.values(), OTHER):
        raw |= comparisons(network, list(MEASURES.values()), SIZE)
    raw |= {key: math.nan for key in raw if key[2] == "IMDScore" and "ResNet18" in key[0]}
    raw[_last("language", "Shortcut_0558", 0), _last("language", "Shortcut_0558", 1), "CKA"] = math.nan
    folder = tmp_path_factory.mktemp("published")
    found = import_published(write(folder / "results.parquet", raw), folder / "shards", "cls")
    assert found.problems == []
    return Imported(raw, found.scores, grids(found.scores))


def _last(domain: str, setting: str, seed: int) -> str:
    return NETWORKS[domain].layer(setting, seed, NETWORKS[domain].layers)


class Slow:
    """The published scores of one measure on one network, by loops over pairs."""

    def __init__(self, raw: Comparisons, network: Network, measure: str) -> None:
        self.raw, self.network, self.measure = raw, network, MEASURES[measure]
        self.sign = 1 if measures()[self.measure] else -1

    def similarity(self, a: str, b: str) -> float:
        found = self.raw.get((a, b, self.measure), self.raw.get((b, a, self.measure)))
        return math.nan if found is None else self.sign * found

    def groups(self, test: str) -> Iterator[tuple[list[float], list[float]]]:
        settings = self.network.groups[test]
        models = [(s, self.network.layer(s, seed, self.network.layers)) for s in settings for seed in range(SIZE.group)]
        for group in settings:
            own = [model for setting, model in models if setting == group]
            within = [self.similarity(a, b) for a, b in itertools.combinations(own, 2)]
            across = [self.similarity(a, b) for a in own for setting, b in models if setting != group]
            yield [v for v in within if not math.isnan(v)], [v for v in across if not math.isnan(v)]

    def auprc(self, test: str) -> float:
        found = []
        for within, across in self.groups(test):
            if not within:
                return math.nan
            total, before = 0.0, 0
            for threshold in sorted({*within, *across}, reverse=True):
                hits = sum(value >= threshold for value in within)
                retrieved = hits + sum(value >= threshold for value in across)
                total += (hits - before) / len(within) * hits / retrieved
                before = hits
            found.append(total)
        return mean(found)

    def conformity(self, test: str) -> float:
        return 1 - mean(mean(w <= a for w in within for a in across) for within, across in self.groups(test))

    def correlation(self, functional: str) -> float:
        kind = "accuracy" if functional == "AbsoluteAccDiff" else "output"
        x, y = [], []
        for a, b in itertools.combinations(range(SIZE.outputs), 2):
            sides = (self.network.layer("Normal", seed, self.network.layers) for seed in (a, b))
            x.append(-self.similarity(*sides))
            y.append(self.raw[self.network.output(a, kind), self.network.output(b, kind), functional])
        return spearman(x, y)

    def layers(self) -> tuple[float, float]:
        """Return the correlation and the conformity, means over models."""
        correlations, conformities = zip(*self.layers_of_models(), strict=True)
        return mean(correlations), mean(conformities)

    def layers_of_models(self) -> Iterator[tuple[float, float]]:
        for seed in range(SIZE.layered):
            names = [self.network.layer(self.network.layered, seed, n) for n in range(1, self.network.layers + 1)]
            rows, triples = [], []
            for order in (names, names[::-1]):
                for place, source in enumerate(order):
                    values = [self.similarity(source, target) for target in order[place + 1 :]]
                    rows += [spearman([-v for v in values], list(range(len(values))))] if len(values) > 1 else []
                    triples += [far > near for near, far in itertools.combinations(values, 2)]
            yield mean(rows), 1 - mean(triples)


def spearman(x: list[float], y: list[float]) -> float:
    if any(map(math.isnan, x)):
        return math.nan
    ranks = [[sum(v < w for v in side) + (sum(v == w for v in side) + 1) / 2 for w in side] for side in (x, y)]
    centred = [[rank - mean(side) for rank in side] for side in ranks]
    product = sum(a * b for a, b in zip(*centred, strict=True))
    return product / math.sqrt(math.prod(sum(a * a for a in side) for side in centred))


def ranks(values: list[float]) -> list[float]:
    """Return the published ranks of scores: the largest first, equal ones sharing the best."""
    return [math.nan if math.isnan(one) else 1 + sum(other > one for other in values) for one in values]


def grids(scores: pl.DataFrame) -> dict[str, Grid]:
    return {grid.name: grid for grid in benchmark_tables(scores)}


def cells(grid: Grid) -> dict[tuple[str, ...], GridCell]:
    """Return cells by the label of their row and the headings of their column."""
    return {(row.label, *head): cell for row in grid.rows for head, cell in zip(grid.heads, row.cells, strict=True)}


@pytest.mark.parametrize("domain", ["language", "vision"])
def test_the_figure_of_ranks_is_the_published_one_under_its_protocol(imported: Imported, domain: str) -> None:
    slow = [Slow(imported.raw, NETWORKS[domain], measure) for measure in MEASURES]
    columns = [ranks([one.correlation(by) for one in slow]) for by in ("AbsoluteAccDiff", "JSD", "Disagreement")]
    columns += [ranks([one.auprc(test) for one in slow]) for test in NETWORKS[domain].groups]
    of_models = zip(*([value for value, _ in one.layers_of_models()] for one in slow), strict=True)
    every = [rank for values in of_models for rank in ranks(list(values)) if not math.isnan(rank)]
    columns.append([mean(every)] * len(slow))
    expected = {}
    for measure, row in zip(MEASURES, zip(*columns, strict=True), strict=True):
        known = sorted(rank for rank in row if not math.isnan(rank))
        expected[measure] = (median(known), mean(known), len(known))
    drawn = {name: dict(found) for name, _, _, found in rankings(imported.scores)}
    assert list(drawn) == ["figure-ranks-published-models", "figure-ranks-published-models-published-protocol"]
    found = drawn["figure-ranks-published-models-published-protocol"][domain]
    for name, row, middle, average in zip(found.names, found.values, found.medians, found.means, strict=True):
        assert (middle, average, sum(~np.isnan(row))) == pytest.approx(expected[name.partition(" ")[0]])
    assert [name.partition(" ")[0] for name in found.names] == sorted(expected, key=lambda name: expected[name][:2])
    assert {row[2] for row in expected.values()} == ({1, 7} if domain == "vision" else {7})


@pytest.mark.parametrize("name", ["overview-published-models", "overview-published-models-published-protocol"])
def test_the_overview_has_all_tests_in_all_domains_as_a_slow_computation_has_them(
    imported: Imported, name: str
) -> None:
    grid = imported.grids[name]
    assert [head[1] for head in grid.heads[::3]] == list(TESTS)
    assert [head[-1] for head in grid.heads[:3]] == list(NETWORKS)
    checked = 0
    for (measure, _, test, _, domain), cell in cells(grid).items():
        slow = Slow(imported.raw, NETWORKS[domain], measure)
        is_lost = measure == "imd" and domain == "vision"
        if is_lost:
            assert (cell.value, cell.why_missing, cell.number) == (None, "undefined", "-")
            continue
        by = TESTS[test]
        expected = slow.layers()[0] if not by else slow.auprc(by) if by.islower() else slow.correlation(by)
        assert cell.value == pytest.approx(expected, abs=1e-12), (measure, test, domain)
        assert cell.is_partial == (measure == "cka" and test == "shortcuts" and domain == "language")
        checked += 1
    assert checked == 18 * 4 - 6
    assert grid.missing == [0, 0, 1] * 6
    assert "A dash: no score, 6 of 72 cells (6 undefined)." in grid.notes
    assert "†: some of the comparisons behind the score have failed, 1 of 72 cells." in grid.notes
    assert "graph: graphsage on flickr; 1 other is in the tables by test." in grid.notes
    assert "language: bert on sst2, cls pooling." in grid.notes


def test_the_table_of_a_test_has_all_networks_and_conformity(imported: Imported) -> None:
    found = cells(imported.grids["appendix/graph-augmentation-published-models-published-protocol"])
    assert len(found) == 4 * 2 * 2
    for (measure, dataset, _, metric), cell in found.items():
        slow = Slow(imported.raw, OTHER if dataset == "cora" else NETWORKS["graph"], measure)
        expected = slow.auprc("augmentation") if metric == "AUPRC" else slow.conformity("augmentation")
        assert cell.value == pytest.approx(expected, abs=1e-12)
    layers = cells(imported.grids["appendix/language-layer-monotonicity-published-models-published-protocol"])
    for measure in MEASURES:
        both = [layers[measure, "sst2", "bert, cls pooling", metric].value for metric in ("Spearman", "conformity")]
        assert both == pytest.approx(Slow(imported.raw, NETWORKS["language"], measure).layers(), abs=1e-12)
    outputs = imported.grids["appendix/vision-output-correlation-published-models"]
    assert [head[-1] for head in outputs.heads] == ["JSD, Spearman", "disagreement, Spearman"]


def test_the_published_tables_of_cora_come_out(published_cora: Path, tmp_path: Path) -> None:
    scores = import_published(published_cora / "results_layer_GAT.parquet", tmp_path).scores
    found = cells(grids(scores)["appendix/graph-layer-monotonicity-published-models-published-protocol"])
    with (published_cora / "scores_layer_GAT.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_name = {name: known for known, name in PUBLISHED.items()}
    expected: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        value = float(row["value"])
        metric, good = ("Spearman", value) if row["quality_measure"] == "correlation" else ("conformity", 1 - value)
        expected.setdefault((by_name[row["similarity_measure"]], metric), []).append(good)
    assert {(label, metric): cell.value for (label, _, _, metric), cell in found.items()} == pytest.approx(
        {key: mean(values) for key, values in expected.items()}, abs=1e-12
    )
    assert len(expected) == 42


def _published_names() -> dict[str, str]:
    from resi import registry

    return {name: registry.measures().get(name).published_name for name in registry.measures()}


PUBLISHED = _published_names()


def test_the_best_is_decided_before_rounding_but_as_published_after_it() -> None:
    rows = [
        score(
            measure,
            value,
            protocol=protocol,
            normalised=(value - 0.2) / 0.8,
            architecture="graphsage",
            dataset="flickr",
        )
        for protocol in ("corrected", "published")
        for measure, value in (("cka", 0.9012), ("rsa", 0.8988), ("gulp", 0.5))
    ]
    found = grids(frame(rows))
    column = ("by design", "augmentation", "AUPRC", "graph")
    best = {
        name: [label for label in ("cka", "rsa", "gulp") if cells(found[name])[label, *column].is_best]
        for name in ("overview", "overview-published-protocol")
    }
    assert best == {"overview": ["cka"], "overview-published-protocol": ["cka", "rsa"]}


def test_the_best_is_nearest_to_the_best_value_from_chance_where_chance_differs() -> None:
    # The second has lost comparisons, by which its chance is higher: 0.90 of 0.5 is less than 0.88 of 0.2.
    rows = [score("cka", 0.88, normalised=0.85), score("rsa", 0.9, normalised=0.8, chance=0.5, failed_pairs=20)]
    found = cells(grids(frame(rows))["overview"])
    column = ("by design", "augmentation", "AUPRC", "graph")
    assert [found[label, *column].is_best for label in ("cka", "rsa")] == [True, False]
    assert [found[label, *column].marks for label in ("cka", "rsa")] == ["", "†"]


@pytest.mark.parametrize(
    ("protocol", "p_value", "stars"),
    [
        ("corrected", 0.02, "*"), ("corrected", 0.026, ""), ("corrected", 0.005, "**"),
        ("published", 0.026, "*"), ("published", 0.01, "**"), ("published", 0.06, ""), ("published", None, ""),
    ],
)  # fmt: skip
def test_stars_are_p_values_of_one_side_but_as_published_of_two(
    protocol: str, p_value: float | None, stars: str
) -> None:
    about = {"test": "output_correlation", "metric": "spearman", "functional": "jsd", "chance": 0.0}
    grid = next(benchmark_tables(frame([score("cka", 0.5, protocol=protocol, p_value=p_value, **about)])))
    cell = cells(grid)["cka", "by prediction", "outputs", "JSD, Spearman", "graph"]
    assert (cell.stars, cell.is_best) == (stars, protocol == "published")
    assert any("side" in note for note in grid.notes) == (p_value is not None)


def test_what_is_not_in_the_results_is_a_dash_and_is_counted() -> None:
    rows = [
        score("cka", 0.9, "gcn"), score("cka", 0.8, "gat"), score("rsa", 0.7, "gat"),
        score("cka", 0.8, "gat", test="shortcut"), score("rsa", None, "gat", test="shortcut"),
    ]  # fmt: skip
    found = grids(frame(rows))
    grid = found["overview"]
    assert "graph: gat on cora; graphsage on flickr, which the published overview shows, has no scores; " \
        "1 other is in the tables by test." in grid.notes  # fmt: skip
    assert "No scores: language and vision." in grid.notes
    assert "A dash: no score, 9 of 12 cells (8 not in these results, 1 undefined)." in grid.notes
    assert grid.missing == [2, 2, 2, 1, 0, 2]
    full = found["appendix/graph-augmentation"]
    assert [head[1] for head in full.heads] == ["gat", "gcn"]
    assert full.missing == [0, 1]
    assert any(note.startswith("Not in these results: 22 measures of the 24") for note in full.notes)


def test_other_models_of_a_network_have_columns_of_their_own_and_what_is_ambiguous_is_no_score() -> None:
    rows = [
        score("cka", 0.9, compared="one"), score("cka", 0.8, compared="two"), score("rsa", 0.7, compared="two"),
        score("gulp", 0.7, compared="two", key="a"), score("gulp", 0.6, compared="two", key="b"),
        score("cka", 0.5, "gcn", pooling="mean"),
    ]  # fmt: skip
    grid = grids(frame(rows))["appendix/graph-augmentation"]
    assert grid.heads == [
        ("cora", "gcn, mean pooling", "AUPRC"), ("cora", "gcn", "AUPRC, run 1"), ("cora", "gcn", "AUPRC, run 2")
    ]  # fmt: skip
    found = cells(grid)
    assert found["gulp", "cora", "gcn", "AUPRC, run 2"].why_missing == "with several scores"
    assert found["gulp", "cora", "gcn", "AUPRC, run 1"].why_missing == "not in these results"


def test_of_two_poolings_the_overview_has_the_published_one() -> None:
    about = {"domain": "language", "dataset": "sst2", "architecture": "bert"}
    rows = [score("cka", value, pooling=pooling, **about) for pooling, value in (("mean", 0.5), ("cls", 0.9))]
    grid = grids(frame(rows))["overview"]
    assert [row.cells[4].number for row in grid.rows] == ["0.90"]
    assert len(grid.heads) == 6


def test_settings_of_ones_own_models_have_columns_where_a_test_looks_at_one() -> None:
    own = {"model_source": "own", "domain": "custom", "dataset": "mine", "architecture": "own"}
    by_outputs = {"test": "output_correlation", "metric": "spearman", "functional": "jsd"}
    rows = [
        score("cka", 0.9, **own), score("cka", 0.5, setting="plain", **by_outputs, **own),
        score("cka", 0.6, setting="mixup", **by_outputs, **own),
    ]  # fmt: skip
    grid = grids(frame(rows))["overview-your-own-models"]
    assert [(head[1], head[-1], cell.number) for head, cell in zip(grid.heads, grid.rows[0].cells, strict=True)] == [
        ("accuracy", "custom", "-"), ("outputs", "custom, mixup", "0.60"), ("outputs", "custom, plain", "0.50"),
        ("random labels", "custom", "-"), ("shortcuts", "custom", "-"), ("augmentation", "custom", "0.90"),
        ("layers", "custom", "-"),
    ]  # fmt: skip
    assert grid.notes[1] == "custom: own on mine."


def test_measures_stand_by_family_and_are_told_apart_by_parameters_and_origin() -> None:
    rows = [
        score("jaccard", 0.9, parameters='{"k":10}'), score("jaccard", 0.8, parameters='{"k":5}'),
        score("svcca", 0.7, origin="published", parameters='{"variant":"published"}'),
        score("unheard", 0.6), score("cka", 0.5),
    ]  # fmt: skip
    grid = grids(frame(rows))["overview"]
    assert [(row.label, row.family) for row in grid.rows] == [
        ("svcca (published results)", "cca"), ("cka", "kernel"),
        ("jaccard", "neighbours"), ("jaccard (k=5)", "neighbours"), ("unheard", "unknown"),
    ]  # fmt: skip
    assert "Not at their default parameters: svcca (variant=published)." in grid.notes


SMALL = [
    score("cka", 0.904, "gcn", p_value=0.001), score("rsa_&", -0.001, "gcn"), score("rsa_&", 0.5, "gat"),
    score("cka", 0.9, "gcn", test="shortcut"),
]  # fmt: skip


def test_latex_has_levels_of_headings_families_bold_and_stars() -> None:
    text = grid_latex(grids(frame(SMALL))["overview"])
    assert text.startswith("% \\usepackage{booktabs}\n\\begin{table}\n")
    assert r"& \multicolumn{2}{c}{by prediction} & \multicolumn{4}{c}{by design} \\" in text
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-7}" in text
    # The only score of a column is not its best.
    assert r"cka & -- & -- & -- & 0.90 & \textbf{0.90}\textsuperscript{**} & -- \\" in text
    assert r"rsa\_\& & -- & -- & -- & -- & 0.00 & -- \\" in text
    assert r"no score & 2 & 2 & 2 & 1 & 0 & 2 \\" in text
    for rule in ("toprule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1
    widths = {line.count("&") for line in text.splitlines() if line.startswith(("cka", "rsa", "no score", "measure"))}
    assert widths == {6, 7}  # that of the escaped name
    assert text.count("{") == text.count("}")


def test_a_wide_table_takes_the_width_of_the_page(imported: Imported) -> None:
    text = grid_latex(imported.grids["overview-published-models"])
    assert text.startswith("% \\usepackage{booktabs}, \\usepackage{graphicx}\n\\begin{table*}\n")
    assert "\\resizebox{\\textwidth}{!}{%\n\\begin{tabular}{" + "l" * 19 + "}" in text
    assert text.endswith("\\end{tabular}}\n\\end{table*}\n")
    assert text.count("{") == text.count("}")


def test_markdown_has_as_many_cells_in_each_line_and_says_what_marks_mean() -> None:
    grid = grids(frame(SMALL))["overview"]
    lines = grid_markdown(grid).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in table} == {9}
    assert table[0].startswith("| measure | family | by prediction<br>accuracy<br>Spearman<br>graph |")
    assert table[2] == r"| cka | kernel | - | - | - | 0.90 | **0.90**\*\* | - |"
    assert table[-1] == "| no score |  | 2 | 2 | 2 | 1 | 0 | 2 |"
    assert r"- \*, \*\*: p at most 0.025, 0.005 (one-sided, not corrected for the number of measures)." in lines


def test_csv_has_all_digits_and_nothing_else() -> None:
    rows = list(csv.reader(io.StringIO(grid_csv(grids(frame(SMALL))["overview"]))))
    assert rows[0][:3] == ["measure", "family", "by prediction / accuracy / Spearman / graph"]
    assert rows[1] == ["cka", "kernel", "", "", "", "0.9", "0.904", ""]
    assert rows[2] == ["rsa_&", "unknown", "", "", "", "", "-0.001", ""]
