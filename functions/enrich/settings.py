"""Settings of the enrich function, read from the environment once."""

from typing import Literal

from pydantic import Field

from shared.settings import Settings


class EnrichSettings(Settings):
    """Which extractor reads the metadata."""

    ai_provider: Literal["local", "openai"] = Field(
        default="local",
        description="Who reads the metadata: the built-in rules (local) or an OpenAI-compatible API (openai).",
    )
