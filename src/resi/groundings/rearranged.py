"""Comparisons between architectures or datasets as a table of one group test: the group of each side is its setting."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from resi.errors import UsageError, unknown_name
from resi.groundings.against import BETWEEN, OF, join

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from resi.groundings.against import Against

SIDES = ("a", "b")


class Rearranged(NamedTuple):
    """The comparisons of one design.

    Attributes
    ----------
    names : dict
        The columns of its scope, with the names of groups joined.
    setting : str
        The setting of all models.
    rows : DataFrame
        With the group of each side as its setting, and without layers: each group is compared at one of its layers.
    """

    names: dict[str, Any]
    setting: str
    rows: pl.DataFrame


def rearranged(
    frame: pl.DataFrame, test: Against, scope: Sequence[str], groups: Sequence[str] | None
) -> Iterator[Rearranged]:
    """Yield the comparisons of each design in a table.

    Parameters
    ----------
    groups : sequence of str, optional
        The requested groups; by default all that were compared with each other.

    Raises
    ------
    UsageError
        If there are no comparisons between groups, or some requested groups are missing.
    """
    across = _across(frame, test)
    known = sorted({*across["setting_a"], *across["setting_b"]})
    for group in groups or ():
        if group not in known:
            raise unknown_name(f"{test.by} among the comparisons between groups:", group, known)
    if across.is_empty():
        raise UsageError(
            f"none of the {frame.height} comparisons belongs to test={test.name}: it needs pairs of models of "
            f"different {test.by}s, which a run with by={test.by} makes"
        )
    chosen = known if groups is None else groups
    across = across.filter(pl.col("setting_a").is_in(chosen) & pl.col("setting_b").is_in(chosen))
    about = [*(name for name in scope if name not in (test.by, "pooling")), "on", "base"]
    for key, part in across.group_by(about, maintain_order=True):
        names = dict(zip(about, key, strict=True))
        for poolings in _poolings(part):
            yield _design(frame, part, test, names, poolings if groups is None else _chosen(poolings, groups))


def _across(frame: pl.DataFrame, test: Against) -> pl.DataFrame:
    """Return the comparisons between groups, with the group of each side as its setting, and its pooling."""
    rows = frame.filter(pl.col(test.by).str.contains(BETWEEN, literal=True))
    rows = rows.with_columns(
        on=pl.col(test.by).str.extract(r"@(.*)$").fill_null(""),
        base=pl.col("setting_a").str.split(OF).list.last(),
        setting_a=pl.col("setting_a").str.replace(r"/[^/]*$", ""),
        setting_b=pl.col("setting_b").str.replace(r"/[^/]*$", ""),
    )
    # Where the two sides differ in their pooling, both are named in the order of the groups.
    parts = pl.col("pooling").str.split(BETWEEN)
    is_first = pl.col("setting_a") <= pl.col("setting_b")
    return rows.with_columns(
        pooling_a=pl.when(is_first).then(parts.list.first()).otherwise(parts.list.last()),
        pooling_b=pl.when(is_first).then(parts.list.last()).otherwise(parts.list.first()),
    )


def _poolings(across: pl.DataFrame) -> Iterator[dict[str, str]]:
    """Yield the pooling of each group, for each way in which all groups that were compared are pooled."""
    columns = ["setting_a", "pooling_a", "setting_b", "pooling_b"]
    parts: list[set[tuple[str, str]]] = []
    for group_a, pooling_a, group_b, pooling_b in across.select(columns).unique().sort(columns).iter_rows():
        linked = {(group_a, pooling_a), (group_b, pooling_b)}
        for part in [part for part in parts if part & linked]:
            linked |= part
            parts.remove(part)
        parts.append(linked)
    for nodes in sorted(map(sorted, parts)):
        if len(nodes) > len(dict(nodes)):
            several = next(group for group, _ in nodes if sum(group == other for other, _ in nodes) > 1)
            raise UsageError(f"the comparisons of {several} have several poolings; keep the rows of one")
        yield dict(nodes)


def _chosen(poolings: Mapping[str, str], groups: Collection[str]) -> dict[str, str]:
    return {group: pooling for group, pooling in poolings.items() if group in groups}


def _design(
    frame: pl.DataFrame, across: pl.DataFrame, test: Against, names: Mapping[str, Any], poolings: Mapping[str, str]
) -> Rearranged:
    groups, on, base = sorted(poolings), names["on"], names["base"]
    for side in SIDES:
        of_group = [
            (pl.col(f"setting_{side}") == group, pl.col(f"pooling_{side}") == poolings[group]) for group in groups
        ]
        across = across.filter(pl.any_horizontal(is_group & is_pooled for is_group, is_pooled in of_group))
    compared = [set(pair) for pair in across.select("setting_a", "setting_b").unique().iter_rows()]
    if missing := [pair for pair in combinations(groups, 2) if set(pair) not in compared]:
        raise UsageError(
            f"test={test.name}: the table has no comparisons of {' with '.join(missing[0])}; name groups that were all "
            "compared with each other: settings=[A,B]"
        )
    scope = {name: value for name, value in names.items() if name not in ("on", "base")}
    taking_part = pl.concat(across.select(setting=f"setting_{side}", seed=f"seed_{side}") for side in SIDES)
    within = [
        _within(frame, {**scope, test.by: join([group], on), "pooling": poolings[group]}, base, seeds).with_columns(
            setting_a=pl.lit(group), setting_b=pl.lit(group)
        )
        for group in groups
        for seeds in (taking_part.filter(setting=group)["seed"].unique(),)
    ]
    rows = pl.concat([across.select(frame.columns), *within])
    _check_layers(rows, test)
    joined = {**scope, test.by: join(groups, on), "pooling": BETWEEN.join(sorted(set(poolings.values())))}
    as_one = [pl.lit(joined[name]).alias(name) for name in (test.by, "pooling")]
    return Rearranged(joined, base, rows.with_columns(*as_one, layer_a=pl.lit(""), layer_b=pl.lit("")))


def _within(frame: pl.DataFrame, names: Mapping[str, Any], setting: str, seeds: pl.Series) -> pl.DataFrame:
    """Return the comparisons of models of one group, of some seeds."""
    same = [pl.col(name).eq_missing(pl.lit(value)) for name, value in names.items()]
    of_setting = [pl.col(f"setting_{side}") == setting for side in SIDES]
    of_seeds = [pl.col(f"seed_{side}").is_in(seeds.implode(), nulls_equal=True) for side in SIDES]
    return frame.filter(*same, *of_setting, *of_seeds)


def _check_layers(rows: pl.DataFrame, test: Against) -> None:
    """Raise ``UsageError`` unless each group is compared at one layer."""
    sides = [rows.select(group=f"setting_{side}", layer=f"layer_{side}") for side in SIDES]
    for (group,), part in pl.concat(sides).unique().sort("group", "layer").group_by("group", maintain_order=True):
        if part.height > 1:
            raise UsageError(
                f"test={test.name}: the comparisons of {group} have the layers {', '.join(part['layer'])}; this test "
                "uses one layer of each group: keep the rows of one"
            )
