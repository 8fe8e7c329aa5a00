import pytest

from functions.enrich.language import detected, small_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We are writing to let you know that the terms of your plan will change and that you can end it.", "en"),
        ("Wir teilen Ihnen mit, dass sich die Bedingungen für Ihren Vertrag ändern und Sie ihn kündigen können.", "de"),
        ("Nous vous informons que les conditions de votre contrat vont changer et que vous pouvez le résilier.", "fr"),
        ("Le comunicamos que las condiciones de su contrato van a cambiar y que usted puede cancelarlo.", "es"),
        (
            "La informiamo che le condizioni del suo contratto cambieranno e che lei non può più recedere dal giorno.",
            "it",
        ),
        ("Wij laten u weten dat de voorwaarden van uw contract veranderen en dat u het kunt opzeggen.", "nl"),
        ("Rechnung Datum Menge Einzelpreis Betrag Summe Netto MwSt", "de"),
        ("Η εταιρεία μας σας ενημερώνει ότι οι όροι της σύμβασης αλλάζουν από το επόμενο έτος", "el"),
    ],
)
def test_languages_are_told_apart(text, expected):
    found = detected(text)

    assert found is not None and found[0] == expected


@pytest.mark.parametrize("text", ["", "OK", "12345 67 89", "Muster GmbH"])
def test_too_short_to_tell(text):
    assert detected(text) is None


def test_unknown_languages_have_no_small_words():
    assert small_words("xx") == frozenset() and "und" in small_words("de-CH")
