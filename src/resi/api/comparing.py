"""The functions ``compare`` and ``pairwise``: two representations, all pairs of many, or all pairs of two sets."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi import registry
from resi.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import polars as pl

    from resi.api.aligning import Align
    from resi.api.measuring import Measures, OneMeasure
    from resi.api.permutations import Blocks
    from resi.engine.chance import Null
    from resi.engine.intervals import Bootstrap
    from resi.measures.base import Measure
    from resi.representation import ArrayLike
    from resi.specs import Layout

ALWAYS_FITS = 2**26
"""Up to this many bytes, the available memory is not checked."""


def compare(  # noqa: PLR0913 - all but the first two are options
    R: Any,
    S: Any,
    measure: OneMeasure = "cka",
    shape: str = "nd",
    *,
    memory: str | int = "auto",
    samples: int | None = None,
    align: Align = False,
    null: int | Null | None = None,
    bootstrap: int | Bootstrap | None = None,
    blocks: Blocks | None = None,
    **parameters: Any,
) -> float:
    """Return the similarity of two representations of the same samples.

    Parameters
    ----------
    R, S : array, floating point
        Of shape (n_samples, n_features), or as ``shape`` says; the number of features may differ. Arrays of numpy,
        torch or xarray, frames of pandas or Polars, nested lists; a :class:`~resi.Representations` of one layer, or one
        of its ``layers``; or the path of a file. Values are computed on the device that ``R`` is on, in float64. Some
        measures multiply in float32 if both inputs are float32; their values are then correct to six digits.
    measure : str, class, instance or function
        Name of a measure, see :func:`list_measures`; a measure class or an instance of one; or a function of R and S.
    shape : str
        ``nd``, ``ntd`` (samples, tokens, features) or ``nchw`` (samples, channels, height, width); ``auto`` decides by
        the number of axes. Two axes are features in any case.
    memory : str or int
        Memory limit of the comparison, such as ``4GB``; ``auto`` is half the memory of the machine or of the GPU.
    samples : int, optional
        Compare only that many samples, if there are more; the selection depends only on these two numbers.
    align : bool or ``shared``
        As for :func:`pairwise`.
    null : int or Null, optional
        How often to permute the samples of ``S`` to estimate values under chance; 200 is usual.
    bootstrap : int or Bootstrap, optional
        How often to resample the samples, for a 95 % interval of the value; 1000 is usual.
    blocks : sequence or mapping, optional
        As for :func:`pairwise`.
    **parameters
        Parameters of the measure, for example ``k=20`` for ``jaccard``.

    Returns
    -------
    float
        Larger means more similar or more different, depending on the measure's ``larger_is_more_similar``. With
        ``null`` or ``bootstrap``, a :class:`~resi.api.values.Value`: a float with the attributes ``null_mean``,
        ``null_95``, ``p_value``, ``calibrated``, ``note`` and more, and with ``bootstrap`` also ``low`` and ``high``.

    Raises
    ------
    UsageError
        If the measure or a parameter does not exist.
    ShapeError
        If the arrays do not fit the measure or each other, or have different samples.
    DegenerateInputError
        If the measure has no value for this input, such as a constant representation.
    BudgetError
        If the comparison needs more than ``memory``; the message says how many ``samples`` would fit.

    Examples
    --------
    >>> import numpy as np
    >>> R = np.random.default_rng(0).normal(size=(100, 8))
    >>> round(compare(R, 2 * R[:, ::-1] + 1, measure="cka"), 6)
    1.0
    >>> compare(R, R + 1, measure=lambda R, S: float((S - R).mean()))
    1.0
    >>> found = compare(R, R[:, :4], null=99)
    >>> found > 0.5, found.p_value, 0 < found.calibrated < found
    (True, 0.01, True)
    """
    from resi.api.measuring import choose_one

    try:
        chosen = choose_one(measure, parameters, unnamed="function")
    except UsageError as error:
        if "measures" not in parameters:
            raise
        raise UsageError(
            "compare: unknown argument 'measures'; did you mean measure=? resi.pairwise takes several measures"
        ) from error
    if samples is not None:
        samples = _checked_count("compare", "samples", samples, 2)
    _check_blocks("compare", null, bootstrap, blocks)
    given = R, S
    layout: Any = shape
    if samples is not None or align or shape == "auto" or not (_is_plain(R) and _is_plain(S)):
        R, S, layout = _sides(chosen.name, (R, S), shape, samples, align)
    _check_memory(chosen, R, S, layout, memory)
    value = chosen.evaluate(R, S, layout)
    if null is None and bootstrap is None:
        return value
    from resi.api.draws import bootstrap_of
    from resi.api.pairs import How, read_sides
    from resi.api.permutations import null_of
    from resi.api.values import with_chance

    sides = read_sides(chosen.name, given, _stated(shape, given), align)
    permuted = null_of("compare", null, blocks, sides, samples)
    drawn = bootstrap_of("compare", bootstrap, blocks, sides, samples)
    return with_chance(value, sides, chosen, How(memory, None, samples, False, permuted, drawn))


def pairwise(  # noqa: PLR0913 - all but the first are options
    representations: Any,
    others: Any = None,
    measures: Measures | None = None,
    shape: str | Mapping[str, str] | None = None,
    *,
    memory: str | int = "auto",
    threads: int | None = None,
    samples: int | None = None,
    diagonal: bool = False,
    align: Align = False,
    null: int | Null | None = None,
    bootstrap: int | Bootstrap | None = None,
    blocks: Blocks | None = None,
    draws: bool = False,
    **unknown: Any,
) -> pl.DataFrame:
    """Compare all pairs among many representations of the same samples, or all pairs of two sets.

    Each representation is prepared only once.

    Parameters
    ----------
    representations : mapping from name to array, collection or path
        Arrays as for :func:`compare`; computed on the device of the first one. Names that are not strings are
        converted to strings. A :class:`~resi.Representations`, or the path of one (:func:`resi.load`), stands for its
        layers; within a mapping, for the layers ``NAME:LAYER``.
    others : as ``representations``, optional
        A second set: each representation of the first set is compared with each of this one, and with nothing else.
        A name, a list of names or a mapping to parameters in this place is taken as ``measures``.
    measures : name, class, instance or function, a sequence of these, or a mapping
        Names of measures, or of the sets ``benchmark``, ``fast`` and ``all``; classes derived from
        :class:`~resi.Measure`; functions of two matrices. A mapping gives parameters, such as
        ``{"jaccard": {"k": 20}, "cka": {}}``, or your own names, such as ``{"mine": my_function}``.
        ``cka`` by default.
    shape : str or mapping from name to str, optional
        ``nd``, ``ntd`` or ``nchw``, for all or by name; ``auto`` decides by the number of axes. By default, the layout
        stored in a collection, and ``nd`` for arrays.
    memory : str or int
        Memory budget for prepared representations, such as ``4GB``; ``auto`` is half the machine's memory.
    threads : int, optional
        Number of threads; torch's default if not given.
    samples : int, optional
        Compare only that many samples, the same for all representations, if there are more.
    diagonal : bool
        Also compare each representation of a single set with itself.
    align : bool or ``shared``
        What to do if sample ids differ: by default, raise. True puts the rows in the order of the first representation
        that has ids; ``shared`` also leaves out samples that some representations lack.
    null : int or Null, optional
        How often to permute the samples of the second side of each pair, to estimate values under chance; all pairs
        and measures use the same permutations. 200 is usual. ``resi.Null(200, seed=1)`` draws other permutations.
    bootstrap : int or Bootstrap, optional
        How often to resample the samples, for 95 % intervals of the values over samples; all pairs use the same draws.
        1000 is usual. This takes at most about as long as that many comparisons.
    blocks : sequence or mapping, optional
        With ``null``: samples are permuted only within the same label. With ``bootstrap``: samples with the same label
        are drawn together, such as those of one person or film. Labels of any type, one for each row in order (that of
        the first representation with ids, if rows are aligned), or a mapping from sample id to label.
    draws : bool
        With ``bootstrap``: also return what :func:`difference` needs.

    Returns
    -------
    polars.DataFrame
        Columns ``source, target, measure, value, seconds, status, error, note, larger_is_more_similar``: one row per
        unordered pair for a symmetric measure, per ordered pair otherwise; for two sets, one row per representation of
        the first set and of the second. ``status`` is ``ok``, ``failed`` or ``undefined``; failed and undefined rows
        have no value, and ``error`` says why. ``seconds`` is the comparison's own time plus its share of preparing,
        permuting and resampling. ``note`` says why a value carries little information, or holds a warning issued while
        it was computed; otherwise it is empty. ``larger_is_more_similar`` is null for plain functions, whose direction
        is unknown; those are compared in both orders.
        With ``null`` also ``null_mean, null_95, p_value, calibrated, exact_mean, exact_variance, exact_of``, see
        :class:`resi.engine.chance.Chance` and docs/chance.md; unknown ones are null. What is asked for is last: polars
        prints the first and the last four columns.
        With ``bootstrap`` also ``low, high``: a 95 % interval of the expected value for the same number of other
        samples, see docs/intervals.md; null without a value or with too few samples, as ``note`` says. With ``draws``
        also ``samples``, the number of samples (or blocks) to draw from, and ``draws``, a list with the value of each
        draw.

    Raises
    ------
    UsageError
        If an argument, a measure or a parameter is unknown.
    ShapeError
        If ids of samples differ, or no array can be compared; if only some cannot, only their pairs fail.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(0).normal(size=(3, 50, 4))
    >>> layers = {"first": draws[0], "second": draws[1]}
    >>> pairwise(layers, {"other": draws[2]}, ["cka", "rsa"]).select("source", "target", "measure").rows()
    [('first', 'other', 'cka'), ('second', 'other', 'cka'), ('first', 'other', 'rsa'), ('second', 'other', 'rsa')]
    """
    import polars as pl

    from resi.api.draws import bootstrap_of
    from resi.api.measuring import choose
    from resi.api.pairs import How, compared, read_sets
    from resi.api.permutations import null_of
    from resi.machine.devices import plain_arithmetic
    from resi.results.pairs import name_sets
    from resi.results.schema import ASKED, CHANCE, DRAWS, INTERVALS, PAIRWISE

    for argument in unknown:
        guess = "did you mean measures=? Otherwise, " if argument == "measure" else ""
        raise UsageError(
            f"pairwise: unknown argument {argument!r}; {guess}parameters belong to a measure: "
            f"measures={{'jaccard': {{'k': 20}}}}"
        )
    _check_blocks("pairwise", null, bootstrap, blocks)
    threads = None if threads is None else _checked_count("pairwise", "threads", threads, 1)
    samples = None if samples is None else _checked_count("pairwise", "samples", samples, 2)
    others, measures = _told_apart(others, measures)
    if others is not None and diagonal:
        raise UsageError("pairwise: diagonal=True needs a single set; with two sets, all pairs are compared")
    chosen = choose("cka" if measures is None else measures)
    with plain_arithmetic():
        sets = read_sets([representations] if others is None else [representations, others], shape, align)
        known = [entry for one in sets for entry in one]
        permuted = null_of("pairwise", null, blocks, known, samples)
        drawn = bootstrap_of("pairwise", bootstrap, blocks, known, samples, draws)
        rows = compared(sets, chosen, How(memory, threads, samples, diagonal, permuted, drawn))
    more = [CHANCE] * (permuted is not None) + [INTERVALS] * (drawn is not None)
    more += [DRAWS] * (drawn is not None and drawn.keep)
    table = pl.DataFrame(rows, schema=functools.reduce(operator.or_, more, PAIRWISE), orient="row")
    asked = [name for name in ASKED if name in table.columns]
    table = table.select(pl.exclude(asked), *asked)
    if others is not None:
        name_sets(table, _name_of(representations, "first"), _name_of(others, "second"))
    return table


def _name_of(given: Any, otherwise: str) -> str:
    """Return what a set is called: a path, or the name of a collection; else what it is called otherwise."""
    return os.fspath(given) if isinstance(given, str | os.PathLike) else str(getattr(given, "name", "")) or otherwise


def _check_blocks(function: str, null: Any, bootstrap: Any, blocks: Any) -> None:
    if blocks is not None and null is None and bootstrap is None:
        raise UsageError(
            f"{function}: blocks= needs null= (samples are permuted within blocks) or bootstrap= (samples of a block "
            "are drawn together)"
        )


def _told_apart(others: Any, measures: Any) -> tuple[Any, Any]:
    """Return the second set and the measures, which may also be given in the second place."""
    from resi.api.measuring import is_measures

    if isinstance(others, str):
        if measures is None and others in (*registry.SETS, *registry.measures()):
            return None, others
        if measures is None and not Path(others).exists():
            raise unknown_name("measure, file or folder", others, [*registry.measures(), *registry.SETS])
        return others, measures
    if others is None or not is_measures(others):
        return others, measures
    if measures is not None:
        raise UsageError(
            f"pairwise: measures are given twice, as {others!r} and {measures!r}; a second set is a mapping from names "
            "to arrays, a collection of layers or the path of one, and shape= is given by name"
        )
    return None, others


def _is_plain(side: Any) -> bool:
    """Return whether a side is an array or nested lists, without sample ids or layout."""
    from resi.api.frames import is_labelled
    from resi.representation import Representation

    return not (isinstance(side, str | os.PathLike | Mapping | Representation) or is_labelled(side))


def _stated(shape: str, sides: tuple[Any, Any]) -> list[str | None]:
    """Return the stated layout of each side: None for a side with its own layout, unless one is asked for."""
    return [shape if shape != "nd" or _is_plain(side) else None for side in sides]


def _sides(
    measure: str, sides: tuple[Any, Any], shape: str, samples: int | None, align: Align
) -> tuple[Any, Any, Layout]:
    """Return two sides as arrays of the same samples, and the layout of the side with more axes."""
    from resi.api.pairs import read_sides
    from resi.representation import subsample

    read = read_sides(measure, sides, _stated(shape, sides), align)
    items = [found.item for found in read if found.item is not None]
    R, S = (subsample(item, samples).load() for item in items)
    return R, S, max((item.layout for item in items), key=len)


def _check_memory(measure: Measure, R: ArrayLike, S: ArrayLike, shape: Layout, memory: str | int) -> None:
    """Raise ``BudgetError`` if comparing two arrays needs more memory than allowed."""
    from resi.engine.budget import ARGUMENTS, check_budget
    from resi.machine.memory import parse_memory
    from resi.measures.features import DOUBLE_BYTES
    from resi.measures.guard import needed_bytes
    from resi.measures.shapes import pair_views

    sizes = tuple(tuple(getattr(array, "shape", ())) for array in (R, S))
    bytes_each = tuple(getattr(getattr(array, "dtype", None), "itemsize", DOUBLE_BYTES) for array in (R, S))
    if not all(len(size) in (2, len(shape)) for size in sizes) or sizes[0][0] != sizes[1][0]:
        return  # lists hold little, and what does not fit together is for the measure to refuse

    def bytes_of(count: int) -> int:
        sampled = (count, *sizes[0][1:]), (count, *sizes[1][1:])
        views = pair_views(measure.name, sampled, (shape, shape), measure.spatial)
        first, second = (
            view.needed(*side) for view, side in zip(views, zip(sampled, bytes_each, strict=True), strict=True)
        )
        return needed_bytes(measure, first, second)

    if memory == "auto" and bytes_of(sizes[0][0]) < ALWAYS_FITS:
        return
    device = None if measure.on_cpu else getattr(R, "device", None)
    budget = parse_memory(memory, device if hasattr(device, "type") else None, ARGUMENTS.memory)
    check_budget(measure.name, sizes[0], bytes_of, budget, ARGUMENTS)


def _checked_count(function: str, argument: str, value: Any, least: int) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if isinstance(value, bool) or count < least:
        raise UsageError(f"{function}: {argument}={value!r}: expected a whole number, at least {least}")
    return count


def list_measures(pattern: str = "*") -> list[str]:
    """Return the names of all measures, built in and from plugins, that match a shell-style pattern.

    Parameters
    ----------
    pattern : str
        Such as ``*procrustes*``.
    """
    return registry.measures().match(pattern)
