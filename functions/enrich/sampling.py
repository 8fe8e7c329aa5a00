"""Which part of a long document a language model gets to read, within a budget of tokens.

Short documents go whole. Of long ones the first pages, the last one and those that speak of dates and amounts come
first; a page that is too long itself gives its beginning and its end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents import PageText

LEFT_OUT = " […] "
_FIRST_SHARE = 0.6
"""Of the budget, for the first page alone where that is long: the others have something to say as well."""

_LEAST_USEFUL = 60
_TELLING = re.compile(
    r"total|summe|betrag|amount|due|fällig|zahlbar|invoice|rechnung|date|datum|fecha|fattura|facture|montant|importe|"
    r"versicher|policy|contract|vertrag|customer|kunde|konto|iban|signed|unterschrift|[€£$]|\b\d{1,2}\.\d{1,2}\.\d{2,4}",
    re.IGNORECASE,
)
_LOOKED_AT = 20_000


@dataclass(frozen=True)
class Excerpt:
    """A page as it is sent; `whole` if nothing of it was left out."""

    number: int
    text: str
    whole: bool = True


def tokens_of(text: str) -> int:
    """How many tokens `text` has at most: two letters of ASCII for one, each other sign and each byte beyond for one.

    Byte-pair vocabularies have practically all pairs of letters, join a space to what follows, and never need more than
    one token for a byte. Ordinary text is overrated by about two.
    """
    letters = spaces = 0
    for character in text:
        if character == " ":
            spaces += 1
        elif character.isascii() and character.isalpha():
            letters += 1
    others = len(text.encode(errors="replace")) - letters - spaces
    return -(-letters // 2) + -(-spaces // 4) + others


def excerpts(pages: Sequence[PageText], budget: int) -> tuple[Excerpt, ...]:
    """The pages to be sent, in order; together at most `budget` tokens."""
    chosen: dict[int, Excerpt] = {}
    left = budget
    for rank, page in enumerate(_by_weight([page for page in pages if page.text.strip()])):
        first_of_many = rank == 0 and len(pages) > 1
        room = int(budget * _FIRST_SHARE) if first_of_many and tokens_of(page.text) > left else left
        if room < _LEAST_USEFUL:
            break
        excerpt = _excerpt(page, room)
        chosen[page.number] = excerpt
        left -= tokens_of(excerpt.text)
    return tuple(chosen[number] for number in sorted(chosen))


def _by_weight(pages: Sequence[PageText]) -> list[PageText]:
    """The first two and the last page, then the others by how much they tell."""
    sure = [*pages[:1], *pages[-1:], *pages[1:2]] if len(pages) > 2 else list(pages)
    taken = {page.number for page in sure}
    rest = [page for page in pages if page.number not in taken]
    return sure + sorted(rest, key=lambda page: -len(_TELLING.findall(page.text[:_LOOKED_AT])))


def _excerpt(page: PageText, room: int) -> Excerpt:
    if tokens_of(page.text) <= room:
        return Excerpt(page.number, page.text)
    half = max(1, (room - tokens_of(LEFT_OUT)) // 2)
    head, tail = _fitting(page.text, half), _fitting(page.text[::-1], half)[::-1]
    return Excerpt(page.number, head + LEFT_OUT + tail, whole=False)


def _fitting(text: str, room: int) -> str:
    """The longest beginning of `text` that has at most `room` tokens, found by halving."""
    low, high = 0, min(len(text), 4 * room)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens_of(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low]
