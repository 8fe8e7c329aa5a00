"""Tells the documents apart that are zip packages (OOXML, ODF, iWork) or OLE2 compound files, and finds locked ones.
Runs in the jail.
"""

import re
import zipfile
from pathlib import Path

import olefile

from functions.convert.core import ConversionLimits, Kind, SourceType
from shared.errors import FailureCode, StepFailed

MAX_MANIFEST_BYTES = 16 * 1024 * 1024
BOMB_RATIO = 200
BOMB_FLOOR_BYTES = 100 * 1024 * 1024
"""Below this size nothing is called a bomb, however well it is packed (spreadsheets pack 100 : 1)."""

# The content type of the main part decides (ECMA-376 part 2, §10.1.2.2), not the folder names.
OOXML_TYPES: tuple[tuple[str, str, str], ...] = (
    (
        "wordprocessingml.document.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ".docx",
    ),
    (
        "wordprocessingml.template.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
        ".dotx",
    ),
    ("word.document.macroenabled.main+xml", "application/vnd.ms-word.document.macroEnabled.12", ".docm"),
    ("word.template.macroenabledtemplate.main+xml", "application/vnd.ms-word.template.macroEnabled.12", ".dotm"),
    ("spreadsheetml.sheet.main+xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
    (
        "spreadsheetml.template.main+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
        ".xltx",
    ),
    ("excel.sheet.macroenabled.main+xml", "application/vnd.ms-excel.sheet.macroEnabled.12", ".xlsm"),
    ("excel.template.macroenabled.main+xml", "application/vnd.ms-excel.template.macroEnabled.12", ".xltm"),
    ("excel.sheet.binary.macroenabled.main", "application/vnd.ms-excel.sheet.binary.macroEnabled.12", ".xlsb"),
    (
        "presentationml.presentation.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ".pptx",
    ),
    (
        "presentationml.slideshow.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
        ".ppsx",
    ),
    (
        "presentationml.template.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.template",
        ".potx",
    ),
    (
        "powerpoint.presentation.macroenabled.main+xml",
        "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
        ".pptm",
    ),
    ("powerpoint.slideshow.macroenabled.main+xml", "application/vnd.ms-powerpoint.slideshow.macroEnabled.12", ".ppsm"),
    ("powerpoint.template.macroenabled.main+xml", "application/vnd.ms-powerpoint.template.macroEnabled.12", ".potm"),
)
OOXML_FOLDERS = (("word/document.xml", 0), ("xl/workbook.xml", 4), ("xl/workbook.bin", 8), ("ppt/presentation.xml", 9))

OPENDOCUMENT = "application/vnd.oasis.opendocument."
OPENDOCUMENT_SUFFIXES = {
    "text": ".odt", "text-template": ".ott", "text-master": ".odm", "text-web": ".oth",
    "spreadsheet": ".ods", "spreadsheet-template": ".ots",
    "presentation": ".odp", "presentation-template": ".otp",
    "graphics": ".odg", "graphics-template": ".otg",
    "formula": ".odf", "formula-template": ".odf", "chart": ".odc",
}  # fmt: skip
STAROFFICE_SUFFIXES = {"writer": ".sxw", "calc": ".sxc", "impress": ".sxi", "draw": ".sxd"}

IWORK_TYPES = {".pages": "pages", ".numbers": "numbers", ".key": "keynote"}
IWORK_LOCKS = (b"iwpv", b"iwph")
"""Password verifier and hint, as names of entries or in the extra fields of entries."""

WORD_ENCRYPTED_FLAG = 0x0100
"""FibBase.fEncrypted ([MS-DOC] 2.5.2), in the 16 bits at offset 10."""
POWERPOINT_ENCRYPTED_TOKEN = 0xF3D1C4DF
"""CurrentUserAtom.headerToken of an encrypted presentation ([MS-PPT] 2.3.2)."""


WORKBOOK = SourceType(Kind.OFFICE, "application/vnd.ms-excel", ".xls")
PROTECTED_WORKBOOK = SourceType(Kind.PROTECTED, "application/vnd.ms-excel", ".xls")
PROTECTED_PACKAGE = SourceType(Kind.PROTECTED, "application/vnd.ms-office", ".ole")
MAX_GLOBALS_BYTES = 64 * 1024
RECORD_FILE_PASSWORD = 0x2F
RECORD_END = 0x0A


def detect_package(path: Path, suffix: str, limits: ConversionLimits) -> SourceType:
    """The document type of a zip file; `suffix` is its name's ending.

    Raises StepFailed (unsupported_type for any other archive), or zipfile's errors.
    """
    with zipfile.ZipFile(path) as package:
        entries = package.infolist()
        _refuse_bomb(entries, path.stat().st_size, limits)
        names = {entry.filename for entry in entries}
        found = _opendocument(package, names) or _ooxml(package, names) or _iwork(package, names, suffix)
    if found is None:
        raise StepFailed(FailureCode.UNSUPPORTED_TYPE)
    return found


def _refuse_bomb(entries: list[zipfile.ZipInfo], packed_bytes: int, limits: ConversionLimits) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    too_dense = unpacked > BOMB_FLOOR_BYTES and unpacked > BOMB_RATIO * max(packed_bytes, 1)
    if unpacked > limits.max_unpacked_bytes or too_dense:
        raise StepFailed(FailureCode.DECOMPRESSION_BOMB)


def _read(package: zipfile.ZipFile, name: str) -> bytes:
    with package.open(name) as stream:
        return stream.read(MAX_MANIFEST_BYTES)


def _opendocument(package: zipfile.ZipFile, names: set[str]) -> SourceType | None:
    declared = _read(package, "mimetype").decode("ascii", "replace").strip() if "mimetype" in names else ""
    manifest = _read(package, "META-INF/manifest.xml") if "META-INF/manifest.xml" in names else b""
    if not declared and (
        match := re.search(rb'media-type="(application/vnd\.(?:oasis\.opendocument|sun\.xml)[^"]*)"', manifest)
    ):
        declared = match[1].decode()
    if not declared.startswith((OPENDOCUMENT, "application/vnd.sun.xml.")):
        return None
    if b"encryption-data" in manifest:
        raise StepFailed(FailureCode.ENCRYPTED)
    if declared.startswith(OPENDOCUMENT):
        suffix = OPENDOCUMENT_SUFFIXES.get(declared.removeprefix(OPENDOCUMENT))
    else:
        suffix = STAROFFICE_SUFFIXES.get(declared.removeprefix("application/vnd.sun.xml.").split(".")[0])
    return SourceType(Kind.OFFICE, declared, suffix) if suffix else None


def _ooxml(package: zipfile.ZipFile, names: set[str]) -> SourceType | None:
    if "[Content_Types].xml" not in names:
        return None
    types = _read(package, "[Content_Types].xml").decode("utf-8", "replace").lower()
    for content_type, media_type, suffix in OOXML_TYPES:
        if content_type in types:
            return SourceType(Kind.OFFICE, media_type, suffix)
    for part, index in OOXML_FOLDERS:
        if part in names:
            return SourceType(Kind.OFFICE, OOXML_TYPES[index][1], OOXML_TYPES[index][2])
    return None


def _iwork(package: zipfile.ZipFile, names: set[str], suffix: str) -> SourceType | None:
    for entry in package.infolist():
        if any(lock in entry.extra or lock in Path(entry.filename).name.encode() for lock in IWORK_LOCKS):
            raise StepFailed(FailureCode.ENCRYPTED)
    modern = any(name.endswith(".iwa") for name in names) or "Index.zip" in names
    if not modern and not names & {"index.xml", "index.xml.gz", "index.apxl", "index.apxl.gz"}:
        return None
    if suffix not in IWORK_TYPES:
        # Pages and Numbers share their parts; LibreOffice looks inside whatever the name says.
        is_keynote = any("Slide" in name for name in names) or bool(names & {"index.apxl", "index.apxl.gz"})
        suffix = ".key" if is_keynote else ".pages"
    return SourceType(Kind.OFFICE, f"application/vnd.apple.{IWORK_TYPES[suffix]}", suffix)


def detect_compound(path: Path) -> SourceType:
    """The document type of an OLE2 file. Raises StepFailed."""
    try:
        with olefile.OleFileIO(path) as compound:
            return _compound(compound)
    except (OSError, ValueError, IndexError, TypeError, AttributeError) as error:
        # olefile lets the errors of broken directories through as they come.
        raise StepFailed(FailureCode.CORRUPT) from error


def _compound(compound: "olefile.OleFileIO") -> SourceType:
    streams = {"/".join(parts) for parts in compound.listdir()}
    roots = {name.split("/")[0] for name in streams}
    if any("DRM" in name for name in streams if name.startswith(("\x06DataSpaces", "\tDRM"))):
        raise StepFailed(FailureCode.RIGHTS_PROTECTED)
    if "EncryptedPackage" in roots:
        return PROTECTED_PACKAGE
    if "__properties_version1.0" in roots:
        return SourceType(Kind.OUTLOOK, "application/vnd.ms-outlook", ".msg")
    if "WordDocument" in roots:
        return _word(compound)
    if "PowerPoint Document" in roots:
        return _powerpoint(compound, roots)
    for name in roots & {"Workbook", "Book", "WORKBOOK", "BOOK"}:
        if _has_file_password(compound.openstream(name).read(MAX_GLOBALS_BYTES)):
            return PROTECTED_WORKBOOK
        return WORKBOOK
    if "VisioDocument" in roots:
        return SourceType(Kind.OFFICE, "application/vnd.visio", ".vsd")
    if "Quill" in roots:
        return SourceType(Kind.OFFICE, "application/x-mspublisher", ".pub")
    if roots & {"CONTENTS", "MatOST", "MN0"}:
        return SourceType(Kind.OFFICE, "application/vnd.ms-works", ".wps")
    raise StepFailed(FailureCode.UNSUPPORTED_TYPE)


def _word(compound: "olefile.OleFileIO") -> SourceType:
    header = compound.openstream("WordDocument").read(32)
    if int.from_bytes(header[10:12], "little") & WORD_ENCRYPTED_FLAG:
        raise StepFailed(FailureCode.ENCRYPTED)
    return SourceType(Kind.OFFICE, "application/msword", ".doc")


def _powerpoint(compound: "olefile.OleFileIO", roots: set[str]) -> SourceType:
    if "Current User" in roots:
        atom = compound.openstream("Current User").read(16)
        if int.from_bytes(atom[12:16], "little") == POWERPOINT_ENCRYPTED_TOKEN:
            raise StepFailed(FailureCode.ENCRYPTED)
    return SourceType(Kind.OFFICE, "application/vnd.ms-powerpoint", ".ppt")


def _has_file_password(workbook: bytes) -> bool:
    """Whether the first records of a workbook say that the others are encrypted (FilePass, [MS-XLS] 2.4.117)."""
    offset = 0
    while offset + 4 <= len(workbook):
        record = int.from_bytes(workbook[offset : offset + 2], "little")
        if record in (RECORD_FILE_PASSWORD, RECORD_END):
            return record == RECORD_FILE_PASSWORD
        offset += 4 + int.from_bytes(workbook[offset + 2 : offset + 4], "little")
    return False
