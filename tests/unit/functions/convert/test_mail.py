"""Mail is shown with its headers, body and the names of its attachments."""

from email.message import EmailMessage

from functions.convert.mail import message_html, parse_mail


def mail(**parts: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "bob@example.org"
    message["Subject"] = parts.get("subject", "Grüße")
    message["Date"] = "Mon, 01 Jun 2026 10:00:00 +0000"
    message.set_content(parts.get("text", "plain words"))
    return message


def test_headers_are_decoded() -> None:
    parsed = parse_mail(mail().as_bytes())
    assert dict(parsed.headers)["Subject"] == "Grüße"
    assert dict(parsed.headers)["From"] == "Ada <ada@example.org>"


def test_the_html_body_is_taken_beside_the_plain_one() -> None:
    message = mail()
    message.add_alternative("<p>styled words</p>", subtype="html")
    parsed = parse_mail(message.as_bytes())
    assert "styled words" in parsed.html
    assert "plain words" in parsed.text


def test_attachments_are_listed_with_their_size() -> None:
    message = mail()
    message.add_attachment(b"x" * 2000, maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    parsed = parse_mail(message.as_bytes())
    assert [(item.name, item.size) for item in parsed.attachments] == [("Rechnung März.pdf", 2000)]
    assert "Rechnung März.pdf (2 kB)" in message_html(parsed)


def test_inline_pictures_are_put_into_the_body() -> None:
    message = mail()
    message.add_alternative("<img src='cid:logo'>", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo>")
    parsed = parse_mail(message.as_bytes())
    assert "data:image/png;base64," in parsed.html
    assert parsed.attachments == []


def test_a_forwarded_message_is_shown_inside() -> None:
    outer = mail(text="see below")
    outer.add_attachment(mail(subject="the inner one", text="inner words"))
    parsed = parse_mail(outer.as_bytes())
    shown = message_html(parsed)
    assert "the inner one" in shown and "inner words" in shown


def test_a_legacy_charset_without_a_name_is_guessed() -> None:
    raw = b"From: a@b\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\n" + (
        "Уважаемые господа, направляем вам счёт за оказанные услуги в ноябре.".encode("cp1251")
    )
    assert "Уважаемые господа" in parse_mail(raw).text


def test_a_file_saved_as_utf_16_is_read() -> None:
    assert "plain words" in parse_mail(mail().as_string().encode("utf-16")).text


def test_a_mailbox_line_before_the_headers_is_skipped() -> None:
    assert (
        dict(parse_mail(b"From x@y Mon Jun 1 10:00:00 2026\n" + mail().as_bytes()).headers)["To"] == "bob@example.org"
    )


def test_words_of_a_mail_are_text_not_markup() -> None:
    assert "<b>" not in message_html(parse_mail(mail(text="<b>bold</b>", subject="<b>s</b>").as_bytes()))
