"""What the chart renders, or `knative/` holds, as objects that checks can ask: pods, references, releases."""

import copy
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "docuelevate"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))

Resource = dict[str, Any]

HOOK = "helm.sh/hook"
COMPONENT = "app.kubernetes.io/component"
KNATIVE_SERVICE = "serving.knative.dev/v1"
# What `helm template` cannot ask a cluster for.
SERVED = (
    "serving.knative.dev/v1/Service",
    "eventing.knative.dev/v1/Broker",
    "eventing.knative.dev/v1/Trigger",
    "monitoring.coreos.com/v1/ServiceMonitor",
)


class Refused(Exception):
    """Helm did not render; the message is what it said."""


@dataclass(frozen=True)
class Pod:
    """A pod that some resource asks for."""

    owner: Resource
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.owner['kind']} {name_of(self.owner)}"

    @property
    def component(self) -> str:
        labels = self.metadata.get("labels", {}) | self.owner["metadata"].get("labels", {})
        return str(labels.get(COMPONENT, ""))

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, with those that Knative adds."""
        labels = dict(self.metadata.get("labels", {}))
        if self.is_function:
            # Knative copies nothing but the template's own labels, and adds these.
            labels |= {"serving.knative.dev/service": name_of(self.owner)}
        return labels

    @property
    def is_function(self) -> bool:
        return self.owner["apiVersion"] == KNATIVE_SERVICE

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def variables(self) -> Iterator[dict[str, Any]]:
        for container in self.containers:
            yield from container.get("env", ())


@dataclass
class Rendering:
    """All resources of one release. `values` are what the chart was given beside its defaults."""

    resources: list[Resource]
    namespace: str = "paper"
    values: Mapping[str, Any] = field(default_factory=dict)

    def changed(self) -> "Rendering":
        """A copy that a test may spoil."""
        return Rendering(copy.deepcopy(self.resources), self.namespace, self.values)

    def of(self, kind: str, api: str = "") -> list[Resource]:
        return [one for one in self.resources if one["kind"] == kind and one["apiVersion"].startswith(api)]

    def named(self, kind: str, name: str, api: str = "") -> Resource:
        (found,) = [one for one in self.of(kind, api) if name_of(one) == name]
        return found

    def has(self, kind: str, name: str, api: str = "") -> bool:
        return any(name_of(one) == name for one in self.of(kind, api))

    @property
    def functions(self) -> list[Resource]:
        return self.of("Service", "serving.knative.dev")

    @property
    def triggers(self) -> list[Resource]:
        return self.of("Trigger")

    def function(self, component: str) -> Resource:
        (found,) = [one for one in self.functions if component_of(one) == component]
        return found

    @property
    def pods(self) -> list[Pod]:
        return [pod for one in self.resources for pod in pods_of(one)]


def pods_of(resource: Resource) -> Iterator[Pod]:
    """The pods that a resource asks for."""
    match resource["kind"]:
        case "Pod":
            yield Pod(resource, resource["metadata"], resource["spec"])
        case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
            yield _pod(resource, resource["spec"]["template"])
        case "CronJob":
            yield _pod(resource, resource["spec"]["jobTemplate"]["spec"]["template"])
        case "Service" if resource["apiVersion"] == KNATIVE_SERVICE:
            yield _pod(resource, resource["spec"]["template"])


def _pod(owner: Resource, template: Mapping[str, Any]) -> Pod:
    return Pod(owner, template.get("metadata") or {}, template["spec"])


def name_of(resource: Resource) -> str:
    return str(resource["metadata"]["name"])


def component_of(resource: Resource) -> str:
    return str(resource["metadata"].get("labels", {}).get(COMPONENT, ""))


def annotations_of(resource: Resource) -> dict[str, str]:
    return resource["metadata"].get("annotations") or {}


def is_hook(resource: Resource) -> bool:
    return HOOK in annotations_of(resource)


@cache
def helm_program() -> str:
    """Helm: of `HELM`, of the path, or as scripts/install-tools put it."""
    ours = ROOT / ".tools" / "bin" / "helm"
    found = os.environ.get("HELM") or shutil.which("helm") or (str(ours) if ours.exists() else None)
    assert found, "helm is missing: run scripts/install-tools"
    return found


def helm(*arguments: str, given: str = "") -> str:
    """What helm prints. Raises Refused with what it says otherwise."""
    done = subprocess.run([helm_program(), *arguments], input=given, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def render(*files: Path, namespace: str = "paper", release: str = "docuelevate", **values: Any) -> Rendering:
    """Render the chart as `helm install` would, with values files and, on top, `values`."""
    arguments = ["template", release, str(CHART), "--namespace", namespace]
    arguments += [part for file in files for part in ("--values", str(file))]
    arguments += [part for api in SERVED for part in ("--api-versions", api)]
    rendered = helm(*arguments, "--values", "-", given=yaml.safe_dump(values))
    given: dict[str, Any] = {}
    for file in files:
        given |= yaml.safe_load(file.read_text()) or {}
    return Rendering(load(rendered), namespace, given | values)


@cache
def scenario(path: Path) -> Rendering:
    """One of the chart's own scenarios, rendered once; `changed()` it before spoiling it."""
    return render(path)


@cache
def manifests() -> Rendering:
    """What stands in `knative/`."""
    paths = sorted(path for path in (ROOT / "knative").glob("*.yaml") if path.name != "kustomization.yaml")
    return Rendering([one for path in paths for one in load(path.read_text())])


def load(text: str) -> list[Resource]:
    return list(_flat(document for document in yaml.safe_load_all(text) if document))


def _flat(documents: Iterable[Resource]) -> Iterator[Resource]:
    for document in documents:
        yield from document["items"] if document["kind"] == "List" else (document,)
