"""The manifests in `knative/` agree with the code: event types, deadlines, settings, and what Knative insists on."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.manifests import Trigger, read_wiring
from shared.events import DATA_MODELS, TYPE_PREFIX
from shared.leases import LIFE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = ROOT / "knative"
WIRING = read_wiring(MANIFESTS)
STEPS = ("ingest", "convert", "ocr", "enrich", "record", "index")

HANDLERS = {
    "object.created": {"ingest"},
    "document.received": {"convert"},
    "document.converted": {"ocr"},
    "pages.requested": {"ocr"},
    "document.recognized": {"enrich"},
    "document.updated": {"index"},
    "document.deleted": {"index"},
    "document.restored": {"index"},
    "document.purged": {"index"},
}
"""Who handles which event, besides record, which receives every one."""


def documents(kind: str) -> dict[str, Any]:
    found = (yaml.safe_load(path.read_text()) for path in sorted(MANIFESTS.glob("*.yaml")))
    return {document["metadata"]["name"]: document for document in found if document["kind"] == kind}


SERVICES = documents("Service")
TRIGGERS = documents("Trigger")
each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
each_trigger = pytest.mark.parametrize("trigger", WIRING.triggers, ids=lambda trigger: trigger.name)


def main_module(step: str) -> ast.Module | None:
    path = ROOT / "functions" / step / "main.py"
    return ast.parse(path.read_text()) if path.exists() else None


def deadline_seconds(step: str) -> float | None:
    """The deadline that the step declares in its main.py, if it has one."""
    module = main_module(step)
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.keyword) and node.arg == "deadline_seconds":
            return float(ast.literal_eval(node.value))
    return None


def declared_variables(step: str) -> Iterator[str]:
    """The variables of the settings classes that a function's main.py uses."""
    module = main_module(step)
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.ImportFrom):
            for name in (alias.name for alias in node.names if alias.name.endswith("Settings")):
                settings = getattr(importlib.import_module(node.module or ""), name)
                prefix = settings.model_config.get("env_prefix", "")
                yield from (f"{prefix}{field}".upper() for field in settings.model_fields)


def test_every_step_is_a_service() -> None:
    assert sorted(SERVICES) == sorted(STEPS)


def test_every_manifest_is_listed_for_kustomize() -> None:
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(path.name for path in MANIFESTS.glob("*.yaml"))


def test_broker_answers_before_the_subscribers_do() -> None:
    (broker,) = documents("Broker").values()
    assert broker["metadata"]["annotations"]["messaging.knative.dev/async-handler"] == "true"


@pytest.mark.parametrize("event_type", DATA_MODELS)
def test_each_event_goes_to_those_who_handle_it(event_type: str) -> None:
    short = event_type.removeprefix(TYPE_PREFIX).removesuffix(".v1")
    receivers = {trigger.subscriber.service for trigger in WIRING.triggers if trigger.wants({"type": event_type})}
    assert receivers == HANDLERS.get(short, set()) | {"record"}


@each_trigger
def test_filters_name_declared_types_only(trigger: Trigger) -> None:
    named = {value for condition in trigger.filters for value in condition.values("type")}
    assert named <= DATA_MODELS.keys()


def test_only_record_receives_everything() -> None:
    assert [trigger.name for trigger in WIRING.triggers if not trigger.filters] == ["record"]


@each_trigger
def test_delivery_is_complete(trigger: Trigger) -> None:
    delivery = TRIGGERS[trigger.name]["spec"]["delivery"]
    assert {"retry", "backoffPolicy", "backoffDelay", "timeout", "deadLetterSink"} <= delivery.keys()


@each_trigger
def test_dead_letters_go_to_record_under_the_triggers_name(trigger: Trigger) -> None:
    sink = trigger.delivery.dead_letter_sink
    assert sink is not None
    assert (sink.service, sink.path) == ("record", f"/dead-letters/{trigger.name}")


@each_trigger
def test_request_ends_before_the_broker_gives_up_waiting(trigger: Trigger) -> None:
    service = WIRING.services[trigger.subscriber.service]
    assert service.timeout_seconds < trigger.delivery.timeout_seconds


@each_service
def test_step_gives_up_before_its_request_ends(service: Any) -> None:
    deadline = deadline_seconds(service["metadata"]["name"])
    if deadline is not None:
        # A pod that is told to stop has waited 30 s for new requests before its server hears of it.
        assert deadline + 30 <= service["spec"]["template"]["spec"]["timeoutSeconds"] <= 600


@each_trigger
def test_retries_outlast_a_step_and_its_lease(trigger: Trigger) -> None:
    deadline = deadline_seconds(trigger.subscriber.service) or 0
    assert trigger.delivery.window_seconds > deadline + LIFE_SECONDS


@each_service
def test_both_time_limits_are_set(service: Any) -> None:
    spec = service["spec"]["template"]["spec"]
    assert spec["responseStartTimeoutSeconds"] == spec["timeoutSeconds"]


@each_service
def test_annotations_are_strings_in_their_place(service: Any) -> None:
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    assert all(isinstance(value, str) for value in annotations.values())
    assert {"autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale"} <= annotations.keys()
    assert "annotations" not in service["metadata"]


@each_service
def test_service_is_reachable_inside_the_cluster_only(service: Any) -> None:
    assert service["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"


@each_service
def test_container_is_confined_and_probed(service: Any) -> None:
    (container,) = service["spec"]["template"]["spec"]["containers"]
    context = container["securityContext"]
    assert context["runAsNonRoot"] and context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
    assert container["image"].startswith(f"dev.local/docuelevate-{service['metadata']['name']}:")


@each_service
def test_function_is_given_every_variable_that_it_declares(service: Any) -> None:
    name = service["metadata"]["name"]
    given = {variable.name for variable in WIRING.services[name].variables}
    assert set(declared_variables(name)) - {"DATA_DIR"} <= given


def test_index_has_one_writer() -> None:
    assert WIRING.services["index"].max_scale == 1


@pytest.mark.parametrize("step", ["convert", "ocr", "enrich"])
def test_workers_know_no_database(step: str) -> None:
    assert "DATABASE_URL" not in {variable.name for variable in WIRING.services[step].variables}


def test_only_enrich_knows_the_key_of_the_language_model() -> None:
    knowing = [
        name
        for name, service in WIRING.services.items()
        if "OPENAI_API_KEY" in {variable.name for variable in service.variables}
    ]
    assert knowing == ["enrich"]
