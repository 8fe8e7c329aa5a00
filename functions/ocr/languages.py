"""Which language packs of Tesseract to use: from settings, from a document's own language, from the script of a page.

Names: BCP-47 tags for the world, Tesseract's codes for the engine.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from functions.ocr.scripts import script_of
from shared.errors import FailureCode, StepFailed

KNOWN_DIRECTORIES = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
ORIENTATION_PACK = "osd"

_PACK_OF_TAG: Mapping[str, str] = {
    "af": "afr", "ar": "ara", "az": "aze", "be": "bel", "bg": "bul", "bn": "ben", "bs": "bos", "ca": "cat", "cs": "ces",
    "cy": "cym", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "eo": "epo", "es": "spa", "et": "est", "eu": "eus",
    "fa": "fas", "fi": "fin", "fr": "fra", "ga": "gle", "gl": "glg", "gu": "guj", "he": "heb", "hi": "hin", "hr": "hrv",
    "hu": "hun", "hy": "hye", "id": "ind", "is": "isl", "it": "ita", "ja": "jpn", "ka": "kat", "kk": "kaz", "km": "khm",
    "kn": "kan", "ko": "kor", "la": "lat", "lo": "lao", "lt": "lit", "lv": "lav", "mk": "mkd", "ml": "mal", "mn": "mon",
    "mr": "mar", "ms": "msa", "mt": "mlt", "my": "mya", "nb": "nor", "ne": "nep", "nl": "nld", "nn": "nor", "no": "nor",
    "pa": "pan", "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sa": "san", "si": "sin", "sk": "slk", "sl": "slv",
    "sq": "sqi", "sr": "srp", "sv": "swe", "sw": "swa", "ta": "tam", "te": "tel", "th": "tha", "tr": "tur", "uk": "ukr",
    "ur": "urd", "uz": "uzb", "vi": "vie", "yi": "yid", "zh": "chi_sim",
}  # fmt: skip
_PACK_OF_FULL_TAG: Mapping[str, str] = {
    "zh-hant": "chi_tra", "zh-tw": "chi_tra", "zh-hk": "chi_tra", "sr-latn": "srp_latn", "uz-cyrl": "uzb_cyrl",
    "az-cyrl": "aze_cyrl",
}  # fmt: skip
_PACKS_OF_SCRIPT: Mapping[str, tuple[str, ...]] = {
    "Arabic": ("ara", "fas", "urd"), "Armenian": ("hye",), "Bengali": ("ben",),
    "Cyrillic": ("rus", "ukr", "bul", "srp"),
    "Devanagari": ("hin", "mar", "nep", "san"), "Georgian": ("kat",), "Greek": ("ell",), "Gujarati": ("guj",),
    "Gurmukhi": ("pan",), "Han": ("chi_sim", "chi_tra", "jpn"), "Hangul": ("kor",), "Hebrew": ("heb", "yid"),
    "Hiragana": ("jpn",), "Japanese": ("jpn", "jpn_vert"), "Katakana": ("jpn",), "Kannada": ("kan",), "Khmer": ("khm",),
    "Korean": ("kor",), "Lao": ("lao",), "Malayalam": ("mal",), "Myanmar": ("mya",), "Sinhala": ("sin",),
    "Tamil": ("tam",), "Telugu": ("tel",), "Thai": ("tha",),
}  # fmt: skip
"""Scripts by the names that Tesseract's script detection gives them; Latin is what is left."""

_LANGUAGE_OF_SCRIPT: Mapping[str, str] = {
    "ARABIC": "ar", "ARMENIAN": "hy", "BENGALI": "bn", "CJK": "zh", "CYRILLIC": "ru", "DEVANAGARI": "hi",
    "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja",
    "KATAKANA": "ja", "KHMER": "km", "LAO": "lo", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip
_SMALL_WORDS: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        [
            "the",
            "of",
            "and",
            "to",
            "is",
            "that",
            "for",
            "with",
            "as",
            "are",
            "this",
            "be",
            "by",
            "from",
            "your",
            "our",
            "we",
            "have",
            "you",
            "not",
            "will",
        ]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "das",
            "und",
            "ist",
            "von",
            "mit",
            "den",
            "für",
            "im",
            "nicht",
            "des",
            "auf",
            "eine",
            "wir",
            "sie",
            "bitte",
            "dem",
            "zu",
            "ihre",
        ]
    ),
    "fr": frozenset(
        [
            "le",
            "la",
            "les",
            "des",
            "et",
            "est",
            "une",
            "pour",
            "dans",
            "que",
            "vous",
            "votre",
            "nous",
            "du",
            "au",
            "sur",
            "avec",
            "par",
            "ce",
            "aux",
        ]
    ),
    "es": frozenset(
        [
            "el",
            "los",
            "las",
            "y",
            "una",
            "para",
            "que",
            "con",
            "su",
            "por",
            "del",
            "es",
            "al",
            "se",
            "más",
            "como",
            "lo",
            "nuestro",
            "sus",
            "este",
        ]
    ),
    "it": frozenset(
        [
            "il",
            "di",
            "che",
            "e",
            "per",
            "una",
            "con",
            "non",
            "della",
            "del",
            "gli",
            "sono",
            "alla",
            "nel",
            "le",
            "si",
            "più",
            "questo",
            "dei",
            "ha",
        ]
    ),
    "nl": frozenset(
        [
            "het",
            "een",
            "van",
            "en",
            "dat",
            "niet",
            "voor",
            "met",
            "zijn",
            "op",
            "te",
            "aan",
            "wij",
            "uw",
            "deze",
            "bij",
            "wordt",
            "ook",
            "naar",
            "is",
        ]
    ),
    "pt": frozenset(
        [
            "o",
            "os",
            "as",
            "uma",
            "para",
            "que",
            "com",
            "não",
            "por",
            "do",
            "da",
            "dos",
            "das",
            "em",
            "se",
            "ao",
            "mais",
            "como",
            "sua",
            "são",
        ]
    ),
    "pl": frozenset(
        [
            "i",
            "w",
            "na",
            "z",
            "do",
            "nie",
            "się",
            "jest",
            "że",
            "to",
            "o",
            "dla",
            "od",
            "przez",
            "po",
            "jak",
            "oraz",
            "za",
            "lub",
            "są",
        ]
    ),
    "sv": frozenset(
        [
            "och",
            "att",
            "det",
            "som",
            "en",
            "är",
            "av",
            "för",
            "den",
            "till",
            "med",
            "inte",
            "på",
            "om",
            "har",
            "ett",
            "vi",
            "från",
            "kan",
            "din",
        ]
    ),
}


def data_directory(configured: Path | None = None) -> Path | None:
    """Where the language packs are: as configured, or where systems put them; None if nowhere."""
    candidates = [configured, *map(Path, KNOWN_DIRECTORIES)]
    for directory in filter(None, candidates):
        if any(directory.glob("*.traineddata")):
            return directory
    return None


def installed_packs(directory: Path | None) -> frozenset[str]:
    if directory is None:
        return frozenset()
    packs = {path.stem for path in directory.glob("*.traineddata")}
    packs |= {f"script/{path.stem}" for path in directory.glob("script/*.traineddata")}
    return frozenset(packs)


def pack_of(language: str) -> str:
    """The pack for a BCP-47 tag or a Tesseract code; unknown names are returned as they are, in lower case."""
    name = language.strip().lower()
    tag = name.replace("_", "-")
    return _PACK_OF_FULL_TAG.get(tag) or _PACK_OF_TAG.get(tag) or _PACK_OF_TAG.get(tag.split("-")[0]) or name


def tag_of(pack: str) -> str:
    """The BCP-47 tag of a pack; "und" if it is none of a language."""
    for table in (_PACK_OF_TAG, _PACK_OF_FULL_TAG):
        for tag, name in table.items():
            if name == pack:
                return {"zh-hant": "zh-Hant", "sr-latn": "sr-Latn"}.get(tag, tag)
    return "und"


def split_codes(codes: str) -> tuple[str, ...]:
    """ "eng+deu" or "en, de" → the packs, in order, each once."""
    return tuple(dict.fromkeys(pack_of(code) for code in re.split(r"[+,;\s]+", codes) if code))


def choose_packs(configured: Sequence[str], wanted: str | None, installed: Iterable[str]) -> tuple[str, ...]:
    """The packs for a document: the wanted language with English beside it, else the configured ones that are there.

    Raises StepFailed(ocr_language_missing) if the wanted one, or all of the configured ones, are not installed.
    """
    present = set(installed)
    if wanted:
        packs = split_codes(wanted)
        missing = [pack for pack in packs if pack not in present]
        if missing or not packs:
            raise _missing(missing or [wanted])
        beside = ("eng",) if "eng" in configured and "eng" in present else ()
        return tuple(dict.fromkeys((*packs, *beside)))
    chosen = tuple(pack for pack in configured if pack in present)
    if not chosen:
        raise _missing(configured)
    return chosen


def packs_for_script(script: str, packs: Sequence[str], installed: Iterable[str]) -> tuple[str, ...] | None:
    """Packs that read `script`: () if those in use do already, None if none is installed."""
    readers = _PACKS_OF_SCRIPT.get(script)
    if readers is None or set(readers) & set(packs) or f"script/{script}" in packs:
        return ()
    present = set(installed)
    found = [pack for pack in (f"script/{script}", *readers) if pack in present][:1]
    return tuple(found) or None


def _missing(packs: Iterable[str]) -> StepFailed:
    names = ", ".join(packs) or "any language"
    return StepFailed(
        FailureCode.OCR_LANGUAGE_MISSING, f"Text recognition for {names} is not installed on this server."
    )


def detect_languages(texts: Iterable[str]) -> tuple[str, ...]:
    """The languages of the texts as BCP-47 tags, most used first; by script, and by the small words of Latin ones."""
    letters: Counter[str] = Counter()
    latin: Counter[str] = Counter()
    for text in texts:
        letters.update(filter(None, map(_language_of_script, text)))
        words = re.findall(r"[^\W\d_]+", text.lower())
        for language, small_words in _SMALL_WORDS.items():
            hits = [word for word in words if word in small_words]
            latin[language] += len(hits) if len(set(hits)) >= 3 else 0
    found = {tag: float(count) for tag, count in letters.items() if count >= 8}
    total = sum(latin.values())
    # A small word stands for about 20 letters of running text.
    found |= {tag: count * 20.0 for tag, count in latin.items() if count >= 3 and count >= 0.25 * total}
    if "ja" in found:
        found.pop("zh", None)
    return tuple(sorted(found, key=lambda tag: (-found[tag], tag)))


@lru_cache(maxsize=8192)
def _language_of_script(character: str) -> str:
    return _LANGUAGE_OF_SCRIPT.get(script_of(character), "") if not character.isascii() else ""
