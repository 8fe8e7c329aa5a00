"""The cluster that KUBECONFIG names, through kubectl and helm: nothing here needs to reach its pods from outside."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

PAUSE_SECONDS = 0.5


class CommandFailed(Exception):
    """A command ended badly; the message is what it said."""


def run(*command: str, given: str | None = None, seconds: float = 300) -> str:
    """What a command prints. Raises CommandFailed."""
    assert shutil.which(command[0]), f"{command[0]} is not on the path"
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


@dataclass(frozen=True)
class Namespace:
    """One namespace."""

    name: str

    def kubectl(self, *arguments: str, given: str | None = None, seconds: float = 300) -> str:
        """What kubectl prints."""
        return run("kubectl", "--namespace", self.name, *arguments, given=given, seconds=seconds)

    def apply(self, *resources: dict[str, Any]) -> None:
        """Make these resources."""
        self.kubectl("apply", "--filename", "-", given=yaml.safe_dump_all(resources))

    def get(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """All resources of a kind."""
        return list(json.loads(self.kubectl("get", kind, "--output", "json", *arguments))["items"])

    def wait(self, state: str, *what: str, seconds: int) -> None:
        """Until everything named is in that state, such as `condition=Ready`."""
        self.kubectl("wait", f"--for={state}", f"--timeout={seconds}s", *what, seconds=seconds + 30)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Pods that live and are not being deleted."""
        found = self.get("pods", "--selector", selector)
        return [
            pod
            for pod in found
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] in ("Pending", "Running")
        ]

    def kill(self, pod: str) -> None:
        """Without grace, as a node that fails would."""
        self.kubectl("delete", "pod", pod, "--force", "--grace-period=0", "--ignore-not-found")

    def python(self, pod: str, program: str, *arguments: str, container: str = "", seconds: float = 300) -> str:
        """Run a Python program in a pod that has Python; what it prints."""
        chosen = ("--container", container) if container else ()
        command = ("exec", "--stdin", pod, *chosen, "--", "python", "-", *arguments)
        return self.kubectl(*command, given=program, seconds=seconds)


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """A new one for the length of the block."""
    run("kubectl", "create", "namespace", name)
    try:
        yield Namespace(name)
    finally:
        run("kubectl", "delete", "namespace", name, "--wait=false")


def until(condition: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> Any:
    """The first true answer. Raises TimeoutError that says what did not come."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > ends:
            raise TimeoutError(f"after {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(PAUSE_SECONDS)
    return found


def restricted(name: str, image: str, command: Sequence[str], **container: Any) -> dict[str, Any]:
    """The spec of a pod that any namespace admits."""
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    mount = {"name": "scratch", "mountPath": "/tmp"}
    return {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "containers": [
            {
                "name": name,
                "image": image,
                "command": list(command),
                "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                "securityContext": context,
                **container,
                "volumeMounts": [mount, *container.get("volumeMounts", ())],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
