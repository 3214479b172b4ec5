"""Measures of files and modules in other processes: that of ``compare.isolate``, and the jobs of launchers."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import resi
from tests.conftest import TINY
from tests.faults.running import LONG
from tests.registry.test_files import write


@LONG
def test_measures_of_files_and_modules_run_in_a_process_of_their_own(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    words = [*TINY, f"root={trained}", "compare.overwrite=always"]
    plain = resi.run([*words, f"measure.file={path}"]).comparisons
    isolated = resi.run([*words, f"measure.file={path}", "compare.isolate=true"]).comparisons
    assert isolated.select("measure", "value").equals(plain.select("measure", "value"))
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("tries").Overlap
    found = resi.run([*words, "compare.isolate=true"], measures=own).comparisons
    assert list(found["value"]) == list(plain.filter(measure="overlap")["value"])


@LONG
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_of_launchers_read_the_same_file(
    tmp_path: Path, trained: Path, said, launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path).parent)
    words = ["-m", *TINY, f"root={trained}", "measure.file=tries.py", "measure=cka,overlap,gap"]
    status, _, errors = said(
        *words, f"hydra/launcher={launcher}", "hydra.launcher.n_jobs=2", "compare.overwrite=always"
    )
    assert status == 0, errors
