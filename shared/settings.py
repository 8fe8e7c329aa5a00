"""The base of every settings class, and the list of every variable that one of them declares.

A variable is declared once, as a field with a type and a description; documentation and chart are checked against that.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def size_in_bytes(value: Any) -> Any:
    """`1GiB`, `500 MB` or plain bytes as a number of bytes."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError("must be a number of bytes, or one with a unit such as 500MB or 1GiB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


Size = Annotated[int, BeforeValidator(size_in_bytes)]


class Settings(BaseSettings):
    """Read from environment variables named like the fields, in capitals. An empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")


@dataclass(frozen=True)
class Variable:
    """A variable as an operator sees it. `default` is None where it must be set or nothing stands for it."""

    name: str
    type: str
    default: str | None
    description: str
    required: bool
    secret: bool


def declared_variables() -> list[Variable]:
    """Every variable of every settings class imported so far, by name. A field in two classes is listed once."""
    found = {
        variable.name: variable
        for model in _subclasses(Settings)
        for name, field in model.model_fields.items()
        for variable in [_variable(name, field)]
    }
    return [found[name] for name in sorted(found)]


def _subclasses(model: type[Settings]) -> list[type[Settings]]:
    return [found for child in model.__subclasses__() for found in (child, *_subclasses(child))]


def _variable(name: str, field: FieldInfo) -> Variable:
    required = field.is_required()
    default = None if required or field.default is None else field.get_default(call_default_factory=True)
    return Variable(
        name=str(field.validation_alias or name).upper(),
        type=_type_name(field.annotation),
        default=None if default is None or isinstance(default, SecretStr) else str(default),
        description=field.description or "",
        required=required,
        secret="SecretStr" in str(field.annotation),
    )


def _type_name(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
