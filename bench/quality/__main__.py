"""Measures the built-in metadata extractor: precision, recall and F1 per field and per language.

    python -m bench.quality [--templates development|held_out] [--count N] [--scans 0.33] [--errors]

Documents are invented, rendered to real PDFs and read back (a share of them through a simulated scan and Tesseract), so
boxes and reading errors are real. The *held out* templates are other wordings and layouts than those the rules were
improved on: theirs is the figure to believe. `--errors` lists what was wrong, and is meant for development templates.
"""

import argparse
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bench.quality import development, held_out
from bench.quality.development import Template
from bench.quality.reading import text_of
from bench.quality.rendering import pdf_of, scanned
from bench.quality.scene import Scene
from functions.enrich.extractor import Hints
from functions.enrich.rule_extractor import RuleMetadataExtractor
from shared.documents import DocumentText
from shared.metadata import Metadata

FIELDS = (
    *("document_type", "title", "sender", "recipient", "document_date", "due_date"),
    *("language", "reference_number", "total"),
)
NULL_UNLESS_LABELLED = frozenset({"due_date", "total"})
SETS = {"development": development.TEMPLATES, "held_out": held_out.TEMPLATES}


@dataclass(frozen=True)
class Sample:
    """One document as the extractor gets it, and what a careful reader says about it."""

    name: str
    language: str
    scan: bool
    text: DocumentText
    labels: dict[str, Any]


def samples(templates: dict[str, tuple[Template, str]], count: int, scans: float) -> Iterator[Sample]:
    """`count` documents of each template and country; every scan is made from the same document as its digital form."""
    for name, (template, countries) in templates.items():
        for country in countries.split():
            for number in range(count):
                rng = random.Random(f"{name} {country} {number}")
                scene = Scene(country, rng)
                body, labels = template(scene)
                size = labels.pop("_size", "A4")
                pdf = pdf_of(body, rng, size, "18mm" if size == "A4" else "6mm")
                scan = rng.random() < scans
                text = text_of(scanned(pdf, rng) if scan else pdf, "deu+eng" if scene.language == "de" else "eng")
                yield Sample(
                    f"{name}-{country}-{number}", scene.language, scan, text, {"language": scene.language, **labels}
                )


def judged(field: str, labels: dict[str, Any], metadata: Metadata) -> str | None:
    """`right`, `wrong` (a value that is not the label's), `missed`, or none where there is nothing to judge."""
    value = getattr(metadata, field)
    got = value.value if value else None
    if field not in labels and not (field in NULL_UNLESS_LABELLED and got is not None):
        return None
    want = labels.get(field)
    if want is None:
        return None if got is None else "wrong"
    if got is None:
        return "missed"
    return "right" if _same(field, got, want) else "wrong"


def _same(field: str, got: Any, want: Any) -> bool:
    if isinstance(want, date):
        return bool(got == want.isoformat())
    if isinstance(want, Decimal):
        return Decimal(got.value) == want
    if field == "title":
        return all(_plain(part) in _plain(got) for part in want)
    return _plain(str(got)) == _plain(str(want))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _row(name: str, counts: Counter[str]) -> str:
    right, wrong, missed = counts["right"], counts["wrong"], counts["missed"]
    labelled = right + missed + counts["wrong of a labelled one"]
    precision, recall = right / max(1, right + wrong), right / max(1, labelled)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return f"{name:<28}{precision:>10.3f}{recall:>10.3f}{f1:>10.3f}{labelled:>8}"


def _print_error(sample: Sample, field: str, verdict: str, got: object) -> None:
    print(f"{sample.name:<24}{field:<18}{verdict:<8}want {sample.labels.get(field)!s:<32} got {got}")


class Tally:
    """Verdicts counted by group and field, and by the confidence the extractor gave."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._by_confidence: dict[int, Counter[str]] = defaultdict(Counter)

    def add(self, sample: Sample, field: str, verdict: str, confidence: float | None) -> None:
        """Count one verdict; `confidence` is none where there is no value."""
        labelled = sample.labels.get(field) is not None
        for group in ("all", sample.language, "scan" if sample.scan else "digital"):
            self._counts[group, field][verdict] += 1
            self._counts[group, field]["wrong of a labelled one"] += verdict == "wrong" and labelled
        if confidence is not None:
            self._by_confidence[int(confidence * 10)][verdict] += 1

    def print(self) -> None:
        """One table per group, then how often values of each confidence were right."""
        for group in ("all", "de", "en", "digital", "scan"):
            print(f"\n{group:<28}{'precision':>10}{'recall':>10}{'F1':>10}{'n':>8}")
            for field in FIELDS:
                print(_row(field, self._counts[group, field]))
            print(_row("every field", sum((self._counts[group, field] for field in FIELDS), Counter())))
        print("\nconfidence  right  of")
        for tenth, verdicts in sorted(self._by_confidence.items()):
            share = verdicts["right"] / max(1, verdicts.total())
            print(f"{tenth / 10:.1f}-{tenth / 10 + 0.1:.1f}    {share:>6.2f}{verdicts.total():>6}")


def main() -> None:
    """Print the tables for one set of templates."""
    options = _options()
    tally, extractor, seconds, total = Tally(), RuleMetadataExtractor(), 0.0, 0
    for sample in samples(SETS[options.templates], options.count, options.scans):
        start = time.perf_counter()
        metadata = extractor.extract(sample.text, Hints(filename="scan_0001.pdf")).metadata
        seconds, total = seconds + time.perf_counter() - start, total + 1
        for field in FIELDS:
            verdict, value = judged(field, sample.labels, metadata), getattr(metadata, field)
            if verdict is None:
                continue
            tally.add(sample, field, verdict, value.confidence if value else None)
            if options.errors and verdict != "right":
                _print_error(sample, field, verdict, value.value if value else None)
    print(f"{options.templates} templates: {total} documents, {1000 * seconds / max(1, total):.1f} ms each")
    tally.print()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.quality")
    parser.add_argument("--templates", choices=SETS, default="held_out")
    parser.add_argument("--count", type=int, default=4, help="documents per template and country")
    parser.add_argument("--scans", type=float, default=0.33, help="share of documents read through a simulated scan")
    parser.add_argument("--errors", action="store_true", help="list what was wrong (development templates only)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
