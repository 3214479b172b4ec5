"""Suites: which jobs they hold, and what further words make of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from resi.cli.main import run_command
from resi.config import many
from resi.config.compose import compose, compose_with
from resi.config.many import compose_all, open_configs
from resi.config.schema import RunConfig
from resi.errors import DatasetError, ResiError, UsageError
from resi.sweeps.jobs import Asked, split_words
from resi.sweeps.records import note_blocked, read_jobs
from resi.sweeps.report import print_report
from resi.sweeps.suite_files import Suite, load_suite, read_suite, suite_names
from resi.sweeps.suites import JobWords, expand, left_alone
from tests.conftest import TINY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.config_loader import ConfigLoader

TESTS = ["accuracy_correlation", "augmentation", "label_randomization", "layer_monotonicity", "output_correlation"]
TESTS += ["shortcut"]
SMALL = Suite(
    "small",
    "",
    {
        "one": {"domain": "graph", "dataset": "cora,flickr", "model": "gcn,gat", "test": "shortcut", "seeds": [0, 1]},
        "two": {"domain": "vision", "model": "tiny_vgg", "model.tiny_vgg.epochs": 2, "test": "shortcut,augmentation"},
    },
)


@pytest.fixture(scope="module")
def loader():
    return open_configs()


def value(job: JobWords, key: str) -> str | None:
    return next((word.partition("=")[2] for word in job if word.startswith(f"{key}=")), None)


def table(jobs: list[JobWords], *keys: str) -> list[tuple[str | None, ...]]:
    return sorted(tuple(value(job, key) for key in keys) for job in jobs)


def test_the_graph_suite_is_the_published_grid(loader) -> None:
    jobs = expand((), load_suite("paper_graph", loader))
    expected = [
        (dataset, model, test)
        for dataset in ("cora", "flickr", "ogbn_arxiv")
        for model in ("gat", "gcn", "graphsage")
        for test in TESTS
    ]
    expected += [("cora", "pgnn", test) for test in TESTS if test != "augmentation"]
    assert table(jobs, "dataset", "model", "test") == sorted(expected)


def test_the_language_suite_is_the_published_grid(loader) -> None:
    jobs = expand((), load_suite("paper_language", loader))
    for representation in (None, "mean"):
        encoders = [job for job in jobs if value(job, "representation") == representation]
        models = ("albert", "bert") if representation else ("albert", "bert", "smollm2")
        every = [(d, m, t) for d in ("mnli", "sst2") for m in models for t in TESTS]
        expected = [item for item in every if item[1:] != ("smollm2", "augmentation")]
        assert table(encoders, "dataset", "model", "test") == sorted(expected)
    two_groups = {
        (value(job, "dataset"), value(job, "model"), value(job, "test")) for job in jobs if value(job, "groups") == "2"
    }
    assert two_groups == {
        ("sst2", "smollm2", "label_randomization"),
        ("mnli", "smollm2", "label_randomization"),
        ("sst2", "bert", "augmentation"),
        ("sst2", "albert", "augmentation"),
        ("mnli", "albert", "augmentation"),
    }


def test_the_vision_suite_is_the_published_grid(loader) -> None:
    jobs = expand((), load_suite("paper_vision", loader))
    models = ("resnet101", "resnet18", "resnet34", "vgg11", "vgg19", "vit_b32", "vit_l32")
    every = [(d, m, t) for d in ("cifar100", "imagenet100") for m in models for t in TESTS]
    left_out = {("cifar100", model, "augmentation") for model in ("vit_b32", "vit_l32")}
    both = [("imagenet100", model, "label_randomization") for model in models]
    assert table(jobs, "dataset", "model", "test") == sorted([*(set(every) - left_out), *both])
    named = [job for job in jobs if value(job, "groups")]
    assert table(named, "dataset", "model", "test") == both
    assert {value(job, "groups") for job in named} == {"[standard,label_randomization_50,label_randomization_100]"}
    seeds = {value(job, "test"): value(job, "seeds") for job in jobs if value(job, "seeds")}
    assert seeds == {"layer_monotonicity": "[0,1,2,3,4,5,6,7,8,9]"}


def test_five_groups_replace_all_but_those_that_are_fixed(loader) -> None:
    suite = load_suite("paper", loader)
    jobs = expand(["groups=5", "measure=cka"], suite, loader)
    groups = {(value(job, "dataset"), value(job, "model"), value(job, "test")): value(job, "groups") for job in jobs}
    fixed = {
        ("sst2", "smollm2", "label_randomization"),
        ("mnli", "smollm2", "label_randomization"),
        ("sst2", "albert", "augmentation"),
        ("mnli", "albert", "augmentation"),
    }
    assert {about for about, number in groups.items() if number == "2"} == fixed
    assert {number for about, number in groups.items() if about not in fixed} == {"5"}
    # The two designs of random labels on ImageNet100 become one.
    assert len(jobs) == len(expand((), suite, loader)) - 7
    assert all(isinstance(config, RunConfig) for config in compose_all(jobs, loader))
    said = left_alone(["measure=cka", "groups=5"], suite)
    assert said.startswith("groups=5: the grids language_label_randomization_smollm2, language_augmentation_albert, ")
    assert not left_alone(["measure=cka"], suite)
    assert not left_alone(["groups=5"], load_suite("smoke", loader))
    assert {value(job, "groups") for job in expand(["groups=3"], load_suite("smoke", loader), loader)} == {"3"}


def test_the_paper_suite_is_its_three_parts(loader) -> None:
    parts = [job for name in ("graph", "language", "vision") for job in expand((), load_suite(f"paper_{name}", loader))]
    assert expand((), load_suite("paper", loader)) == parts


def test_the_smoke_suite_has_all_tests_of_all_domains_on_embedded_data(loader) -> None:
    jobs = expand((), load_suite("smoke", loader))
    assert table(jobs, "domain", "test") == sorted((d, t) for d in ("graph", "language", "vision") for t in TESTS)
    for config in compose_all(jobs, loader):
        assert isinstance(config, RunConfig)
        assert {item.name: item for item in config.domain.datasets()}[config.dataset].embedded


def test_every_job_of_every_suite_is_a_valid_run(loader) -> None:
    jobs = {job for name in suite_names(loader) for job in expand((), load_suite(name, loader))}
    assert not [found for found in compose_all(sorted(jobs), loader) if not isinstance(found, RunConfig)]


def test_a_comma_is_two_jobs_and_a_list_one_value() -> None:
    jobs = expand((), SMALL)
    assert len(jobs) == 4 + 2
    assert jobs[0] == ("domain=graph", "dataset=cora", "model=gcn", "test=shortcut", "seeds=[0,1]")
    assert jobs[4] == ("domain=vision", "model=tiny_vgg", "model.tiny_vgg.epochs=2", "test=shortcut")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["model=gcn"], [("graph", "cora", "gcn", "shortcut"), ("graph", "flickr", "gcn", "shortcut")]),
        (["model=[gcn]", "dataset=cora"], [("graph", "cora", "gcn", "shortcut")]),
        (["model=gat,tiny_vgg", "dataset=flickr", "test=shortcut"], "gat on flickr, tiny_vgg on flickr"),
        (["test=augmentation"], [("vision", None, "tiny_vgg", "augmentation")]),
    ],
)
def test_words_choose_among_the_jobs_of_a_suite(words: list[str], expected) -> None:
    found = table(expand(words, SMALL), "domain", "dataset", "model", "test")
    if isinstance(expected, str):  # a grid that names no dataset takes any; whether it exists is the job's to say
        expected = [("graph", "flickr", "gat", "shortcut"), ("vision", "flickr", "tiny_vgg", "shortcut")]
    assert found == expected


def test_other_words_replace_what_a_grid_says_or_multiply_its_jobs() -> None:
    jobs = expand(["seeds=[3,4]", "measure=cka,rsa"], SMALL)
    assert len(jobs) == 12
    assert {value(job, "seeds") for job in jobs} == {"[3,4]"}
    assert {value(job, "measure") for job in jobs} == {"cka", "rsa"}


def test_words_about_a_model_go_to_its_jobs_alone() -> None:
    jobs = expand(["model.gcn.epochs=7"], SMALL)
    assert [value(job, "model") for job in jobs if value(job, "model.gcn.epochs") == "7"] == ["gcn", "gcn"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=gcnn"], r"unknown model of suite=small: 'gcnn'; did you mean gcn\? Known: gat, gcn, tiny_vgg\."),
        (["model=gcn", "test=augmentation"], r"suite=small has no job with model=gcn test=augmentation"),
        (["model.vgg11.epochs=1"], r"model\.vgg11\.epochs=1: no job of this suite has model=vgg11"),
    ],
)
def test_words_that_fit_no_job_are_one_clear_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        expand(words, SMALL)


def test_words_without_a_suite_expand_as_hydra_does() -> None:
    assert expand(["test=shortcut", "measure=cka,rsa", "seeds=[0,1]"]) == [
        ("test=shortcut", "measure=cka", "seeds=[0,1]"),
        ("test=shortcut", "measure=rsa", "seeds=[0,1]"),
    ]


def test_a_suite_alone_is_no_run() -> None:
    with pytest.raises(UsageError, match="a suite is many runs"):
        compose(["suite=smoke"])


WORDS = [
    [],
    ["measure=[cka,rsa]", "seeds=[2,1]"],
    ["domain=vision", "model=[tiny_vgg,tiny_vit]", "model.tiny_vit.epochs=3", "test=shortcut", "groups=5"],
    ["domain=language", "representation=mean", "test=layer_monotonicity", "stage=models", "device=cpu"],
    ["protocol=published", "measure=[jaccard,gulp]", "measure.jaccard.k=7"],
    ["protocol=published", "dataset=cora", "models.source=published", "models.root=/there", "root=/here"],
    ["compare.subsample=50", "compare.memory=1GB", "compare.threads=1", "compare.overwrite=failed", "on_error=raise"],
    ["dataset=cora", "dataset.root=/data", "model=pgnn", "+measure.cka={}"],
    ["++seeds=[0,3]", "measure=cka"],
    ["test=layer_monotonicity", "seeds=[7]"],
    ["stage=models", "seeds=[7]"],
    ["seeds=[007,1_0]"],
    ["seeds=[ 4, 2 ]"],
    ["seeds=null"],
    ["model=[gcn,gat]", "by=architecture", "groups=[standard,augmentation_30]"],
    ["by=setting"],
]


def as_plain(config: RunConfig) -> dict[str, object]:
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    domain, test = fields.pop("domain"), fields.pop("test")
    del fields["composed"]
    return {**fields, "domain": (type(domain), vars(domain)), "test": (type(test), vars(test))}


def test_composing_together_gives_what_composing_each_gives(loader) -> None:
    for words, found in zip(WORDS, compose_all(WORDS, loader), strict=True):
        if words == WORDS[7]:  # the benchmark's measures are mappings already
            assert isinstance(found, RunConfig | UsageError)
            continue
        assert isinstance(found, RunConfig), found
        assert as_plain(found) == as_plain(compose(words)), words


@pytest.mark.parametrize(
    "words",
    [
        ["measure=ckaa"],
        ["model=tiny_vgg"],
        ["groups=4"],
        ["seeds=[1]"],
        ["seeds=[1,0,1]"],
        ["seeds=[]"],
        ["seeds=[0,1.5]"],
        ["seeds=[1]", "measure=ckaa"],
        ["seedz=[1,2]"],
        ["measure.rtd.trials=x"],
        ["domain=vision", "dataset=cora"],
        ["models.root=/there"],
    ],
)
def test_a_job_that_is_no_run_says_what_it_would_say_alone(words: list[str], loader) -> None:
    with pytest.raises(UsageError) as alone:
        compose(words)
    together = compose_all([["measure=cka"], words, ["measure=rsa"]], loader)
    assert str(together[1]) == str(alone.value)
    assert isinstance(together[0], RunConfig)
    assert isinstance(together[2], RunConfig)


def test_many_lists_of_seeds_take_no_more_configs_than_one(loader, monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[Sequence[str]] = []

    def counting(loader: ConfigLoader, words: Sequence[str]) -> RunConfig | ResiError:
        composed.append(words)
        return compose_with(loader, words)

    monkeypatch.setattr(many, "compose_with", counting)

    def count(lists: int) -> int:
        composed.clear()
        seeds = [(first, first + 1) for first in range(lists)]
        jobs = [[f"test={test}", f"seeds=[{a},{b}]"] for test in ("shortcut", "augmentation") for a, b in seeds]
        found = compose_all(jobs, loader)
        assert [config.seeds for config in found if isinstance(config, RunConfig)] == [*seeds, *seeds]
        return len(composed)

    assert count(20) == count(1) <= 2


def test_a_users_own_choices_are_composed_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "protocol").mkdir()
    (tmp_path / "protocol" / "mine.yaml").write_text("# @package _global_\nprotocol: corrected\nseeds: [5, 6]\n")
    mine, plain = compose_all([["protocol=mine"], []], open_configs(tmp_path))
    assert isinstance(mine, RunConfig)
    assert isinstance(plain, RunConfig)
    assert (mine.seeds, plain.seeds) == ((5, 6), (0, 1, 2, 3, 4))


def own_suite(folder: Path) -> None:
    (folder / "suite").mkdir(parents=True)
    lines = [f"    {word.replace('=', ': ', 1)}" for word in [*TINY, "test=augmentation,shortcut"]]
    (folder / "suite" / "mine.yaml").write_text("about: my own\ngrids:\n  tiny:\n" + "\n".join(lines) + "\n")


def test_a_suite_of_ones_own_runs_with_and_without_m_and_its_progress_is_told(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_suite(tmp_path / "conf")
    own = ["--config-dir", str(tmp_path / "conf")]
    assert run_command([*own, "suite=mine", "measure=cka", "test=shortcut"]) == 0
    assert "suite=mine: 1 job;" in capsys.readouterr().err
    assert len(list((root / "shards").iterdir())) == 1
    path = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    assert run_command([*own, "-m", path, "suite=mine", "measure=cka"]) == 0
    assert "read from its shard" in capsys.readouterr().out  # of the first sweep
    assert run_command(["plan", path, "suite=mine", "measure=cka"]) == 0
    assert "2 jobs" in capsys.readouterr().out
    assert run_command(["describe", "mine", *own]) == 0
    assert "resi --config-dir" in capsys.readouterr().out
    assert len(list((root / "shards").iterdir())) == 2
    assert run_command(["list", "progress", "mine", *own, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["words"], row["jobs"], row["done"]) for row in rows] == [
        ("mine", "", 2, 0),  # its name was given
        ("mine", "measure=cka", 2, 2),
        ("mine", "measure=cka test=shortcut", 1, 1),
    ]
    assert run_command(["list", "suites", "mi*", *own, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "mine", "jobs": 2, "about": "my own"}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["suite=smok"], "unknown suite 'smok'; did you mean smoke? Known: baseline, mine, paper, "),
        (["suite=smoke", "model=gat"], "unknown model of suite=smoke: 'gat'. Known: bert_tiny, gcn, tiny_vgg."),
        (["-m", "suite=mine", "groups=7"], "model=gcn model.gcn.epochs=2 "),
    ],
)
def test_a_suite_that_cannot_run_starts_nothing(
    words: list[str], message: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_suite(tmp_path / "conf")
    assert run_command(["--config-dir", str(tmp_path / "conf"), *words]) == 2
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("resi: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"resi: {message}"), said
    assert not (root / "models").exists()


@pytest.mark.parametrize("grid", ["null: 19", '"null": 19'])
def test_the_key_null_is_a_text_in_suites(grid: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"grids:\n  one:\n    seeds: null\n    {grid}\n  two: {{test: shortcut, null : 99}}\n")
    grids = read_suite("mine", path)["grids"]
    assert grids == {"one": {"seeds": None, "null": 19}, "two": {"test": "shortcut", "null": 99}}


def test_a_suite_without_grids_is_refused(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "empty.yaml").write_text("about: nothing\n")
    with pytest.raises(UsageError, match="suite=empty: expected `grids:`"):
        load_suite("empty", open_configs(tmp_path))


def write_suite(folder: Path, text: str, name: str = "mine") -> Path:
    (folder / "suite").mkdir(exist_ok=True)
    (folder / "suite" / f"{name}.yaml").write_text(text)
    return folder


CALLED = "hydra:\n  callbacks:\n    x:\n      _target_: pathlib.Path.touch\n      self: {path}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# @package _global_\ngrids:\n  a:\n    test: shortcut\n", "contains `@package`"),
        ("grids:\n  a:\n    test: shortcut\n" + CALLED, r"unknown key of suite=mine: 'hydra'\. Known: about, defaults"),
        ("grids:\n  a:\n    hydra.callbacks.x._target_: os.abort\n", r"unknown key in suite=mine: grids\.a: 'hydra\."),
        ("grids:\n  a:\n    +hydra.callbacks.x._target_: os.abort\n", r"unknown key in suite=mine: grids\.a: '\+hydra"),
        ("grids:\n  a:\n    hydra/launcher: joblib\n", "A grid has only keys of a run"),
        ("grids:\n  a:\n    test=shortcut hydra.x: 1\n", "unknown key in suite=mine"),
        ("grids:\n  a:\n    suite: smoke\n", "unknown key in suite=mine: grids.a: 'suite'"),
        ("grids:\n  a:\n    tests: shortcut\n", "did you mean test"),
        ("grids:\n  a:\n    shards: https://evil/${oc.env:HOME}\n", "in which .* is not resolved"),
        ("grids:\n  a:\n    measure: {cka: {_target_: os.abort}}\n", "expected a value or a list of values"),
        ("grids:\n  a:\n    test: [shortcut, augmentation]\n", "a run has one test"),
        ("defaults: [mine]\ngrids:\n  a:\n    test: shortcut\n", "suite=mine: mine includes mine, which never ends"),
        (
            "defaults:\n- /hydra/launcher: joblib\ngrids:\n  a:\n    test: shortcut\n",
            "expected the names of other suites",
        ),
        ("defaults: [nothing]\n", "unknown suite 'nothing'"),
        ("grids: !!python/object/apply:os.abort []\n", "cannot be read"),
    ],
)
def test_a_suite_is_data_and_is_checked_before_anything_is_composed(text: str, message: str, tmp_path: Path) -> None:
    write_suite(tmp_path, text.format(path=tmp_path / "called") if "{path}" in text else text)
    with pytest.raises(UsageError, match=message):
        expand((), load_suite("mine", open_configs(tmp_path)))


@pytest.mark.parametrize(
    "words", [["-m", "suite=mine"], ["plan", "suite=mine"], ["-m", "+suite=mine"], ["-m", "suite@x=mine"]]
)
def test_no_command_calls_what_a_suite_names(
    words: list[str], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(
        tmp_path, "# @package _global_\n" + CALLED.format(path=tmp_path / "called") + "grids: {a: {test: shortcut}}\n"
    )
    at = 1 if words[0] == "plan" else 0
    assert run_command([*words[:at], "--config-dir", str(tmp_path), *words[at:]]) == 2
    assert "contains `@package`" in capsys.readouterr().err
    assert not (tmp_path / "called").exists()


def test_a_suite_named_like_another_is_refused_and_a_wrong_one_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(tmp_path, "grids:\n  a:\n    tests: shortcut\n")
    assert run_command(["list", "suites", "*m*", "--config-dir", str(tmp_path), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["smoke"]["jobs"] == 18
    assert rows["mine"]["about"].startswith("cannot be used: unknown key in suite=mine")
    write_suite(tmp_path, "grids:\n  a:\n    test: shortcut\n", "smoke")
    for command in (["list", "suites"], ["plan", "suite=smoke"], ["describe", "smoke"]):
        assert run_command([command[0], *command[1:], "--config-dir", str(tmp_path)]) == 2
        assert "smoke.yaml has the name of another suite" in capsys.readouterr().err


def test_a_suite_takes_in_the_grids_of_others_in_order(tmp_path: Path) -> None:
    write_suite(tmp_path, "grids:\n  a: {test: shortcut}\n  b: {test: shortcut, seeds: [0, 1]}\n", "base")
    write_suite(tmp_path, "defaults: [base]\ngrids:\n  b: {test: augmentation}\n")
    loader = open_configs(tmp_path)
    assert load_suite("mine", loader).grids == {
        "a": {"test": "shortcut"},
        "b": {"test": "augmentation", "seeds": [0, 1]},
    }
    write_suite(tmp_path, "defaults: [_self_, base]\ngrids:\n  b: {test: augmentation}\n")
    assert load_suite("mine", loader).grids["b"] == {"test": "shortcut", "seeds": [0, 1]}


def test_words_about_one_model_of_a_sweep_go_to_its_jobs_alone() -> None:
    assert expand(["model=gcn,gat", "model.gcn.epochs=15"]) == [("model=gcn", "model.gcn.epochs=15"), ("model=gat",)]
    with pytest.raises(UsageError, match=r"model\.vgg11\.epochs=1: no job of this sweep has model=vgg11"):
        expand(["model=gcn,gat", "model.vgg11.epochs=1"])


def test_the_words_of_a_sweep_are_kept_from_hydra_but_for_those_of_its_launcher() -> None:
    words = ["-m", "--config-dir", "a=b", "model=gcn,gat", "model.gcn.epochs=2", "root=/r", "compare.threads=1"]
    start, asked = split_words([*words, "hydra/launcher=joblib"])
    assert start == ["-m", "--config-dir", "a=b", "root=/r", "compare.threads=1", "hydra/launcher=joblib"]
    assert asked == Asked(None, ("model=gcn,gat", "model.gcn.epochs=2", "root=/r", "compare.threads=1"))
    assert split_words(["test=shortcut"]) == (["test=shortcut"], None)
    other = ["-m", "hydra/sweeper=basic", "measure=cka,rsa"]  # which gets all words
    assert split_words(other) == (other, None)
    assert split_words(["suite=smoke", "test=shortcut"]) == (["-m"], Asked("smoke", ("test=shortcut",)))


def test_a_sweep_without_its_data_says_so_once_and_starts_nothing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "-m",
        *TINY[3:],
        "dataset=cora",
        f"dataset.root={tmp_path}",
        "measure=cka,rsa",
        "test=shortcut,augmentation",
    ]
    assert run_command(words) == 1
    found = capsys.readouterr()
    assert found.err.count("holds no Cora") == 1
    assert "none of the 4 jobs can run" in found.err
    assert "holds no Cora" not in found.out
    assert not (root / "models").exists()


def test_jobs_without_data_are_told_once_and_not_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = DatasetError("holds no Cora")
    note_blocked(tmp_path, 1, {("measure=cka", "shards=s3://a:b@c"): absent, ("measure=rsa",): absent})
    records = read_jobs(tmp_path)
    assert [(record["number"], record["outcome"]) for record in records] == [(1, "failed"), (2, "failed")]
    print_report(records)
    found = capsys.readouterr().out
    assert found.count("holds no Cora") == 1
    assert "2 x holds no Cora (first: measure=cka" in found
    assert "s3://***@c" in found
