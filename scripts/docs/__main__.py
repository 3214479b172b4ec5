"""Prepare the documentation site, and check what was built.

python -m scripts.docs stage    # pages, the reference included, into build/docs
zensical build --strict         # build/docs into build/site
python -m scripts.docs check    # every link of build/site, and that nothing is loaded from elsewhere
"""

from __future__ import annotations

import argparse
import sys
import time

from scripts.docs.checking import problems
from scripts.docs.places import REPOSITORY
from scripts.docs.staging import stage

PAGES, SITE = REPOSITORY / "build" / "docs", REPOSITORY / "build" / "site"


def main(words: list[str]) -> int:
    """Do one of the steps; return 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m scripts.docs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("step", choices=["stage", "check"], help="before the site is built, and after")
    step, begun = parser.parse_args(words).step, time.monotonic()
    if step == "stage":
        try:
            made = stage(PAGES)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{len(made)} files in {PAGES}, {time.monotonic() - begun:.1f} s")
        return 0
    found = problems(SITE)
    print(*found, f"{SITE}: {len(found)} problems", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
