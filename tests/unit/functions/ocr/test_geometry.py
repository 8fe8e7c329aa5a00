import pytest

from functions.ocr.geometry import apply, inverse, map_box, multiply, to_shown, turn_box, turned
from functions.ocr.models import PageGeometry, Quarter

# A page of 100 by 70 units whose shown part starts at (50, 20); a point 10 right and 5 below its own top left corner.
CROPPED = (50.0, 20.0, 150.0, 90.0)


@pytest.mark.parametrize(
    ("rotation", "size", "point"),
    [(0, (100, 70), (10, 5)), (90, (70, 100), (65, 10)), (180, (100, 70), (90, 65)), (270, (70, 100), (5, 90))],
)
def test_points_are_shown_where_the_rotation_puts_them(
    rotation: Quarter, size: tuple[float, float], point: object
) -> None:
    geometry = PageGeometry(box=CROPPED, rotation=rotation)
    assert geometry.size == size
    assert apply(to_shown(geometry), 60, 85) == point


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_inverse_leads_back(rotation: Quarter) -> None:
    matrix = to_shown(PageGeometry(box=CROPPED, rotation=rotation))
    assert apply(multiply(matrix, inverse(matrix)), 61, 33) == pytest.approx((61, 33))


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turning_a_box_equals_turning_the_page(turn: Quarter) -> None:
    geometry = PageGeometry(box=CROPPED, rotation=90)
    own = (60.0, 30.0, 75.0, 40.0)
    shown = map_box(to_shown(geometry), own)
    assert turn_box(shown, geometry.size, turn) == pytest.approx(map_box(to_shown(turned(geometry, turn)), own))
