"""Documents in every state for the page tests: rows, objects and search entries, as the pipeline leaves them."""

import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pypdfium2
from PIL import Image
from sqlalchemy import Engine, delete
from weasyprint import HTML

from shared.database.documents import Arrival, apply_metadata, register
from shared.database.engine import writing
from shared.database.tables import Document, DocumentStep, OutboxEvent
from shared.documents import DocumentText, ObjectReference, PageText, Status, StepState, new_document_id
from shared.errors import EXPLANATIONS, FailureCode
from shared.events import DocumentConverted, DocumentRecognized
from shared.metadata import DocumentType, Evidence, Metadata, Money, Value
from shared.search.port import SearchEntry
from shared.search.settings import SearchSettings, search_writer
from shared.storage.port import ObjectStore

NOW = datetime.now(UTC)
PDF = "application/pdf"
_STYLE = """
@page { size: A4; margin: 22mm 20mm }
body { font: 10.5pt/1.5 "DejaVu Sans", sans-serif; color: #222 }
h1 { font-size: 17pt; margin: 18mm 0 6mm } table { width: 100%; border-collapse: collapse } td, th { text-align: left;
padding: 2mm 0; border-bottom: .2mm solid #bbb } td:last-child, th:last-child { text-align: right }
.far { text-align: right }
h2 { break-before: page }
"""


@dataclass(frozen=True)
class Sample:
    """What a document of the library looks like. `quotes` name the words of each field that stand on the first page."""

    filename: str
    html: str = ""
    metadata: Metadata = field(default_factory=Metadata)
    quotes: dict[str, str] = field(default_factory=dict)
    status: Status = Status.READY
    code: str | None = None
    steps: tuple[tuple[str, StepState, int, int | None, int | None], ...] = ()
    age: timedelta = timedelta(hours=1)
    trashed: bool = False
    media_type: str = PDF


DONE = (
    ("convert", StepState.DONE, 1, None, None),
    ("ocr", StepState.DONE, 1, None, None),
    ("enrich", StepState.DONE, 1, None, None),
    ("index", StepState.DONE, 1, None, None),
)


def invoice_html(sender: str, number: str, day: str, total: str) -> str:
    """An invoice of two pages; the terms are on the second."""
    return f"""<p>{sender}<br>12 Harbour Road, Bristol BS1 4ST</p><p class=far>{day}</p><h1>Invoice {number}</h1>
    <p>Dear Ms Keller, thank you for your order of 14 oak shelves. We charge as agreed:</p>
    <table><tr><th>Item</th><th>Amount</th></tr><tr><td>Oak shelf, oiled, 80 cm</td><td>€1,120.00</td></tr>
    <tr><td>Delivery to the workshop</td><td>€48.00</td></tr><tr><td>Total</td><td><b>{total}</b></td></tr></table>
    <p>Please pay until 14 December 2026 to our account.</p>
    <h2>Terms of delivery</h2><p>The warranty for the shelves is five years. Shelves that are returned within thirty
    days are refunded in full; the carrier collects them at the workshop.</p>"""


def letter_html(title: str, *paragraphs: str, direction: str = "ltr") -> str:
    """A letter of one page."""
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    return f'<div dir="{direction}"><h1>{title}</h1>{body}</div>'


def value(content: object, confidence: float = 0.95) -> Value:
    """A value that a rule found."""
    return Value(value=content, confidence=confidence, origin="rule")


def samples() -> list[Sample]:
    """One document of each kind that a page has to show well."""
    return [
        Sample(
            "scan-2026-11-23.pdf",
            invoice_html("Tischlerei Nordlicht GmbH", "NL-2026-1187", "23 November 2026", "€1,168.00"),
            Metadata(
                title=value("Invoice NL-2026-1187, oak shelves"),
                document_type=value(DocumentType.INVOICE),
                sender=value("Tischlerei Nordlicht GmbH"),
                recipient=value("Ms Keller", 0.7),
                document_date=value("2026-11-23"),
                due_date=value("2026-12-14", 0.9),
                language=value("en"),
                reference_number=value("NL-2026-1187"),
                total=value(Money(value="1168.00", currency="EUR")),
                tags=(value("workshop"), value("furniture")),
                summary=value("Invoice for 14 oak shelves with delivery, payable until 14 December 2026.", 0.5),
            ),
            {
                "sender": "Tischlerei Nordlicht GmbH",
                "recipient": "Ms Keller",
                "document_date": "23 November 2026",
                "due_date": "14 December 2026",
                "reference_number": "NL-2026-1187",
                "total": "€1,168.00",
            },
            steps=DONE,
            age=timedelta(minutes=4),
        ),
        Sample(
            "Mietvertrag Lagerhalle.docx",
            letter_html(
                "Mietvertrag",
                "Zwischen der Hafen Immobilien AG und Frau Keller wird vereinbart:",
                "Die Lagerhalle wird ab dem 1. Januar 2027 vermietet. Die Kündigungsfrist beträgt drei Monate.",
            ),
            Metadata(
                title=value("Mietvertrag Lagerhalle Überseestraße"),
                document_type=value(DocumentType.CONTRACT),
                sender=value("Hafen Immobilien AG", 0.75),
                document_date=value("2026-10-30"),
                language=value("de"),
                tags=(value("Lagerhalle"),),
            ),
            {"sender": "Hafen Immobilien AG"},
            steps=DONE,
            age=timedelta(hours=3),
            media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        Sample(
            "20261123_074512_scan_0007.tiff",
            status=Status.PROCESSING,
            steps=(DONE[0], ("ocr", StepState.RUNNING, 1, 3, 12), ("enrich", StepState.WAITING, 0, None, None)),
            html=letter_html("Minutes of the members' meeting"),
            age=timedelta(minutes=1),
            media_type="image/tiff",
        ),
        Sample(
            "Jahresbericht 2025.odt",
            status=Status.PROCESSING,
            steps=(("convert", StepState.RUNNING, 1, None, None), ("ocr", StepState.WAITING, 0, None, None)),
            age=timedelta(seconds=20),
            media_type="application/vnd.oasis.opendocument.text",
        ),
        Sample(
            "payslip-october.pdf",
            status=Status.ATTENTION,
            code="encrypted",
            steps=(("convert", StepState.FAILED, 1, None, None),),
            age=timedelta(minutes=40),
        ),
        Sample(
            "broken-export.pdf",
            status=Status.ATTENTION,
            code="corrupt",
            steps=(("convert", StepState.FAILED, 1, None, None),),
            age=timedelta(hours=2),
        ),
        Sample(
            "letter-hospital.pdf",
            letter_html("Findings", "The X-ray of the left wrist shows no fracture."),
            Metadata(title=value("Findings, left wrist"), document_type=value(DocumentType.MEDICAL, 0.62)),
            status=Status.ATTENTION,
            code="enrich_failed",
            steps=(*DONE[:2], ("enrich", StepState.FAILED, 5, None, None)),
            age=timedelta(hours=20),
        ),
        Sample(
            "kashf.pdf",
            letter_html("كشف حساب", "هذا كشف الحساب لشهر أكتوبر ألفين وستة وعشرين.", direction="rtl"),
            Metadata(
                title=value("كشف حساب شهر أكتوبر"),
                sender=value("بنك المدينة"),
                document_type=value(DocumentType.BANK_STATEMENT),
                document_date=value("2026-10-31"),
                language=value("ar"),
            ),
            steps=DONE,
            age=timedelta(days=2),
        ),
        Sample(
            "請求書.pdf",
            letter_html("請求書", "株式会社山田商店 御中"),
            Metadata(
                title=value("請求書 2026年11月分"),
                sender=value("株式会社山田商店"),
                document_type=value(DocumentType.INVOICE),
                total=value(Money(value="128000", currency="JPY")),
                document_date=value("2026-11-02"),
                language=value("ja"),
            ),
            steps=DONE,
            age=timedelta(days=3),
        ),
        Sample(
            "a-very-long-file-name-" + "that-never-ends-" * 9 + ".eml",
            letter_html("Re: Fwd: Re: Minutes"),
            Metadata(
                title=value(
                    "Re: Fwd: Re: Minutes of the extraordinary general meeting of the members "
                    "of the cooperative society for the maintenance of the old harbour cranes, second draft with the "
                    "remarks of the auditors"
                ),
                sender=value(
                    "Cooperative Society for the Maintenance of the Old Harbour Cranes, Registered Association"
                ),
                document_type=value(DocumentType.MINUTES),
                document_date=value("2026-09-14"),
                tags=tuple(value(f"tag number {n}") for n in range(9)),
            ),
            steps=DONE,
            age=timedelta(days=5),
            media_type="message/rfc822",
        ),
        Sample(
            "old-flyer.pdf",
            letter_html("Summer sale"),
            Metadata(title=value("Summer sale flyer")),
            steps=DONE,
            age=timedelta(days=9),
            trashed=True,
        ),
        *(_bill(month) for month in range(1, 10)),
    ]


def _bill(month: int) -> Sample:
    day, amount = date(2026, month, 3), Decimal("61.20") + month
    title = f"Electricity bill {day:%B %Y}"
    return Sample(
        f"bill-{month:02}.pdf",
        letter_html(title, f"Your meter reading gives {amount} EUR for the workshop."),
        Metadata(
            title=value(title),
            sender=value("Stadtwerke Bremen"),
            document_type=value(DocumentType.UTILITY_BILL),
            document_date=value(day.isoformat()),
            total=value(Money(value=str(amount), currency="EUR")),
            language=value("en"),
            tags=(value("energy"), value("workshop")),
        ),
        steps=DONE,
        age=timedelta(days=20 + 30 * (10 - month)),
    )


class Library:
    """Fills a database, a store and an index."""

    def __init__(self, engine: Engine, store: ObjectStore, data_dir: Path) -> None:
        self._engine = engine
        self._store = store
        self._index = search_writer(SearchSettings(data_dir=data_dir))

    def close(self) -> None:
        """Let go of the index, so that others may write."""
        self._index.close()

    def add(self, sample: Sample) -> str:
        """Put one document in; answers its id."""
        document_id = new_document_id()
        content = sample.filename.encode() * 700
        original = self._put(f"documents/{document_id}/original", content, sample.media_type)
        arrival = Arrival(document_id, new_document_id(), original, sample.filename, "web")
        with writing(self._engine) as session:
            register(session, arrival, source="/docuelevate/web")
            session.flush()
            document = session.get_one(Document, document_id)
            text = self._pages(document, sample) if sample.html else None
            self._shape(document, sample)
            session.execute(delete(DocumentStep).where(DocumentStep.document_id == document_id))
            session.add_all(_steps(document, sample))
            session.execute(delete(OutboxEvent))
            session.flush()
            apply_metadata(session, document)
        if sample.status is not Status.PROCESSING and not sample.trashed:
            self._index.write(_entry(document, text))
        return document_id

    def _put(self, key: str, content: bytes, media_type: str) -> ObjectReference:
        return self._store.put(key, content, media_type=media_type)

    def _pages(self, document: Document, sample: Sample) -> DocumentText:
        pdf = HTML(string=f'<meta charset="utf-8"><style>{_STYLE}</style>{sample.html}').write_pdf()
        place = f"documents/{document.id}"
        opened = pypdfium2.PdfDocument(pdf)
        text = DocumentText(pages=tuple(_page(opened[index], index + 1) for index in range(len(opened))))
        common = {"document_id": document.id, "fingerprint": "0" * 64}
        converted = self._put(f"{place}/convert/{'0' * 64}/a/document.pdf", pdf, PDF)
        document.converted = DocumentConverted.model_validate(
            common | {"input_fingerprint": document.sha256, "pdf": converted, "pages": len(opened), "converter": "none"}
        ).model_dump(mode="json")
        document.pages = len(opened)
        self._thumbnail(document.id, opened)
        if sample.status is not Status.PROCESSING:
            document.recognized = DocumentRecognized.model_validate(
                common
                | {
                    "input_fingerprint": "0" * 64,
                    "text": self._put(
                        f"{place}/ocr/{'0' * 64}/a/text.json", text.model_dump_json().encode(), "application/json"
                    ),
                    "searchable_pdf": self._put(f"{place}/ocr/{'0' * 64}/a/searchable.pdf", pdf, PDF),
                    "pages": len(opened),
                    "ocr_pages": 0,
                }
            ).model_dump(mode="json")
            document.machine_metadata = _with_evidence(sample, opened[0]).model_dump(mode="json")
        return text

    def _thumbnail(self, document_id: str, opened: pypdfium2.PdfDocument) -> None:
        picture: Image.Image = opened[0].render(scale=0.6).to_pil()
        target = io.BytesIO()
        picture.save(target, "WEBP", quality=70)
        self._put(f"documents/{document_id}/derived/thumbnail.webp", target.getvalue(), "image/webp")

    def _shape(self, document: Document, sample: Sample) -> None:
        document.status = sample.status.value
        document.code = sample.code
        document.message = EXPLANATIONS[FailureCode(sample.code)].message if sample.code else None
        document.received_at = document.run_started_at = NOW - sample.age
        document.trashed_at = NOW if sample.trashed else None
        document.indexed_version = 0 if sample.status is Status.PROCESSING else document.version


def _page(page: pypdfium2.PdfPage, number: int) -> PageText:
    width, height = page.get_size()
    text = page.get_textpage().get_text_bounded()
    return PageText(number=number, width=width, height=height, source="digital", text=text)


def _with_evidence(sample: Sample, page: pypdfium2.PdfPage) -> Metadata:
    found = {name: _evidence(page, quote) for name, quote in sample.quotes.items()}
    fields = {name: getattr(sample.metadata, name).model_copy(update={"evidence": found[name]}) for name in found}
    return sample.metadata.model_copy(update=fields)


def _evidence(page: pypdfium2.PdfPage, quote: str) -> Evidence:
    """Where the words stand: one box per line of text, origin at the top left."""
    text, height = page.get_textpage(), page.get_height()
    place = text.search(quote).get_next()
    assert place is not None, quote
    boxes = [text.get_rect(index) for index in range(text.count_rects(*place))]
    return Evidence(page=1, quote=quote, boxes=tuple((x0, height - y1, x1, height - y0) for x0, y0, x1, y1 in boxes))


def _steps(document: Document, sample: Sample) -> list[DocumentStep]:
    started = document.run_started_at
    steps = []
    for name, state, attempts, done, total in sample.steps:
        ended = started + timedelta(seconds=1.4)
        over = state in (StepState.DONE, StepState.FAILED)
        steps.append(
            DocumentStep(
                document_id=document.id,
                runid=document.runid,
                step=name,
                state=state.value,
                attempts=attempts,
                started_at=started if attempts else None,
                finished_at=ended if over else None,
                code=sample.code if state is StepState.FAILED else None,
                done=done,
                total=total,
            )
        )
        started = ended
    return steps


def _entry(document: Document, text: DocumentText | None) -> SearchEntry:
    metadata = Metadata.model_validate(document.machine_metadata)
    day = metadata.document_date
    return SearchEntry(
        document_id=document.id,
        version=document.version,
        received_at=document.received_at,
        owner=document.owner,
        status=Status(document.status),
        title=document.title,
        filename=document.filename,
        sender=document.sender,
        document_type=document.document_type,
        document_date=date.fromisoformat(day.value) if day else None,
        language=document.language,
        tags=tuple(tag.value for tag in metadata.tags),
        pages=tuple((page.number, page.text) for page in text.pages) if text else (),
    )
