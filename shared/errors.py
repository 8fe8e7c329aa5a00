"""The errors that a step, a port or a route can raise, and what each one means to a person.

The classes say how the shell answers the broker; the codes say what a person reads. Vendor errors are translated into
these where the vendor is called, always chained.
"""

from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """Why a document needs attention (contract: `document.failed.code`)."""

    ENCRYPTED = "encrypted"
    RIGHTS_PROTECTED = "rights_protected"
    CORRUPT = "corrupt"
    EMPTY = "empty"
    UNSUPPORTED_TYPE = "unsupported_type"
    TYPE_MISMATCH = "type_mismatch"
    TOO_LARGE = "too_large"
    TOO_MANY_PAGES = "too_many_pages"
    DECOMPRESSION_BOMB = "decompression_bomb"
    CONVERSION_FAILED = "conversion_failed"
    CONVERSION_TIMEOUT = "conversion_timeout"
    CONVERTER_UNAVAILABLE = "converter_unavailable"
    OCR_FAILED = "ocr_failed"
    OCR_LANGUAGE_MISSING = "ocr_language_missing"
    OCR_INCOMPLETE = "ocr_incomplete"
    ENRICH_FAILED = "enrich_failed"
    INDEX_FAILED = "index_failed"
    SOURCE_GONE = "source_gone"
    RETRIES_EXHAUSTED = "retries_exhausted"
    INTERNAL = "internal"


class Action(StrEnum):
    """What a person can do about a failure; the web app shows them as buttons, the first one as the best."""

    UNLOCK = "unlock"
    RETRY = "retry"
    REPLACE = "replace"
    DOWNLOAD = "download"
    OTHER_LANGUAGE = "other_language"
    ACCEPT = "accept"


@dataclass(frozen=True)
class Explanation:
    """One sentence on what happened, one on what to do next, and the actions that make sense."""

    message: str
    hint: str
    actions: tuple[Action, ...]
    retryable: bool = False


EXPLANATIONS: dict[FailureCode, Explanation] = {
    FailureCode.ENCRYPTED: Explanation(
        "The file is protected with a password.",
        "Enter the password to open it; the original stays as it is.",
        (Action.UNLOCK, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.RIGHTS_PROTECTED: Explanation(
        "The file is locked by a rights-management service and can only be opened in its own application.",
        "Open it there, save an unprotected copy, and upload that copy.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.CORRUPT: Explanation(
        "The file is damaged and could not be read.",
        "Check whether it opens on your computer; scan or export it again and upload the new file.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD, Action.RETRY),
    ),
    FailureCode.EMPTY: Explanation(
        "The file is empty.",
        "Upload the file again; the transfer or the export may have gone wrong.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.UNSUPPORTED_TYPE: Explanation(
        "This kind of file cannot be turned into a PDF.",
        "Export it as PDF in the application it comes from and upload that.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.TYPE_MISMATCH: Explanation(
        "The content of the file is not what its name says.",
        "Check where it comes from; rename it to its true type and upload it again.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.TOO_LARGE: Explanation(
        "The file is larger than the limit set for this server.",
        "Split it into smaller files, or ask the operator to raise the limit.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.TOO_MANY_PAGES: Explanation(
        "The document has more pages than the limit set for this server.",
        "Split it into smaller documents, or ask the operator to raise the limit.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.DECOMPRESSION_BOMB: Explanation(
        "The file unpacks to far more data than its size allows for.",
        "Export it again at a normal size, for example with fewer pixels per page.",
        (Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.CONVERSION_FAILED: Explanation(
        "The file could not be converted to PDF.",
        "Try again; if it fails again, export it as PDF yourself and upload that.",
        (Action.RETRY, Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.CONVERSION_TIMEOUT: Explanation(
        "Converting the file took longer than the limit set for this server.",
        "Try again when the server is less busy, or export the file as PDF yourself.",
        (Action.RETRY, Action.REPLACE, Action.ACCEPT, Action.DOWNLOAD),
        retryable=True,
    ),
    FailureCode.CONVERTER_UNAVAILABLE: Explanation(
        "The converter for this kind of file is not available at the moment.",
        "It is tried again by itself; an operator can see on the status page what is missing.",
        (Action.RETRY, Action.ACCEPT, Action.DOWNLOAD),
        retryable=True,
    ),
    FailureCode.OCR_FAILED: Explanation(
        "The text of the scanned pages could not be recognized.",
        "The document can be read and downloaded; try again, or with another language.",
        (Action.RETRY, Action.OTHER_LANGUAGE, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.OCR_LANGUAGE_MISSING: Explanation(
        "Text recognition for the chosen language is not installed on this server.",
        "Choose another language, or ask the operator to install it.",
        (Action.OTHER_LANGUAGE, Action.RETRY, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.OCR_INCOMPLETE: Explanation(
        "The text of some pages could not be recognized.",
        "The other pages can be searched; try again, or accept the document as it is.",
        (Action.RETRY, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.ENRICH_FAILED: Explanation(
        "Title, sender, dates and amounts could not be read from the text.",
        "The document can be found by its text; try again, or fill in the fields yourself.",
        (Action.RETRY, Action.ACCEPT, Action.DOWNLOAD),
    ),
    FailureCode.INDEX_FAILED: Explanation(
        "The document could not be added to the search.",
        "It is tried again by itself; the document can be opened from the list.",
        (Action.RETRY, Action.DOWNLOAD),
        retryable=True,
    ),
    FailureCode.SOURCE_GONE: Explanation(
        "The file was no longer there when it was to be read.",
        "Upload it again.",
        (Action.REPLACE,),
    ),
    FailureCode.RETRIES_EXHAUSTED: Explanation(
        "A step failed several times in a row and was given up.",
        "The original is safe; try again when the cause has passed.",
        (Action.RETRY, Action.ACCEPT, Action.DOWNLOAD),
        retryable=True,
    ),
    FailureCode.INTERNAL: Explanation(
        "Something went wrong inside DocuElevate.",
        "The original is safe; try again, and tell the operator if it happens again.",
        (Action.RETRY, Action.ACCEPT, Action.DOWNLOAD),
    ),
}


class DocuElevateError(Exception):
    """Base of every error of ours; its text is fit to be shown to a person."""


class StepFailed(DocuElevateError):
    """The document can not pass this step; the shell replies `document.failed`.

    `determined` says that the outcome follows from the inputs alone, so that it may be committed as the step's result
    (rules: a time-out, a converter that is down or a missing source are not determined).
    """

    def __init__(self, code: FailureCode, message: str | None = None, *, determined: bool = True) -> None:
        explanation = EXPLANATIONS[code]
        super().__init__(message or explanation.message)
        self.code = code
        self.message = message or explanation.message
        self.hint = explanation.hint
        self.retryable = explanation.retryable
        self.determined = determined


class GivenUp(StepFailed):
    """A unit of work lost so many workers that it is taken to be what stops them; only a forced run tries again."""

    def __init__(self) -> None:
        super().__init__(FailureCode.INTERNAL, "The file stopped the worker five times.", determined=False)


class Unavailable(DocuElevateError):
    """A dependency is down or slow; the same request may pass later (answer 503)."""


class Throttled(DocuElevateError):
    """A dependency asks for fewer requests (answer 429). `retry_after_seconds` is its own wish, if it named one."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class LeaseHeld(DocuElevateError):
    """Somebody else is doing this unit of work right now (answer 409; the broker asks again later)."""


class DocumentGone(DocuElevateError):
    """The document was purged; nothing is to be done for it any more (answer 202)."""


class NotACloudEvent(DocuElevateError):
    """The request is not a CloudEvent 1.0 (answer 400)."""


class InvalidEvent(DocuElevateError):
    """The event is a CloudEvent, but its data break the contract (answer 422)."""


class InvalidKey(InvalidEvent):
    """The key is none that an object of ours can have, whoever named it (answer 422)."""


class EventTooLarge(DocuElevateError):
    """The request body is larger than any event of ours (answer 413)."""


class ObjectNotFound(DocuElevateError):
    """No object under this key."""


class ObjectExists(DocuElevateError):
    """A create-only write met an existing object."""


class ObjectChanged(DocuElevateError):
    """The object is no longer the version that was named (etag or version differ)."""
