"""Small building blocks for patterns over words of several languages, shared by the field modules."""

import re
from collections.abc import Iterable

LANGUAGES = ("en", "de", "fr", "es", "it", "nl")


def any_of(phrases: Iterable[str]) -> str:
    """A pattern for any of `phrases` (regular expressions), longest first; a space stands for any short gap."""
    ordered = sorted(phrases, key=len, reverse=True)
    return "(?:" + "|".join(phrase.replace(" ", r"[ .\-]{0,2}") for phrase in ordered) + ")"


def labels(phrases: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of `phrases` as whole words, ignoring case."""
    return re.compile(rf"(?<![^\W_]){any_of(phrases)}(?![^\W\d_])", re.IGNORECASE)


def words_of(text: str) -> list[str]:
    """The words of letters in `text`, lower case."""
    return re.findall(r"[^\W\d_]+", text.lower())
