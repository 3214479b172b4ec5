"""``resi extract``: the layers of a network over data, written to a folder."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from resi.cli.arguments import Key, count, flag, parser, split, text, texts
from resi.console import say, write
from resi.errors import UsageError

KEYS = {
    "model": Key(
        "timm:NAME, torchvision:NAME, hf:PATH_OR_ID (with ?pretrained=false for random weights), or "
        "python:PACKAGE.MODULE:FUNCTION",
        text,
    ),
    "data": Key("a folder of images, a .csv, .tsv or .parquet table with texts, or an array in a .npy file", text),
    "out": Key("the folder to write; an extraction that was stopped continues there", text),
    "layers": Key("patterns of layers, as 'layer3.*' or [conv1,layer?]; --list shows which there are", texts),
    "pooling": Key("of tokens and maps: none, mean, max, cls or last", text),
    "batch_size": Key("samples in a forward pass", count),
    "device": Key("cpu, cuda or cuda:1; default a GPU, if there is one", text),
    "precision": Key("of the forward pass: float32, bfloat16 or float16", text),
    "column": Key("of a table: the column with the texts", text),
    "id": Key("of a table: the column with the ids of samples; default a column id, else row numbers", text),
    "name": Key("of the network, for people", text),
    "overwrite": Key("true: remove what an earlier extraction has written to out", flag),
}
ABOUT = """\
Run a network over data once, and write what its layers compute: a file a layer, the ids of the samples, and how it \
was made. Memory is bounded by a batch, however many samples there are."""
EXAMPLES = """\
  resi extract model=timm:resnet18 data=images/ 'layers=layer?' out=reps/r18
  resi extract model=hf:bert-base-uncased data=texts.csv column=sentence \\
    pooling=mean out=reps/bert
  resi extract model=timm:resnet18 data=images/ --list
  resi compare reps/r18 --plot layers.svg"""


def main(words: list[str]) -> int:
    """Extract, or list layers; return 0."""
    arguments = make_parser().parse_intermixed_args(words)
    others, values = split(arguments.words, KEYS, "extract")
    if others:
        raise UsageError(f"resi extract: {others[0]}: expected KEY=VALUE, such as data={shlex.quote(others[0])}")
    for key in ("model", "data") if arguments.list else ("model", "data", "out"):
        if key not in values:
            raise UsageError(f"resi extract: {key}= is missing: {KEYS[key].about}")
    model, data = values.pop("model"), values.pop("data")
    if arguments.list:
        _print_layers(model, data, values, arguments.json)
    elif arguments.json:
        raise UsageError("resi extract --json: it goes with --list; what is written is described by manifest.json")
    else:
        _extract(model, data, values)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = parser("extract", "resi extract model=MODEL data=DATA out=FOLDER [KEY=VALUE ...]", ABOUT, KEYS, EXAMPLES)
    found.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    found.add_argument("--list", action="store_true", help="print the layers that can be taken, and write nothing")
    found.add_argument("--json", action="store_true", help="with --list: print them as JSON")
    return found


def _extract(model: str, data: str, values: dict[str, Any]) -> None:
    from resi.extraction.extract import extract
    from resi.extraction.writing import finished

    is_there = not values.get("overwrite") and finished(Path(values["out"]).expanduser()) is not None
    found = extract(model, data, **values)
    write(f"{found!r}\n")
    out = shlex.quote(values["out"])
    where = f"already there, in {out}" if is_there else f"written to {out}"
    say(f"{where}; compare its layers: resi compare {out} --plot layers.svg")


def _print_layers(model: str, data: str, values: dict[str, Any], as_json: bool) -> None:
    from resi.extraction.listing import layers

    known = ("device", "precision", "column", "id")
    if others := [key for key in values if key not in known]:
        raise UsageError(f"resi extract --list: {others[0]}= does not change which layers there are; leave it out")
    found = layers(model, data, **values)
    write(f"{json.dumps(found.to_frame().to_dicts(), indent=2)}\n" if as_json else f"{found!r}\n")
