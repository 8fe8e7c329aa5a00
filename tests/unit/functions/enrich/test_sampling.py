from functions.enrich.sampling import LEFT_OUT, excerpts, tokens_of
from shared.documents import PageText


def page(number: int, text: str) -> PageText:
    return PageText(number=number, width=595, height=842, source="digital", text=text)


FILLER = "Lorem ipsum dolor sit amet consectetur. " * 40


def test_short_documents_go_whole():
    sent = excerpts([page(1, "one"), page(2, ""), page(3, "three")], 1000)

    assert [(each.number, each.text, each.whole) for each in sent] == [(1, "one", True), (3, "three", True)]


def test_no_more_than_the_budget_is_sent():
    pages = [page(number, FILLER) for number in range(1, 200)]

    for budget in (70, 500, 1500, 5000):
        assert sum(tokens_of(each.text) for each in excerpts(pages, budget)) <= budget


def test_first_last_and_telling_pages_come_before_others():
    pages = [page(number, FILLER) for number in range(1, 101)]
    pages[49] = page(50, "Gesamtbetrag 119,00 € fällig am 12.03.2024 " + FILLER)

    numbers = [each.number for each in excerpts(pages, 5 * tokens_of(FILLER))]

    assert {1, 2, 50, 100} <= set(numbers)
    assert numbers == sorted(numbers)


def test_a_page_that_is_too_long_gives_its_beginning_and_its_end():
    (sent,) = excerpts([page(1, "START " + FILLER * 20 + " END")], 400)

    assert sent.text.startswith("START") and sent.text.endswith("END") and LEFT_OUT in sent.text
    assert not sent.whole and tokens_of(sent.text) <= 400


def test_a_huge_first_page_leaves_room_for_the_last():
    sent = excerpts([page(1, FILLER * 50), page(2, "Signed on 12.03.2024")], 1000)

    assert [each.number for each in sent] == [1, 2]


def test_tokens_are_never_underrated():
    # Counts by o200k_base for English and German prose are about four characters for one; digits, signs and other
    # scripts never take more than one for a byte.
    assert tokens_of("Lorem ipsum dolor sit amet") >= 26 / 4
    assert tokens_of("1234567890") == 10
    assert tokens_of("漢字かな") == 12
    assert tokens_of("🙂") == 4
    assert tokens_of("\ud800") >= 1
