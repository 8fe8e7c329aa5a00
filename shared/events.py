"""The events of the pipeline: declared types, their data, and their form on the wire (CloudEvents 1.0, JSON over HTTP).

Knows nothing of brokers, steps or storage. Attribute values are ASCII; keys go into `subject` percent-encoded.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from cloudevents import exceptions as cloudevents_exceptions
from cloudevents.conversion import to_structured
from cloudevents.http import CloudEvent, from_http
from pydantic import AwareDatetime, Field, ValidationError

from shared.documents import Frozen, Notice, ObjectReference
from shared.errors import InvalidEvent, NotACloudEvent
from shared.tracing.spans import current_traceparent, span

TYPE_PREFIX = "org.docuelevate."
MAX_EVENT_BYTES = 64 * 1024
"""CloudEvents guarantees transport up to 64 KiB; ours stay below (contract §1)."""

LANGUAGE_PATTERN = r"^[A-Za-z]{2,8}([-_+][A-Za-z0-9]{1,8})*$"
"""What a document may be said to be written in: de, en-GB, or as OCR engines put it, deu+eng."""

_NAMESPACE = uuid.UUID("6f1d7c66-6a55-5b39-9a9e-0d0a6a4a8f21")


class RunOptions(Frozen):
    """What a run was asked to do; kept with the document, carried by each of its events, overlaid by a replay.

    `language` is BCP-47 or a Tesseract code; `vocabulary` the key of a snapshot object; `force` the step that works
    again although its result is there.
    """

    language: str | None = None
    ocr_engine: str | None = None
    enrich_engine: str | None = None
    vocabulary: str | None = None
    unlocked: ObjectReference | None = None
    force: str | None = None


class EventData(Frozen):
    """What every event of a document carries."""

    type: ClassVar[str]
    document_id: str
    fingerprint: str | None = None
    input_fingerprint: str | None = None
    """The fingerprint (or, for convert, the sha256) of what this result was made from."""
    options: RunOptions = RunOptions()


class ObjectCreated(Frozen):
    """An object has appeared under `incoming/`."""

    type: ClassVar[str] = "org.docuelevate.object.created.v1"
    bucket: str
    key: str
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None


class DocumentReceived(EventData):
    """The original is stored and the document registered: the start of a run at convert."""

    type: ClassVar[str] = "org.docuelevate.document.received.v1"
    original: ObjectReference
    unlocked: ObjectReference | None = None
    filename: str
    media_type: str
    size: int
    sha256: str
    channel: str


class DocumentConverted(EventData):
    """There is a PDF of the document."""

    type: ClassVar[str] = "org.docuelevate.document.converted.v1"
    pdf: ObjectReference
    pages: int
    converter: str
    filename: str = ""
    warnings: tuple[Notice, ...] = ()


class PageRange(Frozen):
    """Page numbers from 1, both ends included."""

    first: int = Field(ge=1)
    last: int = Field(ge=1)


class PagesRequested(EventData):
    """One batch of a large scan is to be recognized."""

    type: ClassVar[str] = "org.docuelevate.pages.requested.v1"
    pdf: ObjectReference
    batch: PageRange
    batches: int
    filename: str = ""


class PagesRecognized(EventData):
    """One batch is done, others are not yet."""

    type: ClassVar[str] = "org.docuelevate.pages.recognized.v1"
    batch: PageRange
    batches_done: int
    batches: int


class DocumentRecognized(EventData):
    """The text is known and the searchable PDF is there."""

    type: ClassVar[str] = "org.docuelevate.document.recognized.v1"
    text: ObjectReference
    searchable_pdf: ObjectReference
    pages: int
    ocr_pages: int
    languages: tuple[str, ...] = ()
    engine: str = ""
    mean_confidence: float | None = None
    filename: str = ""
    warnings: tuple[Notice, ...] = ()


class DocumentEnriched(EventData):
    """The metadata are extracted. `input_fingerprint` names the text they were made from."""

    type: ClassVar[str] = "org.docuelevate.document.enriched.v1"
    metadata: ObjectReference
    extractor: str
    model: str | None = None
    tokens: int = 0
    cost: str = "0"
    warnings: tuple[Notice, ...] = ()


class DocumentUpdated(EventData):
    """The document's content changed; a wake-up for index, which reads the current state."""

    type: ClassVar[str] = "org.docuelevate.document.updated.v1"
    version: int


class DocumentIndexed(EventData):
    """The search entry stands at this version of the document, in this generation of the index."""

    type: ClassVar[str] = "org.docuelevate.document.indexed.v1"
    version: int
    engine: str
    generation: str


class DocumentDeleted(EventData):
    """A person put the document into the trash."""

    type: ClassVar[str] = "org.docuelevate.document.deleted.v1"
    version: int


class DocumentRestored(EventData):
    """A person took the document out of the trash."""

    type: ClassVar[str] = "org.docuelevate.document.restored.v1"
    version: int


class DocumentPurged(EventData):
    """The document is gone for good."""

    type: ClassVar[str] = "org.docuelevate.document.purged.v1"
    version: int


class DocumentFailed(EventData):
    """A step that will not pass for this document."""

    type: ClassVar[str] = "org.docuelevate.document.failed.v1"
    step: str
    code: str
    message: str
    hint: str
    retryable: bool


AnyData = ObjectCreated | EventData
DataModel = type[ObjectCreated] | type[EventData]

DATA_MODELS: dict[str, DataModel] = {
    model.type: model
    for model in (
        ObjectCreated,
        DocumentReceived,
        DocumentConverted,
        PagesRequested,
        PagesRecognized,
        DocumentRecognized,
        DocumentEnriched,
        DocumentUpdated,
        DocumentIndexed,
        DocumentDeleted,
        DocumentRestored,
        DocumentPurged,
        DocumentFailed,
    )
}
"""Every declared event type. Filters of triggers may name these only."""

EXTENSIONS = ("runid", "traceparent", "causationid", "replayof", "replayrun", "recordedtime")


class Event(Frozen):
    """One CloudEvent. `payload` is the JSON data as received; `data()` gives it as its declared model."""

    id: str
    source: str
    type: str
    subject: str
    time: AwareDatetime
    payload: dict[str, Any]
    runid: str | None = None
    traceparent: str | None = None
    causationid: str | None = None
    replayof: str | None = None
    replayrun: str | None = None
    recordedtime: str | None = None

    @property
    def model(self) -> DataModel | None:
        """The declared data model of this type; None for a type this release does not know."""
        return DATA_MODELS.get(self.type)

    @property
    def about(self) -> dict[str, str | None]:
        """What log lines and traces tell of it: no name of a file, as the subject of `object.created` is one."""
        document = None if self.type == ObjectCreated.type else self.subject
        return {"document": document, "run": self.runid, "event": self.id, "type": self.type}

    def data(self) -> AnyData:
        """The data as their declared model. Raises InvalidEvent where they break it or the type is unknown."""
        if self.model is None:
            raise InvalidEvent(f"unknown event type {self.type}")
        try:
            return self.model.model_validate(self.payload)
        except ValidationError as error:
            raise InvalidEvent(_first_problem(error)) from error

    def to_json(self) -> str:
        """The structured JSON form, fit for an archive: no transport attributes, stable order."""
        return json.dumps(self.attributes() | {"data": self.payload}, sort_keys=True, ensure_ascii=False)

    def attributes(self) -> dict[str, str]:
        """The context attributes, unset ones left out."""
        extensions = {name: value for name in EXTENSIONS if (value := getattr(self, name)) is not None}
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            **extensions,
        }

    def to_http(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of the structured content mode."""
        return to_structured(CloudEvent(self.attributes(), self.payload))


def new_event(
    data: AnyData,
    *,
    source: str,
    subject: str | None = None,
    runid: str | None = None,
    event_id: str | None = None,
    cause: Event | None = None,
    replayof: str | None = None,
    replayrun: str | None = None,
    time: datetime | None = None,
) -> Event:
    """An event about `data`. A result passes its derived `event_id`; the first event of a chain gets a random UUID."""
    return Event(
        id=event_id or str(uuid.uuid4()),
        source=source,
        type=data.type,
        subject=subject if subject is not None else _subject(data),
        time=time or datetime.now(UTC),
        payload=data.model_dump(mode="json"),
        runid=runid or (cause.runid if cause else None),
        causationid=cause.id if cause else None,
        traceparent=current_traceparent() or (cause.traceparent if cause else None),
        replayof=replayof,
        replayrun=replayrun or (cause.replayrun if cause else None),
    )


def result_id(document_id: str, runid: str | None, event_type: str, fingerprint: str, part: str = "") -> str:
    """The derived id of a result event: two attempts, two pods, two finishers say the same thing (rules 4)."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join((document_id, runid or "", event_type, fingerprint, part))))


def version_id(document_id: str, event_type: str, version: int, generation: str = "") -> str:
    """The derived id of `document.updated` and `document.indexed` (rules 4)."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join((document_id, event_type, str(version), generation))))


def announcement_id(identity: str) -> str:
    """The derived id of the web's `object.created`: the same for every notification of one version of an object."""
    return str(uuid.uuid5(_NAMESPACE, f"{ObjectCreated.type}\n{identity}"))


def short_type(event_type: str) -> str:
    """The type without our prefix and version, as people say it: `document.received`."""
    return event_type.removeprefix(TYPE_PREFIX).removesuffix(".v1")


def decode(headers: Mapping[str, str], body: bytes) -> Event:
    """Read a CloudEvent in either content mode. Raises NotACloudEvent, or InvalidEvent for data that are no object."""
    attributes, data = decode_attributes(headers, body)
    return event_of(attributes, _object(data))


def decode_attributes(headers: Mapping[str, str], body: bytes) -> tuple[dict[str, Any], Any]:
    """All attributes and the data, whatever these are, for whoever keeps an event whole. Raises NotACloudEvent."""
    if headers.get("content-type", "").startswith("application/cloudevents-batch"):
        raise NotACloudEvent("batches are not accepted")
    try:
        cloud_event = from_http(dict(headers), body)
    except (
        cloudevents_exceptions.GenericException,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise NotACloudEvent("the request is not a CloudEvent 1.0") from error
    attributes = dict(cloud_event.get_attributes())
    if attributes.get("specversion") != "1.0":
        raise NotACloudEvent("only CloudEvents 1.0 are accepted")
    return attributes, cloud_event.data


def from_json(text: str) -> Event:
    """Read the archived form."""
    attributes = json.loads(text)
    return event_of(attributes, _object(attributes.pop("data", {})))


def event_of(attributes: Mapping[str, Any], data: dict[str, Any]) -> Event:
    """The event with these attributes; extensions that are not ours are left out."""
    known = {name: attributes.get(name) for name in ("id", "source", "type", *EXTENSIONS)}
    try:
        return Event(
            **{name: value for name, value in known.items() if value},
            subject=attributes.get("subject") or "",
            time=attributes.get("time") or datetime.now(UTC),
            payload=data,
        )
    except ValidationError as error:
        raise NotACloudEvent(_first_problem(error)) from error


def for_resending(event: Event) -> Event:
    """The event as it may be emitted again: same identity, without what belonged to its first transport.

    What comes of it is a trace of its own that refers to the first.
    """
    name = f"resend {short_type(event.type)}"
    with span(name, link=event.traceparent, apart=True, attributes=event.about) as current:
        return event.model_copy(update={"traceparent": current.traceparent})


def _object(data: Any) -> dict[str, Any]:
    if isinstance(data, (bytes, str)):
        data = _json(data)
    if not isinstance(data, dict):
        raise InvalidEvent("the data of the event are not a JSON object")
    return data


def _json(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("the data of the event are not JSON") from error


def _subject(data: AnyData) -> str:
    if isinstance(data, EventData):
        return data.document_id
    raise ValueError("an event without a document needs its subject named")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"[:200]
