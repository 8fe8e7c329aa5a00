"""Events that could not be delivered: the list with what can be done to many, and one with all that is known."""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.database.engine import reading
from shared.letters import LetterState
from web.context import context_of
from web.errors import InvalidCursor
from web.filters import moment, page_size
from web.letter_reads import LetterFilters, letter_view, list_letters, show_letter
from web.pages import activity_words
from web.pages.links import Address
from web.pages.operators import titles_of
from web.pages.rendering import Renderer, frame_counts
from web.reads import summaries_of

ANY_STATE: Final = "all"
_FILTERS = ("trigger", "code", "type", "document", "since", "until")


@dataclass(frozen=True)
class LettersPage:
    """GET /activity/dead-letters"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The list; those that wait, unless `state` says otherwise. Raises InvalidParameter."""
        query = request.query_params
        address = Address.of(request.url.path, query.multi_items())
        filters = letter_filters(query)
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
            try:
                page = list_letters(session, filters, cursor=query.get("cursor"), page_size=page_size(query))
            except InvalidCursor:
                return RedirectResponse(str(address.without()), 303)
            titles = titles_of(session, [letter.document_id for letter in page.results])
        states = {"": activity_words.letter_state("open"), **_other_states(), ANY_STATE: "All"}
        values = {
            "active": "activity",
            "address": address,
            "letters": page,
            "titles": titles,
            "states": states,
            "state_name": states.get(query.get("state", ""), states[""]),
            "triggers": activity_words.TRIGGER_NAMES,
            "filtered": bool(address.only(*_FILTERS).pairs),
            "filter": _as_json(address, filters),
        }
        return self.renderer.page(request, "dead_letters.html", values, counts=counts)


@dataclass(frozen=True)
class LetterPage:
    """GET /activity/dead-letters/{id}"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page. Raises NotFound."""
        context, letter_id = context_of(request), request.path_params["id"]
        letter = letter_view(context.engine, letter_id)
        whole = show_letter(context.engine, context.store, letter_id).event
        with reading(context.engine) as session:
            counts = frame_counts(session, request)
            found = summaries_of(session, [letter.document_id] if letter.document_id else [])
        values = {
            "active": "activity",
            "letter": letter,
            "event": json.dumps(whole, indent=2, ensure_ascii=False) if whole else None,
            "document": found.get(letter.document_id or ""),
        }
        return self.renderer.page(request, "dead_letter.html", values, counts=counts)


def letter_filters(query: QueryParams) -> LetterFilters:
    """What the address narrows the list to; a state that there is not means those that wait."""
    filters = LetterFilters(
        trigger=query.get("trigger") or None,
        code=query.get("code") or None,
        type=query.get("type") or None,
        document=query.get("document") or None,
        since=moment(query, "since"),
        until=moment(query, "until", end_of_day=True),
    )
    state = query.get("state")
    if state == ANY_STATE:
        return replace(filters, state=None)
    return replace(filters, state=LetterState(state)) if state in set(LetterState) else filters


def _other_states() -> dict[str, str]:
    return {state.value: activity_words.letter_state(state) for state in LetterState if state is not LetterState.OPEN}


def _as_json(address: Address, filters: LetterFilters) -> dict[str, Any] | None:
    """The filters as the API takes them, for what is done to all that pass; None where it takes no such choice."""
    if filters.state is None:
        return None
    times = {name: value.isoformat() for name in ("since", "until") if (value := getattr(filters, name))}
    return dict(address.only(*_FILTERS).pairs) | times | {"state": filters.state.value}
