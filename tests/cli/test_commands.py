"""The commands as a user types them: what they print, and one clear line with the right exit code for every mistake."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest

import resi
from resi import registry
from resi.cli.describe import describe
from resi.cli.main import COMMANDS, run_command
from resi.groundings import GROUNDINGS
from resi.registry.discovery import load_plugins
from tests.conftest import TINY

COMMAND = [sys.executable, "-c", "from resi.cli.main import main; main()"]


class Said(NamedTuple):
    """What a command has printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return what runs a command in this process: one of its own takes seconds to import what a run needs."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = run_command(list(words))
        return Said(code, *capsys.readouterr())

    return run


def process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure=ckaa"], "unknown measure 'ckaa'; did you mean cka"),
        (["measure=[cka,rsaa]"], "unknown measure 'rsaa'; did you mean rsa"),
        (["dataset=coraa"], "unknown dataset 'coraa'; did you mean cora? Known: cifar100, cora, "),
        (["model=gcnn"], "unknown model 'gcnn'; did you mean gcn or pgnn? Known: albert, "),
        (
            ["test=augmentations"],
            "unknown test 'augmentations'; did you mean augmentation? Known: ",
        ),
        (["domain=graphs"], "unknown domain 'graphs'; did you mean graph? Known: custom, graph, language, vision."),
        (["groups=4"], "groups=4: test=augmentation of domain=graph has groups=2, 3, 5"),
        (["groups=x"], "groups=x: expected 2, 3, 5, or a list such as [standard,label_randomization_50]"),
        (["measure=jaccard", "measure.jaccard.k=many"], "measure.jaccard.k=many: expected a whole number"),
        (
            ["measure=jaccard", "measure.jaccard.kk=3"],
            "unknown key 'measure.jaccard.kk'; did you mean",
        ),
        (["--version", "foo"], "resi --version foo: nothing can follow --version"),
        (["--help", "foo"], "resi --help foo: nothing can follow --help but a command"),
        (["-measure=cka"], "unknown option -measure=cka: keys of a run have no dashes; write measure=cka"),
        (["measure = cka"], "measure = cka: no spaces may stand around =; write measure=cka"),
        (["-m", "measure=cka", "--cfg", "job"], "--cfg prints the config of one run, not of a sweep"),
        (["suite=smoke", "--cfg", "job"], "--cfg prints the config of one run, not of a sweep"),
        (["list", "shards", "--root", "nope"], "--root nope: there is no such folder; name a data root"),
        (["list", "progress", "--root", "nope"], "--root nope: there is no such folder; name a data root"),
        (["list", "progress", "smokee"], "unknown name or pattern of progress: 'smokee'; did you mean smoke? Known: "),
        (["list", "measures", "zzz"], "unknown name or pattern of measures: 'zzz'. Known: "),
        (["list", "suites", "zzz", "--json"], "unknown name or pattern of suites: 'zzz'. Known: "),
        (["list", "shards", "zzz"], "no shards match 'zzz'; there are 0, see resi list shards"),
        (["new-measure", "mean-move", "--license", "NOPE"], "new-measure: --license NOPE: expected an SPDX expression"),
        (["sead=3"], "unknown key 'sead'; did you mean seeds or shards?"),
        (["model=gcn", "model.gat.epochs=5"], "model.gat.epochs is set, but gat is not chosen; add it to model=[...]"),
        (["seeds=3"], "seeds=3: expected a list such as [0,1], in quotes: 'seeds=[0,1]'"),
        (["seeds=[a]"], "seeds=[a]: expected a whole number"),
        (["seeds=0,1"], "seeds=0,1: for one run with all of them write a list, in quotes: 'seeds=[0,1]'"),
        (
            ["measure=cka,rsa"],
            "measure=cka,rsa: for one run with all of them write a list, in quotes: 'measure=[cka,rsa]'; for a run of "
            "each write resi -m measure=cka,rsa",
        ),
        (
            ["compare.threads=1,2"],
            "compare.threads=1,2: compare.threads has one value; for a run of each write resi -m",
        ),
        (["measure=[cka", "rsa]"], "measure=[cka: the list does not end with a bracket; write it without spaces"),
        (["measure=[cka rsa]"], "measure=[cka rsa]: put commas between names: 'measure=[cka,rsa]'"),
        (["measure="], "measure= has no value; leave it out for the default, or write a name that resi list measures"),
        (["model=[]"], "model is empty: leave it out for the default, or name one of gat, gcn, "),
        (
            ["model=resnet18"],
            "model=resnet18 is of domain=vision, not of domain=graph; write domain=vision model=resnet",
        ),
        (["dataset=cifar100"], "dataset=cifar100 is of domain=vision, not of domain=graph; write domain=vision"),
        (["stage=trains"], "unknown stage 'trains'. Known: all, compare, models, representations, score."),
        (["stage=comapre"], "unknown stage 'comapre'; did you mean compare or score?"),
        (["compare.isolate=perhaps"], "compare.isolate=perhaps: expected true or false"),
        (["mesure=cka"], "unknown key 'mesure'; did you mean measure? resi --help lists the keys"),
        (["=cka"], "an argument begins with =; write KEY=VALUE, such as measure=cka"),
        (["-m", "hydra.launcher.n_jobs=2"], "hydra.launcher.n_jobs is set, but the launcher has no such key; choose "),
        (["--verson"], "unknown option --verson; did you mean --version? Or see resi --help"),
        (["--measure=cka"], "unknown option --measure=cka: keys of a run have no dashes; write measure=cka"),
        (["--cfg", "jobs"], "--cfg/-c: invalid choice: 'jobs'"),
        (["-m", "test=augmentation,shortcut", "--cfg=job"], "--cfg prints the config of one run, not of a sweep"),
        (["--config-dir", "nowhere"], "--config-dir "),
        (["run", "measure=cka"], "unknown command 'run': a run is started without a command; write resi measure=cka"),
        (["sweep", "measure=cka,rsa"], "unknown command 'sweep': a run is started without a command; write resi -m m"),
        (["cka"], "unknown command 'cka': it is a measure; write resi measure=cka for a run, or resi describe cka"),
        (["resnet18"], "unknown command 'resnet18': it is a model; write resi domain=vision model=resnet18 for a run"),
        (["smoke"], "unknown command 'smoke': it is a suite; write resi -m suite=smoke to run it"),
        (["measures"], "unknown command 'measures': write resi list measures"),
        (["seeds"], "unknown command 'seeds': it is a key of a run; write resi seeds=VALUE, see resi --help"),
        (["list", "measure"], "unknown kind of resi list: 'measure'; did you mean measures? Known: "),
        (["list", "measures", "--jsn"], "list: unknown option --jsn; did you mean --json? Or see resi list --help"),
        (["show"], "show: missing: SHARD; see resi show --help"),
        (["show", "--root"], "show: --root needs a value; see resi show --help"),
        (["show", "UNKNOWN"], "UNKNOWN is neither a shard of "),
        (["report", "nowhere"], "nowhere is not a folder; name a data root, a folder of merged tables, a shard, or "),
        (["seeds=[0]"], "seeds=[0]: expected at least two seeds from 0 up, all different"),
        (["seeds=[1,1]"], "seeds=[1, 1]: expected at least two seeds from 0 up, all different"),
        (["compare.memory=lots"], "compare.memory=lots: expected a size such as 4GB or 512MiB, or auto"),
        (["compare.threads=0"], "compare.threads=0: expected a number from 1 up"),
        (["on_error=ignore"], "unknown on_error 'ignore'"),
        (["device=cuda:99", *TINY], "device=cuda:99: this machine has"),
        (["device=gpu", *TINY], "device=gpu: not a device; use auto, cpu, cuda or cuda:N"),
        (["model.gcn.activation=nothing", *TINY], "unknown activation of gcn 'nothing'"),
        ([*TINY, "model.gcn.heads=8"], "model.gcn.heads: unknown; gcn has layers, "),
        ([*TINY, "model.gcn.layers=1"], "model.gcn.layers=1: expected a number from 2"),
        (["model=gcn", "model.gcn.epochs=0"], "model.gcn.epochs=0: expected a number from 1"),
        ([*TINY, "model.gcn.dropout=1.5"], "model.gcn.dropout=1.5: expected a number from 0 to below 1"),
        (["compare.subsample=1"], "compare.subsample=1: expected a number from 2 up"),
        (
            ["lists"],
            f"unknown command 'lists'; did you mean list? Known: {', '.join(sorted(COMMANDS))}",
        ),
        (["descrbe"], "unknown command 'descrbe'; did you mean describe? Known: check-measure, "),
        (["list", "shards", "root=elsewhere"], "root=elsewhere is not a pattern of names: write --root elsewhere"),
        (["describe", "ckaa"], "unknown name 'ckaa'; did you mean cka? Known: "),
        (["protocol=publishd"], "unknown protocol 'publishd'; did you mean published? Known: corrected, published."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    command: Callable[..., Said], words: list[str], message: str, root: Path
) -> None:
    found = command(*words)
    assert found.returncode == 2, found.stderr
    lines = [line for line in found.stderr.splitlines() if line.startswith("resi: ")]
    assert len(lines) == 1, found.stderr
    assert lines[0].startswith(f"resi: {message}"), found.stderr
    assert "Traceback" not in found.stderr


def test_missing_files_are_one_line_and_exit_code_1(command: Callable[..., Said], root: Path, tmp_path: Path) -> None:
    found = command("dataset=cora", f"dataset.root={tmp_path}")
    assert found.returncode == 1
    assert found.stderr.startswith(f"resi: dataset.root={tmp_path} holds no Cora: expected the files ind.cora.allx")
    assert found.stderr.count("\n") == 1


def test_a_data_root_that_cannot_be_written_is_one_line(command: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = command(*TINY, "measure=cka", f"root={tmp_path / 'file' / 'below'}")
    assert found.returncode == 1
    assert found.stderr.startswith("resi: cannot ")
    assert str(tmp_path / "file") in found.stderr
    assert "Not a directory" in found.stderr
    assert "RESI_HOME" in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_run_prints_a_table_and_where_the_shard_is(command: Callable[..., Said], root: Path) -> None:
    found = process(*TINY, "measure=cka")
    assert found.returncode == 0, found.stderr
    for text in ("augmentation on digits_knn (corrected protocol)", "AUPRC", "chance", "gcn", "cka"):
        assert text in found.stdout
    for text in ("training models: 4/4", "extracting representations: 4/4", "comparing: 6/6", "written to"):
        assert text in found.stderr
    again = command(*TINY, "measure=cka")
    assert again.stdout == found.stdout
    assert f"finished before; read from {root / 'shards'}" in again.stderr
    assert "with 2 groups of 2 models no p-value can be below" in again.stderr
    assert not (Path.cwd() / "outputs").exists()  # Hydra's default litter


def test_help_lists_commands_and_every_key_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import fields

    from resi.cli.main import COMMANDS
    from resi.config.schema import SUBKEYS, RunSchema

    assert run_command(["--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    commands, what, how = (part.splitlines()[1:] for part in text.split("\n\n")[2:5])
    assert [line.split()[1] for line in commands if line.startswith("  resi ")] == [*COMMANDS]
    shown = [line.split()[0] for line in (*what, *how) if not line.startswith("   ")]
    keys = {field.name for field in fields(RunSchema)} - {"compare", "models"}
    keys |= {f"{group}.{field.name}" for group, schema in SUBKEYS.items() for field in fields(schema)}
    assert sorted(shown) == sorted(keys - {"dataset.name"})  # a dataset is chosen by dataset=NAME
    assert "measure=[cka,rsa]" in text


def test_help_of_a_run_is_that_of_resi(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["measure=cka", "--help"], ["-m", "test=augmentation", "-h"]):
        assert run_command(words) == 0
        text = capsys.readouterr().out
        assert "resi check-measure" in text
        assert "Hydra" not in text.splitlines()[0]


def test_the_keys_of_launchers_are_explained_in_the_docs() -> None:
    from dataclasses import fields

    from resi.config.launchers import LAUNCHERS

    table = (
        (Path(__file__).parents[2] / "docs" / "launchers.md").read_text().partition("## Keys")[2].partition("\n## ")[0]
    )
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    found = [
        (name, field.name, field.metadata["help"])
        for name, options in LAUNCHERS.items()
        for field in fields(options)
        if field.name != "_target_"
    ]
    assert [(name.strip("`"), key.strip("`"), text) for name, key, text in rows] == found


def test_list_prints_every_kind_as_table_and_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from resi.cli.list import KINDS, RESULTS

    for kind in set(KINDS) - {"progress"}:  # of all jobs of all suites, see tests/sweeps/test_progress.py
        assert run_command(["list", kind]) == 0
        table = capsys.readouterr().out
        assert run_command(["list", kind, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert all(row["name"] in table for row in rows)
    assert run_command(["list", "plugins", "--csv"]) == 0
    plugins = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert [row["name"] for row in plugins] == [info.name for info in load_plugins().infos]
    assert run_command(["list", "--json"]) == 0
    counts = {row["name"]: row["number"] for row in json.loads(capsys.readouterr().out)}
    assert set(counts) == {*KINDS, *RESULTS}
    assert counts["measures"] == len(registry.measures())
    assert run_command(["list", "measures", "r*", "--json"]) == 0
    assert all(row["name"].startswith("r") for row in json.loads(capsys.readouterr().out))


def test_everything_listed_can_be_described() -> None:
    domains = [registry.domains().get(name)() for name in registry.domains()]
    names = [*registry.measures(), *GROUNDINGS, *registry.domains()]
    names += [item.name for domain in domains for item in (*domain.datasets(), *domain.architectures())]
    for name in names:
        _, text, facts = describe(name)
        assert text
        assert facts
    facts = dict(describe("output_correlation")[2])
    assert "rank correlation, over pairs of models" in facts["spearman"]
    assert facts["against"] == "jsd, disagreement"
    facts = dict(describe("jaccard")[2])
    assert facts["parameters"] == "measure.jaccard.k=10, measure.jaccard.variant=corrected"
    assert facts["published as"] == "JaccardSimilarity"


def test_plan_tells_what_is_there_and_what_is_not(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def steps() -> dict[str, list[str]]:
        assert run_command(["plan", *TINY, "measure=cka"]) == 0
        shown = capsys.readouterr().out
        assert run_command(["plan", *TINY, "measure=cka", "--json"]) == 0
        steps = json.loads(capsys.readouterr().out)["steps"]
        for step in steps:  # the table says the same
            assert re.search(rf"{step['step']} +{step['all']} +{step['all'] - step['to do']} +{step['to do']} ", shown)
        return {
            step["step"]: [str(n) for n in (step["all"], step["all"] - step["to do"], step["to do"])] for step in steps
        }

    assert steps() == {
        "train models": ["4", "0", "4"],
        "extract representations": ["4", "0", "4"],
        "compare": ["6", "0", "6"],
    }
    assert not list(root.rglob("*.safetensors"))
    resi.run([*TINY, "measure=cka", "stage=models"])
    capsys.readouterr()
    assert steps()["train models"] == ["4", "4", "0"]
    resi.run([*TINY, "measure=cka"])
    capsys.readouterr()
    assert steps()["compare"] == ["6", "6", "0"]


def test_a_run_without_its_data_has_a_plan_that_says_what_is_missing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["plan", *TINY, "dataset=cora", f"dataset.root={tmp_path}", "measure=cka"]) == 0
    found = capsys.readouterr()
    assert found.err.startswith(f"not there yet: dataset.root={tmp_path} holds no Cora")
    assert "train models" in found.out
    assert "shard (" not in found.out  # its name depends on the data
    assert not root.exists()


def test_a_measure_is_described_with_its_notes() -> None:
    notes = describe("distance_correlation")[1].partition("Notes: ")[2]
    assert notes.startswith("Distances are not held")
    assert "Parameters" not in describe("jaccard")[1]


def test_a_domain_that_cannot_be_used_is_named_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        name = "broken"

        def datasets(self) -> None:
            raise SystemExit(3)

    found: registry.Registry = registry.Registry("domain")
    found.add("broken", Broken, "some-plugin", "1")
    found.add("graph", registry.domains().get("graph"), "resi", "1")
    monkeypatch.setattr("resi.registry.names.domains", lambda: found)
    assert [domain.name for domain in registry.usable_domains.__wrapped__()] == ["graph"]
    assert "left out: domain broken of some-plugin: SystemExit: 3" in capsys.readouterr().err


def test_the_module_is_the_command_and_says_versions() -> None:
    found = subprocess.run([sys.executable, "-m", "resi", "--version"], capture_output=True, text=True, check=True)
    expected = [f"resi {resi.__version__}", f"Python {sys.version.split()[0]}", f"torch {metadata.version('torch')}"]
    assert found.stdout.splitlines() == expected


def test_the_module_runs(root: Path) -> None:
    words = ["list", "measures", "ck*", "--json"]
    found = subprocess.run([sys.executable, "-m", "resi", *words], capture_output=True, text=True, check=True)
    assert [row["name"] for row in json.loads(found.stdout)] == ["cka"]


def test_without_a_word_the_kinds_are_shown(root: Path, command: Callable[..., Said]) -> None:
    for name in ("list", "describe"):
        assert command(name).returncode == 0
        assert f"resi {name} " in command(name).stdout
        for row in json.loads(command(name, "--json").stdout):
            words = shlex.split(row["example"])
            assert words[:2] == ["resi", name]
            assert row["about"]
            if row["number"]:  # else there is nothing yet
                said = command(*words[1:])
                assert (said.returncode, said.stderr) == (0, "")
                assert said.stdout.strip() != f"no {row['name']}"


def test_merge_combines_shards_and_tells_of_problems(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for measure in ("cka", "rsa"):
        shard = resi.run([*TINY, f"measure={measure}"]).shard
    capsys.readouterr()
    assert run_command(["merge"]) == 0
    assert "2 shards: 12 comparisons (0 failed) and 4 scores" in capsys.readouterr().err
    assert {path.name for path in (root / "results").glob("*.parquet")} == {"comparisons.parquet", "scores.parquet"}
    (shard / "scores.parquet").write_bytes(b"")
    assert run_command(["merge", str(root), "--out", str(root / "elsewhere")]) == 1
    assert f"left out: {shard / 'scores.parquet'} is damaged" in capsys.readouterr().err


def test_a_sweep_trains_each_model_once_and_writes_a_shard_a_job(root: Path) -> None:
    found = process("-m", *TINY, "measure=cka,rsa", "workers=1", "hydra/launcher=joblib")
    assert found.returncode == 0, found.stderr
    assert len(list((root / "shards").iterdir())) == 2
    models = list((root / "models").rglob("*.safetensors"))
    assert len(models) == 4
    for measure in ("cka", "rsa"):
        assert f"measure={measure}" in found.stdout
    # Each model has one lock, and its file has not been replaced: it is older than the representations taken from it.
    for model in models:
        taken = (root / "representations" / model.relative_to(root / "models").parent).glob(
            f"{model.stem[:-13]}/test-1-*"
        )
        assert model.stat().st_mtime_ns < min(path.stat().st_mtime_ns for path in taken)
    assert run_command(["merge"]) == 0


def test_a_job_that_fails_leaves_the_others_and_the_exit_code_tells(
    command: Callable[..., Said], root: Path, tmp_path: Path
) -> None:
    found = command("-m", *TINY, "measure=cka", "dataset=cora,digits_knn", f"dataset.root={tmp_path}")
    assert found.returncode == 1, found.stderr
    assert f"dataset.root={tmp_path} holds no Cora" in found.stderr
    assert "holds no Cora" in found.stdout  # in the table at the end, too
    assert "6 ok" in found.stdout
    assert len(list((root / "shards").iterdir())) == 1


def test_failed_comparisons_give_exit_code_1_and_say_what_to_do(command: Callable[..., Said], root: Path) -> None:
    found = command(*TINY, "measure=cka", "compare.memory=1kB")
    assert found.returncode == 1
    assert "compare.memory allows 1 kB; raise it" in found.stderr
    assert "compare.overwrite=failed computes them again" in found.stderr
    assert command(*TINY, "measure=cka").returncode == 1  # kept as it is
    assert command(*TINY, "measure=cka", "compare.overwrite=failed").returncode == 0


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_of_a_command_is_shown_after_help_as_well(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command([word, "compare"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: resi compare PATH")
