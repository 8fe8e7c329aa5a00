"""Small building blocks for patterns over words of several languages, shared by the field modules."""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any


@cache
def wording(name: str) -> dict[str, Any]:
    """The words in the file `<name>.json` beside this module, read once."""
    words: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
    return words


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
