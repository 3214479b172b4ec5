"""The keys of a configuration beside its experiments: which words of a run they become, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resi import registry
from resi.errors import UsageError
from resi.published.convert.outcome import Outcome, Value
from resi.published.names import measure_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EXPERIMENTS = "experiments"
BENCHMARK = "benchmark"
"""The measures of a run that names none."""
SHARDS = (
    "comparisons are kept in shards below the data root, under names of their own; a results file that exists is read "
    "by resi-merge --published FILE"
)
TABLES = (
    "resi-merge writes one table of all scores, resi list scores --csv prints it, resi report --tables DIR shapes it"
)
OWN = "a measure of your own is named by its own name, and by measure.file where it lies in a file"
REMARKS = {
    "cache_to_disk": "not needed: representations are always kept below the data root, and read from there",
    "cache_to_mem": "not needed: as many representations are kept in memory as compare.memory allows",
    "raw_results_filename": SHARDS,
    "table_creation": TABLES,
}
"""Keys that become no word, and why."""
SCORES = "stage=score scores comparisons that are stored; leave it out to make those that are missing, too"
TABLE_KEYS = ("save_full_df", "full_df_filename", "save_aggregated_df", "row_index", "columns", "value_key", "filename")


class Flags(NamedTuple):
    """Words that all runs of a configuration have, and remarks on its keys."""

    values: tuple[tuple[str, Value], ...]
    outcome: Outcome


def read_flags(document: Mapping[str, Any]) -> Flags:
    """Return what the keys beside ``experiments`` become.

    Raises
    ------
    UsageError
        If they leave nothing to do, or a value has the wrong type.
    """
    outcome = Outcome()
    values = [*_measures(document, outcome), *_stage(document, outcome), *_again(document)]
    for key, value in document.items():
        if key in REMARKS:
            _remark(outcome, key, value)
        elif key == "threads":
            outcome.remark(
                key,
                f"{value} is not converted: it does not affect any number; compare.threads sets the number of threads",
            )
        elif key not in READ and key != EXPERIMENTS:
            outcome.remark(key, "no counterpart: not a key of the published benchmark either; left out")
    return Flags(tuple(values), outcome)


def _remark(outcome: Outcome, key: str, value: Any) -> None:
    outcome.remark(key, REMARKS[key])
    if key == "table_creation":
        if not isinstance(value, dict):
            raise UsageError(f"{key}: expected a mapping, not {value!r}")
        for name in value:
            if name not in TABLE_KEYS:
                outcome.remark(f"{key}.{name}", "no counterpart: not a key of the published benchmark either")


def _flag(document: Mapping[str, Any], key: str) -> bool:
    value = document.get(key, False)
    if not isinstance(value, bool):
        raise UsageError(f"{key}: expected true or false, not {value!r}")
    return value


def _stage(document: Mapping[str, Any], outcome: Outcome) -> list[tuple[str, Value]]:
    extracts, scores = _flag(document, "only_extract_reps"), _flag(document, "only_eval")
    if extracts and scores:
        raise UsageError("only_extract_reps and only_eval are both true, so there is nothing to do")
    if extracts:
        return [("stage", "representations")]
    if scores:
        outcome.remark("only_eval", SCORES)
        return [("stage", "score")]
    return []


def _again(document: Mapping[str, Any]) -> list[tuple[str, Value]]:
    return [("compare.overwrite", "failed")] if _flag(document, "rerun_nans") else []


def _measures(document: Mapping[str, Any], outcome: Outcome) -> list[tuple[str, Value]]:
    """Return the measures that are compared by; none where they are those of a run that names none."""
    known = measure_names()
    included, excluded = (_classes(document, key, outcome) for key in ("included_measures", "excluded_measures"))
    if included is not None and excluded is not None:
        outcome.remark(
            "excluded_measures", "different: the published code refuses it beside included_measures, which counts here"
        )
    if included is None:
        chosen = [name for published, name in known.items() if published not in (excluded or ())]
    else:
        chosen = [known[published] for published in included if published in known]
    if not chosen:
        raise UsageError("included_measures, excluded_measures: no measure of resi is left")
    standard = registry.measure_sets()[BENCHMARK]
    if set(chosen) == set(standard):
        return []
    beyond = [name for name in chosen if name not in standard]
    if set(standard) <= set(chosen):
        return [("measure", (BENCHMARK, *beyond))]
    names = [name for name in standard if name in chosen] + beyond
    return [("measure", names[0] if len(names) == 1 else tuple(names))]


def _classes(document: Mapping[str, Any], key: str, outcome: Outcome) -> list[str] | None:
    """Return the class names under a key; None where it is not there."""
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        outcome.remark(key, "different: the published code accepts only a list")
        value = list(measure_names()) if value == "all" else [value]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"{key}: expected a list of names of measures, not {value!r}")
    for name in value:
        if name not in measure_names():
            outcome.remark(key, f"no counterpart: {name} is the published name of no installed measure; {OWN}")
    return list(dict.fromkeys(value))


READ: Mapping[str, Callable[..., Any]] = {
    "included_measures": _measures,
    "excluded_measures": _measures,
    "only_extract_reps": _stage,
    "only_eval": _stage,
    "rerun_nans": _again,
}
"""Keys that become words, and by what."""
