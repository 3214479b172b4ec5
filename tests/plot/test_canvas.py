"""Figures leave the program they are drawn in alone, and files are the same each time."""

from __future__ import annotations

import subprocess
import sys
import threading

import matplotlib as mpl
import numpy as np
import pytest

import resi
import resi.plot
from resi.errors import UsageError
from resi.plot.canvas import svg_text
from tests.plot.tables import pairwise, random_square, scores


def draw() -> object:
    return resi.plot.heatmap(random_square(3), "cka")


def test_every_function_is_listed_and_there() -> None:
    names = "heatmap ranks critical_difference groups outputs map cost scores convergence".split()
    assert set(names) <= set(dir(resi.plot))
    for name in names:
        assert callable(getattr(resi.plot, name))
        assert "Returns" in getattr(resi.plot, name).__doc__
    assert "plot" in dir(resi)
    with pytest.raises(AttributeError, match=r"'resi\.plot' has no attribute 'heat'"):
        _ = resi.plot.heat


def test_nothing_global_is_touched(tmp_path) -> None:
    before = dict(mpl.rcParams)
    state = np.random.get_state()[1].copy()
    for kind in ("png", "svg", "pdf"):
        resi.plot.save(draw(), tmp_path / f"figure.{kind}")
    resi.plot.map(random_square(5), "cka")
    resi.plot.ranks(scores())
    assert dict(mpl.rcParams) == before
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_neither_listing_nor_drawing_loads_pyplot_and_listing_not_even_matplotlib() -> None:
    code = (
        "import sys, resi, resi.plot; dir(resi.plot); assert not {'matplotlib', 'numpy'} & set(sys.modules)\n"
        "resi.plot.heatmap([[1, .5], [.5, 1]], 'cka')._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file(tmp_path, kind: str) -> None:
    contents = [resi.plot.save(draw(), tmp_path / f"{place}" / f"figure.{kind}").read_bytes() for place in range(2)]
    assert contents[0] == contents[1]
    assert contents[0].startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])


def test_two_figures_of_one_page_refer_to_different_things() -> None:
    import re

    texts = [svg_text(draw()), svg_text(resi.plot.heatmap(random_square(4, 1), "cka"))]
    referred = [set(re.findall(r'(?:url\(#|href="#)([a-z]+[0-9a-f]{10})', text)) for text in texts]
    assert all(referred)
    assert not referred[0] & referred[1]
    for text, names in zip(texts, referred, strict=True):
        assert all(f'id="{name}"' in text for name in names)


def test_files_of_another_kind_are_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.png, \.svg, \.pdf"):
        resi.plot.save(draw(), tmp_path / "figure.gif")


def test_a_notebook_shows_the_figure() -> None:
    assert draw()._repr_png_().startswith(b"\x89PNG")


def test_long_names_are_not_cut_off() -> None:
    name = "encoder.layer.11.attention.output.dense.activation"
    figure = resi.plot.heatmap(pairwise({(f"{name}.{a}", f"{name}.{b}"): 0.5 for a, b in ("ab", "ac", "bc")}))
    figure.canvas.draw()
    whole = figure.bbox
    for label in [*figure.axes[0].get_xticklabels(), *figure.axes[0].get_yticklabels(), figure.axes[1].yaxis.label]:
        box = label.get_window_extent()
        assert box.x0 >= whole.x0 - 1
        assert box.y0 >= whole.y0 - 1
        assert box.x1 <= whole.x1 + 1
        assert box.y1 <= whole.y1 + 1


def test_figures_can_be_drawn_in_several_threads() -> None:
    expected = svg_text(draw())
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(svg_text(draw()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
