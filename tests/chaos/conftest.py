"""How much the fault tests try: `--chaos=full` as `make chaos` does, or the short form that is part of all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known only where pytest is started on this directory; elsewhere it is the short form."""
    parser.addoption("--chaos", choices=["short", "full"], default="short", help="How many faults are tried.")


def is_full(config: pytest.Config) -> bool:
    """Whether everything is to be tried."""
    return bool(config.getoption("--chaos", default="short") == "full")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether everything is to be tried."""
    return is_full(request.config)
