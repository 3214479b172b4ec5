"""Fingerprints change with everything that matters, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

from resi.fingerprints import fingerprint
from resi.pipeline.plan import comparison_key, measure_identity
from resi.registry import make_measure
from resi.specs import ModelSpec

SPEC = ModelSpec("graph", "cora", "content", "gcn", "standard", 0, {"layers": 3, "dropout": 0.5}, 1)


def test_the_order_of_keys_does_not_matter() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})


def test_every_field_of_a_model_changes_its_fingerprint() -> None:
    changed = [
        replace(SPEC, dataset_content="other"),
        replace(SPEC, architecture="gat"),
        replace(SPEC, setting="augmentation_25"),
        replace(SPEC, seed=1),
        replace(SPEC, hyperparameters={"layers": 3, "dropout": 0.6}),
        replace(SPEC, training_version=2),
    ]
    assert len({spec.fingerprint for spec in [SPEC, *changed]}) == len(changed) + 1


def key_of(source: str, target: str, name: str, subsample: int | None = None, **parameters) -> str:
    measure = make_measure(name, parameters)
    return comparison_key(source, target, measure_identity(measure, subsample), measure.symmetric)


def test_a_symmetric_comparison_has_one_key_and_parameters_are_part_of_it() -> None:
    assert key_of("a", "b", "jaccard") == key_of("b", "a", "jaccard")
    assert key_of("a", "b", "jaccard") != key_of("a", "b", "jaccard", k=20)
    assert key_of("a", "b", "jaccard") != key_of("a", "b", "jaccard", subsample=500)
    assert key_of("a", "b", "jaccard") != key_of("a", "b", "cka")
    assert key_of("a", "b", "jaccard") != key_of("a", "c", "jaccard")
    assert key_of("a", "b", "pwcca") != key_of("b", "a", "pwcca")
