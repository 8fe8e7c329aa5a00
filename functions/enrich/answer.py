"""What a language model is asked for, and reading its answer. Nothing in an answer is believed yet: see checking.py."""

import json
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from shared.metadata import DocumentType

MAX_ANSWER_CHARACTERS = 64 * 1024
MAX_TEXT_CHARACTERS = 4_000
MAX_ITEMS = 50


class BadAnswer(ValueError):
    """The answer cannot be read; its text says why, in our own words."""


class _Part(BaseModel):
    """All fields are needed and nullable, and no keyword is used but those that every strict server knows.

    OpenAI, Structured Outputs, "Supported schemas": `additionalProperties: false`, all fields `required`.
    """

    model_config = ConfigDict(extra="forbid")


class Read(_Part):
    """A value that was read at one place."""

    value: str = Field(description="The value itself, without label.")
    quote: str = Field(description="The words of the document it was read from, copied exactly, on one page.")
    page: int = Field(description="The number of the page that the quote stands on.")
    confidence: FiniteFloat = Field(description="How sure you are, from 0 to 1.")


class ReadMoney(_Part):
    """An amount that was read at one place."""

    value: str = Field(description="The amount as a decimal string with a point, such as 1234.50.")
    currency: str | None = Field(description="ISO 4217 code such as EUR; null where the document names none.")
    quote: str = Field(description="The words of the document it was read from, copied exactly, with the currency.")
    page: int = Field(description="The number of the page that the quote stands on.")
    confidence: FiniteFloat = Field(description="How sure you are, from 0 to 1.")


class Told(_Part):
    """Something said about the document as a whole."""

    value: str
    confidence: FiniteFloat = Field(description="How sure you are, from 0 to 1.")


class ToldType(_Part):
    """What kind of document it is."""

    value: DocumentType
    confidence: FiniteFloat = Field(description="How sure you are, from 0 to 1.")


class Answer(_Part):
    """The whole answer; null is the answer where the document does not say."""

    title: Told | None = Field(description="What a person would call the document, in its own language and words.")
    document_type: ToldType | None = Field(description="The kind of document.")
    sender: Read | None = Field(description="Who wrote or issued it: the organisation, else the person.")
    recipient: Read | None = Field(description="To whom it is addressed.")
    document_date: Read | None = Field(description="The date it was issued, value as YYYY-MM-DD.")
    due_date: Read | None = Field(description="The date until which is to be paid or answered, value as YYYY-MM-DD.")
    language: Told | None = Field(description="The language it is written in, as a BCP-47 tag such as de or en-GB.")
    reference_number: Read | None = Field(description="Its own number: of the invoice, policy, case, customer.")
    total: ReadMoney | None = Field(description="The amount that is to be paid or was paid in the end.")
    amounts: list[ReadMoney] = Field(description="Up to ten other important amounts.")
    tags: list[Told] = Field(description="Up to five short subjects, known tags before new ones.")
    summary: Told | None = Field(description="One or two plain sentences in the document's language and words.")


def schema() -> dict[str, Any]:
    """The JSON schema of an answer, in the strict dialect."""
    full = Answer.model_json_schema()
    plain: dict[str, Any] = _without_titles(full)
    return plain


def parsed(content: str) -> Answer:
    """Read an answer. Fields that break the schema are null, unknown ones ignored. Raises BadAnswer if none is left."""
    if len(content) > MAX_ANSWER_CHARACTERS:
        raise BadAnswer("it is far too long")
    found = _object(content)
    given = {name: found[name] for name in Answer.model_fields if name in found}
    if not given:
        raise BadAnswer("it has none of the fields asked for")
    read = {name: value for name in given if (value := _field(name, given[name]))}
    if not read and any(given.values()):
        raise BadAnswer("no field has the form asked for")
    empty: dict[str, Any] = {name: [] if name in _LISTS else None for name in Answer.model_fields}
    return Answer.model_construct(**(empty | read))


_KINDS: dict[str, type[_Part]] = {
    **dict.fromkeys(("title", "language", "summary", "tags"), Told),
    **dict.fromkeys(("sender", "recipient", "document_date", "due_date", "reference_number"), Read),
    **dict.fromkeys(("total", "amounts"), ReadMoney),
    "document_type": ToldType,
}
_LISTS = frozenset({"amounts", "tags"})
_ASSUMED: dict[str, Any] = {"currency": None, "confidence": 0.5, "page": 0}
"""For servers that do not hold a model to the schema."""


def _field(name: str, value: object) -> _Part | list[_Part] | None:
    if name not in _LISTS:
        return _item(_KINDS[name], value)
    items = value[:MAX_ITEMS] if isinstance(value, list) else []
    return [item for each in items if (item := _item(_KINDS[name], each)) is not None]


def _item(kind: type[_Part], value: object) -> _Part | None:
    if not isinstance(value, dict):
        return None
    given = _ASSUMED | {key: content for key, content in value.items() if _is_bounded(content)}
    try:
        return kind.model_validate({key: given[key] for key in kind.model_fields if key in given})
    except ValidationError:
        return None


def _is_bounded(content: object) -> bool:
    return not isinstance(content, str) or len(content) <= MAX_TEXT_CHARACTERS


def _object(content: str) -> dict[str, Any]:
    """The one JSON object in the answer, which models without a JSON mode like to wrap into words or a fence."""
    start, end = content.find("{"), content.rfind("}")
    if start < 0 or end < start:
        raise BadAnswer("it is not a JSON object")
    try:
        found = json.loads(content[start : end + 1], parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("it is not valid JSON") from error
    if not isinstance(found, dict):
        raise BadAnswer("it is not a JSON object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _without_titles(part: Any) -> Any:
    """pydantic names every field a second time, and describes classes in words meant for us."""
    if isinstance(part, list):
        return [_without_titles(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    if kept.get("type") == "object" or "enum" in kept:
        kept.pop("description", None)
    return {key: _without_titles(value) for key, value in kept.items()}
