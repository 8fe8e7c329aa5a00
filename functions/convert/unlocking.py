"""Opens password-protected files: PDF (standard security handler) and Microsoft Office. Runs in the jail."""

import zipfile
from pathlib import Path

import msoffcrypto
import pikepdf
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError

EDITING_PASSWORD = "VelvetSweatshop"  # noqa: S105 (the same for every file of every Excel)
"""What Excel encrypts with when a workbook is protected against editing only ([MS-OFFCRYPTO] 2.4.2.3); everybody may
read it.
"""


def unlock(source: Path, password: str, output: Path) -> bool:
    """Writes the opened document to `output`; False when the password does not fit or the kind of file is not known."""
    with source.open("rb") as stream:
        is_pdf = b"%PDF-" in stream.read(1029)
    return _unlock_pdf(source, password, output) if is_pdf else unlock_office(source, password, output)


def unlock_office(source: Path, password: str, output: Path) -> bool:
    """Opens an encrypted .docx, .xlsx, .pptx, .doc, .xls or .ppt."""
    try:
        with source.open("rb") as stream, output.open("wb") as target:
            document = msoffcrypto.OfficeFile(stream)
            document.load_key(password=password)
            document.decrypt(target)
    except (DecryptionError, InvalidKeyError, FileFormatError, ParseError, ValueError, OSError, KeyError):
        output.unlink(missing_ok=True)
        return False
    return output.stat().st_size > 0 and _is_whole(output)


def _is_whole(document: Path) -> bool:
    """A wrong password that went unnoticed leaves noise: a package must be a zip file."""
    with document.open("rb") as stream:
        return stream.read(4) == b"\xd0\xcf\x11\xe0" or zipfile.is_zipfile(document)


def _unlock_pdf(source: Path, password: str, output: Path) -> bool:
    try:
        with pikepdf.open(source, password=password) as pdf:
            if not pdf.is_encrypted:
                # Every password would "fit".
                return False
            pdf.save(output, encryption=False)
    except (pikepdf.PasswordError, pikepdf.PdfError):
        return False
    return True
