"""Scores computed from any table of comparisons: from a run, a merge of many runs, or an import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from resi import __version__
from resi.choices import Protocol
from resi.errors import UsageError, unknown_name
from resi.extraction.files.contents import in_natural_order
from resi.fingerprints import fingerprint
from resi.groundings import GROUNDINGS, SCORED
from resi.groundings.against import Against
from resi.groundings.base import Member, Similarities
from resi.groundings.designs import designs
from resi.groundings.known_measures import directions, facts_of
from resi.groundings.notes import of_comparisons
from resi.groundings.own_tables import completed
from resi.groundings.rearranged import rearranged
from resi.measures.functional import FUNCTIONAL
from resi.results.schema import COMPARISONS, PUBLISHED, SCORE_ORDER, SCORE_VERSION, SCORES
from resi.results.tables import complete, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.groundings.base import Grounding, Score, Values
    from resi.groundings.known_measures import Measures
    from resi.groundings.own_tables import Models

    Row = dict[str, Any]
    Integers = np.ndarray[Any, np.dtype[np.int64]]

SCOPE = ["domain", "dataset", "architecture", "origin", "model_source", "pooling"]
SIDE_A, SIDE_B = ["setting_a", "seed_a", "layer_a"], ["setting_b", "seed_b", "layer_b"]
NEEDED = [*SCOPE, *SIDE_A, *SIDE_B, "measure", "parameters", "value", "key", "pair", "note"]
# Settings shared by all tests: unaltered training.
STANDARD = "standard"
# Metrics whose best value is 0; for all others it is 1.
LOSSES = ("violation_rate",)
# Two values for one pair agree up to this share of their size, the effect of the order of additions.
RELATIVE_TOLERANCE = 1e-6


def score_table(  # noqa: PLR0913 - all but the first are options
    comparisons: pl.DataFrame,
    test: str,
    protocol: str = Protocol.corrected,
    *,
    settings: Sequence[str] | None = None,
    layers: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
    measures: Measures | None = None,
    models: Models | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Score every measure in a table of comparisons by one test.

    Parameters
    ----------
    comparisons : polars.DataFrame
        The table of a run, with the columns of :data:`resi.results.schema.COMPARISONS`; or any table with ``measure``,
        ``value`` and the columns that the test needs: ``setting_a, seed_a, setting_b, seed_b`` for tests of groups,
        ``seed_a, seed_b`` for tests of predictions, ``layer_a, layer_b`` for ``layer_monotonicity``. For a table of
        :func:`resi.pairwise`, pass ``models`` instead. Rows that do not belong to the test are ignored; rows without a
        value count as failed.
    test : str
        Name of a test; ``resi list tests``.
    protocol : str
        ``corrected`` or ``published``.
    settings : sequence of str, optional
        The settings to use. By default, ``standard`` and those named after the test, if they are in the table, or all
        in ``models``, with scores for each set of settings that were all compared with each other. For the tests
        ``architecture`` and ``dataset``, the groups; by default all that were compared.
    layers : sequence of str, or mapping from architecture to such, optional
        The order of layers in the network, for ``layer_monotonicity``; by default that of the numbers in their names.
    measures : mapping from name to measure class, optional
        Measures that are neither installed as plugins nor have a direction in the column ``larger_is_more_similar``.
    models : mapping from name to mapping, or table with the column ``name``, optional
        Facts about each name in the columns ``source`` and ``target``: ``setting`` (its group; ``standard`` by
        default), ``seed``, ``layer``, ``architecture``, ``dataset``, and for tests of predictions ``accuracy`` or
        ``logits``, an array. A name ``MODEL:LAYER`` is a layer of a model named here.
    seed : int
        Of the draws for intervals and p-values.

    Returns
    -------
    polars.DataFrame
        With the columns of :data:`resi.results.schema.SCORES`; ``docs/tests.md`` defines them.

    Raises
    ------
    UsageError
        If a name is unknown, the table lacks a column that the test needs, no row belongs to the test, or a pair has
        two different values.

    Examples
    --------
    >>> import polars as pl
    >>> merged = pl.read_parquet("experiments/results/comparisons.parquet")  # doctest: +SKIP
    >>> score_table(merged, "augmentation", protocol="published")  # doctest: +SKIP

    >>> import numpy as np, resi
    >>> draws = np.random.default_rng(0)
    >>> bases = {"standard": draws.normal(size=(50, 4)), "noisy": draws.normal(size=(50, 4))}
    >>> layers = {f"{s}{i}": R + draws.normal(size=R.shape) / 9 for s, R in bases.items() for i in range(3)}
    >>> models = {f"{s}{i}": {"setting": s, "seed": i} for s in bases for i in range(3)}
    >>> score_table(resi.pairwise(layers), "augmentation", models=models)["value"].to_list()
    [1.0, 0.0]
    """
    if test not in SCORED:
        raise unknown_name("test", test, list(SCORED))
    chosen = Protocol.parse("protocol", protocol)
    grounding = SCORED[test]()
    comparisons = completed(comparisons, grounding, NEEDED, models)
    if models is not None and settings is None and test in GROUNDINGS and grounding.kind == "settings":
        settings = sorted({*comparisons["setting_a"], *comparisons["setting_b"]})
    stated = directions(comparisons)
    frame = complete(comparisons, {name: COMPARISONS[name] for name in NEEDED})
    request = _Request(grounding, chosen, layers, measures, stated, seed)
    if isinstance(grounding, Against):
        found = rearranged(_between_models(frame, grounding), grounding, SCOPE, settings)
        scores = [
            {**row, "setting": design.setting}
            for design in found
            for row in _score_part(design.rows, [design.names[name] for name in SCOPE], request)
        ]
        return table(scores, SCORES, SCORE_ORDER)
    rows = _relevant(frame, grounding, settings)
    scope = SCOPE if grounding.kind == "settings" else [*SCOPE, "setting_a"]
    is_open = settings is None and grounding.kind == "settings"
    scores = [
        row
        for names, whole in rows.group_by(scope, maintain_order=True)
        for part in (_by_design(whole) if is_open else [whole])
        for row in _score_part(part, names, request)
    ]
    return table(scores, SCORES, SCORE_ORDER)


def _by_design(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the comparisons of each set of settings that were all compared with each other."""
    for design in designs(rows):
        yield rows.filter(pl.col("setting_a").is_in(design) & pl.col("setting_b").is_in(design))


class _Request(NamedTuple):
    grounding: Grounding
    protocol: Protocol
    layers: Mapping[str, Sequence[str]] | Sequence[str] | None
    measures: Measures | None
    directions: Mapping[str, bool | None]
    seed: int


def _relevant(frame: pl.DataFrame, grounding: Grounding, settings: Sequence[str] | None) -> pl.DataFrame:
    """Return the comparisons that belong to a test."""
    rows = _between_models(frame, grounding)
    if settings is not None or grounding.kind == "settings":
        known = sorted({*rows["setting_a"], *rows["setting_b"]})
        chosen = list(settings) if settings is not None else own_settings(known, grounding.name)
        for setting in chosen:
            if setting not in known:
                raise unknown_name("setting among the comparisons", setting, known)
        rows = rows.filter(pl.col("setting_a").is_in(chosen) & pl.col("setting_b").is_in(chosen))
    rows = _models_that_take_part(rows, grounding)
    if rows.is_empty():
        raise UsageError(
            f"none of the {frame.height} comparisons belongs to test={grounding.name}: {_wanted(grounding)}"
        )
    return rows


def _between_models(frame: pl.DataFrame, grounding: Grounding) -> pl.DataFrame:
    """Return the comparisons of the kind that a test uses, for any settings."""
    same_setting = pl.col("setting_a") == pl.col("setting_b")
    same_model = same_setting & (pl.col("seed_a") == pl.col("seed_b"))
    is_functional = pl.col("measure").is_in(list(FUNCTIONAL))
    if grounding.kind == "layers":
        return frame.filter(same_model & (pl.col("layer_a") != pl.col("layer_b")))
    if grounding.kind == "seeds":
        of_test = ~is_functional | pl.col("measure").is_in(grounding.functional)
        return frame.filter(same_setting & ~same_model & of_test)
    return frame.filter(~same_model & ~is_functional)


def own_settings(known: Sequence[str], test: str) -> list[str]:
    """Return the settings that belong to a test: ``standard`` and those named after it."""
    return [setting for setting in known if setting == STANDARD or setting.startswith(f"{test}_")]


def _wanted(grounding: Grounding) -> str:
    if grounding.kind == "layers":
        return "it needs pairs of layers of one model"
    if grounding.kind == "seeds":
        return f"it needs pairs of models of one setting, and their {' or '.join(grounding.functional)}"
    return f"it needs pairs of models of different settings, {STANDARD} or {grounding.name}_..."


def _models_that_take_part(rows: pl.DataFrame, grounding: Grounding) -> pl.DataFrame:
    """Leave out models of other tests: those not compared with another group, or without comparisons of outputs."""
    if grounding.kind == "layers":
        return rows
    if grounding.kind == "seeds":
        return _of_models_in(rows.filter(pl.col("measure").is_in(list(FUNCTIONAL))), rows, SCOPE)
    return compared_across(rows, SCOPE)


def compared_across(rows: pl.DataFrame, scope: Sequence[str] = ()) -> pl.DataFrame:
    """Leave out models without a comparison with another setting: they belong to other tests."""
    return _of_models_in(rows.filter(pl.col("setting_a") != pl.col("setting_b")), rows, scope)


def _of_models_in(linked: pl.DataFrame, rows: pl.DataFrame, scope: Sequence[str]) -> pl.DataFrame:
    """Return the comparisons between models that also occur in other comparisons."""
    sides = [linked.select(*scope, setting=f"setting_{side}", seed=f"seed_{side}") for side in "ab"]
    taking_part = pl.concat(sides).unique()
    for side in "ab":
        on = [*scope, f"setting_{side}", f"seed_{side}"]
        rows = rows.join(taking_part, left_on=on, right_on=[*scope, "setting", "seed"], how="semi", nulls_equal=True)
    return rows


def _score_part(rows: pl.DataFrame, names: Sequence[Any], request: _Request) -> Iterator[Row]:
    similarities, keys, pairs = _similarities(rows, names, request)
    is_published = names[SCOPE.index("model_source")] == PUBLISHED
    compared = [_known_by_name(similarities)] * len(pairs) if is_published else list(map(_compared, pairs))
    grounding, protocol = request.grounding, request.protocol
    functional_keys = rows.filter(pl.col("measure").is_in(list(FUNCTIONAL)))["key"].sort().to_list()
    used = [fingerprint({"comparisons": [*found, *functional_keys]}) for found in keys]
    for score in grounding.score(similarities, protocol, request.seed):
        measure = similarities.measures[score.measure]
        about = {"metric": score.metric, "functional": score.functional, "setting": score.setting, "seed": score.seed}
        how = {"test": grounding.name, "protocol": protocol.value, "draws": request.seed, "version": SCORE_VERSION}
        yield {
            **score._asdict(),
            "test": grounding.name,
            **dict(zip(SCOPE, names, strict=False)),
            "measure": measure.name,
            "parameters": measure.parameters,
            "normalised": _normalised(score),
            "influences": _as_text(score.influences),
            "protocol": protocol.value,
            "compared": compared[score.measure],
            "groups": len(similarities.settings),
            "settings": _in_order(similarities.settings),
            "key": fingerprint({"comparisons": used[score.measure], **about, **how}),
            "resi_version": __version__,
        }


def _in_order(settings: Sequence[str]) -> str:
    """Return settings as text, from unaltered to most altered."""
    return ", ".join(sorted(in_natural_order(settings), key=lambda name: name != STANDARD))


def _as_text(influences: Sequence[float]) -> str:
    """Return numbers as JSON, with the digits that do not depend on which other measures are scored."""
    return f"[{', '.join(f'{share:.5g}' for share in influences)}]" if influences else ""


def _compared(pairs: pl.Series) -> str | None:
    """Return the identity of everything that a measure compared, None if the table lacks it."""
    return None if pairs.has_nulls() else fingerprint({"pairs": pairs.unique().sort().to_list()})


def _known_by_name(similarities: Similarities) -> str:
    """Return the identity of published models, which does not depend on who compares them."""
    return fingerprint({"published": sorted({(member.setting, member.seed) for member in similarities.members})})


def _normalised(score: Score) -> float | None:
    """Return a score as a share of the way from chance to the best value."""
    if score.value is None or score.chance is None:
        return None
    best = 0.0 if score.metric in LOSSES else 1.0
    return None if best == score.chance else (score.value - score.chance) / (best - score.chance)


def _similarities(
    rows: pl.DataFrame, names: Sequence[Any], request: _Request
) -> tuple[Similarities, list[list[str]], list[pl.Series]]:
    """Return the comparisons of one architecture as arrays, and the sorted keys and the pairs of each measure."""
    by_layer = request.grounding.kind == "layers"
    order = _layer_order(rows, names, request) if by_layer else {}
    if not by_layer:
        _check_one_layer(rows, names)
    sides = [_members(rows.select(side), by_layer) for side in (SIDE_A, SIDE_B)]
    members = sorted({*sides[0], *sides[1]}, key=lambda m: (m.setting, m.seed, order.get(m.layer, 0)))
    index = {member: number for number, member in enumerate(members)}
    rows = rows.with_columns(
        pl.Series("a", [index[member] for member in sides[0]], dtype=pl.Int64),
        pl.Series("b", [index[member] for member in sides[1]], dtype=pl.Int64),
    )
    functional, measures, values, keys, pairs = {}, [], [], [], []
    for (name, _), part in rows.sort("measure", "parameters").group_by("measure", "parameters", maintain_order=True):
        if name in FUNCTIONAL:
            functional[str(name)] = _matrix(part, members, symmetric=True)
            continue
        facts = facts_of(part, request.measures, request.directions)
        facts = facts._replace(notes=of_comparisons(part["note"].fill_null("").to_list()))
        measures.append(facts)
        values.append(_matrix(part, members, facts.symmetric))
        keys.append(part["key"].sort().to_list())
        pairs.append(part["pair"])
    stacked = np.stack(values) if values else np.empty((0, len(members), len(members)))
    return Similarities(tuple(members), tuple(measures), stacked, functional), keys, pairs


def _members(side: pl.DataFrame, by_layer: bool) -> list[Member]:
    return [Member(setting, seed, layer if by_layer else "") for setting, seed, layer in side.iter_rows()]


def _matrix(rows: pl.DataFrame, members: Sequence[Member], symmetric: bool) -> Values:
    """Return values as a matrix, NaN for missing ones.

    Raises
    ------
    UsageError
        If a pair has two different values.
    """
    # Missing values first: of two rows of one pair, the last one is kept.
    given = rows.with_columns(pl.col("value").fill_nan(None)).sort("value", nulls_last=False)
    a, b, value = (given[name].to_numpy() for name in ("a", "b", "value"))
    value = np.where(np.isfinite(value), value, np.nan)
    if symmetric:
        a, b = np.minimum(a, b), np.maximum(a, b)
    matrix = np.full((len(members), len(members)), np.nan)
    matrix[a, b] = value
    if symmetric:
        matrix[b, a] = matrix[a, b]
    differs = np.abs(matrix[a, b] - value) > RELATIVE_TOLERANCE * np.abs(value)
    if differs.any():
        first = int(np.flatnonzero(differs)[0])
        pair = f"{members[a[first]]} and {members[b[first]]}"
        raise UsageError(
            f"{given['measure'][0]}: {int(differs.sum())} pairs have two different values, first "
            f"{pair} with {value[first]:.9g} and {matrix[a[first], b[first]]:.9g}. The table holds comparisons of "
            "different models or data under one name; keep those of one run"
        )
    return matrix


def _check_one_layer(rows: pl.DataFrame, names: Sequence[Any]) -> None:
    rows = rows.filter(~pl.col("measure").is_in(list(FUNCTIONAL)))
    layers = sorted({*rows["layer_a"], *rows["layer_b"]})
    if len(layers) > 1:
        raise UsageError(
            f"{_label(names)}: the comparisons between models have the layers {', '.join(layers)}; "
            "this test uses one layer: keep the rows of one"
        )


def _label(names: Sequence[Any]) -> str:
    return " ".join(str(name) for name in names if name not in (None, ""))


def _layer_order(rows: pl.DataFrame, names: Sequence[Any], request: _Request) -> dict[str, int]:
    found = {*rows["layer_a"], *rows["layer_b"]}
    by_architecture = request.layers if isinstance(request.layers, Mapping) else {}
    given = by_architecture.get(names[SCOPE.index("architecture")])
    if request.layers is not None and not isinstance(request.layers, Mapping):
        given = request.layers
    if given is None:
        given = in_natural_order(found)
    if unknown := sorted(found - set(given)):
        raise UsageError(f"{_label(names)}: the layers {', '.join(unknown)} are missing from layers=")
    return {layer: position for position, layer in enumerate(given)}
