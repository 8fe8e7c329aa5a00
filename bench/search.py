"""Search benchmark: the embedded index against SQLite FTS5 on the same made-up documents, in the same run.

    python -m bench.search [--documents 20000] [--bytes 2000] [--repeat 30]

Prints build time, size, and p50/p99 of typical queries, each with the ratio to FTS5. FTS5 does much less (no typos, no
parts of words, no snippets of its own here, no facets), so the ratio is the price of those, not a race.
"""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from shared.search.port import Facet, SearchEntry, SearchQuery
from shared.search.tantivy_index import TantivySearchIndex

_ONSETS = (
    "",
    "b",
    "d",
    "f",
    "g",
    "h",
    "k",
    "l",
    "m",
    "n",
    "r",
    "s",
    "t",
    "w",
    "z",
    "st",
    "sch",
    "br",
    "fl",
    "kr",
    "pf",
)
_VOWELS = ("a", "e", "e", "i", "o", "u", "ä", "ö", "ü", "ei", "au", "ie")
_CODAS = ("", "", "n", "r", "s", "t", "l", "ch", "ng", "rt", "nd")
_ENDINGS = ("", "", "en", "er", "ung", "e", "t")
_KNOWN = ("Rechnung", "Versicherung", "Haftpflichtversicherung", "Mietvertrag", "Kontoauszug", "Stadtwerke", "Müller")


def vocabulary(size: int, chance: random.Random) -> list[str]:
    """Made-up words, German looking, short ones more frequent; every fourth is a compound of two others."""
    made: dict[str, None] = {}
    stems: list[str] = []
    while len(made) < size:
        if len(made) > 1_000 and chance.random() < 0.25:
            word = chance.choice(stems) + chance.choice(stems)
        else:
            word = "".join(_syllable(chance) for _ in range(chance.choice((1, 2, 2, 3)))) + chance.choice(_ENDINGS)
        made[word.capitalize() if chance.random() < 0.4 else word] = None
        if len(made) == 1_000:
            stems = [word.lower() for word in made]
    words = sorted(made, key=lambda word: len(word) + chance.randrange(12))
    return [*words[:60], *_KNOWN, *words[60:]]


def _syllable(chance: random.Random) -> str:
    return chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)


def entries(count: int, characters: int, seed: int = 7) -> Iterator[SearchEntry]:
    """Entries with Zipf-distributed words, numbers and codes among them."""
    chance = random.Random(seed)
    words = vocabulary(60_000, chance)
    cumulative = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    start = datetime(2015, 1, 1, tzinfo=UTC)
    for number in range(count):
        chosen = chance.choices(words, cum_weights=cumulative, k=characters // 7)
        chosen[5:5] = [
            f"RE-{number % 9 + 2016}-{number:06d}",
            f"{chance.randrange(10_000)},{chance.randrange(100):02d} EUR",
        ]
        yield SearchEntry(
            document_id=f"{number:032x}",
            version=1,
            received_at=start + timedelta(minutes=37 * number),
            document_date=date(2015, 1, 1) + timedelta(days=number % 3650),
            title=" ".join(chance.choices(words, cum_weights=cumulative, k=4)),
            sender=f"Sender {number % 300}",
            document_type=("invoice", "letter", "contract")[number % 3],
            language="de",
            tags=(f"tag {number % 40}",),
            pages=((1, " ".join(chosen)),),
        )


QUERIES: dict[str, tuple[str, str | None]] = {
    "one word": ("Versicherung", "Versicherung"),
    "two words": ("Rechnung Stadtwerke", "Rechnung AND Stadtwerke"),
    "three words": ("Mietvertrag Müller Kontoauszug", "Mietvertrag AND Muller AND Kontoauszug"),
    "as you type": ("rech", "rech*"),
    "one letter": ("r", "r*"),
    "phrase": ('"Rechnung Versicherung"', '"Rechnung Versicherung"'),
    "typo": ("Versciherung", None),
    "invoice number": ("RE-2022-000123", '"RE 2022 000123"'),
    "part of a number": ("000123", "000123"),
    "nothing found": ("Quarzphilharmonie Xyzzyq", "Quarzphilharmonie AND Xyzzyq"),
}


def main() -> None:
    """Run it all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--bytes", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        _compare(Path(directory), arguments.documents, arguments.bytes, arguments.repeat)


def _compare(directory: Path, count: int, characters: int, repeat: int) -> None:
    made = list(entries(count, characters))
    index = TantivySearchIndex(directory / "index")
    build = _seconds(lambda: index.write_all(made))
    one = _seconds(lambda: index.write(made[0]))
    index.close()
    database = sqlite3.connect(directory / "fts.sqlite")
    build_fts = _seconds(lambda: _fill(database, made))
    size, size_fts = _size(directory / "index"), _size(directory / "fts.sqlite")
    print(f"{count} documents of {characters} bytes")
    print(
        f"build    {build:8.1f} s   {count / build:8.0f}/s   FTS5 {build_fts:8.1f} s   ratio {build / build_fts:6.2f}"
    )
    print(f"size     {size:8.0f} MB                FTS5 {size_fts:8.0f} MB  ratio {size / size_fts:6.2f}")
    print(f"one more {one * 1000:8.1f} ms")
    reader = TantivySearchIndex(directory / "index")
    for name, (text, match) in QUERIES.items():
        _row(name, reader, database, text, match, repeat)
    _row("with facets", reader, database, "Versicherung", None, repeat, facets=tuple(Facet))


def _row(
    name: str,
    reader: TantivySearchIndex,
    database: sqlite3.Connection,
    text: str,
    match: str | None,
    repeat: int,
    facets: tuple[Facet, ...] = (),
) -> None:
    query = SearchQuery(text=text, facets=facets)
    total = reader.search(query).total
    p50, p99 = _percentiles(lambda: reader.search(query), repeat)
    line = f"{name:18} {total:7} found  p50 {p50:7.2f} ms  p99 {p99:7.2f} ms"
    if match is not None:
        fts50, fts99 = _percentiles(lambda: _ask(database, match), repeat)
        line += f"   FTS5 p50 {fts50:7.2f} p99 {fts99:7.2f}   ratio {p50 / fts50:6.2f}"
    print(line)


def _fill(database: sqlite3.Connection, made: list[SearchEntry]) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE VIRTUAL TABLE fts USING fts5(title, body, tokenize = 'unicode61 remove_diacritics 2')")
    rows = ((entry.title, entry.pages[0][1]) for entry in made)
    database.executemany("INSERT INTO fts VALUES (?, ?)", rows)
    database.commit()


def _ask(database: sqlite3.Connection, match: str) -> None:
    """What a result page needs: the count, twenty ranked rows with a snippet each."""
    database.execute("SELECT count(*) FROM fts WHERE fts MATCH ?", (match,)).fetchone()
    ranked = (
        "SELECT rowid, snippet(fts, 1, '[', ']', '', 30) FROM fts WHERE fts MATCH ? ORDER BY bm25(fts, 3, 1) LIMIT 20"
    )
    database.execute(ranked, (match,)).fetchall()


def _percentiles(call: Callable[[], object], repeat: int) -> tuple[float, float]:
    times = [_seconds(call) * 1000 for _ in range(repeat)]
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _size(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
