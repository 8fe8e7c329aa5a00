"""The methods of the jailed process: everything that touches untrusted PDFs and pictures.

Parameters and results are JSON; paths are names in the scratch directory. `client.py` is the other side.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from functions.ocr.inspection import inspect_document
from functions.ocr.languages import detect_languages
from functions.ocr.layers import LayerMemory
from functions.ocr.models import PagePlan, RecognizedPage
from functions.ocr.pdfium import Document, open_document
from functions.ocr.searchable import page_texts, write_searchable
from functions.ocr.thumbnail import write_thumbnail
from shared.documents import DocumentText

Parameters = Mapping[str, Any]


class _OpenDocument:
    """The document of the last call, kept open: a book is recognized page by page."""

    def __init__(self) -> None:
        self._key: tuple[str, int, int] | None = None
        self._document: Document | None = None

    def get(self, path: Path) -> Document:
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        if key != self._key or self._document is None:
            self.close()
            self._document, self._key = open_document(path), key
        return self._document

    def close(self) -> None:
        if self._document is not None:
            self._document.close()
        self._document = self._key = None


_open = _OpenDocument()
_layers = LayerMemory()
_readers: dict[str, Any] = {}


def close_document() -> None:
    """Lets go of the document that is kept open for the next page."""
    _open.close()


def inspect(params: Parameters) -> Any:
    """{pdf, max_pages, max_pixels} → the plans of all pages."""
    Image.MAX_IMAGE_PIXELS = params["max_pixels"]
    path = Path(params["pdf"])
    plans = inspect_document(path, params["max_pages"], _layers.of(path))
    return [plan.model_dump(mode="json") for plan in plans]


def recognize(params: Parameters) -> Any:
    """{pdf, plan, packs, installed, tessdata, timeout_seconds, max_pixels, simple} → what was read on the page.

    `simple`: one reading of a rendering, nothing else; for a page that was too much for a worker.
    """
    # Tesseract is loaded by those workers only that recognize.
    from functions.ocr.recognition import PageRecognizer
    from functions.ocr.tesseract import PictureReader

    Image.MAX_IMAGE_PIXELS = params["max_pixels"]
    directory = params["tessdata"]
    if directory not in _readers:
        _readers[directory] = PictureReader(Path(directory), params["timeout_seconds"])
    recognizer = PageRecognizer(
        reader=_readers[directory],
        packs=tuple(params["packs"]),
        installed=frozenset(params["installed"]),
        max_pixels=params["max_pixels"],
        simple=params.get("simple", False),
    )
    plan = PagePlan.model_validate(params["plan"])
    return recognizer.recognize(_open.get(Path(params["pdf"])), plan).model_dump(mode="json")


def assemble(params: Parameters) -> Any:
    """{pdf, parts, output, text, engine}: reads plans and recognized pages from `parts`, writes PDF and text."""
    parts = json.loads(Path(params["parts"]).read_bytes())
    plans = [PagePlan.model_validate(plan) for plan in parts["plans"]]
    pages = {page["number"]: RecognizedPage.model_validate(page) for page in parts["pages"]}
    path = Path(params["pdf"])
    notices = write_searchable(path, plans, pages, Path(params["output"]))
    texts = page_texts(path, plans, pages, _layers.of(path))
    _layers.forget()
    languages = detect_languages(page.text for page in texts)
    document = DocumentText(pages=tuple(texts), languages=languages, engine=params["engine"])
    Path(params["text"]).write_text(document.model_dump_json(), encoding="utf-8")
    return {"notices": [notice.model_dump(mode="json") for notice in notices]}


def pictures(params: Parameters) -> Any:
    """{pdf, plans, max_pixels, output}: writes pictures of the pages → what was made of each."""
    from functions.ocr.sending import write_pictures

    Image.MAX_IMAGE_PIXELS = params["max_pixels"]
    plans = [PagePlan.model_validate(plan) for plan in json.loads(Path(params["plans"]).read_bytes())]
    document = open_document(Path(params["pdf"]))
    try:
        made = write_pictures(document, plans, params["max_pixels"], Path(params["output"]))
    finally:
        document.close()
    return [each.model_dump(mode="json") for each in made]


def thumbnail(params: Parameters) -> Any:
    """{pdf, output, width_pixels}: writes the first page as WebP."""
    write_thumbnail(Path(params["pdf"]), Path(params["output"]), params["width_pixels"])
    return None


METHODS: dict[str, Callable[[Parameters], Any]] = {
    "inspect": inspect,
    "recognize": recognize,
    "assemble": assemble,
    "pictures": pictures,
    "thumbnail": thumbnail,
}
