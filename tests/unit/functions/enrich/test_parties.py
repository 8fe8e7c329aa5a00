import pytest

from functions.enrich.parties import PartyReader

WINDOW = [
    (60, 150, "Muster GmbH · Hauptstr. 1 · 10115 Berlin"),
    (60, 170, "Frau"),
    (60, 183, "Erika Beispiel"),
    (60, 196, "Lindenweg 7"),
    (60, 209, "48149 Münster"),
]


def parties(layout, **options):
    reader = PartyReader(layout, **options)
    recipient = reader.recipient()
    sender = reader.sender(recipient)
    return (sender.name if sender else None, recipient.name if recipient else None)


def test_the_address_window_names_recipient_and_sender(laid_out):
    assert parties(laid_out(*WINDOW)) == ("Muster GmbH", "Erika Beispiel")


def test_titles_are_not_part_of_the_name(laid_out):
    rows = [
        (60, 150, "Muster GmbH · Hauptstr. 1 · 10115 Berlin"),
        (60, 170, "Herrn Max Beispiel"),
        (60, 183, "Weg 1"),
        (60, 196, "10115 Berlin"),
    ]

    assert parties(laid_out(*rows))[1] == "Max Beispiel"


@pytest.mark.parametrize("label", ["Bill To:", "Rechnungsempfänger", "Sold to:", "Facturé à :", "Invoice to"])
def test_a_label_above_names_the_recipient(laid_out, label):
    rows = [(60, 50, "Acme Ltd"), (60, 200, label), (60, 213, "Jane Doe"), (60, 226, "1 High Street")]

    assert parties(laid_out(*rows)) == ("Acme Ltd", "Jane Doe")


def test_mail_headers_name_both(laid_out):
    rows = [
        (60, 50, "From:"),
        (120, 50, "Jane Doe <jane@mail.org>"),
        (60, 64, "To:"),
        (120, 64, "John Roe <john@mail.org>"),
    ]

    assert parties(laid_out(*rows), kind="letter") == ("Jane Doe", "John Roe")


def test_a_column_of_party_fields_is_read_by_its_name_field(laid_out):
    rows = [
        (60, 300, "Käufer/Leistungsempfänger"),
        (60, 314, "Nummer:"),
        (250, 314, "0815"),
        (60, 328, "Name:"),
        (250, 328, "Beispiel AG"),
    ]

    assert parties(laid_out(*rows))[1] == "Beispiel AG"


def test_the_recipient_is_never_the_sender(laid_out):
    rows = [(60, 150, "To: Acme Ltd"), (60, 700, "Acme Ltd")]

    assert parties(laid_out(*rows), kind="letter") == (None, "Acme Ltd")


def test_the_first_line_of_a_till_slip_is_the_shop(laid_out):
    rows = [(60, 50, "CORNER DELI"), (60, 64, "12 High Street"), (60, 78, "Total 5.00")]

    assert parties(laid_out(*rows), kind="receipt")[0] == "CORNER DELI"


def test_a_known_sender_in_the_letterhead_is_recognized(laid_out):
    rows = [(60, 40, "your friends at Kestrel Home"), (60, 300, "some text about nothing")]

    assert parties(laid_out(*rows), known_senders=("Kestrel Home",))[0] == "Kestrel Home"


@pytest.mark.parametrize("line", ["This is just a test.", "Chapter One", "Table 1: Results", "www.example.org"])
def test_ordinary_lines_are_nobody(laid_out, line):
    assert parties(laid_out((60, 50, line), (60, 300, "more text follows here"))) == (None, None)


def test_parties_of_bank_transfers_are_not_the_sender(laid_out):
    rows = [(60, 60, "01.03.2024"), (150, 60, "Elektro Sommer KG"), (450, 60, "-25,00")]

    assert parties(laid_out(*rows), kind="bank_statement")[0] is None
