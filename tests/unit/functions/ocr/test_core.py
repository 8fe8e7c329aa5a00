import re
from dataclasses import replace

import pytest

from functions.ocr.core import ImageFacts, PageFacts, batches, needs_ink, plan_page, text_regions, without_doubles
from functions.ocr.models import PageGeometry, PageKind
from shared.documents import Box, Word

A4 = PageGeometry(box=(0, 0, 595, 842))
GOOD = re.findall(r"\S+", "Payment is due within thirty days of the invoice date unless the contract says otherwise")
POOR = re.findall(r"\S+", "«3E*»CM tanntxim. /^ n»Bfl. s*r;tiiR» Calif&rr-.la. H^uid £ug»r 3s«»teership wh1ch a?l;b")


def words(texts: list[str], top: float = 100.0) -> tuple[Word, ...]:
    return tuple(
        Word(
            text=text, box=(50 + 40 * (at % 12), top + 14 * (at // 12), 85 + 40 * (at % 12), top + 12 + 14 * (at // 12))
        )
        for at, text in enumerate(texts)
    )


def page(**facts: object) -> PageFacts:
    visible = facts.get("visible", ())
    characters = sum(len(word.text) for word in visible)  # type: ignore[attr-defined]  # words, by construction
    return replace(PageFacts(number=1, geometry=A4, characters=characters), **facts)  # type: ignore[arg-type]


SCAN = ImageFacts((0, 0, 595, 842), 1654, 2339)


@pytest.mark.parametrize(
    ("facts", "kind", "replaces_layer"),
    [
        (page(), PageKind.BLANK, False),
        (page(visible=words(GOOD)), PageKind.DIGITAL, False),
        (page(images=(SCAN,)), PageKind.OCR, False),
        (page(drawings=400), PageKind.OCR, False),
        (page(images=(SCAN,), hidden=words(GOOD), uncovered_ink=0.1), PageKind.DIGITAL, False),
        (page(images=(SCAN,), hidden=words(POOR), uncovered_ink=0.1), PageKind.OCR, True),
        (page(images=(SCAN,), hidden=words(GOOD), uncovered_ink=0.9), PageKind.OCR, True),
        (
            page(images=(SCAN,), hidden=words(POOR), visible=words(["Received"]), uncovered_ink=0.1),
            PageKind.MIXED,
            True,
        ),
        (page(images=(SCAN,), visible=words(["Received", "2024-01-02"], 20)), PageKind.MIXED, False),
        (page(visible=words(["\ufffd" * 8] * 12), damaged=96), PageKind.OCR, False),
        (page(visible=words(["7"]), drawings=300, uncovered_ink=0.9), PageKind.MIXED, False),
        (page(visible=words(["7"]), drawings=300, uncovered_ink=0.1), PageKind.DIGITAL, False),
    ],
)
def test_each_kind_of_page_is_told_apart(facts: PageFacts, kind: PageKind, replaces_layer: bool) -> None:
    plan = plan_page(facts)
    assert (plan.kind, plan.replaces_layer) == (kind, replaces_layer)


def test_text_without_meaning_is_muted_when_it_is_recognized() -> None:
    assert plan_page(page(visible=words(["\ufffd" * 8] * 12), damaged=96)).mutes_text


def test_only_images_that_may_show_text_are_regions() -> None:
    letter: Box = (60, 300, 400, 600)
    logo = ImageFacts((500, 20, 520, 40), 200, 200)
    background = ImageFacts((50, 95, 540, 115), 900, 200)
    facts = page(visible=words(GOOD), images=(ImageFacts(letter, 900, 800), logo, background))
    assert text_regions(facts) == (letter,)


def test_strips_of_one_scan_become_one_region() -> None:
    strips = tuple(ImageFacts((50, 300 + 50 * at, 500, 350 + 50 * at), 900, 100) for at in range(5))
    assert text_regions(page(visible=words(GOOD), images=strips)) == ((50, 300, 500, 550),)


def test_ink_is_looked_at_only_where_it_decides() -> None:
    assert needs_ink(page(hidden=words(GOOD)))
    assert not needs_ink(page(visible=words(GOOD), images=(SCAN,)))


def test_recognized_words_on_known_words_are_left_out() -> None:
    known = words(["Total"])
    double = Word(text="Tota1", box=(51, 101, 84, 111))
    new = Word(text="119.00", box=(300, 101, 340, 111))
    assert without_doubles((double, new), known) == (new,)


def test_batches_cover_all_pages_in_order() -> None:
    assert batches([1, 2, 4, 5, 9], 2) == ((1, 2), (4, 5), (9,))
    assert batches([], 8) == ()
