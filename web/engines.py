"""Who recognizes text and reads metadata here, as far as people may choose."""

from collections.abc import Collection

from web.api.models import ReplayOptions
from web.context import Context
from web.errors import InvalidParameter

LOCAL_EXTRACTOR = "local"
"""The built-in rules; enrich always has them."""


def require_engines(context: Context, wanted: ReplayOptions) -> None:
    """Raise InvalidParameter for an engine that the functions are not set up with."""
    configured = context.providers.get("enrichment")
    extractors = {LOCAL_EXTRACTOR, configured.name} if configured else {LOCAL_EXTRACTOR}
    _require("ocr_engine", context.settings.engines, wanted.ocr_engine)
    _require("enrich_engine", sorted(extractors), wanted.enrich_engine)


def _require(option: str, known: Collection[str], asked: str | None) -> None:
    if asked is not None and asked not in known:
        raise InvalidParameter(f"{option} can be {', '.join(known)} on this server.")
