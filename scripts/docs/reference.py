"""What the comments ``<!-- generated: NAME -->`` in the pages of ``docs/reference`` stand for."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from scripts.docs import api, columns, commands, domains, measures, plugins, settings
from scripts.docs.places import MODULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MARK = re.compile(r"^<!-- generated: ([\w.-]+) -->$", re.MULTILINE)

PARTS: Mapping[str, Callable[[], str]] = {
    "measures": measures.overview,
    "families": measures.families,
    "invariances": measures.invariances,
    "each-measure": measures.each,
    "domains": domains.all_domains,
    "datasets": domains.datasets,
    "models": domains.models,
    "tests": domains.tests,
    "settings": settings.keys,
    "launchers": settings.launchers,
    "columns": columns.columns,
    "commands": commands.overview,
    "each-command": commands.commands,
    "hooks": plugins.all_hooks,
    "exit-codes": plugins.exit_codes,
    **{f"{kind}-{module}": partial(write, module) for module in MODULES for kind, write in api.KINDS.items()},
}


def filled(text: str) -> str:
    """Return a page with what is written from the code in place of its marks.

    Raises
    ------
    ValueError
        If a mark names nothing that there is.
    """

    def part(found: re.Match[str]) -> str:
        if found[1] not in PARTS:
            raise ValueError(f"nothing is generated as {found[1]!r}; known: {', '.join(PARTS)}")
        return PARTS[found[1]]()

    return MARK.sub(part, text)
