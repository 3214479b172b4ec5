"""The values of the self-test are those of the definitions with 50 digits, and cover the benchmark."""

from __future__ import annotations

import json

from resi import registry
from tests.exact.golden import GOLDEN, golden


def test_the_file_in_the_package_is_what_the_definitions_give() -> None:
    stored, computed = json.loads(GOLDEN.read_text(encoding="utf-8")), json.loads(json.dumps(golden()))
    changed = [name for name in computed["measures"] if computed["measures"][name] != stored["measures"].get(name)]
    assert not changed, (
        f"{', '.join(changed)}: other values than in {GOLDEN.name}; python -m tests.exact.golden writes it"
    )
    assert stored == computed


def test_every_measure_of_the_benchmark_is_tested() -> None:
    measures = registry.measures()
    benchmark = {name for name in measures if measures.get(name).benchmark}
    assert benchmark <= {*json.loads(GOLDEN.read_text(encoding="utf-8"))["measures"]}
    assert len(benchmark) == 24
