"""Draws the small picture of the first page that lists show. Runs in the jail only."""

from pathlib import Path

from PIL import Image

from functions.ocr.pdfium import open_document

LARGEST_RATIO = 2.0
"""Longer pages (receipts, screenshots of web pages) are cut off below."""
QUALITY = 78


def write_thumbnail(path: Path, output: Path, width_pixels: int) -> None:
    """Writes the first page as WebP, `width_pixels` wide. Raises StepFailed (encrypted, corrupt)."""
    document = open_document(path)
    try:
        document.init_forms()
        page = document[0]
        width, height = page.get_size()
        cut = max(0.0, height - LARGEST_RATIO * width)
        scale = width_pixels / max(width, 0.01)
        picture = page.render(scale=scale, crop=(0, cut, 0, 0)).to_pil()
    finally:
        document.close()
    if picture.width != width_pixels:
        height_pixels = max(1, round(picture.height * width_pixels / picture.width))
        picture = picture.resize((width_pixels, height_pixels), Image.Resampling.BOX)
    picture.convert("RGB").save(output, "WEBP", quality=QUALITY, method=2)
