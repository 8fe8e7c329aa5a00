"""Dates: reading them in their usual forms, and telling the document's own date from all the others on the page."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from functions.enrich.labelled import Found, Labelled, labelled
from functions.enrich.layout import Layout, Line, Run
from functions.enrich.wording import any_of, labels

_MONTHS = {
    1: "january jan januar jänner jaenner jän janvier janv enero ene gennaio gen januari",
    2: "february feb februar feber février fevrier févr fevr febrero febbraio febb februari",
    3: "march mar märz maerz marz mär mrz mars marzo maart mrt",
    4: "april apr avril avr abril abr aprile",
    5: "may mai mayo maggio mag mei",
    6: "june jun juni juin junio giugno giu",
    7: "july jul juli juillet juil julio luglio lug",
    8: "august aug août aout agosto ago augustus",
    9: "september sept sep septembre septiembre set settembre",
    10: "october oct oktober okt octobre octubre ottobre ott",
    11: "november nov novembre noviembre",
    12: "december dec dezember dez décembre decembre déc diciembre dic dicembre",
}
MONTHS = {name: number for number, names in _MONTHS.items() for name in names.split()}
_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + ")"
_YEAR = r"(?P<year>(?:19|20)\d\d|['’]?\d\d(?!\d))"
_FULL_YEAR = r"(?P<year>(?:19|20)\d\d)"

_FORMS = (
    re.compile(
        r"(?<![\d.,/-])(?P<year>(?:19|20)\d\d)(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?![\d/]|[.,-]\d)"
    ),
    re.compile(
        r"(?<![\d.,/-])(?P<d>\d{1,2})\s?(?P<sep>[-/.])\s?(?P<m>\d{1,2})\s?(?P=sep)\s?(?P<year>(?:19|20)\d\d|"
        r"\d\d)(?![\d/]|[.,-]\d)"
    ),
    re.compile(
        rf"(?<![\d.,/-])(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|º|°|\.)?(?:\s?-\s?|\s|/)?(?:of\s|"
        rf"de\s)?{_MONTH}\.?(?:\s?-\s?|,?\s|/)?(?:de\s|del\s)?{_YEAR}(?!\d)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<![^\W\d_]){_MONTH}\.?[\s-](?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:\s?,\s?|[\s-]){_FULL_YEAR}(?!\d)",
        re.IGNORECASE,
    ),
)

BIRTH = r"geb(?:oren|urtsdatum|\.)?|born|birth|dob|naissance|né le|née le|nacimiento|nascita|nato|geboren|geboorte"
_OTHER_DATES = any_of(
    (
        BIRTH,
        *("gedruckt", "druckdatum", "printed", "print date", "stand", "imprimé", "copyright", "©", r"\(c\)", "version"),
        *(
            "liefer(?:datum|termin|tag|ung)",
            "leistungs(?:datum|zeitraum|zeit)",
            "delivery date",
            "delivered",
            "ship(?:ped|ping)? date",
        ),
        *(
            "zeitraum",
            "period",
            "from",
            "until",
            "till",
            "through",
            "bis",
            "gültig",
            "valid",
            "expir(?:es|y|ation)",
            "ablauf",
        ),
        *(
            "due",
            "fällig(?:keit)?",
            "zahlbar",
            "payable",
            "pay by",
            "zahlungsziel",
            "échéance",
            "vencimiento",
            "scadenza",
            "vervaldatum",
        ),
        *(
            "ihr(?:e[nsr]?)? (?:schreiben|nachricht|auftrag|bestellung|anfrage|brief|rechnung)",
            "your (?:letter|order|message|invoice|e-?mail)",
            "(?:the|our|this|your) (?:invoice|letter|order|agreement|contract|notice|reminder)(?: dated)?",
        ),
        *("bestelldatum", "order date", "auftragsdatum", "ordered on", "bestellung", "rückgabe", "return by"),
        *(
            "next",
            "nächste[rn]?",
            "kündigungsfrist",
            "renewal",
            "eintritt(?:sdatum)?",
            "hire date",
            "start date",
            "beginn",
            "vertragsbeginn",
        ),
        *(
            "check-?in",
            "check-?out",
            "anreise",
            "abreise",
            "admission",
            "aufnahme",
            "entlassung",
            "discharge",
            "kauf(?:datum)?",
            "purchased?",
        ),
        *("seit", "since", "ab", "effective from", "erstzulassung", "inkrafttreten", "gilt"),
    )
)
_OTHER_DATE = re.compile(rf"(?<![^\W_]){_OTHER_DATES}(?![^\W\d_])[^\d]{{0,24}}$", re.IGNORECASE)
_RANGE_AFTER = re.compile(r"^\s*(?:-|–|—|bis|to|until|through|au|al|t/m)\s*(?:zum\s)?\d", re.IGNORECASE)

_STRONG_LABELS = labels(
    (
        *(
            "rechnungs ?datum",
            "beleg datum",
            "ausstellungsdatum",
            "ausstellungstag",
            "datum der rechnung",
            "rechnung vom",
            "gutschriftsdatum",
        ),
        *(
            "angebotsdatum",
            "angebot vom",
            "mahndatum",
            "datum des bescheids?",
            "bescheid vom",
            "bescheiddatum",
            "auszugsdatum",
            "auszug vom",
        ),
        *(
            "lieferscheindatum",
            "vertragsdatum",
            "erstellt am",
            "erstellungsdatum",
            "ausgestellt am",
            "befunddatum",
            "berichtsdatum",
        ),
        *(
            "invoice date",
            "date of invoice",
            "bill(?:ing)? date",
            "statement date",
            "date of issue",
            "issue date",
            "issued(?: on)?",
            "date issued",
        ),
        *(
            "receipt date",
            "credit note date",
            "credit date",
            "quot(?:e|ation) date",
            "estimate date",
            "notice date",
            "letter date",
            "report date",
        ),
        *(
            "date of report",
            "document date",
            "delivery note date",
            "effective date",
            "agreement date",
            "meeting date",
            "date of meeting",
        ),
        *(
            "sitzungsdatum",
            "sitzung (?:vom|am)",
            "besprechung (?:vom|am)",
            "protokoll vom",
            "published(?: on)?",
            "veröffentlicht am",
            "awarded on",
        ),
        *(
            "date de (?:la )?facture",
            "date d['’]émission",
            "date de facturation",
            "facture du",
            "fecha de (?:la )?factura",
            "fecha de emisión",
        ),
        *(
            "data fattura",
            "data (?:di )?emissione",
            "factuurdatum",
            "datum factuur",
            "data documento",
            "fecha de expedición",
            "date du document",
        ),
        *(
            "kaufdatum",
            "purchase date",
            "date of purchase",
            "transaction date",
            "sale date",
            "entered into (?:as of|on)",
            "made (?:as of|on)",
        ),
        *("as of(?: the)?", "dispatch date", "po date", "date of order"),
    )
)
_ORDER_DATES = labels(
    ("order date", "bestelldatum", "auftragsdatum", "bestellung vom", "auftrag vom", "date of order", "fecha de pedido")
)
_DELIVERY_DATES = labels(
    ("delivery date", "lieferdatum", "date of delivery", "date de livraison", "ship date", "versanddatum")
)
_PLAIN_LABELS = labels(("datum", "date", "fecha", "data", "sent", "gesendet", "envoyé", "dato", "tag"))
_OF = labels(("vom", "dated"))
_PLACE_AND_DATE = re.compile(
    r"^[^\W\d_][\w.()/ -]{1,40}?,?\s*(?:,|den|am|le|,? the|a|,? li)\s*(?:den\s|am\s|le\s|the\s)?$", re.IGNORECASE
)
_TIME_AFTER = re.compile(r"^[\s,]*(?:um |at |T)?\d{1,2}\s?:\s?\d\d")
_WEEKDAY = re.compile(
    r"^(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim)[a-zäöü]*\.?,?\s*(?:den\s)?$",
    re.IGNORECASE,
)

_DUE_LABELS = labels(
    (
        *(
            "fällig(?:keit)?(?:sdatum)?(?: (?:am|zum|bis|ist am|ist))?",
            "zahlbar (?:bis|am)(?: zum)?",
            "zahlungsziel",
            "zahlungstermin",
        ),
        *(
            "zu zahlen bis(?: zum)?",
            "zahlbar spätestens(?: bis)?(?: zum)?",
            "spätestens bis(?: zum)?",
            "zahlung bis(?: zum)?",
            "zahlungsfrist(?: bis)?",
        ),
        *(
            "überweisen sie (?:bitte )?bis(?: zum)?",
            "bis (?:spätestens )?zum",
            "zahlungseingang bis(?: zum)?",
            "begleichen sie bis(?: zum)?",
        ),
        *(
            "due date",
            "payment due(?: date| by| on)?",
            "due(?: on| by)?",
            "pay(?:ment)? by",
            "payable (?:by|on)(?: or before)?",
            "due for payment",
        ),
        *(
            r"pay(?:ment)?\b[^.\d]{0,30}\b(?:by|before)",
            "buchen wir[^.\\d]{0,40} (?:am|zum)",
            "ziehen wir[^.\\d]{0,40} (?:am|zum)",
            "payable before",
            "(?:remit|pay(?:able)?|payment) until",
            "please pay (?:by|before)",
            "date due",
            "due no later than",
            "pay before",
            "last day to pay",
            "remit by",
        ),
        *(
            "date d['’]échéance",
            "échéance(?: le)?",
            "à payer avant le",
            "à régler avant le",
            "date limite de paiement",
            "payable avant le",
        ),
        *(
            "fecha de vencimiento",
            "vencimiento",
            "vence el",
            "pagar antes del",
            "data (?:di )?scadenza",
            "scadenza",
            "entro il",
        ),
        *(
            "vervaldatum",
            "te betalen v[oó][oó]r",
            "uiterste betaaldatum",
            "betalen v[oó][oó]r",
            "abbuchung (?:am|zum)",
            "abgebucht am",
        ),
        *("eingezogen am", "einzug (?:am|zum)", "wird am", "werden am", "zum", "on or before", "no later than"),
    )
)
_WEAK_DUE = re.compile(
    r"^(?:wird am|werden am|zum|bis zum|bis spätestens zum|on or before|no later than|spätestens bis(?: zum)?)$",
    re.IGNORECASE,
)
_PAYMENT_NEAR = re.compile(
    r"zahl|überweis|begleich|abgebucht|einzug|eingezogen|abbuch|betrag|konto|lastschrift|pay|remit|settle|"
    r"amount|account",
    re.IGNORECASE,
)
_NOT_DUE = re.compile(
    r"gültig|valid|angebot|widerspruch|einspruch|kündig|vacation|rückmeld|reply|respond|return|skonto|discount|"
    r"(?<!ohne )abzug",
    re.IGNORECASE,
)

_DAYS = r"(?P<days>\d{1,3})"
_DAY_WORD = r"(?:kalender|werk|bank|calendar |business |working )?(?:tage?n?|days?|jours?|días|dias|giorni|dagen)"
_TERMS = (
    re.compile(rf"(?:innerhalb|innert|binnen)(?: von)?\s{_DAYS}\s?{_DAY_WORD}", re.IGNORECASE),
    re.compile(
        rf"(?:within|in|net|netto|zahlungsziel:?|zahlbar|terms:?|zahlungsbedingungen:?|à|a|dans les|"
        rf"binnen)\s{_DAYS}\s?{_DAY_WORD}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_DAYS}\s?{_DAY_WORD}\s(?:netto|net|rein netto|ohne abzug|after invoice|"
        rf"from (?:the )?(?:date of )?invoice|nach rechnung|zahlungsziel|dopo|na factuurdatum)",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<![^\W_])net\s?{_DAYS}(?!\d)", re.IGNORECASE),
)
_TERM_CONTEXT = re.compile(
    r"zahl|überweis|begleich|netto|pay|due|net|terms|règle|paiement|pago|pagament|betal|fällig|settle|ohne abzug",
    re.IGNORECASE,
)
_DISCOUNT = re.compile(r"skonto|discount|rabatt|nachlass|escompte|sconto|descuento|korting|%", re.IGNORECASE)


@dataclass(frozen=True)
class DateRead:
    """A date as written; `other` is what it would be with day and month exchanged, where that is possible too."""

    value: date
    start: int
    end: int
    other: date | None = None


@dataclass(frozen=True)
class Dated:
    """A date chosen for a field, with where it stands and how sure the choice is."""

    value: date
    run: Run
    start: int
    end: int
    confidence: float


def dates_in(text: str) -> list[DateRead]:
    """Every date in `text`, in reading order, without overlaps. Two-digit years mean 1970 to 2069."""
    found: list[DateRead] = []
    for form in _FORMS:
        for match in form.finditer(text):
            read = _read(match)
            if read and not any(read.start < other.end and other.start < read.end for other in found):
                found.append(read)
    return sorted(found, key=lambda read: read.start)


def _read(match: re.Match[str]) -> DateRead | None:
    parts = match.groupdict()
    year = _year(parts["year"])
    day = int(parts["d"])
    if parts.get("month"):
        return _dated(match, _date(year, MONTHS[parts["month"].lower()], day), None)
    month = int(parts["m"])
    if parts["sep"] == "." or match.start("year") < match.start("m"):
        return _dated(match, _date(year, month, day), None)
    day_first, month_first = _date(year, month, day), _date(year, day, month)
    other = month_first if day_first and month_first != day_first else None
    return _dated(match, day_first or month_first, other)


def _dated(match: re.Match[str], value: date | None, other: date | None) -> DateRead | None:
    return DateRead(value, match.start(), match.end(), other) if value else None


def _year(digits: str) -> int:
    number = int(digits.lstrip("'’"))
    return number if number > 99 else number + (2000 if number < 70 else 1900)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if 1900 <= year <= 2099 else None
    except ValueError:
        return None


class DateReader:
    """Reads the dates of one document, exchanging day and month the way this document does.

    `day_first` is none where nothing tells: then dates that could be read both ways are left out.
    """

    def __init__(self, day_first: bool | None) -> None:
        self._day_first = day_first

    def __call__(self, run: Run) -> list[Found[date]]:
        found = ((self._resolved(read), read) for read in dates_in(run.text))
        return [Found(value, run, read.start, read.end) for value, read in found if value]

    def _resolved(self, read: DateRead) -> date | None:
        if read.other is None or self._day_first:
            return read.value
        return None if self._day_first is None else read.other


_DAY_FIRST_MONEY = re.compile(r"£|€|\b(?:EUR|GBP|CHF|AUD|MYR|INR|SGD)\b|\bRM\s?\d")
_MONTH_FIRST_SIGNS = re.compile(
    r"\bUSD\b|US\$|\$\s?\d|\b(?:Inc|LLC|Corp)\b|\b[A-Z]{2}\s\d{5}(?:-\d{4})?\b|\bZIP\b|\bSSN\b|\bEIN\b"
)
_DAY_FIRST_SIGNS = re.compile(
    r"\bVAT\b|\bLtd\b|\bPLC\b|\bGmbH\b|\bPty\b|\bABN\b|\bGST\b|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b", re.IGNORECASE
)


def day_comes_first(layout: Layout, language: str | None) -> bool | None:
    """Whether 03/04/2024 means 3 April here: by dates that allow one reading only, else by language and country."""
    if (votes := _order_votes(layout)) != 0:
        return votes > 0
    if (language and not language.startswith("en")) or _DAY_FIRST_MONEY.search(layout.text):
        return True
    american, other = bool(_MONTH_FIRST_SIGNS.search(layout.text)), bool(_DAY_FIRST_SIGNS.search(layout.text))
    return None if american == other else other


_SLASHED = re.compile(r"(?<!\d)(\d{1,2})[/-](\d{1,2})[/-](?:\d{4}|\d\d)(?!\d)")


def _order_votes(layout: Layout) -> int:
    pairs = [(int(a), int(b)) for a, b in _SLASHED.findall(layout.text)]
    return sum(1 if a > 12 >= b else -1 if b > 12 >= a else 0 for a, b in pairs)


def document_date(
    layout: Layout, reader: DateReader, document_type: str | None, heading: Run | None = None
) -> Dated | None:
    """The date the document bears, or none when no date is more than just somewhere on the page.

    `heading` is the line by which the document calls itself what it is ("Invoice 4711 of 12 March 2024").
    """
    candidates = [*_labelled_dates(layout, reader, document_type), *_placed_dates(layout, reader)]
    if heading is not None:
        candidates += _headed_dates(layout, reader, heading)
    if not candidates:
        return None
    best = max(candidates, key=lambda dated: dated.confidence)
    rivals = {dated.value for dated in candidates if dated.confidence > best.confidence - 0.04}
    return _with(best, best.confidence - 0.15) if len(rivals) > 1 else best


_ISSUED = re.compile(r"(?:vom|dated|of|du|del|van|date|datum|,)\W{0,3}$", re.IGNORECASE)


def _headed_dates(layout: Layout, reader: DateReader, heading: Run) -> Iterator[Dated]:
    line = next((line for line in layout.lines if line.page == heading.page and heading in line.cells), None)
    if line is None or len(line.text) >= 120:
        return
    for found in reader(line):
        if _ISSUED.search(line.text[: found.start]) and not _RANGE_AFTER.match(line.text[found.end :]):
            yield Dated(found.value, line, found.start, found.end, 0.95)


def _with(dated: Dated, confidence: float) -> Dated:
    return Dated(dated.value, dated.run, dated.start, dated.end, confidence)


def _labelled_dates(layout: Layout, reader: DateReader, document_type: str | None) -> Iterator[Dated]:
    groups = [(_STRONG_LABELS, 0.96), (_PLAIN_LABELS, 0.88), (_OF, 0.78)]
    if document_type in {"order", "receipt"}:
        groups.append((_ORDER_DATES, 0.93))
    if document_type == "delivery_note":
        groups.append((_DELIVERY_DATES, 0.95))
    for pattern, confidence in groups:
        for hit in labelled(layout, pattern, reader):
            if confidence > 0.88 or not _belongs_elsewhere(hit):
                yield _ranked(layout, hit, confidence)


def _ranked(layout: Layout, hit: Labelled[date], confidence: float) -> Dated:
    found = hit.found
    page_cost = 0.0 if found.run.page == layout.first.number else 0.08
    below_cost = 0.02 if hit.below else 0.0
    return Dated(found.value, found.run, found.start, found.end, confidence - page_cost - below_cost)


_VERSION = re.compile(r"version|release|revision|©|copyright", re.IGNORECASE)


def _belongs_elsewhere(hit: Labelled[date]) -> bool:
    """Whether the words before a plain "date" make it another date: of birth, of delivery, due, ..."""
    found = hit.found
    if _VERSION.search(hit.line.text):
        return True
    if hit.below:
        position = hit.line.text.lower().find(hit.label.lower())
        return _OTHER_DATE.search(hit.line.text[: position + len(hit.label)]) is not None
    return _is_other(found.run, found.start, found.end) or _is_other(hit.line, *_position(hit.line, found))


def _position(line: Line, found: Found[date]) -> tuple[int, int]:
    quote = found.run.text[found.start : found.end]
    start = max(0, line.text.find(quote))
    return start, start + len(quote)


def _is_other(run: Run, start: int, end: int) -> bool:
    before, after = run.text[max(0, start - 60) : start], run.text[end : end + 20]
    return _OTHER_DATE.search(before) is not None or _RANGE_AFTER.match(after) is not None


MIN_COLUMN = 3
COLUMN_TOLERANCE = 5.0


def _placed_dates(layout: Layout, reader: DateReader) -> Iterator[Dated]:
    """Dates that speak by their place: "Berlin, 12 March 2024", alone near the top, or with a time on a till slip.

    Dates under each other are a column of a table and say nothing.
    """
    found = [found for page in layout.pages for cell in page.cells for found in reader(cell)]
    edges = [one.run.box[0] for one in found if _is_alone(one)]
    for one in found:
        confidence = _place_confidence(layout, one)
        in_column = sum(abs(edge - one.run.box[0]) < COLUMN_TOLERANCE for edge in edges) >= MIN_COLUMN
        if confidence and not (in_column and _is_alone(one)):
            yield Dated(one.value, one.run, one.start, one.end, confidence)


def _is_alone(found: Found[date]) -> bool:
    before, after = found.run.text[: found.start].strip(), found.run.text[found.end :].strip(" .")
    return not after and (not before or _WEEKDAY.match(before) is not None)


def _place_confidence(layout: Layout, found: Found[date]) -> float:
    before, after = found.run.text[: found.start], found.run.text[found.end :]
    page = next(page for page in layout.pages if page.number == found.run.page)
    first, position = page is layout.first, found.run.top / page.height
    if _is_other(found.run, found.start, found.end):
        return 0.0
    if _PLACE_AND_DATE.match(before) and len(after.strip()) <= 2:
        return 0.9 if first and position < 0.5 else 0.72
    if first and position < 0.45 and _is_alone(found):
        return 0.84 - 0.3 * position
    return 0.74 - 0.1 * position if first and _TIME_AFTER.match(after) else 0.0


def due_date(layout: Layout, reader: DateReader, issued: Dated | None, computes: bool) -> Dated | None:
    """The day payment is due: as written, else (if `computes`) the document's date plus the days it allows."""
    written = [dated for hit in labelled(layout, _DUE_LABELS, reader) if (dated := _due(layout, hit, issued))]
    if written:
        return max(written, key=lambda dated: dated.confidence)
    return _computed_due(layout, issued) if computes and issued else None


def _due(layout: Layout, hit: Labelled[date], issued: Dated | None) -> Dated | None:
    context = hit.line.text
    weak = _WEAK_DUE.match(hit.label) is not None
    if _NOT_DUE.search(context) or (weak and not _PAYMENT_NEAR.search(context)):
        return None
    if issued and hit.found.value < issued.value:
        return None
    return _ranked(layout, hit, 0.8 if weak else 0.95)


def _computed_due(layout: Layout, issued: Dated) -> Dated | None:
    terms = [term for line in layout.lines for term in _terms(line)]
    if not terms or issued.confidence < 0.6:
        return None
    days, run, start, end = max(terms, key=lambda term: term[0])
    return Dated(issued.value + timedelta(days=days), run, start, end, min(0.82, issued.confidence - 0.06))


def _terms(line: Line) -> Iterator[tuple[int, Run, int, int]]:
    if _TERM_CONTEXT.search(line.text) is None:
        return
    for form in _TERMS:
        for match in form.finditer(line.text):
            clause = re.split(r"[,;]", line.text[match.end() : match.end() + 40])[0]
            if 0 < int(match["days"]) <= 120 and not _DISCOUNT.search(clause):
                yield int(match["days"]), line, match.start(), match.end()
