"""Images become pages of sane size, losslessly, and without what does not belong to the picture."""

import io
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from functions.convert.core import ConversionLimits, Kind, SourceType
from functions.convert.images import ImageResult, convert_image, page_size
from shared.errors import FailureCode, StepFailed

IMAGE = SourceType(Kind.IMAGE, "image/any", ".any")
LIMITS = ConversionLimits()


def convert(tmp_path: Path, data: bytes, limits: ConversionLimits = LIMITS) -> tuple[ImageResult, Path]:
    source, output = tmp_path / "source", tmp_path / "output.pdf"
    source.write_bytes(data)
    return convert_image(source, IMAGE, output, limits), output


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> Image.Image:
    return Image.effect_noise(size, 60).convert(mode)


def embedded(output: Path, page: int = 0) -> Image.Image:
    with pikepdf.open(output) as pdf:
        (image,) = pdf.pages[page].get_images().values()
        return pikepdf.PdfImage(image).as_pil_image().copy()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_pixels_are_kept(tmp_path: Path, kind: str, mode: str) -> None:
    original = picture(mode)
    _, output = convert(tmp_path, encoded(original, kind))
    assert embedded(output).convert("RGB").tobytes() == original.convert("RGB").tobytes()


def test_a_jpeg_is_embedded_as_it_is(tmp_path: Path) -> None:
    data = encoded(picture(), "JPEG")
    _, output = convert(tmp_path, data)
    with pikepdf.open(output) as pdf:
        (image,) = pdf.pages[0].get_images().values()
        assert image.read_raw_bytes() == data


def test_the_place_of_a_photograph_is_not_carried_over(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "CameraMaker"
    exif.get_ifd(0x8825)[1] = "N"
    _, output = convert(tmp_path, encoded(picture(), "JPEG", exif=exif, comment=b"my home"))
    assert not any(word in output.read_bytes() for word in (b"CameraMaker", b"Exif", b"my home"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_camera_orientation_is_honoured(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    _, output = convert(tmp_path, encoded(picture(), kind, exif=exif))
    with pikepdf.open(output) as pdf:
        box = [float(value) for value in pdf.pages[0].mediabox]
        turned = int(pdf.pages[0].obj.get("/Rotate", 0)) % 180 == 90
    is_upright = (box[2] > box[3]) is turned
    assert is_upright is (orientation >= 5)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    _, output = convert(tmp_path, encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG"))
    assert embedded(output).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "kind"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("I;16", "PNG"), ("P", "GIF"), ("LA", "PNG")]
)
def test_unusual_colours_convert(tmp_path: Path, mode: str, kind: str) -> None:
    image = Image.new(mode, (20, 20)) if mode == "I;16" else picture(mode)
    result, _ = convert(tmp_path, encoded(image, kind))
    assert result.pages == 1


def test_every_page_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    result, output = convert(
        tmp_path, encoded(picture(size=(30, 30)), "TIFF", save_all=True, append_images=[picture("1", (50, 20))])
    )
    with pikepdf.open(output) as pdf:
        boxes = [tuple(float(value) for value in page.mediabox)[2:] for page in pdf.pages]
    assert result.pages == 2
    assert boxes[0][0] == pytest.approx(boxes[0][1])
    assert boxes[1][0] > boxes[1][1]


def test_an_animation_shows_its_first_picture_and_says_so(tmp_path: Path) -> None:
    frames = [Image.new("L", (10, 10), value) for value in (0, 100, 200)]
    result, _ = convert(tmp_path, encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert result.pages == 1
    assert [item.code for item in result.notices] == ["first_picture_only"]


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        convert(tmp_path, encoded(Image.new("1", (2000, 2000)), "PNG"), ConversionLimits(max_pixels=1_000_000))
    assert caught.value.code is FailureCode.DECOMPRESSION_BOMB


def test_a_cut_off_photograph_is_shown_with_a_doubt(tmp_path: Path) -> None:
    data = encoded(picture(size=(300, 300)), "JPEG")
    result, _ = convert(tmp_path, data[: len(data) // 2])
    assert [(item.code, item.needs_decision) for item in result.notices] == [("corrupt", True)]


def test_noise_behind_a_signature_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        convert(tmp_path, b"\x89PNG\r\n\x1a\n" + b"nothing of the kind")
    assert caught.value.code is FailureCode.CORRUPT


@pytest.mark.parametrize(
    ("pixels", "dpi", "points"),
    [
        ((2480, 3508), (300, 300), (595.2, 841.92)),
        ((1728, 1100), (204, 98), (609.88, 808.16)),
        ((800, 600), None, (600, 450)),
        ((4000, 3000), (72, 72), (793.8, 595.3)),
        ((4000, 3000), (0, 0), (793.8, 595.3)),
        ((3508, 2480), (1, 1), (841.89, 595.2)),
    ],
)
def test_pages_have_a_sane_size(
    pixels: tuple[int, int], dpi: tuple[int, int] | None, points: tuple[float, float]
) -> None:
    assert page_size(*pixels, dpi) == pytest.approx(points, rel=0.002)
