"""How text becomes search terms: splitting, folding, codes and parts of words. Pure; the same for entries and queries.

Terms are case-folded and without diacritics. `ue`, `ae`, `oe` inside a word count as ü, ä, ö and so as u, a, o, which
makes Müller, Mueller and Muller one term. Scripts written without spaces become overlapping pairs of characters. What
stands together with punctuation (A-1312/B, 1.234,56, jo@example.com) or in blank-separated groups of digits (an IBAN)
is kept a second time as one *code* without the punctuation.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST_TERM = 100
"""Characters of a term; what a word has beyond that is not searched."""

LONGEST_TAILED = 48
"""A longer term (encoded data, mostly) is not searched by its parts."""

_MARKS = "".join(chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# Possessive, and begun only where no word is under way: a text without punctuation must not be tried at each letter.
_WORD = rf"[^\W_]++(?:[{_MARKS}\ufe20-\ufe2f{_INVISIBLE}]++[^\W_]*+)*+"
_CONNECTOR = r"(?:[-‐‑–—/\\.,:_@&+'’#·]{1,2}|[-‐\u00ad][ \t]*\r?\n[ \t]*)"
_BLANK = "[ \u00a0\u202f\u2009]"

WORD = re.compile(_WORD)
CHUNK = re.compile(rf"{_WORD}(?:{_CONNECTOR}{_WORD})*")
_COMPOUND = re.compile(rf"(?<![^\W_]){_WORD}(?:{_CONNECTOR}{_WORD})+")
_IBAN = rf"[A-Z]{{2}}\d{{2}}(?:{_BLANK}[A-Z0-9]{{4}}){{2,7}}(?:{_BLANK}[A-Z0-9]{{1,3}})?"
_DIGITS = rf"(?<![.,])\d{{1,6}}(?:{_BLANK}\d{{2,6}}){{1,7}}(?:[.,]\d{{1,2}})?"
_GROUPS = re.compile(rf"(?<!\w)(?:{_IBAN}|{_DIGITS})(?!\w)")

_UNSPACED_RANGES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\uac00-\ud7af"  # Hangul, Hiragana, Katakana
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"  # Han, half-width forms
)
_UNSPACED = re.compile(f"[{_UNSPACED_RANGES}]")
_RUN = re.compile(f"([{_UNSPACED_RANGES}]+)|[^{_UNSPACED_RANGES}]+")
_SEMITIC = re.compile("[\u0590-\u06ff]")
_DIGIT = re.compile(r"\d")

_STRIPPED = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # marks on Latin, Greek, Cyrillic letters
    "\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed"  # Hebrew points, Arabic vowel signs and tatweel
    f"{_INVISIBLE}]"
)
_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
    | {"ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك"}
)
# The e of an umlaut written out: not after another vowel or q (neue, Bauer, Quelle), and not at the end (blue, toe).
_DIGRAPH = re.compile(r"(?<![aeoq])([aou])e(?=.)")
_OPEN_DIGRAPH = re.compile(r"(?<![aeoq])([aou])e$")
_MAYBE_CHANGED = re.compile("[aou]e|ل")
_ARTICLE = re.compile(r"^(?:[وبكف]?ال|لل)(?=\w{3})")


def fold(word: str) -> str:
    """Lower case, no diacritics, no invisible characters, compatibility forms and digits of all scripts made plain."""
    if word.isascii():
        return word.lower()
    plain = _STRIPPED.sub("", unicodedata.normalize("NFKD", word).casefold()).translate(_LETTERS)
    return unicodedata.normalize("NFC", _plain_digits(plain))


def _plain_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def canonical(folded: str) -> str:
    """The term of a folded word: umlauts written as two letters made one, the Arabic article taken off."""
    if folded.isascii():
        return _DIGRAPH.sub(r"\1", folded)
    return _ARTICLE.sub("", _DIGRAPH.sub(r"\1", folded))


def is_unspaced(word: str) -> bool:
    """Whether the word has characters of a script that is written without spaces (or searched as if it were)."""
    return not word.isascii() and _UNSPACED.search(word) is not None


@lru_cache(maxsize=100_000)
def terms_of(word: str) -> tuple[str, ...]:
    """The consecutive terms of a word (as WORD finds it): one, or the pairs of characters of an unspaced script.

    A run of n such characters gives its n-1 pairs and its last character, so that each character begins a term.
    """
    if is_unspaced(word):
        return tuple(term for start, end in _runs(word) for term in _run_terms(word[start:end]))
    term = canonical(fold(word))[:LONGEST_TERM]
    return (term,) if term else ()


def _runs(word: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in _RUN.finditer(word))


def _run_terms(run: str) -> tuple[str, ...]:
    if _UNSPACED.match(run):
        folded = fold(run)
        return tuple(folded[index : index + 2] for index in range(len(folded)))
    term = canonical(fold(run))[:LONGEST_TERM]
    return (term,) if term else ()


def body_terms(text: str) -> list[str]:
    """All terms in order; neighbours in the text are neighbours here."""
    return [term for word in WORD.findall(text) for term in terms_of(word)]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A text as it is indexed; each is terms, blank-separated. Only `body` is in the order of the text."""

    body: str
    codes: str
    tails: str


def analyze(text: str) -> Analysis:
    """Everything that a text is found by: `body_terms`, the terms of `codes`, and the `tails` of both."""
    chunks = CHUNK.findall(text)
    analyses = list(map(_analyze_chunk, chunks))
    distinct = dict(zip(chunks, analyses, strict=True)).values()
    groups = [piece.term for piece in _groups(text)]
    return Analysis(
        body=" ".join([chunk.body for chunk in analyses]),
        codes=" ".join([*(chunk.codes for chunk in distinct if chunk.codes), *groups]),
        tails=" ".join([*(chunk.tails for chunk in distinct if chunk.tails), *map(tails, groups)]),
    )


@lru_cache(maxsize=60_000)
def _analyze_chunk(chunk: str) -> Analysis:
    code = join(chunk) if _COMPOUND.match(chunk) else ""
    ends = filter(None, map(tails, (*WORD.findall(chunk), code)))
    return Analysis(body=" ".join(body_terms(chunk)), codes=code, tails=" ".join(ends))


@dataclass(frozen=True, slots=True)
class Piece:
    """A term and where it stands in the text."""

    term: str
    start: int
    end: int


def pieces(text: str) -> list[Piece]:
    """The terms of `body_terms`, each with its place."""
    found: list[Piece] = []
    for match in WORD.finditer(text):
        word, start = match.group(), match.start()
        if is_unspaced(word):
            found.extend(_run_pieces(word, start))
        else:
            found.extend(Piece(term, start, match.end()) for term in terms_of(word))
    return found


def _run_pieces(word: str, offset: int) -> Iterator[Piece]:
    for start, end in _runs(word):
        terms = _run_terms(word[start:end])
        aligned = len(terms) == end - start
        for index, term in enumerate(terms):
            first = start + index if aligned else start
            last = min(first + len(term), end) if aligned else end
            yield Piece(term, offset + first, offset + last)


def codes(text: str) -> list[Piece]:
    """What is written with punctuation or blanks inside, as one term without them."""
    return [*_joined(_COMPOUND, text), *_groups(text)]


def _groups(text: str) -> Iterator[Piece]:
    return _joined(_GROUPS, text)


def _joined(pattern: re.Pattern[str], text: str) -> Iterator[Piece]:
    for match in pattern.finditer(text):
        term = join(match.group())
        if term:
            yield Piece(term, match.start(), match.end())


def join(chunk: str) -> str:
    """The chunk as one term: its words folded and put together; empty for scripts without spaces."""
    if is_unspaced(chunk):
        return ""
    return canonical("".join(fold(word) for word in WORD.findall(chunk)))[:LONGEST_TERM]


def has_digit(term: str) -> bool:
    """Whether the term is a number or a code, where one character makes a different thing."""
    return _DIGIT.search(term) is not None


def shortest_part(term: str) -> int:
    """How many characters a part of a word must have to be searched: fewer where each of them says more."""
    return 3 if has_digit(term) or _SEMITIC.search(term) else 4


def tails(word: str) -> str:
    """The ends of a word, blank-separated: a term of the query that begins one of them is a part of the word.

    Takes the word as written (or a code); the ends are cut before umlauts are joined, so that a part is found which
    begins with the e of another part's u (Neueinstellung).
    """
    folded = fold(word)
    if len(folded) > LONGEST_TAILED or is_unspaced(word):
        return ""
    shortest = shortest_part(folded)
    ends = [folded[start:] for start in range(1, len(folded) - shortest + 1)]
    return " ".join(ends if not _MAYBE_CHANGED.search(folded) else map(canonical, ends))


def openings(term: str) -> tuple[str, ...]:
    """How the term may begin of a word that begins with this folded one: mue… becomes mu… or mue…."""
    plain = canonical(term)
    opened = _OPEN_DIGRAPH.sub(r"\1", plain)
    return (plain,) if opened == plain else (plain, opened)


def typos(term: str) -> int:
    """How many letters may be wrong, missing, too many or swapped; none in numbers and codes."""
    if has_digit(term) or len(term) < 5 or is_unspaced(term):
        return 0
    return 1 if len(term) < 9 else 2
