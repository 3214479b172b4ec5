"""Text as a terminal may show it: nothing in it moves the cursor, hides or imitates lines, or cannot be encoded."""

from __future__ import annotations

import re
import unicodedata

# Control characters, line and paragraph separators, marks of direction, invisible characters, and what stands for bytes
# of a file name that is not UTF-8. The joiners U+200C and U+200D belong to ordinary words of some languages.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
FALLBACKS = str.maketrans(
    {
        "↑": "^",
        "↓": "v",
        "→": "->",
        "←": "<-",
        "‖": "||",
        "…": "...",
        "\N{EN DASH}": "-",
        "—": "--",
        "\N{MINUS SIGN}": "-",
        "\N{MULTIPLICATION SIGN}": "x",
        "·": "*",
        "≤": "<=",
        "≥": ">=",
        "±": "+/-",
        "²": "^2",
        "³": "^3",
        "ᵀ": "^T",
        "⁺": "^+",
        "Σ": "sum",
        "λ": "lambda",
        "θ": "theta",
        "π": "pi",
        **dict.fromkeys("─━═╌┄", "-"),
        **dict.fromkeys("│┃║", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┡┩╇╈╭╮╰╯", "+"),
        "•": "*",
    }
)
"""What stands for characters of resi's own texts, and of lines around tables, where an encoding lacks them."""


def visible(text: str, keep: str = "") -> str:
    r"""Return a text in which characters that a terminal would obey or hide are written out, such as ``\x1b``.

    Parameters
    ----------
    keep : str
        Characters that are not escaped, such as line breaks in a text of several lines.
    """
    return HIDDEN.sub(lambda found: found[0] if found[0] in keep else _written_out(found[0]), text)


def encodable(text: str, encoding: str | None) -> str:
    r"""Return a text that an encoding can hold; what it lacks becomes plain ASCII, or is written out as ``\u2191``.

    Parameters
    ----------
    encoding : str or None
        Such as ``latin-1``; None or an unknown one stands for ASCII.
    """
    try:
        text.encode(encoding or "ascii")
    except UnicodeEncodeError:
        return "".join(_replaced(character, encoding or "ascii") for character in text)
    except LookupError:
        return encodable(text, "ascii")
    return text


def _replaced(character: str, encoding: str) -> str:
    for candidate in (character, character.translate(FALLBACKS), unicodedata.normalize("NFKD", character)):
        kept = "".join(part for part in candidate if not unicodedata.combining(part))
        for found in (candidate, kept):
            try:
                found.encode(encoding)
            except UnicodeEncodeError:
                continue
            return found
    return _written_out(character)


def _written_out(character: str) -> str:
    number = ord(character)
    if character in ESCAPES:
        return ESCAPES[character]
    if 0xDC80 <= number <= 0xDCFF:  # how Python holds a byte of a file name that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
