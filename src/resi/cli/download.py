"""``resi download``: published models and results, and datasets, to where runs look for them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from resi.cli.download_lists import print_dry_run, print_list, say_sizes
from resi.errors import UsageError, unknown_name
from resi.published.choice import Choice, whole
from resi.published.datasets import Source, dataset_sources
from resi.published.downloads import check_given, find, given, take, wanted_of
from resi.published.records import VARIABLE, Host
from resi.published.releases import releases
from resi.store.root import default_root
from resi.store.space import check_space

if TYPE_CHECKING:
    from resi.published.downloads import Wanted

EPILOG = """\
examples:
  resi download --list                            what there is, and what is here
  resi download vision_imagenet100 --dry-run      how large it is; nothing is fetched
  resi download graph results cora
  resi download language --dataset sst2 --model bert --setting standard,shortcut --seeds 0,1,2
  resi download smollm2 --archives FOLDER         archives that were fetched by other means

An interrupted download is resumed, every file of a record is checked against the record's
checksum, and the disk is checked for archives and content before anything is fetched.
"""


def main(words: list[str]) -> int:
    """Download and unpack, or say what would be; return 0."""
    arguments = _parser().parse_args(words)
    root = (arguments.root or default_root()).expanduser().absolute()
    if arguments.list:
        print_list(root, arguments.names, arguments.json, arguments.wide)
        return 0
    if not arguments.names:
        raise UsageError("resi download: name what to download; resi download --list shows what there is")
    choice = Choice(
        _parts(arguments.dataset), _parts(arguments.model), _parts(arguments.setting), _seeds(arguments.seeds)
    )
    known, wanted, datasets = dataset_sources(), [], []
    for name in dict.fromkeys(arguments.names):
        if name in known:
            if choice:
                raise UsageError(whole(name))
            datasets.append(known[name])
        elif name in releases():
            wanted += wanted_of(name, choice)
        else:
            raise unknown_name("name to download", name, [*releases(), *known], " (resi download --list)")
    if arguments.archives:
        return _take(wanted, datasets, root, arguments)
    return _fetch(wanted, datasets, root, arguments)


def _fetch(wanted: list[Wanted], datasets: list[Source], root: Path, arguments: argparse.Namespace) -> int:
    if not arguments.dry_run:
        for source in datasets:
            source.check(root)
    found = find(wanted, root, Host.of(arguments.mirror), arguments.keep_archives)
    if arguments.dry_run:
        print_dry_run(found, datasets, root, arguments.json)
        return 0
    say_sizes(found)
    check_space([*(one.step for one in found), *(source.step(root) for source in datasets)])
    for one in found:
        one.run()
    for source in datasets:
        source.fetch(root)
    return 0


def _take(wanted: list[Wanted], datasets: list[Source], root: Path, arguments: argparse.Namespace) -> int:
    if datasets:
        raise UsageError(
            f"--archives is for models and results: {datasets[0].dataset.name} is read from a folder with "
            "dataset.root=FOLDER"
        )
    if arguments.dry_run:
        raise UsageError("--dry-run asks for what would be fetched, and --archives fetches nothing")
    archives = arguments.archives.expanduser()
    check_given(given(wanted, archives), root)
    take(wanted, root, archives)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="resi download",
        description="Download published models and results, and datasets, to where runs look for them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to download, see --list")
    parser.add_argument("--list", action="store_true", help="list what can be downloaded, and what is here already")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be fetched, its size and place")
    parser.add_argument("--json", action="store_true", help="print --list or --dry-run as JSON")
    parser.add_argument("--wide", action="store_true", help="show all columns of --list, however wide")
    chosen = parser.add_argument_group("of models, only those with one of these, separated by commas")
    chosen.add_argument("--dataset", metavar="NAMES", help="that they were trained on, such as cora,flickr")
    chosen.add_argument("--model", metavar="NAMES", help="architectures, such as gcn,gat")
    chosen.add_argument("--setting", metavar="NAMES", help="such as shortcut_75, or a kind: shortcut")
    chosen.add_argument("--seeds", metavar="NUMBERS", help="such as 0,1,2")
    parser.add_argument("--root", type=Path, help="data root; default $RESI_HOME, else $REP_SIM, else ./experiments")
    parser.add_argument("--archives", type=Path, metavar="FOLDER", help="unpack the archives in this folder instead")
    parser.add_argument("--keep-archives", action="store_true", help="keep downloaded archives after unpacking")
    parser.add_argument(
        "--mirror", metavar="URL", help=f"take records from this address instead of Zenodo; default ${VARIABLE}"
    )
    return parser


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _seeds(text: str | None) -> tuple[int, ...]:
    parts = _parts(text)
    for part in parts:
        if not part.isdecimal():
            raise UsageError(f"--seeds={text}: expected whole numbers, separated by commas, such as 0,1,2")
    return tuple(map(int, parts))
