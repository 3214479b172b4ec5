"""``resi clean``: what is in a data root, how large, and what nothing refers to; it is removed on request."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resi.cli.arguments import CommandParser
from resi.console import progress, say, show, shown, write
from resi.console.columns import Column
from resi.console.tables import UNLIMITED, Section, paragraph, print_table
from resi.errors import UsageError
from resi.machine.memory import format_bytes
from resi.store.root import check_text, default_root
from resi.upkeep.items import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resi.upkeep.inventory import Inventory
    from resi.upkeep.items import Item
    from resi.upkeep.removal import Outcome, Remover
    from resi.upkeep.selection import Selection

EPILOG = """\
Nothing is removed unless --remove or --unreferenced is given, and you agree.
What a process holds a lock on is kept, and what a run that is going on may
read. Models and representations to which no shard refers may be those of runs
whose comparisons are still to come: --unreferenced leaves out those younger
than a day, unless --older-than says otherwise.

examples:
  resi clean                                  what there is
  resi clean '*gcn*' --details                one line for each thing of that name
  resi clean --unreferenced --dry-run         what would be removed
  resi clean --unreferenced
  resi clean --remove cache,locks --yes
  resi clean --remove shards 'graph-cora-*' --older-than 30d
"""
COUNTED = ("locks",)
"""Kinds of which there are thousands, with names that say nothing: only how many there are is shown."""
MORE = "a wider terminal, --wide or --json shows them"


def main(words: list[str]) -> int:
    """Print what is in a data root, and remove what is asked for; return 0."""
    from resi.upkeep.inventory import take_inventory
    from resi.upkeep.selection import Selection, parse_age, parse_kinds

    arguments = make_parser().parse_args(words)
    root = (arguments.root or default_root()).expanduser().absolute()
    check_text(root)
    kinds = parse_kinds(arguments.remove)
    age = None if arguments.older_than is None else parse_age(arguments.older_than)
    selection = Selection(kinds, arguments.pattern, arguments.unreferenced, age)
    removes = bool(kinds or arguments.unreferenced)
    asks = not (arguments.yes or arguments.dry_run)
    if removes and asks and (arguments.json or sys.stdin is None or not sys.stdin.isatty()):
        raise UsageError("--dry-run shows what would be removed, and --yes removes it without asking")
    inventory = take_inventory(root)
    for problem in inventory.problems:
        say(f"resi clean: {problem} While it is not known what it refers to, no model or representation counts as "
            "unreferenced.")  # fmt: skip
    if not removes:
        _show(inventory, selection, arguments)
        return 0
    return _remove(inventory, selection, arguments, asks)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="resi clean",
        description="What is in a data root, how large it is, and what nothing refers to.",
        epilog=f"{EPILOG}\nkinds:\n{_kinds()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pattern", nargs="?", default="*", help="shell-style pattern of names or of paths in the root")
    parser.add_argument("--root", type=Path, help="data root; default as for a run")
    parser.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="KINDS",
        help="remove things of these kinds, such as cache,locks",
    )
    parser.add_argument("--unreferenced", action="store_true", help="remove what nothing refers to, of --remove or all")
    parser.add_argument("--older-than", metavar="AGE", help="only what was not changed since, such as 12h or 30d")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be removed")
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    parser.add_argument("--details", action="store_true", help="one line for each thing instead of each kind")
    parser.add_argument("--wide", action="store_true", help="show all columns, however wide")
    parser.add_argument("--json", action="store_true", help="print JSON; with --details every thing")
    return parser


def _kinds() -> str:
    from resi.cli.help import as_table

    return as_table(list(KINDS.items()))


def _show(inventory: Inventory, selection: Selection, arguments: argparse.Namespace) -> None:
    """Print what there is."""
    items = selection.of(inventory.items, inventory.root, time.time())
    if arguments.json:
        _write_json({**_facts(inventory, items), **({"items": _rows(inventory, items)} if arguments.details else {})})
        return
    if arguments.details:
        _print_items(inventory, items)
        return
    _print_kinds(inventory, items, arguments.wide)
    if any(item.reason for item in items):
        _say_paragraph("resi clean --unreferenced --dry-run lists what nothing refers to")


def _remove(inventory: Inventory, selection: Selection, arguments: argparse.Namespace, asks: bool) -> int:
    """Show what is meant, ask, remove it, and say whether it is gone."""
    from resi.upkeep.removal import Outcome, Remover

    remover, now = Remover(inventory.root), time.time()
    meant = selection.of(inventory.items, inventory.root, now)
    checked = [Outcome(item, kept=remover.why_kept(item)) for item in meant]
    kept = [outcome for outcome in checked if outcome.kept]
    free = [outcome.item for outcome in checked if not outcome.kept]
    young = selection.too_young(inventory.items, inventory.root, now)
    if not arguments.json:
        if free and (arguments.dry_run or asks):
            _print_items(inventory, free)
        if young:
            _say_paragraph(f"left out: {_count(young)}, too young; --older-than 0 takes them, too")
    outcomes = kept
    try:
        if free and not arguments.dry_run and (not asks or _agrees(free)):
            for outcome in _removed(remover, free, arguments.json):
                outcomes.append(outcome)
    finally:  # also of what was removed before an error
        _report(inventory, free, outcomes, arguments)
    return 0


def _agrees(items: Sequence[Item]) -> bool:
    write(f"remove {_count(items)}? [y/N] ")
    sys.stdout.flush()
    if hasattr(signal, "siginterrupt"):  # Polars has an interrupt continue what it interrupts
        signal.siginterrupt(signal.SIGINT, True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _removed(remover: Remover, items: Sequence[Item], is_quiet: bool) -> Iterator[Outcome]:
    """Remove items; yield whether each is gone, which is printed."""
    with progress("removing", len(items), after=2.0) as advance:
        for outcome in remover.remove(items):
            if not (is_quiet or outcome.kept or outcome.item.kind in COUNTED):
                show(f"removed {outcome.item.path}")
            yield outcome
            advance()


def _report(
    inventory: Inventory, free: Sequence[Item], outcomes: Sequence[Outcome], arguments: argparse.Namespace
) -> None:
    """Say what was removed, what was kept and why; or what would be removed."""
    removed = [outcome for outcome in outcomes if not outcome.kept]
    freed = sum(outcome.freed for outcome in removed)
    kept = {outcome.item.name(inventory.root): outcome.kept for outcome in outcomes if outcome.kept}
    if arguments.json:
        would = {"would_remove": _rows(inventory, free)} if arguments.dry_run else {}
        names = [outcome.item.name(inventory.root) for outcome in removed]
        _write_json({**_facts(inventory, inventory.items), **would, "removed": names, "freed": freed, "kept": kept})
        return
    for why, count in Counter(kept.values()).items():
        names = [name for name, reason in kept.items() if reason == why]
        _say_paragraph(f"kept: {', '.join(names[:3])}{f' and {count - 3} more' if count > 3 else ''}: {why}")
    if arguments.dry_run:
        _say_paragraph(f"would remove {_count(free)}; nothing was removed" if free else "there is nothing to remove")
    else:
        count, counted = len(removed), sum(outcome.item.kind in COUNTED for outcome in removed)
        locks = f", {counted} of them locks" if counted else ""
        if not removed and free:
            _say_paragraph("nothing was removed")
            return
        _say_paragraph(f"removed {count} thing{'' if count == 1 else 's'}{locks}; {format_bytes(freed)} freed")


def _print_kinds(inventory: Inventory, items: Sequence[Item], is_wide: bool) -> None:
    columns = [
        Column("kind", rank=0),
        Column("number", is_number=True),
        Column("size", is_number=True),
        Column("unreferenced", is_number=True, rank=2),
        Column("about", is_text=True, rank=3),
    ]
    cells = []
    for kind, about in KINDS.items():
        of_kind = [item for item in items if item.kind == kind]
        if of_kind:
            cells.append([kind, *_cells(of_kind), about])
    cells.append(["all", *_cells(items), ""])
    title = f"data root {inventory.root}"
    print_table(columns, [Section(cells)], title=title, within=UNLIMITED if is_wide else None, more=MORE)


def _cells(items: Sequence[Item]) -> list[str]:
    left = [item for item in items if item.reason]
    free = f"{len(left)}, {_size(left)}" if left else ""
    return [str(len(items)), _size(items), free]


def _print_items(inventory: Inventory, items: Sequence[Item]) -> None:
    """Print a line for each item, those together to which the same applies; paths are never cut."""
    sections: dict[str, list[Item]] = {}
    for item in items:
        sections.setdefault(": ".join(filter(None, [item.kind, item.reason or item.note])), []).append(item)
    for heading, alike in sections.items():
        show(heading, "bold")
        if alike[0].kind in COUNTED:
            show(f"{_size(alike):>9}  {len(alike)} of them")
            continue
        for item in alike:
            day = time.strftime("%Y-%m-%d", time.localtime(item.changed))
            show(f"{format_bytes(item.size):>9}  {day}  {item.name(inventory.root)}")


def _facts(inventory: Inventory, items: Sequence[Item]) -> dict[str, Any]:
    kinds = {}
    for kind in KINDS:
        of_kind = [item for item in items if item.kind == kind]
        left = [item for item in of_kind if item.reason]
        kinds[kind] = {
            "number": len(of_kind),
            "bytes": sum(item.size for item in of_kind),
            "unreferenced": len(left),
            "unreferenced_bytes": sum(item.size for item in left),
        }
    return {"root": str(inventory.root), "kinds": kinds, "problems": inventory.problems}


def _rows(inventory: Inventory, items: Sequence[Item]) -> list[dict[str, Any]]:
    return [
        {
            "kind": item.kind,
            "path": item.name(inventory.root),
            "files": item.files,
            "bytes": item.size,
            "changed": item.changed,
            "unreferenced": item.reason,
            "note": item.note,
        }
        for item in items
    ]


def _count(items: Sequence[Item]) -> str:
    return f"{len(items)} thing{'' if len(items) == 1 else 's'}, {_size(items)}"


def _size(items: Sequence[Item]) -> str:
    return format_bytes(sum(item.size for item in items))


def _say_paragraph(text: str) -> None:
    for line in paragraph(shown(text), "  "):
        show(line)


def _write_json(content: dict[str, Any]) -> None:
    write(json.dumps(content, indent=2) + "\n")
