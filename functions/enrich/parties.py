"""Who wrote to whom: sender and recipient, from labels, address blocks, letterhead, footer and closing."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from functions.enrich.dates import dates_in
from functions.enrich.layout import Layout, Page, Run
from functions.enrich.wording import labels, words_of

_LEGAL_FORM = re.compile(
    r"(?<![\w])(?:GmbH|gGmbH|mbH|AG|KGaA|OHG|KG|UG(?: \(haftungsbeschränkt\))?|GbR|e\.\s?K\.|e\.\s?V\.|eG|SE|PartG(?:\s?mbB)?|Ltd\.?|Limited|LLC|L\.L\.C\.|LLP|Inc\.?|"
    r"Corp\.?|Corporation|Co\.|PLC|plc|Pty|S\.?A\.?R\.?L\.?|SARL|SAS|S\.A\.S\.?|S\.A\.?|SA|S\.L\.U?\.?|S\.p\.A\.?|SpA|S\.r\.l\.?|Srl|B\.\s?V\.|BV|N\.\s?V\.|NV|AB|A/S|ApS|Oy|"
    r"(?:Sdn|SDN)\.?\s?(?:Bhd|BHD)\.?|S/B|LTD\.?|INC\.?|LIMITED|ENTERPRISE|TRADING|VVaG|a\.\s?G\.|AöR|KdöR|Genossenschaft|Stiftung|Foundation)(?![\w])"
)
_INSTITUTION = re.compile(
    r"(?<![^\W_])(?:\w*(?:finanzamt|sparkasse|volksbank|raiffeisenbank|stadtwerke|krankenkasse|krankenhaus|klinikum|versicherung(?:en)?|universität|hochschule|behörde|landratsamt|"
    r"bürgeramt|hausverwaltung|praxis|apotheke|kanzlei|rechtsanwälte|gymnasium|grundschule|labor|amtsgericht|hotel|restaurant|autohaus|werkstatt|verlag|bäckerei|zentrum|energie|wasserwerke)|"
    r"stadt|gemeinde|landkreis|amt|dr\. med\.|verein|bank|insurance|university|college|hospital|clinic|council|department|ministry|office|school|association|society|institute|"
    r"services?|solutions|group|systems|energy|electric|water|utilities|medical|health(?:care)?|dental|pharmacy|store|supermarket|market|shop|restaurant|cafe|café|bakery|law|"
    r"partners|associates|consulting|studio|agency|company|enterprises|trading|industries|mutual|trust|county|city of|mairie|préfecture|ayuntamiento|comune|gemeente)(?![^\W_])",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"(?:[^\W\d_]{2,}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|steig|hof|chaussee|markt|kai|park|graben|straat|laan|plein)\s?\d{0,4}|\b(?:straße|str\.|weg|platz|allee|gasse|ring|damm|ufer|markt) \d|"
    r"\b(?:street|st\.?|road|rd\.?|avenue|ave\.?|lane|ln\.?|drive|dr\.?|boulevard|blvd\.?|way|court|ct\.?|square|place|parkway|pkwy|terrace|close|crescent|highway|hwy|row|hill|quay|jalan)\b|"
    r"\b(?:rue|avenue|boulevard|chemin|place|allée|quai|impasse|calle|avenida|plaza|paseo|via|viale|piazza|corso)\b|^(?:p\.?\s?o\.?\s?box|postfach|bp)\b)",
    re.IGNORECASE,
)
_TOWN = re.compile(
    r"(?:^|[,·•|\s])(?:(?:D|DE|A|AT|CH|F|FR|I|IT|E|ES|B|BE|L)\s?[- ]\s?)?\d{4,5}\s*[A-ZÄÖÜÉ][^\W\d_]{2,}|\b[A-Z]{2},?\s+\d{5}(?:-\d{4})?\b|\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b|\b\d{4}\s?[A-Z]{2}\s+[A-Z]|"
    r"\b[A-Z]\d[A-Z] \d[A-Z]\d\b"
)
_SEPARATORS = re.compile(r"\s*[·•|●∙*–—<\[]\s*|\s+-\s+|,\s+")
_CONTACT = re.compile(
    r"@|https?:|www\.|\btel\b|\bphone\b|\bfax\b|telefon|\+\d{2}|\bIBAN\b|\bBIC\b|\bUSt|\bVAT\b|steuernummer|\bHRB\b|amtsgericht|geschäftsführ|seite \d|page \d",
    re.IGNORECASE,
)
_TITLE_ONLY = re.compile(
    r"^(?:herrn?|frau|firma|fa\.|familie|eheleute|mr\.?|mrs\.?|ms\.?|miss|mme|m\.|monsieur|madame|señora?|sr\.?|sra\.?|an|to|an die|an den|persönlich(?:/vertraulich)?|private and confidential|einschreiben.*)[:,]?$",
    re.IGNORECASE,
)
_TITLE_BEFORE = re.compile(
    r"^(?:herrn?|frau|firma|fa\.|familie|mr\.?|mrs\.?|ms\.?|miss|mme|monsieur|madame|an(?: die| den)?|to|attn:?|z\. ?hd\.(?: v\.)?)\s+(?=\S)",
    re.IGNORECASE,
)

_SENDER_LABELS = labels(
    (
        *(
            "absender",
            "rechnungssteller",
            "rechnungsaussteller",
            "verkäufer",
            "lieferant",
            "auftragnehmer",
            "anbieter",
            "aussteller",
            "arbeitgeber",
            "versicherer",
            "vermieter",
        ),
        *(
            "from",
            "seller",
            "supplier",
            "vendor",
            "issued by",
            "bill from",
            "billed by",
            "invoice from",
            "sold by",
            "employer",
            "provider",
            "sender",
            "remit to",
            "payee",
        ),
        *(
            "prepared by",
            "landlord",
            "insurer",
            "issuer",
            "de la part de",
            "émetteur",
            "vendeur",
            "fournisseur",
            "expéditeur",
            "emisor",
            "vendedor",
            "proveedor",
            "mittente",
            "fornitore",
        ),
        *(
            "cedente",
            "verkoper",
            "afzender",
            "leverancier",
            "von",
            "zahlungsempfänger",
            "kontoinhaber",
            "account name",
            "beneficiary",
        ),
    )
)
_RECIPIENT_LABELS = labels(
    (
        *(
            "rechnungsempfänger(?:in)?",
            "rechnungsadresse",
            "rechnungsanschrift",
            "rechnung an",
            "empfänger(?:in)?",
            "kunde",
            "kundin",
            "käufer(?:in)?",
            "auftraggeber(?:in)?",
            "leistungsempfänger(?:in)?",
        ),
        *(
            "versicherungsnehmer(?:in)?",
            "versicherte person",
            "mitarbeiter(?:in)?",
            "arbeitnehmer(?:in)?",
            "patient(?:in)?",
            "mieter(?:in)?",
            "name der? patient(?:en|in)",
            "an",
            "lieferanschrift",
            "lieferadresse",
        ),
        *(
            "bill(?:ed)? to",
            "invoice(?:d)? to",
            "sold to",
            "customer(?: name)?",
            "client(?: name)?",
            "buyer",
            "recipient",
            "to",
            "ship to",
            "deliver to",
            "prepared for",
            "quote(?: for| to)",
            "account holder",
        ),
        *(
            "employee(?: name)?",
            "patient(?: name)?",
            "policy ?holder",
            "insured(?: name)?",
            "named insured",
            "tenant",
            "attention",
            "attn",
            "addressee",
            "awarded to",
            "presented to",
            "received from",
        ),
        *(
            "facturé à",
            "adresse de facturation",
            "destinataire",
            "acheteur",
            "facturar a",
            "destinatario",
            "comprador",
            "spett\\.?(?:le)?",
            "fatturare a",
            "acquirente",
            "cessionario",
            "factuur aan",
            "klant",
            "geadresseerde",
        ),
    )
)
_WEAK_LABEL = re.compile(
    r"^(?:an|to|von|from|client|cliente|kunde|customer|attention|attn|payee|kontoinhaber|account name|beneficiary|zahlungsempfänger|ship to|deliver to|remit to|lieferanschrift|lieferadresse|received from|prepared by|de la part de|mieter|tenant|provider)$",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^(?:mit (?:freundlichen?|besten?|herzlichen?|vielen) grü(?:ß|ss)en?|freundliche grüße|beste grüße|viele grüße|herzliche grüße|hochachtungsvoll|yours (?:sincerely|faithfully|truly)|sincerely(?: yours)?|"
    r"(?:kind|best|warm) regards|regards|best wishes|respectfully|cordialement|bien à vous|atentamente|saludos(?: cordiales)?|un saludo|cordiali saluti|distinti saluti|met vriendelijke groet(?:en)?)[\s,.!]*$",
    re.IGNORECASE,
)
_CLOSING_BODY = re.compile(r"sentiments|salutations distinguées", re.IGNORECASE)
_COPYRIGHT = re.compile(r"^(?:©|\(c\)|copyright)\s*(?:\d{4}\s*)?", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?:@|www\.|https?://(?:www\.)?)(?:[a-z0-9-]{1,40}\.){0,2}([a-z0-9-]{3,40})\.[a-z]{2,6}\b", re.IGNORECASE
)
_FREE_MAIL = frozenset(
    "gmail gmx web outlook hotmail yahoo icloud t-online freenet aol googlemail live msn example".split()
)
_PERSON = re.compile(
    r"^(?:(?:Dr|Prof|Dipl)\.?(?:-\w+\.?)?\s+|med\.\s+){0,3}[A-ZÄÖÜÉÁŠŁØÅ][\w'’.-]{0,24}(?:\s+(?:von|van|de|der|den|zu|da|di|del|la|le|Mc|[A-Z]\.)){0,3}(?:\s+[A-ZÄÖÜÉÁŠŁØÅ][\w'’.-]{1,24}){1,3}$"
)
_FIELD_LABEL = re.compile(r"^[^:]{2,30}:(?:\s|$)|(?:nummer|number|nr\.|no\.|datum|\bdate)(?![^\W_])", re.IGNORECASE)


_LABEL_END = re.compile(r"\s*(?:[/(][^:]{1,30})?:\s*")
_LABEL_TAIL = re.compile(r"\s*(?:/\s?[^\W\d_][\w -]{1,30}|\([^)]{1,20}\))?[\s:]*")
_NAME_LABEL = re.compile(r"(?:name|firma|company|nom|nombre|nome|naam)\s*:\s*", re.IGNORECASE)
_ONLY_NAME_LABEL = re.compile(r"^(?:name|firma|company|nom|nombre|nome|naam)\s*:?$", re.IGNORECASE)
_NUMBER_FIELD = re.compile(r"^(?:[\w.-]{0,16} ?(?:nummer|number|nr\.?|no\.?|id|code)|id)\s*:?(?:\s|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Party:
    """A sender or recipient as named in the document, with where it stands and how sure the choice is."""

    name: str
    run: Run
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Address:
    """A postal address: the lines from the name to the town."""

    lines: tuple[Run, ...]

    @property
    def name(self) -> Run:
        return self.lines[0]


def _party(run: Run, confidence: float, start: int = 0, end: int | None = None) -> Party | None:
    """The name that `run` (or that part of it) bears, cleaned of titles, labels and contact data; none if none."""
    end = len(run.text) if end is None else end
    piece = run.text[start:end]
    if (match := _TITLE_BEFORE.match(piece)) and not (_LEGAL_FORM.search(piece) and piece[0] in "Mm"):
        start, piece = start + match.end(), piece[match.end() :]
    if match := _COPYRIGHT.match(piece):
        start, piece = start + match.end(), piece[match.end() :]
    stripped = piece.strip(" \t,;:·•|-–—*_<>\"'„“”")
    if not _is_name(stripped):
        return None
    start += piece.index(stripped)
    return Party(stripped, run, start, start + len(stripped), confidence * (0.85 + 0.15 * run.confidence))


def _is_name(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    return (
        2 <= letters
        and len(text) <= 80
        and letters >= 0.6 * len(text.replace(" ", ""))
        and not _CONTACT.search(text)
        and not _TITLE_ONLY.match(text)
        and any(character.isupper() for character in text)
        and len(text.split()) <= 10
        and bool(words_of(_LEGAL_FORM.sub("", text)))
    )


def is_company(text: str) -> bool:
    """Whether `text` names an organisation: by legal form or by a word for an institution."""
    return bool(_LEGAL_FORM.search(text) or _INSTITUTION.search(text))


def is_address_line(text: str) -> bool:
    """Whether `text` is the street or town line of a postal address."""
    return len(text) <= 70 and bool(_TOWN.search(text) or (_STREET.search(text) and re.search(r"\d", text)))


def addresses(page: Page) -> list[Address]:
    """The postal addresses on a page, name line first, in reading order."""
    found = []
    for block in page.blocks:
        found += _addresses_in(block)
    return found


def _addresses_in(block: Sequence[Run]) -> Iterator[Address]:
    start = 0
    for index, cell in enumerate(block):
        if not _is_town(cell.text):
            continue
        lines = _name_to_town(block[start : index + 1])
        start = index + 1
        if len(lines) >= 2:
            yield Address(tuple(lines))


def _is_town(text: str) -> bool:
    return len(text) <= 60 and _TOWN.search(text) is not None and not _is_return_line(text)


def _is_return_line(text: str) -> bool:
    """Whether a whole address stands on this one line, as the small sender line above an address window does."""
    parts = [part for part in _SEPARATORS.split(text) if part]
    return len(parts) >= 3 and _TOWN.search(text) is not None and not re.search(r"\d", parts[0])


def _name_to_town(lines: Sequence[Run]) -> list[Run]:
    """The lines of an address from its name on, walking up from the town until something else begins."""
    kept = [lines[-1]]
    for cell in reversed(lines[-7:-1]):
        if _is_no_address(cell.text) or (_has_name(kept) and _stands_apart(cell, kept)):
            break
        kept.insert(0, cell)
    while kept and (_TITLE_ONLY.match(kept[0].text) or _RECIPIENT_LABELS.fullmatch(kept[0].text.strip(" :"))):
        kept.pop(0)
    return kept if kept and _has_name(kept[:1]) else []


def _is_no_address(text: str) -> bool:
    labelled = text.endswith(":") or _FIELD_LABEL.search(text) is not None
    return labelled or _is_return_line(text) or _is_sentence(text) or _CONTACT.search(text) is not None or bool(dates_in(text))


def _has_name(lines: Sequence[Run]) -> bool:
    return any(not is_address_line(cell.text) for cell in lines)


def _stands_apart(above: Run, below: Sequence[Run]) -> bool:
    """Whether the gap above a block is wider than the line distance inside it."""
    middles = [(cell.box[1] + cell.box[3]) / 2 for cell in (above, *below)]
    gaps = [lower - upper for upper, lower in zip(middles, middles[1:], strict=False)]
    return len(gaps) > 1 and gaps[0] > 1.3 * min(gaps[1:])


def _is_sentence(text: str) -> bool:
    return len(text.split()) > 9 or _CLOSING.match(text) is not None


class PartyReader:
    """Finds sender and recipient of one document."""

    def __init__(
        self, layout: Layout, known_senders: Sequence[str] = (), heading: Run | None = None, is_slip: bool = False
    ) -> None:
        self._is_slip = is_slip
        self._heading = heading
        self._layout = layout
        self._page = layout.first
        self._known = known_senders
        self._addresses = addresses(self._page)
        self._domains = _domains(layout.text)

    def recipient(self) -> Party | None:
        """To whom the document is addressed."""
        candidates = [*self._labelled(_RECIPIENT_LABELS), *self._windowed()]
        return max(candidates, key=lambda party: party.confidence, default=None)

    def sender(self, recipient: Party | None) -> Party | None:
        """Who made the document. What names the recipient is never the sender."""
        other = _key(recipient.name) if recipient else ""
        candidates = [self._supported(party) for party in self._sender_candidates() if _key(party.name) != other]
        best = max(candidates, key=lambda party: party.confidence, default=None)
        return best if best and best.confidence >= 0.5 else None

    def _sender_candidates(self) -> Iterator[Party]:
        yield from self._known_names()
        yield from self._labelled(_SENDER_LABELS)
        yield from self._return_lines()
        yield from self._slip_head()
        yield from self._letterhead()
        yield from self._footer()
        yield from self._signatures()

    def _labelled(self, pattern: re.Pattern[str]) -> Iterator[Party]:
        page = self._page
        for index, line in enumerate(page.lines):
            if line.top > page.content_top + 0.7 * page.content_height:
                return
            for cell in line.cells:
                match = pattern.match(cell.text)
                if match and (party := self._after_label(index, cell, match)):
                    yield party

    def _after_label(self, index: int, cell: Run, match: re.Match[str]) -> Party | None:
        weak = _WEAK_LABEL.match(match.group()) is not None
        colon = _LABEL_END.match(cell.text, match.end())
        if not _LABEL_TAIL.fullmatch(cell.text, match.end()):
            return self._on_label_line(cell, colon.end(), 0.85 if weak else 0.92) if colon else None
        below, beside = self._below(index, cell), self._right_of(index, cell)
        for run in (beside, below) if cell.text.endswith(":") else (below, beside):
            if run is not None and (party := self._named(run, 0.78 if weak else 0.92)):
                return party
        return None

    def _on_label_line(self, cell: Run, start: int, confidence: float) -> Party | None:
        if not cell.text[start:].strip():
            index = next(i for i, line in enumerate(self._page.lines) if cell in line.cells)
            run = self._right_of(index, cell) or self._below(index, cell)
            return self._named(run, confidence) if run else None
        return _party(cell, confidence, start, _name_end(cell.text, start))

    def _named(self, run: Run, confidence: float) -> Party | None:
        if _FIELD_LABEL.search(run.text) and not _NAME_LABEL.match(run.text):
            return None
        label = _NAME_LABEL.match(run.text)
        party = _party(run, confidence, label.end() if label else 0, _name_end(run.text, label.end() if label else 0))
        return party if party and not is_address_line(party.name) else None

    def _below(self, index: int, cell: Run) -> Run | None:
        """The name under a label: the next aligned cell, or the one labelled as the name a few fields further on."""
        limit = cell.box[3] + 2.6 * max(cell.height, self._page.body_height)
        for offset, line in enumerate(self._page.lines[index + 1 : index + 7]):
            for run in line.cells:
                if abs(run.box[0] - cell.box[0]) > 1.2 * self._page.body_height:
                    continue
                if _ONLY_NAME_LABEL.match(run.text):
                    return self._right_of(index + 1 + offset, run)
                if _NUMBER_FIELD.match(run.text) or _TITLE_ONLY.match(run.text):
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
        left = [address for address in towns if address.name.box[0] < 0.45 * self._page.width]
        for rank, address in enumerate(reversed(left)):
            marked = self._below_return_line(address)
            alone = len(self._addresses) == 1 and not self._has_letterhead(address)
            confidence = 0.95 if marked else 0.35 if alone else 0.82 - 0.3 * rank
            if address.name.top / self._page.height < 0.1 and not marked:
                confidence -= 0.3
            if confidence >= 0.5 and (party := _party(address.name, confidence)):
                yield party

    def _below_return_line(self, address: Address) -> bool:
        top = address.name.top
        return any(_is_return_line(cell.text) and 0 < top - cell.top < 60 for cell in self._page.cells)

    def _has_letterhead(self, address: Address) -> bool:
        above = [cell for cell in self._page.cells if cell.box[3] < address.name.top - self._page.body_height]
        return any(_is_name(cell.text) for cell in above)

    def _return_lines(self) -> Iterator[Party]:
        for cell in self._page.cells:
            if cell.top < 0.4 * self._page.height and len(cell.text) <= 120 and _is_return_line(cell.text):
                if party := _party(cell, 0.93, 0, _name_end(cell.text, 0)):
                    yield party

    def _slip_head(self) -> Iterator[Party]:
        """The first line of a till slip: the shop."""
        if not self._is_slip:
            return
        for rank, cell in enumerate(self._page.cells[:4]):
            if is_address_line(cell.text) or _is_heading(cell.text) or _FIELD_LABEL.search(cell.text):
                continue
            if party := _party(cell, 0.8 - 0.08 * rank):
                yield party

    def _letterhead(self) -> Iterator[Party]:
        recipients = {_key(party.name) for party in self._windowed()}
        for rank, cell in enumerate(self._page.cells[:14]):
            position = (cell.top - self._page.content_top) / self._page.height
            if position > 0.2 or cell == self._heading or _FIELD_LABEL.search(cell.text):
                continue
            confidence = self._letterhead_confidence(cell, rank)
            party = _party(cell, confidence, 0, _name_end(cell.text, 0)) if confidence else None
            if party and _key(party.name) not in recipients:
                yield party

    def _letterhead_confidence(self, cell: Run, rank: int) -> float:
        if is_address_line(cell.text) or _is_heading(cell.text):
            return 0.0
        company, heads = bool(_LEGAL_FORM.search(cell.text)), self._heads_address(cell)
        institution, prominent = bool(_INSTITUTION.search(cell.text)), cell.height > 1.25 * self._page.body_height
        if company:
            return 0.88 - 0.01 * rank
        if heads:
            return 0.84 - 0.01 * rank
        if institution and len(cell.text.split()) <= 7:
            return (0.78 if prominent or rank < 2 else 0.6) - 0.01 * rank
        return 0.56 if rank == 0 and prominent and len(cell.text.split()) <= 5 else 0.0

    def _heads_address(self, cell: Run) -> bool:
        return any(address.name is cell or address.name == cell for address in self._addresses)

    def _footer(self) -> Iterator[Party]:
        for cell in self._page.cells[-30:]:
            match = _LEGAL_FORM.search(cell.text)
            if match and cell.top > 0.8 * self._page.height:
                if party := _party(cell, 0.72, 0, _name_end(cell.text, 0)):
                    yield party

    def _signatures(self) -> Iterator[Party]:
        for page in self._layout.pages:
            for index, line in enumerate(page.lines):
                if _CLOSING.match(line.text) or (_CLOSING_BODY.search(line.text) and len(line.text) < 120):
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


def _whole(text: str, start: int, end: int) -> bool:
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())


def _name_end(text: str, start: int) -> int:
    """Where a name that begins a line ends: before the street or contact data that follows on the same line."""
    for match in _SEPARATORS.finditer(text, start):
        following = text[match.end() :]
        if match.start() > start and not re.match(r"(?:Inc|LLC|Ltd|GmbH|AG|KG|S\.?A|L\.P)\b", following):
            return match.start()
    return len(text)


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
    return _HEADING_WORDS.match(text) is not None and not _LEGAL_FORM.search(text)


def _key(name: str) -> str:
    return "".join(words_of(name))


def _domains(text: str) -> set[str]:
    found = {match.group(1).lower() for match in _DOMAIN.finditer(text)}
    return {domain for domain in found if domain not in _FREE_MAIL}


def _same_name(domain: str, name: str) -> bool:
    """Whether a domain is made of the words of a name ("muster-gmbh" or "mustertechnik" for Muster Technik GmbH)."""
    plain = domain.replace("-", "")
    key = _key(name).translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}))
    return (
        plain in key
        or (len(plain) > 5 and key[:6] == plain[:6])
        or any(len(word) > 4 and word in plain for word in words_of(name))
    )
