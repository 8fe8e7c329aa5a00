"""Turns images into PDF without loss: the compressed data as they are where PDF knows them, else the same pixels
packed anew.

Runs in the jail. Pictures that were lossy in a format that PDF does not know (HEIC, AVIF, lossy WebP) become JPEG of
high quality. Nothing but the pixels, the colour profile and the resolution is carried over: no place, camera, or
author.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import img2pdf
import pillow_heif
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from functions.convert.core import A4_POINTS, MAX_PAGE_POINTS, ConversionLimits, SourceType, notice
from shared.documents import Notice
from shared.errors import FailureCode, StepFailed

POINTS_PER_INCH = 72.0
DEFAULT_DPI = 96.0
TRUSTED_DPI = (97.0, 2400.0)
"""Outside this range a resolution is often a program's default (72, 96) or nonsense, and believed only if the page
stays usual.
"""
MAX_USUAL_PAGE_POINTS = 1191.0
"""The long side of A3."""
MAX_ASPECT_OF_DPI = 3.0
JPEG_QUALITY = 95
ORIENTATION_TAG = 0x0112
ROTATIONS = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_270,
    8: Image.Transpose.ROTATE_90,
}
IMG2PDF_ROTATIONS = {3: img2pdf.Rotation["180"], 6: img2pdf.Rotation["90"], 8: img2pdf.Rotation["270"]}
LOSSY = {"HEIF", "AVIF", "WEBP"}
PNG_BIT_DEPTH_OFFSET = 24
KEPT_JPEG_SEGMENTS = frozenset({0xE0, 0xE2, 0xEE})
"""JFIF, ICC profile, Adobe colour transform; all other application segments and comments can hold personal data."""


@dataclass(frozen=True)
class ImageResult:
    """The PDF that was written: its pages and the notices."""

    pages: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Frame:
    """One page-to-be: encoded image data that img2pdf embeds, and the page's size in points."""

    data: bytes
    size: tuple[float, float]
    rotation: "img2pdf.Rotation"


def convert_image(source: Path, source_type: SourceType, output: Path, limits: ConversionLimits) -> ImageResult:
    """Writes one page per picture (all pages of a TIFF, else the first picture). Raises StepFailed."""
    # The limit is checked against the header below; Pillow's own is a global of another size.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    pillow_heif.register_heif_opener(thumbnails=False)
    notices: list[Notice] = []
    try:
        with Image.open(source) as image:
            pages = _measure(image, limits)
            frames = list(_frames(image, source, pages, notices))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, EOFError, struct.error) as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        # Pillow's decoders report damage in all of these.
        raise StepFailed(FailureCode.CORRUPT) from error
    _write(frames, output)
    return ImageResult(len(frames), tuple(notices))


def _measure(image: Image.Image, limits: ConversionLimits) -> int:
    """The number of pages to make. Raises StepFailed before anything is decoded when there are too many pages or
    pixels.
    """
    frames = getattr(image, "n_frames", 1)
    pages = frames if image.format == "TIFF" else 1
    if pages > limits.max_pages:
        raise StepFailed(FailureCode.TOO_MANY_PAGES)
    pixels = 0
    for index in range(pages):
        image.seek(index)
        pixels += image.width * image.height
        if pixels > limits.max_pixels * (1 if index == 0 else 10):
            raise StepFailed(FailureCode.DECOMPRESSION_BOMB)
        if image.width * image.height > limits.max_pixels:
            raise StepFailed(FailureCode.DECOMPRESSION_BOMB)
    image.seek(0)
    return pages


def _frames(image: Image.Image, source: Path, pages: int, notices: list[Notice]) -> Iterator[Frame]:
    if pages == 1 and getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        notices.append(notice("first_picture_only", "The file holds several pictures; the PDF shows the first."))
    for index in range(pages):
        image.seek(index)
        damaged = not _decodes(image)
        orientation = _orientation(image)
        size = page_size(image.width, image.height, image.info.get("dpi"))
        passed = _passed_through(image, source) if pages == 1 and orientation in (1, 3, 6, 8) else None
        if passed is not None and not damaged:
            yield Frame(passed, size, IMG2PDF_ROTATIONS.get(orientation, img2pdf.Rotation.none))
            continue
        if damaged:
            message = "Part of the picture is damaged."
            notices.append(notice(FailureCode.CORRUPT.value, message, pages=(index + 1,), needs_decision=True))
        yield Frame(_packed(image, orientation), _turned(size, orientation), img2pdf.Rotation.none)


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ORIENTATION_TAG, 1)
    # Pillow's HEIF reader has turned the picture already; TIFF's tag is honoured like a camera's.
    return value if isinstance(value, int) and 1 <= value <= 8 and image.format != "HEIF" else 1


def page_size(width: int, height: int, dpi: object) -> tuple[float, float]:
    """The page in points for an image of so many pixels: by its resolution if that is credible, else to fit A4."""
    if isinstance(dpi, tuple) and len(dpi) == 2 and _is_credible(width, height, float(dpi[0]), float(dpi[1])):
        return width / float(dpi[0]) * POINTS_PER_INCH, height / float(dpi[1]) * POINTS_PER_INCH
    short, long = sorted((width, height))
    assumed = max(DEFAULT_DPI, short / A4_POINTS[0] * POINTS_PER_INCH, long / A4_POINTS[1] * POINTS_PER_INCH)
    return _bounded(width / assumed * POINTS_PER_INCH), _bounded(height / assumed * POINTS_PER_INCH)


def _is_credible(width: int, height: int, x_dpi: float, y_dpi: float) -> bool:
    if not (x_dpi > 0 and y_dpi > 0) or max(x_dpi, y_dpi) / min(x_dpi, y_dpi) > MAX_ASPECT_OF_DPI:
        return False
    long_side = max(width / x_dpi, height / y_dpi) * POINTS_PER_INCH
    if long_side > MAX_PAGE_POINTS or min(width / x_dpi, height / y_dpi) * POINTS_PER_INCH < 3:
        return False
    trusted = TRUSTED_DPI[0] <= min(x_dpi, y_dpi) and max(x_dpi, y_dpi) <= TRUSTED_DPI[1]
    return trusted or (max(x_dpi, y_dpi) >= POINTS_PER_INCH / 2 and long_side <= MAX_USUAL_PAGE_POINTS)


def _bounded(points: float) -> float:
    return min(max(points, 3.0), MAX_PAGE_POINTS)


def _turned(size: tuple[float, float], orientation: int) -> tuple[float, float]:
    return (size[1], size[0]) if orientation >= 5 else size


def _passed_through(image: Image.Image, source: Path) -> bytes | None:
    """The compressed data as they are, if PDF takes them: JPEG (also of multi-picture files), JPEG 2000, plain PNG."""
    if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB", "CMYK"):
        return without_personal_data(source.read_bytes())
    if image.format == "JPEG2000" and image.mode in ("L", "RGB"):
        return source.read_bytes()
    if (
        image.format == "PNG"
        and image.mode in ("1", "L", "RGB", "P")
        and not image.info.keys() & {"transparency", "interlace"}
    ):
        data = source.read_bytes()
        return data if data[PNG_BIT_DEPTH_OFFSET] <= 8 else None
    return None


def without_personal_data(jpeg: bytes) -> bytes:
    """The same JPEG without Exif, XMP, IPTC and comments (ITU-T T.81, annex B); ends where the first picture ends."""
    kept = bytearray(jpeg[:2])
    offset = 2
    while offset + 4 <= len(jpeg) and jpeg[offset] == 0xFF:
        marker = jpeg[offset + 1]
        if marker == 0xFF:
            offset += 1
            continue
        if marker == 0xDA:
            end = jpeg.find(b"\xff\xd9\xff\xd8", offset)
            return bytes(kept) + (jpeg[offset : end + 2] if end > 0 else jpeg[offset:])
        length = int.from_bytes(jpeg[offset + 2 : offset + 4], "big")
        is_application = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not is_application or (marker in KEPT_JPEG_SEGMENTS and jpeg[offset + 4 : offset + 8] != b"MPF\x00"):
            kept += jpeg[offset : offset + 2 + length]
        offset += 2 + length
    return jpeg


def _decodes(image: Image.Image) -> bool:
    """Decodes the picture; a damaged one is decoded as far as it goes, and False."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image.load()
    except (OSError, SyntaxError, ValueError):
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        image.load()
        return False
    return True


def _packed(image: Image.Image, orientation: int) -> bytes:
    picture = _plain(image)
    if orientation in ROTATIONS:
        picture = picture.transpose(ROTATIONS[orientation])
    elif orientation != 1:
        picture = ImageOps.exif_transpose(image) if picture is image else _mirrored(picture, orientation)
    buffer = io.BytesIO()
    profile = image.info.get("icc_profile") if picture.mode in ("L", "RGB", "CMYK") else None
    if _is_lossy(image):
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=profile)
    elif picture.mode == "CMYK":
        picture.save(buffer, "TIFF", compression="tiff_adobe_deflate")
    else:
        picture.save(buffer, "PNG", compress_level=6, icc_profile=profile)
    return buffer.getvalue()


def _is_lossy(image: Image.Image) -> bool:
    return image.format in LOSSY and not (image.format == "WEBP" and image.info.get("lossless"))


def _mirrored(picture: Image.Image, orientation: int) -> Image.Image:
    steps = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        7: Image.Transpose.TRANSVERSE,
    }
    return picture.transpose(steps[orientation])


def _plain(image: Image.Image) -> Image.Image:
    """The picture in a mode that PDF shows everywhere: no alpha (white shines through), 8 bits per colour."""
    if image.mode in ("1", "L", "RGB", "CMYK"):
        return image.convert("RGB") if "transparency" in image.info else image
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _eight_bits(image)
    if image.mode == "P" and "transparency" not in image.info:
        return image.convert("L" if _is_grey(image) else "RGB")
    with_alpha = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, with_alpha).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    values = image.convert("F")
    low, high = values.getextrema()
    top = 65535.0 if isinstance(high, float) and high > 255 else 255.0
    if isinstance(low, float) and isinstance(high, float) and (low < 0 or high > 65535 or high <= 1):
        top = high - low or 1.0
        values = values.point(lambda value: value * 1.0 - low)
    return values.point(lambda value: value * (255.0 / top)).convert("L")


def _is_grey(image: Image.Image) -> bool:
    palette = image.getpalette() or []
    return all(palette[index] == palette[index + 1] == palette[index + 2] for index in range(0, len(palette) - 2, 3))


def _write(frames: list[Frame], output: Path) -> None:
    with output.open("wb") as target:
        if len(frames) == 1:
            img2pdf.convert(
                frames[0].data,
                outputstream=target,
                layout_fun=_layout(frames),
                rotation=frames[0].rotation,
                nodate=True,
            )
        else:
            img2pdf.convert(
                [frame.data for frame in frames], outputstream=target, layout_fun=_layout(frames), nodate=True
            )


def _layout(frames: list[Frame]) -> object:
    sizes = iter([frame.size for frame in frames])

    def layout(width: int, height: int, dpi: object) -> tuple[float, float, float, float]:
        page_width, page_height = next(sizes)
        return page_width, page_height, page_width, page_height

    return layout
