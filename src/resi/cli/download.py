"""``resi download``: the published models, or the published results, to where runs look for them."""

from __future__ import annotations

import argparse
from pathlib import Path

from resi.published.releases import API, fetch, releases, take


def main(words: list[str]) -> int:
    """Download and unpack; return 0."""
    from resi.store.root import default_root

    parser = argparse.ArgumentParser(
        prog="resi download",
        description="Download the published models, or the published results, to where runs with "
        "models.source=published look for them. An interrupted download is resumed; every file is "
        "checked against the checksum that Zenodo states.",
    )
    known = list(releases())
    parser.add_argument("names", nargs="+", choices=known, metavar="NAME", help=f"one or more of {', '.join(known)}")
    parser.add_argument("--root", type=Path, help="data root; default $RESI_HOME, else $REP_SIM, else ./experiments")
    parser.add_argument("--archives", type=Path, metavar="FOLDER", help="unpack the archives in this folder instead")
    parser.add_argument("--keep-archives", action="store_true", help="keep downloaded archives after unpacking")
    parser.add_argument("--api", default=API, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    root = (arguments.root or default_root()).expanduser().absolute()
    for name in arguments.names:
        if arguments.archives:
            take(name, root, arguments.archives.expanduser())
        else:
            fetch(name, root, arguments.api, arguments.keep_archives)
    return 0
