"""An upload: files go into the object store while they arrive, then all of them become documents in one transaction.

The original is stored before the row that names it (architecture §2.7); whatever fails before that leaves nothing. All
of this is plain blocking code for one thread at a time; `web.api.upload` brings the bytes.
"""

import logging
import re
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.database.documents import Arrival, holder_of, register
from shared.database.engine import reading, writing
from shared.database.tables import Document, IdempotencyKey
from shared.documents import ObjectReference, Status, new_document_id
from shared.errors import EXPLANATIONS, DocuElevateError, FailureCode, Unavailable
from shared.events import LANGUAGE_PATTERN, RunOptions
from shared.originals import Provenance
from shared.storage import keys
from shared.storage.port import ObjectStore, ObjectWriter
from web.api.models import UploadAnswer, UploadedDocument
from web.errors import Conflict, InvalidParameter, RequestError, TooLarge
from web.filenames import sane_name
from web.idempotency import require_same_files
from web.views import shown_status

SOURCE = "/docuelevate/web"
MOST_OPEN_WRITERS = 8
"""Beyond this the oldest file is committed at once: an open writer may hold some megabytes."""

KEEP_ANSWERS = timedelta(days=2)
MAX_TITLE_CHARACTERS = 1000
MAX_TAGS, MAX_TAG_CHARACTERS = 100, 200
MAX_LANGUAGE_CHARACTERS = 100
"""Every event of the run carries the language, and events stay small."""

_UNKNOWN_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,99}")
_LANGUAGE = re.compile(LANGUAGE_PATTERN)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UploadOptions:
    """What the form says besides the files."""

    title: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    force: bool = False


def upload_options(fields: dict[str, list[str]]) -> UploadOptions:
    """Read the form's fields; those that are none of ours are ignored. Raises InvalidParameter."""
    if "file" in fields:
        raise InvalidParameter("The field `file` is not a file: it needs a file name.", code="missing_file")
    title = " ".join(_last(fields, "title").split())
    language = _last(fields, "language").strip()
    force = _last(fields, "force").strip().lower()
    given = ",".join(fields.get("tags", ())).replace("\0", "")
    tags = [tag for part in given.split(",") if (tag := " ".join(part.split()))]
    if len(title) > MAX_TITLE_CHARACTERS:
        raise InvalidParameter(f"The title is longer than {MAX_TITLE_CHARACTERS} characters.")
    if len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARACTERS for tag in tags):
        raise InvalidParameter(f"At most {MAX_TAGS} tags of {MAX_TAG_CHARACTERS} characters each.")
    if language and (len(language) > MAX_LANGUAGE_CHARACTERS or not _LANGUAGE.fullmatch(language)):
        raise InvalidParameter("The language must be a code such as de, en-GB or deu+eng.")
    if force not in ("", "true", "1", "yes", "on", "false", "0", "no", "off"):
        raise InvalidParameter("force must be true or false.")
    forced = force in ("true", "1", "yes", "on")
    return UploadOptions(title or None, tuple(dict.fromkeys(tags)), language or None, forced)


@dataclass(eq=False)
class ReceivedFile:
    """A file of the form. `reference` is set once it is stored under its key."""

    document_id: str
    filename: str
    media_type: str
    writer: ObjectWriter
    closing: ExitStack
    size: int = 0
    reference: ObjectReference | None = None
    duplicate_of: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return self.reference.sha256 if self.reference else self.writer.sha256()


@dataclass(frozen=True)
class Outcome:
    """The answer to an upload; `replayed` where an earlier request with the same key got it."""

    status_code: int
    answer: UploadAnswer
    replayed: bool = False


@dataclass
class Upload:
    """One upload request: a FileReceiver, then `register_all`, at last `close`."""

    engine: Engine
    store: ObjectStore
    owner: str
    channel: str
    max_size: int
    max_files: int
    files: list[ReceivedFile] = field(default_factory=list)
    _registered: set[str] = field(default_factory=set, init=False)
    _undecided: bool = field(default=False, init=False)

    def close(self) -> None:
        """Remove what did not become a document. What may have become one, as far as this process knows, stays."""
        for file in self.files:
            file.closing.close()
            if file.reference is not None and not self._undecided and file.document_id not in self._registered:
                self._discard(file.reference.key)

    def begin(self, field: str, filename: str, media_type: str) -> None:
        """Open a writer for the next file."""
        if field != "file":
            raise InvalidParameter("Send files in the field `file`.", code="unknown_field")
        if len(self.files) >= self.max_files:
            raise TooLarge(f"At most {self.max_files} files in one upload.")
        unfinished = [file for file in self.files if file.reference is None]
        if len(unfinished) >= MOST_OPEN_WRITERS:
            self._commit(unfinished[0], UploadOptions())
        document_id = new_document_id()
        closing = ExitStack()
        writer = closing.enter_context(self.store.writer(keys.original(document_id), create_only=True))
        kind = media_type.partition(";")[0].strip().lower()
        kind = kind if _MEDIA_TYPE.fullmatch(kind) else _UNKNOWN_TYPE
        self.files.append(ReceivedFile(document_id, sane_name(filename), kind, writer, closing))

    def write(self, piece: memoryview) -> None:
        """Add to the file, counting."""
        file = self.files[-1]
        file.size += len(piece)
        if file.size > self.max_size:
            raise TooLarge(f"{file.filename} is larger than the limit of {self.max_size} bytes.")
        file.writer.write(bytes(piece))

    def end(self) -> None:
        """The file is complete. Raises InvalidParameter where it is empty."""
        if self.files[-1].size == 0:
            explanation = EXPLANATIONS[FailureCode.EMPTY]
            raise InvalidParameter(f"{self.files[-1].filename}: {explanation.message} {explanation.hint}", code="empty")

    def register_all(self, options: UploadOptions, idempotency_key: str | None) -> Outcome:
        """Store what is not stored yet and make the documents. Raises InvalidParameter without a file."""
        if not self.files:
            raise InvalidParameter("The form has no file: send at least one in the field `file`.", code="missing_file")
        if not options.force:
            self._find_duplicates()
        for file in self.files:
            if file.duplicate_of is None and file.reference is None:
                self._commit(file, options)
        # A transaction that fails may have been committed all the same; sweep adopts what has no row.
        self._undecided = True
        try:
            outcome = self._register_files(options, idempotency_key)
        except RequestError:
            # Our own refusal: that transaction was not even tried to commit.
            self._undecided = False
            raise
        self._undecided = False
        return outcome

    def _register_files(self, options: UploadOptions, idempotency_key: str | None) -> Outcome:
        with writing(self.engine) as session:
            earlier = _claim_key(session, self.owner, idempotency_key)
            if earlier is not None:
                require_same_files(earlier.answer, [file.sha256 for file in self.files])
                return earlier
            documents = [self.register_file(session, file, options) for file in self.files]
            created = {document.id for document in documents if document.duplicate_of is None}
            outcome = Outcome(202 if created else 200, UploadAnswer(documents=tuple(documents)))
            _keep_answer(session, self.owner, idempotency_key, outcome)
        self._registered = created
        for document in documents:
            what = "an equal document is there already" if document.duplicate_of else "received"
            _log.info("%s", what, extra={"fields": {"document": document.id}})
        return outcome

    def _find_duplicates(self) -> None:
        with reading(self.engine) as session:
            for file in self.files:
                holder = holder_of(session, self.owner, file.sha256)
                file.duplicate_of = holder.id if holder else None
        seen: dict[str, ReceivedFile] = {}
        for file in self.files:
            first = seen.setdefault(file.sha256, file)
            if first is not file and file.duplicate_of is None:
                file.duplicate_of = first.document_id

    def _commit(self, file: ReceivedFile, options: UploadOptions) -> None:
        about = self._provenance(file, options).to_metadata()
        file.reference = file.writer.commit(media_type=file.media_type, metadata=about)
        # Stores were seen to say 200 and lose the object: nobody is told that it is safe before it was looked for.
        kept = self.store.head(file.reference.key)
        if kept is None or kept.size != file.reference.size:
            raise Unavailable("the object store does not have what was written to it")

    def _provenance(self, file: ReceivedFile, options: UploadOptions) -> Provenance:
        return Provenance(
            filename=file.filename,
            owner=self.owner,
            channel=self.channel,
            options=RunOptions(language=options.language),
            title=options.title,
            tags=options.tags,
            force=options.force,
        )

    def register_file(self, session: Session, file: ReceivedFile, options: UploadOptions) -> UploadedDocument:
        """Make the document of one file, in the transaction of the whole request."""
        if file.reference is None:
            return _duplicate(file, holder_of(session, self.owner, file.sha256))
        provenance = self._provenance(file, options)
        arrival = Arrival(
            document_id=file.document_id,
            runid=str(uuid.uuid4()),
            original=file.reference,
            filename=file.filename,
            channel=self.channel,
            owner=self.owner,
            options=provenance.options,
            user_metadata=provenance.user_metadata,
            locked=provenance.locked,
        )
        return register_arrival(session, file, arrival, force=options.force)

    def _discard(self, key: str) -> None:
        try:
            self.store.delete(key)
        except DocuElevateError as error:
            # Sweep adopts it as a document: better one too many than one lost.
            _log.warning("the object %s of an upload that came to nothing could not be removed: %s", key, error)


def earlier_answer(engine: Engine, owner: str, idempotency_key: str) -> Outcome | None:
    """What an earlier request with this key was answered."""
    with reading(engine) as session:
        return _kept(session.get(IdempotencyKey, (owner, idempotency_key)))


def register_arrival(
    session: Session, file: ReceivedFile, arrival: Arrival, *, force: bool = False
) -> UploadedDocument:
    """Make a document of a stored file, or name the one that it equals."""
    registration = register(session, arrival, source=SOURCE, force=force)
    if registration.duplicate_of is not None:
        return _duplicate(file, registration.duplicate_of)
    here = f"/api/documents/{file.document_id}"
    return UploadedDocument(
        id=file.document_id,
        status=Status.PROCESSING,
        filename=file.filename,
        sha256=file.sha256,
        links={"self": here, "page": f"/documents/{file.document_id}"},
    )


def _duplicate(file: ReceivedFile, holder: Document | None) -> UploadedDocument:
    if holder is None:
        raise Conflict("The document that this file equals was removed just now; send the file again.")
    here, trashed = f"/api/documents/{holder.id}", holder.trashed_at is not None
    message = "You already have this document"
    return UploadedDocument(
        id=holder.id,
        status=shown_status(holder),
        filename=file.filename,
        sha256=file.sha256,
        duplicate_of=holder.id,
        trashed=trashed,
        message=f"{message}; it is in the trash and can be restored." if trashed else f"{message}.",
        links={"self": here, "page": f"/documents/{holder.id}"} | ({"restore": f"{here}/restore"} if trashed else {}),
    )


def _claim_key(session: Session, owner: str, key: str | None) -> Outcome | None:
    """Take the key for this request, or give the answer of the one that has it."""
    if key is None:
        return None
    now = datetime.now(UTC)
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEEP_ANSWERS))
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"owner": owner, "key": key, "status_code": 0, "answer": {}, "created_at": now}
    taken = session.execute(
        insert(IdempotencyKey).values(values).on_conflict_do_nothing().returning(IdempotencyKey.key)
    ).one_or_none()
    return None if taken else _kept(session.get(IdempotencyKey, (owner, key)))


def _keep_answer(session: Session, owner: str, key: str | None, outcome: Outcome) -> None:
    if key is not None:
        row = session.get_one(IdempotencyKey, (owner, key))
        row.status_code, row.answer = outcome.status_code, outcome.answer.model_dump(mode="json")


def _kept(row: IdempotencyKey | None) -> Outcome | None:
    return Outcome(row.status_code, UploadAnswer.model_validate(row.answer), replayed=True) if row else None


def _last(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name) or [""]
    return values[-1].replace("\0", "")
