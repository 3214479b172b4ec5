"""Fingerprints change with everything that matters, and with nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import pytest

from resi.errors import UsageError
from resi.fingerprints import fingerprint
from resi.measures.base import Measure
from resi.pipeline.keys import comparison_key, measure_key
from resi.registry import make_measure
from resi.specs import ModelSpec

SPEC = ModelSpec("graph", "cora", "content", "gcn", "standard", 0, {"layers": 3, "dropout": 0.5}, 1)


def test_the_order_of_keys_does_not_matter() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})


def other_than(value: object) -> object:
    if isinstance(value, str):
        return f"{value} changed"
    return value + 1 if isinstance(value, int) else {**value, "dropout": 0.6}


@pytest.mark.parametrize("field", [field.name for field in fields(ModelSpec)])
def test_every_field_of_a_model_changes_its_fingerprint(field: str) -> None:
    changed = replace(SPEC, **{field: other_than(getattr(SPEC, field))})
    assert changed.fingerprint != SPEC.fingerprint
    assert changed != SPEC
    assert replace(changed, **{field: getattr(SPEC, field)}).fingerprint == SPEC.fingerprint


def key_of(source: str, target: str, name: str, subsample: int | None = None, **parameters) -> str:
    measure = make_measure(name, parameters)
    return comparison_key(source, target, measure_key(measure, subsample), measure.symmetric)


def test_a_symmetric_comparison_has_one_key_and_parameters_are_part_of_it() -> None:
    assert key_of("a", "b", "jaccard") == key_of("b", "a", "jaccard")
    assert key_of("a", "b", "jaccard") != key_of("a", "b", "jaccard", k=20)
    assert key_of("a", "b", "jaccard") != key_of("a", "b", "jaccard", subsample=500)
    assert key_of("a", "b", "jaccard") != key_of("a", "b", "cka")
    assert key_of("a", "b", "jaccard") != key_of("a", "c", "jaccard")
    assert key_of("a", "b", "pwcca") != key_of("b", "a", "pwcca")


def test_a_parameter_cannot_be_called_like_what_the_tables_say_of_a_value() -> None:
    @dataclass
    class Gap(Measure):
        name = "gap"
        larger_is_more_similar = False
        null: int = 3
        subsample: int = 7

    with pytest.raises(UsageError, match="measure=gap: its parameter 'null'"):
        measure_key(Gap(), None)

    @dataclass
    class Gop(Measure):
        name = "gop"
        larger_is_more_similar = False
        subsample: int = 7

    assert '{\\"subsample\\":7}' in measure_key(Gop(), None)
    with pytest.raises(UsageError, match="measure=gop: its parameter 'subsample'"):
        measure_key(Gop(), 100)
