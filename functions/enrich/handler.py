"""Loads the text, asks the extractor, stores the metadata, replies. Knows no rule and no model."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from functions.enrich.calls import StoredCalls
from functions.enrich.extractor import Effort, ExtractorFailed, Hints, MetadataExtractor, Vocabulary
from shared.documents import DocumentText, Notice
from shared.errors import FailureCode, InvalidEvent, ObjectNotFound, Unavailable
from shared.events import AnyData, DocumentEnriched, DocumentRecognized, Event
from shared.fingerprints import fingerprint
from shared.inputs import fetch_source
from shared.metadata import is_language_tag
from shared.results import Attempt, StepResult, Work, raise_failure
from shared.step import StepContext
from shared.storage.port import ObjectStore
from shared.vocabulary import VocabularySnapshot

LOCAL = "local"
VOCABULARY_PREFIX = "vocabulary/"
Notices = tuple[Notice, ...]
_BCP47 = {"eng": "en", "deu": "de", "fra": "fr", "spa": "es", "ita": "it", "nld": "nl", "por": "pt", "pol": "pl"}
"""A run's language may be given as OCR engines call it; several joined by + tell nothing about the document's own."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enricher:
    """Turns recognized text into metadata with evidence. `local` stands in where `extractor` fails or is not wanted."""

    store: ObjectStore
    extractor: MetadataExtractor
    local: MetadataExtractor | None = None

    def enrich(self, context: StepContext, data: AnyData) -> Event:
        """Answer `document.recognized` with `document.enriched`."""
        assert isinstance(data, DocumentRecognized)
        try:
            return self._by(self._wanted(data), context, data)
        except ExtractorFailed as failed:
            if self.local is None:
                raise Unavailable(str(failed)) from failed
            _log.error("the metadata are those of the built-in rules: %s", failed)
            return self._by(self.local, context, data, (_notice(failed),))

    def _wanted(self, data: DocumentRecognized) -> MetadataExtractor:
        """A run may ask for the built-in rules, so that a document is not sent to anybody."""
        return self.local if self.local and data.options.enrich_engine == LOCAL else self.extractor

    def _by(
        self, extractor: MetadataExtractor, context: StepContext, data: DocumentRecognized, notices: Notices = ()
    ) -> Event:
        """The reply by this extractor; the result is committed under its own name, so nothing stands for the other."""
        work = self._work(extractor, context, data)
        calls = StoredCalls(self.store, work.prefix, context.event.runid)
        effort = Effort(context.deadline, calls)
        result = raise_failure(work.once(lambda attempt: self._extract(extractor, work, attempt, data, effort)))
        told = DocumentEnriched(
            document_id=data.document_id,
            fingerprint=work.fingerprint,
            input_fingerprint=data.fingerprint,
            options=data.options,
            metadata=result.payloads["metadata"],
            **result.data,
        )
        return context.reply(told.model_copy(update={"warnings": (*told.warnings, *notices)}), part=_part(notices))

    def _work(self, extractor: MetadataExtractor, context: StepContext, data: DocumentRecognized) -> Work:
        mark = fingerprint(
            "enrich",
            context.version,
            inputs={"text": data.text.sha256},
            settings={
                "extractor": extractor.version(),
                "filename": data.filename,
                "language": data.options.language,
                "vocabulary": data.options.vocabulary,
            },
            forced_run=context.forced_run(data),
        )
        return context.work(data.document_id, mark, data.fingerprint or "")

    def _extract(
        self, extractor: MetadataExtractor, work: Work, attempt: Attempt, data: DocumentRecognized, effort: Effort
    ) -> StepResult:
        text = self._text(data)
        hints = Hints(
            filename=data.filename,
            language=_told(data.options.language),
            vocabulary=self._vocabulary(data.options.vocabulary),
            effort=effort,
        )
        extraction = extractor.extract(text, hints)
        body = extraction.metadata.model_dump_json().encode()
        metadata = attempt.store_bytes("metadata.json", body, "application/json")
        details = {
            "extractor": extraction.extractor,
            "model": extraction.model,
            "tokens": extraction.tokens,
            "cost": extraction.cost,
            "warnings": [notice.model_dump(mode="json") for notice in extraction.warnings],
        }
        return work.outcome(attempt, payloads={"metadata": metadata}, data=details)

    def _text(self, data: DocumentRecognized) -> DocumentText:
        # Verified: the fingerprint names these bytes, and metadata of others must not be committed under it.
        with tempfile.TemporaryDirectory(prefix="enrich-") as directory:
            path = Path(directory, "text.json")
            fetch_source(self.store, data.text, path, gone="The recognized text is gone.")
            return DocumentText.model_validate_json(path.read_bytes())

    def _vocabulary(self, key: str | None) -> Vocabulary:
        if key is None:
            return Vocabulary()
        if not key.startswith(VOCABULARY_PREFIX):
            raise InvalidEvent("the vocabulary is not under vocabulary/")
        try:
            snapshot = VocabularySnapshot.model_validate_json(self.store.get(key))
        except ObjectNotFound as error:
            # Without it the result would stand under a fingerprint that promises it.
            raise Unavailable("the vocabulary is not readable") from error
        return Vocabulary(snapshot.tags, snapshot.senders)


def _notice(failed: ExtractorFailed) -> Notice:
    """Somebody has to put it right and ask again, so the document waits for a decision, usable as it is."""
    told = f"{failed} The values are those of the built-in rules."
    return Notice(code=FailureCode.ENRICH_FAILED.value, message=told, needs_decision=True)


def _part(notices: Notices) -> str:
    """The rules' values as a stopgap are another event than the same values as the result that was wanted."""
    return "+".join(notice.code for notice in notices)


def _told(language: str | None) -> str | None:
    if language is None or "+" in language:
        return None
    tag = language.replace("_", "-")
    known = _BCP47.get(language, tag if len(tag) == 2 or "-" in tag else None)
    return known if known and is_language_tag(known) else None
