"""Facts about writing systems that decide how text is put together: spaces, directions, normal forms.

Character data: the standard library's `unicodedata`, and block ranges of the Unicode Character Database.
"""

import unicodedata
from functools import lru_cache

_SPACELESS_RANGES = (
    (0x2E80, 0x2FDF), (0x3000, 0x30FF), (0x3100, 0x312F), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF),
)  # fmt: skip
_PRESENTATION_RANGES = ((0xFB00, 0xFDFF), (0xFE70, 0xFEFC))
LONGEST_IDEOGRAPH_WORD = 4


@lru_cache(maxsize=8192)
def is_spaceless(character: str) -> bool:
    """Whether the character belongs to Chinese or Japanese, which are written without spaces between words."""
    code = ord(character)
    return code >= 0x2E80 and any(low <= code <= high for low, high in _SPACELESS_RANGES)


@lru_cache(maxsize=8192)
def is_right_to_left(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL")


def runs_right_to_left(text: str) -> bool:
    """Whether most letters with a direction run from right to left."""
    backward = sum(map(is_right_to_left, text))
    return backward > 0 and backward * 2 > sum(character.isalpha() for character in text)


@lru_cache(maxsize=8192)
def script_of(character: str) -> str:
    """The script of a letter by its Unicode name ("LATIN", "CYRILLIC", "CJK", …); "" for everything else."""
    if not character.isalpha():
        return ""
    if character.isascii():
        return "LATIN"
    script = unicodedata.name(character, "").split(" ", 1)[0].split("-", 1)[0]
    return "CJK" if script == "IDEOGRAPHIC" else script


def normalize(text: str) -> str:
    """Composed characters, with ligatures and Arabic presentation forms taken apart, and without what cannot be read:
    soft hyphens, zero-width spaces, private codes of symbol fonts."""
    if text.isascii():
        return text
    apart = "".join(
        unicodedata.normalize("NFKC", character) if _is_presentation_form(character) else character
        for character in text
        if character not in "\u00ad\ufeff\u200b\u2060" and not "\uf000" <= character <= "\uf0ff"
    )
    return unicodedata.normalize("NFC", apart)


def segments(text: str) -> list[str]:
    """Splits a run of characters without spaces into words; only Chinese and Japanese are split.

    They are cut where the script changes and at punctuation, and long runs of ideographs into single ones: short
    enough to be highlighted, long enough to be read.
    """
    if not any(map(is_spaceless, text)):
        return [text]
    parts: list[str] = []
    previous = None
    for character in text:
        kind = _segment_kind(character, previous)
        if previous == kind and kind != "PUNCTUATION":
            parts[-1] += character
        else:
            parts.append(character)
        previous = kind
    return [piece for part in parts for piece in _short(part)]


def visual_order(word: str) -> str:
    """The characters from left to right as they stand on the page; right-to-left letters reversed, numbers not."""
    if not any(map(is_right_to_left, word)):
        return word
    runs: list[str] = []
    backward = None
    for character in word:
        direction = not (
            character.isdigit() or script_of(character) == "LATIN" or (backward is False and character in ".,:/-")
        )
        if direction == backward:
            runs[-1] += character
        else:
            runs.append(character)
        backward = direction
    return "".join(run if _is_forward(run) else run[::-1] for run in reversed(runs))


def _is_forward(run: str) -> bool:
    return run[0].isdigit() or script_of(run[0]) == "LATIN"


def _is_presentation_form(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _PRESENTATION_RANGES)


def _segment_kind(character: str, previous: str | None) -> str:
    if character in "ー゙゚々〆" or unicodedata.combining(character):
        return previous or "KATAKANA"
    if unicodedata.category(character)[0] in "PSZ" and is_spaceless(character):
        return "PUNCTUATION"
    script = script_of(character)
    return script if is_spaceless(character) else "OTHER"


def _short(part: str) -> list[str]:
    if len(part) > LONGEST_IDEOGRAPH_WORD and script_of(part[0]) == "CJK":
        return list(part)
    return [part]
