"""A command line as a shell reads it, up to the cursor, and what the shell is given in place of its last word."""

from __future__ import annotations

import re
from typing import NamedTuple

SPECIAL = {"bash": r"[\s'\"\\$`&|;<>(){}*?!#]", "zsh": r"[\s'\"\\$`&|;<>(){}*?!#\[\]^]", "fish": r"(?!)"}
"""What is escaped outside quotes; fish does so itself."""


class Line(NamedTuple):
    """The words of a command line.

    Attributes
    ----------
    words : list of str
        Without quotes; the last one is that under the cursor, up to it.
    quote : str
        The quotation mark that is open at the cursor, or none.
    opened : int
        How many characters of the last word are before that mark.
    kept : int
        How many characters of the last word the shell keeps and completes no further.
    """

    words: list[str]
    quote: str
    opened: int
    kept: int

    def as_typed(self, word: str, shell: str) -> str:
        """Return a candidate for the last word as the shell inserts it."""
        if not self.quote:
            return re.sub(SPECIAL[shell], r"\\\g<0>", word[self.kept :])
        if shell == "bash":
            return word[self.opened :]
        return word[: self.opened] + self.quote * (self.opened > 0 and shell == "zsh") + word[self.opened :]


def read_line(text: str, breaks: str = "") -> Line:
    """Split a command line that ends at the cursor.

    Parameters
    ----------
    breaks : str
        Characters after which the shell begins what it completes: ``COMP_WORDBREAKS`` of bash.
    """
    words = [""]
    quote, is_escaped, is_begun, opened, kept = "", False, False, 0, 0
    for character in text:
        is_blank = character.isspace() and not quote and not is_escaped
        if is_blank and is_begun:
            words.append("")
            kept = 0
        is_begun = not is_blank
        if is_blank:
            continue
        if character == "\\" and quote != "'" and not is_escaped:
            is_escaped = True
        elif is_escaped or (quote and character != quote):
            words[-1] += character
            is_escaped = False
        elif character in "'\"":
            quote, opened = ("", 0) if quote else (character, len(words[-1]))
        else:
            words[-1] += character
            kept = len(words[-1]) if character in breaks else kept
    return Line(words, quote, opened, kept)
