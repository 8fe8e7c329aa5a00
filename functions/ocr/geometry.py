"""Plane geometry of PDF pages: from a page's own coordinates (y upwards) to the page as shown (origin top left).

ISO 32000-1 §7.7.3.3 (page boxes, /Rotate) and §8.3 (matrices).
"""

from collections.abc import Iterable

from functions.ocr.models import PageGeometry, Quarter
from shared.documents import Box

Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f of ISO 32000: x' = a·x + c·y + e, y' = b·x + d·y + f."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
QUARTERS: tuple[Quarter, ...] = (0, 90, 180, 270)


def quarter(degrees: float) -> Quarter:
    """The nearest clockwise quarter turn."""
    return QUARTERS[round(degrees / 90) % 4]


def multiply(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that applies `first`, then `second`."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)


def apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def inverse(matrix: Matrix) -> Matrix:
    """Raises ZeroDivisionError for a matrix that flattens the plane."""
    a, b, c, d, e, f = matrix
    scale = 1.0 / (a * d - b * c)
    return (
        d * scale,
        -b * scale,
        -c * scale,
        a * scale,
        (c * f - d * e) * scale,
        (b * e - a * f) * scale,
    )


def to_shown(geometry: PageGeometry) -> Matrix:
    """From the page's own coordinates to the page as shown."""
    left, bottom, right, top = geometry.box
    match geometry.rotation:
        case 90:
            return (0.0, 1.0, 1.0, 0.0, -bottom, -left)
        case 180:
            return (-1.0, 0.0, 0.0, 1.0, right, -bottom)
        case 270:
            return (0.0, -1.0, -1.0, 0.0, top, right)
        case _:
            return (1.0, 0.0, 0.0, -1.0, -left, top)


def map_box(matrix: Matrix, box: Box) -> Box:
    """The upright box around the mapped box."""
    a, b, c, d, e, f = matrix
    x0, y0, x1, y1 = box
    ax0, ax1, bx0, bx1 = a * x0, a * x1, b * x0, b * x1
    cy0, cy1, dy0, dy1 = c * y0, c * y1, d * y0, d * y1
    return (
        min(ax0, ax1) + min(cy0, cy1) + e,
        min(bx0, bx1) + min(dy0, dy1) + f,
        max(ax0, ax1) + max(cy0, cy1) + e,
        max(bx0, bx1) + max(dy0, dy1) + f,
    )


def bounding(points: Iterable[tuple[float, float]]) -> Box:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def turned(geometry: PageGeometry, turn: Quarter) -> PageGeometry:
    """The same page, set another quarter turn clockwise."""
    return geometry.model_copy(update={"rotation": quarter(geometry.rotation + turn)})


def turn_box(box: Box, size: tuple[float, float], turn: Quarter) -> Box:
    """Where a box of a shown page of `size` lies after the page has been turned clockwise."""
    x0, y0, x1, y1 = box
    width, height = size
    match turn:
        case 90:
            return height - y1, x0, height - y0, x1
        case 180:
            return width - x1, height - y1, width - x0, height - y0
        case 270:
            return y0, width - x1, y1, width - x0
        case _:
            return box


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def intersection(first: Box, second: Box) -> Box:
    """The common part; its area is 0 where there is none."""
    return max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3])


def union(first: Box, second: Box) -> Box:
    return min(first[0], second[0]), min(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3])


def overlap(first: Box, second: Box) -> float:
    """The share of the smaller box that lies in the other, 0 to 1."""
    smaller = min(area(first), area(second))
    return area(intersection(first, second)) / smaller if smaller > 0 else 0.0


def centre_inside(box: Box, frame: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return frame[0] <= x <= frame[2] and frame[1] <= y <= frame[3]
