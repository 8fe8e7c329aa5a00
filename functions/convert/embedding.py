"""Writes a document's metadata into a copy of its PDF, as XMP and as the older Info dictionary. Runs in the jail."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pikepdf

from shared.errors import FailureCode, StepFailed


def embed(source: Path, output: Path, facts: Mapping[str, Any]) -> bool:
    """Writes the copy. False, and no copy, for a signed PDF: a change would break its signature.

    `facts` has title, author, subject (texts or null) and keywords (texts). Raises StepFailed (corrupt).
    """
    try:
        with pikepdf.open(source) as pdf:
            if _is_signed(pdf):
                return False
            _write(pdf, facts)
            pdf.save(output, deterministic_id=True)
    except (pikepdf.PasswordError, pikepdf.PdfError) as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    return True


def _is_signed(pdf: pikepdf.Pdf) -> bool:
    form = pdf.Root.get("/AcroForm")
    flags = int(form.get("/SigFlags", 0)) if form is not None else 0
    return bool(flags & 1) or "/Perms" in pdf.Root


def _write(pdf: pikepdf.Pdf, facts: Mapping[str, Any]) -> None:
    keywords: Sequence[str] = facts["keywords"]
    with pdf.open_metadata(set_pikepdf_as_editor=False) as xmp:
        for name, value in (
            ("dc:title", facts["title"]),
            ("dc:creator", [facts["author"]] if facts["author"] else None),
            ("dc:description", facts["subject"]),
            ("dc:subject", set(keywords) or None),
            ("pdf:Keywords", ", ".join(keywords) or None),
        ):
            if value:
                xmp[name] = value
    for key, text in (
        ("/Title", facts["title"]),
        ("/Author", facts["author"]),
        ("/Subject", facts["subject"]),
        ("/Keywords", ", ".join(keywords)),
    ):
        if text:
            pdf.docinfo[key] = text
