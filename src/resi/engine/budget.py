"""How much memory the engine may use, and what fits into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from resi.errors import BudgetError
from resi.machine.memory import format_bytes
from resi.measures.needs import total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from resi.measures.needs import Needs

# Measures of these families share products of pairs, which cost more than preparing, so they are kept together.
SHARED_PRODUCTS_OF = {"cca": "bases", "regression": "bases", "alignment": "alignment"}
SHARED_PRODUCTS = frozenset(SHARED_PRODUCTS_OF.values())


class Limits(NamedTuple):
    """Names of the limits in error messages: the options that the user set.

    Attributes
    ----------
    memory, samples : str
        The options for the memory budget and for the number of samples.
    """

    memory: str
    samples: str


CONFIG_KEYS = Limits("compare.memory", "compare.subsample")
ARGUMENTS = Limits("memory", "samples")


class Room(NamedTuple):
    """Number of representations, memory budget, and number of threads.

    Attributes
    ----------
    budget : int
        In bytes.
    """

    items: int
    budget: int
    threads: int = 1

    def holds(self, needs: Iterable[Needs], count: int | None = None) -> bool:
        """Return whether all representations, or the given number of them, fit into the budget."""
        return total(needs, self.items if count is None else count, self.threads) <= self.budget

    def threads_for(self, needs: Sequence[Needs], count: int) -> int:
        """Return how many threads may work at the same time on this number of representations: at least one."""
        return max(1, largest_sample(lambda threads: total(needs, count, threads), self.threads, self.budget))


def group_measures(needs: Mapping[str, Needs], families: Mapping[str, str], room: Room) -> list[list[str]]:
    """Split measures into groups that are prepared and compared one after another.

    A group should fit into the budget with all representations, so that none is prepared twice. Within that limit, a
    family whose measures share most stays together. A measure that does not fit alone gets its own group.

    Parameters
    ----------
    needs, families
        What the largest representation needs, and the family, by measure.
    """
    groups: list[list[str]] = []
    for kind in sorted({_sharing(family) for family in families.values()}):
        names = [name for name in needs if _sharing(families[name]) == kind]
        whole = [needs[name] for name in names]
        together = room.holds(whole) or (kind in SHARED_PRODUCTS and room.holds(whole, 2))
        for unit in [names] if together else [[name] for name in names]:
            if groups and room.holds(needs[name] for name in (*groups[-1], *unit)):
                groups[-1] += unit
            else:
                groups.append(list(unit))
    return groups


def block_size(needs: Sequence[Needs], room: Room) -> int:
    """Return how many representations to hold as a block: all, if they fit.

    Otherwise two blocks are held at a time, each of at least one.
    """
    if room.holds(needs):
        return room.items
    return max(1, largest_sample(lambda block: total(needs, 2 * block, room.threads), room.items // 2, room.budget))


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
    """Raise ``BudgetError`` if comparing two representations exceeds the budget; the message says what would fit.

    Parameters
    ----------
    size : tuple of int
        Shape of the first of them.
    bytes_of : callable
        Returns the bytes needed for a given number of samples.
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
