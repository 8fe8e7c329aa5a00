"""Another file in the place of a document's: a new document that takes over what the person had set.

The old original is never touched: its document goes to the trash, in the transaction that registers the new one.
"""

import hashlib
import uuid
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.database.documents import Arrival
from shared.database.engine import reading
from shared.database.tables import Document
from shared.documents import ObjectReference
from shared.events import RunOptions
from shared.metadata import Metadata
from web.api.models import UploadedDocument
from web.errors import NotFound
from web.uploads import Outcome, ReceivedFile, Upload, UploadOptions, register_arrival
from web.writes import owned, put_into_trash, require_not_trashed


@dataclass
class Replacement(Upload):
    """The upload of the one file that is to stand in for the document `replaces`.

    A file that equals a document of the owner replaces nothing and is answered like any other duplicate.
    """

    replaces: str = ""

    def register_all(self, options: UploadOptions, idempotency_key: str | None) -> Outcome:
        """Store the file and let it take the document's place. Raises NotFound, Conflict (trashed)."""
        # Of the form only the file counts: all else is taken over.
        return super().register_all(UploadOptions(), idempotency_key)

    def register_file(self, session: Session, file: ReceivedFile, options: UploadOptions) -> UploadedDocument:
        """Make the new document and put the old one into the trash, in the transaction of the request."""
        old = owned(session, self.owner, self.replaces)
        if file.reference is None:
            return super().register_file(session, file, options)
        require_not_trashed(old)
        made = register_arrival(session, file, self._arrival(file, file.reference, old))
        if made.duplicate_of is None:
            old.replaced_by = made.id
            put_into_trash(session, old)
        return made

    def _arrival(self, file: ReceivedFile, original: ObjectReference, old: Document) -> Arrival:
        return Arrival(
            document_id=file.document_id,
            runid=str(uuid.uuid4()),
            original=original,
            filename=file.filename,
            channel=self.channel,
            owner=self.owner,
            options=RunOptions(language=old.options.get("language")),
            user_metadata=Metadata.model_validate(old.user_metadata),
            locked=frozenset(old.locked),
        )


def replacement_key(document_id: str, idempotency_key: str | None) -> str | None:
    """The key as it is kept: a plain upload under the same one is another request."""
    if idempotency_key is None:
        return None
    return "replace-" + hashlib.sha256(f"{document_id}\n{idempotency_key}".encode()).hexdigest()


def require_known(engine: Engine, owner: str, document_id: str) -> None:
    """Raise NotFound before anything is received for a document that is not there."""
    with reading(engine) as session:
        document = session.get(Document, document_id)
        if document is None or document.owner != owner:
            raise NotFound("There is no such document.")
