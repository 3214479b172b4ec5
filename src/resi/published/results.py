"""Import of the published benchmark's results, so that a new measure can be ranked against all published ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from resi import __version__, registry
from resi.choices import Protocol, Status
from resi.domains.groups import split_setting
from resi.errors import UsageError, count_of, unknown_name
from resi.fingerprints import canonical, fingerprint, hash_file
from resi.groundings import GROUNDINGS
from resi.groundings.scores import score_table
from resi.pipeline.provenance import describe_environment
from resi.published.names import FUNCTIONAL, PublishedNames, Side, published_poolings
from resi.results.manifests import CONFLICTS_FILE
from resi.results.outdated import VERSIONS
from resi.results.resolve import resolve_comparisons
from resi.results.schema import COMPARISON_ORDER, COMPARISONS, PUBLISHED, SCORE_VERSION, SCORES
from resi.results.shards import Shard, count_statuses
from resi.results.tables import named_damage, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED = {"id": pl.String, "metric": pl.String, "metric_value": pl.Float64, "runtime": pl.Float64}
SCOPE = ["domain", "dataset", "architecture"]


@dataclass
class Imported:
    """What an import made: its shard, the scores in it, and the problems it met, one line each."""

    shard: Shard
    comparisons: int
    scores: pl.DataFrame
    problems: list[str] = field(default_factory=list)


def import_published(path: Path, folder: Path, pooling: str | None = None) -> Imported:
    """Convert a results file of the published benchmark to a shard, scored under both protocols.

    For a symmetric measure, one of the file's two rows for a pair is kept. Imported comparisons have ``origin``
    ``published`` and separate keys, as their models differ from those trained here.

    Parameters
    ----------
    path : Path
        The Parquet file, of any mixture of domains, datasets and tests.
    folder : Path
        The folder of shards that the new one goes to; its name is made of the file's hash.
    pooling : str, optional
        How the tokens of BERT and ALBERT were pooled, one of :func:`published_poolings`: their ids do not say it.

    Raises
    ------
    ArtifactError
        If the file is damaged.
    UsageError
        If it is not a results file of the published benchmark, or all of its rows need ``pooling``, which is missing.
    """
    check_pooling(pooling)
    rows, problems = _read(path, pooling)
    kept, conflicts = resolve_comparisons(rows.with_columns(shard=pl.lit(str(path))))
    if conflicts.height:
        problems.append(
            f"{count_of(conflicts['key'].n_unique(), 'comparison has', 'comparisons have')} different values in it; "
            "none of them is chosen"
        )
    parts = [_score(part) for part in kept.partition_by(SCOPE)]
    scores = pl.concat([pl.DataFrame(schema=SCORES), *(found for found, _ in parts)])
    problems += [problem for _, unscored in parts for problem in unscored]
    digest = hash_file(path)
    shard = Shard(folder / "-".join(["published", digest[:12], *([pooling] if pooling else [])]))
    (shard.folder / CONFLICTS_FILE).unlink(missing_ok=True)
    if conflicts.height:
        write_table(shard.folder / CONFLICTS_FILE, conflicts.sort([*COMPARISON_ORDER, "value"], nulls_last=True))
    shard.finish(kept, scores, _manifest(path, digest, kept, scores))
    return Imported(shard, kept.height, scores, [f"{path}: {problem}" for problem in problems])


def check_pooling(pooling: str | None) -> None:
    """Raise ``UsageError`` unless a pooling is known or not given."""
    known = published_poolings()
    if pooling is not None and pooling not in known:
        raise unknown_name("pooling", pooling, known)


def _read(path: Path, pooling: str | None) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows of a file as comparisons, and what was left out of it."""
    given = _read_columns(path)
    problems: list[str] = []
    parts = pl.col("id").str.split("___")
    rows = given.with_columns(
        a=pl.when(parts.list.len() == 3).then(parts.list.get(0, null_on_oob=True)),
        b=pl.when(parts.list.len() == 3).then(parts.list.get(1, null_on_oob=True)),
    )
    sides, why_not = _sides(sorted({*rows["a"].drop_nulls(), *rows["b"].drop_nulls()}))
    named = rows.join(sides, left_on="a", right_on="side", how="left")
    named = named.join(sides, left_on="b", right_on="side", how="left", suffix="_b")
    named = named.join(_measures(), on="metric", how="left")
    if pooling is None:
        named = _without_pooled(named, path, problems)
    no_side = pl.any_horizontal(pl.col("domain", "domain_b").is_null())
    mixed = ~no_side & pl.any_horizontal(pl.col(name) != pl.col(f"{name}_b") for name in (*SCOPE, "probe"))
    if lost := named.filter(no_side)["id"].to_list():
        reason = "; ".join(why_not[:1]) or f"{lost[0]} is not of the form SIDE___SIDE___MEASURE"
        problems.append(f"left out: {count_of(len(lost), 'row')} with ids of an unknown form: {reason}")
    if lost := named.filter(mixed)["id"].to_list():
        problems.append(f"left out: {count_of(len(lost), 'row')} comparing models of different data: {lost[0]}")
    named = named.filter(~(no_side | mixed))
    for metric, count in named.filter(pl.col("measure").is_null()).group_by("metric").len().sort("metric").iter_rows():
        problems.append(f"left out: {count_of(count, 'row')} of {metric}: no installed measure has this published_name")
    return _comparisons(named.filter(pl.col("measure").is_not_null()), path.name, pooling), problems


def _without_pooled(named: pl.DataFrame, path: Path, problems: list[str]) -> pl.DataFrame:
    """Return the rows of models whose tokens are not pooled, and add to the problems how to have the others.

    Raises
    ------
    UsageError
        If there are no others.
    """
    is_pooled = pl.any_horizontal(pl.col("domain", "domain_b").is_not_null() & pl.col("pooling", "pooling_b").is_null())
    pooled = named.filter(is_pooled)
    if pooled.is_empty():
        return named
    sides = (pooled.filter(pl.col(f"pooling{side}").is_null())[f"architecture{side}"] for side in ("", "_b"))
    names = " and ".join(sorted({name for side in sides for name in side if name is not None}))
    choice = " or ".join(f"--pooling {known}" for known in published_poolings())
    how = f"the file does not say how their tokens were pooled: give {choice}"
    if pooled.height == named.height:
        raise UsageError(f"{path} holds comparisons of {names}, and {how}")
    problems.append(f"left out: {count_of(pooled.height, 'row')} of {names}, since {how}")
    return named.filter(~is_pooled)


def _read_columns(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise UsageError(f"{path} is not a file; --published takes a results file of the published benchmark")
    with named_damage(path, "Download it again."):
        frame = pl.scan_parquet(path, glob=False)
        found = frame.collect_schema()
        for name, dtype in NEEDED.items():
            if found.get(name) != dtype:
                raise UsageError(
                    f"{path} is not a results file of the published benchmark: it has no column {name} of type {dtype}"
                )
        return frame.select(*NEEDED).collect()


def _sides(texts: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """Return what each side is, with its place in a fixed order, and why others are not understood."""
    names = PublishedNames()
    found, why_not = [], []
    for text in texts:
        try:
            found.append((text, *names.side(text)))
        except ValueError as error:
            why_not.append(str(error))
    types = {name: pl.Int64 if name == "seed" else pl.String for name in Side._fields}
    sides = pl.DataFrame(found, schema={"side": pl.String, **types}, orient="row")
    by_number = pl.col("layer").cast(pl.Int64, strict=False)
    return sides.sort([*SCOPE, "setting", "seed", by_number]).with_row_index("place"), why_not


def _measures() -> pl.DataFrame:
    """Return the measures by their published names, with the parameters that the published code uses."""
    rows = [(metric, name, True, canonical({})) for metric, name in FUNCTIONAL.items()]
    for name in registry.measures():
        measure = registry.measures().get(name)
        if measure.published_name:
            parameters = measure().parameters()
            if "variant" in parameters:
                parameters["variant"] = PUBLISHED
            rows.append((measure.published_name, name, measure.symmetric, canonical(parameters)))
    columns = {"metric": pl.String, "measure": pl.String, "symmetric": pl.Boolean, "parameters": pl.String}
    return pl.DataFrame(rows, schema=columns, orient="row")


def _comparisons(rows: pl.DataFrame, file: str, pooling: str | None) -> pl.DataFrame:
    swap = pl.col("symmetric") & (pl.col("place") > pl.col("place_b"))
    value = pl.col("metric_value").fill_nan(None)
    ok = value.is_finite().fill_null(value=False)
    named = rows.with_columns(
        *(
            pl.when(swap if side == "a" else ~swap).then(f"{name}_b").otherwise(name).alias(f"{name}_{side}")
            for name in ("setting", "seed", "layer")
            for side in "ab"
        ),
        pooling=pl.coalesce("pooling", pl.lit(pooling)),
        origin=pl.lit(PUBLISHED),
        model_source=pl.lit(PUBLISHED),
        value=pl.when(ok).then(value),
        status=pl.when(ok).then(pl.lit(Status.ok.value)).otherwise(pl.lit(Status.failed.value)),
        error=pl.when(ok)
        .then(pl.lit(""))
        .when(value.is_null())
        .then(pl.lit(f"no value in {file}, which keeps no reasons"))
        .otherwise(pl.concat_str(value.cast(pl.String), pl.lit(f" in {file}"))),
        seconds=pl.col("runtime").fill_nan(None),
        prepare_seconds=None,
        device=None,
        measure_version=None,
        shape_a=None,
        shape_b=None,
        resi_version=pl.lit(__version__),
        pair=None,
        note=pl.lit(""),
        raw=None,
        null_mean=None,
        null_95=None,
        p_value=None,
    )
    what = pl.concat_str(
        *SCOPE, "probe", "pooling", "measure", "parameters",
        "setting_a", "seed_a", "layer_a", "setting_b", "seed_b", "layer_b", separator="\n",
    )  # fmt: skip
    key = what.map_elements(lambda text: fingerprint({"origin": PUBLISHED, "of": text}), return_dtype=pl.String)
    return named.with_columns(key=key).select(pl.col(name).cast(dtype) for name, dtype in COMPARISONS.items())


def _score(comparisons: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return the scores of one architecture, and why tests could not be scored."""
    found, problems = [], []
    for test in _tests(comparisons):
        try:
            found += [score_table(comparisons, test, protocol) for protocol in Protocol]
        except UsageError as error:
            problems.append(f"no scores of {test}: {error}")
    return pl.concat([pl.DataFrame(schema=SCORES), *found]), problems


def _tests(comparisons: pl.DataFrame) -> Iterator[str]:
    """Yield the tests that comparisons are of."""
    altered = {split_setting(setting)[0] for side in "ab" for setting in comparisons[f"setting_{side}"].unique()}
    measures = {*comparisons["measure"]}
    one_model = (pl.col("setting_a") == pl.col("setting_b")) & (pl.col("seed_a") == pl.col("seed_b"))
    for name, test in GROUNDINGS.items():
        if test.kind == "settings":
            belongs = name in altered
        elif test.kind == "layers":
            belongs = not comparisons.filter(one_model).is_empty()
        else:
            belongs = not measures.isdisjoint(test.functional)
        if belongs:
            yield name


def _manifest(path: Path, digest: str, comparisons: pl.DataFrame, scores: pl.DataFrame) -> dict[str, Any]:
    def names(frame: pl.DataFrame, column: str) -> list[str]:
        return sorted(frame[column].unique())

    return {
        "kind": PUBLISHED,
        "source": {"file": path.name, "sha256": digest},
        "test": ", ".join(names(scores, "test")),
        "domain": ", ".join(names(comparisons, "domain")),
        "dataset": ", ".join(names(comparisons, "dataset")),
        "architectures": names(comparisons, "architecture"),
        "measures": names(comparisons, "measure"),
        "protocol": ", ".join(Protocol),
        "counts": count_statuses(comparisons),
        VERSIONS: {"scores": SCORE_VERSION},
        **describe_environment(),
    }
