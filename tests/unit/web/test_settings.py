"""Sizes are read as people write them."""

import pytest
from pydantic import ValidationError

from web.settings import WebSettings


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1048576", 1048576),
        (5, 5),
        ("1GiB", 2**30),
        ("1 gib", 2**30),
        ("500MB", 500_000_000),
        ("1.5KiB", 1536),
        ("7b", 7),
    ],
)
def test_sizes(text: object, size_bytes: int) -> None:
    assert WebSettings.model_validate({"max_upload_size": text}).max_upload_size == size_bytes


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1TiBs", "1,5MB", "0"])
def test_what_is_no_size_stops_the_process(text: str) -> None:
    with pytest.raises(ValidationError):
        WebSettings.model_validate({"max_upload_size": text})


def test_defaults_are_those_of_one_machine() -> None:
    settings = WebSettings()
    assert (settings.host, settings.port, settings.auth_enabled) == ("127.0.0.1", 8000, False)
    assert settings.max_upload_size == 2**30
