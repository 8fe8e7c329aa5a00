"""Checks, repairs and disarms a PDF. Runs in the jail.

A sound PDF without active content passes byte for byte. Anything else is written anew by qpdf (or by PDFium where
qpdf gives up), and a notice says why; a repair that may have lost something asks for a decision.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
from pikepdf import Array, Dictionary, Name, Pdf

from functions.convert.active_content import disarm
from functions.convert.core import ConversionLimits, notice
from shared.documents import Notice
from shared.errors import FailureCode, StepFailed

NO_DAMAGE = re.compile(r"common error handled correctly|reported number of objects", re.IGNORECASE)
"""qpdf's words for what writers often get wrong and every reader takes."""

HARMLESS_DAMAGE = re.compile(
    r"file is damaged|can't find startxref|reconstruct cross-reference|xref not found|trailer size|xref size|xref entry"
    r"|can't find PDF header|duplicate|startxref|expected endobj|extraneous whitespace|invalid.*/Length|lacks /Length"
    r"|/Length key|attempting to recover stream length|recovered stream length: [1-9]|expected endstream|MediaBox",
    re.IGNORECASE,
)
"""qpdf's words for damage of the table of contents and of lengths: the objects are found all the same."""


@dataclass
class OpenedPdf:
    """A PDF that qpdf could read, what was wrong with it, and what is to be told about it."""

    pdf: Pdf
    damage: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    converter: str = "copy"


@dataclass(frozen=True)
class PdfResult:
    """The PDF that was written: its pages, what wrote it, and the notices."""

    pages: int
    converter: str
    notices: tuple[Notice, ...]


def convert_pdf(source: Path, output: Path, limits: ConversionLimits) -> PdfResult:
    """Writes a sound, open, inert PDF to `output`. Raises StepFailed: see this function's README."""
    try:
        with _open(source, output) as opened_pdf:
            return _checked_copy(source, output, opened_pdf, limits)
    except pikepdf.PdfError as error:
        raise StepFailed(FailureCode.CORRUPT) from error


class _open:
    """Opens a PDF by the mildest means that works, and closes it again."""

    def __init__(self, source: Path, scratch_output: Path) -> None:
        self._opened = _opened(source, scratch_output.with_suffix(".pdfium.pdf"))

    def __enter__(self) -> OpenedPdf:
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.pdf.close()


def _opened(source: Path, rescue: Path) -> OpenedPdf:
    try:
        pdf = pikepdf.open(source, suppress_warnings=True)
    except pikepdf.PasswordError as error:
        return _opened_by_pdfium(source, rescue, FailureCode.ENCRYPTED, error)
    except pikepdf.PdfError as error:
        if "encryption" in str(error).lower():
            # A security handler other than the standard one: the keys are with a rights-management service.
            raise StepFailed(FailureCode.RIGHTS_PROTECTED) from error
        return _opened_by_pdfium(source, rescue, FailureCode.CORRUPT, error)
    return OpenedPdf(pdf)


def _opened_by_pdfium(source: Path, rescue: Path, code: FailureCode, cause: Exception) -> OpenedPdf:
    """What qpdf refuses PDFium may open: other damage, or documents in which only attachments are encrypted."""
    try:
        with pypdfium2.PdfDocument(source) as document:
            if len(document) == 0:
                raise StepFailed(code) from cause
            document.save(rescue, flags=pdfium.FPDF_REMOVE_SECURITY)
        pdf = pikepdf.open(rescue, suppress_warnings=True)
    except (pypdfium2.PdfiumError, pikepdf.PdfError, OSError) as error:
        raise StepFailed(code) from error
    opened = OpenedPdf(pdf, converter="pdfium")
    if code is FailureCode.ENCRYPTED:
        opened.notices.append(
            notice("encryption_removed", "Some encrypted parts, such as attachments, are not in the PDF.")
        )
    else:
        opened.damage.append("rebuilt by PDFium")
    return opened


def _checked_copy(source: Path, output: Path, opened: OpenedPdf, limits: ConversionLimits) -> PdfResult:
    pdf = opened.pdf
    if len(pdf.objects) > limits.max_objects:
        raise StepFailed(FailureCode.TOO_LARGE)
    _refuse_wrappers(pdf)
    pages = _count_pages(pdf, limits)
    _refuse_pixel_bombs(pdf, limits)
    opened.damage += [text for text in map(str, pdf.get_warnings()) if not NO_DAMAGE.search(text)]
    if opened.damage and _is_cut_off(source):
        opened.damage.append("the end of the file is missing")
    if pdf.is_encrypted:
        opened.notices.append(
            notice("encryption_removed", "The PDF was readable but restricted; the copy has no restrictions.")
        )
    signed = is_signed(pdf)
    disarmed = disarm(pdf)
    if disarmed:
        opened.notices.append(notice("active_content_removed", f"Removed from the PDF: {', '.join(sorted(disarmed))}."))
    if _has_leading_junk(source):
        opened.damage.append("startxref: bytes before the header")
    rewrite = bool(opened.notices or opened.damage) or opened.converter != "copy"
    converter = _write(source, output, opened, rewrite)
    if rewrite and signed:
        opened.notices.append(
            notice(
                "signature_invalidated",
                "The digital signature is valid in the original only; the PDF had to be rewritten.",
            )
        )
    opened.notices += _examine(output, opened.damage, pages)
    return PdfResult(pages, converter, tuple(opened.notices))


def _write(source: Path, output: Path, opened: OpenedPdf, rewrite: bool) -> str:
    if not rewrite:
        shutil.copyfile(source, output)
        return "copy"
    opened.pdf.save(output, encryption=False, stream_decode_level=pikepdf.StreamDecodeLevel.none, deterministic_id=True)
    return "qpdf" if opened.converter == "copy" else opened.converter


def _count_pages(pdf: Pdf, limits: ConversionLimits) -> int:
    try:
        pages = len(pdf.pages)
    except (pikepdf.PdfError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    if pages == 0:
        raise StepFailed(FailureCode.CORRUPT, "The PDF has no pages.")
    if pages > limits.max_pages:
        raise StepFailed(FailureCode.TOO_MANY_PAGES)
    return pages


def _refuse_wrappers(pdf: Pdf) -> None:
    """Refuses PDFs that only show a notice: encrypted payloads (ISO 32000-2, §7.6.7), dynamic XFA forms."""
    for specification in _embedded_files(pdf):
        if "/EP" in specification or specification.get(Name.AFRelationship) == Name.EncryptedPayload:
            raise StepFailed(FailureCode.RIGHTS_PROTECTED)
    if _is_dynamic_form(pdf):
        raise StepFailed(
            FailureCode.UNSUPPORTED_TYPE,
            "The file is a dynamic XFA form that only Adobe's own programs can show.",
        )


def _embedded_files(pdf: Pdf) -> Iterator[Dictionary]:
    associated = pdf.Root.get(Name.AF)
    if isinstance(associated, Array):
        yield from (item for item in associated if isinstance(item, Dictionary))
    names = pdf.Root.get(Name.Names)
    if isinstance(names, Dictionary) and isinstance(names.get(Name.EmbeddedFiles), Dictionary):
        tree = pikepdf.NameTree(names[Name.EmbeddedFiles])
        yield from (item for item in tree.values() if isinstance(item, Dictionary))


def _is_dynamic_form(pdf: Pdf) -> bool:
    form = pdf.Root.get(Name.AcroForm)
    if not isinstance(form, Dictionary) or Name.XFA not in form:
        return False
    if bool(pdf.Root.get(Name.NeedsRendering, False)):
        return True
    return any(re.search(rb"<dynamicRender>\s*required", packet) for packet in _xfa_packets(form[Name.XFA]))


def _xfa_packets(xfa: pikepdf.Object) -> Iterator[bytes]:
    parts = list(xfa) if isinstance(xfa, Array) else [xfa]
    for part in parts:
        if isinstance(part, pikepdf.Stream):
            yield part.read_bytes()[:1_000_000]


def _refuse_pixel_bombs(pdf: Pdf, limits: ConversionLimits) -> None:
    seen: set[tuple[int, int]] = set()
    for page in pdf.pages:
        resources = page.obj.get(Name.Resources)
        images = resources.get(Name.XObject) if isinstance(resources, Dictionary) else None
        for image in images.values() if isinstance(images, Dictionary) else ():
            if not isinstance(image, pikepdf.Stream) or image.objgen in seen:
                continue
            seen.add(image.objgen)
            width, height = image.get(Name.Width), image.get(Name.Height)
            if isinstance(width, int) and isinstance(height, int) and width * height > limits.max_pixels:
                raise StepFailed(FailureCode.DECOMPRESSION_BOMB)


def is_signed(pdf: Pdf) -> bool:
    """Whether the document carries a digital signature (ISO 32000-1, §12.8): a field of that type with a value."""
    form = pdf.Root.get(Name.AcroForm)
    fields = form.get(Name.Fields) if isinstance(form, Dictionary) else None
    waiting = list(fields) if isinstance(fields, Array) else []
    for _ in range(100_000):
        if not waiting:
            return False
        item = waiting.pop()
        if not isinstance(item, Dictionary):
            continue
        if item.get(Name.FT) == Name.Sig and isinstance(item.get(Name.V), Dictionary):
            return True
        kids = item.get(Name.Kids)
        waiting += list(kids) if isinstance(kids, Array) else []
    return False


def _has_leading_junk(source: Path) -> bool:
    with source.open("rb") as stream:
        return not stream.read(5).startswith(b"%PDF-")


def _is_cut_off(source: Path) -> bool:
    """Whether the file ends within its objects: no end mark, or objects after the last one."""
    data = source.read_bytes()
    end = data.rfind(b"%%EOF")
    return end < 0 or b" obj" in data[end:]


def _examine(output: Path, damage: list[str], expected_pages: int) -> list[Notice]:
    """Opens the result as readers do, page by page. Raises StepFailed corrupt when nothing is to be seen."""
    try:
        with pypdfium2.PdfDocument(output) as document:
            pages = len(document)
            broken = [number for number in range(1, pages + 1) if not _page_opens(document, number)]
            blank = bool(damage) and not broken and all(_is_blank(document, number) for number in range(1, pages + 1))
    except pypdfium2.PdfiumError as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    if len(broken) == pages or blank:
        raise StepFailed(FailureCode.CORRUPT)
    if broken:
        return [_repaired("Some pages of the PDF are damaged and cannot be shown.", tuple(broken), True)]
    if pages != expected_pages:
        return [_repaired("The PDF is damaged; programs do not agree on its pages.", (), True)]
    if damage:
        doubt = not all(HARMLESS_DAMAGE.search(message) for message in damage)
        return [_repaired("The PDF was damaged and has been repaired.", (), doubt)]
    return []


def _repaired(message: str, pages: tuple[int, ...], doubt: bool) -> Notice:
    if doubt and not pages:
        message += " Text or pages may be missing: compare it with the original."
    code = FailureCode.CORRUPT.value if doubt else "pdf_repaired"
    return notice(code, message, pages=pages, needs_decision=doubt)


def _page_opens(document: pypdfium2.PdfDocument, number: int) -> bool:
    try:
        document[number - 1].close()
    except pypdfium2.PdfiumError:
        return False
    return True


def _is_blank(document: pypdfium2.PdfDocument, number: int) -> bool:
    page = document[number - 1]
    try:
        return bool(pdfium.FPDFPage_CountObjects(page) <= 0)
    finally:
        page.close()
