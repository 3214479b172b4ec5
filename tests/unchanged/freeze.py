"""Freeze what there is now: ``python -m tests.unchanged.freeze [NAME ...]``.

Names are ``names datasets alterations recipes runs networks public values``; all of them if none is given. Run it only
if something of it is meant to change, and look at the difference before it is committed: stored models, representations
and comparisons of users are found by what ``datasets``, ``recipes`` and ``runs`` hold, and are computed again where
that changes; what ``public`` and ``names`` lose or change is taken from users, for which docs/releasing.md has rules.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tests.unchanged.current import EXACT
from tests.unchanged.golden import write
from tests.unchanged.values import FILLED, TRAINED, filled, trained


def values() -> dict[str, Any]:
    """Return what all networks that are run compute."""
    return {**{case: trained(case) for case in TRAINED}, **{case: filled(case) for case in FILLED}}


def main(names: Sequence[str]) -> None:
    """Freeze what is named."""
    known = {**EXACT, "values": values}
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: expected some of {', '.join(known)}")
    for name in names or known:
        write(name, known[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
