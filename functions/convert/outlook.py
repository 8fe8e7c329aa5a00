"""Reads Outlook messages (.msg) into the same message that mail makes.

Sources: [MS-OXMSG], [MS-OXPROPS], [MS-OXRTFCP], [MS-OXRTFEX].
"""

import datetime
import re
import struct
from pathlib import Path

import olefile

from functions.convert import encodings
from functions.convert.mail import MAX_NESTING, Attachment, Message
from shared.errors import FailureCode, StepFailed

SUBJECT, BODY, HTML, RTF = "0037", "1000", "1013", "1009"
SENDER_NAME, SENDER_ADDRESS, SENDER_SMTP = "0C1A", "0C1F", "5D01"
TO, CC, BCC = "0E04", "0E03", "0E02"
TRANSPORT_HEADERS = "007D"
ATTACHMENT_LONG_NAME, ATTACHMENT_NAME, ATTACHMENT_DATA, ATTACHMENT_TYPE = "3707", "3704", "3701", "370E"
SUBMIT_TIME, DELIVERY_TIME = 0x00390040, 0x0E060040
INTERNET_CODE_PAGE, MESSAGE_CODE_PAGE = 0x3FDE0003, 0x3FFD0003
TOP_HEADER_BYTES, EMBEDDED_HEADER_BYTES = 32, 24
FILETIME_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
RTF_COMPRESSED, RTF_PLAIN = 0x75465A4C, 0x414C454D
RTF_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def parse_outlook(path: Path) -> Message:
    """The message in a .msg file. Raises StepFailed corrupt."""
    try:
        with olefile.OleFileIO(path) as compound:
            return _Reader(compound).message((), 0)
    except (OSError, ValueError, IndexError, struct.error, AttributeError, TypeError) as error:
        raise StepFailed(FailureCode.CORRUPT) from error


class _Reader:
    def __init__(self, compound: "olefile.OleFileIO") -> None:
        self._compound = compound
        self._entries = [tuple(parts) for parts in compound.listdir(streams=True, storages=True)]

    def message(self, place: tuple[str, ...], depth: int) -> Message:
        fixed = self._fixed(place, TOP_HEADER_BYTES if depth == 0 else EMBEDDED_HEADER_BYTES)
        page = _encoding(fixed)
        message = Message(headers=self._headers(place, fixed, page))
        message.text = self._text(place, BODY, page)
        message.html = self._html(place, page)
        if not message.text.strip() and not message.html.strip():
            self._take_rich_text(place, page, message)
        children = {entry[-1] for entry in self._entries if entry[:-1] == place}
        for name in sorted(name for name in children if name.startswith("__attach_version1.0_")):
            self._take_attachment((*place, name), page, message, depth)
        return message

    def _headers(self, place: tuple[str, ...], fixed: dict[int, bytes], page: str | None) -> list[tuple[str, str]]:
        name = self._text(place, SENDER_NAME, page)
        address = self._text(place, SENDER_SMTP, page) or self._text(place, SENDER_ADDRESS, page)
        sender = f"{name} <{address}>" if "@" in address and address != name else name or address
        values = [
            ("From", sender),
            ("To", self._text(place, TO, page)),
            ("Cc", self._text(place, CC, page)),
            ("Bcc", self._text(place, BCC, page)),
            ("Date", self._date(place, fixed, page)),
            ("Subject", self._text(place, SUBJECT, page)),
        ]
        return [(key, value.strip("\x00 ")) for key, value in values if value.strip("\x00 ")]

    def _date(self, place: tuple[str, ...], fixed: dict[int, bytes], page: str | None) -> str:
        for tag in (SUBMIT_TIME, DELIVERY_TIME):
            ticks = int.from_bytes(fixed.get(tag, b""), "little")
            if ticks:
                moment = FILETIME_EPOCH + datetime.timedelta(microseconds=ticks // 10)
                return moment.strftime("%Y-%m-%d %H:%M UTC")
        match = re.search(r"^Date:\s*(.+)$", self._text(place, TRANSPORT_HEADERS, page), re.MULTILINE | re.IGNORECASE)
        return match[1].strip() if match else ""

    def _html(self, place: tuple[str, ...], page: str | None) -> str:
        data = self._stream(place, f"{HTML}0102")
        if data is None:
            return self._text(place, HTML, page)
        decoded = encodings.decode(data, encodings.declared_charset(data) or page)
        return decoded.text if decoded is not None else ""

    def _take_rich_text(self, place: tuple[str, ...], page: str | None, message: Message) -> None:
        data = self._stream(place, f"{RTF}0102")
        if data:
            rtf = decompress_rtf(data)
            if b"\\fromhtml1" in rtf:
                message.html = rtf_html(rtf, page or "cp1252")
            else:
                message.text = rtf_text(rtf, page or "cp1252")

    def _take_attachment(self, place: tuple[str, ...], page: str | None, message: Message, depth: int) -> None:
        inner = (*place, f"__substg1.0_{ATTACHMENT_DATA}000D")
        if inner in self._entries and depth < MAX_NESTING:
            message.inner.append(self.message(inner, depth + 1))
            return
        name = self._text(place, ATTACHMENT_LONG_NAME, page) or self._text(place, ATTACHMENT_NAME, page)
        data = self._stream(place, f"{ATTACHMENT_DATA}0102") or b""
        media_type = self._text(place, ATTACHMENT_TYPE, page) or "application/octet-stream"
        message.attachments.append(Attachment(name or media_type, media_type, len(data)))

    def _text(self, place: tuple[str, ...], tag: str, page: str | None) -> str:
        wide = self._stream(place, f"{tag}001F")
        if wide is not None:
            return wide.decode("utf-16-le", "replace").rstrip("\x00")
        narrow = self._stream(place, f"{tag}001E")
        if narrow is None:
            return ""
        decoded = encodings.decode(narrow.rstrip(b"\x00"), page)
        return decoded.text if decoded is not None else narrow.decode("latin-1")

    def _stream(self, place: tuple[str, ...], tag: str) -> bytes | None:
        path = (*place, f"__substg1.0_{tag}")
        if path not in self._entries:
            return None
        data = self._compound.openstream(list(path)).read()
        return data if isinstance(data, bytes) else None

    def _fixed(self, place: tuple[str, ...], header_bytes: int) -> dict[int, bytes]:
        """The properties of fixed length: tag → 8 bytes ([MS-OXMSG] 2.4)."""
        path = (*place, "__properties_version1.0")
        if path not in self._entries:
            return {}
        data = self._compound.openstream(list(path)).read()[header_bytes:]
        return {
            int.from_bytes(data[at : at + 4], "little"): data[at + 8 : at + 16] for at in range(0, len(data) - 15, 16)
        }


def _encoding(fixed: dict[int, bytes]) -> str | None:
    for tag in (MESSAGE_CODE_PAGE, INTERNET_CODE_PAGE):
        number = int.from_bytes(fixed.get(tag, b"")[:4], "little")
        if number and number not in (1200, 1201):
            return {65001: "utf-8", 20127: "ascii", 28591: "latin-1", 50220: "iso2022_jp", 20866: "koi8_r"}.get(
                number, f"cp{number}"
            )
    return None


def decompress_rtf(data: bytes) -> bytes:
    """The rich text in a PidTagRtfCompressed value ([MS-OXRTFCP] 2.2)."""
    _, size, kind, _ = struct.unpack_from("<IIII", data)
    if kind == RTF_PLAIN:
        return data[16 : 16 + size]
    if kind != RTF_COMPRESSED:
        raise ValueError("not compressed rich text")
    window = bytearray(RTF_DICTIONARY.ljust(4096, b" "))
    write = len(RTF_DICTIONARY)
    output = bytearray()
    offset = 16
    while offset < len(data) and len(output) < size:
        control = data[offset]
        offset += 1
        for bit in range(8):
            if offset >= len(data):
                break
            if control >> bit & 1:
                reference = int.from_bytes(data[offset : offset + 2], "big")
                offset += 2
                read, length = reference >> 4, (reference & 15) + 2
                if read == write % 4096:
                    return bytes(output[:size])
                piece = bytearray()
                for step in range(length):
                    byte = window[(read + step) % 4096]
                    window[write % 4096] = byte
                    write += 1
                    piece.append(byte)
                output += piece
            else:
                window[write % 4096] = data[offset]
                write += 1
                output.append(data[offset])
                offset += 1
    return bytes(output[:size])


RTF_TOKEN = re.compile(rb"\\([a-z]+)(-?\d+)? ?|\\'([0-9a-fA-F]{2})|\\([^a-z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)")
RTF_HIDDEN = frozenset(
    {b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"themedata", b"generator", b"listtable"}
)


def rtf_text(rtf: bytes, encoding: str) -> str:
    """The words of a rich text; formatting, tables of fonts and pictures left out."""
    return _rtf_content(rtf, encoding, html=False)


def rtf_html(rtf: bytes, encoding: str) -> str:
    """The HTML that was wrapped into rich text ([MS-OXRTFEX])."""
    return _rtf_content(rtf, encoding, html=True)


def _rtf_content(rtf: bytes, encoding: str, *, html: bool) -> str:
    reader = _RichTextReader(rtf, encoding, html)
    for match in RTF_TOKEN.finditer(rtf):
        reader.take(match)
    return reader.content()


class _RichTextReader:
    """Follows groups and control words of rich text and keeps what is to be seen of it."""

    def __init__(self, rtf: bytes, encoding: str, html: bool) -> None:
        self._rtf = rtf
        self._encoding = encoding
        self._html = html
        self._output: list[str] = []
        self._pending = bytearray()
        self._outer: list[bool] = []
        self._skipping = False
        self._replaced_characters = 0

    def content(self) -> str:
        self._flush()
        return "".join(self._output)

    def take(self, match: "re.Match[bytes]") -> None:
        word, number, hexadecimal, symbol, brace, plain = match.groups()
        if brace == b"{":
            self._outer.append(self._skipping)
        elif brace == b"}":
            self._skipping = self._outer.pop() if self._outer else False
        elif word is not None:
            self._take_word(word, number)
        elif symbol == b"*":
            # A destination that may be ignored; the wrapped HTML's tags stand in such.
            self._skipping = not (self._html and self._rtf[match.end() : match.end() + 8] == b"\\htmltag")
        elif not self._skipping:
            self._take_characters(hexadecimal, symbol, plain)

    def _take_word(self, word: bytes, number: bytes | None) -> None:
        if word in RTF_HIDDEN:
            self._skipping = True
        elif word == b"htmltag":
            self._skipping = not self._html
        elif word == b"htmlrtf":
            self._skipping = self._html and number != b"0"
        elif self._skipping:
            return
        elif word in (b"par", b"line"):
            self._pending += b"\n"
        elif word == b"tab":
            self._pending += b"\t"
        elif word == b"u" and number is not None:
            self._flush()
            self._output.append(chr(int(number) % 65536))
            self._replaced_characters = 1

    def _take_characters(self, hexadecimal: bytes | None, symbol: bytes | None, plain: bytes | None) -> None:
        if hexadecimal is not None and self._replaced_characters:
            self._replaced_characters -= 1
        elif hexadecimal is not None:
            self._pending.append(int(hexadecimal, 16))
        elif symbol is not None and symbol in b"\\{}":
            self._pending += symbol
        elif plain is not None:
            self._pending += plain[self._replaced_characters :]
            self._replaced_characters = 0

    def _flush(self) -> None:
        self._output.append(self._pending.decode(self._encoding, "replace"))
        self._pending.clear()
