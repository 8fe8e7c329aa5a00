"""Writes plain text and tables as flat OpenDocument, in which an office program has nothing left to guess: neither the
encoding, nor separators, nor what looks like a number. Runs in the jail.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

NAMES = ("office", "style", "text", "table", "fo", "svg")
_NAMESPACES = {name: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in NAMES} | {
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
}
_SPACES = re.compile(r"  +|^ ")
_FORBIDDEN = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

A4_WIDTH_CENTIMETRES = 19.0
A4_LENGTH_CENTIMETRES = 27.7
CENTIMETRES_PER_CHARACTER = 0.2
WIDEST_COLUMN_CENTIMETRES = 9.0
SMALLEST_SCALE = 0.6


def write_text(text: str, output: Path) -> None:
    """Lines of text, one typeface wide, on A4."""
    styles = (
        '<style:style style:name="P" style:family="paragraph"><style:text-properties fo:font-size="8.5pt" '
        'style:font-name="DejaVu Sans Mono" fo:font-family="&apos;DejaVu Sans Mono&apos;"/></style:style>'
    )
    lines = (f'<text:p text:style-name="P">{_spaced(line)}</text:p>' for line in text.splitlines())
    _write(output, "text", styles, _page("portrait", margin="1.7cm"), lines)


def write_table(rows: Sequence[Sequence[str]], columns: int, output: Path) -> None:
    """A sheet of text cells, on as few pages across as stay readable."""
    widths = [_width(rows, column) for column in range(columns)]
    landscape = sum(widths) > A4_WIDTH_CENTIMETRES / 0.85
    usable = A4_LENGTH_CENTIMETRES if landscape else A4_WIDTH_CENTIMETRES
    across = max(1, -int(-sum(widths) * SMALLEST_SCALE // usable))
    scale = f'style:scale-to-X="{across}" style:scale-to-Y="0"'
    page = _page("landscape" if landscape else "portrait", margin="1cm", scale=scale)
    styles = "".join(
        f'<style:style style:name="c{index}" style:family="table-column"><style:table-column-properties '
        f'style:column-width="{width:.2f}cm"/></style:style>'
        for index, width in enumerate(widths)
    )
    styles += (
        '<style:style style:name="cell" style:family="table-cell"><style:table-cell-properties '
        'fo:wrap-option="wrap" fo:border-bottom="0.1pt solid #c8cdd4"/></style:style>'
        '<style:style style:name="row" style:family="table-row"><style:table-row-properties '
        'style:use-optimal-row-height="true"/></style:style>'
        '<style:style style:name="sheet" style:family="table" style:master-page-name="Default"/>'
    )
    _write(output, "spreadsheet", styles, page, _sheet(rows, columns))


def _sheet(rows: Iterable[Sequence[str]], columns: int) -> Iterator[str]:
    yield '<table:table table:name="Table" table:style-name="sheet">'
    yield "".join(f'<table:table-column table:style-name="c{index}"/>' for index in range(columns))
    for row in rows:
        cells = "".join(
            '<table:table-cell table:style-name="cell" office:value-type="string">'
            + "".join(f"<text:p>{_spaced(line)}</text:p>" for line in cell.splitlines())
            + "</table:table-cell>"
            for cell in row
        )
        yield f'<table:table-row table:style-name="row">{cells}</table:table-row>'
    yield "</table:table>"


def _write(output: Path, kind: str, styles: str, page: str, body: Iterable[str]) -> None:
    spaces = " ".join(f'xmlns:{name}="{address}"' for name, address in _NAMESPACES.items())
    with output.open("w", encoding="utf-8") as file:
        file.write(
            f'<?xml version="1.0" encoding="UTF-8"?><office:document {spaces} office:version="1.3" '
            f'office:mimetype="application/vnd.oasis.opendocument.{kind}"><office:automatic-styles>{styles}'
            f"{page}<office:body><office:{kind}>"
        )
        file.writelines(body)
        file.write(f"</office:{kind}></office:body></office:document>")


def _page(orientation: str, *, margin: str, scale: str = "") -> str:
    width, height = ("21cm", "29.7cm") if orientation == "portrait" else ("29.7cm", "21cm")
    off = "<style:header-style/><style:footer-style/>"
    return (
        f'<style:page-layout style:name="page"><style:page-layout-properties fo:page-width="{width}" '
        f'fo:page-height="{height}" style:print-orientation="{orientation}" fo:margin="{margin}" {scale}/>{off}'
        "</style:page-layout></office:automatic-styles><office:master-styles>"
        '<style:master-page style:name="Default" style:page-layout-name="page">'
        '<style:header style:display="false"/><style:footer style:display="false"/></style:master-page>'
        '<style:master-page style:name="Standard" style:page-layout-name="page"/></office:master-styles>'
    )


def _width(rows: Iterable[Sequence[str]], column: int) -> float:
    longest = max((len(row[column]) for row in rows if column < len(row)), default=0)
    return min(longest * CENTIMETRES_PER_CHARACTER + 0.3, WIDEST_COLUMN_CENTIMETRES)


def _spaced(line: str) -> str:
    """A line's text; XML has other ideas of blanks than whoever typed them."""
    text = escape(_FORBIDDEN.sub("", line))
    text = _SPACES.sub(lambda run: f'<text:s text:c="{len(run[0])}"/>', text)
    return text.replace("\t", "<text:tab/>")
