"""docs/from_published.md: every name of ours in its tables exists, and stands beside the published one that it is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from resi import registry
from resi.cli.convert import make_parser
from resi.cli.help import help_texts
from resi.cli.main import COMMANDS
from resi.config.many import compose_all, open_configs
from resi.config.schema import RunConfig
from resi.domains.vision.published import CHECKPOINT
from resi.errors import ResiError
from resi.groundings import GROUNDINGS
from resi.published.convert import configuration, experiments, flags
from resi.published.names import FUNCTIONAL, measure_names, published_models
from resi.published.releases import releases
from resi.results.schema import COMPARISONS, SCORES
from resi.specs import ModelSpec
from resi.sweeps.suites import expand
from tests.conftest import REPOSITORY
from tests.published.test_convert_all import COUNTS
from tests.published.test_results import METRICS

PAGE = REPOSITORY / "docs" / "from_published.md"
CODE = re.compile(r"`([^`]+)`")


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of each table of the page, by its first heading."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            rows = []
        elif not rows:
            rows.append([])
            heading = line.split("|")[1].strip() + "|" + line.split("|")[2].strip()
            assert heading not in found
            found[heading] = rows = [[]]
        elif not line.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return {heading: [row for row in rows if row] for heading, rows in found.items()}


TABLES = tables()


def names(heading: str) -> dict[str, str]:
    """Return the first name in each of the first two cells of a table."""
    return {CODE.findall(row[0])[0]: CODE.findall(row[1])[0] for row in TABLES[heading]}


def test_measures_are_all_there() -> None:
    assert names("class|measure") == measure_names()
    assert names("functional measure|here") == FUNCTIONAL
    assert names("quality measure|metric") == METRICS


def test_architectures_are_all_there() -> None:
    known = {model.architecture: model.own.architecture for model in published_models()}
    assert names("published|`model=`") == known
    for row, model in zip(TABLES["published|`model=`"], known.values(), strict=True):
        domain = registry.domains().get(CODE.findall(row[2])[0])
        assert model in {item.name for item in domain().architectures()}


def test_training_sets_and_identifiers_mean_what_the_page_says() -> None:
    known = {
        (model.train_dataset, model.identifier): (model.own.dataset, model.own.setting) for model in published_models()
    }
    rows = TABLES["`train_dataset`|`identifier`"]
    for trained_on, identifier, dataset, setting in rows:
        pairs = list(zip(CODE.findall(trained_on), CODE.findall(identifier), strict=True))
        assert pairs
        for pair in pairs:
            assert [known[pair]] == list(zip(CODE.findall(dataset), CODE.findall(setting), strict=True)), pair
    said = {(CODE.findall(row[2])[0], CODE.findall(row[3])[0]) for row in rows}
    assert {dataset for dataset, _ in said} == {dataset for dataset, _ in known.values()}
    kinds = {setting.rpartition("_")[0] or setting for _, setting in known.values()}
    assert {setting.rpartition("_")[0] or setting for _, setting in said} == kinds


def test_every_key_that_is_converted_is_in_the_table() -> None:
    said = {key for row in TABLES["key|becomes"] for key in CODE.findall(row[0])}
    read = {*flags.READ, *flags.REMARKS, *experiments.KEYS, flags.EXPERIMENTS, "threads", configuration.PARTS}
    assert said == (read | {configuration.MERGED}) - {"name"}
    ours = {word for row in TABLES["key|becomes"] for word in CODE.findall(row[1])}
    for word in ours:
        key = word.partition("=")[0]
        is_known = (
            key in help_texts() or key in said or key.startswith(("resi", "--")) or key.split(".")[0] == "compare"
        )
        assert is_known, word


def test_types_are_tests() -> None:
    said = {CODE.findall(row[0])[0]: CODE.findall(row[1]) for row in TABLES["type|test"]}
    assert said.keys() == experiments.KINDS.keys()
    assert sorted(test for tests in said.values() for test in tests) == sorted(GROUNDINGS)


def test_options_exist() -> None:
    known = {option for action in make_parser()._actions for option in action.option_strings}
    assert {CODE.findall(row[0])[0].split()[0] for row in TABLES["option|"]} == known - {"-h", "--help"}


def test_counts_are_those_of_the_test() -> None:
    said = [int(row[0]) for row in TABLES["how many|become"]]
    assert said == [COUNTS[name] for name in ("same", "superset", "five", "refused", "merge")]
    assert f"The {sum(said)} configurations" in PAGE.read_text(encoding="utf-8")


def test_commands_exist_and_compose() -> None:
    loader = open_configs()
    runs = [(word,) for row in TABLES["key|becomes"] for word in CODE.findall(row[1]) if "=" in word]
    assert len(runs) == 5
    for row in TABLES["published|resi"]:
        for text in CODE.findall(row[1]):
            words = shlex.split(text)
            assert words[0] in ("resi", "resi-merge", "resi.plot.ranks")
            given = [word for word in words[1:] if word not in ("-m", "...")]
            if given and "=" in given[0]:
                runs += expand(given, None, loader) if "NAME" not in text else []
            elif given:
                assert given[0] in COMMANDS
    assert len(runs) == 11
    assert [found for found in compose_all(runs, loader) if not isinstance(found, RunConfig)] == []


def test_columns_and_downloads_exist() -> None:
    for _, ours in TABLES["published column|column of `comparisons.parquet`"]:
        assert set(CODE.findall(ours)) <= set(COMPARISONS)
    assert {"metric", "value"} <= set(SCORES)
    said = {CODE.findall(row[0])[0]: re.findall(r"\d{7,}", row[1]) for row in TABLES["`resi download`|record"]}
    known = {name: {source.record for source in sources if source.record} for name, sources in releases().items()}
    known.pop("results")
    assert {name: sorted(records) for name, records in said.items()} == {
        name: sorted(records) for name, records in known.items()
    }


@pytest.mark.parametrize(
    ("domain", "model"),
    [
        ("graph", ("graph", "cora", "gcn", "label_randomization_25", 0)),
        ("language", ("language", "sst2", "bert", "shortcut_75", 0)),
        ("smollm2", ("language", "mnli", "smollm2", "label_randomization_100", 0)),
        ("vision_imagenet100", ("vision", "imagenet100", "vgg11", "shortcut_75", 0)),
        ("vision_cifar100", ("vision", "cifar100", "resnet34", "label_randomization_50", 0)),
    ],
)
def test_checkpoints_are_looked_for_where_the_page_says(domain: str, model: tuple[str, ...], tmp_path: Path) -> None:
    (row,) = (row for row in TABLES["`resi download`|record"] if f"`{domain}`" in row[0])
    of, dataset, architecture, setting, seed = model
    spec = ModelSpec(of, dataset, "", architecture, setting, int(seed), {}, 0)
    with pytest.raises(ResiError) as caught:
        registry.domains().get(of)().checkpoint(tmp_path, spec)
    missing = Path(str(caught.value).split(" is missing")[0])
    assert missing == tmp_path / "models" / CODE.findall(row[2])[0]
    assert of != "vision" or str(missing).endswith(CHECKPOINT)
