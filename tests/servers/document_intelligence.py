"""A strict stand-in for Azure Document Intelligence, written from its REST reference, that goes wrong as a test wants.

- POST {endpoint}/documentintelligence/documentModels/prebuilt-read:analyze and GET …/analyzeResults/{resultId}, version
  2024-11-30: https://learn.microsoft.com/rest/api/aiservices/document-models/analyze-document, and the OpenAPI
  description in Azure/azure-rest-api-specs (specification/ai/data-plane/DocumentIntelligence/stable/2024-11-30).
- Errors: https://learn.microsoft.com/azure/ai-services/document-intelligence/v3-error-guide; the free tier's limits:
  …/service-limits; results are kept for 24 hours: …/faq.
- Whatever is not in there (a path, a query parameter, a header, a media type) is a violation and fails the test.

It reads the pictures that it is sent: with Tesseract where `honest`, else it says the words of `text` on every page.
"""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pikepdf
import tesserocr
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from functions.ocr.languages import data_directory
from tests.servers.asgi import serving

KEY = "0123456789abcdef0123456789abcdef"
BASE = "/documentintelligence/documentModels/prebuilt-read"
API_VERSION = "2024-11-30"
PARAMETERS = frozenset(
    {"api-version", "pages", "locale", "stringIndexType", "features", "outputContentFormat", "output"}
)
_HEADERS = """
host accept accept-encoding connection user-agent content-type content-length ocp-apim-subscription-key
x-ms-client-request-id
"""
HEADERS = frozenset(_HEADERS.split())
INVALID_CONTENT = {
    "code": "InvalidRequest",
    "message": "Invalid request.",
    "innererror": {
        "code": "InvalidContent",
        "message": "The file is corrupted or format is unsupported. Refer to documentation for the list of supported "
        "formats.",
    },
}
TOO_LARGE = {
    "code": "InvalidRequest",
    "message": "Invalid request.",
    "innererror": {"code": "InvalidContentLength", "message": "The input image is too large."},
}
INTERNAL = {"code": "InternalServerError", "message": "An unexpected error occurred."}
TOO_MANY = {"code": "429", "message": "Requests have exceeded the call rate limit of your current pricing tier."}
WRONG_KEY = {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}
OUT_OF_QUOTA = {"code": "403", "message": "Out of call volume quota. Quota will be replenished in 12 days."}

Where = Literal["order", "result"]
Kind = Literal["answer", "hang", "drip", "cut", "page", "running", "failed"]


@dataclass
class Fault:
    """What goes wrong with the next `times` orders or questions for a result.

    answer: `status` with `error` · page: the same as a web page · hang · drip: a byte at a time · cut: the connection
    breaks in the middle of the answer · running, failed: what the operation says of itself.
    """

    where: Where
    kind: Kind
    times: int = 1_000_000
    status: int = 500
    error: dict[str, Any] = field(default_factory=lambda: INTERNAL)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Ordered:
    """An order: the pictures, and what was asked about them."""

    pictures: list[Image.Image]
    sizes: list[tuple[float, float]]
    parameters: dict[str, str]


class DocumentIntelligence:
    """The stand-in. `page_limit` is 2 on the free tier; `angle` is how pages lie; `pages` are said in place of any."""

    def __init__(self) -> None:
        self.url = ""
        self.honest = False
        self.text = "Harbour Lighthouse"
        self.angle = 0.0
        self.page_limit = 2000
        self.faults: list[Fault] = []
        self.operations: dict[str, Ordered] = {}
        self.orders: list[Ordered] = []
        self.questions = 0
        self.violations: list[str] = []
        self.pages: list[dict[str, Any]] | None = None

    def goes_wrong(self, where: Where, kind: Kind, **how: Any) -> None:
        """Script one more fault."""
        self.faults.append(Fault(where, kind, **how))

    def forget(self) -> None:
        """24 hours have passed."""
        self.operations.clear()

    @property
    def app(self) -> Starlette:
        routes = [
            Route(f"{BASE}:analyze", self._order, methods=["POST"]),
            Route(f"{BASE}/analyzeResults/{{result}}", self._result, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={404: self._unknown, 405: self._unknown})

    async def _order(self, request: Request) -> Response:
        body = await request.body()
        if (refused := self._checked(request)) is not None:
            return refused
        if request.headers.get("content-type") != "application/octet-stream":
            self.violations.append(f"content-type {request.headers.get('content-type')}")
        pictures, sizes = _pictures(body)
        ordered = Ordered(pictures, sizes, dict(request.query_params))
        fault = self._fault("order")
        if fault is not None and fault.kind in ("answer", "page", "hang"):
            return await _wrong(fault)
        result = str(uuid.uuid4())
        self.orders.append(ordered)
        self.operations[result] = ordered
        if fault is not None:
            # Ordered it is; only its name does not arrive.
            return await _wrong(fault)
        location = f"{self.url}{BASE}/analyzeResults/{result}?api-version={API_VERSION}"
        return Response(status_code=202, headers={"Operation-Location": location, "Retry-After": "0"})

    async def _result(self, request: Request) -> Response:
        if (refused := self._checked(request)) is not None:
            return refused
        self.questions += 1
        fault = self._fault("result")
        if fault is not None and fault.kind in ("answer", "page", "hang", "cut", "drip"):
            return await _wrong(fault)
        ordered = self.operations.get(request.path_params["result"])
        if ordered is None:
            return JSONResponse({"error": {"code": "NotFound", "message": "Resource not found."}}, 404)
        stamps = {"createdDateTime": "2025-03-01T10:00:00Z", "lastUpdatedDateTime": "2025-03-01T10:00:01Z"}
        if fault is not None and fault.kind == "running":
            return JSONResponse({"status": "running", **stamps}, headers={"Retry-After": "0", **fault.headers})
        if fault is not None:
            return JSONResponse({"status": "failed", **stamps, "error": fault.error})
        pages = self.pages or await asyncio.to_thread(self._read, ordered)
        content = {"apiVersion": API_VERSION, "modelId": "prebuilt-read", "stringIndexType": "textElements"}
        analysis = {**content, "content": "", "pages": pages, "styles": [], "paragraphs": []}
        return JSONResponse({"status": "succeeded", **stamps, "analyzeResult": analysis})

    def _read(self, ordered: Ordered) -> list[dict[str, Any]]:
        pairs = list(zip(ordered.pictures, ordered.sizes, strict=True))[: self.page_limit]
        return [
            page_answer(number, size, self._lines(picture), self.angle)
            for number, (picture, size) in enumerate(pairs, 1)
        ]

    def _lines(self, picture: Image.Image) -> list["Line"]:
        return read_lines(picture, round(self.angle / 90) % 4) if self.honest else said_lines(self.text)

    def _checked(self, request: Request) -> Response | None:
        self.violations += [f"header {name}" for name in request.headers if name not in HEADERS]
        self.violations += [f"parameter {name}" for name in request.query_params if name not in PARAMETERS]
        if request.query_params.get("api-version") != API_VERSION:
            self.violations.append(f"api-version {request.query_params.get('api-version')}")
        if request.headers.get("ocp-apim-subscription-key") != KEY:
            return JSONResponse({"error": WRONG_KEY}, 401)
        return None

    async def _unknown(self, request: Request, _: Exception) -> Response:
        self.violations.append(f"{request.method} {request.url.path}")
        return JSONResponse({"error": {"code": "404", "message": "Resource not found"}}, 404)

    def _fault(self, where: Where) -> Fault | None:
        fault = next((fault for fault in self.faults if fault.where == where and fault.times > 0), None)
        if fault is not None:
            fault.times -= 1
        return fault


@contextmanager
def document_intelligence() -> Iterator[DocumentIntelligence]:
    """A running stand-in; fails at the end if it was asked for anything that is not documented."""
    server = DocumentIntelligence()
    with serving(server.app) as url:
        server.url = url
        yield server
    assert not server.violations, server.violations


Line = list[tuple[str, tuple[float, float, float, float], float]]
"""Words with boxes as shares of the page, and confidence."""


def said_lines(text: str) -> list[Line]:
    """The words in a row per line, each a twentieth of the page wide and high."""
    return [
        [
            (word, (0.1 * (at + 1), 0.1 * (row + 1), 0.1 * (at + 1) + 0.05, 0.1 * (row + 1) + 0.05), 0.98)
            for at, word in enumerate(line.split())
        ]
        for row, line in enumerate(text.splitlines())
    ]


def read_lines(picture: Image.Image, quarters: int = 0) -> list[Line]:
    """What is really on a picture that lies so many quarters clockwise."""
    upright = picture.rotate(90 * quarters, expand=True)
    lines: list[Line] = []
    with tesserocr.PyTessBaseAPI(path=str(data_directory()), lang="eng") as api:
        api.SetImage(upright)
        api.Recognize()
        for word in tesserocr.iterate_level(api.GetIterator(), tesserocr.RIL.WORD):
            text = word.GetUTF8Text(tesserocr.RIL.WORD)
            if not text.strip():
                continue
            if word.IsAtBeginningOf(tesserocr.RIL.TEXTLINE) or not lines:
                lines.append([])
            x0, y0, x1, y1 = word.BoundingBox(tesserocr.RIL.WORD)
            width, height = upright.size
            corners = [_lying(x / width, y / height, quarters) for x, y in ((x0, y0), (x1, y1))]
            (left, right), (top, bottom) = (sorted(axis) for axis in zip(*corners, strict=True))
            lines[-1].append((text, (left, top, right, bottom), word.Confidence(tesserocr.RIL.WORD) / 100))
    return lines


def _lying(x: float, y: float, quarters: int) -> tuple[float, float]:
    """Where a point of an upright page lies after it was turned clockwise."""
    for _ in range(quarters):
        x, y = 1 - y, x
    return x, y


def page_answer(number: int, size: tuple[float, float], lines: list[Line], angle: float = 0.0) -> dict[str, Any]:
    """A DocumentPage, in inches as for PDF."""
    width, height = size
    words, told, offset = [], [], 0
    for line in lines:
        start = offset
        for text, (x0, y0, x1, y1), confidence in line:
            left, top, right, bottom = x0 * width, y0 * height, x1 * width, y1 * height
            polygon = [left, top, right, top, right, bottom, left, bottom]
            span = {"offset": offset, "length": len(text)}
            words.append({"content": text, "polygon": polygon, "confidence": confidence, "span": span})
            offset += len(text) + 1
        spans = [{"offset": start, "length": offset - start - 1}]
        told.append({"content": " ".join(word[0] for word in line), "polygon": [], "spans": spans})
    return {
        "pageNumber": number,
        "angle": angle,
        "width": width,
        "height": height,
        "unit": "inch",
        "words": words,
        "lines": told,
        "spans": [{"offset": 0, "length": offset}],
    }


def _pictures(body: bytes) -> tuple[list[Image.Image], list[tuple[float, float]]]:
    with pikepdf.open(io.BytesIO(body)) as pdf:
        pictures = [pikepdf.PdfImage(page.obj.Resources.XObject.Im).as_pil_image() for page in pdf.pages]
        sizes = [(float(page.mediabox[2]) / 72, float(page.mediabox[3]) / 72) for page in pdf.pages]
    return pictures, sizes


async def _wrong(fault: Fault) -> Response:
    if fault.kind == "hang":
        await asyncio.sleep(3600)
    if fault.kind == "page":
        return Response("<html>Bad gateway", fault.status, fault.headers, media_type="text/html")
    if fault.kind == "answer":
        return JSONResponse({"error": fault.error}, fault.status, fault.headers)
    pieces = _dripping() if fault.kind == "drip" else _cut()
    return StreamingResponse(pieces, 200, {"content-length": "10000"}, "application/json")


async def _dripping() -> AsyncIterator[bytes]:
    for _ in range(10_000):
        yield b" "
        await asyncio.sleep(0.1)


async def _cut() -> AsyncIterator[bytes]:
    yield b'{"status": '
    await asyncio.sleep(0.05)
    raise ConnectionResetError("scripted")
