"""Turns a body of HTML into PDF with this function's own print style. Runs in the jail; fetches nothing but data:
addresses.
"""

import logging
import re
from functools import cache
from html import escape
from pathlib import Path

from shared.errors import FailureCode, StepFailed

try:
    import weasyprint
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher
except OSError as missing:
    # WeasyPrint loads Pango when it is imported.
    raise StepFailed(
        FailureCode.CONVERTER_UNAVAILABLE,
        "Text, tables, web pages and mail cannot be converted: Pango is not installed on this server.",
        determined=False,
    ) from missing

EMOJI_SEQUENCE = re.compile(
    "<[^>]*>|((?:[\U0001f1e6-\U0001f1ff]{2}|[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?"
    "(?:\u200d[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]?)*))"
)
"""Tags (skipped), or one emoji with its modifiers and joiners: its parts must come from one font to be drawn as one."""

STYLE_FILE = Path(__file__).with_name("print.css")

logging.getLogger("weasyprint").setLevel(logging.CRITICAL)
logging.getLogger("fontTools").setLevel(logging.CRITICAL)


def render_body(body: str, output: Path, *, title: str) -> int:
    """Writes a PDF of the body; returns its number of pages."""
    return render_page(
        f"<!doctype html><html><head><title>{escape(title)}</title></head><body>{body}</body></html>", output
    )


def render_page(page: str, output: Path) -> int:
    """Writes a PDF of a whole HTML page (already without active and remote parts); returns its number of pages."""
    fonts, style = _style()
    page = EMOJI_SEQUENCE.sub(_in_emoji_font, page)
    document = weasyprint.HTML(
        string=page, url_fetcher=URLFetcher(allowed_protocols={"data"}), base_url=None, media_type="screen"
    ).render(stylesheets=[style], font_config=fonts, presentational_hints=True)
    document.write_pdf(output)
    return len(document.pages)


def _in_emoji_font(match: re.Match[str]) -> str:
    emoji = match[1]
    return f"<i class=emoji>{emoji}</i>" if emoji is not None and len(emoji) > 1 else match[0]


@cache
def _style() -> tuple[FontConfiguration, weasyprint.CSS]:
    fonts = FontConfiguration()
    return fonts, weasyprint.CSS(string=STYLE_FILE.read_text(encoding="utf-8"), font_config=fonts)
