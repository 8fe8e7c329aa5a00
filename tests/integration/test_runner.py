"""The runner as a process with real children: on demand, scaled, stopped, replaced, drained, and never outlived."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.processes.sockets import remove
from tests.servers.ports import free_port

PROGRAM = Path(__file__).with_name("runner_process.py")

FUNCTION = """
import asyncio, json, os, signal, subprocess, time
from pathlib import Path
import functions_framework.aio
from starlette.responses import Response

LOG = Path(os.environ["DATA_DIR"]) / "seen.jsonl"
PLAYGROUND = Path(os.environ["DATA_DIR"])

def note(what, **fields):
    with LOG.open("a") as file:
        file.write(json.dumps({"what": what, "pid": os.getpid(), **fields}) + "\\n")

note("start", environment=dict(os.environ))
if (PLAYGROUND / "broken").exists():
    raise RuntimeError("this function does not start")

@functions_framework.aio.http
async def work(request):
    if request.method == "GET" or request.url.path == "/unlock":
        return Response("direct " + request.url.path)
    data = json.loads(await request.body())
    note("begin", data=data, id=request.headers["ce-id"])
    if "hold" in data:
        while not (PLAYGROUND / data["hold"]).exists():
            await asyncio.sleep(0.02)
    if "helper" in data:
        note("helper", helper=subprocess.Popen(["sleep", "600"]).pid)
    if "die_once" in data and not (PLAYGROUND / "died").exists():
        (PLAYGROUND / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    note("end", data=data)
    if data.get("refuse"):
        return Response("{}", 422)
    if "next" in data:
        headers = {"ce-specversion": "1.0", "ce-id": "next", "ce-source": "/work", "ce-type": "test.next",
                   "content-type": "application/json"}
        return Response(json.dumps(data["next"]), 200, headers)
    return Response(status_code=202)

@functions_framework.aio.http
async def sink(request):
    note("sink", path=request.url.path, type=request.headers["ce-type"], headers=dict(request.headers))
    return Response(status_code=202)
"""

BROKER = "{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {name: test}}"


def service(name: str, concurrency: int = 1) -> str:
    return json.dumps(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": f"test-{name}", "labels": {"app.kubernetes.io/component": name}},
            "spec": {
                "template": {
                    "metadata": {"annotations": {"autoscaling.knative.dev/max-scale": "2"}},
                    "spec": {
                        "containerConcurrency": concurrency,
                        "timeoutSeconds": 30,
                        "responseStartTimeoutSeconds": 30,
                        "containers": [
                            {
                                "env": [
                                    {"name": "GIVEN", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "GIVEN"}}}
                                ]
                            }
                        ],
                    },
                }
            },
        }
    )


def trigger(event_type: str, subscriber: str) -> str:
    return json.dumps(
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": {"name": f"test-{subscriber}", "labels": {"docuelevate.org/trigger": subscriber}},
            "spec": {
                "filters": [{"exact": {"type": event_type}}],
                "subscriber": {"ref": {"kind": "Service", "name": f"test-{subscriber}"}},
                "delivery": {
                    "retry": 8,
                    "backoffPolicy": "exponential",
                    "backoffDelay": "PT0.05S",
                    "timeout": "PT60S",
                    "deadLetterSink": {"ref": {"kind": "Service", "name": "test-sink"}, "uri": "/dead-letters/work"},
                },
            },
        }
    )


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until the condition holds; its value. The limit only ends a test that has failed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


class Machine:
    """A directory with functions and manifests, and runners started on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.log = root / "log"
        self.runner: subprocess.Popen[bytes] | None = None
        (root / "knative").mkdir()
        self.data.mkdir()
        for name in ("work", "sink"):
            (root / "functions" / name).mkdir(parents=True)
            (root / "functions" / name / "main.py").write_text(FUNCTION)
        manifests = [
            BROKER,
            service("work"),
            service("sink", 4),
            trigger("test.work", "work"),
            trigger("test.next", "sink"),
        ]
        (root / "knative" / "all.yaml").write_text("\n---\n".join(manifests))
        self.port, self.broker_port = free_port(), free_port()

    def start(self, **settings: Any) -> subprocess.Popen[bytes]:
        defaults = {"port": self.port, "broker_port": self.broker_port, "function_idle_seconds": 60}
        environment = {**os.environ, "GIVEN": "given", "HIDDEN": "hidden"}
        with self.log.open("ab") as log:
            self.runner = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(self.root), json.dumps(defaults | settings)],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        return self.runner

    def started(self, **settings: Any) -> subprocess.Popen[bytes]:
        runner = self.start(**settings)
        assert runner.stdout is not None
        assert b"is running on" in runner.stdout.readline(), self.log.read_text()
        return runner

    def publish(self, event_id: str = "1", **data: Any) -> int:
        headers = {
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-source": "/test",
            "ce-type": "test.work",
            "content-type": "application/json",
        }
        return httpx.post(self.broker_url, headers=headers, content=json.dumps(data)).status_code

    @property
    def broker_url(self) -> str:
        return f"http://127.0.0.1:{self.broker_port}"

    def seen(self, what: str) -> list[dict[str, Any]]:
        try:
            lines = (self.data / "seen.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [entry for entry in map(json.loads, lines) if entry["what"] == what]

    def release(self, name: str) -> None:
        (self.data / name).touch()

    def children(self) -> set[int]:
        return {entry["pid"] for entry in self.seen("start")}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    if made.runner and made.runner.poll() is None:
        made.runner.kill()
        made.runner.wait()
    with contextlib.suppress(OSError):
        remove((made.data / "sockets").readlink())


def test_nothing_runs_until_there_is_work(machine: Machine) -> None:
    machine.started()
    assert httpx.get(f"http://127.0.0.1:{machine.port}/").text == "web"
    assert machine.children() == set()
    assert machine.publish() == 202
    until(lambda: machine.seen("end"))
    assert len(machine.children()) == 1


def test_reply_goes_to_the_next_function(machine: Machine) -> None:
    machine.started()
    machine.publish(next={"n": 1})
    (seen,) = until(lambda: machine.seen("sink"))
    assert seen["type"] == "test.next"
    assert seen["headers"]["ce-id"] == "next"


def test_what_is_refused_becomes_a_dead_letter(machine: Machine) -> None:
    machine.started()
    machine.publish(refuse=True)
    (seen,) = until(lambda: machine.seen("sink"))
    assert seen["path"] == "/dead-letters/work"
    assert seen["headers"]["ce-knativeerrorcode"] == "422"
    assert seen["headers"]["ce-knativeerrordest"] == "http://work.local.svc.cluster.local/"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_waiting_requests_get_a_second_process_and_no_third(machine: Machine) -> None:
    machine.started()
    for number in range(4):
        machine.publish(str(number), hold="go")
    until(lambda: len(machine.seen("begin")) == 2)
    assert len({entry["pid"] for entry in machine.seen("begin")}) == 2
    machine.release("go")
    until(lambda: len(machine.seen("end")) == 4)
    assert len(machine.children()) == 2


def test_next_function_is_started_ahead(machine: Machine) -> None:
    manifest = machine.root / "knative" / "all.yaml"
    hint = '"docuelevate.org/followed-by": "sink", "autoscaling'
    manifest.write_text(manifest.read_text().replace('"autoscaling', hint, 1))
    machine.started()
    machine.publish(hold="go")
    until(lambda: {entry["environment"]["K_SERVICE"] for entry in machine.seen("start")} == {"work", "sink"})
    assert not machine.seen("end")
    machine.release("go")


def test_idle_process_is_stopped(machine: Machine) -> None:
    machine.started(function_idle_seconds=0.2)
    machine.publish()
    (entry,) = until(lambda: machine.seen("end"))
    until(lambda: not alive(entry["pid"]))
    machine.publish("2")
    until(lambda: len(machine.seen("end")) == 2)
    assert len(machine.children()) == 2


def test_process_that_dies_at_work_is_replaced_and_the_event_delivered_again(machine: Machine) -> None:
    machine.started()
    machine.publish(die_once=True)
    until(lambda: machine.seen("end"))
    assert [entry["id"] for entry in machine.seen("begin")] == ["1", "1"]
    assert len(machine.children()) == 2


def test_function_that_does_not_start_is_tried_again_with_pauses(machine: Machine) -> None:
    machine.release("broken")
    machine.started()
    machine.publish()
    until(lambda: len(machine.seen("start")) >= 2)
    (machine.data / "broken").unlink()
    until(lambda: machine.seen("end"))
    assert "next try in" in machine.log.read_text()


def test_function_knows_only_what_its_manifest_gives_it(machine: Machine) -> None:
    machine.started()
    machine.publish()
    until(lambda: machine.seen("end"))
    (entry,) = machine.seen("start")
    assert entry["environment"]["GIVEN"] == "given"
    assert "HIDDEN" not in entry["environment"]
    assert "DATABASE_URL" not in entry["environment"]
    assert entry["environment"]["DATA_DIR"] == str(machine.data)


def test_function_can_be_called_directly(machine: Machine) -> None:
    machine.started()
    response = httpx.post(f"{machine.broker_url}/services/work/unlock", json={}, timeout=60)
    assert (response.status_code, response.text) == (200, "direct /unlock")
    assert httpx.get(f"{machine.broker_url}/services/nobody/health").status_code == 404


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_web_pages_cannot_reach_the_broker(machine: Machine, headers: dict[str, str]) -> None:
    machine.started()
    event = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "test.work"}
    assert httpx.post(machine.broker_url, headers=event | headers).status_code == 403


def test_event_survives_kill_of_everything(machine: Machine) -> None:
    runner = machine.started()
    machine.publish("kept", hold="go")
    (entry,) = until(lambda: machine.seen("begin"))
    runner.kill()
    runner.wait()
    until(lambda: not alive(entry["pid"]))
    machine.release("go")
    machine.started()
    until(lambda: machine.seen("end"))
    assert [seen["id"] for seen in machine.seen("begin")] == ["kept", "kept"]


def test_no_process_outlives_a_killed_runner(machine: Machine) -> None:
    runner = machine.started()
    machine.publish(helper=True)
    (helper,) = until(lambda: machine.seen("helper"))
    until(lambda: machine.seen("end"))
    runner.kill()
    runner.wait()
    until(lambda: not any(alive(pid) for pid in (*machine.children(), helper["helper"])))


def test_what_a_function_started_ends_with_it(machine: Machine) -> None:
    machine.started()
    machine.publish(helper=True)
    (helper,) = until(lambda: machine.seen("helper"))
    until(lambda: machine.seen("end"))
    os.kill(helper["pid"], signal.SIGKILL)
    until(lambda: not alive(helper["helper"]))


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_work_under_way_is_finished_before_the_end(machine: Machine, stop_signal: signal.Signals) -> None:
    runner = machine.started()
    machine.publish("first", hold="go")
    until(lambda: machine.seen("begin"))
    machine.publish("second")
    runner.send_signal(stop_signal)
    assert runner.stdout is not None
    assert b"Stopping" in runner.stdout.readline()
    machine.release("go")
    assert runner.wait(timeout=60) == 0
    assert not any(map(alive, machine.children()))
    assert machine.seen("end")
    machine.started()
    until(lambda: {entry["id"] for entry in machine.seen("begin")} == {"first", "second"})
    assert [entry["id"] for entry in machine.seen("begin")].count("first") == 1


def test_work_that_takes_longer_than_the_grace_is_done_again(machine: Machine) -> None:
    runner = machine.started(shutdown_grace_seconds=0)
    machine.publish(hold="go")
    until(lambda: machine.seen("begin"))
    runner.terminate()
    assert runner.wait(timeout=60) == 0
    assert not any(map(alive, machine.children()))
    machine.release("go")
    machine.started()
    until(lambda: machine.seen("end"))


def test_second_signal_ends_it_at_once(machine: Machine) -> None:
    runner = machine.started(shutdown_grace_seconds=600)
    machine.publish(hold="never")
    until(lambda: machine.seen("begin"))
    runner.send_signal(signal.SIGINT)
    assert runner.stdout is not None
    assert b"Stopping" in runner.stdout.readline()
    runner.send_signal(signal.SIGINT)
    assert runner.wait(timeout=60) != 0
    until(lambda: not any(map(alive, machine.children())))


def test_second_runner_on_the_same_data_says_so(machine: Machine) -> None:
    machine.started()
    again = subprocess.run(
        [sys.executable, str(PROGRAM), str(machine.root), json.dumps({"port": 0})], capture_output=True, text=True
    )
    assert again.returncode == 1
    assert "is in use by another DocuElevate" in again.stderr


def test_taken_port_is_named(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.port)):
        runner = machine.start()
        assert runner.wait(timeout=60) == 1
    assert f"Port {machine.port} on 127.0.0.1 cannot be used" in machine.log.read_text()


def test_file_dropped_into_the_folder_is_announced(machine: Machine) -> None:
    manifest = machine.root / "knative" / "all.yaml"
    manifest.write_text(manifest.read_text().replace("test.next", "org.docuelevate.object.created.v1"))
    machine.started(incoming_quiet_seconds=0.1)
    folder = machine.data / "incoming" / "2024"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "größe 1.txt").write_text("hello")
    (seen,) = until(lambda: machine.seen("sink"))
    assert seen["headers"]["ce-subject"] == "incoming/2024/gr%C3%B6%C3%9Fe%201.txt"
