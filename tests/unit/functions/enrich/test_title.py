import pytest

from functions.enrich.title import Facts, filename_words, from_filename, title


def facts(**known):
    defaults = {
        "kind": None,
        "head": None,
        "sender": None,
        "recipient": None,
        "reference": None,
        "language": "en",
        "filename": "",
    }
    return Facts(**{**defaults, **known})


@pytest.mark.parametrize(
    "line",
    ["Betreff: Kündigung meines Vertrags", "Re: Kündigung meines Vertrags", "Subject: RE: Kündigung meines Vertrags"],
)
def test_a_subject_line_is_the_title(laid_out, line):
    found = title(laid_out((50, 80, "Muster GmbH"), (50, 200, line)), facts(kind="letter"))

    assert found is not None and found.text == "Kündigung meines Vertrags"


def test_an_invoice_is_named_by_number_and_sender(laid_out):
    found = title(laid_out((50, 80, "x")), facts(kind="invoice", sender="Muster GmbH", reference="4711", language="de"))

    assert found is not None and found.text == "Rechnung 4711 – Muster GmbH"


def test_a_heading_in_large_type_is_the_title(document):
    from functions.enrich.layout import read
    from shared.documents import DocumentText, Word

    text = document((50, 200, "ordinary words of the text"), (50, 214, "and more of them"))
    heading = tuple(
        Word(text=word, box=(50 + 90 * i, 60, 130 + 90 * i, 80)) for i, word in enumerate(["Flood", "Protection"])
    )
    page = text.pages[0].model_copy(update={"words": heading + text.pages[0].words})

    found = title(read(DocumentText(pages=(page,))), facts(kind="report"))

    assert found is not None and found.text == "Flood Protection"


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("Mietvertrag_Wohnung-Berlin.pdf", "Mietvertrag Wohnung Berlin"),
        ("C:\\Users\\me\\tax return 2023.docx", "Tax return 2023"),
        ("IMG_20240312_101010.jpg", None),
        ("scan0001.pdf", None),
        ("3f2a9c81-77aa-4b1e.pdf", None),
        ("", None),
    ],
)
def test_a_file_name_is_cleaned_or_left_out(filename, expected):
    found = from_filename(filename)

    assert (found.text if found else None) == expected


def test_file_names_become_words():
    assert filename_words("a/b/Meine_Datei-v2.final.pdf") == "Meine Datei v2 final"
