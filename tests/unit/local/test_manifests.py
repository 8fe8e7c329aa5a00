from pathlib import Path
from typing import Any

import pytest

from local.manifests import InvalidManifest, parse_duration, parse_filter, read_wiring

BROKER = "kind: Broker\nmetadata: {name: b}\n"
TRIGGER = """\
kind: Trigger
metadata: {name: t}
spec:
  filters: [{exact: {type: a}}]
  subscriber: {ref: {kind: Service, name: missing}}
  delivery: {retry: 1, backoffPolicy: linear, backoffDelay: PT1S, timeout: PT1S}
"""


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT0.5S", 0.5), ("PT30S", 30), ("PT6M30S", 390), ("PT1H", 3600), ("P1D", 86400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "30", "30s", "PT-1S"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidManifest):
        parse_duration(text)


@pytest.mark.parametrize(
    ("item", "passes"),
    [
        ({"exact": {"type": "a.b"}}, True),
        ({"exact": {"type": "a.b", "source": "/x"}}, False),
        ({"exact": {"missing": ""}}, False),
        ({"prefix": {"type": "a."}}, True),
        ({"suffix": {"type": ".b"}}, True),
        ({"suffix": {"type": ".c"}}, False),
        ({"any": [{"exact": {"type": "x"}}, {"prefix": {"type": "a"}}]}, True),
        ({"all": [{"exact": {"type": "x"}}, {"prefix": {"type": "a"}}]}, False),
        ({"not": {"exact": {"type": "x"}}}, True),
    ],
)
def test_filters(item: dict[str, Any], passes: bool) -> None:
    assert parse_filter(item).matches({"type": "a.b", "source": "/s"}) is passes


@pytest.mark.parametrize("item", [{"exact": {}, "prefix": {}}, {}, {"cesql": "TRUE"}])
def test_filter_that_would_not_be_understood_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest):
        parse_filter(item)


def test_trigger_without_its_service_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(BROKER + "---\n" + TRIGGER)
    with pytest.raises(InvalidManifest, match="missing"):
        read_wiring(tmp_path)


def test_manifest_with_a_gap_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(TRIGGER.replace("backoffDelay: PT1S, ", ""))
    with pytest.raises(InvalidManifest, match=r"broken\.yaml"):
        read_wiring(tmp_path)
