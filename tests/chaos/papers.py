"""Engines that cost nothing and do their work: papers that say in JSON what a real file would say in PDF.

Everything that comes out is made from the bytes that went in, so that whatever is mixed up, lost or done twice shows.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.convert.core import Conversion, ConversionLimits
from functions.enrich.extractor import Extraction, Hints, MetadataExtractor
from functions.ocr.client import Assembled, mean_confidence, merged_notices
from functions.ocr.models import Line, PageGeometry, PageKind, PagePlan, RecognizedPage
from shared.documents import DocumentText, PageText, Word
from shared.errors import FailureCode, StepFailed, Unavailable
from tests.chaos.calls import Calls

A4 = (595.0, 842.0)
_MAGIC = b"%PDF-1.7\n"

Journal = Callable[[str], None]


def paper(*pages: str, scanned: bool = False, password: str | None = None) -> bytes:
    """A file of some pages."""
    return _MAGIC + json.dumps({"pages": pages, "scanned": scanned, "password": password}).encode()


def broken() -> bytes:
    """A file that nobody can read."""
    return _MAGIC + b'{"pages": ['


def _read(path: Path) -> dict[str, Any]:
    body = path.read_bytes()
    if not body.startswith(_MAGIC):
        return {"pages": body.decode().split("\f"), "scanned": False, "password": None}
    try:
        content: dict[str, Any] = json.loads(body.removeprefix(_MAGIC))
    except ValueError as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    return content


@dataclass(frozen=True)
class PaperMaker:
    """A `PdfMaker`."""

    calls: Calls
    journal: Journal

    def convert(
        self,
        source: Path,
        filename: str,
        media_type_hint: str,
        output: Path,
        *,
        limits: ConversionLimits,
        timeout_seconds: float,
        trace: str = "",
    ) -> Conversion:
        with self.calls.call("converter", lambda: Unavailable("the converter was stopped")):
            content = _read(source)
            self.journal(f"convert {_digest(source)}")
            if content["password"]:
                raise StepFailed(FailureCode.ENCRYPTED)
            output.write_bytes(paper(*content["pages"], scanned=content["scanned"]))
        return Conversion(pages=len(content["pages"]), converter="paper", media_type="application/pdf")

    def embed(self, source: Path, facts: Mapping[str, Any], output: Path, *, timeout_seconds: float) -> bool:
        return False

    def unlock(self, source: Path, password: str, output: Path, *, timeout_seconds: float) -> bool:
        with self.calls.call("converter", lambda: Unavailable("the converter was stopped")):
            content = _read(source)
            if content["password"] != password:
                return False
            output.write_bytes(paper(*content["pages"], scanned=content["scanned"]))
        return True


@dataclass(frozen=True)
class PaperTools:
    """The `PdfTools` of ocr."""

    calls: Calls

    def inspect(self, pdf: Path) -> tuple[PagePlan, ...]:
        with self.calls.call("inspection", lambda: Unavailable("the worker was stopped")):
            content = _read(pdf)
        kind = PageKind.OCR if content["scanned"] else PageKind.DIGITAL
        geometry = PageGeometry(box=(0, 0, *A4))
        return tuple(PagePlan(number=n, kind=kind, geometry=geometry) for n in range(1, len(content["pages"]) + 1))

    def assemble(
        self, pdf: Path, plans: Sequence[PagePlan], pages: Sequence[RecognizedPage], output: Path, engine: str
    ) -> Assembled:
        with self.calls.call("assembly", lambda: Unavailable("the worker was stopped")):
            content, read = _read(pdf), {page.number: page for page in pages}
            texts = [_page(plan, content, read.get(plan.number)) for plan in plans]
            output.write_bytes(paper(*(text.text for text in texts)))
        text = DocumentText(pages=tuple(texts), languages=("en",), engine=engine)
        return Assembled(text, merged_notices(pages), len(pages), mean_confidence(pages))

    def thumbnail(self, pdf: Path, output: Path) -> None:
        output.write_bytes(b"RIFF" + _digest(pdf).encode())


def _page(plan: PagePlan, content: Mapping[str, Any], read: RecognizedPage | None) -> PageText:
    digital = plan.kind is PageKind.DIGITAL
    text = content["pages"][plan.number - 1] if digital else _joined(read)
    words = () if read is None else read.words
    return PageText(
        number=plan.number, width=A4[0], height=A4[1], source="digital" if digital else "ocr", text=text, words=words
    )


def _joined(read: RecognizedPage | None) -> str:
    return "\n".join(" ".join(word.text for word in line.words) for line in read.lines) if read else ""


@dataclass
class PaperEngine:
    """An `OcrEngine`; `meanwhile` is called once, while it reads its first page."""

    calls: Calls
    journal: Journal
    meanwhile: Callable[[], None] | None = None
    name: str = "paper 1"

    def version(self, language: str | None = None) -> str:
        return f"paper 1 {language or ''}".strip()

    def recognize(
        self, pdf: Path, pages: Sequence[PagePlan], language: str | None = None, **how: Any
    ) -> tuple[RecognizedPage, ...]:
        with self.calls.call("engine", lambda: Unavailable("the worker was stopped")):
            content, digest = _read(pdf), _digest(pdf)
            for plan in pages:
                self.journal(f"page {digest} {plan.number} {language or ''}".strip())
            happening, self.meanwhile = self.meanwhile, None
            if happening:
                happening()
            return tuple(_recognized(plan.number, content["pages"][plan.number - 1], language) for plan in pages)


def _recognized(number: int, text: str, language: str | None) -> RecognizedPage:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if language:
        lines.append([f"({language})"])
    return RecognizedPage(number=number, lines=tuple(_line(y, words) for y, words in enumerate(lines)))


def _line(y: int, words: Sequence[str]) -> Line:
    top = 40.0 + 14 * y
    return Line(
        words=tuple(
            Word(text=word, box=(40.0 + 60 * x, top, 95.0 + 60 * x, top + 12), confidence=0.9)
            for x, word in enumerate(words)
        )
    )


@dataclass(frozen=True)
class CountedExtractor:
    """The built-in rules, with a call counted and written down as if each cost something."""

    extractor: MetadataExtractor
    calls: Calls
    journal: Journal

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        with self.calls.call("extractor", lambda: Unavailable("the model does not answer")):
            digest = hashlib.sha256(text.model_dump_json().encode()).hexdigest()[:16]
            self.journal(f"enrich {digest} {hints.language or ''}".strip())
            return self.extractor.extract(text, hints)

    def version(self) -> str:
        return self.extractor.version()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
