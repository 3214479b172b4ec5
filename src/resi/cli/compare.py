"""``resi compare``: the similarity of layers in files and folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from resi.choices import Status
from resi.cli.arguments import Key, count, flag, parameters, parser, split, text, texts
from resi.cli.destinations import FIGURES, TABLES, check_destination
from resi.console import say, write
from resi.errors import UsageError
from resi.specs import Layout

if TYPE_CHECKING:
    import polars as pl

    from resi.cli.matrices import Sides
    from resi.extraction.collection import Representations

    Set = Representations | dict[str, Representations]


def alignment(key: str, value: str) -> bool | str:
    """Return how rows are aligned."""
    if value != "shared" and value.lower() not in ("true", "false"):
        raise UsageError(f"{key}={value}: expected true, false or shared")
    return value if value == "shared" else value.lower() == "true"


def layout(key: str, value: str) -> str:
    """Return what the axes of the arrays are."""
    if value not in (*LAYOUTS, "auto"):
        raise UsageError(f"{key}={value}: expected {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}")
    return value


KEYS = {
    "measure": Key("a name, a list as [cka,rsa], or benchmark, fast, all; default cka", texts),
    "measure.file": Key("a Python file with measures of yours, or a list; all of it unless measure names some", texts),
    "measure.NAME.P": Key("a parameter of a measure, as measure.jaccard.k=20", text),
    "layers": Key("patterns of the layers to compare, as 'layer3.*'; default all", texts),
    "shape": Key("nd, ntd or nchw, if it is not what the number of axes says", layout),
    "samples": Key("compare only that many samples, the same of all", count),
    "align": Key("true: bring rows into one order by ids; shared: also leave out samples that not all have", alignment),
    "null": Key("how often to permute the samples of the second side, as 200: p-values and calibrated values", count),
    "blocks": Key(
        "a file with a label a sample, a line each: null exchanges like ones, bootstrap draws all at once", text
    ),
    "diagonal": Key("true: compare each layer of one set with itself, too", flag),
    "columns": Key("of tables: patterns of the columns that are features", texts),
    "id": Key("of tables: the column with the ids of samples", text),
    "bootstrap": Key("draw the samples again that often, as 1000, for 95 % intervals of the values", count),
    "memory": Key("memory for prepared layers, as 4GB; default half the machine's", text),
    "threads": Key("number of threads; default torch's", count),
}
LAYOUTS = get_args(Layout)
SHOWN_REASONS = 5
ABOUT = """\
Compare layers in files or folders: of one set all pairs, of two sets each layer of one with each of the other. \
A set is a folder or a file with several layers; any number of files with one layer each are one set together.

Files are .safetensors, .npy, .npz, .pt, .h5, .mat, .parquet and .csv; a folder holds one layer a file, or \
is what `resi extract` wrote."""
EXAMPLES = """\
  resi compare reps/r18
  resi compare reps/r18 reps/r34 'measure=[cka,procrustes]' --plot layers.svg
  resi compare a.npy b.npy c.npy measure=jaccard measure.jaccard.k=20
  resi compare reps/r18 reps/r34 measure.file=my_measure.py
  resi compare reps/r18 'layers=layer?' samples=1000 --out table.csv
  resi compare a.npy b.npy null=200 bootstrap=1000"""


def main(words: list[str]) -> int:
    """Compare, and print a table; return 1 if a comparison failed."""
    arguments = make_parser().parse_intermixed_args(words)
    known = {key: about for key, about in KEYS.items() if key != "measure.NAME.P"}
    paths, values = split(arguments.words, known, "compare", parameters_of="measure")
    if not paths:
        raise UsageError("resi compare: name files or folders of representations, see resi compare --help")
    inputs = [*paths, *([values["blocks"]] if "blocks" in values else [])]
    check_destination("--out", arguments.out, TABLES, inputs)
    check_destination("--plot", arguments.plot, FIGURES, inputs)
    files = values.pop("measure.file", [])
    measures = _measures(values.pop("measure", None), files, parameters(values, "measure"))
    reading: dict[str, Any] = {key: values.pop(key) for key in ("layers", "columns", "id") if key in values}
    first, second, sides = _sets(paths, reading)
    table = _compared(first, second, measures, values)
    _print(table, sides, arguments)
    _keep(table, sides, arguments)
    return 1 if table.filter(status=Status.failed).height else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = parser("compare", "resi compare PATH [PATH ...] [KEY=VALUE ...] [options]", ABOUT, KEYS, EXAMPLES)
    found.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    found.add_argument("--plot", type=Path, metavar="FILE", help="draw a heat map, .png, .svg or .pdf")
    found.add_argument("--out", type=Path, metavar="FILE", help="write the table, .csv, .tsv, .parquet or .json")
    shown = found.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the table as JSON")
    shown.add_argument("--csv", action="store_true", help="print the table as CSV")
    return found


def _measures(names: list[str] | None, files: list[str], given: dict[str, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Return the parameters of each measure by its name or class, sets of measures in full."""
    from resi import registry
    from resi.registry.files import load_files

    found = load_files(files) if files else []
    own = {name: measure for file in found for name, measure in file.measures.items()}
    names = names or [name for file in found for name in file.chosen] or ["cka"]
    if own and not set(own).intersection(names):
        raise UsageError(
            f"measure.file={files[0]}: measure={','.join(names)} names none of its measures: {', '.join(own)}"
        )
    sets = registry.measure_sets()
    chosen = dict.fromkeys(member for name in names for member in sets.get(name, [name]))
    for name, parameters_of in given.items():
        if name not in chosen:
            parameter, value = next(iter(parameters_of.items()))
            raise UsageError(f"measure.{name}.{parameter}={value}: the measures are {', '.join(chosen)}; add {name}")
    return {own.get(name, name): given.get(name, {}) for name in chosen}


def _sets(paths: list[str], reading: dict[str, Any]) -> tuple[Set, Representations | None, Sides]:
    """Return one set, or two, and what they are called."""
    from resi.cli.matrices import Sides

    _check_used(paths, reading)
    found = _loaded(paths, **reading)
    if len(found) < len(paths):
        raise UsageError(f"resi compare: {paths[0]} is named twice; one set alone is compared with itself")
    several = [path for path, known in found.items() if len(known) > 1 or Path(path).is_dir()]
    if len(found) == 2 and several:
        first, second = found.values()
        return first, second, Sides(*found)
    if several and len(found) > 2:
        raise UsageError(
            f"resi compare: {len(found)} sets, of which {several[0]} has {len(found[several[0]])} layers; compare one "
            "set, two sets, or files of one layer each"
        )
    if len(found) == 1:
        (path, one), *_ = found.items()
        if len(one) < 2:
            raise UsageError(f"resi compare: {path} holds one layer; name another file or folder to compare it with")
        return one, None, Sides(path, path)
    stems = [Path(path).stem for path in found]
    labels = stems if len(set(stems)) == len(stems) else list(found)
    return dict(zip(labels, found.values(), strict=True)), None, Sides("the files", "the files")


def _check_used(paths: list[str], reading: dict[str, Any]) -> None:
    """Raise ``UsageError`` for an id or columns where no file can have them."""
    from resi.extraction.files.delimited import CSV, TSV
    from resi.extraction.files.folders import layer_files
    from resi.extraction.files.formats import BY_SUFFIX
    from resi.extraction.files.parquet import PARQUET

    places = [Path(path).expanduser() for path in paths]
    files = [file for place in places for file in (layer_files(place) if place.is_dir() else [place])]
    formats = {BY_SUFFIX.get(file.suffix.lower()) for file in files} - {None}  # of others, reading them says it
    having = {
        "columns": {CSV, TSV, PARQUET},
        "id": {known for known in BY_SUFFIX.values() if known.holds_ids},
    }
    for key, known in having.items():
        if key in reading and formats and not formats & known:
            value = ",".join(reading[key]) if isinstance(reading[key], list) else reading[key]
            suffixes = [suffix for each in BY_SUFFIX.values() if each in formats for suffix in each.suffixes]
            raise UsageError(f"{key}={value}: {', '.join(dict.fromkeys(suffixes))} files have none; leave it out")


def _loaded(paths: list[str], layers: list[str] | None = None, **options: Any) -> dict[str, Representations]:
    """Return what is at each path, with the layers that fit: each pattern has to fit one of all, not of each."""
    from resi.extraction.collection import fits_any, unknown_layer
    from resi.extraction.files.loading import layer_names, load

    places = {path.rstrip("/") or path: path for path in paths}
    if layers is None:
        return {label: load(path, **options) for label, path in places.items()}
    names = {label: layer_names(path, **options) for label, path in places.items()}
    for pattern in layers:
        if not any(fits_any(name, [pattern]) for known in names.values() for name in known):
            first = next(iter(names))
            raise unknown_layer(first, pattern, names[first])
    found = {}
    for label, path in places.items():
        fitting = [pattern for pattern in layers if any(fits_any(name, [pattern]) for name in names[label])]
        if not fitting:
            raise unknown_layer(label, layers[0], names[label])
        found[label] = load(path, fitting, **options)
    return found


def _compared(
    first: Set, second: Representations | None, measures: dict[Any, dict[str, Any]], options: dict[str, Any]
) -> pl.DataFrame:
    from resi.api.comparing import pairwise

    if "blocks" in options:
        options["blocks"] = _labels(options["blocks"])
    table = pairwise(first, second, measures, options.pop("shape", None), **options)
    if second is not None or not isinstance(first, dict):
        return table
    names = {f"{label}:{layer}": label for label, known in first.items() for layer in known.layers}
    return table.with_columns(table["source"].replace(names), table["target"].replace(names))


def _labels(path: str) -> list[str]:
    """Return the labels of samples, one a line of a text file."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"blocks={path}: expected a text file with one label a sample: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"blocks={path}: expected a text file with one label a sample, not a binary one") from None
    return [line.strip() for line in lines if line.strip()]


def _print(table: pl.DataFrame, sides: Sides, arguments: argparse.Namespace) -> None:
    """Print the table, then what has no value, and what is to be known of those that have one."""
    from resi.cli.matrices import show

    if arguments.json:
        write(table.write_json() + "\n")
    elif arguments.csv:
        write(table.write_csv())
    else:
        larger = dict(table.select("measure", "larger_is_more_similar").unique().iter_rows())
        write("\n".join([*show(table, sides, larger), ""]))
    for status in (Status.failed, Status.undefined):
        _say_grouped(table.filter(status=status), "error", f"{status}:")
    _say_grouped(table.filter(table["note"] != ""), "note", "with a note on what the value says:")


def _say_grouped(rows: pl.DataFrame, column: str, what: str) -> None:
    from resi.errors import count_of

    if not rows.height:
        return
    say(f"{count_of(rows.height, 'comparison')} {what}")
    grouped = rows.group_by("measure", column, maintain_order=True).len().sort("len", descending=True)
    for measure, reason, number in grouped.head(SHOWN_REASONS).iter_rows():
        say(f"  {number} x {measure}: {reason}")
    if grouped.height > SHOWN_REASONS:
        say(f"  and {grouped.height - SHOWN_REASONS} more reasons; --out FILE keeps all of them")


def _keep(table: pl.DataFrame, sides: Sides, arguments: argparse.Namespace) -> None:
    """Write the table and the figure, and say where they are."""
    from resi.errors import count_of

    if arguments.out:
        _write_table(arguments.out, table)
        say(f"{count_of(table.height, 'comparison')} in {arguments.out}")
    if arguments.plot:
        if not table.filter(status=Status.ok).height:
            say(f"{arguments.plot} is not drawn: no comparison has a value")
            return
        _draw(arguments.plot, table, sides)
        say(f"heat map in {arguments.plot}")


def _draw(path: Path, table: pl.DataFrame, sides: Sides) -> None:
    from resi import plot
    from resi.results.pairs import name_sets

    if not sides.is_one:
        name_sets(table, *sides)
    figure = plot.heatmap(table)
    plot.save(figure, path)


def _write_table(path: Path, table: pl.DataFrame) -> None:
    from resi.store.files import atomic_path

    with atomic_path(path) as temporary:
        match path.suffix.lower():
            case ".parquet":
                table.write_parquet(temporary)
            case ".json":
                table.write_json(temporary)
            case ".tsv":
                table.write_csv(temporary, separator="\t")
            case _:
                table.write_csv(temporary)
