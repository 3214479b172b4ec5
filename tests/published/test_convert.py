"""``resi convert`` of single configurations: what is selected, said, refused and written; files from anybody."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from resi.cli.main import run_command
from resi.config.compose import compose
from resi.config.many import open_configs
from resi.errors import UsageError
from resi.published.convert import reading
from resi.published.convert.configuration import convert
from resi.published.convert.reading import read_configuration
from resi.published.convert.rendering import command, grids, suite
from resi.published.names import published_models
from resi.sweeps.suite_files import load_suite
from resi.sweeps.suites import expand
from tests.conftest import DATA
from tests.published.configurations import document, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from resi.published.convert.outcome import Outcome

KNOWN = published_models()
GROUPS = "GroupSeparationExperiment"
CORA: dict[str, Any] = {
    "name": "cora",
    "type": GROUPS,
    "representation_dataset": "cora",
    "filter_key_vals": {
        "domain": "GRAPHS",
        "architecture": ["GCN"],
        "train_dataset": ["cora"],
        "identifier": ["Normal", "Augmentation_25", "Augmentation_100"],
        "seed": [0, 1, 2, 3, 4],
    },
    "grouping_keys": ["identifier"],
    "separation_keys": ["architecture"],
}


def changed(**filters: Any) -> dict[str, Any]:
    return {**CORA, "filter_key_vals": {**CORA["filter_key_vals"], **filters}}


def converted(*experiments: Any, **flags: Any) -> Outcome:
    return convert({"excluded_measures": ["GeometryScore"], **flags, "experiments": list(experiments)}, KNOWN)


def words(outcome: Outcome) -> list[str]:
    assert outcome.refused == []
    return [" ".join(job.words) for job in outcome.jobs]


def said(outcome: Outcome) -> str:
    return "\n".join(map(str, [*outcome.refused, *outcome.remarks]))


def language(**changes: Any) -> dict[str, Any]:
    filters = {"domain": "NLP", "token_pos": [0], **changes.pop("filter_key_vals")}
    return {"type": GROUPS, "grouping_keys": ["train_dataset"], "separation_keys": ["architecture"], **changes,
            "filter_key_vals": filters}  # fmt: skip


def test_the_defaults_of_a_run_are_not_spelt_out() -> None:
    assert words(converted(CORA)) == ["domain=graph dataset=cora model=gcn test=augmentation"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"seed": [0, 2]}, "seeds=[0,2]"),
        ({"identifier": ["Normal", "Augmentation_100"]}, "groups=2"),
        ({"identifier": ["Normal", *(f"Augmentation_{level}" for level in (25, 50, 75, 100))]}, "groups=5"),
        ({"identifier": ["Augmentation_75", "Augmentation_50"]}, "groups=[augmentation_50,augmentation_75]"),
    ],
)
def test_other_seeds_and_groups_are(filters: dict[str, Any], expected: str) -> None:
    (found,) = words(converted(changed(**filters)))
    assert found == f"domain=graph dataset=cora model=gcn test=augmentation {expected}"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"rerun_nans": True}, "compare.overwrite=failed"),
        ({"only_eval": True}, "stage=score"),
        ({"only_extract_reps": True}, "stage=representations"),
        ({"excluded_measures": None, "included_measures": ["CKA"]}, "measure=cka"),
        ({"excluded_measures": None, "included_measures": ["RSA", "CKA"]}, "measure=[cka,rsa]"),
        ({"excluded_measures": None}, "measure=[benchmark,geometry_score]"),
    ],
)  # fmt: skip
def test_flags_become_words(flags: dict[str, Any], expected: str) -> None:
    (found,) = words(converted(CORA, **flags))
    assert found.endswith(f"test=augmentation {expected}")


def test_accuracy_and_outputs_are_two_runs_and_one_sweep() -> None:
    filters = {"identifier": ["Normal"], "seed": list(range(10)), "architecture": ["GCN", "GAT"]}
    outcome = converted({**changed(**filters), "type": "OutputCorrelationExperiment", "use_acc_comparison": True})
    assert [command(grid) for grid in grids(outcome.jobs)] == [
        "resi -m domain=graph dataset=cora model=gat,gcn test=accuracy_correlation,output_correlation"
    ]
    assert len(outcome.jobs) == 4


def test_groups_of_architectures_and_of_datasets() -> None:
    across = {**changed(architecture=["GCN", "GAT"], identifier=["Normal"]), "grouping_keys": ["architecture"],
              "separation_keys": ["train_dataset"]}  # fmt: skip
    assert words(converted(across)) == [
        "domain=graph dataset=cora model=[gat,gcn] test=label_randomization by=architecture"
    ]
    both = language(
        representation_dataset="sst2",
        filter_key_vals={"architecture": ["BERT-L"], "train_dataset": ["sst2", "mnli"], "identifier": ["Normal"]},
    )
    (found,) = words(converted(both))
    assert found.startswith("domain=language dataset=sst2 model=bert test=label_randomization by=dataset trained_on=[")
    assert compose(found.split()).seeds == tuple(range(10))


def test_a_text_selects_all_that_is_part_of_it() -> None:
    outcome = converted(changed(identifier="Augmentation_100, Normal"))
    assert words(outcome) == ["domain=graph dataset=cora model=gcn test=augmentation groups=2"]
    assert "given as text instead of a list, it also selects names contained in it: Normal, Augmentation_100" in said(
        outcome
    )
    assert "one group, standard" in said(converted(changed(identifier="Normal")))


def test_models_under_several_names_are_one() -> None:
    names = ["Normal", "Augmentation_0", "RandomLabels_0", "RandomLabels_100"]
    outcome = converted(language(
        representation_dataset="sst2_mem_rate0",
        filter_key_vals={"architecture": ["BERT-L"], "identifier": names, "train_dataset": ["sst2", "sst2_mem_rate10"],
                         "seed": [0, 1, 2, 3, 4]},
    ))  # fmt: skip
    assert words(outcome) == ["domain=language dataset=sst2 model=bert test=label_randomization groups=2"]
    assert len(outcome.jobs[0].models) == 10


@pytest.mark.parametrize(
    ("experiment", "reason"),
    [
        ({**CORA, "type": "Other"}, "experiments[0].type: unknown 'Other'"),
        ({**CORA, "type": ["Other"]}, "experiments[0].type: unknown ['Other']"),
        ("text", "experiments[0]: expected a mapping, not 'text'"),
        (changed(seed=["0"]), "no model that resi knows has seed: 0"),
        (changed(train_dataset=["CIFAR10"]), "no model that resi knows has train_dataset: CIFAR10"),
        (changed(architecture=["GCN"], train_dataset=["mnli"]), "no model passes all of its filters"),
        (changed(width=[64]), "published models have no 'width'; expected domain, architecture, "),
        ({**CORA, "grouping_keys": "identifier"}, "expected a list of domain, architecture, "),
        ({**CORA, "grouping_keys": ["width"]}, "published models have no 'width'"),
        ({**CORA, "grouping_keys": []}, "there is nothing to tell apart"),
        ({**CORA, "grouping_keys": ["seed"]}, "one group of standard, augmentation_25"),
        ({**CORA, "grouping_keys": ["identifier", "seed"]}, "divide models of one setting"),
        ({**CORA, "separation_keys": ["identifier"]}, "gcn: one group, standard"),
        ({**CORA, "use_acc_comparison": "yes"}, "use_acc_comparison: expected true or false"),
        (changed(seed={"from": 0}), "filter_key_vals: expected a mapping"),
        (changed(identifier=["Augmentation_100", "Shortcut_0"]), "are no groups of one test"),
        (changed(architecture=["GCN", "GAT"]) | {"separation_keys": []}, "differ in setting and architecture"),
        ({**CORA, "type": "MonotonicityExperiment"}, "test=layer_monotonicity compares models of six_layers"),
        ({**CORA, "type": "OutputCorrelationExperiment"}, "test=output_correlation compares models of standard"),
    ],
)
def test_what_has_no_counterpart_is_refused_with_the_reason(experiment: Any, reason: str) -> None:
    outcome = converted(experiment)
    assert outcome.jobs == []
    assert reason in said(outcome)
    assert "\n" not in str(outcome.refused[0])


def test_one_experiment_that_is_refused_does_not_stop_the_others() -> None:
    outcome = converted({**CORA, "type": "Other"}, CORA)
    assert (len(outcome.jobs), len(outcome.refused)) == (1, 1)


@pytest.mark.parametrize(
    ("experiment", "flags", "remark"),
    [
        (CORA, {"batch": 3}, "batch: no counterpart: not a key"),
        ({**CORA, "colour": 1}, {}, "experiments[0].colour: no counterpart"),
        (CORA, {"threads": 8}, "threads: 8 is not converted"),
        (CORA, {"table_creation": {"format": 1}}, "table_creation.format: no counterpart"),
        (CORA, {"table_creation": {"filename": "a.csv"}}, "table_creation: resi-merge writes one table"),
        (CORA, {"raw_results_filename": "a.parquet"}, "raw_results_filename: comparisons are kept in shards"),
        (CORA, {"cache_to_disk": True}, "cache_to_disk: not needed"),
        (CORA, {"cache_to_mem": False}, "cache_to_mem: not needed"),
        (CORA, {"excluded_measures": ["Mine"]}, "no counterpart: Mine is the published name of no installed measure"),
        (CORA, {"excluded_measures": "CKA"}, "excluded_measures: different: the published code accepts only a list"),
        (CORA, {"included_measures": ["CKA"]}, "excluded_measures: different: the published code refuses it beside"),
        ({**CORA, "representation_dataset": "flickr"}, {}, "different: flickr; this test represents its models on"),
        (changed(identifier=[*CORA["filter_key_vals"]["identifier"], "Augmentation_5"]), {}, "none is Augmentation_5"),
        (CORA, {}, "experiments[0].name: not needed"),
        (CORA, {}, "models: different: models are trained here"),
    ],
)  # fmt: skip
def test_every_key_is_told(experiment: dict[str, Any], flags: dict[str, Any], remark: str) -> None:
    outcome = converted(experiment, **flags)
    assert len(words(outcome)) == 1
    assert remark in said(outcome)


def test_another_set_than_that_of_the_models_is_refused() -> None:
    experiment = language(
        representation_dataset="mnli",
        filter_key_vals={"train_dataset": ["sst2", "sst2_aug_rate10"], "architecture": ["BERT-L"], "seed": [0, 1],
                         "identifier": ["Augmentation_0", "Augmentation_100"]},
    )  # fmt: skip
    assert "models trained on sst2 are represented on mnli" in said(converted(experiment))
    experiment["representation_dataset"] = "sst2_sc_rate0558"
    outcome = converted(experiment)
    assert words(outcome) == ["domain=language dataset=sst2 model=bert test=augmentation groups=2 seeds=[0,1]"]
    assert "different: sst2_sc_rate0558; this test represents its models on sst2" in said(outcome)


def test_seeds_have_our_names_and_groups_that_lack_one_are_told() -> None:
    row = next(row for row in read_rows(DATA) if row["path"] == "language/mem_sst2_3_albert.yaml")
    outcome = convert(document(row), KNOWN)
    assert words(outcome) == ["domain=language dataset=sst2 model=albert test=label_randomization"]
    told = said(outcome)
    assert "label_randomization_100 is compared with seed 0 as well, of which no model is selected" in told
    assert "seed 123, 124, 125, 126, 127 of standard is 0, 1, 2, 3, 4 here" in told
    assert "seed 6 of label_randomization_75 is 0 here" in told


def test_a_misspelt_training_set_is_pointed_at() -> None:
    row = next(row for row in read_rows(DATA) if row["path"] == "language/sc_mnli_3.yaml")
    outcome = convert(document(row), KNOWN)
    assert (
        words(outcome)[0] == "domain=language dataset=mnli model=albert test=shortcut groups=[shortcut_0,shortcut_75]"
    )
    assert "none is selected by mnli_sc_rate1; those of that setting are called mnli_sc_rate10" in said(outcome)


def test_published_numbers_are_two_words_more() -> None:
    outcome = convert({"experiments": [CORA], "excluded_measures": ["GeometryScore"]}, KNOWN, as_published=True)
    assert words(outcome)[0].endswith("models.source=published protocol=published")
    assert "trained here" not in said(outcome)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "expected `experiments:`"),
        ({"experiments": []}, "expected `experiments:` with a list"),
        (
            {"experiments": [CORA], "only_eval": True, "only_extract_reps": True},
            "are both true, so there is nothing to do",
        ),
        ({"experiments": [CORA], "only_eval": "yes"}, "only_eval: expected true or false, not 'yes'"),
        ({"experiments": [CORA], "included_measures": ["Mine"]}, "no measure of resi is left"),
        ({"experiments": [CORA], "included_measures": {"CKA": 1}}, "included_measures: expected a list"),
        ({"experiments": [CORA], "table_creation": 1}, "table_creation: expected a mapping, not 1"),
        ({"output_parquet": "a"}, "parquets_to_merge: expected a list of files"),
    ],
)
def test_a_file_that_is_no_configuration_is_an_error(content: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        convert(content, KNOWN)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nb: *x\n", "line 2: an alias, which is not read"),
        ("a: !!python/object/apply:os.system [echo]\n", "line 1: could not determine a constructor"),
        ("a: 1\na: 2\n", "line 2: a is given twice"),
        ("b:\n  c: {d: 1, d: 2}\n", "line 2: d is given twice"),
        ("1: a\n", "line 1: a key that is not a text"),
        ("? [a]\n: b\n", "line 1: a key that is not a text"),
        ("a: " + "[" * 5000, "line 1: more than 12 levels"),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
        ("a: [1\n", "line 2: expected ',' or ']'"),
        ("a: 2024-01-01\n", "expected a text, a number, true or false"),
        ("a: " + "9" * 5000 + "\n", "integer string conversion"),
        ("- a\n", "is not a configuration: expected a mapping"),
        ("", "is not a configuration: expected a mapping"),
        ("a: \xff".encode("latin-1"), "'utf-8' codec"),
        ("a: \x07\n", "special characters are not allowed"),
    ],
)
def test_files_from_anybody_are_read_with_limits(tmp_path: Path, text: str | bytes, reason: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        read_configuration(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_or_not_there_is_an_error(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (reading.LARGEST + 1))
    with pytest.raises(UsageError, match="has more than 262144 bytes"):
        read_configuration(large)
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read: No such file"):
        read_configuration(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_configuration(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with some published configurations and a hostile one."""
    for row in read_rows(DATA):
        if row["path"] in (
            "graphs/graphs_augmentation_test_cora.yaml",
            "language/sc_sst2_3.yaml",
            "merging/example_merge.yaml",
        ):
            path = tmp_path / row["path"].rpartition("/")[2]
            path.write_text(yaml.safe_dump(document(row)), encoding="utf-8")
    hostile = {**CORA, "name": "a\n resi\x1b[2J"}
    (tmp_path / "hostile.yaml").write_text(
        yaml.safe_dump({"experiments": [hostile], "x\nrm -rf y": 1}), encoding="utf-8"
    )
    return tmp_path  # fmt: skip


def test_commands_are_printed_below_what_differs(files: Path, said: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = said("convert", str(files / "sc_sst2_3.yaml"))
    lines = out.splitlines()
    assert code == 0
    assert lines[-2:] == [
        "resi -m domain=language dataset=sst2 model=albert,bert test=shortcut",
        "resi -m domain=language dataset=sst2 model=albert,bert test=shortcut representation=mean",
    ]
    assert all(line.startswith("# ") for line in lines[:-2])
    assert any("mixes the same models with token_pos 0 and mean" in line for line in lines)


def test_output_is_a_script_whatever_stands_in_a_file(files: Path, said: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = said("convert", str(files / "hostile.yaml"))
    assert code == 0
    assert [line for line in out.splitlines() if not line.startswith("#")] == [
        "resi domain=graph dataset=cora model=gcn test=augmentation 'measure=[benchmark,geometry_score]'"
    ]
    assert "\x1b" not in out


def test_a_command_that_is_printed_can_be_planned(
    files: Path, root: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = said("convert", str(files / "graphs_augmentation_test_cora.yaml"))
    assert code == 1  # P-GNN is not converted
    assert "not converted: experiments[0], pgnn: one group, standard" in out
    command = shlex.split(out.splitlines()[-1])
    assert command[:2] == ["resi", "-m"]
    code, out, _ = said("plan", *command[1:])
    assert "3 jobs" in out


def test_a_merge_becomes_the_command_that_imports_results(
    files: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = said("convert", str(files / "example_merge.yaml"))
    assert code == 0
    assert out.splitlines()[-1].startswith("resi merge --published in100_augment_resnet18.parquet --published ")


def test_several_files_share_what_is_said_of_all(files: Path, said: Callable[..., tuple[int, str, str]]) -> None:
    names = [str(files / name) for name in ("sc_sst2_3.yaml", "graphs_augmentation_test_cora.yaml", "none.yaml")]
    code, out, err = said("convert", *names)
    assert code == 2
    assert "none.yaml cannot be read" in err
    assert out.count("# 2 files: raw_results_filename: ") == out.count("raw_results_filename") == 1


def test_a_suite_has_the_same_runs(files: Path, said: Callable[..., tuple[int, str, str]]) -> None:
    names = [
        str(files / name) for name in ("sc_sst2_3.yaml", "graphs_augmentation_test_cora.yaml", "example_merge.yaml")
    ]
    target = files / "conf" / "suite" / "mine.yaml"
    code, _, err = said("convert", *names, "--suite", str(target))
    assert code == 1
    assert f"resi --config-dir {files / 'conf'} suite=mine runs it" in err
    assert "a merge is not a run" in err
    loader = open_configs(files / "conf")
    expected = [job.words for name in names for job in convert(read_configuration(Path(name)), KNOWN).jobs]
    assert sorted(expand([], load_suite("mine", loader), loader)) == sorted(expected)
    assert said("convert", *names[2:], "--suite", str(target))[0] == 2  # it is there already


def test_files_of_one_name_both_stay_in_a_suite() -> None:
    jobs = converted(CORA).jobs, converted(changed(seed=[0, 1])).jobs
    content = yaml.safe_load(suite("two", [("a b", jobs[0]), ("a b", jobs[1])], ["first"]))
    assert content["grids"]["a_b"] == {"domain": "graph", "dataset": "cora", "model": "gcn", "test": "augmentation"}
    assert content["grids"]["a_b_2"] == content["grids"]["a_b"] | {"seeds": [0, 1]}


def test_json_has_the_same(files: Path, said: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = said("convert", "--json", str(files / "graphs_augmentation_test_cora.yaml"))
    (found,) = json.loads(out)
    assert code == 1
    assert [run["model"] for run in found["runs"]] == ["gat", "gcn", "graphsage"]
    assert [one["about"] for one in found["not converted"]] == ["experiments[0], pgnn"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--suite", "a.yml"], "the file of a suite is called NAME.yaml"),
        (["--suite", "a.yaml", "--json"], "--suite and --json: choose one"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    files: Path, said: Callable[..., tuple[int, str, str]], words: list[str], reason: str
) -> None:
    code, out, err = said("convert", str(files / "sc_sst2_3.yaml"), *words)
    assert (code, out) == (2, "")
    assert reason in err


def test_a_run_that_cannot_be_composed_is_not_printed(
    tmp_path: Path, said: Callable[..., tuple[int, str, str]]
) -> None:
    path = tmp_path / "one_seed.yaml"
    path.write_text(yaml.safe_dump({"experiments": [changed(seed=[0])]}), encoding="utf-8")
    code, out, _ = said("convert", str(path))
    assert code == 1
    assert "expected at least two seeds" in out
    assert all(line.startswith("#") for line in out.splitlines())


def test_the_help_fits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command(["convert", "--help"])
    assert "CONFIG.yaml" in capsys.readouterr().out
