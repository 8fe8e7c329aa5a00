"""Who wrote to whom: sender and recipient, from labels, address blocks, letterhead, footer and closing."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from functions.enrich.addresses import Address, addresses, is_address_line, is_return_line
from functions.enrich.dates import dates_in
from functions.enrich.layout import Layout, Page, Run
from functions.enrich.names import (
    CLOSING,
    FIELD_LABEL,
    INSTITUTION,
    LEGAL_FORM,
    TITLE_ONLY,
    is_company,
    is_name,
    name_end,
)
from functions.enrich.party_labels import RECIPIENT_LABELS, SENDER_LABELS, WEAK_LABEL, is_label
from functions.enrich.wording import labels, words_of

_TITLE_BEFORE = re.compile(
    r"^(?:herrn?|frau|firma|fa\.|familie|mr\.?|mrs\.?|ms\.?|miss|mme|monsieur|madame|an(?: die| den)?|to|"
    r"attn:?|z\. ?hd\.(?: v\.)?)\s+(?=\S)",
    re.IGNORECASE,
)

_CLOSING_BODY = re.compile(r"sentiments|salutations distinguées", re.IGNORECASE)
_COPYRIGHT = re.compile(r"^(?:©|\(c\)|copyright)\s*(?:\d{4}\s*)?", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?:@|www\.|https?://(?:www\.)?)(?:[a-z0-9-]{1,40}\.){0,2}([a-z0-9-]{3,40})\.[a-z]{2,6}\b", re.IGNORECASE
)
_FREE_MAIL = frozenset(
    [
        "gmail",
        "gmx",
        "web",
        "outlook",
        "hotmail",
        "yahoo",
        "icloud",
        "t-online",
        "freenet",
        "aol",
        "googlemail",
        "live",
        "msn",
        "example",
    ]
)
_PERSON = re.compile(
    r"^(?:(?:Dr|Prof|Dipl)\.?(?:-\w+\.?)?\s+|med\.\s+){0,3}[A-ZÄÖÜÉÁŠŁØÅ][\w'’.-]{0,24}(?:\s+(?:von|van|de|"
    r"der|den|zu|da|di|del|la|le|Mc|[A-Z]\.)){0,3}(?:\s+[A-ZÄÖÜÉÁŠŁØÅ][\w'’.-]{1,24}){1,3}$"
)
_LABEL_END = re.compile(r"\s*(?:[/(][^:]{1,30})?:\s*")
_LABEL_TAIL = re.compile(r"\s*(?:/\s?[^\W\d_][\w -]{1,30}|\([^)]{1,20}\))?[\s:]*")
_NAME_LABEL = re.compile(r"(?:name|firma|company|nom|nombre|nome|naam)\s*:\s*", re.IGNORECASE)
_ONLY_NAME_LABEL = re.compile(r"^(?:name|firma|company|nom|nombre|nome|naam)\s*:?$", re.IGNORECASE)
_NUMBER_FIELD = re.compile(
    r"^(?:[\w.-]{0,16} ?(?:nummer|number|nr\.?|no\.?|id|code)|id|gln|iln|gtin|duns)\s*:?(?:\s|$)", re.IGNORECASE
)


_MONEY_CELL = re.compile(r"^[€$£]?\s?-?[\d.,']{1,12}[.,]\d\d\W{0,3}(?:€|EUR)?-?$")
_ISSUED = frozenset(["receipt", "certificate", "form", "contract", "newsletter", "warranty"])
_CORRESPONDENCE = frozenset(
    [
        "invoice",
        "credit_note",
        "reminder",
        "bank_statement",
        "payslip",
        "tax",
        "insurance",
        "quote",
        "order",
        "delivery_note",
        "letter",
        "medical",
        "utility_bill",
    ]
)


_CERTIFIES = re.compile(
    r"(?:certif(?:y|ies) that|awarded to|presented to|conferred upon|"
    r"bescheinig(?:t|en)\b.{0,20}dass|bestätig(?:t|en)\b.{0,20}dass|"
    r"verliehen an|certifie que|certifica que|si certifica che)\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Party:
    """A sender or recipient as named in the document, with where it stands and how sure the choice is."""

    name: str
    run: Run
    start: int
    end: int
    confidence: float


def _party(run: Run, confidence: float, start: int = 0, end: int | None = None) -> Party | None:
    """The name that `run` (or that part of it) bears, cleaned of titles, labels and contact data; none if none."""
    end = len(run.text) if end is None else end
    piece = run.text[start:end]
    if (match := _TITLE_BEFORE.match(piece)) and not (LEGAL_FORM.search(piece) and piece[0] in "Mm"):
        start, piece = start + match.end(), piece[match.end() :]
    if match := _COPYRIGHT.match(piece):
        start, piece = start + match.end(), piece[match.end() :]
    stripped = piece.strip(" \t,;:·•|-–—*_<>\"'„“”")
    if not is_name(stripped) or run.part(start, end).confidence < 0.45:
        return None
    start += piece.index(stripped)
    return Party(stripped, run, start, start + len(stripped), confidence * (0.85 + 0.15 * run.confidence))


class PartyReader:
    """Finds sender and recipient of one document."""

    def __init__(
        self, layout: Layout, known_senders: Sequence[str] = (), heading: Run | None = None, kind: str | None = None
    ) -> None:
        self._is_slip = kind == "receipt"
        self._is_correspondence = kind in _CORRESPONDENCE
        self._names_its_sender = kind in _CORRESPONDENCE | _ISSUED
        self._heading = heading
        self._layout = layout
        self._page = layout.first
        self._known = known_senders
        self._addresses = addresses(self._page)
        self._domains = _domains(layout.text)

    def recipient(self) -> Party | None:
        """To whom the document is addressed."""
        candidates = [*self._labelled(RECIPIENT_LABELS), *self._windowed(), *self._certified()]
        return max(candidates, key=lambda party: party.confidence, default=None)

    def sender(self, recipient: Party | None) -> Party | None:
        """Who made the document. What names the recipient is never the sender."""
        other = _key(recipient.name) if recipient else ""
        candidates = [self._supported(party) for party in self._sender_candidates() if _key(party.name) != other]
        best = max(candidates, key=lambda party: party.confidence, default=None)
        return best if best and best.confidence >= 0.5 else None

    def _sender_candidates(self) -> Iterator[Party]:
        yield from self._known_names()
        yield from self._labelled(SENDER_LABELS)
        yield from self._return_lines()
        yield from self._slip_head()
        yield from self._letterhead()
        yield from self._footer()
        yield from self._signatures()

    def _labelled(self, pattern: re.Pattern[str]) -> Iterator[Party]:
        page = self._page
        for index, line in enumerate(page.lines):
            if line.top > page.content_top + 0.7 * max(page.content_height, 0.6 * page.height):
                return
            for cell in line.cells:
                match = pattern.match(cell.text)
                if match and (party := self._after_label(index, cell, match)):
                    yield party

    def _after_label(self, index: int, cell: Run, match: re.Match[str]) -> Party | None:
        weak = WEAK_LABEL.match(match.group()) is not None
        colon = _LABEL_END.match(cell.text, match.end())
        if not _LABEL_TAIL.fullmatch(cell.text, match.end()):
            return self._on_label_line(cell, colon.end(), 0.85 if weak else 0.92) if colon else None
        below, beside = self._below(index, cell), self._right_of(index, cell)
        if cell.text.endswith(":") or not self._heads_column(below, beside):
            below, beside = beside, below
        for run in (below, beside):
            if run is not None and (party := self._named(run, 0.78 if weak else 0.92)):
                return party
        return None

    def _heads_column(self, below: Run | None, beside: Run | None) -> bool:
        """Whether a label stands over its value rather than left of it: over an address, or with a label beside it."""
        return beside is None or is_label(beside.text) or (below is not None and self._heads_address(below))

    def _on_label_line(self, cell: Run, start: int, confidence: float) -> Party | None:
        if not cell.text[start:].strip():
            index = next(i for i, line in enumerate(self._page.lines) if any(own is cell for own in line.cells))
            run = self._right_of(index, cell) or self._below(index, cell)
            return self._named(run, confidence) if run else None
        return _party(cell, confidence, start, name_end(cell.text, start))

    def _named(self, run: Run, confidence: float) -> Party | None:
        if FIELD_LABEL.search(run.text) and not _NAME_LABEL.match(run.text):
            return None
        label = _NAME_LABEL.match(run.text)
        party = _party(run, confidence, label.end() if label else 0, name_end(run.text, label.end() if label else 0))
        return party if party and not is_address_line(party.name) and not is_label(party.name) else None

    def _below(self, index: int, cell: Run) -> Run | None:
        """The name under a label: the next aligned cell, or the one labelled as the name a few fields further on."""
        limit = cell.box[3] + 2.6 * max(cell.height, self._page.body_height)
        for offset, line in enumerate(self._page.lines[index + 1 : index + 7]):
            for run in line.cells:
                if abs(run.box[0] - cell.box[0]) > 1.2 * self._page.body_height:
                    continue
                if _ONLY_NAME_LABEL.match(run.text):
                    return self._right_of(index + 1 + offset, run)
                if _NUMBER_FIELD.match(run.text) or TITLE_ONLY.match(run.text):
                    limit = run.box[3] + 2.6 * max(cell.height, self._page.body_height)
                elif run.top < limit:
                    return run
        return None

    def _right_of(self, index: int, cell: Run) -> Run | None:
        cells = self._page.lines[index].cells
        position = cells.index(cell)
        return cells[position + 1] if position + 1 < len(cells) else None

    def _windowed(self) -> Iterator[Party]:
        """Names of addresses where a window envelope shows them: upper left, below the letterhead."""
        towns = [address for address in self._addresses if 0.07 < address.name.top / self._page.height < 0.42]
        senders = {_key(party.name) for party in self._labelled(SENDER_LABELS) if party.confidence > 0.9}
        left = [
            address
            for address in towns
            if address.name.box[0] < 0.45 * self._page.width and _key(address.name.text) not in senders
        ]
        for rank, address in enumerate(reversed(left)):
            marked = self._below_return_line(address)
            alone = len(self._addresses) == 1 and not self._has_letterhead(address)
            confidence = 0.95 if marked or address.titled else 0.35 if alone else 0.82 - 0.3 * rank
            if address.name.top / self._page.height < 0.1 and not marked:
                confidence -= 0.3
            if confidence >= 0.5 and (party := _party(address.name, confidence)):
                yield party

    def _certified(self) -> Iterator[Party]:
        """Whom a certificate is about: the name on the line after "this is to certify that"."""
        lines = self._page.lines
        for line, below in pairwise(lines):
            named = len(line.text) < 70 and _CERTIFIES.search(line.text) and _PERSON.match(below.text)
            party = _party(below, 0.86) if named else None
            if party:
                yield party

    def _below_return_line(self, address: Address) -> bool:
        top = address.name.top
        return any(is_return_line(cell.text) and 0 < top - cell.top < 60 for cell in self._page.cells)

    def _has_letterhead(self, address: Address) -> bool:
        above = [cell for cell in self._page.cells if cell.box[3] < address.name.top - self._page.body_height]
        return any(is_name(cell.text) for cell in above)

    def _return_lines(self) -> Iterator[Party]:
        for cell in self._page.cells:
            high = cell.top < 0.4 * self._page.height and len(cell.text) <= 120
            party = _party(cell, 0.93, 0, name_end(cell.text, 0)) if high and is_return_line(cell.text) else None
            if party:
                yield party

    def _slip_head(self) -> Iterator[Party]:
        """The first line of a till slip: the shop."""
        if not self._is_slip:
            return
        for rank, cell in enumerate(self._page.cells[:3]):
            if is_address_line(cell.text) or _is_heading(cell.text) or FIELD_LABEL.search(cell.text):
                continue
            if party := _party(cell, 0.8 - 0.08 * rank):
                yield party

    def _letterhead(self) -> Iterator[Party]:
        for rank, cell in enumerate(self._page.cells[:14]):
            position = (cell.top - self._page.content_top) / self._page.height
            if position > 0.2 or cell == self._heading or FIELD_LABEL.search(cell.text) or self._in_table(cell):
                continue
            confidence = self._letterhead_confidence(cell, rank)
            if confidence and (party := _party(cell, confidence, 0, name_end(cell.text, 0))):
                yield party

    def _letterhead_confidence(self, cell: Run, rank: int) -> float:
        if is_address_line(cell.text) or _is_heading(cell.text):
            return 0.0
        company, heads = bool(LEGAL_FORM.search(cell.text)), self._heads_address(cell)
        institution, prominent = bool(INSTITUTION.search(cell.text)), cell.height > 1.25 * self._page.body_height
        if company:
            return 0.88 - 0.01 * rank
        if heads:
            return 0.84 - 0.01 * rank
        if institution and len(cell.text.split()) <= 7 and (self._names_its_sender or (prominent and rank < 2)):
            return (0.78 if prominent or rank < 2 else 0.6) - 0.01 * rank
        first = rank == 0 and self._is_correspondence and not dates_in(cell.text)
        return 0.56 if first and len(cell.text.split()) <= 5 and cell.top < 0.2 * self._page.height else 0.0

    def _heads_address(self, cell: Run) -> bool:
        return any(address.name is cell or address.name == cell for address in self._addresses)

    def _in_table(self, cell: Run) -> bool:
        """Whether a cell shares its line with a date or an amount, as the parties of bank transfers do."""
        line = next(line for line in self._page.lines if any(own is cell for own in line.cells))
        return any(
            other is not cell and (_is_date(other.text) or _MONEY_CELL.match(other.text)) for other in line.cells
        )

    def _footer(self) -> Iterator[Party]:
        for cell in self._page.cells[-30:]:
            named = cell.top > 0.8 * self._page.height and LEGAL_FORM.search(cell.text)
            party = _party(cell, 0.72, 0, name_end(cell.text, 0)) if named else None
            if party:
                yield party

    def _signatures(self) -> Iterator[Party]:
        for page in self._layout.pages:
            for index, line in enumerate(page.lines):
                if CLOSING.match(line.text) or (_CLOSING_BODY.search(line.text) and len(line.text) < 120):
                    yield from self._signed(page, index)

    def _signed(self, page: Page, index: int) -> Iterator[Party]:
        for line in page.lines[index + 1 : index + 4]:
            cell = line.cells[0]
            if is_company(cell.text):
                confidence = 0.74
            elif _PERSON.match(cell.text):
                confidence = 0.62
            else:
                continue
            if party := _party(cell, confidence):
                yield party

    def _known_names(self) -> Iterator[Party]:
        """Senders the library knows, where they stand in letterhead or footer."""
        for name in self._known[:5000]:
            if len(name) >= 3 and name.lower() in self._layout.lower_text:
                yield from self._placed(name)

    def _placed(self, name: str) -> Iterator[Party]:
        for cell in self._page.cells:
            position = cell.top / self._page.height
            start = cell.text.lower().find(name.lower())
            if start >= 0 and (position < 0.2 or position > 0.85) and _whole(cell.text, start, start + len(name)):
                yield Party(name, cell, start, start + len(name), 0.9)

    def _supported(self, party: Party) -> Party:
        """More sure of a name that the document's web or mail domain or a second place repeats."""
        bonus = 0.05 if any(_same_name(domain, party.name) for domain in self._domains) else 0.0
        repeated = self._layout.lower_text.count(party.name.lower()) > 1
        bonus += 0.04 if repeated else 0.0
        return Party(party.name, party.run, party.start, party.end, min(0.97, party.confidence + bonus))


def _is_date(text: str) -> bool:
    found = dates_in(text)
    return bool(found) and len(text) - (found[0].end - found[0].start) <= 2


def _whole(text: str, start: int, end: int) -> bool:
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())


_HEADING_WORDS = labels(
    (
        *(
            "rechnung",
            "invoice",
            "tax invoice",
            "angebot",
            "quotation",
            "quote",
            "estimate",
            "lieferschein",
            "mahnung",
            "gutschrift",
            "receipt",
            "quittung",
            "kontoauszug",
            "statement",
        ),
        *(
            "purchase order",
            "bestellung",
            "auftragsbestätigung",
            "order confirmation",
            "credit note",
            "delivery note",
            "packing slip",
            "vertrag",
            "agreement",
            "contract",
            "protokoll",
        ),
        *(
            "minutes",
            "report",
            "bericht",
            "lebenslauf",
            "curriculum vitae",
            "resume",
            "certificate",
            "zertifikat",
            "urkunde",
            "bescheinigung",
            "newsletter",
            "manual",
            "bedienungsanleitung",
        ),
        *(
            "facture",
            "devis",
            "factura",
            "fattura",
            "factuur",
            "zahlungserinnerung",
            "reminder",
            "bescheid",
            "abrechnung",
            "payslip",
            "pay ?stub",
            "formular",
            "antrag",
            "application",
        ),
        *(
            "page",
            "seite",
            "date",
            "datum",
            "welcome",
            "subject",
            "betreff",
            "entwurf",
            "draft",
            "kopie",
            "copy",
            "original",
            "duplicate",
            "confidential",
            "vertraulich",
            "your",
            "ihre?",
        ),
    )
)


def _is_heading(text: str) -> bool:
    return _HEADING_WORDS.match(text) is not None and not LEGAL_FORM.search(text)


def _key(name: str) -> str:
    return "".join(words_of(name))


def _domains(text: str) -> set[str]:
    found = {match.group(1).lower() for match in _DOMAIN.finditer(text)}
    return {domain for domain in found if domain not in _FREE_MAIL}


_TRANSCRIBED: dict[int, str] = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue", ord("ß"): "ss"}


def _same_name(domain: str, name: str) -> bool:
    """Whether a domain is made of the words of a name ("muster-gmbh" or "mustertechnik" for Muster Technik GmbH)."""
    plain = domain.replace("-", "")
    key = _key(name).translate(_TRANSCRIBED)
    return (
        plain in key
        or (len(plain) > 5 and key[:6] == plain[:6])
        or any(len(word) > 4 and word in plain for word in words_of(name))
    )
