"""Amounts of money: reading them in their usual forms, and telling the total from all the others."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from functions.enrich.labelled import Found, labelled
from functions.enrich.layout import Layout, Run
from functions.enrich.wording import labels

_SYMBOLS = {
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "$": "USD",
    "us$": "USD",
    "usd": "USD",
    "ca$": "CAD",
    "c$": "CAD",
    "cad": "CAD",
    "a$": "AUD",
    "au$": "AUD",
    "aud": "AUD",
    "£": "GBP",
    "gbp": "GBP",
    "chf": "CHF",
    "fr.": "CHF",
    "sfr.": "CHF",
    "sfr": "CHF",
    "¥": "JPY",
    "jpy": "JPY",
    "zł": "PLN",
    "pln": "PLN",
    "₹": "INR",
    "inr": "INR",
    "rs.": "INR",
    "rm": "MYR",
    "myr": "MYR",
    "sek": "SEK",
    "nok": "NOK",
    "dkk": "DKK",
    "kč": "CZK",
    "czk": "CZK",
    "huf": "HUF",
    "sgd": "SGD",
    "s$": "SGD",
    "nzd": "NZD",
    "hkd": "HKD",
    "cny": "CNY",
    "brl": "BRL",
    "r$": "BRL",
    "mxn": "MXN",
    "zar": "ZAR",
}
_CURRENCY = "(?:" + "|".join(re.escape(symbol) for symbol in sorted(_SYMBOLS, key=len, reverse=True)) + ")"
_GROUPED = r"\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3})+"
_NUMBER = rf"(?:{_GROUPED}|\d{{1,9}})(?:[.,](?:\d\d(?!\d)|[-–—]{{1,2}}))?"
_MONEY = re.compile(
    rf"(?<![\w.,/%])(?P<minus>[-–−(]\s?)?(?:(?P<before>{_CURRENCY})[\s:]?(?P<minus2>[-–−])?\s?)?"
    rf"(?P<number>{_NUMBER})(?![\d%]|[.,:/]\d|\s?%|[-–/]\d)(?P<trailing>-(?=\s|$))?"
    rf"(?:\s?(?P<after>{_CURRENCY})(?!\w))?",
    re.IGNORECASE,
)
_UNIT_AFTER = re.compile(
    r"^\s?(?:kwh|kg|g|km|m²|m2|qm|m³|l|h|std|stk|stück|pcs|cm|mm|gb|mb|ml|mg|x|hours?|hrs?|days?|tage)\b", re.IGNORECASE
)

_GROSS = labels(
    (
        *(
            "gesamtbetrag",
            "rechnungsbetrag",
            "endbetrag",
            "gesamtsumme",
            "endsumme",
            "rechnungssumme",
            "bruttobetrag",
            "bruttosumme",
            "summe brutto",
        ),
        *(
            "gesamt brutto",
            "brutto gesamt",
            "gesamtbetrag brutto",
            "total brutto",
            "gesamtpreis brutto",
            "rechnungsendbetrag",
            "gesamtbetrag inkl",
        ),
        *(
            "gesamt inkl",
            "summe inkl",
            "betrag inkl",
            "gesamtkosten",
            "gutschriftsbetrag",
            "gesamtbeitrag",
            "jahresbeitrag",
            "angebotssumme",
            "auftragssumme",
        ),
        *(
            "grand total",
            "invoice total",
            "total amount",
            "order total",
            "total incl",
            "total inc",
            "total including",
            "gross total",
            "total gross",
        ),
        *(
            "gross amount",
            "invoice amount",
            "credit total",
            "total credit",
            "total premium",
            "total price",
            "total charges",
            "amount incl",
        ),
        *(
            "total payable",
            "total to pay",
            "total sum",
            "total invoice(?: value| amount)?",
            "total [(]?(?:gbp|usd|eur|chf|rm|aud|cad)[)]?",
            "total rounded",
            "rounded total",
            "nett total",
        ),
        *(
            "total t\\.?t\\.?c\\.?",
            "montant ttc",
            "montant total",
            "total général",
            "importe total",
            "total factura",
            "total a pagar",
            "total con iva",
        ),
        *(
            "totale fattura",
            "totale documento",
            "totale complessivo",
            "totaal incl",
            "totaalbedrag",
            "factuurbedrag",
            "totaal bedrag",
        ),
    )
)
_DUE = labels(
    (
        *(
            "zu zahlen(?:der betrag)?",
            "zahlbetrag",
            "zahlbar",
            "zahlungsbetrag",
            "fälliger betrag",
            "offener betrag",
            "offener gesamtbetrag",
            "restbetrag",
        ),
        *(
            "forderung(?:sbetrag)?",
            "gesamtforderung",
            "überweisungsbetrag",
            "auszahlungsbetrag",
            "auszahlung",
            "zu überweisen",
            "abrechnungsbetrag",
        ),
        *(
            "nachzahlung",
            "erstattung(?:sbetrag)?",
            "noch zu zahlen",
            "fälliger gesamtbetrag",
            "lastschriftbetrag",
            "abbuchungsbetrag",
        ),
        *(
            "amount due",
            "total due",
            "balance due",
            "amount payable",
            "total amount due",
            "amount to pay",
            "please pay",
            "outstanding(?: balance| amount)?",
        ),
        *(
            "net pay",
            "take home pay",
            "amount owed",
            "amount you owe",
            "total outstanding",
            "due payable",
            "payable",
            "amount outstanding",
            "refund amount",
            "payment due",
        ),
        *(
            "net à payer",
            "à payer",
            "reste à payer",
            "montant dû",
            "solde dû",
            "totale da pagare",
            "da pagare",
            "te betalen",
            "importe a pagar",
        ),
    )
)
_PLAIN = labels(
    (
        "total",
        "summe",
        "gesamt",
        "betrag",
        "totale",
        "totaal",
        "importe",
        "montant",
        "amount",
        "su",
        "brutto",
        "gross",
        "tot",
    )
)
_PARTS = (
    *("zuschläge", "abschläge", "nachlässe", "allowances", "surcharges", "ohne ust"),
    *(
        "sub",
        "subtotal",
        "zwischen",
        "zwischensumme",
        "netto",
        "net",
        "excl",
        "exkl",
        "ohne",
        "zzgl",
        "ht",
        "vat",
        "mwst",
        "ust",
    ),
    *(
        "tax",
        "steuer",
        "gst",
        "tva",
        "iva",
        "btw",
        "mehrwertsteuer",
        "umsatzsteuer",
        "nettobetrag",
        "nettosumme",
        "gesamtnetto",
    ),
    *(
        "steuerbetrag",
        "taxable",
        "imponibile",
        "base",
        "before",
        "vor",
        "items?",
        "artikel",
        "positionen",
        "anzahl",
        "qty",
        "quantity",
    ),
    *(
        "hours?",
        "stunden",
        "discounts?",
        "rabatt",
        "savings?",
        "saved",
        "points",
        "punkte",
        "weight",
        "gewicht",
        "shipping",
        "versand",
    ),
    *(
        "übertrag",
        "carried",
        "previous",
        "vorherige",
        "paid",
        "bezahlt",
        "gezahlt",
        "received",
        "erhalten",
        "deposit",
        "anzahlung",
    ),
    *(
        "changes?",
        "cash",
        "tendered",
        "gegeben",
        "rückgeld",
        "lohn",
        "monatlich",
        "per",
        "pro",
        "je",
        "each",
        "unit",
        "einzelpreis",
    ),
    *("mahngebühr", "summary", "ytd", "limit", "coverage"),
)
_PAID_OUT = labels(
    (
        *(
            "auszahlungsbetrag",
            "auszahlung",
            "überweisung",
            "überweisungsbetrag",
            "net pay",
            "take home pay",
            "net amount payable",
        ),
        *(
            "net payment",
            "net wages",
            "net salary",
            "nettolohn",
            "netto ?-?verdienst",
            "net à payer",
            "netto a pagare",
            "líquido a percibir",
        ),
    )
)
_AFTER_TAX = labels(("nett? total", "total nett?", "nett? amount"))
_PATTERNS = {
    "": ((_GROSS, 0.93, False), (_DUE, 0.88, False), (_PLAIN, 0.74, False)),
    "receipt": ((_GROSS, 0.93, False), (_DUE, 0.88, False), (_PLAIN, 0.74, False), (_AFTER_TAX, 0.74, True)),
    "payslip": ((_PAID_OUT, 0.9, True),),
}
"""Labels by type of document, with a confidence, and whether words for a part of the total do not matter there.

On till slips "net total" is what is left to pay after tax and discount; elsewhere it is the sum before tax.
"""
_NOT_TOTAL = labels(_PARTS)
_INCLUDING = re.compile(
    r"(?:incl|inkl|inc|including|einschl|mit|plus|with|ttc|gross|brutto)\w*\.?\s?(?:der |of |all )?"
    r"(?:\W{0,3}\d{1,2}(?:[.,]\d{1,2})?\s?%\s?)?(?:vat|mwst|ust|umsatzsteuer|mehrwertsteuer|tax(?:es)?|gst|"
    r"steuern?|tva|iva|btw)\b",
    re.IGNORECASE,
)

MAX_AMOUNTS = 20


@dataclass(frozen=True)
class Amount:
    """An amount as read; `currency` is none where the amount itself shows none, `exact` if it has cents."""

    value: Decimal
    currency: str | None
    exact: bool


@dataclass(frozen=True)
class Total:
    """The total chosen, with the place it was read from."""

    found: Found[Amount]
    currency: str | None
    confidence: float


def amounts_in(run: Run) -> list[Found[Amount]]:
    """Every amount of money in a run: a number with a currency, or with exactly two decimals."""
    found = []
    for match in _MONEY.finditer(run.text):
        amount = _amount(match)
        if amount and not (amount.currency is None and _UNIT_AFTER.match(run.text[match.end() :])):
            found.append(Found(amount, run, *_span(match)))
    return found


def _span(match: re.Match[str]) -> tuple[int, int]:
    start, end = match.span()
    text = match.group()
    return start + len(text) - len(text.lstrip(" (")), end


def _amount(match: re.Match[str]) -> Amount | None:
    symbol = match["before"] or match["after"]
    value, exact = number(match["number"])
    if value is None or (symbol is None and (not exact or " " in match["number"])):
        return None  # "2 125,00" may be a quantity and a price; only a currency makes it one number
    negative = (match["minus"] or "").strip() in {"-", "–", "−"} or match["minus2"] or match["trailing"]
    currency = _SYMBOLS[symbol.lower()] if symbol else None
    return Amount(-value if negative else value, currency, exact)


def number(text: str) -> tuple[Decimal | None, bool]:
    """The value of a number as written ("1.234,56", "1,234.56", "1'234.50", "12,--"), and whether it has cents."""
    dashed = re.sub(r"[.,][-–—]{1,2}$", ".00", text)
    cents = re.search(r"[.,](\d\d)$", dashed)
    whole = dashed[: cents.start()] if cents else dashed
    digits = re.sub(r"[.,'’\s]", "", whole)
    try:
        return Decimal(f"{digits}.{cents[1]}" if cents else digits), cents is not None
    except InvalidOperation:
        return None, False


def document_currency(layout: Layout) -> str | None:
    """The currency most amounts of the document are in; else the only currency sign or code anywhere."""
    seen = Counter(found.value.currency for line in layout.lines for found in amounts_in(line) if found.value.currency)
    if seen:
        return seen.most_common(1)[0][0]
    named = {_SYMBOLS[word.lower()] for word in re.findall(r"€|£|\b(?:EUR|USD|GBP|CHF|CAD|AUD|Euro)\b", layout.text)}
    return named.pop() if len(named) == 1 else None


def total(layout: Layout, document_type: str | None = None) -> Total | None:
    """The total of the document, or none when no label names one. Of a payslip it is what was paid out."""
    candidates = list(_candidates(layout, document_type))
    if not candidates:
        return None
    sums = _confirmed_sums(layout)
    best = max(candidates, key=lambda item: (_ranked(item, sums), abs(item.found.value.value)))
    found = _rounded(layout, best.found, candidates) or best.found
    rivals = {item.found.value.value for item in candidates if item.confidence > best.confidence - 0.05}
    confirmed = 0.05 if found.value.value in sums else 0.0
    confidence = min(0.98, best.confidence + confirmed) - (0.15 if len(rivals) > 1 else 0.0)
    return Total(found, found.value.currency or document_currency(layout), confidence)


_ROUNDING = re.compile(r"round|rundung|arrondi|redondeo|arrotond|afrond", re.IGNORECASE)


def _rounded(layout: Layout, chosen: Found[Amount], candidates: list["_Candidate"]) -> Found[Amount] | None:
    """The total after it was rounded to the smallest coin, where a till slip shows both."""
    if _ROUNDING.search(layout.text) is None:
        return None
    below = (
        item.found
        for item in candidates
        if (item.found.run.page, item.found.run.top) > (chosen.run.page, chosen.run.top)
    )
    return next((found for found in below if 0 < abs(found.value.value - chosen.value.value) <= Decimal("0.05")), None)


@dataclass(frozen=True)
class _Candidate:
    """An amount with a label that may make it the total."""

    confidence: float
    found: Found[Amount]


def _ranked(candidate: _Candidate, sums: set[Decimal]) -> float:
    return round(candidate.confidence + (0.12 if candidate.found.value.value in sums else 0.0), 2)


def _candidates(layout: Layout, document_type: str | None) -> Iterator[_Candidate]:
    for pattern, confidence, keeps_parts in _PATTERNS.get(document_type or "", _PATTERNS[""]):
        for hit in labelled(layout, pattern, amounts_in, last_in_row=True):
            context = hit.cell.text if hit.below else hit.line.text
            if hit.found.value.value != 0 and (keeps_parts or not _is_part(context, hit.label)):
                yield _Candidate(confidence - (0.06 if hit.below else 0.0), hit.found)


def _is_part(line: str, label: str) -> bool:
    """Whether the words around the label make it a part of the total: net, tax, subtotal, a number of things."""
    start = line.lower().find(label.lower())
    around = line[max(0, start - 24) : start + len(label) + 24]
    if _INCLUDING.search(line):
        return False
    return _NOT_TOTAL.search(around.replace(label, " ")) is not None


def _confirmed_sums(layout: Layout) -> set[Decimal]:
    """Amounts that are the sum of two others standing close together, as net + tax = total does."""
    values = [found.value.value for line in layout.lines for found in amounts_in(line) if found.value.value > 0]
    tail = values[-40:]
    present = set(tail)
    pairs = ((a, b) for i, a in enumerate(tail) for b in tail[i + 1 : i + 6] if Decimal("0.02") * max(a, b) < min(a, b))
    return {a + b for a, b in pairs if a + b in present and min(a, b) * 3 < max(a, b)}


def all_amounts(layout: Layout) -> list[Found[Amount]]:
    """The distinct amounts of the document with their places, in reading order, at most `MAX_AMOUNTS`."""
    first: dict[tuple[Decimal, str | None], Found[Amount]] = {}
    for line in layout.lines:
        for cell in line.cells:
            for found in amounts_in(cell):
                first.setdefault((found.value.value, None), found)
    return [found for found in first.values() if found.value.value != 0][:MAX_AMOUNTS]
