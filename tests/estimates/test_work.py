"""What many runs come to together, against counting every comparison by its key."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import resi
from resi.cli.main import run_command
from resi.cli.plan import plan_sweep
from resi.config.many import compose_all, open_configs
from resi.errors import ResiError
from resi.estimates.counting import total_work
from resi.estimates.rates import Rate, Rates, _growth, measured_rates, shipped_comparisons
from resi.estimates.summary import summarize
from resi.measures.needs import Size
from resi.pipeline.planner import Planner
from resi.registry import domains, measures
from resi.results.summary import Stored
from resi.specs import ModelSpec, Trained
from resi.store.models import ModelStore
from resi.store.root import Store
from tests.conftest import TINY

if TYPE_CHECKING:
    from resi.pipeline.plan import Plan

# Runs that share models, pairs of models and whole comparisons with each other.
JOBS = [
    [*TINY, "test=augmentation", "measure=[cka,pwcca]"],
    [*TINY, "test=augmentation", "measure=[cka,rsa]"],
    [*TINY, "test=label_randomization", "measure=[cka,linear_regression]"],
    [*TINY, "test=accuracy_correlation", "measure=cka"],
    [*TINY, "test=output_correlation", "measure=cka"],
    [*TINY, "test=layer_monotonicity", "measure=[cka,pwcca]"],
    [*TINY, "test=augmentation", "measure=cka", "compare.subsample=100"],
]


def plans(root: Path, extra: tuple[str, ...] = ()) -> list[Plan]:
    planner = Planner(may_download=False)
    return [
        planner.plan(config)
        for config in compose_all([[*job, *extra, f"root={root}"] for job in JOBS], open_configs())
        if not isinstance(config, ResiError)
    ]


def check_counts(root: Path, stored: set[str], extra: tuple[str, ...] = ()) -> None:
    planned = plans(root, extra)
    total = total_work(planned, lambda error: pytest.fail(str(error)))
    by_key = {comparison.key: comparison.measure for plan in planned for comparison in plan.comparisons}
    found: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for work in total.works:
        for kind, count in work.comparisons.items():
            found[kind.name] += count
        for kind, count in work.left.items():
            left[kind.name] += count
    assert found == Counter(by_key.values())
    assert left == Counter(measure for key, measure in by_key.items() if key not in stored)
    models = {model: plan.model_store.has(model) for plan in planned for model, _ in plan.models}
    assert sum(len(work.models) for work in total.works) == len(models)
    assert sum(len(work.models_left) for work in total.works) == list(models.values()).count(False)
    taken = {(model, probe): plan.representations.has(model, probe) for plan in planned for model, probe in plan.models}
    assert sum(len(work.extractions) for work in total.works) == len(taken)
    assert sum(work.extractions_left for work in total.works) == list(taken.values()).count(False)


def test_each_model_and_comparison_of_many_runs_counts_once(root: Path) -> None:
    check_counts(root, set())
    done = [resi.run([*job, f"root={root}"]).comparisons for job in (JOBS[1], JOBS[3])]
    stored = {key for table in done for key in table["key"]}
    check_counts(root, stored)
    # What is made again is not done.
    check_counts(root, set(), ("compare.overwrite=always",))
    # Scoring makes none again.
    check_counts(root, stored, ("compare.overwrite=always", "stage=score"))


def test_failed_comparisons_are_to_do_where_they_are_made_again(root: Path) -> None:
    table = resi.run([*JOBS[0], f"root={root}", "compare.memory=1kB"]).comparisons
    of_measures = set(table["key"])
    assert set(table["status"]) == {"failed"}
    check_counts(root, of_measures)
    check_counts(root, set(), ("compare.overwrite=failed",))


def test_rates_of_this_root_stand_before_shipped_ones_at_a_like_size() -> None:
    rates = Rates({"cka": [Rate(1000, 64, 7.0)]})
    here = rates.comparison("cka", (1000, 64))
    assert here is not None
    assert here == (7.0, True)
    nearby = rates.comparison("cka", (1500, 64))
    assert nearby is not None
    assert nearby.is_measured_here
    far = rates.comparison("cka", (5000, 512))
    assert far == (next(rate.seconds for rate in shipped_comparisons()["cka"] if rate.samples == 5000), False)
    assert Rates().comparison("no_such_measure", (10, 10)) is None


def test_times_grow_as_declared_costs_do() -> None:
    # O(N D² + D³)
    rates = Rates({"procrustes": [Rate(1000, 100, 2.0)]})
    grown = rates.comparison("procrustes", (2000, 100))
    assert grown is not None
    assert grown.seconds == pytest.approx(2.0 * (2000 * 100**2 + 100**3) / (1000 * 100**2 + 100**3))


def test_times_of_draws_do_not_grow_beyond_them() -> None:
    def seconds(n_samples: int) -> float:
        found = Rates({"rtd": [Rate(300, 64, 1.0)]}).comparison("rtd", (n_samples, 64))
        assert found is not None
        return found.seconds

    assert seconds(150) == pytest.approx(1 / 4)
    assert seconds(500) == pytest.approx((500 / 300) ** 2)
    assert seconds(501) == pytest.approx(10 * seconds(500))
    assert seconds(599) == pytest.approx(seconds(501))


@pytest.mark.parametrize(
    "measure", ["rtd", "imd", "geometry_score", "jaccard", "rank_similarity", "rsm_norm_difference"]
)
def test_times_at_one_size_are_those_scaled_from_another(measure: str) -> None:
    rates = shipped_comparisons()[measure]
    for rate in rates[1:]:
        grown = rates[0].seconds * _growth(measure, rate[:2], rates[0])
        assert rate.seconds / 2 < grown < 2 * rate.seconds


def test_every_measure_of_the_benchmark_has_a_shipped_rate() -> None:
    wanted = [name for name in measures() if measures().get(name).benchmark]
    assert not [name for name in wanted if not shipped_comparisons().get(name)]


def test_a_training_is_estimated_by_the_epochs_it_has() -> None:
    def spec(epochs: int, architecture: str = "gcn") -> ModelSpec:
        return ModelSpec("graph", "digits_knn", "", architecture, "standard", 0, {"epochs": epochs}, 1)

    short, long = Rates().training(spec(10)), Rates().training(spec(20))
    assert short is not None
    assert long is not None
    assert long.seconds == pytest.approx(2 * short.seconds)
    assert Rates().training(spec(10, "unheard_of")) is None
    here = Rates(trainings={("graph", "digits_knn", "gcn", False): 3.0})
    assert here.training(spec(10)) == (30.0, True)
    # Reading takes another time.
    assert here.training(replace(spec(10), checkpoint="0")) is None


def test_a_training_is_estimated_by_the_layers_it_has(root: Path) -> None:
    """Measured on Cora: an epoch of six layers takes 3.5 times that of two, and 2.0 to 2.5 times that of three."""
    domain = domains().get("graph")()

    def spec(architecture: str, setting: str) -> ModelSpec:
        values = domain.hyperparameters(architecture, "cora", setting, {})
        return ModelSpec("graph", "cora", "", architecture, setting, 0, values, 1)

    for architecture, ratio in (("gat", 3.5), ("gcn", 2.05), ("graphsage", 2.55)):
        short, deep = spec(architecture, "standard"), spec(architecture, "six_layers")
        estimates = [Rates().training(model) for model in (short, deep)]
        assert estimates[0] is not None
        assert estimates[1] is not None
        assert estimates[1].seconds / estimates[0].seconds == pytest.approx(ratio, rel=0.15)
    # What one of a few epochs took here tells of those of many.
    models = ModelStore(Store(root))
    short = spec("gat", "standard")
    few = replace(short, hyperparameters={**short.hyperparameters, "epochs": 2})
    models.save(few, Trained({}, {}), 0.3, "cpu")
    found = measured_rates(Stored(), models, [few])["cpu"].training(spec("gat", "six_layers"))
    assert found == (pytest.approx(0.1 * 200 * 5.5), True)


def test_planning_a_sweep_prints_its_jobs_and_starts_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TINY, "test=augmentation,shortcut", "measure=cka,rsa"]
    assert run_command(["plan", "-m", *words]) == 0
    shown = capsys.readouterr().out
    assert "sweep: 4 jobs, 0 finished" in shown
    assert "rates measured with this data root: none" in shown
    assert "rates shipped with resi" in shown
    assert not root.exists()
    resi.run([*TINY, "test=augmentation", "measure=cka"])
    capsys.readouterr()
    assert run_command(["plan", "-m", *words]) == 0
    shown = capsys.readouterr().out
    assert "sweep: 4 jobs, 1 finished" in shown
    assert "rates measured with this data root: cka" in shown


def test_jobs_that_cannot_run_are_told_with_their_reason(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["plan", "-m", "model=gcn,pgnn", "measure=cka", "seeds=[0,1]"]) == 1
    found = capsys.readouterr()
    assert "will fail: model=pgnn measure=cka seeds=[0,1]: model=pgnn has no test=augmentation" in found.err
    assert "sweep: 2 jobs" in found.out


def test_a_suite_is_planned_without_its_datasets(root: Path) -> None:
    _, jobs, planned, problems = plan_sweep(["suite=paper_graph", "dataset=cora", "measure=cka"])
    assert (len(jobs), len(planned), problems) == (23, 23, {})
    assert [plan for plan in planned if plan.absent is None] == []
    total = total_work(planned, lambda error: pytest.fail(str(error)))
    # Ten standard models, two more levels of random labels and augmentation, three of shortcuts, and six layers.
    by_place = {work.place: len(work.models) for work in total.works}
    assert by_place["graph", "cora", "gcn"] == 10 + 2 * 5 + 3 * 5 + 2 * 5 + 5
    assert by_place["graph", "cora", "pgnn"] == 10 + 2 * 5 + 3 * 5 + 5
    assert not root.exists()


def test_memory_is_that_of_the_most_demanding_layer_that_is_compared(root: Path) -> None:
    words = ["domain=vision", "dataset=imagenet100", "model=resnet101", "measure=rsa", f"root={root}"]
    configs = compose_all([[*words, f"test={test}"] for test in ("layer_monotonicity", "augmentation")], open_configs())
    planner = Planner(may_download=False, needs_datasets=False)
    by_test = {}
    for config in configs:
        assert not isinstance(config, ResiError)
        summary = summarize([planner.plan(config)], [False], lambda error: pytest.fail(str(error)))
        (work,), rsa = summary.total.works, config.measures["rsa"]
        by_test[config.test.name] = summary.memory
        assert [job.memory for job in summary.jobs] == [summary.memory]
        if config.test.name == "layer_monotonicity":
            # The third stage of the network: 1024 channels, the fourth: 2048, both of 7 x 7 cells.
            assert (5000, 1024, 7, 7) in work.shapes
            assert by_test["layer_monotonicity"] == 2 * rsa.memory_needs(Size(5000, 2048 * 49, 4)).of_one
    assert by_test["augmentation"] == 2 * measures().get("rsa")().memory_needs(Size(5000, 2048, 4)).of_one


def test_shipped_rates_are_data_alone() -> None:
    content = json.loads((Path(resi.__file__).parent / "estimates" / "rates.json").read_text())
    assert set(content) == {"cpu", "cuda"}
    for of_device in content.values():
        assert set(of_device) == {"machine", "epochs", "passes", "seconds"}
        assert all(value > 0 for name in ("epochs", "passes") for value in of_device[name].values())
        assert all(n > 0 and d > 0 and s > 0 for rates in of_device["seconds"].values() for n, d, s in rates)
    # Of a machine that is named, or there are none.
    assert all(bool(of_device["machine"]) == bool(of_device["seconds"]) for of_device in content.values())
