"""The model's values and the rules' together: where two readers agree there is little doubt, else evidence decides."""

from typing import Any

from functions.enrich import filename
from functions.enrich.evidence import normalized
from functions.enrich.tags import MAX_TAGS
from shared.metadata import LIST_FIELDS, Metadata, Money, Value

AGREED = 0.99
"""The most that two who agree are believed."""

RULE_IS_SURE = 0.9
DOUBT = 0.8
"""What is left of the confidence in a value that the other reader has read differently."""


def combined(model: Metadata, rules: Metadata, *, language_is_told: bool = False) -> Metadata:
    """One metadata of two readings, both verified. A language that its owner told is not for the model to change."""
    chosen: dict[str, Any] = {
        name: _chosen(getattr(model, name), getattr(rules, name))
        for name in Metadata.model_fields
        if name not in LIST_FIELDS and name != "suggested_filename"
    }
    if language_is_told and rules.language:
        chosen["language"] = rules.language
    amounts = _distinct((*rules.amounts, *model.amounts))
    tags = _distinct((*model.tags, *rules.tags))[:MAX_TAGS]
    return Metadata(**chosen, amounts=amounts, tags=tags, suggested_filename=_suggested(chosen))


def _chosen(model: Value[Any] | None, rule: Value[Any] | None) -> Value[Any] | None:
    if model is None or rule is None:
        return model or rule
    if _same(model.value, rule.value):
        return _agreed(model, rule)
    return _decided(model, rule)


def _agreed(model: Value[Any], rule: Value[Any]) -> Value[Any]:
    """The rule's words, since its boxes are those of the very words; believed more than either alone."""
    together = 1 - (1 - model.confidence) * (1 - rule.confidence)
    kept = rule if rule.evidence else model
    return kept.model_copy(update={"origin": "model", "confidence": round(min(AGREED, together), 2)})


def _decided(model: Value[Any], rule: Value[Any]) -> Value[Any]:
    """A value with evidence before one without, a sure rule before the model, the model before a doubtful rule."""
    if (rule.evidence is None) != (model.evidence is None) and rule.confidence >= model.confidence:
        winner = rule if rule.evidence else model
    else:
        winner = rule if rule.confidence >= RULE_IS_SURE else model
    return winner.model_copy(update={"confidence": round(DOUBT * winner.confidence, 2)})


def _distinct(values: tuple[Value[Any], ...]) -> tuple[Value[Any], ...]:
    kept: list[Value[Any]] = []
    for value in values:
        if not any(_same(value.value, other.value) for other in kept):
            kept.append(value)
    return tuple(kept)


def _same(one: object, other: object) -> bool:
    if isinstance(one, Money) and isinstance(other, Money):
        return float(one.value) == float(other.value) and one.currency in (other.currency, None)
    if isinstance(one, str) and isinstance(other, str):
        return normalized(one).casefold() == normalized(other).casefold()
    return one == other


def _suggested(chosen: dict[str, Any]) -> Value[str] | None:
    title, day = chosen["title"], chosen["document_date"]
    name = filename.suggested(title.value, day.value if day else None) if title else None
    return Value[str](value=name, confidence=title.confidence, origin=title.origin) if name else None
