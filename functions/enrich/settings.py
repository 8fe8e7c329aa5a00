"""Settings of the language model that enrich asks, read from the environment once."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.providers import OPENAI_URL, ModelSettings


class OpenAiSettings(ModelSettings):
    """The OpenAI-compatible API, read with AI_PROVIDER=openai only."""

    openai_api_key: SecretStr | None = Field(
        None, description="Key of the API. Needed unless `OPENAI_BASE_URL` names a server that asks for none."
    )
    openai_response_format: Literal["auto", "json_schema", "json_object", "text"] = Field(
        "auto",
        description="How the model is held to JSON: by schema, as any JSON object, or by asking for it; `auto` begins "
        "with the schema and steps down where the server refuses that.",
    )
    openai_max_input_tokens: int = Field(
        12_000,
        ge=1_000,
        le=1_000_000,
        description="Most tokens of one document (estimated from above) that are sent; longer ones are sampled.",
    )
    openai_max_output_tokens: int = Field(
        2_000,
        ge=300,
        le=100_000,
        description="Most tokens of an answer; one that is cut is asked for again with twice that.",
    )
    openai_max_calls: int = Field(
        9,
        ge=1,
        le=100,
        description="Most calls for one document in one run, repeated deliveries included; then the built-in rules' "
        "values stand.",
    )
    openai_timeout_seconds: float = Field(60, gt=0, le=100, description="Longest time for one whole answer.")
    openai_price_input: Decimal | None = Field(
        None,
        ge=0,
        description="US dollars for a million tokens sent. Unset: the list price of gpt-4o-mini at OpenAI, else 0.",
    )
    openai_price_output: Decimal | None = Field(
        None,
        ge=0,
        description="US dollars for a million tokens written. Unset: the list price of gpt-4o-mini at OpenAI, else 0.",
    )

    @model_validator(mode="after")
    def _key_where_needed(self) -> Self:
        if self.openai_api_key is None and self.openai_base_url == OPENAI_URL:
            raise ValueError(
                "AI_PROVIDER=openai needs OPENAI_API_KEY, or OPENAI_BASE_URL of a server that asks for none"
            )
        return self
