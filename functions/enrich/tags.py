"""Tags: the library's own words where the document uses them, then its topic."""

import re
from collections.abc import Iterator, Sequence

from functions.enrich.labelled import Found
from functions.enrich.layout import Layout, Run
from functions.enrich.wording import labels

MAX_TAGS = 5
MAX_KNOWN = 2000

_TOPICS: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    ({"en": "electricity", "de": "Strom"}, ("strom", "stromverbrauch", "electricity", "kwh", "stromzähler", "électricité")),
    ({"en": "gas", "de": "Gas"}, ("erdgas", "gasverbrauch", "natural gas", "therms", "gaszähler")),
    ({"en": "water", "de": "Wasser"}, ("trinkwasser", "abwasser", "schmutzwasser", "wastewater", "sewer", "water usage", "water charges")),
    ({"en": "telecom", "de": "Telekommunikation"}, ("mobilfunk", "festnetz", "rufnummer", "broadband", "dsl", "data usage", "mobile plan", "glasfaser")),
    ({"en": "insurance", "de": "Versicherung"}, ("versicherungsschein", "versicherungsnehmer", "versicherungsschutz", "policyholder", "sum insured", "premium", "deductible", "insurance")),
    ({"en": "car", "de": "Auto"}, ("kfz", "fahrzeug", "kennzeichen", "kilometerstand", "vehicle", "odometer", "mileage", "registration plate", "werkstatt")),
    ({"en": "rent", "de": "Miete"}, ("mietvertrag", "mietsache", "kaltmiete", "vermieter", "landlord", "tenant", "lease", "kaution")),
    ({"en": "health", "de": "Gesundheit"}, ("diagnose", "patient", "patientin", "befund", "arzt", "diagnosis", "physician", "prescription", "krankenkasse")),
    ({"en": "tax", "de": "Steuer"}, ("finanzamt", "einkommensteuer", "steuerbescheid", "tax year", "taxable income", "tax return", "lohnsteuer")),
    ({"en": "bank", "de": "Bank"}, ("kontoauszug", "kontostand", "opening balance", "closing balance", "account statement", "girokonto")),
    ({"en": "salary", "de": "Gehalt"}, ("bruttolohn", "gehaltsabrechnung", "gross pay", "net pay", "entgeltabrechnung", "payslip")),
    ({"en": "travel", "de": "Reise"}, ("hotel", "flug", "boarding", "flight", "buchung", "booking", "übernachtung", "check-in", "reiseplan", "itinerary")),
    ({"en": "school", "de": "Schule"}, ("schule", "schüler", "elternabend", "klassenlehrer", "pupil", "school year", "schuljahr", "semester")),
)  # fmt: skip


def tags(layout: Layout, known: Sequence[str], language: str | None) -> list[tuple[str, Found[str], float]]:
    """At most `MAX_TAGS` tags with the words that earned them and a confidence; known tags first."""
    chosen: list[tuple[str, Found[str], float]] = []
    taken: set[str] = set()
    for name, found, confidence in (*_known(layout, known), *_topics(layout, known, language)):
        if name.lower() not in taken and len(chosen) < MAX_TAGS:
            taken.add(name.lower())
            chosen.append((name, found, confidence))
    return chosen


def _known(layout: Layout, known: Sequence[str]) -> Iterator[tuple[str, Found[str], float]]:
    ranked = sorted(
        {name for name in known[:MAX_KNOWN] if len(name) >= 3}, key=lambda name: -layout.lower_text.count(name.lower())
    )
    for name in ranked:
        if name.lower() in layout.lower_text and (found := _whole_word(layout, name)):
            yield name, found, 0.85


def _whole_word(layout: Layout, name: str) -> Found[str] | None:
    return _first(layout, re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE))


def _first(layout: Layout, pattern: re.Pattern[str]) -> Found[str] | None:
    for line in layout.lines:
        if match := pattern.search(line.text):
            return Found(match.group(), _run(line), match.start(), match.end())
    return None


def _run(line: Run) -> Run:
    return line


def _topics(layout: Layout, known: Sequence[str], language: str | None) -> Iterator[tuple[str, Found[str], float]]:
    """Topics of which at least two words, or one word three times, occur; named as the library names them."""
    spelled = {name.lower(): name for name in known}
    for names, phrases in _TOPICS:
        matches = [match.lower() for match in labels(phrases).findall(layout.text[:30_000])]
        if len(set(matches)) >= 2 or len(matches) >= 3:
            name = next((spelled[n.lower()] for n in names.values() if n.lower() in spelled), None)
            found = _first(layout, labels(phrases))
            if found:
                yield name or names["de" if (language or "").startswith("de") else "en"], found, 0.75
