"""How much memory the engine may use, and what fits into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.errors import BudgetError
from resi.machine.memory import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Families whose measures share products of pairs, which cost more than preparing: they stay together if possible.
SHARED_PRODUCTS_OF = {"cca": "bases", "regression": "bases", "alignment": "alignment"}
SHARED_PRODUCTS = frozenset(SHARED_PRODUCTS_OF.values())


class Limits(NamedTuple):
    """What the one who set the limits calls them.

    Attributes
    ----------
    memory, samples : str
        How much memory may be used, and how many samples are compared.
    """

    memory: str
    samples: str


CONFIG_KEYS = Limits("compare.memory", "compare.subsample")
ARGUMENTS = Limits("memory", "samples")


def group_measures(needs: Mapping[str, int], families: Mapping[str, str], count: int, budget: int) -> list[list[str]]:
    """Split measures into groups, each of which is prepared and compared before the next.

    Best is a group of which all representations fit into the budget, so that none is prepared twice; within that, a
    family whose measures share most stays together. A measure that does not fit by itself has a separate group.

    Parameters
    ----------
    needs, families
        Bytes of preparing one representation, and the family, by measure.
    count : int
        How many representations there are.
    """
    groups: list[list[str]] = []
    room = 0
    for kind in sorted({_sharing(family) for family in families.values()}):
        names = [name for name in needs if _sharing(families[name]) == kind]
        whole = sum(needs[name] for name in names)
        together = count * whole <= budget or (kind in SHARED_PRODUCTS and 2 * whole <= budget)
        for unit in [names] if together else [[name] for name in names]:
            need = count * sum(needs[name] for name in unit)
            if not groups or need > room:
                groups.append([])
                room = budget
            groups[-1] += unit
            room -= need
    return [group for group in groups if group]


def block_size(need: int, count: int, budget: int) -> int:
    """Return how many of ``count`` representations of that many bytes to hold as a block: all, if they fit.

    Otherwise two blocks are held at a time, each of at least one.
    """
    need = max(need, 1)
    return count if count * need <= budget else max(1, budget // (2 * need))


def _sharing(family: str) -> str:
    return SHARED_PRODUCTS_OF.get(family, family)


def largest_sample(need: Callable[[int], int], most: int, budget: int) -> int:
    """Return how many samples, up to ``most``, fit into a budget, given the bytes that a number of them needs.

    Fewer may not fit, and more may: measures of all pairs of samples need less from the number on where they hold none.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if need(middle) <= budget else (low, middle - 1)
    return low


def check_budget(
    measure: str, size: tuple[int, ...], bytes_of: Callable[[int], int], budget: int, limits: Limits
) -> None:
    """Raise ``BudgetError``, which says what would fit, if comparing two representations needs more than the budget.

    Parameters
    ----------
    size : tuple of int
        Shape of the first of them.
    bytes_of : callable
        Returns the bytes that so many of their samples need.
    """
    need = bytes_of(size[0])
    if need <= budget:
        return
    fits = largest_sample(bytes_of, size[0], budget)
    advice = f"raise it, or set {limits.samples}={fits}" if fits > 1 else "raise it"
    raise BudgetError(
        f"{measure} needs about {format_bytes(need)} for two representations of shape {size}, "
        f"{limits.memory} allows {format_bytes(budget)}; {advice}"
    )
