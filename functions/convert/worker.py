"""The methods that convert runs in the jail: everything that touches a byte of the source. File names are relative to the scratch directory."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from functions.convert import coverage, encodings
from functions.convert.core import ConversionLimits, Kind, SourceType, name_differs, notice
from functions.convert.detection import detect
from functions.convert.unlocking import EDITING_PASSWORD, unlock, unlock_office
from shared.documents import Notice
from shared.errors import FailureCode, StepFailed

Params = Mapping[str, Any]
Answer = dict[str, Any]

LARGE_TABLE_CELLS = 15_000
LARGE_TEXT_CHARACTERS = 600_000
CHARACTERS_PER_PAGE = 6_000
COVERAGE_WANTED = 0.98
COVERAGE_ALARMING = 0.90
MIN_WORDS = 20
CSV_FILTER = "Text - txt - csv (StarCalc)"
TEXT_FILTER = "Text (encoded)"


def convert(params: Params) -> Answer:
    """Converts `source` into `output`, or prepares it for LibreOffice.

    Answers {pages, converter, media_type, warnings}, or {office: {source, suffix, filter, filter_options}, media_type, warnings}.
    """
    source, output = Path(params["source"]), Path(params["output"])
    filename = str(params["filename"])
    limits = ConversionLimits(**params["limits"])
    found = detect(source, filename, str(params["media_type_hint"]), limits)
    warnings: list[Notice] = []
    if found.kind is Kind.PROTECTED:
        source = _opened_for_reading(source)
        found = detect(source, filename, "", limits)
    if name_differs(Path(filename).suffix, found):
        warnings.append(
            notice(
                "type_differs", f"The file's content is {found.media_type}, unlike its name; it was converted as that."
            )
        )
    answer = _CONVERTERS[found.kind](source, found, output, limits, params, warnings)
    return {
        "media_type": found.media_type,
        **answer,
        "warnings": [warning.model_dump(mode="json") for warning in warnings],
    }


def _opened_for_reading(source: Path) -> Path:
    """Opens a workbook that is protected against editing only. Raises StepFailed encrypted for any other."""
    opened = source.with_name("opened")
    if not unlock_office(source, EDITING_PASSWORD, opened):
        raise StepFailed(FailureCode.ENCRYPTED)
    return opened


def _convert_pdf(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.pdf import convert_pdf

    result = convert_pdf(source, output, limits)
    warnings += result.notices
    return {"pages": result.pages, "converter": result.converter}


def _convert_image(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.images import convert_image

    result = convert_image(source, found, output, limits)
    warnings += result.notices
    return {"pages": result.pages, "converter": "img2pdf"}


def _prepare_office(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    return {"office": {"source": source.name, "suffix": found.suffix, "filter": "", "filter_options": ""}}


def _convert_text(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.plain_text import printable, text_html

    text = _decoded(source, warnings)
    _refuse_endless(text, limits)
    if len(text) > LARGE_TEXT_CHARACTERS:
        prepared = source.with_name("prepared.txt")
        prepared.write_text(printable(text), encoding="utf-8")
        return {
            "office": {"source": prepared.name, "suffix": ".txt", "filter": TEXT_FILTER, "filter_options": "UTF8,LF,,,"}
        }
    return _rendered(text_html(text), text, output, limits, params, warnings)


def _convert_markdown(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.markup import markdown_html

    text = _decoded(source, warnings)
    _refuse_endless(text, limits)
    return _rendered_markup(markdown_html(text), output, limits, params, warnings)


def _convert_table(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.tables import parse, table_html

    text = _decoded(source, warnings)
    table = parse(text, "\t" if found.suffix == ".tsv" else None)
    if table.cells > LARGE_TABLE_CELLS:
        return _prepared_table(table.rows, table.columns, source)
    return _rendered(table_html(table), text, output, limits, params, warnings)


def _prepared_table(rows: tuple[tuple[str, ...], ...], columns: int, source: Path) -> Answer:
    import csv

    prepared = source.with_name("prepared.csv")
    with prepared.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    # Comma, double quote, UTF-8, from line 1, every column as text: what stands in the file is what is shown.
    formats = "/".join(f"{column}/2" for column in range(1, columns + 1))
    return {
        "office": {
            "source": prepared.name,
            "suffix": ".csv",
            "filter": CSV_FILTER,
            "filter_options": f"44,34,76,1,{formats}",
        }
    }


def _convert_html(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.markup import declared_charset

    text = _decoded(source, warnings, declared_charset(source.read_bytes()))
    return _rendered_markup(text, output, limits, params, warnings)


def _convert_svg(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.drawing import svg_page
    from functions.convert.markup import declared_charset
    from functions.convert.rendering import render_page

    page = svg_page(_decoded(source, warnings, declared_charset(source.read_bytes())))
    return {"pages": render_page(page, output), "converter": "weasyprint"}


def _convert_mail(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.mail import parse_mail

    return _rendered_message(parse_mail(source.read_bytes()), output, limits, params, warnings)


def _convert_outlook(
    source: Path, found: SourceType, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.outlook import parse_outlook

    return _rendered_message(parse_outlook(source), output, limits, params, warnings)


def _rendered_message(
    message: Any, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.mail import message_html

    if message.attachments:
        warnings.append(
            notice("attachments_listed", f"{len(message.attachments)} attached files are listed, not converted.")
        )
    body = message_html(message, message.html if message.html.strip() else None)
    return _rendered_markup(body, output, limits, params, warnings)


def _rendered(
    body: str, text: str, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    from functions.convert.rendering import render_body

    if not text.strip():
        raise StepFailed(FailureCode.EMPTY)
    pages = render_body(body, output, title=Path(str(params["filename"])).name)
    _check_pages(pages, limits)
    warnings += _coverage_notices(text, output)
    return {"pages": pages, "converter": "weasyprint"}


def _rendered_markup(
    text: str, output: Path, limits: ConversionLimits, params: Params, warnings: list[Notice]
) -> Answer:
    """With the author's styles first; without them when they hide words from print (or when asked to hurry)."""
    from functions.convert.markup import printable_html, visible_text
    from functions.convert.rendering import render_page

    try:
        plain_page = printable_html(text, author_styles=False)
    except ValueError as error:
        raise StepFailed(FailureCode.EMPTY) from error
    words = visible_text(plain_page)
    if not params.get("plain"):
        pages = render_page(printable_html(text, author_styles=True), output)
        if coverage.compare(words, coverage.pdf_text(output)).share >= COVERAGE_WANTED:
            _check_pages(pages, limits)
            return {"pages": pages, "converter": "weasyprint"}
    pages = render_page(plain_page, output)
    _check_pages(pages, limits)
    warnings += _coverage_notices(words, output)
    return {"pages": pages, "converter": "weasyprint"}


def _decoded(source: Path, warnings: list[Notice], declared: str | None = None) -> str:
    decoded = encodings.decode(source.read_bytes(), declared)
    if decoded is None:
        raise StepFailed(FailureCode.UNSUPPORTED_TYPE)
    if not decoded.certain:
        warnings.append(
            notice("encoding_guessed", f"The text does not name its encoding; it was read as {decoded.encoding}.")
        )
    return decoded.text


def _refuse_endless(text: str, limits: ConversionLimits) -> None:
    """Refuses a text of far too many pages before it is laid out."""
    if len(text) > limits.max_pages * CHARACTERS_PER_PAGE:
        raise StepFailed(FailureCode.TOO_MANY_PAGES)


def _check_pages(pages: int, limits: ConversionLimits) -> None:
    if pages > limits.max_pages:
        raise StepFailed(FailureCode.TOO_MANY_PAGES)


def _coverage_notices(source_text: str, output: Path, *, hidden: bool = False) -> list[Notice]:
    covered = coverage.compare(source_text, coverage.pdf_text(output))
    if covered.words < MIN_WORDS or covered.share >= COVERAGE_WANTED:
        return []
    examples = ", ".join(covered.missing[:5])
    return [
        notice(
            "text_missing",
            f"About {100 * (1 - covered.share):.0f} % of the words of the file are not in the PDF, for example: {examples}.",
            needs_decision=covered.share < COVERAGE_ALARMING and not hidden,
        )
    ]


def finish(params: Params) -> Answer:
    """Checks a PDF that LibreOffice made of `source`. Answers {pages, warnings}."""
    from functions.convert.pdf import convert_pdf

    limits = ConversionLimits(**params["limits"])
    made, output = Path(params["made"]), Path(params["output"])
    result = convert_pdf(made, output, limits)
    warnings: list[Notice] = [item for item in result.notices if item.code != "active_content_removed"]
    hidden = list(params["hidden"])
    if hidden:
        warnings.append(notice("hidden_content", f"Hidden in the file and not in the PDF: {', '.join(hidden)}."))
    text = coverage.package_text(Path(params["source"]))
    if text is not None:
        warnings += _coverage_notices(text, output, hidden=bool(hidden))
    return {"pages": result.pages, "warnings": [warning.model_dump(mode="json") for warning in warnings]}


def open_with_password(params: Params) -> bool:
    """Whether the password opens `source`; then `output` is the opened document."""
    return unlock(Path(params["source"]), str(params["password"]), Path(params["output"]))


def identify(params: Params) -> Answer:
    """The type of `source` by its content."""
    limits = ConversionLimits(**params["limits"])
    return asdict(detect(Path(params["source"]), str(params["filename"]), str(params["media_type_hint"]), limits))


_CONVERTERS = {
    Kind.PDF: _convert_pdf,
    Kind.IMAGE: _convert_image,
    Kind.OFFICE: _prepare_office,
    Kind.TEXT: _convert_text,
    Kind.MARKDOWN: _convert_markdown,
    Kind.TABLE: _convert_table,
    Kind.HTML: _convert_html,
    Kind.SVG: _convert_svg,
    Kind.MAIL: _convert_mail,
    Kind.OUTLOOK: _convert_outlook,
}

METHODS = {"convert": convert, "finish": finish, "open_with_password": open_with_password, "identify": identify}
