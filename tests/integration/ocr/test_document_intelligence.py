"""Azure Document Intelligence through its SDK, against a strict local server that speaks its protocol."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from functions.ocr.client import JailedPdfTools, mean_confidence, worker_pool
from functions.ocr.document_intelligence import AzureOcrEngine
from functions.ocr.engine import NoResult
from functions.ocr.models import PageGeometry, PageKind, PagePicture, PagePlan, RecognizedPage
from functions.ocr.operations import StoredOperations
from functions.ocr.settings import OcrSettings
from shared.errors import DocuElevateError, FailureCode, StepFailed, Throttled, Unavailable
from shared.results import Work
from shared.storage.directory import DirectoryObjectStore
from tests import papers
from tests.integration.ocr.pdf_maker import PdfMaker, picture
from tests.servers.document_intelligence import (
    INTERNAL,
    INVALID_CONTENT,
    KEY,
    OUT_OF_QUOTA,
    TOO_LARGE,
    TOO_MANY,
    DocumentIntelligence,
    document_intelligence,
    page_answer,
    said_lines,
)

A4 = (595.0, 842.0)
DOCUMENT = "0198f3c2-0000-7000-8000-000000000001"
LATER = {"Retry-After": "60"}
HURRIED = 9.0
"""Seconds that are too few for a wait like that: one question, and the event goes back."""


class Sketches:
    """Sends a grey page for each plan, without looking at the document."""

    def pictures(self, pdf: Path, plans: Sequence[PagePlan], output: Path) -> tuple[PagePicture, ...]:
        drawn = Image.new("L", (120, 170), 128)
        with pikepdf.new() as made:
            for plan in plans:
                size = plan.geometry.size
                page = made.add_blank_page(page_size=size)
                image = made.make_stream(drawn.tobytes(), Width=120, Height=170, BitsPerComponent=8)
                image.ColorSpace, image.Subtype = pikepdf.Name.DeviceGray, pikepdf.Name.Image
                page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=image))
            made.save(output)
        return tuple(
            PagePicture(number=plan.number, sent=place, frame=(0, 0, *plan.geometry.size))
            for place, plan in enumerate(plans, 1)
        )


@pytest.fixture
def server() -> Iterator[DocumentIntelligence]:
    with document_intelligence() as running:
        yield running


@pytest.fixture(scope="module")
def tools() -> Iterator[JailedPdfTools]:
    settings = OcrSettings(ocr_workers=1)
    pool = worker_pool(settings)
    yield JailedPdfTools(pool, settings)
    pool.close()


def engine(server: DocumentIntelligence, *, key: str = KEY, seconds: float = 20, answer: float = 10, **how: Any) -> Any:
    tools = how.pop("tools", Sketches())
    return AzureOcrEngine(
        tools, endpoint=server.url, key=key, timeout_seconds=seconds, answer_seconds=answer, pause_seconds=0.05
    )


def plans(*numbers: int, rotation: Any = 0, kind: PageKind = PageKind.OCR) -> tuple[PagePlan, ...]:
    geometry = PageGeometry(box=(0.0, 0.0, *A4), rotation=rotation)
    return tuple(PagePlan(number=number, kind=kind, geometry=geometry) for number in numbers or (1,))


def read(used: AzureOcrEngine, *numbers: int, **how: Any) -> tuple[RecognizedPage, ...]:
    return used.recognize(Path("unseen.pdf"), plans(*numbers), **how)


def refused(used: AzureOcrEngine, *numbers: int, **how: Any) -> DocuElevateError:
    with pytest.raises(DocuElevateError) as caught:
        read(used, *numbers, **how)
    return caught.value


def operations(directory: Path) -> StoredOperations:
    return StoredOperations(Work(DirectoryObjectStore(directory), DOCUMENT, "ocr", "1", "f" * 64, "c"), "0001-0008")


def words(page: RecognizedPage) -> list[str]:
    return [word.text for word in page.words]


# What is read.


def test_words_get_their_place_on_the_page(server: DocumentIntelligence) -> None:
    server.text = "Harbour Lighthouse\nSociety"
    [page] = read(engine(server))
    assert [[word.text for word in line.words] for line in page.lines] == [["Harbour", "Lighthouse"], ["Society"]]
    assert page.words[0].box == pytest.approx((59.5, 84.2, 89.25, 126.3), abs=0.02)
    assert page.words[0].confidence == 0.98


def test_pixels_and_inches_are_the_same_to_us(server: DocumentIntelligence) -> None:
    server.pages = [page_answer(1, (1654, 2339), said_lines("Harbour")) | {"unit": "pixel"}]
    [page] = read(engine(server))
    assert page.words[0].box == pytest.approx((59.5, 84.2, 89.25, 126.3), abs=0.02)


def test_pages_are_told_apart_by_number_not_by_order(server: DocumentIntelligence) -> None:
    answers = [page_answer(number, (8.27, 11.7), said_lines(f"page{number}")) for number in (3, 1, 2)]
    server.pages = answers
    assert [words(page) for page in read(engine(server), 4, 6, 9)] == [["page1"], ["page2"], ["page3"]]


def test_a_page_without_words_is_a_result(server: DocumentIntelligence) -> None:
    server.pages = [{"pageNumber": 1, "spans": []}]
    [page] = read(engine(server))
    assert (page.lines, page.failure, page.turn) == ((), None, 0)


@pytest.mark.parametrize(
    ("angle", "turn"), [(0.4, 0), (-2.0, 0), (90.0, 270), (-90.0, 90), (180.0, 180), (-179.6, 180)]
)
def test_a_page_that_lies_on_its_side_is_turned(server: DocumentIntelligence, angle: float, turn: int) -> None:
    server.angle = angle
    [page] = read(engine(server))
    assert page.turn == turn
    width, height = (A4[1], A4[0]) if turn in (90, 270) else A4
    assert all(0 <= word.box[0] < word.box[2] <= width and word.box[3] <= height for word in page.words)


def test_boxes_beyond_the_page_are_cut_and_odd_words_left_out(server: DocumentIntelligence) -> None:
    page = page_answer(1, (8.27, 11.7), said_lines("inside"))
    span = {"offset": 50, "length": 3}
    page["words"] += [
        {"content": "beyond", "polygon": [8, 1, 9, 1, 9, 2, 8, 2], "confidence": 1.7, "span": span},
        {"content": "outside", "polygon": [9, 1, 10, 1, 10, 2, 9, 2], "confidence": 0.5, "span": span},
        {"content": " \u0007 ", "polygon": [1, 1, 2, 1, 2, 2, 1, 2], "confidence": 0.5, "span": span},
        {"content": "nowhere", "confidence": 0.5, "span": span},
    ]
    server.pages = [page]
    [found] = read(engine(server))
    assert words(found) == ["inside", "beyond"]
    assert (found.words[1].box[2], found.words[1].confidence) == (595.0, 1.0)


def test_a_doubtful_page_is_told(server: DocumentIntelligence) -> None:
    page = page_answer(1, (8.27, 11.7), said_lines("scribble"))
    page["words"][0]["confidence"] = 0.3
    server.pages = [page]
    [found] = read(engine(server))
    assert [notice.code for notice in found.notices] == ["ocr_low_confidence"]


def test_a_language_that_was_named_is_a_hint(server: DocumentIntelligence) -> None:
    read(engine(server), language="deu")
    read(engine(server), language="eng+deu")
    assert [order.parameters.get("locale") for order in server.orders] == ["de", None]
    assert engine(server).version("deu") != engine(server).version()


def test_a_free_tier_is_noticed(server: DocumentIntelligence) -> None:
    server.page_limit = 2
    pages = read(engine(server), 1, 2, 3)
    assert [page.failure is None for page in pages] == [True, True, False]
    [notice] = pages[2].notices
    assert (notice.code, notice.pages, notice.needs_decision) == ("ocr_incomplete", (3,), True)
    assert "OCR_BATCH_PAGES=2" in notice.message


def test_pages_that_were_not_sent_are_not_believed(server: DocumentIntelligence) -> None:
    server.pages = [page_answer(7, (8.27, 11.7), said_lines("other"))]
    assert isinstance(refused(engine(server)), NoResult)


# What is sent.


def test_only_the_pages_of_the_batch_are_sent_as_pictures(
    server: DocumentIntelligence, tools: JailedPdfTools, tmp_path: Path
) -> None:
    maker = PdfMaker()
    for number in range(5):
        maker.scan(picture([f"This is the text of page {number + 1}, sent to nobody else."]))
    pdf = maker.save(tmp_path / "a.pdf")
    pages = engine(server, tools=tools).recognize(pdf, tools.inspect(pdf)[2:4])
    assert [page.number for page in pages] == [3, 4]
    [order] = server.orders
    assert len(order.pictures) == 2
    assert "pages" not in order.parameters


def test_blank_pages_are_not_paid_for(server: DocumentIntelligence, tools: JailedPdfTools, tmp_path: Path) -> None:
    pdf = PdfMaker().scan(Image.new("L", (1240, 1754), 255)).scan(picture()).save(tmp_path / "a.pdf")
    geometry = PageGeometry(box=(0.0, 0.0, *A4))
    planned = [PagePlan(number=number, kind=PageKind.OCR, geometry=geometry) for number in (1, 2)]
    pages = engine(server, tools=tools).recognize(pdf, planned)
    assert [bool(page.lines) for page in pages] == [False, True]
    assert len(server.orders[0].pictures) == 1
    assert engine(server, tools=tools).recognize(pdf, planned[:1])[0].lines == ()
    assert len(server.orders) == 1


def test_a_very_large_page_is_sent_within_the_services_limits(
    server: DocumentIntelligence, tools: JailedPdfTools, tmp_path: Path
) -> None:
    size = (7200.0, 3600.0)
    maker = PdfMaker().page("q 7200 0 0 3600 0 0 cm /Im Do Q", image=picture(), size=size)
    pdf = maker.save(tmp_path / "a.pdf")
    planned = [PagePlan(number=1, kind=PageKind.OCR, geometry=PageGeometry(box=(0.0, 0.0, *size)))]
    engine(server, tools=tools).recognize(pdf, planned)
    [order] = server.orders
    assert max(order.pictures[0].size) <= 10_000
    assert max(order.sizes[0]) <= 17.01


def test_of_a_digital_page_only_its_pictures_are_sent(
    server: DocumentIntelligence, tools: JailedPdfTools, tmp_path: Path
) -> None:
    server.honest = True
    scanned = picture(["SCANNED WORDS IN A PICTURE"], size=(1000, 300), points=60)
    written = " ".join(
        f"BT /F 11 Tf 60 {760 - 14 * n} Td (Digital words that are known already, line {n}) Tj ET" for n in range(20)
    )
    maker = PdfMaker().page(f"{written} q 400 0 0 120 60 200 cm /Im Do Q", image=scanned)
    pdf = maker.save(tmp_path / "a.pdf")
    [plan] = tools.inspect(pdf)
    assert plan.kind is PageKind.MIXED
    [page] = engine(server, tools=tools).recognize(pdf, [plan])
    assert "SCANNED" in words(page)
    assert not {"Digital", "known", "already,"} & set(words(page))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_searchable_pdf_is_made_of_what_the_service_reads(
    server: DocumentIntelligence, tools: JailedPdfTools, tmp_path: Path, rotation: int
) -> None:
    """The words lie where they are seen, whatever the page's own rotation."""
    server.honest, server.angle = True, {0: 0.4, 90: 90.0, 180: 180.0, 270: -90.0}[rotation]
    source, output = tmp_path / "a.pdf", tmp_path / "b.pdf"
    source.write_bytes(papers.scan([papers.LETTER]))
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[0].obj.Rotate = rotation
        pdf.save(source)
    planned = tools.inspect(source)
    used = engine(server, tools=tools, seconds=60, answer=60)
    pages = used.recognize(source, planned)
    assembled = tools.assemble(source, planned, pages, output, used.name)
    assert (assembled.text.engine, assembled.ocr_pages) == ("azure prebuilt-read 2024-11-30", 1)
    assert "Margaret Holloway" in assembled.text.plain
    [first] = [word for word in assembled.text.pages[0].words if word.text == "Harbour"]
    assert first.box[:2] == pytest.approx((54, 60), abs=4)
    with pypdfium2.PdfDocument(output) as pdf:
        assert pdf[0].get_textpage().search("lantern").get_next() is not None
    assert (mean_confidence(pages) or 0) > 0.8


# What is ordered, and how often.


def test_a_crash_after_the_order_asks_for_its_result(server: DocumentIntelligence, tmp_path: Path) -> None:
    """Rules 8: nothing is paid twice."""
    server.goes_wrong("result", "running", headers=LATER, times=1)
    assert isinstance(refused(engine(server, seconds=HURRIED), memory=operations(tmp_path)), Unavailable)
    server.goes_wrong("result", "running", times=2)
    [page] = read(engine(server), memory=operations(tmp_path))
    assert words(page) == ["Harbour", "Lighthouse"]
    assert (len(server.orders), server.questions) == (1, 4)


def test_an_order_is_kept_beside_the_leases(server: DocumentIntelligence, tmp_path: Path) -> None:
    read(engine(server), memory=operations(tmp_path))
    [key] = [info.key for info in DirectoryObjectStore(tmp_path).list("documents/")]
    assert key == f"documents/{DOCUMENT}/ocr/{'f' * 64}/operation-0001-0008-1.json"
    assert operations(tmp_path).orders == tuple(server.operations)


def test_a_result_that_is_forgotten_is_ordered_again(server: DocumentIntelligence, tmp_path: Path) -> None:
    server.goes_wrong("result", "running", headers=LATER, times=1)
    refused(engine(server, seconds=HURRIED), memory=operations(tmp_path))
    server.forget()
    [page] = read(engine(server), memory=operations(tmp_path))
    assert page.words
    assert (len(server.orders), len(operations(tmp_path).orders)) == (2, 2)


def test_an_analysis_that_failed_for_no_fault_of_ours_is_ordered_again(
    server: DocumentIntelligence, tmp_path: Path
) -> None:
    server.goes_wrong("result", "failed", error=INTERNAL, times=2)
    assert isinstance(refused(engine(server), memory=operations(tmp_path)), Unavailable)
    assert read(engine(server), memory=operations(tmp_path))[0].words
    assert len(server.orders) == 2


def test_a_result_that_is_lost_again_and_again_is_given_up(server: DocumentIntelligence, tmp_path: Path) -> None:
    server.goes_wrong("result", "failed", error=INTERNAL)
    for _ in range(3):
        assert isinstance(refused(engine(server), memory=operations(tmp_path)), Unavailable)
    assert isinstance(refused(engine(server), memory=operations(tmp_path)), NoResult)
    assert len(server.orders) == 3


def test_an_endless_analysis_gives_the_event_back(server: DocumentIntelligence, tmp_path: Path) -> None:
    server.goes_wrong("result", "running", headers=LATER)
    for _ in range(3):
        assert isinstance(refused(engine(server, seconds=HURRIED), memory=operations(tmp_path)), Unavailable)
    assert (len(server.orders), server.questions) == (1, 3)


# What goes wrong.


def test_a_throttled_order_waits_as_long_as_it_is_told(server: DocumentIntelligence) -> None:
    server.goes_wrong("order", "answer", status=429, error=TOO_MANY, headers={"Retry-After": "1"}, times=1)
    started = time.monotonic()
    assert read(engine(server))[0].words
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("where", ["order", "result"])
def test_a_wait_beyond_the_deadline_is_the_brokers(server: DocumentIntelligence, where: Any) -> None:
    server.goes_wrong(where, "answer", status=429, error=TOO_MANY, headers={"Retry-After": "60"})
    error = refused(engine(server))
    assert isinstance(error, Throttled)
    assert error.retry_after_seconds == 60


def test_a_wrong_key_is_told_to_the_operator_and_asked_once(server: DocumentIntelligence) -> None:
    used = engine(server, key="wrong")
    for _ in range(3):
        error = refused(used)
        assert isinstance(error, Unavailable)
        assert "AZURE_AI_KEY" in str(error)
        assert "wrong" not in str(error)
    assert not server.orders


def test_a_quota_that_is_used_up_is_no_loop_of_charges(server: DocumentIntelligence) -> None:
    server.goes_wrong("order", "answer", status=403, error=OUT_OF_QUOTA)
    used = engine(server)
    errors = [refused(used) for _ in range(3)]
    assert all(isinstance(error, Unavailable) and "quota" in str(error) for error in errors)
    assert server.faults[0].times == 1_000_000 - 1


def test_a_model_that_is_not_there_is_told(server: DocumentIntelligence) -> None:
    server.goes_wrong("order", "answer", status=404, error={"code": "NotFound", "message": "Resource not found."})
    error = refused(engine(server))
    assert isinstance(error, Unavailable)
    assert "AZURE_ENDPOINT" in str(error)


@pytest.mark.parametrize(
    ("error", "code"), [(INVALID_CONTENT, FailureCode.OCR_FAILED), (TOO_LARGE, FailureCode.TOO_LARGE)]
)
@pytest.mark.parametrize("late", [False, True])
def test_what_the_service_can_not_read_is_determined(
    server: DocumentIntelligence, error: dict[str, Any], code: FailureCode, late: bool
) -> None:
    if late:
        server.goes_wrong("result", "failed", error=error)
    else:
        server.goes_wrong("order", "answer", status=400, error=error)
    found = refused(engine(server))
    assert isinstance(found, StepFailed)
    assert (found.code, found.determined) == (code, True)


@pytest.mark.parametrize("kind", ["answer", "page"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_sick_service_is_not_ordered_from_twice(server: DocumentIntelligence, kind: Any, status: int) -> None:
    server.goes_wrong("order", kind, status=status)
    assert isinstance(refused(engine(server)), Unavailable)
    assert server.faults[0].times == 1_000_000 - 1


@pytest.mark.parametrize("kind", ["answer", "page"])
def test_a_sick_service_is_asked_again_for_what_was_ordered(server: DocumentIntelligence, kind: Any) -> None:
    server.goes_wrong("result", kind, status=503, times=2)
    assert read(engine(server))[0].words
    assert (len(server.orders), server.questions) == (1, 3)


@pytest.mark.parametrize("where", ["order", "result"])
@pytest.mark.parametrize("kind", ["cut", "hang", "drip"])
def test_a_broken_or_endless_answer_is_unavailable_in_time(
    server: DocumentIntelligence, where: Any, kind: Any, tmp_path: Path
) -> None:
    server.goes_wrong(where, kind)
    seconds, answer = (1, 0.6) if where == "order" else (5, 3)  # time enough to order
    started = time.monotonic()
    assert isinstance(refused(engine(server, seconds=seconds, answer=answer), memory=operations(tmp_path)), Unavailable)
    assert time.monotonic() - started < 60
    assert len(operations(tmp_path).orders) == (1 if where == "result" else 0)


def test_nobody_listening_is_unavailable() -> None:
    silent = DocumentIntelligence()
    silent.url = "http://127.0.0.1:1"
    assert isinstance(refused(engine(silent)), Unavailable)


def test_an_answer_of_another_shape_is_unavailable(server: DocumentIntelligence) -> None:
    server.goes_wrong("result", "page", status=200)
    assert isinstance(refused(engine(server)), Unavailable)


def test_a_redirect_does_not_carry_the_key_elsewhere(server: DocumentIntelligence) -> None:
    with document_intelligence() as elsewhere:
        server.goes_wrong("order", "answer", status=307, headers={"Location": elsewhere.url})
        assert isinstance(refused(engine(server)), Unavailable)
        assert not elsewhere.violations
