"""The language of a text: by its most frequent small words, and by a statistical model where those do not decide.

The model costs most of a second to load, so it is loaded only for the documents that need it. Short texts have none.
"""

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from functions.enrich.wording import wording, words_of

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MIN_WORDS = 6
MIN_MODEL_LETTERS = 40
MODEL_WORDS = 600


def small_words(language: str | None) -> frozenset[str]:
    """The most frequent small words of a language (BCP-47); empty for languages that are not listed."""
    listed = wording("languages").get((language or "").split("-")[0])
    return frozenset(listed["small_words"]) if listed else frozenset()


@cache
def _telling_words() -> dict[str, frozenset[str]]:
    """Per language its small words, and the words that documents without sentences consist of ("total", "Summe")."""
    return {name: frozenset(words["small_words"] + words["form_words"]) for name, words in wording("languages").items()}


def detected(text: str) -> tuple[str, float] | None:
    """The language of `text` as a BCP-47 tag with a confidence, or none if the text is too short to tell."""
    words = words_of(text[:20_000])
    by_words = _by_words(words)
    if by_words is not None:
        return by_words
    if len(words) < MIN_WORDS or sum(map(len, words)) < MIN_MODEL_LETTERS:
        return None
    return _by_model(" ".join(words[:MODEL_WORDS]))


def _by_words(words: list[str]) -> tuple[str, float] | None:
    counts = Counter(words)
    scores = {language: _hits(counts, telling) for language, telling in _telling_words().items()}
    (best, first), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    share = first / max(1, len(words))
    if first < 5 or first < 1.5 * second or share < 0.04:
        return None
    return best, 0.99 if first >= 12 and first > 2 * second else 0.93


def _hits(counts: Counter[str], wanted: frozenset[str]) -> int:
    """How often words of `wanted` occur; a word or two repeated all over do not decide."""
    present = [counts[word] for word in wanted if word in counts]
    return sum(min(count, 8) for count in present) if len(present) >= 3 else 0


def _by_model(text: str) -> tuple[str, float] | None:
    (language, confidence), *_ = _model().rank(text)
    if language == "zxx" or confidence < 0.75:
        return None
    return language, round(min(0.95, confidence), 2)


@cache
def _model() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
