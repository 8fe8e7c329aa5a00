"""The settings of convert that depend on each other."""

import pytest
from pydantic import ValidationError

from functions.convert.settings import ConvertSettings


def test_gotenberg_needs_an_address() -> None:
    with pytest.raises(ValidationError, match="GOTENBERG_URL"):
        ConvertSettings(converter="gotenberg")


def test_an_address_with_credentials_is_refused() -> None:
    """It would be logged."""
    with pytest.raises(ValidationError, match="GOTENBERG_USERNAME"):
        ConvertSettings(converter="gotenberg", gotenberg_url="http://ada:s3cret@gotenberg:3000")
