"""Templates into answers: one Jinja environment, everything escaped, the frame's own values filled in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.documents import Status
from web.access import owner_of
from web.context import context_of
from web.pages import activity_words, words
from web.pages.assets import Assets
from web.pages.operators import is_operator, open_findings, open_letters
from web.reads import status_counts

TEMPLATES = Path(__file__).parent.parent / "templates"
THEMES = ("light", "dark")


@dataclass(frozen=True)
class Counts:
    """How many documents stand where, as the frame shows it; `all` leaves the trash out.

    `reviews` are documents of which a new run made something else, and that wait for a decision.
    `letters` and `findings` (undelivered events, what sweep cannot repair) are counted for an operator only.
    """

    all: int
    processing: int
    attention: int
    reviews: int = 0
    operator: bool = False
    letters: int = 0
    findings: int = 0


NO_COUNTS = Counts(0, 0, 0)


class Renderer:
    """Builds pages. `environment` knows the words and the addresses of static files."""

    def __init__(self, assets: Assets) -> None:
        self._environment = _environment(assets)

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        *,
        counts: Counts = NO_COUNTS,
        status_code: int = 200,
    ) -> HTMLResponse:
        """A whole page. It is never kept by the browser: going back shows what is true now."""
        frame = {
            "counts": counts,
            "here": request.url.path,
            "theme": _theme(request),
            "max_upload_bytes": context_of(request).settings.max_upload_size,
            "operator": counts.operator,
            "activity_places": _places(counts),
        }
        content = self._environment.get_template(template).render(frame | {"active": ""} | dict(values))
        return HTMLResponse(content, status_code, headers={"cache-control": "no-cache, private", "vary": "Cookie"})


def frame_counts(session: Session, request: Request) -> Counts:
    """What rail and head lines count."""
    status = status_counts(session, owner_of(request))
    found = status.documents
    operator = is_operator(request)
    return Counts(
        all=sum(number for status, number in found.items() if status != Status.TRASHED),
        processing=found.get(Status.PROCESSING, 0),
        attention=found.get(Status.ATTENTION, 0),
        reviews=status.reviews,
        operator=operator,
        letters=open_letters(session) if operator else 0,
        findings=open_findings(session) if operator else 0,
    )


def link(path: str, **parameters: Any) -> str:
    """A path with parameters, those without a value left out."""
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def _places(counts: Counts) -> list[tuple[str, str, str, int]]:
    """The places within Activity: name, address, words, and how much waits there."""
    return [
        ("documents", "/activity", "Documents", 0),
        ("dead-letters", "/activity/dead-letters", "Undelivered", counts.letters),
        ("replays", "/activity/replays", "Replays", 0),
        ("events", "/activity/events", "Events", 0),
        ("checks", "/activity/checks", "Checks", counts.findings),
    ]


def _theme(request: Request) -> str:
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else "auto"


_ACTIVITY_FILTERS: Mapping[str, Callable[[Any], Any]] = {
    "code_name": activity_words.code_name,
    "event_name": activity_words.event_name,
    "finding_hint": activity_words.finding_hint,
    "finding_name": activity_words.finding_name,
    "letter_state": activity_words.letter_state,
    "per_second": activity_words.per_second,
    "replay_amount": activity_words.replay_amount,
    "replay_left": activity_words.replay_left,
    "replay_scope": activity_words.replay_scope,
    "replay_state": activity_words.replay_state,
    "replay_title": activity_words.replay_title,
    "requester": activity_words.requester,
    "trigger_name": activity_words.trigger_name,
}


def _environment(assets: Assets) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "day": words.day,
        "duration": words.duration,
        "grade": words.grade,
        "language_name": words.language_name,
        "limit": words.limit,
        "link": link,
        "milliseconds": words.milliseconds,
        "moment": words.moment,
        "money": words.money,
        "named": lambda values, name: {value: name(value) for value in values},
        "size": words.size,
        "state": words.state,
        "status_name": words.status_name,
        "step_work": words.step_work,
        "suffix": words.suffix,
        "type_name": words.type_name,
    }
    environment.filters.update(_ACTIVITY_FILTERS)
    environment.globals |= {
        "static": assets.url,
        "type_name": words.type_name,
        "language_name": words.language_name,
        "status_name": words.status_name,
        "step_sentence": words.step_sentence,
        "step_seconds": words.step_seconds,
        "work": words.work,
    }
    return environment
