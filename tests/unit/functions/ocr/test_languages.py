from pathlib import Path

import pytest

from functions.ocr.languages import (
    choose_packs,
    data_directory,
    detect_languages,
    installed_packs,
    pack_of,
    packs_for_script,
    split_codes,
    tag_of,
)
from shared.errors import FailureCode, StepFailed

INSTALLED = ("deu", "eng", "osd")


@pytest.mark.parametrize(
    ("language", "pack"),
    [
        ("de", "deu"),
        ("de-AT", "deu"),
        ("eng", "eng"),
        ("zh-Hant", "chi_tra"),
        ("zh", "chi_sim"),
        ("chi_sim", "chi_sim"),
    ],
)
def test_tags_and_codes_name_the_same_packs(language: str, pack: str) -> None:
    assert pack_of(language) == pack


def test_packs_have_tags() -> None:
    assert [tag_of(pack) for pack in ("deu", "chi_tra", "osd")] == ["de", "zh-Hant", "und"]


def test_lists_of_languages_are_read_in_order_each_once() -> None:
    assert split_codes("eng+de, deu fr") == ("eng", "deu", "fra")


def test_the_language_of_a_document_comes_first() -> None:
    assert choose_packs(("eng", "deu"), "de", INSTALLED) == ("deu", "eng")
    assert choose_packs(("deu",), "de-DE", INSTALLED) == ("deu",)


def test_configured_languages_that_are_missing_are_passed_over() -> None:
    assert choose_packs(("fra", "eng"), None, INSTALLED) == ("eng",)


@pytest.mark.parametrize(("configured", "wanted"), [(("fra",), None), (("eng",), "he"), ((), None)])
def test_a_language_that_is_not_installed_fails_by_name(configured: tuple[str, ...], wanted: str | None) -> None:
    with pytest.raises(StepFailed) as failure:
        choose_packs(configured, wanted, INSTALLED)
    assert failure.value.code is FailureCode.OCR_LANGUAGE_MISSING


def test_a_script_is_read_by_an_installed_pack_or_reported() -> None:
    assert packs_for_script("Hebrew", ("eng",), INSTALLED) is None
    assert packs_for_script("Hebrew", ("eng",), (*INSTALLED, "heb")) == ("heb",)
    assert packs_for_script("Hebrew", ("heb",), (*INSTALLED, "heb")) == ()
    assert packs_for_script("Latin", ("eng",), INSTALLED) == ()


def test_language_data_are_found_where_configured(tmp_path: Path) -> None:
    (tmp_path / "eng.traineddata").write_bytes(b"")
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "Latin.traineddata").write_bytes(b"")
    assert data_directory(tmp_path) == tmp_path
    assert installed_packs(tmp_path) == {"eng", "script/Latin"}


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("The invoice is due for payment and the amount is to be paid by you", ("en",)),
        ("Die Rechnung ist für die Arbeiten und wir bitten das zu zahlen, nicht mit Skonto", ("de",)),
        ("Номер полиса страхования", ("ru",)),
        ("隙間のない空間スキャンで人や物体を検知する", ("ja",)),
        ("4711 1,50", ()),
    ],
)
def test_languages_are_told_from_the_text(text: str, languages: tuple[str, ...]) -> None:
    assert detect_languages([text]) == languages
