"""Reference numbers: the one by which sender and recipient name this document."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from functions.enrich.dates import dates_in
from functions.enrich.labelled import Found, Labelled, labelled
from functions.enrich.layout import Layout, Run
from functions.enrich.wording import any_of

_NUMBER_WORD = (
    r"(?:[ ./-]{0,3}(?:nummer|numm?er|number|num|nr|no|n[°ºo]|nº|#|id|ref|numéro|número|numero|code)\b\.?|\s?[#№])"
)


def _numbered(*stems: str) -> re.Pattern[str]:
    """Labels made of a stem and a word for number, in this or the other order ("Invoice No.", "N° de facture")."""
    stem = any_of(stems)
    forward = rf"{stem}s?-?(?:\s?\([^)]{{1,12}}\))?{_NUMBER_WORD}"
    backward = rf"(?:n[°ºo]|nº|numéro|número|numero|nummer)\.?\s(?:de |di |della |van de |der |la )*{stem}"
    return re.compile(rf"(?<![^\W_])(?:{forward}|{backward})", re.IGNORECASE)


def _plain(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){any_of(phrases)}(?![^\W\d_])", re.IGNORECASE)


_INVOICE = (
    r"[^\W\d_]{0,20}rechnung",
    r"[^\W\d_]{0,20}rechnungs",
    "rg",
    "re",
    "invoice",
    "inv",
    "bill",
    "tax invoice",
    "facture",
    "factura",
    "fattura",
    "factuur",
)
_OWN = {
    "invoice": _numbered(*_INVOICE, "document", "beleg"),
    "utility_bill": _numbered(*_INVOICE, "beleg", "statement"),
    "credit_note": _numbered(
        "gutschrift",
        "gutschrifts",
        "gutschrift rechnungs",
        "credit note",
        "credit memo",
        "credit",
        "avoir",
        "storno",
        "stornorechnung",
        "rechnungskorrektur",
        "korrekturrechnung",
        *_INVOICE,
    ),
    "reminder": _numbered("mahnung", "mahnungs", "mahn", "reminder", "notice"),
    "receipt": _numbered(
        "beleg",
        "bon",
        "kassenbon",
        "quittung",
        "quittungs",
        "receipt",
        "transaction",
        "trans",
        "ticket",
        "slip",
        "rechnung",
        "invoice",
        "bill",
        "document",
        "doc",
        "tax invoice",
    ),
    "order": _numbered(
        "bestell",
        "bestellung",
        "bestellungs",
        "auftrag",
        "auftrags",
        "auftragsbestätigung",
        "auftragsbestätigungs",
        "ab",
        "order",
        "purchase order",
        "po",
        "p.o",
        "order confirmation",
        "confirmation",
        "commande",
        "pedido",
        "ordine",
    ),
    "quote": _numbered(
        "angebot",
        "angebots",
        "kostenvoranschlag",
        "offerte",
        "offerten",
        "quote",
        "quotation",
        "estimate",
        "offer",
        "proposal",
        "devis",
        "presupuesto",
        "preventivo",
    ),
    "delivery_note": _numbered(
        "lieferschein",
        "liefer",
        "delivery note",
        "delivery",
        "dispatch note",
        "packing slip",
        "packing list",
        "shipment",
        "bon de livraison",
        "albarán",
        "ddt",
        "dn",
    ),
    "contract": _numbered(
        "vertrag", "vertrags", "mietvertrag", "contract", "agreement", "lease", "contrat", "contrato"
    ),
    "insurance": _numbered(
        "versicherung",
        "versicherungs",
        "versicherungsschein",
        "versicherungsschein",
        "police",
        "policen",
        "polizzen",
        "vertrag",
        "vertrags",
        "schaden",
        "schadens",
        "policy",
        "claim",
        "certificate",
        "contrat",
    ),
    "bank_statement": _numbered("auszug", "auszugs", "kontoauszug", "statement", "konto", "account"),
    "payslip": _numbered("personal", "pers", "employee", "payroll", "staff", "mitarbeiter"),
    "tax": _numbered(
        "steuer",
        "bescheid",
        "aktenzeichen",
        "kassenzeichen",
        "identifikations",
        "notice",
        "case",
        "tax reference",
        "utr",
    ),
    "certificate": _numbered(
        "zertifikat", "zertifikats", "urkunden", "register", "registrier", "certificate", "registration", "zeugnis"
    ),
    "medical": _numbered(
        "befund", "auftrags", "fall", "patienten", "report", "case", "lab", "specimen", "accession", "patient"
    ),
    "report": _numbered("bericht", "berichts", "prüfbericht", "gutachten", "report", "document", "project"),
    "warranty": _numbered("garantie", "serien", "serial", "warranty", "certificate", "registration"),
    "form": _numbered("formular", "antrag", "antrags", "form", "application"),
}
_CASE = _plain(
    *(
        "aktenzeichen",
        "az\\.",
        "geschäftszeichen",
        "geschäftsz\\.",
        "unser zeichen",
        "unsere zeichen",
        "kassenzeichen",
        "vorgangsnummer",
        "vorgangs nr",
    ),
    *(
        "our ref(?:erence)?",
        "reference(?: no| number| code)?",
        "ref(?: no)?",
        "case (?:no|number|id|ref)",
        "file (?:no|number|ref)",
        "matter (?:no|number)",
        "ticket (?:no|number|id)",
    ),
    *(
        "docket (?:no|number)",
        "buchungszeichen",
        "referenz(?:nummer| nr)?",
        "notre référence",
        "nos réf",
        "référence",
        "referencia",
        "riferimento",
        "kenmerk",
        "ons kenmerk",
        "betreffnummer",
    ),
)
_GENERAL = _numbered(
    *_INVOICE,
    "gutschrift",
    "gutschrifts",
    "credit note",
    "vertrag",
    "vertrags",
    "contract",
    "policy",
    "versicherungsschein",
    "angebot",
    "angebots",
    "quote",
    "quotation",
    "estimate",
    "lieferschein",
    "delivery note",
    "beleg",
    "document",
    "receipt",
    "bon",
    "mahnung",
)
_ORDER = _numbered(
    "auftrag", "auftrags", "bestell", "order", "purchase order", "po", "job", "projekt", "project", "commande"
)
_CUSTOMER = _numbered(
    "kunden",
    "customer",
    "client",
    "account",
    "mitglieds",
    "mitglied",
    "member",
    "membership",
    "vertragskonto",
    "cliente",
    "klant",
)
_HEADED = {
    "invoice": _plain(
        "rechnung",
        "invoice",
        "facture",
        "factura",
        "fattura",
        "factuur",
        "tax invoice",
        "proforma rechnung",
        "pro forma invoice",
    ),
    "utility_bill": _plain("rechnung", "jahresrechnung", "abrechnung", "bill", "invoice"),
    "credit_note": _plain("gutschrift", "credit note", "credit memo", "avoir", "stornorechnung", "rechnungskorrektur"),
    "order": _plain(
        "bestellung", "auftragsbestätigung", "auftrag", "purchase order", "order confirmation", "order", "commande"
    ),
    "quote": _plain("angebot", "kostenvoranschlag", "quotation", "quote", "estimate", "offer", "devis", "presupuesto"),
    "delivery_note": _plain("lieferschein", "delivery note", "packing slip", "dispatch note", "bon de livraison"),
    "reminder": _plain("rechnung", "invoice"),
}
_TOKEN = re.compile(
    r"(?<![\w/-])(?:[A-Z]{1,5}[\s-])?#?(?=[\w./-]*\d)[A-Za-z0-9ÄÖÜ]+(?:[./_-]+[A-Za-z0-9]+)*(?:\s/\s\d+(?=\s|"
    r"$))?(?![\w])"
)
_IBAN = re.compile(r"^[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,}", re.IGNORECASE)
_MONEY_LIKE = re.compile(r"^\d{1,3}(?:[.,]\d{3})*[.,]\d{2}$")
_NOT_ITS_OWN = re.compile(
    r"(?:ihr[e]?[rn]?|your|votre|zur|zu|to|of|ursprungs|original|related|bezug|betr)\s*[-:]?\s*$", re.IGNORECASE
)
_VAT_LABEL = re.compile(
    r"(?:ust|vat|mwst|steuer|tax|tva|iva|btw|bank|sort|tel|phone|fax|handelsregister|hrb|iban|"
    r"bic)\W{0,3}(?:id|idnr|reg|registration)?\W{0,3}$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reference:
    """A reference number with where it stands and how sure the choice is."""

    found: Found[str]
    confidence: float


def identifiers_in(run: Run) -> list[Found[str]]:
    """Everything in a run that looks like an identifier: it has a digit and is neither date, amount nor IBAN."""
    taken = [(read.start, read.end) for read in dates_in(run.text)]
    found = []
    for match in _TOKEN.finditer(run.text):
        start, end, text = match.start(), match.end(), match.group()
        if any(start < b and a < end for a, b in taken) and re.fullmatch(r"[\d./-]+", text):
            continue
        if _is_identifier(text, run.text[start:]):
            skip = len(text) - len(text.lstrip("#"))
            found.append(Found(text[skip:], run, start + skip, end))
    return found


def _is_identifier(text: str, onwards: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    too_small = len(text) < 3 and digits < 2
    return not too_small and len(text) <= 36 and not _MONEY_LIKE.match(text) and not _IBAN.match(onwards)


def reference_number(layout: Layout, document_type: str | None) -> Reference | None:
    """The document's reference number: its own number first, then a case reference, an order, a customer number."""
    best: Reference | None = None
    for pattern, confidence in _priorities(document_type):
        for hit in labelled(layout, pattern, identifiers_in):
            reference = Reference(hit.found, confidence - _doubt(layout, hit))
            if best is None or reference.confidence > best.confidence:
                best = reference
    return best if best and best.confidence >= 0.5 else None


def _priorities(document_type: str | None) -> Iterator[tuple[re.Pattern[str], float]]:
    kind = document_type or ""
    if kind in _OWN:
        yield _OWN[kind], 0.96
    if kind in _HEADED:
        yield _HEADED[kind], 0.9
    yield _CASE, 0.82
    yield _GENERAL, 0.78 if kind != "contract" else 0.7
    yield _ORDER, 0.66
    yield _CUSTOMER, 0.56


def _doubt(layout: Layout, hit: Labelled[str]) -> float:
    found, line = hit.found, hit.line
    doubt = 0.0 if found.run.page == layout.first.number else 0.1
    label_at = line.text.lower().find(hit.label.lower())
    before = line.text[max(0, label_at - 16) : label_at]
    doubt += 0.02 if hit.below else 0.0
    doubt += 0.25 if _NOT_ITS_OWN.search(before) else 0.0
    doubt += 0.6 if _VAT_LABEL.search(before) else 0.0
    doubt += 0.06 if len(found.value) < 4 else 0.0
    between = found.run.text[: found.start].lower().rpartition(hit.label.lower())[2] if not hit.below else ""
    return doubt + (0.3 if len(re.findall(r"[^\W\d_]{4,}", between)) else 0.0)
