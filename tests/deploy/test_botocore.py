"""The images keep the descriptions of those of Amazon's services that the code calls, and few others."""

import re
from collections.abc import Iterator

from tests.deploy.rendering import ROOT

KEPT = set(re.findall(r"! -name ([a-z0-9-]+)", (ROOT / "scripts" / "image-packages").read_text()))


def called_services() -> Iterator[str]:
    for package in ("shared", "functions", "web", "local"):
        for path in (ROOT / package).rglob("*.py"):
            yield from re.findall(r"Session\(\)\.client\(\s*\"([a-z0-9-]+)\"", path.read_text())


def test_each_service_that_is_called_is_described() -> None:
    assert {"s3", "sns"} <= set(called_services()) <= KEPT
