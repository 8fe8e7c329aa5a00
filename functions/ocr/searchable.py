"""Assembles the searchable PDF and the document's text from the original pages and what was recognized on them.

Pages without recognition are not touched; a document without any is copied byte for byte (signatures stay valid). The
same input gives the same bytes. Runs in the jail only.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pikepdf

from functions.ocr.geometry import turned
from functions.ocr.inspection import hidden_text_addresses
from functions.ocr.invisible import RESOURCE_NAME, InvisibleFont, characters_of, text_operators
from functions.ocr.layers import PageLayers
from functions.ocr.layout import in_reading_order, in_written_order, plain_text
from functions.ocr.models import Line, PageKind, PagePlan, RecognizedPage
from functions.ocr.pdfium import Document, open_document, open_page, page_objects
from functions.ocr.removal import mute_fonts, remove_hidden_text
from functions.ocr.textlayer import TextLayer, read_text_layer
from shared.documents import Notice, PageText, Word
from shared.errors import FailureCode, StepFailed

SIGNATURE_CODE = "signature_not_kept"


def page_texts(
    path: Path,
    plans: Sequence[PagePlan],
    recognized: Mapping[int, RecognizedPage],
    layers: PageLayers | None = None,
) -> list[PageText]:
    """The text of all pages, in order; `layers` are those of the document that are known already."""
    document = open_document(path)
    known = layers or PageLayers()
    try:
        return [page_text(document, plan, recognized.get(plan.number), known) for plan in plans]
    finally:
        document.close()


def page_text(document: Document, plan: PagePlan, recognized: RecognizedPage | None, layers: PageLayers) -> PageText:
    """The words of a page and its running text, from its own layer, from recognition, or from both."""
    found = recognized.lines if recognized else ()
    # A doubtful text is better than none: it gives way only to words that were recognized.
    own: tuple[Line, ...] = ()
    if _keeps_own(plan, found):
        layer = layers.get(plan.number) or _own_layer(document, plan)
        with_hidden = not found or not plan.replaces_layer
        own = _with_hidden(layer.visible, layer.hidden) if with_hidden else layer.visible
    ordered = (*in_written_order(own), *in_reading_order(found))
    geometry = turned(plan.geometry, recognized.turn) if recognized else plan.geometry
    width, height = geometry.size
    return PageText(
        number=plan.number,
        width=round(width, 2),
        height=round(height, 2),
        source="digital" if own or not plan.needs_recognition else "ocr",
        text=plain_text(ordered),
        words=tuple(word for line in ordered for word in line.words),
    )


def write_searchable(
    path: Path, plans: Sequence[PagePlan], recognized: Mapping[int, RecognizedPage], output: Path
) -> list[Notice]:
    """Writes the PDF with invisible text. Raises StepFailed(corrupt) if its structure cannot be read."""
    changed = [plan for plan in plans if _changes(plan, recognized.get(plan.number))]
    if not changed:
        shutil.copyfile(path, output)
        return []
    try:
        with pikepdf.open(path) as pdf:
            notices = _signature_notices(pdf)
            _add_layers(pdf, changed, recognized)
            pdf.save(output, deterministic_id=True, encryption=False)
    except pikepdf.PasswordError as error:
        raise StepFailed(FailureCode.ENCRYPTED) from error
    except pikepdf.PdfError as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    return notices


def _changes(plan: PagePlan, page: RecognizedPage | None) -> bool:
    return page is not None and page.failure is None and bool(page.lines or page.turn)


def _add_layers(pdf: pikepdf.Pdf, plans: Sequence[PagePlan], recognized: Mapping[int, RecognizedPage]) -> None:
    pages = [(plan, recognized[plan.number]) for plan in plans]
    font = InvisibleFont(characters_of(line for _, page in pages for line in page.lines))
    reference = font.add_to(pdf) if any(page.lines for _, page in pages) else None
    for plan, found in pages:
        page = pdf.pages[plan.number - 1]
        if plan.replaces_layer and found.lines:
            remove_hidden_text(pdf, page)
        if plan.mutes_text and found.lines:
            mute_fonts(pdf, page)
        if found.turn:
            page.obj.Rotate = turned(plan.geometry, found.turn).rotation
        if found.lines and reference is not None:
            _add_text(
                pdf,
                page,
                reference,
                text_operators(in_reading_order(found.lines), turned(plan.geometry, found.turn), font),
            )


def _add_text(pdf: pikepdf.Pdf, page: pikepdf.Page, font: pikepdf.Object, operators: bytes) -> None:
    """Before the page's own content, where no graphics state of that can disturb it."""
    resources = page.obj.get("/Resources") or page.resources
    own = _copied(resources)
    fonts = _copied(own.get("/Font"))
    fonts[RESOURCE_NAME] = font
    own["/Font"] = fonts
    page.obj["/Resources"] = own
    page.contents_add(pdf.make_stream(operators), prepend=True)


def _copied(dictionary: pikepdf.Object | None) -> pikepdf.Dictionary:
    """A copy for one page: resources are often shared by all pages."""
    return pikepdf.Dictionary(dict(dictionary.items()) if dictionary is not None else {})


def _keeps_own(plan: PagePlan, found: Sequence[Line]) -> bool:
    return plan.kind in (PageKind.DIGITAL, PageKind.MIXED) or not found


def _own_layer(document: Document, plan: PagePlan) -> TextLayer:
    page = open_page(document, plan.number)
    try:
        hidden = hidden_text_addresses(list(page_objects(page)), plan.geometry)
        return read_text_layer(page, plan.geometry, hidden.__contains__ if hidden else None)
    finally:
        page.close()


def _with_hidden(visible: tuple[Line, ...], hidden: tuple[Line, ...]) -> tuple[Line, ...]:
    """A good invisible layer, and the visible words (stamps, headers) that it does not have as well."""
    if not hidden or not visible:
        return visible or hidden
    known = {(word.text, round(word.box[0] / 6), round(word.box[1] / 6)) for line in hidden for word in line.words}

    def is_new(word: Word) -> bool:
        return (word.text, round(word.box[0] / 6), round(word.box[1] / 6)) not in known

    kept = [line.model_copy(update={"words": tuple(filter(is_new, line.words))}) for line in visible]
    return (*hidden, *(line for line in kept if line.words))


def _signature_notices(pdf: pikepdf.Pdf) -> list[Notice]:
    form = pdf.Root.get("/AcroForm")
    if form is None or not _is_signed(form):
        return []
    message = "The document is signed. The searchable copy is not covered by the signature; the original is unchanged."
    return [Notice(code=SIGNATURE_CODE, message=message)]


def _is_signed(form: pikepdf.Object) -> bool:
    try:
        if int(form.get("/SigFlags", 0)) & 1:
            return True
        return any(field.get("/FT") == "/Sig" and "/V" in field for field in form.get("/Fields", []))
    except (TypeError, ValueError, AttributeError):
        return False
