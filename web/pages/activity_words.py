"""How events, undelivered ones, replays and findings are called on pages. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from shared.documents import Step
from shared.errors import EXPLANATIONS, FailureCode
from shared.events import DATA_MODELS, short_type
from web.pages import words

EVENT_NAMES: Final[Mapping[str, str]] = {
    "object.created": "File arrived",
    "document.received": "Document received",
    "document.converted": "PDF ready",
    "pages.requested": "Pages sent to text recognition",
    "pages.recognized": "Pages recognized",
    "document.recognized": "Text ready",
    "document.enriched": "Facts ready",
    "document.updated": "Document changed",
    "document.indexed": "Added to search",
    "document.deleted": "Moved to the trash",
    "document.restored": "Taken out of the trash",
    "document.purged": "Removed for good",
    "document.failed": "Step failed",
}

EVENT_SYMBOLS: Final[Mapping[str, str]] = {
    "object.created": "upload",
    "document.received": "upload",
    "document.converted": "file",
    "pages.requested": "image",
    "pages.recognized": "image",
    "document.recognized": "done",
    "document.enriched": "tag",
    "document.updated": "edit",
    "document.indexed": "search",
    "document.deleted": "trash",
    "document.restored": "restore",
    "document.purged": "trash",
    "document.failed": "failed",
}

TRIGGER_NAMES: Final[Mapping[str, str]] = {
    "ingest": "Receiving",
    "convert": "Conversion",
    "ocr": "Text recognition",
    "ocr-pages": "Text recognition of pages",
    "enrich": "Facts",
    "record": "Recording",
    "index": "Search",
}

LETTER_STATES: Final[Mapping[str, str]] = {
    "open": "Waiting",
    "replayed": "Sent again",
    "closed": "Passed since",
    "discarded": "Discarded",
    "purged": "Removed",
}

REPLAY_STATES: Final[Mapping[str, str]] = {
    "running": "At work",
    "done": "Finished",
    "cancelled": "Stopped",
    "failed": "Failed",
}

REPLAY_TITLES: Final[Mapping[str, str]] = {
    "redeliver": "Events sent again",
    "reprocess": "Documents processed again",
    "rebuild_index": "Search rebuilt",
    "rebuild_projections": "Documents' states rebuilt",
}

FROM_STEPS: Final[Mapping[str, str]] = {
    Step.CONVERT.value: "From the original file",
    Step.OCR.value: "From text recognition",
    Step.ENRICH.value: "From the facts",
    Step.INDEX.value: "Only the search entry",
}

FINDING_NAMES: Final[Mapping[str, str]] = {
    "original_missing": "Original is missing",
    "original_damaged": "Original is damaged",
    "payload_missing": "A part is missing",
    "payload_damaged": "A part is damaged",
    "orphaned_object": "Object of no document",
    "letter_missing": "Undelivered event is missing",
    "letter_unreadable": "Undelivered event cannot be read",
    "outbox_unsent": "Events are not sent",
    "outbox_unreadable": "Waiting event cannot be read",
    "file_refused": "File is not taken in",
    "not_swept": "Not checked for long",
}

FINDING_HINTS: Final[Mapping[str, str]] = {
    "original_missing": "Bring the object back from a backup or an earlier version of it in the bucket.",
    "original_damaged": "Bring the object back from a backup or an earlier version of it in the bucket.",
    "payload_missing": "Process the document again; the part is made anew from the original.",
    "payload_damaged": "It is made anew from the original; look whether the store loses more.",
    "orphaned_object": "Look whether it is needed; nothing of DocuElevate refers to it.",
    "letter_missing": "Process its document again; the archive has the event without its error.",
    "outbox_unsent": "Look whether the event broker answers; they are sent as soon as it does.",
    "outbox_unreadable": "Its document is sent on without it; look for what damaged the row in the database.",
    "file_refused": "Raise MAX_UPLOAD_SIZE, or remove the object from incoming/.",
    "letter_unreadable": "The object under dead-letters/ is no event; look at it in the bucket.",
}

_SECOND, _DAY = 1.0, 86_400.0
_FILTER_NAMES: Final[Mapping[str, str]] = {
    "subject": "document",
    "source": "from",
    "since": "since",
    "until": "until",
    "runid": "run",
    "tag": "tag",
}


def event_name(event_type: str) -> str:
    """A type of event in words; one that this release does not know, as it is."""
    return EVENT_NAMES.get(short_type(event_type), event_type)


def event_types() -> dict[str, str]:
    """The types that the archive can be narrowed to, with their words."""
    shorts = dict.fromkeys(short_type(name) for name in DATA_MODELS)
    return {short: EVENT_NAMES.get(short, short) for short in shorts}


def trigger_name(trigger: str) -> str:
    """The step that a trigger delivers to."""
    return TRIGGER_NAMES.get(trigger, trigger)


def letter_state(state: str) -> str:
    """Where an undelivered event stands."""
    return LETTER_STATES.get(state, state)


def finding_name(kind: str) -> str:
    """What was found."""
    return FINDING_NAMES.get(kind, kind.replace("_", " ").capitalize())


def finding_hint(kind: str) -> str:
    """What can be done about it; empty for a kind that this release does not know."""
    return FINDING_HINTS.get(kind, "")


def replay_state(state: str) -> str:
    """Where a replay stands."""
    return REPLAY_STATES.get(state, state)


def code_name(code: str) -> str:
    """A failure code as the sentence it stands for, without its full stop."""
    known = code in FailureCode.__members__.values()
    return EXPLANATIONS[FailureCode(code)].message.rstrip(".") if known else code


def code_names() -> dict[str, str]:
    """All failure codes with their sentences."""
    return {code.value: code_name(code.value) for code in FailureCode}


def replay_title(replay: Any) -> str:
    """What a replay does or did."""
    return REPLAY_TITLES.get(replay.kind, replay.kind)


def replay_scope(replay: Any) -> list[str]:
    """What it is about: the step it starts at and the filters, as parts of a line."""
    parts = [FROM_STEPS[replay.from_]] if replay.from_ in FROM_STEPS else []
    filters = _filter_words(replay.filter or {})
    everything = {"redeliver": "All events"}.get(replay.kind, "All documents")
    return [*parts, *(filters or [everything])]


def _filter_words(filters: Mapping[str, Any]) -> list[str]:
    return [_filter_word(name, value) for name, value in filters.items() if value not in (None, "", [], ())]


def _filter_word(name: str, value: Any) -> str:
    match name:
        case "ids":
            return words.count(len(value), "chosen one", "chosen ones")
        case "status":
            return words.status_name(str(value))
        case "document_type":
            return words.type_name(str(value))
        case "code":
            return code_name(str(value))
        case "type":
            return event_name(str(value))
        case "since" | "until":
            return f"{name} {words.day(str(value)[:10])}"
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{_FILTER_NAMES.get(name, name)} {shown[:60]}"


def replay_amount(replay: Any) -> str:
    """All of it, with its noun: "1,240 documents"."""
    return words.count(replay.count, "event" if replay.kind == "redeliver" else "document")


def replay_left(replay: Any) -> str:
    """How long it will go on at its rate; empty where that says nothing."""
    left = replay.count - replay.done - replay.skipped
    if replay.state != "running" or left <= 0 or replay.rate <= 0:
        return ""
    seconds = left / replay.rate
    return words.duration(seconds) if _SECOND < seconds < _DAY else ""


def per_second(rate: float) -> str:
    """A rate: "10 per second", "30 per minute" where it is slower than one."""
    return f"{rate:g} per second" if rate >= 1 else f"{rate * 60:g} per minute"


def requester(name: str) -> str:
    """Who asked for it, where that is somebody else than whoever sits here."""
    return "you" if name == "local" else name


def filter_words(name: str, value: str) -> str:
    """A filter of the archive as it is shown while it is on."""
    return f"{name} {value[:8]}" if name == "runid" else _filter_word(name, value)
