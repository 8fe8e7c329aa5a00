"""Each policy notices the breach that it is there for: a right rendering is spoilt in one place."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy import policies
from tests.deploy.rendering import CHART, HOOK, Rendering, Resource, annotations_of, component_of, pods_of, scenario

Spoil = Callable[[Rendering], object]


def right() -> Rendering:
    """A release that keeps every policy, with a network policy beside what the scenario has."""
    return scenario(CHART / "ci" / "minimal-values.yaml").changed()


def pod(rendering: Rendering, component: str) -> dict[str, Any]:
    (found,) = [one.spec for one in rendering.pods if one.component == component]
    return dict_of(found)


def dict_of(found: Any) -> dict[str, Any]:
    assert isinstance(found, dict)
    return found


def container(rendering: Rendering, component: str) -> dict[str, Any]:
    return dict_of(pod(rendering, component)["containers"][0])


def variable(rendering: Rendering, component: str, name: str) -> dict[str, Any]:
    (found,) = [entry for entry in container(rendering, component)["env"] if entry["name"] == name]
    return dict_of(found)


def template(rendering: Rendering, component: str) -> dict[str, Any]:
    return dict_of(rendering.function(component)["spec"]["template"])


def trigger(rendering: Rendering, name: str) -> dict[str, Any]:
    (found,) = [one for one in rendering.triggers if one["metadata"]["labels"]["docuelevate.org/trigger"] == name]
    return dict_of(found["spec"])


def migration(rendering: Rendering) -> Resource:
    (found,) = [one for one in rendering.of("Job") if component_of(one) == "migrate"]
    return found


def its_secret(rendering: Rendering) -> Resource:
    """What the migration alone uses."""
    return next(one for one in rendering.of("Secret") if HOOK in annotations_of(one))


def remove(rendering: Rendering, kind: str, component: str = "") -> None:
    rendering.resources[:] = [
        one for one in rendering.resources if one["kind"] != kind or component not in ("", component_of(one))
    ]


def leave_out(rendering: Rendering, component: str, name: str) -> None:
    container(rendering, component)["env"].remove(variable(rendering, component, name))


def network_policy(labels: dict[str, str], **more: Any) -> Resource:
    spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress", "Egress"], **more}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "one"}, "spec": spec}


OCR = {"app.kubernetes.io/component": "ocr"}
CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {}}
FILTER = {"type": "org.docuelevate.document.received.v1"}

BREACHES: list[tuple[policies.Policy, str, Spoil]] = [
    (policies.pods_are_restricted, "hostNetwork", lambda r: pod(r, "web").update(hostNetwork=True)),
    (
        policies.pods_are_restricted,
        "hostPath",
        lambda r: pod(r, "web")["volumes"].append({"name": "a", "hostPath": {}}),
    ),
    (
        policies.pods_are_restricted,
        "privileges",
        lambda r: container(r, "ocr")["securityContext"].update(privileged=True),
    ),
    (
        policies.pods_are_restricted,
        "privileges",
        lambda r: container(r, "ocr")["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    (
        policies.pods_are_restricted,
        "capabilities",
        lambda r: container(r, "sweep")["securityContext"]["capabilities"].update(add=["NET_RAW"]),
    ),
    (policies.pods_are_restricted, "root", lambda r: container(r, "convert")["securityContext"].pop("runAsNonRoot")),
    (policies.pods_are_restricted, "root", lambda r: container(r, "convert")["securityContext"].update(runAsUser=0)),
    (policies.pods_are_restricted, "seccomp", lambda r: container(r, "index")["securityContext"].pop("seccompProfile")),
    (
        policies.pods_are_restricted,
        "root file system",
        lambda r: container(r, "migrate")["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    (
        policies.nobody_gets_a_token_of_the_cluster,
        "mounts a token",
        lambda r: pod(r, "record").pop("automountServiceAccountToken"),
    ),
    (
        policies.nobody_gets_a_token_of_the_cluster,
        "mounts tokens",
        lambda r: r.of("ServiceAccount")[0].pop("automountServiceAccountToken"),
    ),
    (policies.images_are_pinned, "pinned", lambda r: container(r, "ocr").update(image="example.org:5000/ocr")),
    (policies.images_are_pinned, "pinned", lambda r: container(r, "web").update(image="example.org/web:latest")),
    (policies.containers_say_what_they_need, "memory", lambda r: container(r, "ocr")["resources"]["limits"].clear()),
    (policies.containers_say_what_they_need, "cpu", lambda r: container(r, "web")["resources"]["requests"].pop("cpu")),
    (policies.what_serves_is_probed, "no readiness", lambda r: container(r, "ocr").pop("readinessProbe")),
    (policies.what_serves_is_probed, "no readiness", lambda r: container(r, "web").update(readinessProbe={"tcp": {}})),
    (policies.names_fit, "46", lambda r: r.function("ocr")["metadata"].update(name="o" * 47)),
    (policies.names_fit, "label", lambda r: r.function("ocr")["metadata"]["labels"].update(a="o" * 64)),
    (
        policies.annotations_are_strings,
        "not a string",
        lambda r: template(r, "ocr")["metadata"]["annotations"].update({"autoscaling.knative.dev/max-scale": 3}),
    ),
    (
        policies.autoscaling_is_told_to_revisions,
        "own metadata",
        lambda r: r.function("ocr")["metadata"].update(annotations={"autoscaling.knative.dev/min-scale": "0"}),
    ),
    (
        policies.autoscaling_is_told_to_revisions,
        "no max-scale",
        lambda r: template(r, "ocr")["metadata"]["annotations"].pop("autoscaling.knative.dev/max-scale"),
    ),
    (
        policies.functions_are_not_public,
        "outside",
        lambda r: r.function("record")["metadata"]["labels"].pop("networking.knative.dev/visibility"),
    ),
    (
        policies.requests_have_both_time_limits,
        "None",
        lambda r: template(r, "convert")["spec"].pop("responseStartTimeoutSeconds"),
    ),
    (
        policies.requests_have_both_time_limits,
        "601",
        lambda r: template(r, "convert")["spec"].update(timeoutSeconds=601, responseStartTimeoutSeconds=601),
    ),
    (
        policies.steps_end_before_their_requests,
        "its request",
        lambda r: template(r, "ocr")["spec"].update(timeoutSeconds=310),
    ),
    (
        policies.requests_end_before_deliveries,
        "the request",
        lambda r: trigger(r, "ocr-pages")["delivery"].update(timeout="PT5M"),
    ),
    (
        policies.retries_outlast_a_step_and_its_lease,
        "are needed",
        lambda r: trigger(r, "convert")["delivery"].update(retry=4),
    ),
    (
        policies.delivery_is_complete,
        "without backoffPolicy",
        lambda r: trigger(r, "index")["delivery"].pop("backoffPolicy"),
    ),
    (
        policies.delivery_is_complete,
        "not a duration",
        lambda r: trigger(r, "index")["delivery"].update(backoffDelay="1s"),
    ),
    (policies.delivery_is_complete, "Broker", lambda r: r.of("Broker")[0]["spec"].pop("delivery")),
    (
        policies.dead_letters_reach_record,
        "do not go to record",
        lambda r: trigger(r, "ocr")["delivery"]["deadLetterSink"]["ref"].update(name="docuelevate-index"),
    ),
    (
        policies.dead_letters_reach_record,
        "/dead-letters/convert",
        lambda r: trigger(r, "ocr")["delivery"]["deadLetterSink"].update(uri="/dead-letters/convert"),
    ),
    (
        policies.filters_have_one_dialect,
        "one dialect",
        lambda r: trigger(r, "ocr").update(filters=[{"exact": FILTER, "prefix": FILTER}]),
    ),
    (
        policies.filters_have_one_dialect,
        "one dialect",
        lambda r: trigger(r, "ocr").update(filters=[{"any": [{"exact": FILTER, "suffix": FILTER}]}]),
    ),
    (
        policies.filters_have_one_dialect,
        "does not know filters",
        lambda r: annotations_of(r.of("Broker")[0]).update({"eventing.knative.dev/broker.class": "RabbitMQBroker"}),
    ),
    (policies.filters_have_one_dialect, "legacy", lambda r: trigger(r, "ocr").update(filter={"attributes": FILTER})),
    (
        policies.filters_name_declared_types,
        "not a declared type",
        lambda r: trigger(r, "ocr").update(filters=[{"exact": {"type": "org.docuelevate.document.recieved.v1"}}]),
    ),
    (
        policies.every_event_reaches_its_handlers,
        "instead of ocr, record",
        lambda r: trigger(r, "ocr").update(filters=[{"exact": FILTER}]),
    ),
    (policies.every_event_reaches_its_handlers, "unknown type", lambda r: trigger(r, "enrich").update(filters=[])),
    (
        policies.every_event_reaches_its_handlers,
        "index is not deployed",
        lambda r: (remove(r, "Service", "index"), remove(r, "Trigger", "index")),
    ),
    (policies.triggers_hang_on_the_broker, "several brokers", lambda r: trigger(r, "ocr").update(broker="default")),
    (
        policies.triggers_hang_on_the_broker,
        "has no trigger",
        lambda r: [one["spec"].update(broker="default") for one in r.triggers],
    ),
    (
        policies.triggers_hang_on_the_broker,
        "wait for the whole chain",
        lambda r: annotations_of(r.of("Broker")[0]).pop("messaging.knative.dev/async-handler"),
    ),
    (
        policies.units_know_their_variables,
        "not one of its settings",
        lambda r: container(r, "record")["env"].append({"name": "OCR_LANGUAGES", "value": "eng"}),
    ),
    (policies.units_know_their_variables, "is not given", lambda r: leave_out(r, "ocr", "OCR_LANGUAGES")),
    (
        policies.units_know_their_variables,
        "whole ConfigMaps",
        lambda r: container(r, "ocr").update(envFrom=[{"configMapRef": {"name": "docuelevate-config"}}]),
    ),
    (
        policies.no_variable_is_given_twice,
        "twice",
        lambda r: container(r, "ocr")["env"].append(dict(container(r, "ocr")["env"][0])),
    ),
    (
        policies.secrets_stand_in_secrets_only,
        "holds DATABASE_URL",
        lambda r: r.of("ConfigMap")[0]["data"].update(DATABASE_URL="postgresql://other"),
    ),
    (
        policies.secrets_stand_in_secrets_only,
        "does not come from a Secret",
        lambda r: variable(r, "web", "SESSION_SECRET").update(value="x", valueFrom={}),
    ),
    (
        policies.secrets_stand_in_secrets_only,
        "quotes a secret",
        lambda r: r.of("ConfigMap")[0]["data"].update(NOTE=r.values["secrets"]["DATABASE_URL"]),
    ),
    (
        policies.workers_know_no_database,
        "knows DATABASE_URL",
        lambda r: container(r, "ocr")["env"].append({"name": "DATABASE_URL"}),
    ),
    (
        policies.selectors_meet_pods,
        "selects no pod",
        lambda r: r.of("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"].update(tier="web"),
    ),
    (
        policies.selectors_meet_pods,
        "as well",
        lambda r: r.of("Service", "v1")[0]["spec"]["selector"].pop("app.kubernetes.io/component"),
    ),
    (
        policies.selectors_meet_pods,
        "has no port",
        lambda r: r.of("Service", "v1")[0]["spec"]["ports"][0].update(targetPort="web"),
    ),
    (
        policies.selectors_meet_pods,
        "selects no Service",
        lambda r: r.resources.append(
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "ServiceMonitor",
                "metadata": {"name": "web"},
                "spec": {"selector": {"matchLabels": {"tier": "web"}}},
            }
        ),
    ),
    (policies.selectors_meet_pods, "NetworkPolicy", lambda r: r.resources.append(network_policy({"tier": "ocr"}))),
    (
        policies.selectors_meet_pods,
        "a peer",
        lambda r: r.resources.append(
            network_policy(OCR, egress=[{"to": [{"podSelector": {"matchLabels": {"tier": "gotenberg"}}}]}])
        ),
    ),
    (
        policies.network_policies_cover_all_pods,
        "Service docuelevate-convert: no network policy for its egress",
        lambda r: r.resources.append(network_policy(OCR)),
    ),
    (
        policies.functions_are_called_by_knative_only,
        "lets anybody reach",
        lambda r: r.resources.append(network_policy(OCR, ingress=[{}])),
    ),
    (
        policies.functions_are_called_by_knative_only,
        "lets anybody reach",
        lambda r: r.resources.append(network_policy(OCR, ingress=[{"from": [{"namespaceSelector": {}}]}])),
    ),
    (policies.references_resolve, "no ConfigMap", lambda r: needed(r, "web", "configMapKeyRef", "other", "PORT")),
    (
        policies.references_resolve,
        "has no OTHER",
        lambda r: needed(r, "web", "configMapKeyRef", r.of("ConfigMap")[0]["metadata"]["name"], "OTHER"),
    ),
    (policies.references_resolve, "no ServiceAccount", lambda r: pod(r, "ocr").update(serviceAccountName="other")),
    (
        policies.references_resolve,
        "no function",
        lambda r: trigger(r, "ocr")["subscriber"]["ref"].update(name="ocr"),
    ),
    (
        policies.hooks_find_what_they_need,
        "is not there at pre-upgrade",
        lambda r: annotations_of(its_secret(r)).update({HOOK: "pre-install"}),
    ),
    (
        policies.hooks_find_what_they_need,
        "is not there before it",
        lambda r: annotations_of(its_secret(r)).update({"helm.sh/hook-weight": "0"}),
    ),
    (
        policies.hooks_find_what_they_need,
        "is not there at pre-install, pre-upgrade",
        lambda r: pod(r, "migrate").update(serviceAccountName="docuelevate"),
    ),
    (
        policies.hooks_do_not_take_away_what_stays,
        "goes with the hook",
        lambda r: needed(r, "web", "secretKeyRef", its_secret(r)["metadata"]["name"], "DATABASE_URL"),
    ),
    (
        policies.the_database_is_migrated_first,
        "runs at",
        lambda r: annotations_of(migration(r)).update({HOOK: "post-install,pre-upgrade"}),
    ),
    (policies.the_database_is_migrated_first, "0 migrations", lambda r: remove(r, "Job", "migrate")),
    (policies.claims_are_kept, "goes with the release", lambda r: r.resources.append(CLAIM)),
]


def needed(rendering: Rendering, component: str, kind: str, name: str, key: str) -> None:
    """One more variable, that must be there."""
    container(rendering, component)["env"].append({"name": "EXTRA", "valueFrom": {kind: {"name": name, "key": key}}})


@pytest.mark.parametrize(
    ("policy", "words", "spoil"), BREACHES, ids=[f"{one[0].__name__}-{one[1]}".replace(" ", "-") for one in BREACHES]
)
def test_notices(policy: policies.Policy, words: str, spoil: Spoil) -> None:
    rendering = right()
    assert not [told for told in policy(rendering) if words in told]
    spoil(rendering)
    assert [told for told in policy(rendering) if words in told], [*policy(rendering)]


def test_each_policy_is_tried() -> None:
    assert {policy for policy, _, _ in BREACHES} == {*policies.OF_RELEASES}


def test_pods_are_found_wherever_they_are() -> None:
    kinds = {one["kind"] for one in right().resources if [*pods_of(one)]}
    assert {"Deployment", "Job", "CronJob", "Service"} <= kinds
