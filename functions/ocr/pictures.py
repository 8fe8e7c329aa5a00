"""Looks at grey pictures without reading them: blank or not, which way lines run, what was left unread. Only Pillow."""

from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from functions.ocr.geometry import union
from functions.ocr.models import Quarter
from shared.documents import Box

DARK_PICTURE_SHARE = 0.6
FULL_RANGE = 235
LOW_CONTRAST = 140
"""A difference of fewer grey levels between paper and ink is spread."""
INK_SHARE = 0.0005
BLANK_SHARE = 0.00004
BAND_RATIO = 1.25
CELL_PIXELS = 16
EDGE_LEVEL = 10
SPOT_TEXT_PIXELS = 8
SPOT_CONTRAST = 60
MAX_INK_SHARE = 0.12
MAX_SPOTS = 60
FRAME_PIXELS = 12

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


def tidy(picture: Image.Image) -> Image.Image:
    """Grey, dark on light, and with the full range of levels where there is little contrast."""
    picture = picture if picture.mode == "L" else picture.convert("L")
    histogram = picture.histogram()
    pixels = sum(histogram)
    if sum(histogram[:110]) > DARK_PICTURE_SHARE * pixels:
        picture = ImageOps.invert(picture)
        histogram = histogram[::-1]
    dark, light = _level(histogram, INK_SHARE * pixels), _level(histogram, 0.6 * pixels)
    # Less than a tenth of the range is noise on blank paper.
    if not 25 <= light - dark < LOW_CONTRAST:
        return picture
    return picture.point([max(0, min(255, (level - dark) * FULL_RANGE // (light - dark))) for level in range(256)])


def turned_picture(picture: Image.Image, turn: Quarter) -> Image.Image:
    """The picture turned clockwise."""
    return picture.transpose(_TURNS[turn]) if turn else picture


def is_blank(picture: Image.Image) -> bool:
    """Whether nothing stands out from the paper, but for specks."""
    small = picture.resize((min(400, picture.width), min(560, picture.height)), Image.Resampling.BOX)
    histogram = small.histogram()
    typical = max(range(256), key=histogram.__getitem__)
    different = sum(number for level, number in enumerate(histogram) if abs(level - typical) > 30)
    return different <= BLANK_SHARE * sum(histogram)


def lines_run(picture: Image.Image) -> str:
    """ "across", "down" or "unsure": the way in which lines of text make dark and light bands on the picture."""
    across, down = _band_contrast(picture), _band_contrast(picture.transpose(Image.Transpose.ROTATE_90))
    if across > BAND_RATIO * down:
        return "across"
    return "down" if down > BAND_RATIO * across else "unsure"


def unread_share(picture: Image.Image, boxes: Iterable[Box]) -> float:
    """How much of the picture's fine detail (edges of letters, lines, textures) lies outside of the boxes, 0 to 1."""
    quarter_size = (max(2, picture.width // 4), max(2, picture.height // 4))
    small = picture.resize(quarter_size, Image.Resampling.BOX)
    edges = ImageChops.difference(small, ImageChops.offset(small, 1, 0))
    cells = edges.resize(
        (max(1, picture.width // CELL_PIXELS), max(1, picture.height // CELL_PIXELS)), Image.Resampling.BOX
    )
    detailed = cells.point([255 if level > EDGE_LEVEL else 0 for level in range(256)])
    total = detailed.histogram()[255]
    draw = ImageDraw.Draw(detailed)
    for x0, y0, x1, y1 in boxes:
        draw.rectangle([(x0 // CELL_PIXELS, y0 // CELL_PIXELS), (x1 // CELL_PIXELS, y1 // CELL_PIXELS)], fill=0)
    return detailed.histogram()[255] / total if total else 0.0


def unread_spots(picture: Image.Image, boxes: Sequence[Box], text_height: float) -> list[Box]:
    """Where ink of the size of a short word stands outside of the boxes but beside one, as in the cells of a table.

    Empty if there is so much of it that it is a drawing or a photograph.
    """
    scale = SPOT_TEXT_PIXELS / max(text_height, SPOT_TEXT_PIXELS)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BOX)
    ink = ImageChops.difference(small.filter(ImageFilter.MaxFilter(5)), small)
    draw = ImageDraw.Draw(ink)
    for x0, y0, x1, y1 in boxes:
        draw.rectangle((x0 * scale - 1, y0 * scale - 1, x1 * scale + 1, y1 * scale + 1), fill=0)
    points = {at for at, level in enumerate(ink.tobytes()) if level > SPOT_CONTRAST}
    if len(points) > MAX_INK_SHARE * size[0] * size[1]:
        return []
    spots = [spot for spot in _side_by_side(_blobs(points, size[0])) if _has_size_of_word(spot)]
    found = [(x0 / scale, y0 / scale, x1 / scale, y1 / scale) for x0, y0, x1, y1 in spots]
    beside = [spot for spot in found if any(_on_one_line(spot, box) for box in boxes)]
    return beside if len(beside) <= MAX_SPOTS else []


def _on_one_line(spot: Box, box: Box) -> bool:
    return box[1] <= (spot[1] + spot[3]) / 2 <= box[3] and spot[3] - spot[1] < 1.6 * (box[3] - box[1])


def _blobs(points: set[int], width: int) -> list[Box]:
    """The boxes of connected points; a point is its row times the width plus its column."""
    boxes: list[Box] = []
    neighbours = (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1)
    while points:
        waiting = [points.pop()]
        members = []
        while waiting:
            point = waiting.pop()
            members.append(point)
            near = points.intersection(point + step for step in neighbours)
            points -= near
            waiting += near
        columns, rows = [point % width for point in members], [point // width for point in members]
        boxes.append((min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return boxes


def _side_by_side(boxes: Sequence[Box]) -> list[Box]:
    """Joins blobs of letter size that stand next to each other into words."""
    joined: list[Box] = []
    for box in sorted((box for box in boxes if box[3] - box[1] < 2 * SPOT_TEXT_PIXELS), key=lambda box: box[0]):
        for at, other in enumerate(joined):
            shared = min(box[3], other[3]) - max(box[1], other[1])
            if box[0] - other[2] < 0.6 * SPOT_TEXT_PIXELS and shared > 0:
                joined[at] = union(other, box)
                break
        else:
            joined.append(box)
    return joined


def _has_size_of_word(box: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    return 0.5 * SPOT_TEXT_PIXELS <= height <= 2 * SPOT_TEXT_PIXELS and 1 <= width <= 12 * SPOT_TEXT_PIXELS


def framed(picture: Image.Image) -> Image.Image:
    """The picture with a margin of its own lightest level, without which letters at the edge are not found."""
    light = _level(picture.histogram(), 0.9 * picture.width * picture.height)
    frame = Image.new("L", (picture.width + 2 * FRAME_PIXELS, picture.height + 2 * FRAME_PIXELS), light)
    frame.paste(picture, (FRAME_PIXELS, FRAME_PIXELS))
    return frame


def painted_over(picture: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """A copy with the boxes filled with the light level of the paper."""
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    paper = _level(picture.histogram(), 0.6 * picture.width * picture.height)
    for box in boxes:
        draw.rectangle(box, fill=paper)
    return copy


def _band_contrast(picture: Image.Image) -> float:
    """How much the darkness of a row differs from that of the next, in strips, so that columns do not blur it."""
    height = min(1200, picture.height)
    strips = picture.resize((6, height), Image.Resampling.BOX).tobytes()
    return float(sum(abs(strips[at] - strips[at - 6]) ** 1.5 for at in range(6, len(strips))) / height)


def _level(histogram: Sequence[int], count: float) -> int:
    """The grey level below which `count` pixels lie."""
    seen = 0
    for level, number in enumerate(histogram):
        seen += number
        if seen > count:
            return level
    return 255
