"""Items of two distributions with one name are told apart as distribution:name, everywhere a name stands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import resi
from resi import registry
from resi.config.compose import compose
from resi.errors import UsageError
from resi.pipeline.keys import measure_key
from resi.pipeline.planner import make_plan
from resi.registry import Registry, qualified
from tests.conftest import TINY
from tests.registry.test_plugins import install

HOOK = "@resi.hookimpl\ndef resi_measures():\n    return (Own,)\n"
OWN = (
    "from dataclasses import dataclass\nimport resi\n@dataclass\nclass Own(resi.Measure):\n    name = '{name}'\n"
    "    larger_is_more_similar = False\n    k: int = 1\n"
    "    def compare(self, a, b):\n        return {value} * self.k\n" + HOOK
)
R, S = np.eye(4), np.ones((4, 3)).cumsum(0)


@pytest.fixture
def clashing(folder: Path) -> Path:
    """Return a folder with two distributions of one measure, one of which has a measure of resi's name, too."""
    install(folder, "dist_a", OWN.format(name="twin", value="1.0"))
    install(folder, "dist_b", OWN.format(name="twin", value="2.0"))
    install(folder, "dist_c", OWN.format(name="cka", value="3.0"))
    install(folder, "dist_d", OWN.format(name="alone", value="4.0"))
    return folder


def test_plain_names_stay_where_they_are_one_items_own(clashing: Path) -> None:
    found = registry.measures()
    assert {"dist-a:twin", "dist-b:twin", "dist-c:cka", "cka", "alone"} <= set(found)
    assert not {"twin", "dist-d:alone", "resi:cka"} & set(found)
    assert all(name in found for name in ("dist-d:alone", "resi:cka", "Dist_A:twin"))
    assert "twin" not in found
    with pytest.raises(
        UsageError, match="'twin' is provided by several plugins; name one of them: dist-a:twin or dist-b"
    ):
        found.get("twin")
    assert found.origin("cka").distribution == found.origin("resi:cka").distribution == "resi"
    assert found.get("dist-a:twin").name == "dist-a:twin"
    assert found.get("alone").name == "alone"
    assert found.get("dist-d:alone").name == "dist-d:alone"


def test_they_compare_under_their_own_names(clashing: Path) -> None:
    values = {"dist-a:twin": 1.0, "dist-b:twin": 2.0, "dist-c:cka": 3.0, "dist-d:alone": 4.0, "alone": 4.0}
    assert {name: resi.compare(R, S, measure=name) for name in values} == values
    assert resi.compare(R, S, "dist-a:twin", k=5) == 5.0
    table = resi.pairwise({"R": R, "S": S}, measures=["cka", *values])
    assert dict(table.select("measure", "value").rows()) == {"cka": resi.compare(R, S), **values}
    matched = resi.list_measures("dist-*")
    assert matched == ["dist-a:twin", "dist-b:twin", "dist-c:cka"]


def test_the_identity_of_a_comparison_has_the_plain_name(clashing: Path) -> None:
    keys = {name: measure_key(registry.make_measure(name, {}), None) for name in ("alone", "dist-d:alone", "cka")}
    assert keys["alone"] == keys["dist-d:alone"]
    assert json.loads(keys["alone"])["measure"] == "alone"
    twins = [measure_key(registry.make_measure(f"dist-{name}:twin", {}), None) for name in "ab"]
    assert [json.loads(key)["measure"] for key in twins] == ["twin", "twin"]
    assert twins[0] != twins[1]
    assert measure_key(registry.make_measure("dist-c:cka", {}), None) != keys["cka"]


def test_runs_tables_lists_and_descriptions_tell_them_apart(clashing: Path, trained: Path, said) -> None:
    tiny = [*TINY, f"root={trained}"]
    words = [*tiny, "measure=[cka,dist-a:twin,dist-b:twin]", "measure.dist-b:twin.k=3"]
    found = resi.run(words)
    values = {name: set(found.comparisons.filter(measure=name)["value"]) for name in found.comparisons["measure"]}
    assert values["dist-a:twin"] == {1.0}
    assert values["dist-b:twin"] == {6.0}
    assert set(found.scores["measure"]) == {"cka", "dist-a:twin", "dist-b:twin"}
    assert resi.run(words).reused
    manifest = found.shard.joinpath("manifest.json").read_text()
    assert json.loads(manifest)["own_measures"]["dist-a:twin"]["provider"] == "dist_a"
    # By whichever name it is asked for: the same comparisons, under that name.
    plain = resi.run([*tiny, "measure=alone"])
    full = resi.run([*tiny, "measure=dist-d:alone"])
    assert list(plain.comparisons["key"]) == list(full.comparisons["key"])
    assert (set(plain.comparisons["measure"]), set(full.comparisons["measure"])) == ({"alone"}, {"dist-d:alone"})
    assert list(plain.comparisons["seconds"]) == list(full.comparisons["seconds"])
    for shown in (said("list", "measures", "dist*")[1], said("list", "scores", "--root", str(trained))[1]):
        assert "dist-a:twin" in shown
        assert "dist-b:twin" in shown
    assert "dist_b 1.0" in said("describe", "dist-b:twin")[1]
    assert said("list", "plugins")[2] == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["measure=twin"],
            "measure 'twin' is provided by several plugins; name one of them: dist-a:twin or dist-b:twin",
        ),
        (["measure=[cka,twin]"], "measure 'twin' is provided by several plugins"),
        (["measure=[alone,dist-d:alone]"], "measure: alone and dist-d:alone are the same measure; name it once"),
        (["measure=dist-x:twin"], "unknown measure 'dist-x:twin'"),
        (["measure=dist-a:twin", "measure.dist-a:twin.q=3"], "did you mean measure.dist-a--twin.k"),
        (["measure=dist-a:twin", "measure.dist-a:twin.k=x"], "measure.dist-a--twin.k=x: expected a whole number"),
    ],
)
def test_what_is_not_clear_is_one_line(clashing: Path, said, words: list[str], message: str) -> None:
    status, _, errors = said(*TINY, *words)
    assert status == 2
    assert message in errors.splitlines()[-1]


ITEMS = """
import dataclasses
import resi
from resi.domains.graph.datasets.digits_knn import DIGITS_KNN
from resi.domains.graph.networks.gcn import GCNFamily
from resi.specs import ArchitectureInfo

class Own(GCNFamily):
    architectures = (ArchitectureInfo({name!r}, {title!r}, "", ""),)

@resi.hookimpl
def resi_networks():
    return (Own(),)

@resi.hookimpl
def resi_datasets():
    return (dataclasses.replace(DIGITS_KNN, name="twin_data", title={title!r}),)
"""


def test_networks_and_datasets_too(folder: Path, said) -> None:
    install(folder, "net_a", ITEMS.format(name="twin_net", title="of a"))
    install(folder, "net_b", ITEMS.format(name="twin_net", title="of b"))
    install(folder, "net_c", ITEMS.format(name="gcn", title="of c"))
    assert {"net-a:twin_net", "net-b:twin_net", "net-c:gcn", "gcn"} <= set(registry.networks("graph"))
    listed = json.loads(said("list", "models", "net-*", "--json")[1])
    assert {row["name"]: row["about"] for row in listed} == {
        "net-a:twin_net": "of a",
        "net-b:twin_net": "of b",
        "net-c:gcn": "of c",
    }
    status, _, errors = said(*TINY[2:], "model=twin_net")
    assert (status, errors.count("net-a:twin_net or net-b:twin_net")) == (2, 1)
    plan = make_plan(compose(["dataset=net-a:twin_data", "model=net-b:twin_net", "model.net-b:twin_net.epochs=1"]))
    assert {(model.dataset, model.architecture) for model, _ in plan.models} == {("net-a:twin_data", "net-b:twin_net")}
    assert {model.hyperparameters["epochs"] for model, _ in plan.models} == {1}
    assert {"net-a:twin_data", "net-b:twin_data", "net-c:twin_data"} <= set(registry.datasets("graph"))
    assert said("describe", "net-c:twin_data")[1].startswith("net-c:twin_data (dataset)\n\nof c")


DOMAIN = """
import resi
from resi.domains.graph import GraphDomain
class Own(GraphDomain):
    name = "graph"
    title = {title!r}
    def datasets(self): return ()
@resi.hookimpl
def resi_domains(): return (Own,)
"""


def test_a_domain_of_a_built_in_name_takes_nothing_from_it(folder: Path, said) -> None:
    install(folder, "dom_a", DOMAIN.format(title="another"))
    rows = json.loads(said("list", "domains", "--json")[1])
    assert {row["name"]: row["provider"] for row in rows}["dom-a:graph"] == "dom_a 1.0"
    assert "digits_knn" in said("list", "datasets")[1]


def test_a_name_is_taken_once_a_distribution() -> None:
    items: Registry[str] = Registry("thing", lambda item, plain, name: f"{item} as {name}")
    items.add("x", "first", "resi", "1")
    items.add("x", "second", "Own.Package", "1")
    assert (items.get("x"), items.get("own-package:x")) == ("first", "second as own-package:x")
    for name, item, distribution in (("x", "third", "own_package"), ("x", "second", "other"), ("a:b", "", "other")):
        with pytest.raises(ValueError, match="thing"):
            items.add(name, item, distribution, "1")
    assert qualified("A_b.C", "x") == "a-b-c:x"
    assert items.registered(items.get("own-package:x")) == items.registered("second")
