"""From the text of a document to its metadata: asks each field's module in the order in which they need each other."""

from datetime import date
from decimal import Decimal
from typing import TypeVar

from functions.enrich import amounts, dates, doctype, filename, language, parties, references, summary, tags, title
from functions.enrich.evidence import evidence
from functions.enrich.extractor import Hints
from functions.enrich.labelled import Found
from functions.enrich.layout import Layout, Run, read
from shared.documents import DocumentText
from shared.metadata import DocumentType, Evidence, Metadata, Money, Value

T = TypeVar("T")

_PAYABLE = frozenset(
    {None, *map(DocumentType, ("invoice", "utility_bill", "reminder", "insurance", "tax", "credit_note"))}
)
_PRICED = _PAYABLE | frozenset(map(DocumentType, ("receipt", "quote", "order", "payslip", "delivery_note")))
_TABULAR = frozenset(
    map(
        DocumentType,
        (
            "invoice",
            "receipt",
            "credit_note",
            "bank_statement",
            "payslip",
            "order",
            "delivery_note",
            "form",
            "tax",
            "cv",
        ),
    )
)
"""Types whose sentences are small print: no summary is better than one of those."""


def metadata_of(text: DocumentText, hints: Hints) -> Metadata:
    """All fields the rules can tell, with evidence. A document without words gets a title from its file name."""
    layout = read(text)
    if not layout.pages:
        return _of_filename(hints)
    return _Reading(layout, text, hints).metadata()


def _of_filename(hints: Hints) -> Metadata:
    named = title.from_filename(hints.filename)
    if named is None:
        return Metadata()
    value = Value[str](value=named.text, confidence=named.confidence, origin="rule")
    return Metadata(title=value, suggested_filename=_filename(named.text, None, named.confidence))


def _filename(name: str, day: str | None, confidence: float) -> Value[str] | None:
    suggestion = filename.suggested(name, day)
    return Value[str](value=suggestion, confidence=confidence, origin="rule") if suggestion else None


class _Reading:
    """One document being read; each method gives one field."""

    def __init__(self, layout: Layout, text: DocumentText, hints: Hints) -> None:
        self._layout = layout
        self._hints = hints
        self._measured = {page.number: page.measured for page in layout.pages}
        self._language = self._told_language(text)
        self._code = self._language.value if self._language else None
        self._class = doctype.classified(layout, title.filename_words(hints.filename))
        self._kind = self._class.kind if self._class else None

    def metadata(self) -> Metadata:
        layout, kind = self._layout, self._kind
        reader = dates.DateReader(dates.day_comes_first(layout, self._code))
        issued = dates.document_date(layout, reader, kind, self._heading())
        due = dates.due_date(layout, reader, issued, kind in _PAYABLE) if kind in _PRICED else None
        people = parties.PartyReader(layout, self._hints.vocabulary.senders, self._heading(), kind)
        recipient = people.recipient()
        sender = people.sender(recipient)
        reference = references.reference_number(layout, kind)
        titled = self._titled(sender, recipient, reference)
        total = amounts.total(layout, kind) if kind in _PRICED else None
        day = self._dated(issued)
        return Metadata(
            title=self._title(titled),
            document_type=self._document_type(),
            sender=self._party(sender),
            recipient=self._party(recipient),
            document_date=day,
            due_date=self._dated(due),
            language=self._language,
            reference_number=self._found(reference.found, reference.confidence) if reference else None,
            total=self._money(total.found, total.currency, total.confidence) if total else None,
            amounts=self._amounts(total),
            tags=self._tags(),
            summary=self._summary(),
            suggested_filename=_filename(titled.text, day.value if day else None, titled.confidence)
            if titled
            else None,
        )

    def _told_language(self, text: DocumentText) -> Value[str] | None:
        if self._hints.language:
            return Value[str](value=self._hints.language, confidence=0.95, origin="rule")
        found = language.detected(self._layout.text)
        return Value[str](value=found[0], confidence=found[1], origin="rule") if found else None

    def _heading(self) -> Run | None:
        return self._class.head.run if self._class and self._class.head else None

    def _evidence(self, run: Run, start: int, end: int) -> Evidence:
        return evidence(run, start, end, measured=self._measured[run.page])

    def _document_type(self) -> Value[DocumentType] | None:
        if self._class is None:
            return None
        head = self._class.head
        proof = self._evidence(head.run, head.start, head.end) if head else None
        return Value[DocumentType](
            value=self._class.kind, confidence=_rounded(self._class.confidence), origin="rule", evidence=proof
        )

    def _titled(
        self, sender: parties.Party | None, recipient: parties.Party | None, reference: references.Reference | None
    ) -> title.Titled | None:
        facts = title.Facts(
            kind=self._kind,
            head=self._class.head if self._class else None,
            sender=sender.name if sender else None,
            recipient=recipient.name if recipient else None,
            reference=reference.found.value if reference and reference.confidence > 0.7 else None,
            language=self._code,
            filename=self._hints.filename,
        )
        return title.title(self._layout, facts)

    def _title(self, titled: title.Titled | None) -> Value[str] | None:
        if titled is None:
            return None
        proof = self._evidence(titled.run, titled.start, titled.end) if titled.run else None
        return Value[str](value=titled.text, confidence=_rounded(titled.confidence), origin="rule", evidence=proof)

    def _party(self, party: parties.Party | None) -> Value[str] | None:
        if party is None:
            return None
        proof = self._evidence(party.run, party.start, party.end)
        return Value[str](value=party.name, confidence=_rounded(party.confidence), origin="rule", evidence=proof)

    def _dated(self, dated: dates.Dated | None) -> Value[str] | None:
        if dated is None:
            return None
        proof = self._evidence(dated.run, dated.start, dated.end)
        return Value[str](
            value=_iso(dated.value),
            confidence=_read_well(dated.confidence, dated.run, dated.start, dated.end),
            origin="rule",
            evidence=proof,
        )

    def _found(self, found: Found[str], confidence: float) -> Value[str]:
        proof = self._evidence(found.run, found.start, found.end)
        return Value[str](
            value=found.value,
            confidence=_read_well(confidence, found.run, found.start, found.end),
            origin="rule",
            evidence=proof,
        )

    def _money(self, found: Found[amounts.Amount], currency: str | None, confidence: float) -> Value[Money]:
        money = Money(value=_decimal(found.value.value), currency=currency)
        proof = self._evidence(found.run, found.start, found.end)
        return Value[Money](
            value=money,
            confidence=_read_well(confidence, found.run, found.start, found.end),
            origin="rule",
            evidence=proof,
        )

    def _amounts(self, total: amounts.Total | None) -> tuple[Value[Money], ...]:
        if total is None:
            return ()
        found = amounts.all_amounts(self._layout)
        return tuple(self._money(item, item.value.currency or total.currency, 0.8) for item in found)

    def _tags(self) -> tuple[Value[str], ...]:
        chosen = tags.tags(self._layout, self._hints.vocabulary.tags, self._code)
        return tuple(self._tag(name, found, confidence) for name, found, confidence in chosen)

    def _tag(self, name: str, found: Found[str], confidence: float) -> Value[str]:
        proof = self._evidence(found.run, found.start, found.end)
        return Value[str](value=name, confidence=confidence, origin="rule", evidence=proof)

    def _summary(self) -> Value[str] | None:
        if self._kind in _TABULAR:
            return None
        found = summary.summary(self._layout, self._code)
        return self._found(found, 0.7) if found else None


def _iso(day: date) -> str:
    return day.isoformat()


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _rounded(confidence: float) -> float:
    return round(max(0.0, min(1.0, confidence)), 2)


def _read_well(confidence: float, run: Run, start: int, end: int) -> float:
    """`confidence`, less where the words themselves were hard to read."""
    return _rounded(confidence * (0.7 + 0.3 * run.part(start, end).confidence))
