"""Decides, page by page, where the text comes from. Pure: facts about a page in, a plan out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from functions.ocr.geometry import area, centre_inside, intersection, overlap
from functions.ocr.models import PageGeometry, PageKind, PagePlan
from functions.ocr.quality import judge
from shared.documents import Box, Notice, Word

FULL_PAGE_SHARE = 0.80
"""An image over this share of the page is the page."""
MIN_REGION_SHARE = 0.02
MIN_REGION_POINTS = 36.0
MIN_REGION_PIXELS = 60
MAX_IMAGE_TEXT_SHARE = 0.35
"""An image of which more than this is under digital words is their background."""
MAX_REGIONS = 24
FEW_WORDS = 12
MANY_DRAWINGS = 60
MIN_HIDDEN_SCORE = 0.97
MAX_HIDDEN_BROKEN = 0.03
MIN_HIDDEN_COVERAGE = 0.35
MIN_VISIBLE_SCORE = 0.55
MAX_DAMAGED_SHARE = 0.30
DOUBTFUL_PAGE_CONFIDENCE = 0.55
LOW_CONFIDENCE_CODE = "ocr_low_confidence"
ENOUGH_TO_JUDGE = 20
"""Fewer visible characters than this are believed: page numbers, stamps."""


@dataclass(frozen=True)
class ImageFacts:
    """An image on the page as shown: its box, and its size in pixels."""

    box: Box
    width_pixels: int
    height_pixels: int


@dataclass(frozen=True)
class PageFacts:
    """What is on a page, as far as the decision needs it.

    `visible` and `hidden` are the words of the text layer by whether they can be seen; `damaged` counts visible
    characters without a known meaning, of `characters` in all. `drawings` counts paths and shadings. `uncovered_ink`
    is the share of the page's ink outside of the words' boxes, 0 to 1, or None if it was not looked at.
    """

    number: int
    geometry: PageGeometry
    visible: tuple[Word, ...] = ()
    hidden: tuple[Word, ...] = ()
    characters: int = 0
    damaged: int = 0
    images: tuple[ImageFacts, ...] = ()
    drawings: int = 0
    uncovered_ink: float | None = None
    problems: tuple[str, ...] = field(default=())


def needs_ink(facts: PageFacts) -> bool:
    """Whether the decision depends on what there is to see outside of the words."""
    if facts.hidden:
        return True
    return 0 < len(facts.visible) <= FEW_WORDS and facts.drawings >= MANY_DRAWINGS


def plan_page(facts: PageFacts) -> PagePlan:
    """The decision on one page; see README.md for the rules in words."""
    if facts.visible and not _visible_is_trustworthy(facts):
        return _plan(facts, PageKind.OCR, "text without meaning", replaces_layer=bool(facts.hidden), mutes_text=True)
    if facts.hidden:
        return _plan_with_layer(facts)
    if not facts.visible:
        return _plan_without_text(facts)
    if len(facts.visible) <= FEW_WORDS and facts.drawings >= MANY_DRAWINGS and (facts.uncovered_ink or 0) > 0.5:
        return _plan(facts, PageKind.MIXED, "drawn text", regions=(_whole(facts),))
    regions = text_regions(facts)
    if regions:
        return _plan(facts, PageKind.MIXED, "text and images", regions=regions)
    return _plan(facts, PageKind.DIGITAL, "text")


def batches(numbers: Sequence[int], size: int) -> tuple[tuple[int, ...], ...]:
    """Cuts page numbers into batches of at most `size`, in order."""
    return tuple(tuple(numbers[at : at + size]) for at in range(0, len(numbers), size))


def text_regions(facts: PageFacts) -> tuple[Box, ...]:
    """The images that may show text of their own, largest first, neighbours and overlapping ones joined."""
    page = _whole(facts)
    boxes = [
        intersection(image.box, page)
        for image in facts.images
        if min(image.width_pixels, image.height_pixels) >= MIN_REGION_PIXELS
    ]
    large = [box for box in _joined(boxes) if _may_show_text(box, facts, page)]
    return tuple(sorted(large, key=area, reverse=True)[:MAX_REGIONS])


def _plan_with_layer(facts: PageFacts) -> PagePlan:
    quality = judge(" ".join(word.text for word in facts.hidden))
    poor = quality.score < MIN_HIDDEN_SCORE or quality.broken > MAX_HIDDEN_BROKEN or quality.is_spaced_out
    sparse = facts.uncovered_ink is not None and 1 - facts.uncovered_ink < MIN_HIDDEN_COVERAGE
    if not poor and not sparse:
        return _plan(facts, PageKind.DIGITAL, "good invisible layer")
    reason = "poor invisible layer" if poor else "sparse invisible layer"
    if facts.visible:
        regions = text_regions(facts) or (_whole(facts),)
        return _plan(facts, PageKind.MIXED, reason, regions=regions, replaces_layer=True)
    return _plan(facts, PageKind.OCR, reason, replaces_layer=True)


def _plan_without_text(facts: PageFacts) -> PagePlan:
    if facts.images or facts.drawings:
        return _plan(facts, PageKind.OCR, "no text")
    return _plan(facts, PageKind.BLANK, "nothing on it")


def _visible_is_trustworthy(facts: PageFacts) -> bool:
    if facts.characters and facts.damaged > MAX_DAMAGED_SHARE * facts.characters:
        return False
    text = " ".join(word.text for word in facts.visible)
    return len(text) < ENOUGH_TO_JUDGE or judge(text).score >= MIN_VISIBLE_SCORE


def _may_show_text(box: Box, facts: PageFacts, page: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    if min(width, height) < MIN_REGION_POINTS / 2 or max(width, height) < MIN_REGION_POINTS:
        return False
    if area(box) < MIN_REGION_SHARE * area(page):
        return False
    covered = sum(area(word.box) for word in facts.visible if centre_inside(word.box, box))
    return covered <= MAX_IMAGE_TEXT_SHARE * area(box)


def _joined(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that touch or overlap become one: scans are often stored in strips."""
    joined: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box[1], box[0])):
        merged = box
        touching = [other for other in joined if _touch(other, merged)]
        for other in touching:
            joined.remove(other)
            merged = (
                min(merged[0], other[0]),
                min(merged[1], other[1]),
                max(merged[2], other[2]),
                max(merged[3], other[3]),
            )
        joined.append(merged)
    return joined


def _touch(first: Box, second: Box) -> bool:
    margin = 1.0
    return (
        first[0] - margin <= second[2]
        and second[0] - margin <= first[2]
        and first[1] - margin <= second[3]
        and second[1] - margin <= first[3]
    )


def without_doubles(words: Sequence[Word], known: Sequence[Word]) -> tuple[Word, ...]:
    """The recognized words that do not stand on one of the known words."""
    return tuple(word for word in words if not any(overlap(word.box, other.box) > 0.4 for other in known))


def is_doubtful(words: Sequence[Word]) -> bool:
    """Whether the words of a page, weighted by length, are hardly to be believed."""
    characters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) < DOUBTFUL_PAGE_CONFIDENCE * characters


def doubtful_notice(number: int) -> Notice:
    """What is said of such a page."""
    message = "The text could only be recognized with doubt; the picture may be blurred or in another language."
    return Notice(code=LOW_CONFIDENCE_CODE, message=message, pages=(number,))


def _whole(facts: PageFacts) -> Box:
    width, height = facts.geometry.size
    return (0.0, 0.0, width, height)


def _plan(
    facts: PageFacts,
    kind: PageKind,
    reason: str,
    *,
    regions: tuple[Box, ...] = (),
    replaces_layer: bool = False,
    mutes_text: bool = False,
) -> PagePlan:
    return PagePlan(
        number=facts.number,
        kind=kind,
        geometry=facts.geometry,
        regions=regions,
        replaces_layer=replaces_layer,
        mutes_text=mutes_text,
        reason=reason,
    )
