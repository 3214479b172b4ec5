"""Tables of pairs that were not made by a run: the columns that a test needs, and defaults for the others."""

from __future__ import annotations

import hashlib
import itertools
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.errors import ShapeError, UsageError
from resi.fingerprints import LENGTH
from resi.measures.functional import FUNCTIONAL
from resi.results.schema import COMPARISONS, LATER_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.groundings.base import Grounding

    Models = Mapping[str, Mapping[str, Any]] | pl.DataFrame
    About = dict[str, Any]

SIDES = ("a", "b")
OF_KIND = {"settings": ("setting", "seed"), "seeds": ("seed",), "layers": ("layer",)}
"""Facts needed about the models in a table, by the kind of a test."""
KNOWN = ("setting", "seed", "layer", "accuracy", "logits", "architecture", "dataset")
"""Facts that can be stated about a model."""
TEXTS = ("setting", "layer", "architecture", "dataset")
DEFAULTS: dict[str, Any] = {
    "domain": "custom",
    "dataset": "",
    "architecture": "",
    "setting": "standard",
    "seed": 0,
    "layer": "",
    "parameters": "{}",
}
"""Defaults of the columns that a table may lack."""
SEPARATOR = ":"
"""Separator between model and layer in the names of pairwise tables."""
INPUT_OF = {"accuracy_difference": "accuracy", "jsd": "logits", "disagreement": "logits"}


def completed(table: pl.DataFrame, grounding: Grounding, needed: Sequence[str], models: Any) -> pl.DataFrame:
    """Return a table with all columns ``needed`` for scoring, those with defaults filled in.

    Parameters
    ----------
    models : mapping from name to mapping, DataFrame or None
        Facts about the names in the columns ``source`` and ``target``.

    Raises
    ------
    UsageError
        If the table lacks a column that the test needs, or ``models`` lacks a fact that it needs.
    """
    if models is not None:
        table = _with_models(table, grounding, _by_name(models))
    required = ["measure", "value", *(f"{name}_{side}" for side in SIDES for name in OF_KIND[grounding.kind])]
    if missing := [column for column in required if column not in table.columns]:
        raise UsageError(
            f"the table lacks the columns {', '.join(missing)}, which test={grounding.name} needs"
            f"{_advice(table, grounding)}"
        )
    for column in ("seed_a", "seed_b"):
        if column in table.columns and not table.schema[column].is_integer():
            raise UsageError(f"the column {column} holds {table.schema[column]}; seeds must be whole numbers")
    filled = {
        column: DEFAULTS[name]
        for column in needed
        if column not in table.columns and column not in LATER_COLUMNS
        for name in [column.removesuffix("_a").removesuffix("_b")]
        if name in DEFAULTS
    }
    table = table.with_columns(pl.lit(text, COMPARISONS[column]).alias(column) for column, text in filled.items())
    return table if "key" in table.columns else table.with_columns(key=_keys(table))


def _advice(table: pl.DataFrame, grounding: Grounding) -> str:
    if "source" not in table.columns:
        return ""
    name = table["source"][0] if table.height else "NAME"
    example = {"setting": "'standard'", "seed": "0", "layer": "'1'"}
    about = ", ".join(f"'{known}': {example[known]}" for known in OF_KIND[grounding.kind])
    return f"; describe its names: models={{{name!r}: {{{about}}}, ...}}"


def _keys(table: pl.DataFrame) -> pl.Series:
    """Return a hash of each row: a score is named by what it was computed from."""
    names = [name for name in COMPARISONS if name in table.columns and name not in ("seconds", "prepare_seconds")]
    rows = table.select(names).iter_rows()
    return pl.Series([hashlib.sha256(repr(row).encode()).hexdigest()[:LENGTH] for row in rows], dtype=pl.String)


def _by_name(models: Any) -> dict[str, About]:
    """Return the facts about each model, checked."""
    if type(models).__module__.split(".")[0] == "pandas":
        models = pl.from_pandas(models)
    if isinstance(models, pl.DataFrame):
        if "name" not in models.columns:
            raise UsageError(f"models= needs a column 'name'; it has {', '.join(models.columns)}")
        rows = [
            {name: value for name, value in row.items() if value is not None and name in (*KNOWN, "name")}
            for row in models.iter_rows(named=True)
        ]
        models = {row.pop("name"): row for row in rows}
    if not isinstance(models, Mapping) or not all(isinstance(about, Mapping) for about in models.values()):
        raise UsageError(
            "models= expects facts by name, such as {'a': {'setting': 'standard', 'seed': 0}}, or a table with "
            "the column 'name'"
        )
    return {str(name): _checked(str(name), about) for name, about in models.items()}


def _checked(name: str, about: Mapping[str, Any]) -> About:
    if unknown := [key for key in about if key not in KNOWN]:
        raise UsageError(f"models[{name!r}] has {unknown[0]!r}; known keys: {', '.join(KNOWN)}")
    found: About = {key: str(value) if key in TEXTS else value for key, value in about.items()}
    if "seed" in found:
        try:
            found["seed"] = operator.index(found["seed"])
        except TypeError:
            raise UsageError(f"models[{name!r}]: seed={found['seed']!r}: expected a whole number") from None
    return found


def _with_models(table: pl.DataFrame, grounding: Grounding, models: Mapping[str, About]) -> pl.DataFrame:
    """Return a table of pairs with the facts about both sides as columns, and the differences of their outputs."""
    if missing := [column for column in ("source", "target", "measure", "value") if column not in table.columns]:
        raise UsageError(f"models= names what is compared, but the table lacks the columns {', '.join(missing)}")
    names = list(dict.fromkeys([*table["source"], *table["target"]]))
    known = {name: _known(name, models, grounding) for name in names}
    if unknown := [name for name, about in known.items() if about is None]:
        raise UsageError(f"models= does not name {_listed(unknown)}; add them, or leave out their rows")
    items = {name: about for name, about in known.items() if about is not None}
    _check_distinct(items)
    for side, column in zip(SIDES, ("source", "target"), strict=True):
        sides = [items[name] for name in table[column]]
        parts = ("setting", "seed", "layer", "architecture", "dataset")
        table = table.with_columns(
            pl.Series(f"{part}_{side}", [about[part] for about in sides], dtype=COMPARISONS.get(f"{part}_a", pl.String))
            for part in parts
        )
    same = [pl.col(f"{part}_a") == pl.col(f"{part}_b") for part in ("architecture", "dataset")]
    table = table.filter(same).rename({"architecture_a": "architecture", "dataset_a": "dataset"})
    outputs = list(_outputs(items, grounding))
    return pl.concat([table, pl.DataFrame(outputs)], how="diagonal_relaxed") if outputs else table


def _known(name: str, models: Mapping[str, About], grounding: Grounding) -> About | None:
    """Return the facts about a name, or about the model before ``:LAYER``."""
    about = models.get(name)
    if about is None:
        model = max((model for model in models if name.startswith(f"{model}{SEPARATOR}")), key=len, default=None)
        if model is None:
            return None
        about = {"layer": name[len(model) + len(SEPARATOR) :], **models[model]}
    if absent := [key for key in OF_KIND[grounding.kind] if key not in about]:
        raise UsageError(f"models[{name!r}] lacks its {' and '.join(absent)}, which test={grounding.name} needs")
    return {**{key: DEFAULTS[key] for key in ("setting", "seed", "layer", "architecture", "dataset")}, **about}


def _check_distinct(items: Mapping[str, About]) -> None:
    seen: dict[tuple[Any, ...], str] = {}
    for name, about in items.items():
        what = tuple(about[key] for key in ("dataset", "architecture", "setting", "seed", "layer"))
        other = seen.setdefault(what, name)
        if other != name:
            raise UsageError(
                f"models= is the same for {other!r} and {name!r}: setting={about['setting']} seed={about['seed']}"
                f"{' layer=' + about['layer'] if about['layer'] else ''}; give each model its own seed"
            )


def _outputs(items: Mapping[str, About], grounding: Grounding) -> Iterator[dict[str, Any]]:
    """Yield the differences of predictions, for a test of predictions."""
    of_models: dict[tuple[Any, ...], tuple[str, About]] = {}
    for name, about in items.items():
        what = tuple(about[key] for key in ("dataset", "architecture", "setting", "seed"))
        of_models.setdefault(what, (name, about))
    for functional in grounding.functional:
        wanted = INPUT_OF[functional]
        if lacking := [name for name, about in of_models.values() if wanted not in about]:
            raise UsageError(
                f"test={grounding.name} needs the {wanted} of every model; models= lacks it for {_listed(lacking)}"
            )
        for (what, (name, one)), (others, (other_name, other)) in itertools.combinations(of_models.items(), 2):
            if what[:3] != others[:3]:
                continue
            try:
                value = FUNCTIONAL[functional](one[wanted], other[wanted])
            except ShapeError as error:
                raise UsageError(f"models[{name!r}] and models[{other_name!r}]: {error}") from None
            yield {
                **dict(zip(("dataset", "architecture", "setting_a", "seed_a"), what, strict=True)),
                **dict(zip(("setting_b", "seed_b"), others[2:], strict=True)),
                **{"layer_a": "", "layer_b": "", "measure": functional, "value": value},
            }


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
