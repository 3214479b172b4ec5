"""Two sweeps started at once on one data root share the work: nothing is trained twice, and both end well."""

from __future__ import annotations

import re
from pathlib import Path

from resi.results.shards import Shard, find_shards
from tests.conftest import TINY
from tests.faults.running import LONG, TIMES, environment, install_plugin, notes, start


@LONG
def test_two_sweeps_at_once_train_each_model_once_and_end_with_equal_tables(tmp_path: Path) -> None:
    plugins = install_plugin(tmp_path / "plugins", "recorder")
    env = environment(plugins, RECORD=str(tmp_path / "record"))
    home = tmp_path / "home"
    # Of four jobs each, two are the same; the models of all are the same.
    sweeps = [["-m", *TINY, f"measure={names}", f"root={home}"] for names in ("cka,rsa", "rsa,procrustes")]
    both = [start(words, env) for words in sweeps]
    ends = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    trained = [note.detail for note in notes(tmp_path / "record") if note.stage == "train"]
    assert len(trained) == len(set(trained)) == 4
    assert len({note.pid for note in notes(tmp_path / "record")}) == 2
    shards = list(find_shards(home))
    assert len(shards) == 3
    by_measure = {}
    for shard in shards:
        shard.verify()
        rows = Shard(shard.folder).comparisons()
        assert set(rows["status"]) == {"ok"}
        by_measure[rows["measure"][0]] = rows.drop(*TIMES, "measure", "value")
    assert set(by_measure) == {"cka", "rsa", "procrustes"}
    # Both printed the scores of the job that is in both.
    lines = [[line for line in out.splitlines() if re.search(r"\brsa +[-\d]", line)] for out, _ in ends]
    assert lines[0] == lines[1]
    assert lines[0]
