"""Reads the Knative manifests in `knative/`, so that one machine is wired exactly as a cluster is.

Understands what those files use and refuses the rest: a field that would be ignored here would work differently there.
Functions and triggers go by the names that their labels give: those of the objects begin with the release's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

_DURATION = re.compile(r"P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
_COMPONENT = "app.kubernetes.io/component"
_TRIGGER = "docuelevate.org/trigger"
_UNLIMITED_CONCURRENCY = 100
"""What a `containerConcurrency` of 0 means here."""


class InvalidManifest(ValueError):
    """A manifest says something that this reader does not understand or that contradicts itself."""


@dataclass(frozen=True)
class Filter:
    """One condition on the attributes of an event, in one dialect: exact, prefix, suffix, all, any or not."""

    dialect: str
    attributes: Mapping[str, str]
    parts: tuple["Filter", ...] = ()

    def matches(self, event: Mapping[str, str]) -> bool:
        """Whether an event with these attributes passes."""
        match self.dialect:
            case "all":
                return all(part.matches(event) for part in self.parts)
            case "any":
                return any(part.matches(event) for part in self.parts)
            case "not":
                return not self.parts[0].matches(event)
            case "prefix":
                return all(event.get(name, "").startswith(value) for name, value in self.attributes.items())
            case "suffix":
                return all(event.get(name, "").endswith(value) for name, value in self.attributes.items())
            case _:
                return all(event.get(name) == value for name, value in self.attributes.items())

    def values(self, attribute: str) -> Iterator[str]:
        """Every value that this filter compares the attribute with."""
        if attribute in self.attributes:
            yield self.attributes[attribute]
        for part in self.parts:
            yield from part.values(attribute)


@dataclass(frozen=True)
class Destination:
    """Where an event is sent: a function by name and a path on it."""

    service: str
    path: str = "/"


@dataclass(frozen=True)
class Delivery:
    """How often, how fast and how long a trigger tries; all times in seconds."""

    retry: int
    backoff_policy: str
    backoff_delay_seconds: float
    timeout_seconds: float
    dead_letter_sink: Destination | None

    def gap_seconds(self, attempts: int) -> float:
        """The pause after this many failed attempts (from 1). Knative counts from zero: delay·2⁰, or delay·0."""
        if self.backoff_policy == "linear":
            return self.backoff_delay_seconds * (attempts - 1)
        return float(self.backoff_delay_seconds * 2 ** (attempts - 1))

    @property
    def window_seconds(self) -> float:
        """All pauses together: how long a subscriber may refuse before an event is given up."""
        return sum(self.gap_seconds(attempts) for attempts in range(1, self.retry + 1))


@dataclass(frozen=True)
class Trigger:
    """Which events go to which Service."""

    name: str
    filters: tuple[Filter, ...]
    subscriber: Destination
    delivery: Delivery

    def wants(self, attributes: Mapping[str, str]) -> bool:
        """Whether an event with these attributes is for this trigger: every filter passes."""
        return all(condition.matches(attributes) for condition in self.filters)


@dataclass(frozen=True)
class Variable:
    """One environment variable of a function: a literal value, or the name of an entry to be looked up."""

    name: str
    value: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Service:
    """One function: how much it takes at once, how long, how many of it, and what it gets to know."""

    name: str
    concurrency: int
    timeout_seconds: float
    max_scale: int | None
    variables: tuple[Variable, ...] = ()
    followed_by: str | None = None
    """Who gets its replies; started ahead of them, so that a first document does not wait for start after start."""


@dataclass(frozen=True)
class Wiring:
    """All Services and Triggers of the one broker."""

    broker: str
    services: Mapping[str, Service]
    triggers: tuple[Trigger, ...]


def read_wiring(directory: Path) -> Wiring:
    """Read every Knative manifest of a directory, and nothing else that is there.

    Raises InvalidManifest, naming the file or the reference that is wrong.
    """
    brokers: list[str] = []
    services: dict[str, Service] = {}
    functions: dict[str, str] = {}
    triggers: list[Trigger] = []
    for path, document in _documents(directory):
        try:
            match document["apiVersion"].partition("/")[0], document["kind"]:
                case "eventing.knative.dev", "Broker":
                    brokers.append(document["metadata"]["name"])
                case "serving.knative.dev", "Service":
                    service = parse_service(document)
                    services[service.name] = service
                    functions[document["metadata"]["name"]] = service.name
                case "eventing.knative.dev", "Trigger":
                    triggers.append(parse_trigger(document))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidManifest(f"{path.name}: {error!r}") from error
    if len(brokers) != 1:
        raise InvalidManifest(f"{directory}: one Broker is needed, {len(brokers)} found")
    _check_followers(services)
    return Wiring(brokers[0], services, tuple(_among(functions, trigger) for trigger in triggers))


def parse_trigger(document: Mapping[str, Any]) -> Trigger:
    """Read one Trigger; its destinations are named like the Services."""
    spec = document["spec"]
    delivery = spec["delivery"]
    sink = delivery.get("deadLetterSink")
    return Trigger(
        name=document["metadata"]["labels"][_TRIGGER],
        filters=tuple(parse_filter(item) for item in spec.get("filters", ())),
        subscriber=_destination(spec["subscriber"]),
        delivery=Delivery(
            retry=int(delivery["retry"]),
            backoff_policy=delivery["backoffPolicy"],
            backoff_delay_seconds=parse_duration(delivery["backoffDelay"]),
            timeout_seconds=parse_duration(delivery["timeout"]),
            dead_letter_sink=_destination(sink) if sink else None,
        ),
    )


def parse_service(document: Mapping[str, Any]) -> Service:
    """Read one Knative Service. The shorter of its two time limits is the one that ends a request."""
    template = document["spec"]["template"]
    spec = template["spec"]
    annotations = template["metadata"]["annotations"]
    max_scale = int(annotations.get("autoscaling.knative.dev/max-scale", "0"))
    return Service(
        name=document["metadata"]["labels"][_COMPONENT],
        concurrency=int(spec["containerConcurrency"]) or _UNLIMITED_CONCURRENCY,
        timeout_seconds=float(min(spec["timeoutSeconds"], spec["responseStartTimeoutSeconds"])),
        max_scale=max_scale or None,
        variables=tuple(_variable(entry) for entry in spec["containers"][0].get("env", ())),
        followed_by=annotations.get("docuelevate.org/followed-by"),
    )


def parse_filter(item: Mapping[str, Any]) -> Filter:
    """Read one filter. Knative's webhook refuses an item with more than one dialect, and so does this."""
    if len(item) != 1:
        raise InvalidManifest(f"a filter has exactly one dialect, not {sorted(item)}")
    ((dialect, content),) = item.items()
    match dialect:
        case "exact" | "prefix" | "suffix":
            return Filter(dialect, dict(content))
        case "all" | "any":
            return Filter(dialect, {}, tuple(parse_filter(part) for part in content))
        case "not":
            return Filter(dialect, {}, (parse_filter(content),))
        case _:
            raise InvalidManifest(f"the filter dialect {dialect} is not supported")


def parse_duration(text: str) -> float:
    """Seconds of an ISO 8601 duration of days or less, such as `PT1M30S` or `PT0.5S`."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise InvalidManifest(f"{text!r} is not a duration such as PT30S")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _documents(directory: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted(directory.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            if document:
                yield path, document


def _destination(content: Mapping[str, Any]) -> Destination:
    reference = content["ref"]
    if reference["kind"] != "Service":
        raise InvalidManifest(f"a destination is a Service, not a {reference['kind']}")
    return Destination(reference["name"], content.get("uri", "/"))


def _among(functions: Mapping[str, str], trigger: Trigger) -> Trigger:
    """The trigger with the names of functions in the place of those of Services."""

    def function(destination: Destination) -> Destination:
        if destination.service not in functions:
            raise InvalidManifest(f"trigger {trigger.name} names the unknown service {destination.service}")
        return replace(destination, service=functions[destination.service])

    sink = trigger.delivery.dead_letter_sink
    delivery = replace(trigger.delivery, dead_letter_sink=function(sink)) if sink else trigger.delivery
    return replace(trigger, subscriber=function(trigger.subscriber), delivery=delivery)


def _variable(entry: Mapping[str, Any]) -> Variable:
    if "value" in entry:
        return Variable(entry["name"], value=str(entry["value"]))
    (reference,) = entry["valueFrom"].values()
    return Variable(entry["name"], key=reference["key"])


def _check_followers(services: Mapping[str, Service]) -> None:
    for service in services.values():
        if service.followed_by not in (None, *services):
            raise InvalidManifest(f"service {service.name} names the unknown service {service.followed_by}")
