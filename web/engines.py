"""Who recognizes text here, as far as people may choose."""

from collections.abc import Collection

from web.errors import InvalidParameter


def require_engine(engines: Collection[str], asked: str | None) -> None:
    """Raise InvalidParameter for an engine that the ocr function is not set up with."""
    if asked is not None and asked not in engines:
        raise InvalidParameter(f"ocr_engine can be {', '.join(engines)} on this server.")
