"""What an operator sets for the web process. A wrong value stops it before it serves anything."""

import ipaddress
import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from shared.storage.settings import NotificationSettings

_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
MIN_SECRET_CHARACTERS = 32


def size_in_bytes(value: Any) -> Any:
    """`1GiB`, `500 MB` or plain bytes as a number of bytes."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError("must be a number of bytes, or one with a unit such as 500MB or 1GiB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


Size = Annotated[int, BeforeValidator(size_in_bytes)]


class WebSettings(NotificationSettings):
    """The server, who may use it, and what it takes."""

    host: str = Field("127.0.0.1", description="Address to listen on. Without authentication only loopback is allowed.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    external_hostname: str | None = Field(
        None, description="Name under which people reach the server; requests that name another host are refused."
    )
    auth_enabled: bool = Field(
        False, description="Whether people have to sign in. Off: everybody who reaches the server is its owner."
    )
    session_secret: SecretStr | None = Field(
        None, description=f"Signs sessions; at least {MIN_SECRET_CHARACTERS} characters. Needed with AUTH_ENABLED."
    )
    broker_url: str | None = Field(None, description="Where events are sent: the broker's ingress address.")
    convert_url: str | None = Field(
        None, description="Address of the convert function, for opening documents with a password."
    )
    ocr_engines: str = Field(
        "tesseract",
        description="Text recognition engines that the ocr function is set up with, separated by commas: `tesseract`, "
        "`azure`. With more than one, people can choose for a document; others are refused.",
    )
    max_upload_size: Size = Field(
        1024**3,
        gt=0,
        description="Largest file that is taken, in bytes or as `500MB`, `1GiB`; counted while it arrives.",
    )
    max_upload_files: int = Field(1000, gt=0, description="Most files in one upload request.")
    allow_file_delete: bool = Field(True, description="Whether documents can be removed for good from the trash.")

    @model_validator(mode="after")
    def _nobody_else_without_authentication(self) -> Self:
        if not self.auth_enabled and not is_loopback(self.host):
            raise ValueError(
                f"HOST={self.host} would let others in without signing in: set AUTH_ENABLED=true, or HOST=127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _sessions_are_signed(self) -> Self:
        secret = self.session_secret.get_secret_value() if self.session_secret else ""
        if (self.auth_enabled or secret) and len(secret) < MIN_SECRET_CHARACTERS:
            raise ValueError(f"SESSION_SECRET must have at least {MIN_SECRET_CHARACTERS} characters")
        return self

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that can be asked for."""
        return tuple(name for part in self.ocr_engines.split(",") if (name := part.strip()))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
