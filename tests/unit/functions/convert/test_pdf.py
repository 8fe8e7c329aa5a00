"""A sound PDF passes untouched; a damaged, locked or active one is made sound, open and inert, or refused."""

from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, String

from functions.convert.core import ConversionLimits
from functions.convert.pdf import PdfResult, convert_pdf
from shared.errors import FailureCode, StepFailed

LIMITS = ConversionLimits()


def made(pages: int = 1) -> Pdf:
    pdf = Pdf.new()
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    for number in range(pages):
        page = pdf.add_blank_page(page_size=(300, 300))
        page.obj.Resources = Dictionary(Font=Dictionary(F1=font))
        page.obj.Contents = pdf.make_stream(b"BT /F1 20 Tf 50 100 Td (page %d) Tj ET" % number)
    return pdf


def convert(
    tmp_path: Path, pdf: Pdf | bytes, limits: ConversionLimits = LIMITS, **save: object
) -> tuple[PdfResult, Path, Path]:
    source, output = tmp_path / "source.pdf", tmp_path / "output.pdf"
    if isinstance(pdf, bytes):
        source.write_bytes(pdf)
    else:
        pdf.save(source, **save)
    return convert_pdf(source, output, limits), source, output


def code_of(tmp_path: Path, pdf: Pdf | bytes, limits: ConversionLimits = LIMITS, **save: object) -> FailureCode:
    with pytest.raises(StepFailed) as caught:
        convert(tmp_path, pdf, limits, **save)
    return caught.value.code


def codes(result: PdfResult) -> list[str]:
    return [item.code for item in result.notices]


def bytes_of(tmp_path: Path, pdf: Pdf) -> bytes:
    pdf.save(tmp_path / "made.pdf")
    return (tmp_path / "made.pdf").read_bytes()


def test_a_sound_pdf_is_copied_byte_for_byte(tmp_path: Path) -> None:
    result, source, output = convert(tmp_path, made(3))
    assert (result.pages, result.converter, result.notices) == (3, "copy", ())
    assert output.read_bytes() == source.read_bytes()


def test_bytes_before_the_header_are_removed(tmp_path: Path) -> None:
    result, _, output = convert(tmp_path, b"GARBAGE\n" * 20 + bytes_of(tmp_path, made()))
    assert result.pages == 1
    assert output.read_bytes().startswith(b"%PDF-")
    assert not any(item.needs_decision for item in result.notices)


def test_a_lost_table_of_contents_is_rebuilt_without_doubt(tmp_path: Path) -> None:
    data = bytes_of(tmp_path, made(2))
    broken = data[: data.rindex(b"startxref")] + b"startxref\n9999999\n%%EOF\n"
    result, _, _ = convert(tmp_path, broken)
    assert result.pages == 2
    assert [(item.code, item.needs_decision) for item in result.notices] == [("pdf_repaired", False)]


def test_a_cut_off_file_is_repaired_with_a_doubt_or_refused(tmp_path: Path) -> None:
    pdf = made(2)
    data = bytes_of(tmp_path, pdf)
    try:
        result, _, _ = convert(tmp_path, data[: int(len(data) * 0.8)])
    except StepFailed as error:
        assert error.code is FailureCode.CORRUPT
    else:
        assert any(item.needs_decision for item in result.notices)


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing", b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n"])
def test_nothing_readable_is_corrupt(tmp_path: Path, data: bytes) -> None:
    assert code_of(tmp_path, data) is FailureCode.CORRUPT


def test_a_pdf_without_pages_is_corrupt(tmp_path: Path) -> None:
    assert code_of(tmp_path, Pdf.new()) is FailureCode.CORRUPT


def test_a_user_password_is_asked_for(tmp_path: Path) -> None:
    assert code_of(tmp_path, made(), encryption=pikepdf.Encryption(owner="o", user="u")) is FailureCode.ENCRYPTED


def test_restrictions_without_a_password_are_dropped_and_told(tmp_path: Path) -> None:
    result, _, output = convert(tmp_path, made(), encryption=pikepdf.Encryption(owner="o", user=""))
    assert codes(result) == ["encryption_removed"]
    with pikepdf.open(output) as pdf:
        assert not pdf.is_encrypted


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path, made(3), ConversionLimits(max_pages=2)) is FailureCode.TOO_MANY_PAGES


def test_an_encrypted_payload_behind_a_notice_is_rights_protected(tmp_path: Path) -> None:
    pdf = made()
    payload = pikepdf.AttachedFileSpec(pdf, b"locked", filename="x.pdf", relationship=Name.EncryptedPayload)
    pdf.attachments["x.pdf"] = payload
    assert code_of(tmp_path, pdf) is FailureCode.RIGHTS_PROTECTED


@pytest.mark.parametrize("by_config", [True, False])
def test_a_dynamic_form_is_not_taken_for_its_please_wait_page(tmp_path: Path, by_config: bool) -> None:
    pdf = made()
    packet = b"<config><dynamicRender>required</dynamicRender></config>" if by_config else b"<template/>"
    pdf.Root.AcroForm = Dictionary(XFA=pdf.make_stream(packet), Fields=Array([]))
    if not by_config:
        pdf.Root.NeedsRendering = True
    assert code_of(tmp_path, pdf) is FailureCode.UNSUPPORTED_TYPE


def action(kind: str, **more: object) -> Dictionary:
    return Dictionary(S=Name(f"/{kind}"), **more)


@pytest.mark.parametrize(
    "dangerous",
    [
        action("JavaScript", JS=String("app.alert(1)")),
        action("Launch", F=String("calc.exe")),
        action("SubmitForm", F=String("http://example.org")),
        action("GoToE"),
        action("URI", URI=String("file:///etc/passwd")),
        action("URI", URI=String("javascript:evil()")),
        action("GoTo", Next=action("JavaScript", JS=String("x"))),
    ],
)
def test_dangerous_actions_are_removed_wherever_they_stand(tmp_path: Path, dangerous: Dictionary) -> None:
    pdf = made()
    page = pdf.pages[0].obj
    pdf.Root.OpenAction = dangerous
    pdf.Root.AA = Dictionary(WC=dangerous)
    page.AA = Dictionary(O=dangerous)
    page.Annots = Array(
        [pdf.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=[0, 0, 9, 9], A=dangerous))]
    )
    result, _, output = convert(tmp_path, pdf)
    assert "active_content_removed" in codes(result)
    with pikepdf.open(output) as clean:
        assert "/OpenAction" not in clean.Root and "/AA" not in clean.Root
        assert "/AA" not in clean.pages[0].obj and "/A" not in clean.pages[0].obj.Annots[0]


def test_document_scripts_are_removed(tmp_path: Path) -> None:
    pdf = made()
    script = action("JavaScript", JS=String("x"))
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), script])))
    _, _, output = convert(tmp_path, pdf)
    with pikepdf.open(output) as clean:
        assert "/JavaScript" not in clean.Root.Names


def test_links_and_bookmarks_stay(tmp_path: Path) -> None:
    pdf = made()
    link = Dictionary(
        Type=Name.Annot, Subtype=Name.Link, Rect=[0, 0, 9, 9], A=action("URI", URI=String("https://example.org"))
    )
    pdf.pages[0].obj.Annots = Array([pdf.make_indirect(link)])
    pdf.Root.OpenAction = Array([pdf.pages[0].obj, Name.Fit])
    result, _, _ = convert(tmp_path, pdf)
    assert result.converter == "copy"


def test_attached_files_stay(tmp_path: Path) -> None:
    pdf = made()
    pdf.attachments["factur-x.xml"] = pikepdf.AttachedFileSpec(pdf, b"<invoice/>", filename="factur-x.xml")
    result, _, output = convert(tmp_path, pdf)
    assert result.converter == "copy"
    with pikepdf.open(output) as kept:
        assert "factur-x.xml" in kept.attachments


def test_a_signed_pdf_is_left_alone_unless_it_is_active(tmp_path: Path) -> None:
    pdf = made()
    field = Dictionary(FT=Name.Sig, T=String("s"), V=Dictionary(Type=Name.Sig, ByteRange=Array([0, 1, 2, 3])))
    pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.make_indirect(field)]), SigFlags=3)
    assert convert(tmp_path, pdf)[0].converter == "copy"
    pdf.Root.OpenAction = action("JavaScript", JS=String("x"))
    assert codes(convert(tmp_path, pdf)[0]) == ["active_content_removed", "signature_invalidated"]


def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    pdf = made()
    image = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Image, Width=100_000, Height=100_000)
    pdf.pages[0].obj.Resources.XObject = Dictionary(I=image)
    assert code_of(tmp_path, pdf) is FailureCode.DECOMPRESSION_BOMB


def test_a_page_tree_that_runs_in_circles_ends(tmp_path: Path) -> None:
    pdf = made()
    pdf.Root.Pages.Kids.append(pdf.Root.Pages)
    try:
        result, _, _ = convert(tmp_path, pdf)
    except StepFailed as error:
        assert error.code is FailureCode.CORRUPT
    else:
        assert result.pages >= 1
