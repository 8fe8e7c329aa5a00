"""How things are called and written on pages: labels, dates, sizes, amounts. Pure.

Scripts then write dates and amounts as the reader's locale does; this wording stands where they do not run.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final

from shared.documents import Status, Step, StepState
from shared.errors import FailureCode
from shared.metadata import DocumentType, Money
from web.api.models import ComparedText, Comparison, DocumentDetail, DocumentSummary, Progress, StepView

TYPE_NAMES: Final[Mapping[str, str]] = {
    **{each.value: each.value.replace("_", " ").capitalize() for each in DocumentType},
    DocumentType.CV.value: "CV",
}

STATUS_NAMES: Final[Mapping[str, str]] = {
    Status.PROCESSING.value: "Processing",
    Status.READY.value: "Ready",
    Status.ATTENTION.value: "Needs you",
    Status.TRASHED.value: "Trashed",
}

STEP_NAMES: Final[Mapping[str, str]] = {
    Step.INGEST.value: "Received",
    Step.CONVERT.value: "Converted to PDF",
    Step.OCR.value: "Text recognized",
    Step.ENRICH.value: "Facts extracted",
    Step.RECORD.value: "Recorded",
    Step.INDEX.value: "Added to search",
}

STEP_WORK: Final[Mapping[str, str]] = {
    Step.INGEST.value: "Receiving",
    Step.CONVERT.value: "Converting",
    Step.OCR.value: "Recognizing text",
    Step.ENRICH.value: "Extracting facts",
    Step.RECORD.value: "Recording",
    Step.INDEX.value: "Adding to search",
}

STEP_WAITS: Final[Mapping[str, str]] = {
    Step.CONVERT.value: "Waiting to be converted",
    Step.OCR.value: "Waiting for text recognition",
    Step.ENRICH.value: "Waiting for the facts",
    Step.INDEX.value: "Waiting for search",
}

CHANNEL_NAMES: Final[Mapping[str, str]] = {
    "web": "Upload",
    "api": "API",
    "s3": "Bucket",
    "folder": "Watched folder",
    "cli": "Command line",
}

ENGINE_NAMES: Final[Mapping[str, str]] = {
    "tesseract": "Tesseract, on this server",
    "azure": "Azure Document Intelligence",
}

LANGUAGE_NAMES: Final[Mapping[str, str]] = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hu": "Hungarian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "la": "Latin",
    "nb": "Norwegian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "zh": "Chinese",
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CHF": "CHF "}
# What a person has to bring themselves: the document is not broken, it waits for an answer.
_WAITS_FOR_A_PERSON = {FailureCode.ENCRYPTED, FailureCode.OCR_LANGUAGE_MISSING}
SURE, LIKELY = 0.85, 0.6


def type_name(value: str | None) -> str:
    """`credit_note` as "Credit note"; one that this release does not know, readable all the same."""
    return TYPE_NAMES.get(value or "", (value or "").replace("_", " ").capitalize())


def language_name(value: str | None) -> str:
    """The English name of a BCP-47 language; the tag itself where it is not a common one."""
    primary = (value or "").split("-")[0].lower()
    return LANGUAGE_NAMES.get(primary, value or "")


def day(value: date | datetime | str | None) -> str:
    """A date as "23 Nov 2026"; text that is no date is given back as it is."""
    if isinstance(value, str):
        try:
            return day(date.fromisoformat(value))
        except ValueError:
            return value
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}" if value else ""


def moment(value: datetime | None) -> str:
    """A time as "23 Nov 2026, 14:05 UTC"."""
    return f"{day(value.astimezone(UTC))}, {value.astimezone(UTC):%H:%M} UTC" if value else ""


def size(size_bytes: int) -> str:
    """Bytes as "1.4 MB" (powers of ten, as file managers write them)."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def limit(size_bytes: int) -> str:
    """A limit as an operator would write it: "1 GiB", "500 MB"."""
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2)):
        if size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return size(size_bytes)


def money(value: Money | None) -> str:
    """An amount with its currency: "€1,240.50", or with the code where there is no common sign."""
    if value is None:
        return ""
    number = f"{Decimal(value.value):,}"
    sign = _SYMBOLS.get(value.currency or "", f"{value.currency} " if value.currency else "")
    return f"-{sign}{number[1:]}" if number.startswith("-") else f"{sign}{number}"


def duration(seconds: float) -> str:
    """A length of time: "0.4 s", "12 s", "3 min 5 s", "1 h 20 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 page", "12 pages"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def suffix(filename: str) -> str:
    """The kind of file as its name tells it, at most five letters: "pdf"; empty for names without one."""
    found = PurePosixPath(filename).suffix.lstrip(".")
    return found if len(found) <= 5 else ""


def work(progress: Progress | None) -> str:
    """What is being done right now: "Recognizing 3 of 12 pages", "Converting", "Waiting to be converted"."""
    if progress is None:
        return "Processing"
    if progress.step == Step.OCR and progress.total and progress.done is not None:
        return f"Recognizing {progress.done} of {count(progress.total, 'page')}"
    names = STEP_WAITS if progress.state is StepState.WAITING else STEP_WORK
    return names.get(progress.step, "Processing")


def is_failed(document: DocumentSummary) -> bool:
    """Whether nothing readable came of it (as opposed to a document that works and has an open question)."""
    waits = document.code in _WAITS_FOR_A_PERSON
    return document.status is Status.ATTENTION and document.links.pdf is None and not waits


def state(document: DocumentSummary) -> tuple[str, str] | None:
    """The pill's kind and words; none for a document that is simply ready."""
    match document.status:
        case Status.PROCESSING:
            return "processing", work(document.progress)
        case Status.ATTENTION:
            return ("failed", "Failed") if is_failed(document) else ("attention", "Needs you")
        case Status.TRASHED:
            return "trashed", "Trashed"
        case _:
            return ("attention", "New run to look at") if document.review else None


def grade(confidence: float) -> tuple[str, str]:
    """The dot's kind and what it means, for a machine's value."""
    if confidence >= SURE:
        return "sure", "Read with high confidence"
    if confidence >= LIKELY:
        return "likely", "Probably right; worth a look"
    return "unsure", "Uncertain; please check"


def step_sentence(step: StepView) -> str:
    """What a step did, does or will do."""
    if step.state is StepState.DONE:
        return STEP_NAMES.get(step.step, step.step)
    doing = STEP_WORK.get(step.step, step.step)
    if step.state is StepState.FAILED:
        return f"{doing}: failed"
    if step.state is StepState.WAITING:
        return STEP_WAITS.get(step.step, doing)
    return work(step.progress) if step.progress else doing


def step_work(step: str) -> str:
    """What a step does: "Recognizing text"."""
    return STEP_WORK.get(step, step)


def step_seconds(step: StepView) -> float | None:
    """How long the step took, in seconds; none while it has not ended."""
    return (step.finished - step.started).total_seconds() if step.started and step.finished else None


def replay_step(document: DocumentDetail) -> str:
    """Where "try again" starts: at the step that failed, else at the one that the code belongs to."""
    if document.failure and document.failure.step in (Step.CONVERT, Step.OCR, Step.ENRICH, Step.INDEX):
        return document.failure.step
    steps = {
        FailureCode.OCR_FAILED.value: Step.OCR,
        FailureCode.OCR_LANGUAGE_MISSING.value: Step.OCR,
        FailureCode.OCR_INCOMPLETE.value: Step.OCR,
        FailureCode.ENRICH_FAILED.value: Step.ENRICH,
        FailureCode.INDEX_FAILED.value: Step.INDEX,
    }
    return steps.get(document.code or "", Step.CONVERT).value


def change_sentence(found: Comparison) -> str:
    """What a new run would change: "3 facts and the text (+120 −4 words)"; of a locked fact nothing changes."""
    changed = sum(field.changed for field in found.fields)
    facts = count(changed, "fact") if changed else ""
    text = f"the text ({change})" if (change := text_change(found.text)) else ""
    return " and ".join(part for part in (facts, text) if part) or "nothing that is shown"


def text_change(text: ComparedText | None) -> str:
    """How many words are in one of two texts only: "+120 −4 words"; empty where none."""
    if text is None or not (text.words_added or text.words_removed):
        return ""
    numbers = (("+", text.words_added), ("−", text.words_removed))
    return " ".join(f"{sign}{number:,}" for sign, number in numbers if number) + " words"


def status_name(value: str) -> str:
    """The status as the filter calls it."""
    return STATUS_NAMES.get(value, value)


def milliseconds(value: float) -> str:
    """A short time: "0.3 ms", "12 ms", "1.2 s"."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{max(value, 0.1):.1f} ms"
