"""A real Knative broker against the table that the embedded broker is held to."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kubernetes import Namespace, namespace, restricted, until
from tests.cluster.settings import E2eSettings
from tests.conformance.cases import CASES, RETRY, Case, reply_type
from tests.conformance.checks import (  # noqa: F401 - the tests of this module
    EVENT_BODY,
    Run,
    event_headers,
    test_dead_letter_is_the_event_that_was_published,
    test_dead_letter_says_why,
    test_delivered_event_carries_the_headers_of_knative,
    test_gaps_are_never_shorter_than_the_backoff,
    test_number_of_attempts,
    test_publisher_is_answered_at_once,
    test_redirects_are_followed,
    test_reply_is_published,
)

BACKOFF_SECONDS = 0.5
DELIVERY = {"retry": RETRY, "backoffPolicy": "exponential", "backoffDelay": "PT0.5S", "timeout": "PT5S"}
SETTLED_SECONDS = 10
"""Longer than the longest pause between two attempts."""

PUBLISH = """
import json, sys, urllib.request
statuses = {}
for name, headers, body in json.loads(sys.argv[2]):
    asked = urllib.request.Request(sys.argv[1], body.encode(), headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        statuses[name] = answer.status
print(json.dumps(statuses))
"""

OBSERVE = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8000/observations", timeout=30).read().decode())
"""


def broker() -> dict[str, Any]:
    annotations = {
        "eventing.knative.dev/broker.class": "MTChannelBasedBroker",
        "messaging.knative.dev/async-handler": "true",
    }
    meta = {"name": "table", "annotations": annotations}
    return {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": meta, "spec": {"delivery": DELIVERY}}


def trigger(name: str, condition: dict[str, Any], uri: str, dead_letters: str | None = None) -> dict[str, Any]:
    sink = {"deadLetterSink": {"uri": dead_letters}} if dead_letters else {}
    spec = {
        "broker": "table",
        "filters": [condition],
        "subscriber": {"uri": uri},
        "delivery": DELIVERY | sink,
    }
    return {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": {"name": name}, "spec": spec}


def subscriber(image: str, here: str) -> list[dict[str, Any]]:
    """The scripted subscriber in a pod of its own, from its source."""
    folder = Path(__file__).parents[1] / "conformance"
    files = {f"{name}.py": (folder / f"{name}.py").read_text() for name in ("cases", "subscriber")}
    command = (
        "python",
        "-m",
        "uvicorn",
        "--host",
        "0.0.0.0",
        "--log-level",
        "warning",
        "tests.conformance.subscriber:app",
    )
    mount = {"name": "source", "mountPath": "/source/tests/conformance"}
    spec = restricted(
        "subscriber",
        image,
        command,
        env=[{"name": "PYTHONPATH", "value": "/source"}],
        readinessProbe={"httpGet": {"path": "/observations", "port": 8000}, "periodSeconds": 1},
        volumeMounts=[mount],
    )
    spec["volumes"].append({"name": "source", "configMap": {"name": "subscriber"}})
    meta = {"name": "subscriber", "namespace": here, "labels": {"app": "subscriber"}}
    ports = [{"port": 80, "targetPort": 8000}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": meta["labels"], "ports": ports}},
    ]


def observed(here: Namespace) -> list[dict[str, Any]]:
    """What the subscriber saw; a reply belongs to the case that its type names."""
    seen = json.loads(here.python("subscriber", OBSERVE))
    cases = {reply_type(case.name): case.name for case in CASES}
    return [
        one | {"case": cases.get(one["headers"].get("ce-type", ""), "")} if one["kind"] == "replies" else one
        for one in seen
        if "user-agent" not in one["headers"] or not one["headers"]["user-agent"].startswith("kube-probe")
    ]


def expected() -> int:
    """How many requests the whole table makes."""
    return sum(case.attempts + case.reply + (case.dead_letter is not None) for case in CASES)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """The whole table on the cluster's broker."""
    with namespace(f"conformance-{secrets.token_hex(3)}") as here:
        url = f"http://subscriber.{here.name}.svc.cluster.local"
        here.apply(*subscriber(E2eSettings().image("web"), here.name))
        here.wait("condition=Ready", "pod/subscriber", seconds=120)
        here.apply(broker())
        here.wait("condition=Ready", "broker/table", seconds=120)
        address = here.get("broker")[0]["status"]["address"]["url"]
        here.apply(*(_trigger_of(case, url) for case in CASES))
        here.apply(trigger("replies", {"prefix": {"type": "conformance.reply."}}, f"{url}/replies/any"))
        here.wait("condition=Ready", "trigger", "--all", seconds=240)
        events = [(case.name, event_headers(case), EVENT_BODY) for case in CASES]
        statuses = json.loads(here.python("subscriber", PUBLISH, address, json.dumps(events)))
        until(lambda: len(observed(here)) >= expected(), 120, lambda: f"{len(observed(here))} of {expected()} requests")
        yield Run(_settled(here), statuses, url, address, here.name, BACKOFF_SECONDS)


def _trigger_of(case: Case, url: str) -> dict[str, Any]:
    return trigger(
        case.name,
        {"exact": {"type": f"conformance.{case.name}"}},
        f"{url}/cases/{case.name}",
        f"{url}/dead-letters/{case.name}",
    )


def _settled(here: Namespace) -> list[dict[str, Any]]:
    """What was seen once nothing more came for a while."""
    import time

    while True:
        before = observed(here)
        time.sleep(SETTLED_SECONDS)
        if len(observed(here)) == len(before):
            return before
