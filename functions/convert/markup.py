"""Makes HTML and Markdown fit for print: nothing that acts, nothing from elsewhere, nothing hidden behind a control."""

import re
from urllib.parse import urlsplit

import lxml.html
from lxml import etree
from markdown_it import MarkdownIt

REMOVED = frozenset(
    {
        "script",
        "object",
        "embed",
        "applet",
        "link",
        "base",
        "template",
        "audio",
        "video",
        "canvas",
        "frame",
        "frameset",
        "title",
        "meta",
    }
)
LINK_SCHEMES = frozenset({"http", "https", "mailto", "tel", "ftp", ""})
MAX_STYLE_CHARACTERS = 300_000
SHOWN_INPUTS = frozenset({"text", "email", "number", "tel", "url", "search", "date", "time", "month", "week", ""})
XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
MANY_COLUMNS = 9
PAGE_STYLES = re.compile(r"@page\b[^{}]*\{[^{}]*\}|(?<![-\w])page\s*:[^;}]*", re.IGNORECASE)
"""Pages of an author's own (word processors write them into mail) would start anew after our headers."""


def markdown_html(text: str) -> str:
    """The body for a Markdown text (CommonMark with tables, strikethrough and raw HTML; front matter as code)."""
    text = re.sub(r"\A---\n(.*?)\n---\n", lambda match: f"```\n{match[1]}\n```\n", text, count=1, flags=re.DOTALL)
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
    return f'<div class="markdown bordered">{parser.render(text)}</div>'


def printable_html(text: str, *, author_styles: bool) -> str:
    """The document as a whole HTML page without active or remote parts; with or without its own style sheets.

    Raises ValueError if there is nothing in it.
    """
    root = _parsed(text)
    for element in list(root.iter()):
        _clean(element, author_styles)
    etree.strip_elements(root, *REMOVED, etree.Comment, etree.ProcessingInstruction, with_tail=False)
    if not author_styles:
        etree.strip_elements(root, "style", with_tail=False)
    body = root.find("body")
    if body is not None:
        marks = [
            mark
            for mark, holds in (("unstyled", not author_styles), ("wide", _widest_table(root) >= MANY_COLUMNS))
            if holds
        ]
        body.set("class", " ".join([*body.get("class", "").split(), *marks]))
    return str(lxml.html.tostring(root, encoding="unicode", doctype="<!doctype html>"))


def visible_text(page: str) -> str:
    """The words of a page as they stand in its elements, style sheets left out."""
    root = _parsed(page)
    etree.strip_elements(root, "style", "script", with_tail=False)
    return " ".join(root.itertext())


def _parsed(text: str) -> "lxml.html.HtmlElement":
    parser = lxml.html.HTMLParser(recover=True, huge_tree=True, remove_comments=True)
    try:
        return lxml.html.document_fromstring(XML_DECLARATION.sub("", text), parser=parser)
    except etree.ParserError as error:
        raise ValueError("no elements") from error


def _clean(element: "lxml.html.HtmlElement", author_styles: bool) -> None:
    if not isinstance(element.tag, str):
        return
    _clean_attributes(element, author_styles)
    tag = element.tag.lower()
    if tag == "iframe":
        _show_inner_page(element, author_styles)
    elif tag == "img":
        _clean_image(element)
    elif tag == "input":
        _show_input(element)
    elif tag == "textarea":
        element.tag = "pre"
    elif tag == "details":
        element.tag = "div"
    elif tag == "style":
        style = element.text or ""
        element.text = PAGE_STYLES.sub("", style) if len(style) <= MAX_STYLE_CHARACTERS else ""


def _clean_attributes(element: "lxml.html.HtmlElement", author_styles: bool) -> None:
    for name in list(element.attrib):
        value = str(element.attrib[name])
        is_event = name.lower().startswith("on")
        is_foreign = name.lower() in (
            "srcset",
            "background",
            "poster",
            "action",
            "formaction",
            "ping",
            "data-src",
            "xlink:href",
        )
        is_style = not author_styles and name.lower() in (
            "style",
            "class",
            "hidden",
            "width",
            "height",
            "bgcolor",
            "color",
            "face",
        )
        bad_link = name.lower() == "href" and not _is_plain_link(value)
        if is_event or is_foreign or is_style or bad_link:
            del element.attrib[name]


def _is_plain_link(address: str) -> bool:
    try:
        return urlsplit("".join(address.split())).scheme.lower() in LINK_SCHEMES
    except ValueError:
        return False


def _clean_image(element: "lxml.html.HtmlElement") -> None:
    """Pictures from elsewhere are not fetched; their description stands in for them."""
    source = element.attrib.pop("src", "") if not element.get("src", "").lstrip().lower().startswith("data:") else None
    if source is not None:
        element.tag = "span"
        element.text = element.get("alt", "")


def _show_input(element: "lxml.html.HtmlElement") -> None:
    kind = element.get("type", "").lower()
    element.tag = "span"
    if kind in SHOWN_INPUTS:
        element.text = element.get("value", "")
    elif kind in ("checkbox", "radio") and element.get("role") is None:
        element.text = "☒" if element.get("checked") is not None else "☐"


def _show_inner_page(element: "lxml.html.HtmlElement", author_styles: bool) -> None:
    """An inline frame with its page inside it (`srcdoc`) becomes part of the page; others stay empty."""
    inner = element.attrib.pop("srcdoc", None)
    element.attrib.pop("src", None)
    element.tag = "div"
    element.text = None
    for child in list(element):
        element.remove(child)
    if not inner:
        return
    try:
        body = _parsed(inner).find("body")
    except ValueError:
        return
    for child in list(body.iter()) if body is not None else []:
        _clean(child, author_styles)
    if body is not None:
        element.text = body.text
        element.extend(list(body))


def _widest_table(root: "lxml.html.HtmlElement") -> int:
    rows = root.iter("tr")
    return max((sum(1 for cell in row if cell.tag in ("td", "th")) for row in rows), default=0)
