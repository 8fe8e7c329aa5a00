"""Who converts, recognizes text and reads metadata: one variable each. The functions act on it, and web shows it.

What else a provider needs (keys, limits) is declared beside the function that uses it.
"""

from enum import StrEnum
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"


class OcrProvider(StrEnum):
    AZURE = "azure"
    TESSERACT = "tesseract"


class ConverterSettings(Settings):
    """What makes PDFs of office files."""

    converter: Literal["local", "gotenberg"] = Field(
        "local", description="What converts office files: LibreOffice beside this function, or a Gotenberg server."
    )
    gotenberg_url: str | None = Field(
        None, description="Address of the Gotenberg server (version 8), such as http://gotenberg:3000; for `gotenberg`."
    )

    @model_validator(mode="after")
    def _knows_its_server(self) -> Self:
        if self.converter == "gotenberg" and not self.gotenberg_url:
            raise ValueError("CONVERTER=gotenberg needs GOTENBERG_URL")
        if "@" in (self.gotenberg_url or ""):
            # Addresses are logged.
            raise ValueError("GOTENBERG_URL must not hold credentials; set GOTENBERG_USERNAME and GOTENBERG_PASSWORD")
        return self


class RecognizerSettings(Settings):
    """What reads the text of pictured pages."""

    ocr_provider: OcrProvider = Field(
        OcrProvider.TESSERACT, description="Who recognizes text: `tesseract` on this machine, or `azure`."
    )
    azure_endpoint: str | None = Field(
        None, description="Address of the Azure Document Intelligence resource; by default that of `AZURE_REGION`."
    )
    azure_region: str | None = Field(None, description="Region of the resource, such as westeurope.")

    @property
    def azure_address(self) -> str | None:
        """Where the resource answers."""
        by_region = f"https://{self.azure_region}.api.cognitive.microsoft.com" if self.azure_region else None
        return self.azure_endpoint or by_region


class ExtractorSettings(Settings):
    """What reads metadata."""

    ai_provider: Literal["local", "openai"] = Field(
        default="local",
        description="Who reads the metadata: the built-in rules (local) or an OpenAI-compatible API (openai).",
    )


class ModelSettings(Settings):
    """Which language model is asked, for AI_PROVIDER=openai."""

    # An error would repeat what it was given, and an address may hold a password.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    openai_base_url: str = Field(
        OPENAI_URL,
        description="Address of any OpenAI-compatible API, such as `http://ollama:11434/v1` or "
        "`https://NAME.openai.azure.com/openai/v1`.",
    )
    openai_model: str = Field("gpt-4o-mini", min_length=1, description="The model that reads the metadata.")

    @field_validator("openai_base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("OPENAI_BASE_URL must be an http(s) address without user name and query")
        return value.rstrip("/")
