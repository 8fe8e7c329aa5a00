"""Which release this is. Written here and in pyproject.toml, because an image holds the code without its package."""

VERSION = "0.1.0"
