"""What an operator sets for the web process. A wrong value stops it before it serves anything."""

import ipaddress
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.storage.settings import ArrivalSettings, NotificationSettings

MIN_SECRET_CHARACTERS = 32


class WebSettings(NotificationSettings, ArrivalSettings):
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
    max_upload_files: int = Field(1000, gt=0, description="Most files in one upload request.")
    metrics_token: SecretStr | None = Field(
        None,
        description="With AUTH_ENABLED: a token that opens `GET /metrics` and nothing else, for Prometheus; at least "
        f"{MIN_SECRET_CHARACTERS} characters. A token of the API with the scope `admin` opens it too.",
    )
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

    @model_validator(mode="after")
    def _metrics_token_is_hard_to_guess(self) -> Self:
        token = self.metrics_token.get_secret_value() if self.metrics_token else None
        if token is not None and (len(token) < MIN_SECRET_CHARACTERS or not token.isascii()):
            raise ValueError(f"METRICS_TOKEN must have at least {MIN_SECRET_CHARACTERS} characters, all of them ASCII")
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
