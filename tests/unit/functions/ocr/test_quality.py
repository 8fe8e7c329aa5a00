import pytest

from functions.ocr.quality import judge, plausibility


@pytest.mark.parametrize(
    "text",
    [
        "Payment is due within thirty days of the invoice date (no. 2024-00817), unless agreed: 1,234.56 EUR.",
        "Sehr geehrte Damen und Herren, hiermit übersenden wir Ihnen die Rechnung für März. E-Mail: info@example.de",
        "IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFFXXX, Angstschweiß, Rhythmus, §§ 12–14 UStG",
        "Номер полиса страхования выдан в Москве",
        "隙間のない空間スキャンで人や物体を検知する。光学技術×走査技術",
        "કિંમત ৰিছৰ্চ เวกเตอร์ที่มีขนาดเท่ากับ",
        "חשבונית מס קבלה עבור שירותים",
    ],
)
def test_real_text_of_any_language_is_plausible(text: str) -> None:
    quality = judge(text)
    assert quality.score > 0.97
    assert quality.broken < 0.03


@pytest.mark.parametrize(
    "text",
    [
        "«POAH «3E*»CM tanntxim. inc. /^ . ^ n»Bfl. s*r;tiiR» Calif&rr-.la. H^uid £ug»r",
        "\ufffd\ufffd\ufffd \ufffd\ufffd \ufffd\ufffd\ufffd\ufffd",
        "\x01\x02\x03 \x04\x05 \x06\x07",
        "wh1ch rn0st lnvo1ces 4rr1ve b3tw33n aBcDeF gHiJkL",
    ],
)
def test_garbage_is_not_plausible(text: str) -> None:
    quality = judge(text)
    assert quality.score < 0.9 or quality.broken > 0.05


def test_text_without_words_has_no_quality() -> None:
    assert judge(" \n ").score == 0.0


@pytest.mark.parametrize(
    "word", ["•", "–", "1.234,56", "A4", "B2B", "https://example.org/x?y=1", "McDonald", "(enc=6,"]
)
def test_signs_numbers_and_codes_count_as_words(word: str) -> None:
    assert plausibility(word) == 1.0


def test_letters_that_fell_apart_are_noticed() -> None:
    assert judge("K L Q G H U E H L W V D P W I R U G H U X Q J").is_spaced_out
    assert not judge("I am a walrus at sea and so is he").is_spaced_out
