"""Similarities of the models of each experiment as small pictures, one for each measure."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi import registry
from resi.choices import Status
from resi.groundings import GROUNDINGS
from resi.groundings.scores import SCOPE, STANDARD, compared_across, own_settings
from resi.measures.functional import FUNCTIONAL
from resi.report.names import Named, anchor, named, natural_order
from resi.results.manifests import COMPARISONS_FILE, directions
from resi.results.schema import COMPARISONS, OWN, PUBLISHED, is_calibrated
from resi.results.tables import complete, named_damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from resi.results.shards import Shard

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Member = tuple[str, int, str]

NEEDED = [*SCOPE, "setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", "measure", "parameters", "value"]
SHADES = 15
CELL, GAP = 3, 2
"""Pixels of a pair, and between groups."""
FEWEST, MOST_MEMBERS = 3, 60
BYTES = 1_200_000
"""The most pictures on a page; the others are named."""


class Picture(NamedTuple):
    """The similarities under one measure.

    Attributes
    ----------
    data : str
        The picture as a data URL.
    text : str
        Alternative text.
    """

    measure: Named
    data: str
    width: int
    text: str


class Experiment(NamedTuple):
    """Models or layers that were compared with each other; ``groups`` are in the order of rows."""

    title: str
    about: str
    anchor: str
    groups: list[str]
    pictures: list[Picture]


def experiments(shard: Shard) -> tuple[list[Experiment], list[str]]:
    """Return the experiments with their pictures, and the titles of those that do not fit on the page.

    Only the comparisons of one architecture and dataset are in memory at a time.
    """
    path = shard.folder / COMPARISONS_FILE
    stated = {**_directions(), **directions(shard.manifest())}  # for measures that may have changed since
    larger = pl.col("measure").replace_strict(stated, default=True, return_dtype=pl.Boolean)
    larger |= is_calibrated(pl.col("parameters"))
    found, left_out, size = [], [], 0
    with named_damage(path):
        scanned = complete(pl.scan_parquet(path, glob=False), {name: COMPARISONS[name] for name in [*NEEDED, "status"]})
        wanted = (pl.col("status") == Status.ok.value) & ~pl.col("measure").is_in(list(FUNCTIONAL))
        rows = scanned.filter(wanted).select(NEEDED)
        for scope in _by_turns(rows.select(SCOPE).unique().collect(engine="streaming").sort(SCOPE, nulls_last=True)):
            if size > BYTES:
                left_out.append(_title(scope))
                continue
            own = [pl.col(name).eq_missing(pl.lit(value, pl.String)) for name, value in scope.items()]
            of_scope_rows = rows.filter(own).collect(engine="streaming").sort(NEEDED).with_columns(larger=larger)
            of_scope = list(_of_models(scope, of_scope_rows))
            found += of_scope
            size += sum(len(picture.data) for experiment in of_scope for picture in experiment.pictures)
    return sorted(found, key=lambda experiment: experiment.title), left_out


def _by_turns(scopes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return each architecture and dataset, alternating between domains, so that every domain has pictures."""
    turns = scopes.with_columns(turn=pl.int_range(pl.len()).over("domain")).sort("turn", *SCOPE, nulls_last=True)
    return turns.drop("turn").to_dicts()


def _title(scope: Mapping[str, Any]) -> str:
    """Return which models are compared, in words."""
    where = ", ".join(str(scope[name]) for name in ("domain", "dataset", "architecture"))
    if scope["pooling"] not in (None, "", "none"):
        where += f", {scope['pooling']} pooling"
    if scope["origin"] == PUBLISHED:
        return f"{where}, published results"
    return f"{where}, published models" if scope["model_source"] == PUBLISHED else where


def _of_models(scope: Mapping[str, Any], rows: pl.DataFrame) -> Iterator[Experiment]:
    """Yield the experiments of one architecture and dataset: one for each test."""
    same_model = (pl.col("setting_a") == pl.col("setting_b")) & (pl.col("seed_a") == pl.col("seed_b"))
    of_models = rows.filter(~same_model)
    if scope["model_source"] == OWN:  # their settings have names of their own
        yield from _experiment(scope, "your own models by setting", of_models, ["setting", "seed"])
    else:
        yield from _by_test(scope, of_models)
    for (setting,), part in rows.filter(same_model).group_by("setting_a", maintain_order=True):
        yield from _experiment(scope, f"layers of a network, mean over models ({setting})", part, ["layer"])


def _by_test(scope: Mapping[str, Any], of_models: pl.DataFrame) -> Iterator[Experiment]:
    """Yield the models that each test compares, and those that differ only in their seed."""
    known = sorted({*of_models["setting_a"], *of_models["setting_b"]})
    for test in GROUNDINGS.values():
        own = own_settings(known, test.name)
        if test.kind != "settings" or len(own) < 2:
            continue
        part = compared_across(of_models.filter(pl.col("setting_a").is_in(own) & pl.col("setting_b").is_in(own)))
        yield from _experiment(scope, test.title, part, ["setting", "seed"])
    alike = of_models.filter(setting_a=STANDARD, setting_b=STANDARD)
    if len({*alike["seed_a"], *alike["seed_b"]}) >= FEWEST:
        yield from _experiment(scope, "models that differ in their seed", alike, ["setting", "seed"])


def _experiment(scope: Mapping[str, Any], about: str, rows: pl.DataFrame, by: list[str]) -> Iterator[Experiment]:
    if rows.is_empty():
        return
    sides = pl.concat([rows.select(**{name: f"{name}_{side}" for name in by}) for side in "ab"]).unique()
    members = sorted(sides.iter_rows(), key=natural_order)
    if len(members) > MOST_MEMBERS:
        about += f"; the first {MOST_MEMBERS} of {len(members)}"
        members = members[:MOST_MEMBERS]
    place = {member: number for number, member in enumerate(members)}
    groups = [str(member[0]) for member in members] if len(by) > 1 else ["" for _ in members]
    where = _title(scope)
    pictures = []
    for (measure, parameters), part in rows.group_by("measure", "parameters", maintain_order=True):
        matrix = _matrix(part, by, place)
        if not np.isnan(matrix).all():
            signed = matrix if part["larger"][0] else -matrix  # of which larger values mean more similar
            pictures.append(_picture(named(str(measure), str(parameters)), signed, groups, matrix))
    labels = list(dict.fromkeys(groups)) if len(by) > 1 else [f"layer {member[0]}" for member in members]
    yield Experiment(where, about, anchor("map", where, about), labels, pictures)


def _matrix(rows: pl.DataFrame, by: list[str], place: Mapping[Any, int]) -> Array:
    """Return the values as a square: the mean of several values, NaN where there is none."""
    total, count = np.zeros((len(place),) * 2), np.zeros((len(place),) * 2)
    a = [place.get(member, -1) for member in rows.select([f"{name}_a" for name in by]).iter_rows()]
    b = [place.get(member, -1) for member in rows.select([f"{name}_b" for name in by]).iter_rows()]
    values = rows["value"].to_numpy()
    known = (np.array(a) >= 0) & (np.array(b) >= 0) & np.isfinite(values)
    where = np.array(a)[known], np.array(b)[known]
    np.add.at(total, where, values[known])
    np.add.at(count, where, 1)
    with np.errstate(invalid="ignore"):
        matrix = total / count
    return np.where(np.isnan(matrix), matrix.T, matrix)


def _directions() -> dict[str, bool]:
    """Return the directions of the installed measures."""
    return {name: measure.larger_is_more_similar for name, measure in registry.measures().in_names().items()}


def _picture(measure: Named, signed: Array, groups: list[str], matrix: Array) -> Picture:
    known = signed[~np.isnan(signed)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    scaled = (signed - low) / (high - low) if high > low else np.zeros_like(signed)
    shades = np.where(np.isnan(signed), 0, 1 + np.rint(np.nan_to_num(scaled) * (SHADES - 1))).astype(np.uint8)
    np.fill_diagonal(shades, 0)
    pixels = _with_gaps(shades, groups)
    data = base64.b64encode(_png(pixels)).decode()
    return Picture(measure, f"data:image/png;base64,{data}", len(pixels), _said(measure, groups, matrix))


def _said(measure: Named, groups: list[str], matrix: Array) -> str:
    names = np.array(groups)
    off = ~np.eye(len(names), dtype=bool) & ~np.isnan(matrix)
    within, across = off & (names[:, None] == names), off & (names[:, None] != names)
    if not off.any():
        return f"{measure.label}: no values"
    if across.any() and within.any():
        return (
            f"{measure.label}: mean value {matrix[within].mean():.3g} within groups, "
            f"{matrix[across].mean():.3g} across groups"
        )
    return f"{measure.label}: values from {matrix[off].min():.3g} to {matrix[off].max():.3g}"


def _with_gaps(shades: np.ndarray[Any, np.dtype[np.uint8]], groups: list[str]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return pixels: each pair a square, with a gap between groups."""
    lines: list[int] = []
    for number, group in enumerate(groups):
        if number and group != groups[number - 1]:
            lines += [-1] * GAP
        lines += [number] * CELL
    index = np.array(lines)
    pixels = shades[np.ix_(index, index)]
    pixels[index < 0] = 0
    pixels[:, index < 0] = 0
    return pixels


def _png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Return a picture of 16 colours, the first transparent, four bits each: a few hundred bytes."""
    from matplotlib import colormaps

    height, width = pixels.shape
    padded = np.pad(pixels, ((0, 0), (0, width % 2)))
    packed = (padded[:, ::2] << 4) | padded[:, 1::2]
    lines = b"".join(b"\x00" + row.tobytes() for row in packed)
    colours = (colormaps["viridis"](np.linspace(0, 1, SHADES))[:, :3] * 255).round().astype(np.uint8)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)),
        (b"PLTE", bytes(3) + colours.tobytes()),
        (b"tRNS", b"\x00"),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
