"""Fingerprints change with everything that matters, and with nothing else."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from resi.fingerprints import fingerprint
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
