"""Pictures of similarities, read back pixel by pixel."""

from __future__ import annotations

import base64
import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from resi.report.heatmaps import CELL, GAP, MOST_MEMBERS, experiments
from resi.results.merge import merge_shards
from resi.results.shards import Shard
from tests.report.rows import finish
from tests.results.rows import comparison

SCOPE = {"domain": "graph", "dataset": "cora", "architecture": "gcn", "origin": "resi", "model_source": "trained"}


def rows_of(measure: str, values: dict[tuple, float], layers: bool = False) -> list[dict]:
    rows = []
    for (a, b), value in values.items():
        sides = {"setting_a": a[0], "seed_a": a[1], "layer_a": a[2], "setting_b": b[0], "seed_b": b[1], "layer_b": b[2]}
        about = {**SCOPE, **sides, "measure": measure, "parameters": "{}", "pooling": "none"}
        rows.append(comparison(f"{measure} {a} {b} {layers}", value, **about))
    return rows


def pixels(data: str) -> np.ndarray:
    image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGBA")
    return np.array(image)


def brightness(picture: np.ndarray, size: int, groups: int) -> np.ndarray:
    """Return the brightness of each pair's square by the pixel in its middle, NaN where it is transparent."""
    per_group = size // groups
    places = [n * CELL + (n // per_group) * GAP + 1 for n in range(size)]
    middle = picture[np.ix_(places, places)].astype(float)
    return np.where(middle[..., 3] == 0, np.nan, middle[..., :3] @ [0.2, 0.7, 0.1])


def test_similar_pairs_are_brighter_whatever_the_direction_of_the_measure(tmp_path: Path) -> None:
    settings = ("standard", "augmentation_25", "augmentation_100")
    models = [(setting, seed, "last") for setting in settings for seed in (0, 1)]
    pairs = list(itertools.combinations(models, 2))
    within = {pair: pair[0][0] == pair[1][0] for pair in pairs}
    rows = rows_of("cka", {pair: 0.9 if within[pair] else 0.2 for pair in pairs})
    rows += rows_of("procrustes", {pair: 1.0 if within[pair] else 7.0 for pair in pairs})
    (found,), left_out = experiments(finish(tmp_path, [], rows))
    assert left_out == []
    assert found.groups == list(settings), "in the order of the levels"
    assert [picture.measure.label for picture in found.pictures] == ["cka", "procrustes"]
    for picture in found.pictures:
        bright = brightness(pixels(picture.data), 6, 3)
        assert np.isnan(np.diag(bright)).all()
        assert bright[0, 1] == bright[2, 3] == bright[4, 5] > bright[0, 2] == bright[3, 1]
        assert len(pixels(picture.data)) == picture.width == 6 * CELL + 2 * GAP
    assert found.pictures[0].text == "cka: mean value 0.9 within groups, 0.2 across groups"


def test_layers_are_in_the_order_of_the_network_and_means_over_models(tmp_path: Path) -> None:
    layers = ["0", "2", "10"]
    values = {}
    for seed in (0, 1):
        for a, b in itertools.combinations(layers, 2):
            distance = layers.index(b) - layers.index(a)
            values[("standard", seed, a), ("standard", seed, b)] = 0.9 - 0.3 * distance + 0.1 * seed
    (found,), _ = experiments(finish(tmp_path, [], rows_of("cka", values)))
    assert found.groups == ["layer 0", "layer 2", "layer 10"]
    bright = brightness(pixels(found.pictures[0].data), 3, 1)
    assert bright[0, 1] == bright[1, 2] > bright[0, 2]
    assert found.pictures[0].text == "cka: values from 0.35 to 0.65"


def test_models_that_only_other_tests_compare_are_not_in_the_picture(tmp_path: Path) -> None:
    sides = [("shortcut_0", 0, "l"), ("shortcut_100", 0, "l")]
    values = {(sides[0], sides[1]): 0.5, (("standard", 0, "l"), ("standard", 1, "l")): 0.9}
    found, _ = experiments(finish(tmp_path, [], rows_of("cka", values)))
    assert [experiment.groups for experiment in found] == [["shortcut_0", "shortcut_100"]]


def test_groups_of_own_models_have_any_names(tmp_path: Path) -> None:
    models = [(setting, seed, "last") for setting in ("plain", "mixup") for seed in (0, 1)]
    rows = rows_of("cka", {(a, b): 0.9 if a[0] == b[0] else 0.2 for a, b in itertools.combinations(models, 2)})
    (found,), _ = experiments(finish(tmp_path, [], [{**row, "model_source": "own"} for row in rows]))
    assert (found.about, found.groups) == ("your own models by setting", ["mixup", "plain"])
    bright = brightness(pixels(found.pictures[0].data), 4, 2)
    assert bright[0, 1] == bright[2, 3] > bright[0, 2]


def test_models_that_have_no_room_in_a_picture_are_counted(tmp_path: Path) -> None:
    values = {(("standard", 0, "l"), ("standard", seed, "l")): seed / 100 for seed in range(1, MOST_MEMBERS + 5)}
    (found,), _ = experiments(finish(tmp_path, [], rows_of("cka", values)))
    assert found.about == "models that differ in their seed; the first 60 of 65"
    assert found.pictures[0].width == MOST_MEMBERS * CELL


def test_a_measure_that_is_not_installed_points_where_the_manifests_say_also_when_merged(tmp_path: Path) -> None:
    models = [(setting, seed, "last") for setting in ("standard", "augmentation_100") for seed in (0, 1)]
    pairs = list(itertools.combinations(models, 2))
    rows = rows_of("mine", {(a, b): 1.0 if a[0] == b[0] else 7.0 for a, b in pairs})
    for name, other in (("one", False), ("two", True)):
        stated = {"mine": {"larger_is_more_similar": False}, "disputed": {"larger_is_more_similar": other}}
        finish(tmp_path / "shards" / name, [], rows, own_measures=stated)
    merged = merge_shards([tmp_path], tmp_path / "merged")
    assert merged.problems == []
    assert Shard(merged.folder).manifest()["own_measures"] == {"mine": {"larger_is_more_similar": False}}
    for shard in (Shard(tmp_path / "shards" / "one"), Shard(merged.folder)):
        (found,), _ = experiments(shard)
        bright = brightness(pixels(found.pictures[0].data), 4, 2)
        assert bright[0, 1] == bright[2, 3] > bright[0, 2]


def test_a_manifest_knows_better_than_what_is_installed_now_which_way_a_measure_pointed(tmp_path: Path) -> None:
    models = [(setting, seed, "last") for setting in ("standard", "augmentation_100") for seed in (0, 1)]
    pairs = list(itertools.combinations(models, 2))
    rows = rows_of("cka", {(a, b): 1.0 if a[0] == b[0] else 7.0 for a, b in pairs})
    shard = finish(tmp_path, [], rows, own_measures={"cka": {"larger_is_more_similar": False}})
    (found,), _ = experiments(shard)
    bright = brightness(pixels(found.pictures[0].data), 4, 2)
    assert bright[0, 1] == bright[2, 3] > bright[0, 2]
