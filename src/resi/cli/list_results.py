"""``resi list scores`` and ``resi list comparisons``: rows of the result tables, filtered."""

from __future__ import annotations

import argparse
import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resi.choices import Status
from resi.cli.arguments import CommandParser, add_correct, names_in
from resi.console import say, write
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from resi.groundings.readable import Block

LIMIT = 100
PIECE = 50_000
SHOWN_VALUES = 12
CORRECT = "correct="
SIDES = ("setting", "seed", "layer")
"""Of a comparison, each stands for that of either side."""
EXAMPLES = """\
examples:
  resi list scores test=augmentation dataset=cora 'measure=cka,r*'
  resi list scores test=augmentation correct=holm
  resi list scores --root baseline test=shortcut
  resi list comparisons status=failed --limit 20
  resi list comparisons architecture=gcn --sort=-value --csv > values.csv"""


class Query(NamedTuple):
    """What is asked for.

    Attributes
    ----------
    filters : dict from column to list of str
        Patterns of which one has to match.
    """

    kind: str
    filters: dict[str, list[str]]
    sort: str | None
    limit: int | None
    is_wide: bool
    format: str


def main(kind: str, words: list[str]) -> int:
    """Print scores or comparisons; return 0."""
    from resi.results.embedded import named_root
    from resi.results.found import find_results
    from resi.store.root import check_text, default_root

    arguments = make_parser(kind).parse_intermixed_args(words)
    root = named_root((arguments.root or default_root()).expanduser())
    check_text(root)
    found = find_results(root, kind)
    for note in found.notes:
        say(note)
    method, words = _correction(kind, arguments)
    every = _corrected(found.rows, method) if method else found.rows
    query = _query(kind, arguments, words, every)
    rows = _filtered(every, query)
    if query.format != "table":
        _write(_ordered(rows, query), query)
    elif kind == "scores":
        _print_scores(rows, query)
    else:
        _print_comparisons(_ordered(rows, query), query)
    return 0


def _correction(kind: str, arguments: argparse.Namespace) -> tuple[str | None, list[str]]:
    """Return by which method p-values are to be corrected, None for none, and the other words."""
    if kind != "scores":
        return None, arguments.words
    asked = [word for word in arguments.words if word.startswith(CORRECT)]
    methods = [*([arguments.correct] if arguments.correct else []), *(word.removeprefix(CORRECT) for word in asked)]
    if len(methods) > 1:
        raise UsageError(f"p-values can be corrected by one method, not by {' and '.join(methods)}")
    return (methods[0] if methods else None), [word for word in arguments.words if word not in asked]


def _corrected(rows: pl.LazyFrame, method: str) -> pl.LazyFrame:
    """Correct p-values for all measures of the tables, whichever of them are shown."""
    from resi.groundings.corrections import correct

    return correct(_collect(rows), method).lazy()


def _collect(rows: pl.LazyFrame) -> pl.DataFrame:
    """Read rows.

    Raises
    ------
    ArtifactError
        If a file turns out to be damaged.
    """
    import polars as pl

    from resi.errors import ArtifactError

    try:
        return rows.collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"a table is damaged: {reason}.", advice="resi list shards says which.") from error


def make_parser(kind: str) -> argparse.ArgumentParser:
    """Return the parser of the command line of a kind of rows."""
    order = "the best measure of each architecture first" if kind == "scores" else "in the order of the tables"
    parser = CommandParser(
        prog=f"resi list {kind}",
        description=f"List {kind} of the merged tables, or of all finished shards where nothing is merged, {order}.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words", nargs="*", metavar="COLUMN=VALUE", help="only such rows: a value, a pattern, or several with commas"
    )
    parser.add_argument(
        "--root",
        type=Path,
        help="data root, shard, folder of merged tables, or name of results that come with resi; default as for a run",
    )
    if kind == "scores":
        add_correct(parser)
    if kind == "comparisons":
        parser.add_argument("--sort", metavar="COLUMN", help="order by a column; --sort=-COLUMN for the largest first")
    parser.add_argument("--limit", type=int, help=f"how many lines; 0 for all; default {LIMIT} of a table, else all")
    parser.add_argument("--wide", action="store_true", help="show all columns, however wide")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_const", const="json", dest="format", help="print JSON")
    formats.add_argument("--csv", action="store_const", const="csv", dest="format", help="print CSV")
    return parser


def _query(kind: str, arguments: argparse.Namespace, words: list[str], rows: pl.LazyFrame) -> Query:
    columns = rows.collect_schema().names()
    if kind == "comparisons":
        columns += SIDES
    filters: dict[str, list[str]] = {}
    for word in words:
        column, equals, value = word.partition("=")
        if not equals:
            column, value = "measure", word
        if column not in columns:
            hint = f" Write --root {value}." if column == "root" else ""
            raise unknown_name("column", column, columns, hint)
        filters.setdefault(column, []).extend(names_in(value) or value.split(","))
    sort = getattr(arguments, "sort", None)
    if sort and sort.removeprefix("-") not in columns[: -len(SIDES)]:
        raise unknown_name("column", sort.removeprefix("-"), columns[: -len(SIDES)])
    if arguments.limit is not None and arguments.limit < 0:
        raise UsageError(f"--limit {arguments.limit}: expected a number of lines, or 0 for all")
    form = arguments.format or "table"
    limit = arguments.limit if arguments.limit is not None else LIMIT if form == "table" else 0
    return Query(kind, filters, sort, limit or None, arguments.wide, form)


def _filtered(rows: pl.LazyFrame, query: Query) -> pl.LazyFrame:
    """Return the rows that match, found among the values that their columns have.

    Raises
    ------
    UsageError
        If no value of a column matches; a status that no comparison has is none.
    """
    import polars as pl

    every = rows
    for name, patterns in query.filters.items():
        columns = [f"{name}_a", f"{name}_b"] if query.kind == "comparisons" and name in SIDES else [name]
        wanted = []
        known: dict[str, None] = {}
        for column in columns:
            values = _collect(every.select(pl.col(column).unique()))[column]
            matching = [value for value in values if any(fnmatch.fnmatchcase(_text(value), one) for one in patterns)]
            known |= dict.fromkeys(sorted(map(_text, values)))
            if column == "status":  # that nothing has failed is an answer
                known |= dict.fromkeys(map(str, Status))
            # What is null has to be found as well, with an empty pattern.
            wanted.append(pl.col(column).is_in(pl.Series(matching, dtype=values.dtype).implode(), nulls_equal=True))
        rows = rows.filter(pl.any_horizontal(wanted))
        if known and not any(fnmatch.fnmatchcase(value, one) for value in known for one in patterns):
            some = ", ".join([*known][:SHOWN_VALUES]) + ", ..." * (len(known) > SHOWN_VALUES)
            raise UsageError(f"no {query.kind} with {name}={','.join(patterns)}; there is {name}={some}")
    return rows


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _ordered(rows: pl.LazyFrame, query: Query) -> pl.LazyFrame:
    if not query.sort:
        return rows
    return rows.sort(
        query.sort.removeprefix("-"), descending=query.sort.startswith("-"), nulls_last=True, maintain_order=True
    )


def _write(rows: pl.LazyFrame, query: Query) -> None:
    """Write rows as JSON or CSV."""
    frame = _collect(rows if query.limit is None else rows.head(query.limit))
    if query.format == "csv":
        write_csv(frame)
    else:
        write(f"{frame.write_json()}\n")


def write_csv(frame: pl.DataFrame) -> None:
    """Write a table as CSV, a piece at a time."""
    for start in range(0, max(frame.height, 1), PIECE):
        write(frame.slice(start, PIECE).write_csv(include_header=start == 0))


def _print_scores(rows: pl.LazyFrame, query: Query) -> None:
    """Print whole blocks, one table for each test, until the limit is reached."""
    import polars as pl

    from resi.cli.score_tables import print_blocks
    from resi.groundings import SCORED
    from resi.groundings.readable import ABOUT, LINE, TEST

    rows = rows.filter(pl.col("seed").is_null() & pl.col("test").is_in(list(SCORED)))
    lines = rows.select(*TEST, *ABOUT, *LINE).unique().group_by(*TEST, *ABOUT).len("lines")
    sizes = _collect(lines.sort(*TEST, *ABOUT, nulls_last=True))
    total = int(sizes["lines"].sum())
    before = sizes["lines"].cum_sum().shift(1, fill_value=0)
    chosen = sizes if query.limit is None else sizes.filter(before < query.limit)
    if not total:
        write("no scores\n")
        return
    wanted = chosen.lazy().select(*TEST, *ABOUT)
    found = _collect(rows.join(wanted, on=[*TEST, *ABOUT], how="semi", nulls_equal=True))
    more = "a wider terminal, --wide or --json shows them"
    for number, (title, blocks) in enumerate(_by_test(found.sort(*TEST, *ABOUT, nulls_last=True))):
        if number:
            write("\n")
        print_blocks(blocks, title, query.is_wide, more)
    _say_rest(total - int(chosen["lines"].sum()), query)


def _by_test(scores: pl.DataFrame) -> Iterator[tuple[str, list[Block]]]:
    from resi.groundings.readable import TEST, read_scores

    for (test, protocol, source), rows in scores.group_by(TEST, maintain_order=True):
        datasets = rows.select("domain", "dataset").unique()
        where = f" on {datasets['dataset'][0]}" if datasets.height == 1 else ""
        models = f", {source} models" if source == "published" else ""
        yield f"{test}{where} ({protocol} protocol{models})", list(read_scores(rows))


def _print_comparisons(rows: pl.LazyFrame, query: Query) -> None:
    import polars as pl

    from resi.console.columns import Column
    from resi.console.tables import UNLIMITED, Section, print_table

    total = int(_collect(rows.select(pl.len())).item())
    if not total:
        write("no comparisons\n")
        return
    frame = _collect(rows if query.limit is None else rows.head(query.limit))
    columns = [
        (Column("measure", rank=0), "measure"),
        (Column("value", is_number=True, rank=0), "value"),
        (Column("a", rank=1), "a"),
        (Column("b", rank=1), "b"),
        (Column("layer", rank=4), "layer"),
        (Column("architecture", rank=2), "architecture"),
        (Column("dataset", rank=3), "dataset"),
        (Column("status", rank=2), "status"),
        (Column("error", is_text=True, rank=1), "error"),
        (Column("note", is_text=True, rank=6), "note"),
        (Column("seconds", is_number=True, rank=5), "seconds"),
        (Column("domain", rank=6), "domain"),
        (Column("parameters", rank=7), "parameters"),
    ]
    has_layers = not frame["layer_a"].equals(frame["layer_b"])
    cells = [_cells(row, has_layers) for row in frame.iter_rows(named=True)]
    shown = [(column, name) for column, name in columns if any(row[name] for row in cells)]
    if all(row["status"] == "ok" for row in cells):
        shown = [(column, name) for column, name in shown if name != "status"]
    within = UNLIMITED if query.is_wide else None
    table = [[row[name] for _, name in shown] for row in cells]
    more = "a wider terminal, --wide or --json shows them"
    print_table([column for column, _ in shown], [Section(table)], within=within, more=more)
    _say_rest(total - frame.height, query)


def _cells(row: dict[str, object], has_layers: bool) -> dict[str, str]:
    value, seconds = row["value"], row["seconds"]
    return {
        **{
            name: _text(row[name])
            for name in ("measure", "architecture", "dataset", "domain", "status", "error", "note")
        },
        "value": "-" if value is None else f"{value:.6g}",
        "seconds": "" if seconds is None else f"{seconds:.3g}",
        "parameters": "" if row["parameters"] in (None, "{}") else str(row["parameters"]),
        "layer": "" if has_layers else _text(row["layer_a"]),
        **{side: _side(row, side, has_layers) for side in "ab"},
    }


def _side(row: dict[str, object], side: str, has_layers: bool) -> str:
    """Return which representation is on a side of a comparison: setting, seed, and the layer if they have others."""
    layer = row[f"layer_{side}"] if has_layers else ""
    return f"{row[f'setting_{side}']} s{row[f'seed_{side}']}{f' layer {layer}' if layer else ''}"


def _say_rest(left: int, query: Query) -> None:
    if left > 0:
        say(f"and {left} more; --limit 0 shows all, COLUMN=VALUE fewer: see resi list {query.kind} --help")
