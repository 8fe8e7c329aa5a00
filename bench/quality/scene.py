# ruff: noqa: E501 - page templates and word lists read better unbroken
"""Invented people, companies, dates and amounts, written as each country writes them. Deterministic by seed."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

FIRST = {
    "de": [
        "Anna",
        "Lukas",
        "Sabine",
        "Jürgen",
        "Miriam",
        "Thorsten",
        "Özlem",
        "Kai-Uwe",
        "Franziska",
        "Bernd",
        "Leonie",
        "Xaver",
    ],
    "en": [
        "Olivia",
        "James",
        "Priya",
        "Declan",
        "Hannah",
        "Marcus",
        "Siobhan",
        "Terrence",
        "Aisha",
        "Colin",
        "Beatrice",
        "Wayne",
    ],
}
LAST = {
    "de": [
        "Krämer",
        "Vogelsang",
        "Özdemir",
        "Lindner",
        "Habermehl",
        "Wiesner",
        "Schäfer-Roth",
        "Nowak",
        "Ehrlich",
        "Pfeiffer",
        "Baumgartner",
        "Zöller",
    ],
    "en": [
        "Whitfield",
        "O'Connor",
        "Patel",
        "Hargreaves",
        "Lindqvist",
        "Donnelly",
        "Mbeki",
        "Ashworth",
        "Castellano",
        "Pruitt",
        "Ferreira",
        "Yates",
    ],
}
FIRMS = {
    "de": ["Holzwerk Baier GmbH", "Elektro Sommer KG", "Nordlicht Medien UG", "Autohaus Reuter GmbH & Co. KG", "Bürobedarf Falk e.K.", "Tischlerei Morgenroth",
           "Quellwasser Technik AG", "Gartenbau Immergrün GbR", "Kröger & Söhne OHG", "Datenwerk Süd GmbH"],
    "en": ["Larkfield Plumbing Ltd", "Copper Kettle Catering LLC", "Brightwater Systems Inc.", "Oakhurst Joinery Limited", "Harbour & Finch LLP", "Summit Ridge Roofing Co.",
           "Pinecrest Landscaping, Inc.", "Meridian Print Works Ltd", "Two Rivers Supply Corp.", "Northgate Office Supplies PLC"],
}  # fmt: skip
STREETS = {
    "de": "Ahornweg Lindenstraße Am_Markt Hauptstr. Industriering Goethestraße Mühlgasse Bahnhofsplatz".replace(
        "_", "\u00a0"
    ).split(" "),
    "en": [
        "Maple Street",
        "King's Road",
        "Harbour Lane",
        "Sunset Blvd",
        "Station Road",
        "Elm Avenue",
        "Mill Close",
        "Orchard Drive",
    ],
}
TOWNS = {
    "de": ["48149 Münster", "04109 Leipzig", "79098 Freiburg", "24103 Kiel", "93047 Regensburg", "65183 Wiesbaden"],
    "uk": ["Leeds LS1 4AP", "Bristol BS1 5TR", "Norwich NR2 1AD", "Cardiff CF10 3NQ", "York YO1 7HH"],
    "us": ["Austin, TX 78701", "Portland, OR 97205", "Madison, WI 53703", "Tampa, FL 33602", "Dayton, OH 45402"],
}
GOODS = {
    "de": [
        "Beratung vor Ort",
        "Ersatzteil 40 mm",
        "Montagearbeiten",
        "Kopierpapier A4",
        "Anfahrtspauschale",
        "Schraubensatz",
        "Wartung Heizung",
        "Druckerpatrone",
    ],
    "en": [
        "On-site consulting",
        "Replacement valve",
        "Labour",
        "Copy paper A4",
        "Call-out charge",
        "Fixings set",
        "Boiler service",
        "Printer cartridge",
    ],
}
MONTHS = {
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


@dataclass
class Scene:
    """One document's invented world. `country` is de, uk or us; every choice comes from `rng`."""

    country: str
    rng: random.Random
    day: date = field(init=False)

    def __post_init__(self) -> None:
        self.day = date(2019, 1, 1) + timedelta(days=self.rng.randrange(2300))

    @property
    def language(self) -> str:
        return "de" if self.country == "de" else "en"

    def pick(self, *options: str) -> str:
        return self.rng.choice(options)

    def person(self) -> str:
        return f"{self.rng.choice(FIRST[self.language])} {self.rng.choice(LAST[self.language])}"

    def firm(self) -> str:
        return self.rng.choice(FIRMS[self.language])

    def street(self) -> str:
        number, street = self.rng.randrange(1, 180), self.rng.choice(STREETS[self.language])
        return f"{street} {number}" if self.country == "de" else f"{number} {street}"

    def town(self) -> str:
        return self.rng.choice(TOWNS[self.country])

    def later(self, days: int) -> date:
        return self.day + timedelta(days=days)

    def number(self, prefix: str = "", digits: int = 6) -> str:
        return prefix + str(self.rng.randrange(10 ** (digits - 1), 10**digits))

    def short_date(self, day: date | None = None) -> str:
        day = day or self.day
        return day.strftime({"de": "%d.%m.%Y", "uk": "%d/%m/%Y", "us": "%m/%d/%Y"}[self.country])

    def long_date(self, day: date | None = None) -> str:
        day = day or self.day
        month = MONTHS[self.language][day.month - 1]
        return {
            "de": f"{day.day}. {month} {day.year}",
            "uk": f"{day.day} {month} {day.year}",
            "us": f"{month} {day.day}, {day.year}",
        }[self.country]

    def any_date(self, day: date | None = None) -> str:
        return self.rng.choice([self.short_date, self.long_date])(day)

    def money(self, value: Decimal, bare: bool = False) -> str:
        plain = f"{value:,.2f}"
        if self.country == "de":
            plain = plain.replace(",", "_").replace(".", ",").replace("_", ".")
            return plain if bare else f"{plain} {'€' if self.rng.random() < 0.7 else 'EUR'}"
        return plain if bare else {"uk": "£", "us": "$"}[self.country] + plain

    @property
    def currency(self) -> str:
        return {"de": "EUR", "uk": "GBP", "us": "USD"}[self.country]

    def price(self, low: int = 5, high: int = 900) -> Decimal:
        return Decimal(self.rng.randrange(low * 100, high * 100)) / 100

    def items(self, count: int | None = None) -> list[tuple[str, int, Decimal]]:
        return [
            (self.rng.choice(GOODS[self.language]), self.rng.randrange(1, 9), self.price())
            for _ in range(count or self.rng.randrange(2, 6))
        ]

    @property
    def tax_rate(self) -> Decimal:
        return {"de": Decimal("0.19"), "uk": Decimal("0.20"), "us": Decimal("0.07")}[self.country]

    def sums(self, items: list[tuple[str, int, Decimal]]) -> tuple[Decimal, Decimal, Decimal]:
        """Net, tax and gross of some items."""
        net = sum((count * price for _, count, price in items), Decimal(0))
        tax = (net * self.tax_rate).quantize(Decimal("0.01"))
        return net, tax, net + tax
