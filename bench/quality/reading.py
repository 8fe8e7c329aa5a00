"""PDF bytes to `DocumentText` for the benchmark: the text layer, or Tesseract's reading of a rendered page."""

import ctypes
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from shared.documents import Box, DocumentText, PageText, Word

MIN_DIGITAL_CHARACTERS = 20
OCR_DPI = 200


def text_of(pdf: bytes, languages: str = "eng+deu", max_pages: int = 12) -> DocumentText:
    """The words of a PDF with their boxes; pages without a text layer are recognized."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = tuple(_page(document[index], index + 1, languages) for index in range(min(max_pages, len(document))))
    finally:
        document.close()
    return DocumentText(pages=pages, engine="bench")


def _page(page: pypdfium2.PdfPage, number: int, languages: str) -> PageText:
    width, height = page.get_size()
    words = tuple(_digital_words(page, height))
    if sum(len(word.text) for word in words) < MIN_DIGITAL_CHARACTERS:
        image = page.render(scale=OCR_DPI / 72).to_pil().convert("L")
        return recognized(image, number, width, height, languages)
    text = page.get_textpage().get_text_range().replace("\r\n", "\n")
    return PageText(number=number, width=width, height=height, source="digital", text=text, words=words)


def _digital_words(page: pypdfium2.PdfPage, height: float) -> Iterator[Word]:
    textpage = page.get_textpage()
    characters: list[str] = []
    boxes: list[Box] = []
    for index in range(textpage.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(textpage, index))
        if character.isspace() or character == "\x00":
            yield from _word(characters, boxes)
            characters, boxes = [], []
            continue
        box = _box(textpage, index, height)
        if boxes and _apart(boxes[-1], box):
            yield from _word(characters, boxes)
            characters, boxes = [], []
        characters.append(character)
        boxes.append(box)
    yield from _word(characters, boxes)


def _box(textpage: pypdfium2.PdfTextPage, index: int, height: float) -> Box:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(textpage, index, left, right, bottom, top)
    return (left.value, height - top.value, right.value, height - bottom.value)


def _apart(left: Box, right: Box) -> bool:
    size = max(left[3] - left[1], right[3] - right[1], 1.0)
    return right[0] - left[2] > 1.2 * size or right[0] < left[0] - size or abs(right[3] - left[3]) > 1.5 * size


def _word(characters: list[str], boxes: list[Box]) -> Iterator[Word]:
    text = "".join(characters).strip("\u200b\ufeff\u00ad")
    if text:
        x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
        x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
        yield Word(text=text, box=(x0, y0, x1, y1))


def recognized(image: Image.Image, number: int, width: float, height: float, languages: str) -> PageText:
    """One page as Tesseract reads it."""
    import tesserocr

    with tesserocr.PyTessBaseAPI(path="/usr/share/tesseract-ocr/5/tessdata", lang=languages) as engine:
        engine.SetImage(image)
        engine.Recognize()
        scale_x, scale_y = width / image.width, height / image.height
        read = bool(engine.AllWordConfidences())
        words = tuple(_recognized_words(engine, tesserocr.RIL.WORD, scale_x, scale_y)) if read else ()
        text = engine.GetUTF8Text() if words else ""
    return PageText(number=number, width=width, height=height, source="ocr", text=text, words=words)


def _recognized_words(engine: object, level: int, scale_x: float, scale_y: float) -> Iterator[Word]:
    import tesserocr

    for item in tesserocr.iterate_level(engine.GetIterator(), level):  # type: ignore[attr-defined]  # no stubs
        text, box = item.GetUTF8Text(level), item.BoundingBox(level)
        if text and text.strip() and box:
            x0, y0, x1, y1 = box
            scaled = (x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y)
            yield Word(text=text.strip(), box=scaled, confidence=max(0.0, min(1.0, item.Confidence(level) / 100)))
