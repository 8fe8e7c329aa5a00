"""Reads e-mail (.eml, MIME) into a message that can be shown: headers, body, inline pictures, attachments, inner
messages.
"""

import base64
import email.message
import email.policy
import re
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.parser import BytesParser
from html import escape

from functions.convert import encodings
from functions.convert.plain_text import text_html

SHOWN_HEADERS = ("From", "To", "Cc", "Bcc", "Reply-To", "Date", "Subject")
MAX_NESTING = 5
MAX_INLINE_BYTES = 20 * 1024 * 1024
MBOX_LINE = re.compile(rb"\A(?:\s*\n)*From [^\n]*\n")


@dataclass
class Attachment:
    """A file that came with a message, listed and not shown. `size` in bytes."""

    name: str
    media_type: str
    size: int


@dataclass
class Message:
    """A message as a person sees it. `html` is preferred where both bodies are there."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    html: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    inner: list["Message"] = field(default_factory=list)


def parse_mail(data: bytes) -> Message:
    """The message in an .eml file, also one saved as UTF-16 or with a mailbox's separator line before it."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:3] == b"\xef\xbb\xbf":
        decoded = encodings.decode(data)
        data = decoded.text.encode() if decoded is not None else data
    data = MBOX_LINE.sub(b"", data, count=1)
    return _message(BytesParser(policy=email.policy.compat32).parsebytes(data), depth=0)


def _message(source: email.message.Message, depth: int) -> Message:
    message = Message(headers=_headers(source))
    pictures: dict[str, str] = {}
    _collect(source, message, pictures, depth)
    for content_id, address in pictures.items():
        message.html = message.html.replace(f"cid:{content_id}", address)
    return message


def _headers(source: email.message.Message) -> list[tuple[str, str]]:
    return [(name, _decoded_header(value)) for name in SHOWN_HEADERS for value in source.get_all(name, [])]


def _decoded_header(value: object) -> str:
    """RFC 2047 words decoded; raw 8-bit headers by the best guess. Never raises."""
    raw = str(value).encode("utf-8", "surrogateescape")
    decoded = encodings.decode(raw)
    text = decoded.text if decoded is not None else raw.decode("utf-8", "replace")
    try:
        return " ".join(str(make_header(decode_header(text))).split())
    except (LookupError, UnicodeError, ValueError):
        return " ".join(text.split())


def _collect(part: email.message.Message, message: Message, pictures: dict[str, str], depth: int) -> None:
    if part.get_content_type() == "message/rfc822" and depth < MAX_NESTING and part.is_multipart():
        message.inner += [_message(inner, depth + 1) for inner in _children(part)]
        return
    if part.is_multipart():
        for child in _children(part):
            _collect(child, message, pictures, depth)
        return
    _take_leaf(part, message, pictures)


def _children(part: email.message.Message) -> list[email.message.Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, email.message.Message)] if isinstance(payload, list) else []


def _take_leaf(part: email.message.Message, message: Message, pictures: dict[str, str]) -> None:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    media_type = part.get_content_type()
    name = _decoded_header(part.get_filename() or "")
    is_attachment = part.get_content_disposition() == "attachment" or bool(name and not media_type.startswith("text/"))
    if media_type in ("text/plain", "text/html") and not is_attachment:
        _take_body(media_type, _decoded_body(data, part.get_content_charset()), message)
        return
    content_id = str(part.get("Content-ID", "")).strip("<> ")
    if content_id and media_type.startswith("image/") and len(data) <= MAX_INLINE_BYTES:
        pictures[content_id] = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        if part.get_content_disposition() != "attachment":
            return
    if data or name:
        message.attachments.append(Attachment(name or media_type, media_type, len(data)))


def _take_body(media_type: str, text: str, message: Message) -> None:
    if media_type == "text/html":
        message.html += text
    else:
        message.text += ("\n\n" if message.text else "") + text


def _decoded_body(data: bytes, charset: str | None) -> str:
    decoded = encodings.decode(data, charset)
    return decoded.text if decoded is not None else data.decode("latin-1")


def message_html(message: Message, body_html: str | None = None) -> str:
    """The body for a message. `body_html` is its HTML part made fit for print, if it has one."""
    subject = next((value for name, value in message.headers if name == "Subject" and value), "")
    rows = "".join(
        f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in message.headers if name != "Subject" and value
    )
    title = f"<h1>{escape(subject)}</h1>" if subject else ""
    head = f'<div class="mail">{title}<dl>{rows}</dl></div>' if title or rows else ""
    body = body_html if body_html is not None else text_html(message.text)
    inner = "".join(
        f'<div class="nested">{message_html(nested, nested.html or None)}</div>' for nested in message.inner
    )
    return head + f"<div>{body}</div>" + inner + _attachments_html(message.attachments)


def _attachments_html(attachments: list[Attachment]) -> str:
    if not attachments:
        return ""
    items = "".join(f"<li>{escape(item.name)} ({_readable_size(item.size)})</li>" for item in attachments)
    return f'<div class="attachments"><h2>Attachments</h2><ul>{items}</ul></div>'


def _readable_size(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
