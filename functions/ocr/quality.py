"""Judges whether a text layer says what the page shows, by the look of its words alone: no dictionary, no language.

Real text in any language is made of words of one script, has vowels where the script has them, and keeps signs out of
the middle of words. Bad recognition and fonts without a character map do not.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby, pairwise

from functions.ocr.scripts import is_spaceless, script_of

VOWELS = frozenset("aeiouyàáâãäåæèéêëìíîïòóôõöøœùúûüýÿāēīōūąęěőűıąůăâîåøwr")
"""Includes w and r, which carry syllables in Welsh and in Slavic languages."""
SCRIPTS_WITH_VOWELS = frozenset({"LATIN"})
LONGEST_CONSONANT_RUN = 8
ENOUGH_WORDS = 8

_INNER_SIGNS = frozenset(".,:/\\@&+-–—−‐‑'’‘´`_%=#()[]{}·…°→×•")
"""Signs that do stand between letters without a space."""
_NUMBER = re.compile(r"[\W\d_]*\d[\W\d_]*")
_CODE = re.compile(r"[A-Z0-9ÄÖÜ][A-Z0-9ÄÖÜ./\-_:]*|\d+[a-zA-Z]{1,3}|[a-zA-Z]{1,3}\d+|\d+[.,:]\d+[a-zA-Z]*")
_ADDRESS = re.compile(r"(https?:|www\.|\S+@\S+\.|\S+\.(com|org|net|de|eu|gov|edu)\b).*", re.IGNORECASE)
_COMMON_SIGNS = frozenset("•–—-−|/&+=*.,:;()[]{}<>%§$€£¥©®™°#\"'“”„‘’«»‹›·…✓✔☐☒□■●○→←?!_~")
_EDGE = " \t" + "".join(_COMMON_SIGNS)


@dataclass(frozen=True)
class Quality:
    """`score` is the share of plausible characters (0..1) among `words` words; `broken` the share of words that no
    writer would produce. `is_spaced_out`: most words are single letters, as in text that fell apart, or in a table."""

    score: float
    broken: float
    words: int
    is_spaced_out: bool = False


def judge(text: str) -> Quality:
    """Judges running text; for text without words the score is 0."""
    words = text.split()
    if not words:
        return Quality(0.0, 0.0, 0)
    weights = [len(word) for word in words]
    verdicts = [plausibility(word) for word in words]
    total = sum(weights)
    score = sum(weight * verdict for weight, verdict in zip(weights, verdicts, strict=True)) / total
    broken = sum(verdict < 0.5 for verdict in verdicts) / len(words)
    return Quality(score, broken, len(words), _is_spaced_out(words))


def plausibility(word: str) -> float:
    """1 for what looks like a word, a number or a sign, 0 for what does not."""
    if any(_is_meaningless(character) for character in word):
        return 0.0
    core = word.strip(_EDGE)
    if not core:
        return 1.0 if len(word) <= 3 or len(set(word)) <= 2 else 0.0
    if len(core) == 1:
        return 0.0 if core in "^`\\@" else 1.0
    if _NUMBER.fullmatch(core) or _CODE.fullmatch(core) or _ADDRESS.match(core):
        return 1.0
    if not any(map(is_spaceless, core)) and any(_is_sign(sign) and sign not in _INNER_SIGNS for sign in core[1:-1]):
        return 0.0
    return _letters_plausibility(core)


def _letters_plausibility(core: str) -> float:
    scripts = [script for script, _ in groupby(filter(None, map(script_of, core)))]
    if len(set(scripts)) > 1 and not set(scripts) <= {
        "CJK",
        "HIRAGANA",
        "KATAKANA",
        "KATAKANA-HIRAGANA",
        "HANGUL",
        "LATIN",
    }:
        return 0.0
    if set(scripts) != {"LATIN"}:
        return 1.0 if scripts else 0.3
    return min(_shape_plausibility(part) for part in re.split(r"[\W_]+", core) if part)


def _shape_plausibility(part: str) -> float:
    """How much one Latin word without signs looks like one."""
    if any(character.isdigit() for character in part):
        return 1.0 if len(re.findall(r"\d+|\D+", part)) <= 3 and not re.search(r"[a-z]\d+[a-z]", part) else 0.3
    lowered = part.lower()
    if len(part) > 3 and _case_changes(part) > 2:
        return 0.0
    if len(part) > 4 and not part.isupper() and not any(character in VOWELS for character in lowered):
        return 0.0
    if re.search(r"(.)\1{3}", lowered):
        return 0.3
    longest = max((len(run) for run in re.split("[" + "".join(VOWELS) + "]", lowered)), default=0)
    return 1.0 if longest <= LONGEST_CONSONANT_RUN else 0.2


def _case_changes(part: str) -> int:
    return sum(first.islower() and second.isupper() for first, second in pairwise(part))


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _is_meaningless(character: str) -> bool:
    """Controls, and private use but for the range in which symbol fonts (bullets, arrows) live."""
    code = ord(character)
    return (
        character == "\ufffd"
        or code < 0x20
        or 0x7F <= code <= 0x9F
        or (0xE000 <= code <= 0xF8FF and not 0xF000 <= code <= 0xF0FF)
        or code >= 0xF0000
        or 0xFFF0 <= code <= 0xFFFB
    )


def _is_spaced_out(words: list[str]) -> bool:
    if len(words) < ENOUGH_WORDS:
        return False
    single = sum(len(word) == 1 and script_of(word) == "LATIN" for word in words)
    return single * 2 > len(words)
