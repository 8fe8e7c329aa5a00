"""The language of a text: by its most frequent small words, and by a statistical model where those do not decide.

The model costs most of a second to load, so it is loaded only for the documents that need it. Short texts have none.
"""

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from functions.enrich.wording import words_of

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_SMALL_WORDS = {
    "en": "the of and to in is for that on with as by at be this from are or your you we have not our will it an please which was has any all may if no can been their more per date",
    "de": "der die und den von das mit sich des dem zu für im ist nicht ein eine auf als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder bis ihre ihr ihnen wir uns bitte sowie zur vom durch",
    "fr": "le la les de des et du un une est que dans pour qui sur par au pas ne ce il sont avec plus se sa vous votre nous notre aux être ou à cette ont été vos nos leur",
    "es": "el la los las de del y que en un una por con para se su al lo como más o pero sus le ha este esta sin sobre son es nos usted nuestra muy",
    "it": "il la di che e un una per con non sono del della le si dei nel alla da al gli come più anche ha lo delle questo nella è ai degli sul dal",
    "nl": "de het een en van in op te dat die voor is met zijn niet aan er om ook als bij door naar uit maar wij uw ons onze deze wordt heeft u dit worden kan",
    "pt": "o a os as de do da dos das e que em um uma para com não por se na no mais como ao seu sua foi são pelo pela nos é este esta",
    "pl": "i w na z się do że nie jest to o za od po dla przez oraz jak są lub przy co jego ten być",
    "sv": "och i att det som en på är av för med till den har de inte om ett men var jag från vi kan eller så ska detta",
    "da": "og i at det er en til på af for med den der de ikke som har et om var fra kan vi eller men skal dette",
}  # fmt: skip
SMALL_WORDS = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}

MIN_WORDS = 6
MIN_MODEL_LETTERS = 40
MODEL_WORDS = 600


def detected(text: str, form_words: dict[str, frozenset[str]]) -> tuple[str, float] | None:
    """The language of `text` as a BCP-47 tag with a confidence, or none if the text is too short to tell.

    `form_words` are words per language that documents without sentences consist of ("invoice", "Rechnung").
    """
    words = words_of(text[:20_000])
    by_words = _by_words(words, form_words)
    if by_words is not None:
        return by_words
    if len(words) < MIN_WORDS or sum(map(len, words)) < MIN_MODEL_LETTERS:
        return None
    return _by_model(" ".join(words[:MODEL_WORDS]))


def _by_words(words: list[str], form_words: dict[str, frozenset[str]]) -> tuple[str, float] | None:
    counts = Counter(words)
    scores = {
        language: _hits(counts, small | form_words.get(language, frozenset()))
        for language, small in SMALL_WORDS.items()
    }
    (best, first), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    share = first / max(1, len(words))
    if first < 5 or first < 1.5 * second or share < 0.04:
        return None
    return best, 0.99 if first >= 12 and first > 2 * second else 0.93


def _hits(counts: Counter[str], wanted: frozenset[str]) -> int:
    """How often words of `wanted` occur; one word repeated all over does not decide."""
    return sum(min(counts[word], 8) for word in wanted if word in counts)


def _by_model(text: str) -> tuple[str, float] | None:
    (language, confidence), *_ = _model().rank(text)
    if language == "zxx" or confidence < 0.6:
        return None
    return language, round(min(0.95, confidence), 2)


@cache
def _model() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
