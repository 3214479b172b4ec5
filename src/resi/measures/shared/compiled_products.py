"""Inner products of symmetric matrices, one side with its samples in many orders, compiled with numba.

``Σ_ij A_ij B_o(i)o(j)`` takes the N² / 2 entries of a triangle for every pair and every order, and reading them in that
order is what takes the time. So the matrices of 16 representations stand interleaved: one entry of all of them is one
line of memory, and each line that is read serves 256 pairs. Of a representation's rows, one at a time is read in random
order, which stays near the processor for all orders; those of the other side are read from beginning to end.

The products of a line with a line are 16 sums of 16 numbers each, which have to stay in registers: what numba makes of
loops over small arrays keeps them in memory and takes 2.4 times as long. Therefore this one loop is written in the
instructions that numba compiles to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from resi.machine.compiling import compiled

LANES = 16
"""So many matrices are interleaved: their single-precision entries fill the line of memory that is read at once."""
UTILITIES: Any = cgutils
FLOAT, INT = ir.FloatType(), ir.IntType(64)
LINE = ir.VectorType(FLOAT, LANES)


def _written(typing: Any, left: Any, right: Any, order: Any, count: Any, out: Any) -> Any:
    """Set ``out[a, b]`` to the sum of ``left[j, a] * right[order[j], b]`` over the first ``count`` places j.

    ``left`` and ``right`` have shape (n, 16), ``order`` (n,) and ``out`` (16, 16); all are contiguous.
    """
    del typing
    signature = types.void(left, right, order, types.intp, out)

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        lefts, rights, places, sums = (
            context.make_array(signature.args[number])(context, builder, given[number]).data for number in (0, 1, 2, 4)
        )
        zero = ir.Constant(LINE, [0.0] * LANES)
        totals = [UTILITIES.alloca_once_value(builder, zero) for _ in range(LANES)]
        for total in totals:
            builder.store(zero, total)
        multiply_add = UTILITIES.get_or_insert_function(
            builder.module, ir.FunctionType(LINE, [LINE] * 3), f"llvm.fma.v{LANES}f32"
        )
        first_only = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        nothing = ir.Constant(LINE, ir.Undefined)
        with UTILITIES.for_range(builder, given[3]) as loop:
            place = builder.sext(builder.load(builder.gep(places, [loop.index])), INT)
            start = builder.gep(rights, [builder.mul(place, INT(LANES))])
            line = builder.load(builder.bitcast(start, LINE.as_pointer()))
            line.align = 4
            start = builder.gep(lefts, [builder.mul(loop.index, INT(LANES))])
            for number, total in enumerate(totals):
                entry = builder.load(builder.gep(start, [INT(number)]))
                entry = builder.insert_element(nothing, entry, ir.IntType(32)(0))
                repeated = builder.shuffle_vector(entry, nothing, first_only)
                builder.store(builder.call(multiply_add, [repeated, line, builder.load(total)]), total)
        for number, total in enumerate(totals):
            start = builder.bitcast(builder.gep(sums, [INT(number * LANES)]), LINE.as_pointer())
            builder.store(builder.load(total), start).align = 4
        return context.get_dummy_value()

    return signature, code


_sum_of_products: Any = intrinsic(_written)


@compiled
def products_in_orders(left: Any, right: Any, orders: Any, inverse: Any, out: Any) -> None:
    """Add to ``out[t, a, b]`` the inner product of ``left`` matrix a and ``right`` matrix b in order t.

    Parameters
    ----------
    left, right : array of shape (n, n, 16), float32
        Symmetric matrices, interleaved.
    orders, inverse : array of shape (n_orders, n), int32
        The place ``orders[t, i]`` of the right matrix goes to place i; ``inverse[t, orders[t, i]]`` is i.
    out : array of shape (n_orders, 16, 16), float64
    """
    sums = np.empty((LANES, LANES), dtype=np.float32)
    for row in range(len(right)):
        lines = right[row]
        for number in range(len(orders)):
            place = inverse[number, row]
            _sum_of_products(left[place], lines, orders[number], place, sums)
            for a in range(LANES):
                diagonal = left[place, place, a]
                for b in range(LANES):
                    out[number, a, b] += 2.0 * sums[a, b] + diagonal * lines[row, b]
