"""The methods that convert runs in the jail: everything that touches a byte of the source. File names are relative to
the scratch directory.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from functions.convert import coverage, encodings
from functions.convert.core import ConversionLimits, Kind, SourceType, name_differs, notice
from functions.convert.detection import detect
from functions.convert.unlocking import EDITING_PASSWORD, unlock, unlock_office
from shared.documents import Notice
from shared.errors import FailureCode, StepFailed

if TYPE_CHECKING:
    from functions.convert.mail import Message

Params = Mapping[str, Any]
Answer = dict[str, Any]

LARGE_TABLE_CELLS = 15_000
LARGE_TEXT_CHARACTERS = 600_000
CHARACTERS_PER_PAGE = 6_000
TEXT_MISSING = "text_missing"
COVERAGE_WANTED = 0.98
COVERAGE_ALARMING = 0.90
MIN_WORDS = 20
MIN_WORDS_OF_NONE = 5
"""How many words there have to be for a share of them to mean something; fewer where not one has arrived."""
CSV_FILTER = "Text - txt - csv (StarCalc)"
TEXT_FILTER = "Text (encoded)"


@dataclass
class Task:
    """One conversion: what is converted, into what, and what is to be told about it.

    `plain` asks to hurry; `flat` says that the office converter can not be told how to read plain text and CSV.
    """

    source: Path
    found: SourceType
    output: Path
    limits: ConversionLimits
    filename: str
    plain: bool
    flat: bool = False
    warnings: list[Notice] = field(default_factory=list)


def convert(params: Params) -> Answer:
    """Converts `source` into `output`, or prepares it for LibreOffice.

    Answers {pages, converter, media_type, warnings}, or {office: {source, suffix, filter, filter_options}, media_type,
    warnings}. Raises StepFailed.
    """
    source, filename = Path(params["source"]), str(params["filename"])
    limits = ConversionLimits(**params["limits"])
    found = detect(source, filename, str(params["media_type_hint"]), limits)
    if found.kind is Kind.PROTECTED:
        source = _opened_for_reading(source)
        found = detect(source, filename, "", limits)
    task = Task(source, found, Path(params["output"]), limits, filename, bool(params.get("plain")))
    task.flat = bool(params.get("flat"))
    if name_differs(Path(filename).suffix, found):
        task.warnings.append(
            notice(
                "type_differs", f"The content is {found.media_type}, unlike the file's name; it was converted as that."
            )
        )
    answer = _CONVERTERS[found.kind](task)
    warnings = [warning.model_dump(mode="json") for warning in task.warnings]
    return {"media_type": found.media_type, **answer, "warnings": warnings}


def _opened_for_reading(source: Path) -> Path:
    """Opens a workbook that is protected against editing only. Raises StepFailed encrypted for any other."""
    opened = source.with_name("opened")
    if not unlock_office(source, EDITING_PASSWORD, opened):
        raise StepFailed(FailureCode.ENCRYPTED)
    return opened


def _convert_pdf(task: Task) -> Answer:
    from functions.convert.pdf import convert_pdf

    result = convert_pdf(task.source, task.output, task.limits)
    task.warnings += result.notices
    return {"pages": result.pages, "converter": result.converter}


def _convert_image(task: Task) -> Answer:
    from functions.convert.images import convert_image

    result = convert_image(task.source, task.found, task.output, task.limits)
    task.warnings += result.notices
    return {"pages": result.pages, "converter": "img2pdf"}


def _prepare_office(task: Task) -> Answer:
    return {"office": {"source": task.source.name, "suffix": task.found.suffix, "filter": "", "filter_options": ""}}


def _convert_text(task: Task) -> Answer:
    from functions.convert.plain_text import printable, text_html

    text = _decoded(task.source, task.warnings)
    _refuse_endless(text, task.limits)
    if len(text) > LARGE_TEXT_CHARACTERS:
        return _prepared_text(printable(text), task)
    return _rendered(text_html(text), text, task)


def _convert_markdown(task: Task) -> Answer:
    from functions.convert.markup import markdown_html

    text = _decoded(task.source, task.warnings)
    _refuse_endless(text, task.limits)
    return _rendered_markup(markdown_html(text), task)


def _convert_table(task: Task) -> Answer:
    from functions.convert.tables import parse, table_html

    text = _decoded(task.source, task.warnings)
    table = parse(text, "\t" if task.found.suffix == ".tsv" else None)
    if table.cells > LARGE_TABLE_CELLS:
        return _prepared_table(table.rows, table.columns, task)
    return _rendered(table_html(table), text, task)


def _prepared_text(text: str, task: Task) -> Answer:
    from functions.convert.flat import write_text

    if task.flat:
        prepared = task.source.with_name("prepared.fodt")
        write_text(text, prepared)
        return {"office": {"source": prepared.name, "suffix": ".fodt", "filter": "", "filter_options": ""}}
    prepared = task.source.with_name("prepared.txt")
    prepared.write_text(text, encoding="utf-8")
    return {
        "office": {"source": prepared.name, "suffix": ".txt", "filter": TEXT_FILTER, "filter_options": "UTF8,LF,,,"}
    }


def _prepared_table(rows: tuple[tuple[str, ...], ...], columns: int, task: Task) -> Answer:
    from functions.convert.flat import write_table

    if task.flat:
        prepared = task.source.with_name("prepared.fods")
        write_table(rows, columns, prepared)
        return {"office": {"source": prepared.name, "suffix": ".fods", "filter": "", "filter_options": ""}}
    prepared = task.source.with_name("prepared.csv")
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


def _convert_html(task: Task) -> Answer:
    text = _decoded(task.source, task.warnings, encodings.declared_charset(task.source.read_bytes()))
    return _rendered_markup(text, task)


def _convert_svg(task: Task) -> Answer:
    from functions.convert.drawing import svg_page
    from functions.convert.rendering import render_page

    page = svg_page(_decoded(task.source, task.warnings, encodings.declared_charset(task.source.read_bytes())))
    return {"pages": render_page(page, task.output), "converter": "weasyprint"}


def _convert_mail(task: Task) -> Answer:
    from functions.convert.mail import parse_mail

    return _rendered_message(parse_mail(task.source.read_bytes()), task)


def _convert_outlook(task: Task) -> Answer:
    from functions.convert.outlook import parse_outlook

    return _rendered_message(parse_outlook(task.source), task)


def _rendered_message(message: "Message", task: Task) -> Answer:
    from functions.convert.mail import message_html

    if message.attachments:
        task.warnings.append(
            notice("attachments_listed", f"{len(message.attachments)} attached files are listed, not converted.")
        )
    body = message_html(message, message.html if message.html.strip() else None)
    return _rendered_markup(body, task)


def _rendered(body: str, text: str, task: Task) -> Answer:
    from functions.convert.rendering import render_body

    if not text.strip():
        raise StepFailed(FailureCode.EMPTY)
    pages = render_body(body, task.output, title=Path(task.filename).name)
    _check_pages(pages, task.limits)
    task.warnings += _coverage_notices(text, task.output)
    return {"pages": pages, "converter": "weasyprint"}


def _rendered_markup(text: str, task: Task) -> Answer:
    """With the author's styles first; without them when they hide words from print (or when asked to hurry)."""
    from functions.convert.markup import printable_html, visible_text
    from functions.convert.rendering import render_page

    try:
        plain_page = printable_html(text, author_styles=False)
    except ValueError as error:
        raise StepFailed(FailureCode.EMPTY) from error
    words = visible_text(plain_page)
    if not task.plain:
        pages = render_page(printable_html(text, author_styles=True), task.output)
        if coverage.compare(words, coverage.pdf_text(task.output)).share >= COVERAGE_WANTED:
            _check_pages(pages, task.limits)
            return {"pages": pages, "converter": "weasyprint"}
    pages = render_page(plain_page, task.output)
    _check_pages(pages, task.limits)
    task.warnings += _coverage_notices(words, task.output)
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
    few = MIN_WORDS if covered.found else MIN_WORDS_OF_NONE
    if covered.words < few or covered.share >= COVERAGE_WANTED:
        return []
    # How many, not which: a notice travels in events, where no text belongs.
    message = f"About {100 * (1 - covered.share):.0f} % of the words of the file are not in the PDF."
    if covered.share < COVERAGE_ALARMING and not hidden:
        return [notice(FailureCode.CONVERSION_FAILED.value, message, needs_decision=True)]
    return [notice(TEXT_MISSING, message)]


def finish(params: Params) -> Answer:
    """Checks a PDF that LibreOffice made of `source`. Answers {pages, warnings}."""
    from functions.convert.pdf import convert_pdf

    limits = ConversionLimits(**params["limits"])
    made, output = Path(params["made"]), Path(params["output"])
    result = convert_pdf(made, output, limits)
    warnings: list[Notice] = [item for item in result.notices if item.code != "active_content_removed"]
    told = params["hidden"]
    hidden = coverage.hidden_parts(Path(params["source"])) if told is None else len(told)
    if hidden:
        message = f"{hidden} hidden sheets or slides of the file are not in the PDF."
        warnings.append(notice("hidden_content", message))
    text = coverage.package_text(Path(params["source"]))
    if text is not None:
        warnings += _coverage_notices(text, output, hidden=bool(hidden))
    return {"pages": result.pages, "warnings": [warning.model_dump(mode="json") for warning in warnings]}


def open_with_password(params: Params) -> bool:
    """Whether the password opens `source`; then `output` is the opened document."""
    return unlock(Path(params["source"]), str(params["password"]), Path(params["output"]))


def embed_metadata(params: Params) -> bool:
    """Whether `output` is now `source` with the facts inside; not for a signed PDF."""
    from functions.convert.embedding import embed

    return embed(Path(params["source"]), Path(params["output"]), params["facts"])


def identify(params: Params) -> Answer:
    """The type of `source` by its content."""
    limits = ConversionLimits(**params["limits"])
    return asdict(detect(Path(params["source"]), str(params["filename"]), str(params["media_type_hint"]), limits))


_CONVERTERS: dict[Kind, Callable[[Task], Answer]] = {
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

METHODS = {
    "convert": convert,
    "finish": finish,
    "open_with_password": open_with_password,
    "embed_metadata": embed_metadata,
    "identify": identify,
}
