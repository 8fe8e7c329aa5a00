"""What a new run made of a document that a person had edited, beside what stands, before anything changes."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.metadata import Money
from web.access import owner_of
from web.api.models import ComparedField, ComparedText, Comparison, TextStatistics
from web.context import context_of
from web.pages import words
from web.pages.facts import LABELS, Kind, shown
from web.pages.rendering import Renderer, frame_counts
from web.reads import document_summary
from web.reviews import comparison

_PRECISION: Final = 1000


@dataclass(frozen=True)
class Row:
    """One fact of both runs as it is shown; text, or several texts for tags and the like."""

    label: str
    before: str | list[str]
    after: str | list[str]
    machine: str | list[str]
    locked: bool
    changed: bool


@dataclass(frozen=True)
class ComparisonPage:
    """GET /documents/{id}/comparison"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page; it also opens where nothing waits, and says so. Raises NotFound, Unavailable."""
        context, owner, document_id = context_of(request), owner_of(request), request.path_params["id"]
        found = comparison(context.engine, context.store, owner, document_id)
        with reading(context.engine) as session:
            counts = frame_counts(session, request)
            document = document_summary(session, owner, document_id)
        values = {"active": "documents", "document": document, "pending": found.state == "pending"}
        return self.renderer.page(request, "comparison.html", values | _values(found), counts=counts)


def _values(found: Comparison) -> dict[str, Any]:
    rows = [row for row in map(_row, found.fields) if row.changed or (row.locked and row.machine != row.before)]
    return {
        "runid": found.runid,
        "fields": sorted(rows, key=lambda row: row.locked),
        "same": len(found.fields) - len(rows),
        "failure": found.failure,
        "summary": words.change_sentence(found),
        "text_sentence": words.text_change(found.text),
        "statistics": _statistics(found.text) if found.text else [],
        "lines": [(line.kind, line.text) for line in found.text.lines] if found.text else [],
        "more_lines": bool(found.text and found.text.more_lines),
    }


def _row(field: ComparedField) -> Row:
    label, kind = LABELS.get(field.name, (field.name.replace("_", " ").capitalize(), "text"))
    before, after, machine = (_shown(kind, value) for value in (field.before, field.after, field.machine))
    return Row(label, before, after, machine, field.locked, field.changed)


def _shown(kind: Kind, value: Any) -> str | list[str]:
    if isinstance(value, list):
        return [str(each["value"]) for each in value]
    if not value:
        return ""
    content = value["value"]
    return shown(kind, Money.model_validate(content) if isinstance(content, dict) else content)


def _statistics(text: ComparedText) -> list[tuple[str, str, str]]:
    before, after = _figures(text.before), _figures(text.after)
    return [(label, value or "–", after[label] or "–") for label, value in before.items() if value or after[label]]


def _figures(text: TextStatistics) -> dict[str, str]:
    sure = "" if text.mean_confidence is None else f"{round(text.mean_confidence * _PRECISION) / 10:g} %"
    return {
        "Pages": f"{text.pages:,}",
        "Words": f"{text.words:,}",
        "Characters": f"{text.characters:,}",
        "Certainty": sure,
        "Recognized by": text.engine.capitalize(),
        "Languages": ", ".join(map(words.language_name, text.languages)),
    }
