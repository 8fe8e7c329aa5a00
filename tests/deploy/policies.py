"""What must hold of everything that is deployed, whatever the values: each policy yields one sentence per breach.

They look at rendered resources only. Schemas say whether Kubernetes takes a manifest; these say whether it is right.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.manifests import InvalidManifest, Trigger, parse_duration, parse_filter, parse_trigger
from shared.events import DATA_MODELS, TYPE_PREFIX
from shared.leases import LIFE_SECONDS
from tests.deploy.rendering import (
    HOOK,
    Pod,
    Rendering,
    Resource,
    annotations_of,
    component_of,
    is_hook,
    name_of,
    pods_of,
)
from tests.deploy.units import UNITS, deadline_seconds, secret_variables, variables_of

Policy = Callable[[Rendering], Iterator[str]]

FUNCTIONS = ("ingest", "convert", "ocr", "enrich", "record", "index")

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

MOST_SECONDS = 600
"""Knative's own limit of a request, unless an operator has raised it."""

DRAIN_SECONDS = 30
"""A pod that is told to stop waits so long for new requests before its server hears of it."""


def pods_are_restricted(rendering: Rendering) -> Iterator[str]:
    """The `restricted` level of the pod security standards, and a root file system that cannot be written."""
    for pod in rendering.pods:
        context = pod.spec.get("securityContext", {})
        for setting in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec.get(setting):
                yield f"{pod.name}: {setting}"
        for volume in pod.spec.get("volumes", ()):
            kinds = volume.keys() - {"name"}
            if not kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}:
                yield f"{pod.name}: volume {volume['name']} is a {', '.join(kinds)}"
        for container in pod.containers:
            for breach in _unrestricted(context, container.get("securityContext", {})):
                yield f"{pod.name}, container {container['name']}: {breach}"


def _unrestricted(pod: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    either = {**pod, **own}
    if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
        yield "keeps capabilities"
    if either.get("runAsNonRoot") is not True or either.get("runAsUser", 1) == 0:
        yield "may run as root"
    if either.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "can write its root file system"


def nobody_gets_a_token_of_the_cluster(rendering: Rendering) -> Iterator[str]:
    """Nothing of ours asks the API server for anything."""
    for pod in rendering.pods:
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name}: mounts a token"
    for account in rendering.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {name_of(account)}: mounts tokens"


def images_are_pinned(rendering: Rendering) -> Iterator[str]:
    for pod in rendering.pods:
        for container in pod.containers:
            image = container["image"]
            _, _, tag = image.rpartition("/")[2].partition(":")
            if "@sha256:" not in image and tag in ("", "latest"):
                yield f"{pod.name}: image {image} is not pinned"


def containers_say_what_they_need(rendering: Rendering) -> Iterator[str]:
    for pod in rendering.pods:
        for container in pod.containers:
            resources = container.get("resources", {})
            for part, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if name not in resources.get(part, {}):
                    yield f"{pod.name}, container {container['name']}: no {name} among its {part}"


def what_serves_is_probed(rendering: Rendering) -> Iterator[str]:
    """By a request that its code answers: a port that is open says nothing."""
    for pod in rendering.pods:
        if not pod.is_function and pod.owner["kind"] not in ("Deployment", "StatefulSet"):
            continue
        for container in pod.spec["containers"]:
            if "httpGet" not in container.get("readinessProbe", {}):
                yield f"{pod.name}, container {container['name']}: no readiness probe"


def names_fit(rendering: Rendering) -> Iterator[str]:
    """DNS labels; room for what Knative and CronJobs append."""
    room = {"CronJob": 52}
    for one in rendering.resources:
        most = 63 - len("-00001-deployment") if one in rendering.functions else room.get(one["kind"], 63)
        name = name_of(one)
        if len(name) > most or not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
            yield f"{one['kind']} {name}: the name is no DNS label of at most {most} characters"
        for key, value in one["metadata"].get("labels", {}).items():
            if len(str(value)) > 63:
                yield f"{one['kind']} {name}: label {key} is too long"


def annotations_are_strings(rendering: Rendering) -> Iterator[str]:
    for one in rendering.resources:
        metas = [one["metadata"], *(pod.metadata for pod in pods_of(one))]
        for meta in metas:
            for part in ("annotations", "labels"):
                for key, value in (meta.get(part) or {}).items():
                    if not isinstance(value, str):
                        yield f"{one['kind']} {name_of(one)}: {key} is not a string"


def autoscaling_is_told_to_revisions(rendering: Rendering) -> Iterator[str]:
    """Knative refuses these keys on the Service, and a function without a largest scale eats the cluster."""
    for one in rendering.functions:
        if any("autoscaling.knative.dev/" in key for key in annotations_of(one)):
            yield f"{name_of(one)}: autoscaling on the Service's own metadata"
        told = one["spec"]["template"]["metadata"].get("annotations", {})
        for key in ("min-scale", "max-scale"):
            if f"autoscaling.knative.dev/{key}" not in told:
                yield f"{name_of(one)}: no {key}"
        if told.get("autoscaling.knative.dev/max-scale") == "0":
            yield f"{name_of(one)}: max-scale 0 means no limit"


def functions_are_not_public(rendering: Rendering) -> Iterator[str]:
    for one in rendering.functions:
        if one["metadata"].get("labels", {}).get("networking.knative.dev/visibility") != "cluster-local":
            yield f"{name_of(one)}: reachable from outside"


def requests_have_both_time_limits(rendering: Rendering) -> Iterator[str]:
    for one in rendering.functions:
        spec = one["spec"]["template"]["spec"]
        whole, first = spec.get("timeoutSeconds"), spec.get("responseStartTimeoutSeconds")
        if whole is None or whole != first or whole > MOST_SECONDS:
            yield f"{name_of(one)}: timeoutSeconds {whole}, responseStartTimeoutSeconds {first}"


def steps_end_before_their_requests(rendering: Rendering) -> Iterator[str]:
    for one in rendering.functions:
        deadline = deadline_seconds(component_of(one))
        limit = one["spec"]["template"]["spec"].get("timeoutSeconds", 0)
        if deadline is not None and deadline + DRAIN_SECONDS > limit:
            yield f"{name_of(one)}: gives up after {deadline:g} s, its request after {limit} s"


def requests_end_before_deliveries(rendering: Rendering) -> Iterator[str]:
    limits = {name_of(one): one["spec"]["template"]["spec"].get("timeoutSeconds", 0) for one in rendering.functions}
    for trigger in _triggers(rendering):
        limit, given = limits[trigger.subscriber.service], trigger.delivery.timeout_seconds
        if limit >= given:
            yield f"trigger {trigger.name}: gives up after {given:g} s, the request after {limit:g} s"


def retries_outlast_a_step_and_its_lease(rendering: Rendering) -> Iterator[str]:
    units = {name_of(one): component_of(one) for one in rendering.functions}
    for trigger in _triggers(rendering):
        needed = (deadline_seconds(units[trigger.subscriber.service]) or 0) + LIFE_SECONDS
        if trigger.delivery.window_seconds <= needed:
            yield f"trigger {trigger.name}: retries for {trigger.delivery.window_seconds:g} s, {needed:g} s are needed"


def delivery_is_complete(rendering: Rendering) -> Iterator[str]:
    """A Trigger's delivery replaces the Broker's as a block."""
    needed = {"retry", "backoffPolicy", "backoffDelay", "timeout", "deadLetterSink"}
    for one in [*rendering.triggers, *rendering.of("Broker")]:
        missing = needed - (one["spec"].get("delivery") or {}).keys()
        if missing:
            yield f"{one['kind']} {name_of(one)}: delivery without {', '.join(sorted(missing))}"
        delay = (one["spec"].get("delivery") or {}).get("backoffDelay", "PT1S")
        try:
            parse_duration(delay)
        except InvalidManifest as error:
            yield f"{one['kind']} {name_of(one)}: {error}"


def dead_letters_reach_record(rendering: Rendering) -> Iterator[str]:
    """Under the trigger's name, which is what the letter is filed under."""
    record = [name_of(one) for one in rendering.functions if component_of(one) == "record"]
    for trigger in _triggers(rendering):
        sink = trigger.delivery.dead_letter_sink
        if sink is None or sink.service not in record:
            yield f"trigger {trigger.name}: dead letters do not go to record"
        elif sink.path != f"/dead-letters/{trigger.name}":
            yield f"trigger {trigger.name}: dead letters go to {sink.path}"


def filters_have_one_dialect(rendering: Rendering) -> Iterator[str]:
    for one in rendering.triggers:
        try:
            for item in one["spec"].get("filters", ()):
                parse_filter(item)
        except InvalidManifest as error:
            yield f"trigger {name_of(one)}: {error}"
        if ("filter" in one["spec"]) and ("filters" in one["spec"] or not _knows_one_filter_only(rendering)):
            yield f"trigger {name_of(one)}: the legacy filter"
        if "filters" in one["spec"] and _knows_one_filter_only(rendering):
            yield f"trigger {name_of(one)}: this class of broker does not know filters"


def _knows_one_filter_only(rendering: Rendering) -> bool:
    """RabbitMQ's broker takes no notice of `filters`."""
    given = (rendering.values.get("broker") or {}).get("class")
    told = [annotations_of(one).get("eventing.knative.dev/broker.class") for one in rendering.of("Broker")]
    return "RabbitMQBroker" in (given, *told)


def filters_name_declared_types(rendering: Rendering) -> Iterator[str]:
    for trigger in _triggers(rendering):
        named = {value for condition in trigger.filters for value in condition.values("type")}
        for unknown in sorted(named - DATA_MODELS.keys()):
            yield f"trigger {trigger.name}: {unknown} is not a declared type"


def every_event_reaches_its_handlers(rendering: Rendering) -> Iterator[str]:
    units = {name_of(one): component_of(one) for one in rendering.functions}
    left_out = set() if _searches(rendering) else {"index"}
    for missing in sorted(set(FUNCTIONS) - set(units.values()) - left_out):
        yield f"{missing} is not deployed"
    triggers = _triggers(rendering)
    for event_type in DATA_MODELS:
        short = event_type.removeprefix(TYPE_PREFIX).removesuffix(".v1")
        receivers = sorted(units[one.subscriber.service] for one in triggers if one.wants({"type": event_type}))
        wanted = sorted(HANDLERS.get(short, set()) - left_out | {"record"})
        if receivers != wanted:
            yield f"{short} reaches {', '.join(receivers) or 'nobody'} instead of {', '.join(wanted)}"
    unknown = sorted(units[one.subscriber.service] for one in triggers if one.wants({"type": "org.example.new.v1"}))
    if unknown != ["record"]:
        yield f"an unknown type reaches {', '.join(unknown) or 'nobody'} instead of record alone"


def _searches(rendering: Rendering) -> bool:
    told = [(one.get("data") or {}).get("ENABLE_SEARCH", "true") for one in rendering.of("ConfigMap")]
    return "false" not in told


def triggers_hang_on_the_broker(rendering: Rendering) -> Iterator[str]:
    """On one, and where it is ours, one that answers at once."""
    brokers = {one["spec"]["broker"] for one in rendering.triggers}
    if len(brokers) > 1:
        yield f"triggers of several brokers: {', '.join(sorted(brokers))}"
    for one in rendering.of("Broker"):
        told = annotations_of(one)
        if name_of(one) not in brokers:
            yield f"Broker {name_of(one)} has no trigger"
        if (
            told.get("eventing.knative.dev/broker.class") == "MTChannelBasedBroker"
            and told.get("messaging.knative.dev/async-handler") != "true"
        ):
            yield f"Broker {name_of(one)}: publishers would wait for the whole chain"


def units_know_their_variables(rendering: Rendering) -> Iterator[str]:
    """Each is handed what it declares, and nothing that it does not."""
    for pod in rendering.pods:
        if pod.component not in UNITS:
            continue
        for container in pod.spec["containers"]:
            given = {entry["name"] for entry in container.get("env", ())}
            if container.get("envFrom"):
                yield f"{pod.name}: takes whole ConfigMaps or Secrets"
            declared, free = variables_of(pod.component)
            free = free | (rendering.values.get("extraEnv") or {}).keys()
            for name in sorted(given - declared - free):
                yield f"{pod.name}: {name} is not one of its settings"
            for name in sorted(declared - free - given):
                yield f"{pod.name}: is not given {name}"


def no_variable_is_given_twice(rendering: Rendering) -> Iterator[str]:
    for pod in rendering.pods:
        for container in pod.containers:
            names = [entry["name"] for entry in container.get("env", ())]
            for name in sorted({name for name in names if names.count(name) > 1}):
                yield f"{pod.name}: {name} is given twice"


def secrets_stand_in_secrets_only(rendering: Rendering) -> Iterator[str]:
    secret = secret_variables()
    for one in rendering.of("ConfigMap"):
        for name in sorted(secret & (one.get("data") or {}).keys()):
            yield f"ConfigMap {name_of(one)}: holds {name}"
    for pod in rendering.pods:
        for entry in pod.variables():
            source = entry.get("valueFrom", {})
            if entry["name"] in secret and "secretKeyRef" not in source:
                yield f"{pod.name}: {entry['name']} does not come from a Secret"
    for value in _secret_values(rendering):
        for one in rendering.resources:
            if one["kind"] not in ("Secret", "ExternalSecret") and _contains(one, value):
                yield f"{one['kind']} {name_of(one)}: quotes a secret"


def _secret_values(rendering: Rendering) -> set[str]:
    given = dict(rendering.values.get("secrets") or {})
    for one in rendering.of("Secret"):
        given |= one.get("stringData", {})
        given |= {
            name: base64.b64decode(value).decode("utf-8", "replace") for name, value in one.get("data", {}).items()
        }
    return {str(value) for name, value in given.items() if name in secret_variables() and value}


def _contains(resource: Resource, value: str) -> bool:
    text = json.dumps(resource)
    return json.dumps(value)[1:-1] in text or base64.b64encode(value.encode()).decode() in text


def references_resolve(rendering: Rendering) -> Iterator[str]:
    """Names of ConfigMaps, Secrets, accounts, claims, back ends, scale targets and sinks that must be there."""
    outside = _outside(rendering)
    for pod in rendering.pods:
        for kind, name in _needed_by(pod):
            if not rendering.has(kind, name) and name not in outside:
                yield f"{pod.name}: there is no {kind} {name}"
        for kind, name, key in _keys_of(pod):
            if rendering.has(kind, name):
                holder = rendering.named(kind, name)
                if key not in {**(holder.get("data") or {}), **(holder.get("stringData") or {})}:
                    yield f"{pod.name}: {kind} {name} has no {key}"
    for trigger in _triggers(rendering):
        for sink in (trigger.subscriber, trigger.delivery.dead_letter_sink):
            if sink is not None and not rendering.has("Service", sink.service, "serving.knative.dev"):
                yield f"trigger {trigger.name}: there is no function {sink.service}"
    for one in rendering.of("Ingress"):
        for rule in one["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                yield from _back_end(rendering, one, path["backend"]["service"])
    for one in rendering.of("HorizontalPodAutoscaler"):
        target = one["spec"]["scaleTargetRef"]
        if not rendering.has(target["kind"], target["name"], target["apiVersion"]):
            yield f"HorizontalPodAutoscaler {name_of(one)}: there is no {target['kind']} {target['name']}"


def _outside(rendering: Rendering) -> set[str]:
    """What the values say is there already."""
    values = rendering.values
    named = [
        values.get("existingSecret"),
        (values.get("serviceAccount") or {}).get("name"),
        (values.get("trustedCertificates") or {}).get("configMap"),
    ]
    made = [one["spec"].get("target", {}).get("name", name_of(one)) for one in rendering.of("ExternalSecret")]
    return {str(name) for name in (*named, *made) if name}


def _needed_by(pod: Pod) -> Iterator[tuple[str, str]]:
    if account := pod.spec.get("serviceAccountName"):
        yield "ServiceAccount", account
    for kind, reference in _references(pod):
        if not reference.get("optional"):
            yield kind, reference["name"]
    for volume in pod.spec.get("volumes", ()):
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume and not volume["secret"].get("optional"):
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def _keys_of(pod: Pod) -> Iterator[tuple[str, str, str]]:
    for kind, reference in _references(pod):
        if "key" in reference and not reference.get("optional"):
            yield kind, reference["name"], reference["key"]


def _references(pod: Pod) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for container in pod.containers:
        for entry in container.get("env", ()):
            source = entry.get("valueFrom", {})
            if "configMapKeyRef" in source:
                yield "ConfigMap", source["configMapKeyRef"]
            if "secretKeyRef" in source:
                yield "Secret", source["secretKeyRef"]
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                yield "ConfigMap", source["configMapRef"]
            if "secretRef" in source:
                yield "Secret", source["secretRef"]


def _back_end(rendering: Rendering, ingress: Resource, asked: Mapping[str, Any]) -> Iterator[str]:
    if not rendering.has("Service", asked["name"], "v1"):
        yield f"Ingress {name_of(ingress)}: there is no Service {asked['name']}"
        return
    ports = rendering.named("Service", asked["name"], "v1")["spec"]["ports"]
    if not any(asked["port"].items() <= {"name": port.get("name"), "number": port["port"]}.items() for port in ports):
        yield f"Ingress {name_of(ingress)}: Service {asked['name']} has no port {asked['port']}"


def selectors_meet_pods(rendering: Rendering) -> Iterator[str]:
    """Services, disruption budgets, monitors and network policies mean pods that are there."""
    labels = [pod.labels for pod in rendering.pods]
    for kind, name, selector in _selectors(rendering):
        if not any(_selects(selector, one) for one in labels):
            yield f"{kind} {name}: selects no pod"
    for one in rendering.of("Service", "v1"):
        chosen = [pod for pod in rendering.pods if _selects({"matchLabels": one["spec"]["selector"]}, pod.labels)]
        for pod in chosen:
            if pod.is_function or pod.owner["kind"] in ("Job", "CronJob", "Pod"):
                yield f"Service {name_of(one)}: selects {pod.name} as well"
            ports = {port.get("name") for container in pod.containers for port in container.get("ports", ())}
            for port in one["spec"]["ports"]:
                if isinstance(port.get("targetPort"), str) and port["targetPort"] not in ports:
                    yield f"Service {name_of(one)}: {pod.name} has no port {port['targetPort']}"
    services = [one["metadata"].get("labels", {}) for one in rendering.of("Service", "v1")]
    for one in rendering.of("ServiceMonitor"):
        if not any(_selects(one["spec"]["selector"], each) for each in services):
            yield f"ServiceMonitor {name_of(one)}: selects no Service"


def _selectors(rendering: Rendering) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for one in rendering.of("Service", "v1"):
        yield "Service", name_of(one), {"matchLabels": one["spec"]["selector"]}
    for kind in ("PodDisruptionBudget",):
        for one in rendering.of(kind):
            yield kind, name_of(one), one["spec"]["selector"]
    for one in rendering.of("NetworkPolicy"):
        yield "NetworkPolicy", name_of(one), one["spec"]["podSelector"]
        for rule in (*one["spec"].get("ingress", ()), *one["spec"].get("egress", ())):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    yield "NetworkPolicy", f"{name_of(one)} (a peer)", peer["podSelector"]


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    exact = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _meets(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", ())
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def network_policies_cover_all_pods(rendering: Rendering) -> Iterator[str]:
    """Where there are any, each pod is meant by one in both directions."""
    policies = rendering.of("NetworkPolicy")
    for pod in rendering.pods if policies else ():
        meant = [one["spec"] for one in policies if _selects(one["spec"]["podSelector"], pod.labels)]
        for direction in ("Ingress", "Egress"):
            if not any(direction in spec["policyTypes"] for spec in meant):
                yield f"{pod.name}: no network policy for its {direction.lower()}"


def functions_are_called_by_knative_only(rendering: Rendering) -> Iterator[str]:
    """Their pods take nothing but what comes out of Knative's and the gateway's namespaces, and scrapes of metrics."""
    functions = [pod for pod in rendering.pods if pod.is_function]
    for one in rendering.of("NetworkPolicy"):
        for pod in functions:
            if not _selects(one["spec"]["podSelector"], pod.labels):
                continue
            for rule in one["spec"].get("ingress") or ():
                if not rule.get("from") or any(not _is_narrow(peer) for peer in rule["from"]):
                    yield f"NetworkPolicy {name_of(one)}: lets anybody reach {pod.name}"


def _is_narrow(peer: Mapping[str, Any]) -> bool:
    return any(peer.get(part) for part in ("namespaceSelector", "podSelector", "ipBlock"))


def hooks_find_what_they_need(rendering: Rendering) -> Iterator[str]:
    """A hook runs before the release's own resources exist: what it refers to is a hook of lower weight, or outside."""
    for one in rendering.resources:
        phases = annotations_of(one).get(HOOK, "").split(",")
        if not any(phase.startswith("pre-install") for phase in phases):
            continue
        for pod in pods_of(one):
            for kind, name in {*_needed_by(pod), *((kind, ref["name"]) for kind, ref in _references(pod))}:
                if rendering.has(kind, name):
                    yield from _earlier(one, rendering.named(kind, name))


def _earlier(hook: Resource, needed: Resource) -> Iterator[str]:
    what = f"{needed['kind']} {name_of(needed)}"
    told, own = annotations_of(needed), annotations_of(hook)
    missing = {phase.strip() for phase in own[HOOK].split(",")} - {
        phase.strip() for phase in told.get(HOOK, "").split(",")
    }
    if missing:
        yield f"{hook['kind']} {name_of(hook)}: {what} is not there at {', '.join(sorted(missing))}"
    elif _weight(told) >= _weight(own):
        yield f"{hook['kind']} {name_of(hook)}: {what} is not there before it"


def _weight(annotations: Mapping[str, str]) -> int:
    return int(annotations.get("helm.sh/hook-weight", "0"))


def hooks_do_not_take_away_what_stays(rendering: Rendering) -> Iterator[str]:
    """A hook's resource that is deleted on success is no good to a pod that stays."""
    fleeting = {
        (one["kind"], name_of(one))
        for one in rendering.resources
        if is_hook(one) and "hook-succeeded" in annotations_of(one).get("helm.sh/hook-delete-policy", "")
    }
    for pod in rendering.pods:
        if not is_hook(pod.owner):
            for kind, name in {*_needed_by(pod), *((kind, ref["name"]) for kind, ref in _references(pod))} & fleeting:
                yield f"{pod.name}: {kind} {name} goes with the hook"


def the_database_is_migrated_first(rendering: Rendering) -> Iterator[str]:
    jobs = [one for one in rendering.of("Job") if component_of(one) == "migrate"]
    for one in jobs:
        phases = {phase.strip() for phase in annotations_of(one).get(HOOK, "").split(",")}
        if phases != {"pre-install", "pre-upgrade"}:
            yield f"Job {name_of(one)}: runs at {', '.join(sorted(phases))}"
    wanted = (rendering.values.get("migrate") or {}).get("enabled", True)
    if len(jobs) != wanted:
        yield f"{len(jobs)} migrations"


def claims_are_kept(rendering: Rendering) -> Iterator[str]:
    for one in rendering.of("PersistentVolumeClaim"):
        if annotations_of(one).get("helm.sh/resource-policy") != "keep":
            yield f"PersistentVolumeClaim {name_of(one)}: goes with the release"


def workers_know_no_database(rendering: Rendering) -> Iterator[str]:
    """Those who read untrusted files hold no key to what all others have."""
    keys = {"convert": {"DATABASE_URL", "OPENAI_API_KEY", "AZURE_AI_KEY"}, "ocr": {"DATABASE_URL", "OPENAI_API_KEY"}}
    for pod in rendering.pods:
        for name in sorted({entry["name"] for entry in pod.variables()} & keys.get(pod.component, set())):
            yield f"{pod.name}: knows {name}"


def _triggers(rendering: Rendering) -> list[Trigger]:
    """Those that can be read; what is wrong with the others is another policy's to say."""
    found = []
    for one in rendering.triggers:
        try:
            found.append(parse_trigger(_with_filters(one)))
        except (KeyError, InvalidManifest):
            continue
    return found


def _with_filters(trigger: Resource) -> Resource:
    spec = trigger["spec"]
    if "filters" in spec or "filter" not in spec:
        return trigger
    return trigger | {"spec": spec | {"filters": [{"exact": spec["filter"].get("attributes", {})}]}}


OF_ALL_MANIFESTS: tuple[Policy, ...] = (
    pods_are_restricted,
    nobody_gets_a_token_of_the_cluster,
    images_are_pinned,
    containers_say_what_they_need,
    what_serves_is_probed,
    names_fit,
    annotations_are_strings,
    autoscaling_is_told_to_revisions,
    functions_are_not_public,
    requests_have_both_time_limits,
    steps_end_before_their_requests,
    requests_end_before_deliveries,
    retries_outlast_a_step_and_its_lease,
    delivery_is_complete,
    dead_letters_reach_record,
    filters_have_one_dialect,
    filters_name_declared_types,
    every_event_reaches_its_handlers,
    triggers_hang_on_the_broker,
    units_know_their_variables,
    no_variable_is_given_twice,
    secrets_stand_in_secrets_only,
    workers_know_no_database,
    selectors_meet_pods,
    network_policies_cover_all_pods,
    functions_are_called_by_knative_only,
)
"""What holds of the chart and of `knative/`."""

OF_RELEASES: tuple[Policy, ...] = (
    *OF_ALL_MANIFESTS,
    references_resolve,
    hooks_find_what_they_need,
    hooks_do_not_take_away_what_stays,
    the_database_is_migrated_first,
    claims_are_kept,
)
"""What holds of a whole release."""
