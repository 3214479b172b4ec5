"""Draw docs/images/architecture.svg: the layers of the package, and the path of a run through them.

python scripts/architecture.py            # prints the picture
python scripts/architecture.py --write    # writes it

The layers are those that lint checks (``[tool.importlinter]`` in pyproject.toml); a test compares the file.
"""

from __future__ import annotations

import sys
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
ABOUT = {
    "cli": "what is typed and printed",
    "upkeep": "resi doctor, resi clean: what works here, what can go",
    "api | testing": "functions in Python; checks of measures and domains",
    "sweeps | published | report": "suites, jobs, launchers; the benchmark's files; pages",
    "estimates | plot": "work, time and space ahead; figures",
    "pipeline": "the steps of a run, and its workers",
    "config": "the typed config of a run",
    "groundings": "the six tests: what they compare, how they score",
    "domains | results": "graph, language, vision, custom; tables of results",
    "extraction": "layers of any network over any data",
    "store | engine": "files by content; all pairs",
    "registry": "what exists, built in and from plugins",
    "measures": "one file per family",
    "machine": "cores, memory, devices, signals, processes",
    "choices | specs | representation": "plain data that everybody passes on",
    "console | errors | randomness": "what is printed; one-line errors; keyed draws",
    "fingerprints | lazy": "identities; modules that load when used",
}
PATH = (  # of each step: the layers that do it, its name, what it does, and what it leaves in the data root
    (("cli",), "words", "resi test=shortcut measure=cka", ""),
    (("config",), "config", "composed and checked: one RunConfig", ""),
    (("pipeline",), "plan", "what is needed, what is already stored", ""),
    (("domains | results",), "train", "models, or published ones read", "models/"),
    (("extraction",), "extract", "layers and outputs on the probe set", "representations/"),
    (("store | engine", "measures"), "compare", "prepare once a layer, compare once a pair", "shards/ comparisons"),
    (("groundings",), "score", "chance, interval, p-value", "shards/ scores"),
    (("domains | results",), "merge", "all shards, one table each", "results/"),
    (("sweeps | published | report",), "report", "measures not distinguishable from the best", "report.html"),
)
ROW, LEFT, TOP, WIDTH, HEIGHT = 42, 24, 84, 1180, 812
STEP, RIGHT = 73, 690
INK, SOFT, LINE, FILL, USED, MARK = "#1b1f24", "#57606a", "#c8d1da", "#f6f8fa", "#e7f0fb", "#0b5cad"
FONT = "font-family='Helvetica, Arial, sans-serif'"


def layers() -> list[str]:
    """Return the layers from top to bottom, those on one line joined by bars."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return list(next(contract["layers"] for contract in contracts if contract["type"] == "layers"))


def text(x: float, y: float, words: str, size: int = 14, colour: str = INK, more: str = "") -> str:
    """Return a line of text."""
    return f"<text x='{x}' y='{y}' font-size='{size}' fill='{colour}' {FONT} {more}>{escape(words)}</text>"


def box(x: float, y: float, width: float, height: float, fill: str, line: str = LINE) -> str:
    """Return a rectangle with round corners."""
    return f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='6' fill='{fill}' stroke='{line}'/>"


def badge(x: float, y: float, number: int) -> str:
    """Return the number of a step in a circle."""
    middle = "text-anchor='middle' font-weight='bold'"
    return f"<circle cx='{x}' cy='{y}' r='11' fill='{MARK}'/>" + text(x, y + 4.5, str(number), 13, "#ffffff", middle)


def draw_layers() -> list[str]:
    """Return the left half: one row a layer, with the steps of a run that it does."""
    parts = [text(LEFT, 42, "Layers", 20, more="font-weight='bold'")]
    parts.append(text(LEFT, 64, "a module imports what stands below it, never what stands beside or above", 13, SOFT))
    for row, layer in enumerate(layers()):
        y = TOP + row * ROW
        steps = [number for number, step in enumerate(PATH, 1) if layer in step[0]]
        parts.append(box(LEFT, y, 600, ROW - 8, USED if steps else FILL))
        names = layer.replace(" | ", "  ·  ")
        parts.append(text(LEFT + 12, y + 22, names, 14, more="font-weight='bold'"))
        parts.append(text(LEFT + 262, y + 22, ABOUT[layer], 12, SOFT))
        # Circles stand on the edge, where no words are.
        parts += [badge(LEFT + 600 - 26 * place, y + 17, number) for place, number in enumerate(reversed(steps))]
    return parts


def draw_path() -> list[str]:
    """Return the right half: the steps of a run, and what each leaves in the data root."""
    parts = [text(RIGHT, 42, "The path of a run", 20, more="font-weight='bold'")]
    parts.append(text(RIGHT, 64, "what is stored is not computed again; a stopped run resumes from it", 13, SOFT))
    for number, (_, name, about, stored) in enumerate(PATH, 1):
        y = TOP + (number - 1) * STEP
        parts.append(box(RIGHT, y, 300, 52, USED))
        parts += [badge(RIGHT, y + 26, number), text(RIGHT + 24, y + 22, name, 15, more="font-weight='bold'")]
        parts.append(text(RIGHT + 24, y + 41, about, 12, SOFT))
        if number < len(PATH):
            parts.append(f"<path d='M{RIGHT + 150} {y + 53} v15' stroke='{SOFT}' marker-end='url(#head)'/>")
        if stored:
            parts.append(f"<path d='M{RIGHT + 301} {y + 26} h24' stroke='{MARK}' marker-end='url(#head)'/>")
            parts.append(box(RIGHT + 332, y + 9, 138, 34, "#ffffff", MARK))
            parts.append(text(RIGHT + 344, y + 31, stored, 12))
    return parts


def picture() -> str:
    """Return the picture. Its ground is white, so that it is legible on dark pages, too."""
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-labelledby='title'>"
    title = "<title id='title'>The layers of resi, and the path of a run through them</title>"
    arrow = (
        "<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
        f"<path d='M0 0 L8 4 L0 8 z' fill='{SOFT}'/></marker></defs>"
    )
    ground = f"<rect width='{WIDTH}' height='{HEIGHT}' rx='10' fill='#ffffff'/>"
    return "\n".join([head, title, arrow, ground, *draw_layers(), *draw_path(), "</svg>", ""])


if __name__ == "__main__":
    if "--write" in sys.argv:
        PICTURE.write_text(picture(), encoding="utf-8")
    else:
        sys.stdout.write(picture())
