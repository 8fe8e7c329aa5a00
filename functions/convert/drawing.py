"""Puts an SVG drawing on a page of its own size. Runs in the jail; its scripts and remote parts are left out."""

import re

from lxml import etree

from functions.convert.core import A4_POINTS, MAX_PAGE_POINTS
from shared.errors import FailureCode, StepFailed

SVG = "http://www.w3.org/2000/svg"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
POINTS_PER_UNIT = {"": 0.75, "px": 0.75, "pt": 1.0, "pc": 12.0, "mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0}
LENGTH = re.compile(r"\s*([\d.]+(?:e-?\d+)?)\s*(px|pt|pc|mm|cm|in)?\s*$", re.IGNORECASE)


def svg_page(text: str) -> str:
    """An HTML page that is as large as the drawing and shows nothing else. Raises StepFailed corrupt."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, load_dtd=False, huge_tree=True)
    root = etree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text).encode(), parser)
    if root is None:
        raise StepFailed(FailureCode.CORRUPT)
    _clean(root)
    width, height = _size(root)
    root.set("width", f"{width:.2f}pt")
    root.set("height", f"{height:.2f}pt")
    drawing = etree.tostring(root, encoding="unicode")
    return (
        f"<!doctype html><html><head><style>@page {{ size: {width:.2f}pt {height:.2f}pt; margin: 0 }}"
        f"svg {{ display: block }}</style></head><body>{drawing}</body></html>"
    )


def _clean(root: "etree._Element") -> None:
    for element in list(root.iter()):
        if not isinstance(element.tag, str):
            continue
        for name in list(element.attrib):
            value = str(element.attrib[name]).strip()
            is_reference = name in ("href", XLINK_HREF) and not value.startswith(("#", "data:"))
            if str(name).lower().startswith("on") or is_reference:
                del element.attrib[name]
    etree.strip_elements(root, f"{{{SVG}}}script", f"{{{SVG}}}foreignObject", with_tail=False)


def _size(root: "etree._Element") -> tuple[float, float]:
    """Width and height in points: as given, else by the view box, else A4."""
    width, height = _length(root.get("width")), _length(root.get("height"))
    box = [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", root.get("viewBox") or "")]
    if len(box) == 4 and box[2] > 0 and box[3] > 0:
        ratio = box[3] / box[2]
        width = width or (height / ratio if height else box[2] * POINTS_PER_UNIT[""])
        height = height or width * ratio
    else:
        width, height = width or A4_POINTS[0], height or A4_POINTS[1]
        root.set("viewBox", f"0 0 {width / POINTS_PER_UNIT['']:.2f} {height / POINTS_PER_UNIT['']:.2f}")
    shrink = min(1.0, MAX_PAGE_POINTS / max(width, height))
    return max(width * shrink, 3.0), max(height * shrink, 3.0)


def _length(value: str | None) -> float | None:
    match = LENGTH.match(value or "")
    return float(match[1]) * POINTS_PER_UNIT[(match[2] or "").lower()] or None if match else None
