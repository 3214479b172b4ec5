"""Recompute the results that come with resi, and say what differs from those that it has.

    python scripts/baseline.py anew ROOT --cora FOLDER --sst2 FOLDER     # all that follows; more than an hour of a core
    python scripts/baseline.py run ROOT --cora FOLDER --sst2 FOLDER      # what is stored is not computed again
    python scripts/baseline.py keep ROOT --to FOLDER                     # merged, with their models and runs
    python scripts/baseline.py compare FOLDER                            # with those in the package
    python scripts/baseline.py rescore                                   # those in the package, by a new SCORE_VERSION

`rescore` takes seconds: scores are computed from the stored comparisons, and nothing is run. `keep ROOT` without
`--to` replaces those in the package; `python scripts/real_results.py --write` then its page.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from resi.groundings.scores import score_table
from resi.pipeline.finished import with_new_scores
from resi.report.changes import changes
from resi.report.models import read_models
from resi.results.embedded import FOLDER, MODELS, MODELS_FILE, RUNS, RUNS_FILE, models_of, runs_of
from resi.results.manifests import COMPARISONS_FILE, OWN_HASH, SCORES_FILE, write_manifest
from resi.results.merge import merge_shards
from resi.results.schema import SCORE_ORDER, SCORES
from resi.results.shards import Shard, find_shards
from resi.results.tables import write_table
from resi.store.tensors import hash_tensors, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUITE = "baseline"
DIGITS = 3
"""Seconds are rounded to so many digits: they take most of the space, and tell no more."""
SAME_SCORE = [*(name for name in SCORE_ORDER if name not in ("resi_version", "key")), "compared"]
"""Columns that tell which score a row has."""
LEFT_OUT = ("host", "platform")
"""What manifests say of the machine that made them."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the suite, keep its results, or compare two that were kept."""
    arguments = _parser().parse_args(words)
    if arguments.task in ("anew", "run"):
        run(arguments.root, arguments.cora, arguments.sst2)
    if arguments.task in ("anew", "keep"):
        folder = arguments.root / "kept" if arguments.task == "anew" else arguments.to
        keep(arguments.root, folder)
    if arguments.task == "rescore":
        rescore(arguments.folder)
    if arguments.task in ("anew", "compare"):
        new = arguments.root / "kept" if arguments.task == "anew" else arguments.folder
        sys.stdout.write("\n".join(differences(Shard(new), Shard(FOLDER / SUITE))) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    for name, about in (("anew", "run, keep in ROOT/kept, and compare"), ("run", "run the suite")):
        running = tasks.add_parser(name, help=about)
        running.add_argument("root", type=Path, help="data root")
        running.add_argument("--cora", type=Path, help="folder of Cora's files; without it, Cora is downloaded")
        running.add_argument("--sst2", type=Path, help="folder of SST-2's files; without it, SST-2 is left out")
    keeping = tasks.add_parser("keep", help="merge a data root's results, with their models and runs")
    keeping.add_argument("root", type=Path, help="data root")
    keeping.add_argument("--to", type=Path, default=FOLDER / SUITE, help="folder; default: that of the package")
    tasks.add_parser("compare", help="say what differs").add_argument("folder", type=Path)
    rescoring = tasks.add_parser("rescore", help="compute the scores again from the stored comparisons")
    rescoring.add_argument("--folder", type=Path, default=FOLDER / SUITE, help="default: that of the package")
    return parser


def run(root: Path, cora: Path | None, sst2: Path | None) -> None:
    """Run the parts of the suite one after the other, each job with one thread."""
    parts = [["dataset=digits"], ["dataset=cora", *([f"dataset.root={cora.resolve()}"] if cora else [])]]
    if sst2 is not None:
        parts.append(["dataset=sst2", f"dataset.root={sst2.resolve()}"])
    environment = {**os.environ, "RESI_HOME": str(root), "OMP_NUM_THREADS": "1"}
    for part in parts:
        words = ["-m", "resi", "-m", f"suite={SUITE}", *part, "workers=1", "compare.threads=1"]
        subprocess.run([sys.executable, *words], check=True, env=environment)  # noqa: S603 - words of our own


def keep(root: Path, to: Path) -> None:
    """Merge the shards of a data root into a folder, with the tables of their models and runs."""
    with tempfile.TemporaryDirectory() as scratch:
        tables = Shard(Path(scratch) / "tables")
        merged = merge_shards([root], tables.folder)
        if merged.problems or merged.failed:
            sys.exit("\n".join([*merged.problems, *([f"{merged.failed} comparisons failed"] if merged.failed else [])]))
        _write(root, tables, to)
    size = sum(path.stat().st_size for path in to.iterdir())
    sys.stdout.write(f"{merged.comparisons} comparisons, {merged.scores} scores, {size / 1e6:.2f} MB in {to}\n")


def _write(root: Path, tables: Shard, to: Path) -> None:
    """Write merged tables in place of those in a folder, and with them their models and runs."""
    seconds = pl.col("seconds", "prepare_seconds").round_sig_figs(DIGITS)
    rows, models = tables.comparisons().with_columns(seconds), model_table(root, tables)
    scores = scored_anew(rows, tables.scores())
    about = {name: value for name, value in tables.manifest().items() if name not in (OWN_HASH, "files")}
    runs = [
        (shard.folder.name, json.dumps(_shared(shard.manifest()), sort_keys=True))
        for shard in find_shards(root)
        if shard.is_complete
    ]
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    write_table(to / COMPARISONS_FILE, rows)
    write_table(to / SCORES_FILE, scores)
    write_table(to / MODELS_FILE, models)
    write_table(to / RUNS_FILE, pl.DataFrame(runs, schema=RUNS, orient="row"))
    write_manifest(to, about)


def rescore(folder: Path) -> None:
    """Compute the scores of results that were kept again from their comparisons, as runs do after a new version."""
    tables = Shard(folder)
    known, about = tables.scores(), tables.manifest()
    scores = _scored(tables.comparisons(), known)
    both = scores.join(known, on=SAME_SCORE, nulls_equal=True, suffix="_old", validate="1:1")
    if not both.height == scores.height == known.height:
        sys.exit(f"{both.height} of {known.height} scores are found again among {scores.height}")
    changed = {
        name: both.filter(~pl.col(name).eq_missing(pl.col(f"{name}_old"))).height
        for name in SCORES
        if name not in (*SAME_SCORE, "key", "resi_version")
    }
    write_table(folder / SCORES_FILE, scores)
    runs = [(name, json.dumps(with_new_scores(run), sort_keys=True)) for name, run in runs_of(folder)]
    write_table(folder / RUNS_FILE, pl.DataFrame(runs, schema=RUNS, orient="row"))
    write_manifest(folder, {name: value for name, value in about.items() if name not in (OWN_HASH, "files")})
    words = ", ".join(f"{name} of {count}" for name, count in changed.items() if count)
    sys.stdout.write(f"{scores.height} scores; changed: {words or 'none'}\n")


def scored_anew(comparisons: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the scores of all tests by this version; the runs may be by an earlier one, with fewer columns."""
    scores = _scored(comparisons, known)
    if len(other := set(scores["key"]) ^ set(known["key"])):
        sys.exit(f"{len(other)} scores are not those of the runs; run the suite again with this version")
    return scores


def _scored(comparisons: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the scores of all tests that are known."""
    parts = known.select("domain", "dataset", "test", "protocol").unique(maintain_order=True).iter_rows()
    scores = pl.concat(
        score_table(comparisons.filter(domain=domain, dataset=dataset), test, protocol)
        for domain, dataset, test, protocol in parts
    )
    return scores.sort(SCORE_ORDER, nulls_last=True)


def _shared(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest without the name of the machine and the folders on it."""
    config = {**manifest["config"], "root": None}
    config["dataset"] = {name: value for name, value in (config.get("dataset") or {}).items() if name != "root"}
    return {**{name: value for name, value in manifest.items() if name not in LEFT_OUT}, "config": config}


def model_table(root: Path, tables: Shard) -> pl.DataFrame:
    """Return the models of a data root that are compared in some tables, sorted by their names."""
    known = {(*model[:5],): model for model in read_models(root, tables)}
    rows = []
    for path in sorted((root / "models").rglob("*.safetensors")):
        about = read_metadata(path)
        spec = about["spec"]
        model = known.get(tuple(spec[name] for name in ("domain", "dataset", "architecture", "setting", "seed")))
        if model is not None:
            more = {
                "hyperparameters": json.dumps(spec["hyperparameters"], sort_keys=True),
                "fingerprint": about["fingerprint"],
                "weights": hash_tensors(path),
                "accuracies": json.dumps(model.accuracies, sort_keys=True),
                "probes": json.dumps(model.probes, sort_keys=True),
                "classes": model.classes,
                "seconds": model.seconds,
            }
            rows.append({name: {**spec, **more}[name] for name in MODELS})
    return pl.DataFrame(rows, schema=MODELS, orient="row").sort("domain", "dataset", "architecture", "setting", "seed")


def differences(new: Shard, old: Shard) -> Iterator[str]:
    """Yield what differs between two results that were kept, a line each."""
    sides = [shard.comparisons().select("key", "measure", "value", "status") for shard in (new, old)]
    both = sides[0].join(sides[1], on="key", suffix="_old")
    yield f"comparisons: {sides[0].height} new, {sides[1].height} kept, {both.height} in both"
    if both.height:
        apart = both.with_columns(
            apart=(pl.col("value") - pl.col("value_old")).abs() / pl.max_horizontal(pl.col("value", "value_old").abs())
        ).with_columns(pl.col("apart").fill_nan(0.0))
        other = apart.filter((pl.col("apart") > 1e-6) | (pl.col("status") != pl.col("status_old")))
        yield f"  {other.height} of these differ by more than a millionth; median {apart['apart'].median():.2g}"
        for measure, count, most in (
            other.group_by("measure").agg(pl.len(), pl.col("apart").max()).sort("measure").iter_rows()
        ):
            yield f"  {measure}: {count}, by up to {most:.2g} of their size"
    models = [models_of(shard.folder).select("fingerprint", "weights") for shard in (new, old)]
    same = models[0].join(models[1], on="fingerprint", suffix="_old")
    equal = same.filter(pl.col("weights") == pl.col("weights_old")).height
    counts = f"{models[0].height} new, {models[1].height} kept, {same.height} made the same way"
    yield f"models: {counts}, {equal} bit by bit"
    found = changes(new.scores(), old.scores(), "those kept")
    yield f"scores: {found.sentence}"
    yield from (f"  {line}" for line in (*found.only, *found.answers))


if __name__ == "__main__":
    main()
