"""Easy Data Augmentation: one of four small changes to the words of a text.

With W words and rate r, max(floor(r W), 1) words are changed by one operator: synonyms put in place of words, words
left out, words swapped, or synonyms of words put in somewhere. Each operator makes one candidate, and one of the
different candidates is kept. Words that an operator has changed or put in it leaves alone afterwards; stop words are
not replaced.

References
----------
.. [1] Wei & Zou, EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks,
   EMNLP-IJCNLP 2019. The operators are as the benchmark used them, with edits drawn uniformly among all possible ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resi.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

INSERTION_TRIES = 7
# A word, with the apostrophes and hyphens inside it; what lies between words stays where it is.
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
# Function words of English, which have no synonyms that keep the sense.
STOP_WORDS = frozenset(
    """a about above after again against all am an and any are as at be because been before being below between both but
    by can could did do does doing down during each few for from further had has have having he her here hers herself
    him himself his how i if in into is it its itself just me more most my myself no nor not now of off on once only or
    other our ours ourselves out over own s same she should so some such t than that the their theirs them themselves
    then there these they this those through to too under until up very was we were what when where which while who whom
    why will with would you your yours yourself yourselves
    don't isn't wasn't can't won't didn't doesn't it's n't""".split()
)


@dataclass
class _Word:
    """A word, what stands before it, and whether it may still be changed."""

    before: str
    text: str
    changed: bool = False


class _Text:
    """A text as words and what lies between them."""

    def __init__(self, text: str) -> None:
        self.words: list[_Word] = []
        end = 0
        for match in WORD.finditer(text):
            self.words.append(_Word(text[end : match.start()], match[0]))
            end = match.end()
        self.after = text[end:]

    def __str__(self) -> str:
        return "".join(word.before + word.text for word in self.words) + self.after

    def unchanged(self) -> list[int]:
        """Return the places of words that no operator has touched."""
        return [place for place, word in enumerate(self.words) if not word.changed]

    def leave_out(self, place: int) -> None:
        word = self.words.pop(place)
        # The blank goes with the word; at the start the next word takes over what stood before.
        if place == 0 and self.words:
            self.words[0].before = word.before
        elif not word.before.isspace():
            self._attach(place, word.before.rstrip())

    def _attach(self, place: int, punctuation: str) -> None:
        """Put punctuation that stood before a word that is gone before what follows it."""
        if place < len(self.words):
            self.words[place].before = punctuation + self.words[place].before
        else:
            self.after = punctuation + self.after

    def insert(self, place: int, text: str) -> None:
        """Put a word in before a place, or after the last word."""
        if place < len(self.words):
            self.words.insert(place, _Word(self.words[place].before, text, changed=True))
            self.words[place + 1].before = " "
        else:
            self.words.append(_Word(" ", text, changed=True))


def augment(text: str, rate: float, key: tuple[object, ...], synonyms: Mapping[str, tuple[str, ...]]) -> str:
    """Return an altered text.

    Parameters
    ----------
    rate : float
        Share of the words that are changed, above 0 and at most 1.
    key : tuple
        Keys the draws, so that a row of a dataset is altered alike for every model.
    synonyms : mapping from word to words
        See :func:`resi.domains.language.wordnet.synonyms`.
    """
    draws = generator(0, "easy data augmentation", *key)
    n_words = len(_Text(text).words)
    if n_words == 0:
        return text
    count = max(int(rate * n_words), 1)
    candidates = [
        replace_by_synonyms(text, count, draws, synonyms),
        leave_out_words(text, count, draws),
        swap_words(text, count, draws),
        insert_synonyms(text, count, draws, synonyms),
    ]
    different = list(dict.fromkeys(candidates))
    return different[int(draws.integers(len(different)))]


def replace_by_synonyms(
    text: str, count: int, draws: np.random.Generator, synonyms: Mapping[str, tuple[str, ...]]
) -> str:
    """Put synonyms in place of up to ``count`` words; of all possible replacements each is as likely as any."""
    result = _Text(text)
    possible = [
        (place, other)
        for place, word in enumerate(result.words)
        if word.text.lower() not in STOP_WORDS
        for other in synonyms.get(word.text.lower(), ())
    ]
    for _ in range(count):
        if not possible:
            break
        place, other = possible[int(draws.integers(len(possible)))]
        result.words[place].text = _like(result.words[place].text, other)
        possible = [edit for edit in possible if edit[0] != place]
    return str(result)


def leave_out_words(text: str, count: int, draws: np.random.Generator) -> str:
    """Leave out ``count`` words, but the last one there is."""
    result = _Text(text)
    for _ in range(min(count, len(result.words) - 1)):
        result.leave_out(int(draws.integers(len(result.words))))
    return str(result)


def swap_words(text: str, count: int, draws: np.random.Generator) -> str:
    """Swap words with words anywhere, until ``count`` have a new place or none is left that has not."""
    result = _Text(text)
    moved = 0
    while moved < count and len(places := result.unchanged()) > 1:
        first, second = draws.choice(places, 2, replace=False).tolist()
        one, other = result.words[first], result.words[second]
        one.text, other.text = other.text, one.text
        one.changed = other.changed = True
        moved += 2
    return str(result)


def insert_synonyms(text: str, count: int, draws: np.random.Generator, synonyms: Mapping[str, tuple[str, ...]]) -> str:
    """Put in ``count`` synonyms of words of the text, each at any place."""
    result = _Text(text)
    for _ in range(count):
        places = result.unchanged()
        for _try in range(INSERTION_TRIES):
            word = result.words[places[int(draws.integers(len(places)))]].text.lower()
            if others := synonyms.get(word, ()):
                other = others[int(draws.integers(len(others)))]
                result.insert(int(draws.integers(len(result.words) + 1)), other)
                break
    return str(result)


def _like(word: str, other: str) -> str:
    """Return ``other`` with a capital where ``word`` has one."""
    return other.capitalize() if word[:1].isupper() else other
