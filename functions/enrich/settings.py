"""Settings of the enrich function, read from the environment once."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EnrichSettings(BaseSettings):
    """Which extractor reads the metadata."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore")

    ai_provider: Literal["local", "openai"] = Field(
        default="local",
        description="Who reads the metadata: the built-in rules (local) or an OpenAI-compatible API (openai).",
    )
