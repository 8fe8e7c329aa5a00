"""A strict stand-in for Gotenberg 8, written from its documentation, that goes wrong where a test wants it to.

- routes and answers: https://gotenberg.dev/docs/8.x/convert-with-libreoffice/convert-to-pdf, …/system/get-health-check,
  …/system/version; the sentences are those of version 8.36 (pkg/modules/libreoffice/routes.go, pkg/modules/api).
- Whatever is not in there (a path, a header, a form field, a file's name that is not ours) is a violation: it is
  answered with 400 and fails the test at the end of the block.

It converts honestly: the words of a flat or zipped document are the words of the PDF.
"""

import asyncio
import base64
import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pikepdf
from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.servers.asgi import serving

CONVERT = "/forms/libreoffice/convert"
VERSION = "8.36.0"
_FIELDS = """
password landscape nativePageRanges updateIndexes exportFormFields allowDuplicateFieldNames exportBookmarks
exportBookmarksToPdfDestination exportPlaceholders exportNotes exportNotesPages exportOnlyNotesPages
exportNotesInMargin convertOooTargetToPdfTarget exportLinksRelativeFsys exportHiddenSlides skipEmptyPages
addOriginalDocumentAsStream singlePageSheets losslessImageCompression quality reduceImageResolution
maxImageResolution pdfa pdfua merge flatten
"""
_HEADERS = """
host accept accept-encoding connection user-agent content-type content-length gotenberg-trace authorization
"""
_EXTENSIONS = """
123 602 abw bib bmp cdr cgm cmx csv cwk dbf dif doc docm docx dot dotm dotx dxf emf eps epub fodg fodp fods
fodt fopd gif htm html hwp jpeg jpg key ltx lwp mcw met mml mw numbers odd odg odm odp ods odt otg oth otp ots
ott pages pbm pcd pct pcx pdb pdf pgm png pot potm potx ppm pps ppsm ppsx ppt pptm pptx psd psw pub pwp pxl
ras rtf sda sdc sdd sdp sdw sgl slk smf stc std sti stw svg svm swf sxc sxd sxg sxi sxm sxw tga tif tiff txt
uof uop uos uot vdx vor vsd vsdm vsdx wb2 wk1 wks wmf wpd wpg wps xbm xhtml xls xlsb xlsm xlsx xlt xltm xltx
xlw xml xpm zabw
"""
FIELDS, HEADERS, EXTENSIONS = (frozenset(words.split()) for words in (_FIELDS, _HEADERS, _EXTENSIONS))
NAME = re.compile(r"source\.([a-z0-9]{1,8})")
QUEUE_FULL = (
    "The request queue is full. Retry shortly, or raise the limit with --chromium-max-queue-size or "
    "--libreoffice-max-queue-size."
)
TIME_LIMIT = "The request exceeded the time limit. Increase it with --api-timeout, or reduce the workload."
UNEXPLAINED = (
    "LibreOffice failed to convert the document 'source.docx'. This is usually a resource issue: increase the "
    "container's memory and CPU, or reduce the document's size. The request is valid and may be retried."
)
PASSWORD = "The document 'source.docx' is password-protected. Provide its password in the 'password' form field."
UNREADABLE = (
    "LibreOffice could not read the document 'source.docx'. Ensure the file is not corrupted and that its extension "
    "matches its actual format."
)
GUESS_BEFORE_8_36 = (
    "LibreOffice failed to process a document: a password may be required, or, if one has been given, it is invalid. "
    "In any case, the exact cause is uncertain."
)

Kind = Literal["answer", "hang", "drip", "cut", "page"]


@dataclass
class Fault:
    """What goes wrong with the next `times` conversions.

    answer: `status` and `message` · hang: no answer · drip: one byte of the PDF at a time · cut: the connection breaks
    in the middle of the PDF · page: 200 with `message` in place of a PDF.
    """

    kind: Kind
    times: int = 1_000_000
    status: int = 500
    message: str | bytes = "Internal Server Error"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Conversion:
    """What was asked for."""

    name: str
    fields: dict[str, str]
    trace: str
    size: int


class Gotenberg:
    """The stand-in. `faults` strike in order; `healthy` is what /health says."""

    def __init__(self, url: str = "", credentials: tuple[str, str] | None = None) -> None:
        self.url = url
        self.credentials = credentials
        self.faults: list[Fault] = []
        self.healthy = True
        self.version = VERSION
        self.conversions: list[Conversion] = []
        self.questions: list[str] = []
        self.violations: list[str] = []

    def goes_wrong(self, kind: Kind, **how: object) -> None:
        """Script one more fault."""
        self.faults.append(Fault(kind, **how))  # type: ignore[arg-type]

    @property
    def app(self) -> Starlette:
        routes = [
            Route(CONVERT, self._convert, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/version", self._version, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={404: self._unknown, 405: self._unknown})

    async def _health(self, request: Request) -> Response:
        self._check_headers(request)
        self.questions.append("/health")
        state = "up" if self.healthy else "down"
        body = f'{{"status":"{state}","details":{{"libreoffice":{{"status":"{state}"}}}}}}'
        return Response(body, 200 if self.healthy else 503, media_type="application/json")

    async def _version(self, request: Request) -> Response:
        self._check_headers(request)
        self.questions.append("/version")
        return PlainTextResponse(self.version)

    async def _unknown(self, request: Request, _: Exception) -> Response:
        self.violations.append(f"{request.method} {request.url.path}")
        return PlainTextResponse("Not Found", 404)

    async def _convert(self, request: Request) -> Response:
        if not self._authorized(request):
            return PlainTextResponse("Unauthorized", 401)
        self._check_headers(request)
        async with request.form() as form:
            asked = self._checked(request, form)
            upload = form["files"]
            assert isinstance(upload, UploadFile)
            data = await upload.read()
        if asked is None:
            return PlainTextResponse(f"Invalid form data: {self.violations[-1]}", 400)
        self.conversions.append(asked)
        fault = next((fault for fault in self.faults if fault.times > 0), None)
        if fault is not None:
            fault.times -= 1
            return await self._wrong(fault, data)
        return self._honest(asked, data)

    async def _wrong(self, fault: Fault, data: bytes) -> Response:
        if fault.kind == "hang":
            await asyncio.sleep(3600)
        if fault.kind == "answer":
            return PlainTextResponse(fault.message, fault.status, fault.headers)
        if fault.kind == "page":
            return Response(fault.message, 200, media_type="text/html")
        pdf = made_pdf(words_of(data))
        length = {"content-length": str(len(pdf))}
        pieces = _dripping(pdf) if fault.kind == "drip" else _cut(pdf)
        return StreamingResponse(pieces, 200, length, "application/pdf")

    def _honest(self, asked: Conversion, data: bytes) -> Response:
        ending = asked.name.rpartition(".")[2]
        if ending not in EXTENSIONS:
            listed = " ".join(f".{extension}" for extension in sorted(EXTENSIONS))
            return PlainTextResponse(f"Invalid form data: no form file found for extensions: [{listed}]", 400)
        if ending == "docx" and data.startswith(b"\xd0\xcf\x11\xe0"):
            return PlainTextResponse(PASSWORD, 400)
        if ending == "docx" and not zipfile.is_zipfile(io.BytesIO(data)):
            return PlainTextResponse(UNREADABLE, 400)
        pdf = made_pdf(words_of(data), asked.fields.get("pdfa", ""))
        headers = {"Content-Disposition": 'attachment; filename="0aa4277c.pdf"', "Gotenberg-Trace": asked.trace}
        return Response(pdf, 200, headers, "application/pdf")

    def _checked(self, request: Request, form: FormData) -> Conversion | None:
        before = len(self.violations)
        fields = {key: value for key, value in form.multi_items() if isinstance(value, str)}
        uploads = [(key, value) for key, value in form.multi_items() if isinstance(value, UploadFile)]
        self.violations += [f"form field {key}" for key in fields if key not in FIELDS]
        self.violations += [f"file field {key}" for key, _ in uploads if key != "files"]
        if len(uploads) != 1:
            self.violations.append(f"{len(uploads)} files")
            return None
        name, size = uploads[0][1].filename or "", uploads[0][1].size or 0
        if not NAME.fullmatch(name):
            self.violations.append(f"file name {name}")
        if len(self.violations) > before:
            return None
        return Conversion(name, fields, request.headers.get("gotenberg-trace", ""), size)

    def _check_headers(self, request: Request) -> None:
        self.violations += [f"header {name}" for name in request.headers if name not in HEADERS]

    def _authorized(self, request: Request) -> bool:
        if self.credentials is None:
            return True
        wanted = base64.b64encode(":".join(self.credentials).encode()).decode()
        return request.headers.get("authorization") == f"Basic {wanted}"


@contextmanager
def gotenberg(credentials: tuple[str, str] | None = None) -> Iterator[Gotenberg]:
    """A running stand-in; fails at the end if it was asked for anything that is not documented."""
    server = Gotenberg(credentials=credentials)
    with serving(server.app) as url:
        server.url = url
        yield server
    assert not server.violations, server.violations


def words_of(data: bytes) -> str:
    """The text of a document, as far as tags are all there is beside it."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = [
                name for name in package.namelist() if re.search(r"document\.xml$|sheet\d+\.xml$|content\.xml$", name)
            ]
            data = b" ".join(package.read(name) for name in names)
    elif data.startswith(b"{\\rtf"):
        return re.sub(r"[{}]|\\[a-z]+\d* ?", "", data.decode("latin-1"))
    return " ".join(re.sub(r"<[^>]*>", " ", data.decode("utf-8", "replace")).split())


def made_pdf(text: str, pdf_format: str = "") -> bytes:
    """A PDF that shows the text."""
    pdf = pikepdf.new()
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.Type1,
        BaseFont=pikepdf.Name.Helvetica,
        Encoding=pikepdf.Name.WinAnsiEncoding,
    )
    resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=pdf.make_indirect(font)))
    words = text.split()
    lines = [" ".join(words[at : at + 8]) for at in range(0, len(words), 8)]
    for at in range(0, max(1, len(lines)), 50):
        page = pdf.add_blank_page(page_size=(595, 842))
        page.obj.Resources = resources
        body = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines[at : at + 50])
        page.obj.Contents = pdf.make_stream(f"BT /F 10 Tf 14 TL 40 792 Td\n{body}ET".encode("latin-1"))
    if pdf_format:
        with pdf.open_metadata() as metadata:
            metadata["pdfaid:part"] = pdf_format[6]
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


def _escaped(line: str) -> str:
    return re.sub(r"([\\()])", r"\\\1", line.encode("cp1252", "replace").decode("latin-1"))


async def _dripping(data: bytes) -> AsyncIterator[bytes]:
    for at in range(len(data)):
        yield data[at : at + 1]
        await asyncio.sleep(0.1)


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    yield data[: len(data) // 2]
    await asyncio.sleep(0.05)
    raise ConnectionResetError("scripted")
