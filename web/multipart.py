"""Reads multipart/form-data as it arrives: fields into memory (bounded), files piece by piece to whoever takes them.

Everything a sender can make large is counted: parts, headers, fields, their sizes; the receiver counts files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from web.errors import RequestError, TooLarge, UnsupportedMediaType

MAX_FIELDS = 200
MAX_FIELD_BYTES = 64 * 1024
MAX_HEADERS = 12
MAX_HEADER_BYTES = 16 * 1024
GATHER_BYTES = 64 * 1024


class FileReceiver(Protocol):
    """Takes the files of a form, one after the other. What its methods raise ends the reading."""

    def begin(self, field: str, filename: str, media_type: str) -> None:
        """A file starts."""
        ...

    def write(self, piece: memoryview) -> None:
        """More of it, in large pieces; the memory is valid during the call only."""
        ...

    def end(self) -> None:
        """It is complete."""
        ...


class MalformedForm(RequestError):
    """The body is not the multipart form that its Content-Type promises."""

    code = "malformed_form"


@dataclass
class _Part:
    name: str
    is_file: bool
    value: bytearray


class FormReader:
    """Feed it the body; afterwards `fields` holds the values by name, in the order they came."""

    def __init__(self, content_type: str, receiver: FileReceiver) -> None:
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._collect(lambda: self._header_name),
                "on_header_value": self._collect(lambda: self._header_value),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
                "on_end": self._end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )
        self._receiver = receiver
        self._headers: dict[str, str] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._part: _Part | None = None
        self._complete = False
        self._gathered = bytearray()
        self.fields: dict[str, list[str]] = {}

    def feed(self, chunk: bytes) -> None:
        """Read on. Raises MalformedForm, TooLarge, or what the receiver raises."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedForm("The upload is not a well-formed multipart form.") from error

    def finish(self) -> None:
        """The body has ended. Raises MalformedForm where the form has not."""
        if not self._complete:
            raise MalformedForm("The upload ended in the middle of the form.")

    def _collect(self, target: Callable[[], bytearray]) -> Callable[[bytes, int, int], None]:
        def collect(data: bytes, start: int, end: int) -> None:
            target().extend(memoryview(data)[start:end])

        return collect

    def _part_begins(self) -> None:
        self._headers = {}

    def _header_ends(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = self._header_value.decode("latin-1")
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        disposition, options = parse_options_header(self._headers.get("content-disposition", ""))
        if disposition != b"form-data" or b"name" not in options:
            raise MalformedForm("A part of the form has no name.")
        filename = _filename(self._headers["content-disposition"], options)
        self._part = _Part(_text(options[b"name"]), filename is not None, bytearray())
        if filename is not None:
            media_type = self._headers.get("content-type", "")
            self._receiver.begin(self._part.name, filename, media_type)
        elif sum(map(len, self.fields.values())) >= MAX_FIELDS:
            raise TooLarge(f"The form has more than {MAX_FIELDS} fields.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            return
        piece = memoryview(data)[start:end]
        if self._part.is_file:
            self._file_data(piece)
            return
        self._part.value += piece
        if len(self._part.value) > MAX_FIELD_BYTES:
            raise TooLarge(f"The field {self._part.name[:100]} is longer than {MAX_FIELD_BYTES} bytes.")

    def _file_data(self, piece: memoryview) -> None:
        # What nearly is a boundary comes in pieces of a few bytes, and a sender can make all of the file of that.
        self._gathered += piece
        if len(self._gathered) >= GATHER_BYTES:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._gathered:
            gathered, self._gathered = self._gathered, bytearray()
            self._receiver.write(memoryview(gathered))

    def _part_ends(self) -> None:
        if self._part is None:
            return
        if self._part.is_file:
            self._pass_on()
            self._receiver.end()
        else:
            self.fields.setdefault(self._part.name, []).append(_text(bytes(self._part.value)))
        self._part = None

    def _end(self) -> None:
        self._complete = True


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType("Send the files as multipart/form-data, in the field `file`.")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise MalformedForm("The Content-Type names no usable boundary.")
    return boundary


def _filename(disposition: str, options: dict[bytes, bytes]) -> str | None:
    """The name as sent; the extended form (RFC 5987) counts only where the plain one is missing (RFC 7578 §4.2)."""
    if b"filename" in options:
        return _text(options[b"filename"])
    _, found, extended = disposition.partition("filename*=")
    if not found:
        return None
    encoding, _, value = extended.partition(";")[0].strip().partition("''")
    return unquote(value, encoding=encoding if encoding.lower() in ("utf-8", "iso-8859-1") else "utf-8")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
