"""Serves convert: `document.received` in, `document.converted` out; `POST /unlock` for encrypted originals."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio.to_thread
from pydantic import BaseModel, Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from functions.convert.converter import Converter
from functions.convert.gotenberg import GotenbergConverter
from functions.convert.handler import Converting
from functions.convert.office import DocumentConverter, LibreOfficeConverter
from functions.convert.settings import ConvertSettings
from shared.documents import ObjectReference, Step
from shared.errors import InvalidEvent, StepFailed
from shared.events import AnyData, DocumentConverted, DocumentReceived, Event
from shared.process import prepare_process
from shared.step import StepContext, json_response, read_body, step
from shared.storage import keys
from shared.storage.settings import ObjectStoreSettings, object_store

prepare_process("convert")

LIBRARIES = ("img2pdf", "pikepdf", "pillow", "pypdfium2", "weasyprint")
"""Another version of these may make another PDF of the same source."""


def local_engines(program: Path) -> str:
    """What makes PDFs here: LibreOffice by the build that it says it is, and the libraries."""
    return "; ".join([_build(program), *_libraries()])


def gotenberg_engines(gotenberg: GotenbergConverter, pdf_format: str) -> str:
    """What makes PDFs here: Gotenberg by the version that it says it is, and the libraries."""
    return "; ".join([f"gotenberg {gotenberg.version}", pdf_format or "PDF", *_libraries()])


def _libraries() -> list[str]:
    return [f"{name} {version(name)}" for name in LIBRARIES]


def _build(program: Path) -> str:
    try:
        lines = program.with_name("versionrc").read_text().splitlines()
    except OSError:
        return "none"
    return next((line for line in lines if line.startswith("buildid=")), "unknown")


def office_converter(settings: ConvertSettings) -> tuple[DocumentConverter, Callable[[], str]]:
    """The converter that was chosen, and what names it in fingerprints."""
    if settings.converter == "gotenberg":
        return _gotenberg(settings)
    program = Path(settings.libreoffice_program)
    office = LibreOfficeConverter(
        program=program,
        python=Path(settings.libreoffice_python),
        max_files=settings.libreoffice_max_files,
        memory_bytes=settings.convert_memory_bytes,
    )
    engines = local_engines(program)
    return office, lambda: engines


def _gotenberg(settings: ConvertSettings) -> tuple[DocumentConverter, Callable[[], str]]:
    password = settings.gotenberg_password
    gotenberg = GotenbergConverter(
        settings.gotenberg_url or "",
        pdf_format=settings.gotenberg_pdf_format,
        max_result_bytes=settings.convert_max_unpacked_bytes,
        authentication=(settings.gotenberg_username or "", password.get_secret_value()) if password else None,
    )
    return gotenberg, partial(gotenberg_engines, gotenberg, settings.gotenberg_pdf_format)


settings = ConvertSettings()
store = object_store(ObjectStoreSettings())
office, engines = office_converter(settings)
converting = Converting(
    store,
    Converter(office, memory_bytes=settings.convert_memory_bytes),
    settings.limits(),
    engines=engines,
    timeout_seconds=settings.convert_timeout_seconds,
)


class Unlocking(BaseModel):
    """The body of `POST /unlock`."""

    document_id: str
    password: SecretStr


async def unlock(request: Request) -> Response:
    """Say whether a password opens a document's original; if it does, `unlocked` refers to the opened copy."""
    try:
        asked = Unlocking.model_validate_json(await read_body(request, limit=16_384))
    except ValidationError:
        # The library's message would quote the password.
        raise InvalidEvent("document_id and password are needed") from None
    try:
        password = asked.password.get_secret_value()
        opened = await anyio.to_thread.run_sync(converting.unlock, asked.document_id, password)
    except StepFailed as failed:
        return json_response({"code": failed.code.value, "message": failed.message}, 422)
    return json_response({"fits": opened is not None, "unlocked": opened.model_dump() if opened else None})


class Facts(BaseModel):
    """What is written into a PDF."""

    title: str | None = None
    author: str | None = None
    subject: str | None = None
    keywords: list[str] = []


class Embedding(BaseModel):
    """The body of `POST /embed`. `name` is that of the copy among the derived objects."""

    document_id: str
    pdf: ObjectReference
    name: str = Field(pattern=r"^embedded-[0-9]+-[0-9a-f]{16}\.pdf$")
    facts: Facts


async def embed(request: Request) -> Response:
    """Make the copy of a PDF that holds its metadata; null where the PDF is signed."""
    try:
        asked = Embedding.model_validate_json(await read_body(request))
    except ValidationError as error:
        raise InvalidEvent("document_id, pdf, name and facts are needed") from error
    if asked.pdf.bucket != store.bucket or not keys.belongs_to(asked.pdf.key, asked.document_id):
        raise InvalidEvent("the PDF is not one of this document")
    try:
        made = await anyio.to_thread.run_sync(
            converting.embed, asked.document_id, asked.pdf, asked.name, asked.facts.model_dump()
        )
    except StepFailed as failed:
        return json_response({"code": failed.code.value, "message": failed.message}, 422)
    return json_response({"pdf": made.model_dump() if made else None})


@step(
    Step.CONVERT,
    version="1",
    accepts=(DocumentReceived,),
    emits=(DocumentConverted,),
    store=store,
    deadline_seconds=240,
    endpoints={"/unlock": unlock, "/embed": embed},
)
def convert(context: StepContext, data: AnyData) -> Event | None:
    """Make a PDF of one document."""
    return converting.convert(context, data)
