from pathlib import Path
from typing import Any

import pytest

from local.manifests import Destination, InvalidManifest, parse_duration, parse_filter, read_wiring

BROKER = "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b}\n"
TRIGGER = """\
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: paper-t-pages, labels: {docuelevate.org/trigger: t-pages}}
spec:
  filters: [{exact: {type: a}}]
  subscriber: {ref: {kind: Service, name: paper-t}}
  delivery:
    {retry: 1, backoffPolicy: linear, backoffDelay: PT1S, timeout: PT1S,
     deadLetterSink: {ref: {kind: Service, name: paper-t}, uri: /dead-letters/t-pages}}
"""
SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: paper-t, labels: {app.kubernetes.io/component: t}}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/max-scale: "2"}}
    spec: {containerConcurrency: 1, timeoutSeconds: 9, responseStartTimeoutSeconds: 9, containers: [{}]}
"""
KUBERNETES_SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: paper-web}\nspec: {ports: [{port: 80}]}\n"


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
    with pytest.raises(InvalidManifest, match="paper-t"):
        read_wiring(tmp_path)


def test_functions_and_triggers_go_by_their_labels_whatever_the_release_is_called(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("---\n".join((BROKER, TRIGGER, SERVICE)))
    wiring = read_wiring(tmp_path)
    (trigger,) = wiring.triggers
    assert (list(wiring.services), trigger.name) == (["t"], "t-pages")
    assert trigger.subscriber == Destination("t")
    assert trigger.delivery.dead_letter_sink == Destination("t", "/dead-letters/t-pages")


def test_what_is_not_of_knative_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("---\n".join((BROKER, KUBERNETES_SERVICE)))
    assert read_wiring(tmp_path).services == {}


def test_manifest_with_a_gap_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(TRIGGER.replace("backoffDelay: PT1S, ", ""))
    with pytest.raises(InvalidManifest, match=r"broken\.yaml"):
        read_wiring(tmp_path)
