"""A plugin that notes what a process does in a file, so that a test can kill it there, and can count trainings.

``RECORD`` names the file; each line is a process id, a stage and a detail. ``RECORD_PAUSE`` names a stage to rest in.
"""

from __future__ import annotations

import functools
import os
import time

import resi.pipeline.run
import resi.results.merge
from resi.domains.graph.domain import GraphDomain
from resi.results.shards import Shard
from resi.store.representations import RepresentationStore


def note(stage, detail=""):
    line = f"{os.getpid()} {stage} {detail}\n".encode()
    file = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)
    if stage == os.environ.get("RECORD_PAUSE"):
        time.sleep(600)


def noted(stage, function, detail=lambda *_: ""):
    @functools.wraps(function)
    def wrapped(*given, **named):
        note(stage, detail(*given))
        return function(*given, **named)

    return wrapped


if "RECORD" in os.environ:
    GraphDomain.train = noted("train", GraphDomain.train, lambda _, spec, *__: spec.fingerprint)
    RepresentationStore.save = noted("extract", RepresentationStore.save)
    Shard.add = noted("compare", Shard.add)
    Shard.finish = noted("write", Shard.finish)
    resi.pipeline.run.score_measures = noted("score", resi.pipeline.run.score_measures)
    resi.results.merge._write_scores = noted("replace", resi.results.merge._write_scores)
