"""Who serves each capability and whether it answers, for `GET /api/ready` and the page of settings.

Conversion, text recognition and extraction are reached through events alone, and web holds none of their keys. So it
asks only whether their address answers at all, and not at every probe. What is part of a function has no address.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic_settings import SettingsConfigDict

from shared.errors import Unavailable
from shared.providers import ConverterSettings, ExtractorSettings, ModelSettings, OcrProvider, RecognizerSettings

ASK_SECONDS = 2.0
KEPT_SECONDS = 30.0
"""How long an answer stands: probes come every few seconds, from every replica."""


FUNCTION_CAPABILITIES = frozenset({"conversion", "ocr", "enrichment"})
"""Where a provider without an address is part of the function itself."""


class ProviderSettings(ConverterSettings, RecognizerSettings, ExtractorSettings, ModelSettings):
    """What the functions are told of their providers, secrets excepted."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)


@dataclass(frozen=True)
class Provider:
    """Who serves a capability, by the name that its setting has. `check` raises Unavailable; None: nobody is asked."""

    name: str
    check: Callable[[], None] | None = None


def function_providers(settings: ProviderSettings) -> dict[str, Provider]:
    """What the functions work with, by capability."""
    gotenberg = settings.gotenberg_url if settings.converter == "gotenberg" else None
    azure = settings.azure_address if settings.ocr_provider is OcrProvider.AZURE else None
    model = settings.openai_base_url if settings.ai_provider == "openai" else None
    return {
        "conversion": Provider(settings.converter, _asked(gotenberg, "/health")),
        "ocr": Provider(settings.ocr_provider.value, _asked(azure, "/")),
        "enrichment": Provider(settings.ai_provider, _asked(model, "/models")),
    }


def _asked(address: str | None, path: str) -> Callable[[], None] | None:
    return Address(address.rstrip("/") + path).check if address else None


class Address:
    """An address that is asked now and then whether it answers. Whether it likes the question does not matter."""

    def __init__(self, url: str, *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._url = url
        self._kept_seconds = kept_seconds
        self._problem: str | None = None
        self._stands_until = 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises Unavailable where it did not answer when it was last asked."""
        with self._lock:
            if time.monotonic() >= self._stands_until:
                self._problem = self._ask()
                self._stands_until = time.monotonic() + self._kept_seconds
            problem = self._problem
        if problem:
            raise Unavailable(problem)

    def _ask(self) -> str | None:
        try:
            # The headers will do; a redirect is an answer.
            with httpx.stream("GET", self._url, timeout=ASK_SECONDS, follow_redirects=False) as answer:
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return "it does not answer"
        return f"it answers {status}" if status >= httpx.codes.INTERNAL_SERVER_ERROR else None
