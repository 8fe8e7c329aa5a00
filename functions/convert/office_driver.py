"""Drives a running LibreOffice over UNO. Runs in its own jail under the system's Python, the one that can import `uno`.

Imports nothing of ours but the error model, since that interpreter has none of our libraries.
"""

import math
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.append("/usr/lib/python3/dist-packages")

import uno
from com.sun.star.awt import Size
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException
from com.sun.star.io import IOException
from com.sun.star.lang import DisposedException, IllegalArgumentException
from com.sun.star.table import BorderLine
from com.sun.star.task import ErrorCodeIOException
from com.sun.star.uno import RuntimeException

from shared.errors import FailureCode, StepFailed

Params = Mapping[str, Any]

NEVER_EXECUTE_MACROS = 0
NO_LINK_UPDATE = 0
CONNECT_PAUSE_SECONDS = 0.05
PDF_FILTERS = (
    ("com.sun.star.sheet.SpreadsheetDocument", "calc_pdf_Export"),
    ("com.sun.star.presentation.PresentationDocument", "impress_pdf_Export"),
    ("com.sun.star.drawing.DrawingDocument", "draw_pdf_Export"),
    ("com.sun.star.formula.FormulaProperties", "math_pdf_Export"),
    ("com.sun.star.text.WebDocument", "writer_web_pdf_Export"),
    ("com.sun.star.text.GlobalDocument", "writer_globaldocument_pdf_Export"),
    ("com.sun.star.text.GenericTextDocument", "writer_pdf_Export"),
)
EXPORT = {
    "ExportBookmarks": True,
    "ExportFormFields": False,
    "ExportNotes": False,
    "IsSkipEmptyPages": True,
    "Quality": 92,
    "ReduceImageResolution": True,
    "MaxImageResolution": 300,
    "UseTaggedPDF": False,
}

# Lengths in 1/100 mm.
A4 = (21000, 29700)
SHEET_MARGIN = 1000
SMALLEST_SCALE = 0.6
WIDEST_NUMBER_COLUMN = 6000
NUMBERS = 1 | 2 | 16
"""CellFlags VALUE, DATETIME and FORMULA: what shows as ### when its column is too narrow."""

_desktop: Any = None


def connect(params: Params) -> bool:
    """Connects to the LibreOffice that listens on the pipe `name`; tries for `seconds`. False if it does not answer."""
    global _desktop
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    deadline = time.monotonic() + float(params["seconds"])
    while time.monotonic() < deadline:
        try:
            context = resolver.resolve(f"uno:pipe,name={params['name']};urp;StarOffice.ComponentContext")
            _desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
            return True
        except NoConnectException:
            time.sleep(CONNECT_PAUSE_SECONDS)
    return False


def convert(params: Params) -> dict[str, Any]:
    """Converts `source` to the PDF `output`. Answers {hidden: descriptions of what is hidden in the document and
    stays so}.

    Raises StepFailed: encrypted, corrupt, conversion_failed.
    """
    document = _load(Path(params["source"]).resolve(), str(params["filter"]), str(params["filter_options"]))
    try:
        hidden = _prepare(document, params)
        _export(document, Path(params["output"]).resolve())
    finally:
        _close(document)
    return {"hidden": hidden}


def _load(source: Path, filter_name: str, filter_options: str) -> Any:
    properties: dict[str, Any] = {
        "Hidden": True,
        "ReadOnly": True,
        "MacroExecutionMode": NEVER_EXECUTE_MACROS,
        "UpdateDocMode": NO_LINK_UPDATE,
    }
    properties |= {"FilterName": filter_name, "FilterOptions": filter_options} if filter_name else {}
    try:
        document = _desktop.loadComponentFromURL(source.as_uri(), "_blank", 0, _properties(properties))
    except ErrorCodeIOException as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    except (IOException, IllegalArgumentException) as error:
        raise StepFailed(FailureCode.CORRUPT) from error
    if document is None:
        raise StepFailed(FailureCode.CORRUPT)
    return document


def _prepare(document: Any, params: Params) -> list[str]:
    if document.supportsService("com.sun.star.sheet.SpreadsheetDocument"):
        return _prepare_workbook(document)
    if document.supportsService("com.sun.star.presentation.PresentationDocument"):
        return _hidden_slides(document)
    if params.get("filter") == "Text (encoded)":
        _prepare_plain_text(document)
    elif params.get("grow"):
        _grow_boxes(document)
    return []


def _grow_boxes(document: Any) -> None:
    """Lets text boxes and frames grow to their text: what does not fit in is not printed otherwise."""
    for shape in _items(document.DrawPage):
        if shape.supportsService("com.sun.star.text.TextFrame"):
            shape.FrameIsAutomaticHeight = True
        elif shape.supportsService("com.sun.star.drawing.Text"):
            shape.TextAutoGrowHeight = True


def _prepare_plain_text(document: Any) -> None:
    style = document.StyleFamilies.getByName("PageStyles").getByName("Standard")
    style.Size = Size(*A4)
    for margin in ("LeftMargin", "RightMargin", "TopMargin", "BottomMargin"):
        setattr(style, margin, 1700)
    paragraphs = document.StyleFamilies.getByName("ParagraphStyles")
    for name in ("Preformatted Text", "Standard"):
        if paragraphs.hasByName(name):
            paragraphs.getByName(name).CharFontName = "DejaVu Sans Mono"
            paragraphs.getByName(name).CharHeight = 8.5


def _hidden_slides(document: Any) -> list[str]:
    pages = document.DrawPages
    hidden = sum(1 for index in range(pages.Count) if not pages.getByIndex(index).Visible)
    if hidden == pages.Count:
        for index in range(pages.Count):
            pages.getByIndex(index).Visible = True
        return []
    return [f"{hidden} slides"] if hidden else []


def _prepare_workbook(document: Any) -> list[str]:
    """Sets each sheet on as few pages across as stay readable; nothing of a visible sheet is left out."""
    hidden = 0
    for sheet in _items(document.Sheets):
        if not sheet.IsVisible:
            hidden += 1
            continue
        sheet.setPrintAreas(())
        cursor = sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        last = cursor.RangeAddress
        _widen_numbers(sheet, last.EndColumn)
        width = sum(column.Width for column in _items(sheet.Columns, last.EndColumn + 1) if column.IsVisible)
        _fit(document, sheet, width)
    return [f"{hidden} sheets"] if hidden else []


def _widen_numbers(sheet: Any, last_column: int) -> None:
    """Gives numbers and dates the room without which they show as ###; columns of text keep their width."""
    for column in _items(sheet.Columns, last_column + 1):
        if not column.IsVisible or not column.queryContentCells(NUMBERS).Count:
            continue
        width = column.Width
        column.OptimalWidth = True
        wanted = column.Width
        if wanted <= width or wanted > WIDEST_NUMBER_COLUMN:
            column.Width = max(width, min(wanted, WIDEST_NUMBER_COLUMN))


def _fit(document: Any, sheet: Any, width: int) -> None:
    styles = document.StyleFamilies.getByName("PageStyles")
    name = f"docuelevate {sheet.Name}"
    style = document.createInstance("com.sun.star.style.PageStyle")
    styles.insertByName(name, style)
    landscape = width > (A4[0] - 2 * SHEET_MARGIN) / 0.85
    style.IsLandscape = landscape
    style.Size = Size(A4[1], A4[0]) if landscape else Size(*A4)
    for margin in ("LeftMargin", "RightMargin", "TopMargin", "BottomMargin"):
        setattr(style, margin, SHEET_MARGIN)
    style.HeaderIsOn = False
    style.FooterIsOn = False
    _rule_lines(sheet)
    usable = (A4[1] if landscape else A4[0]) - 2 * SHEET_MARGIN
    style.ScaleToPagesX = max(1, math.ceil(width * SMALLEST_SCALE / usable))
    style.ScaleToPagesY = 0
    sheet.PageStyle = name


def _rule_lines(sheet: Any) -> None:
    """Draws a thin line under each row of a sheet in which nobody drew any, so that rows can be followed."""
    cursor = sheet.createCursor()
    cursor.gotoStartOfUsedArea(False)
    cursor.gotoEndOfUsedArea(True)
    border = cursor.TableBorder
    lines = (
        border.TopLine,
        border.BottomLine,
        border.LeftLine,
        border.RightLine,
        border.HorizontalLine,
        border.VerticalLine,
    )
    if any(line.OuterLineWidth for line in lines) or sheet.DrawPage.Count:
        return
    border.HorizontalLine = border.BottomLine = BorderLine(0xC8CDD4, 0, 9, 0)
    border.IsHorizontalLineValid = border.IsBottomLineValid = True
    cursor.TableBorder = border


def _export(document: Any, output: Path) -> None:
    name = next((name for service, name in PDF_FILTERS if document.supportsService(service)), "writer_pdf_Export")
    data = uno.Any("[]com.sun.star.beans.PropertyValue", _properties(EXPORT))
    try:
        document.storeToURL(output.as_uri(), _properties({"FilterName": name, "FilterData": data}))
    except (IOException, ErrorCodeIOException) as error:
        raise StepFailed(FailureCode.CONVERSION_FAILED) from error


def _close(document: Any) -> None:
    try:
        document.close(True)
    except (RuntimeException, DisposedException):
        # LibreOffice died or refuses; either way it is replaced before the next file.
        return


def _items(container: Any, count: int | None = None) -> Iterator[Any]:
    return (container.getByIndex(index) for index in range(container.Count if count is None else count))


def _properties(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(PropertyValue(Name=name, Value=value) for name, value in values.items())


METHODS = {"connect": connect, "convert": convert}
