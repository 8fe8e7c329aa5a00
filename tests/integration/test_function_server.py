"""How a container's function starts, stops, and keeps its connections."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shared.function_server import LONGEST_REQUEST_SECONDS, FunctionServer
from tests.servers.docuelevate import wait_for
from tests.servers.function import ROOT, Function

QUEUE_PROXY_KEEPS_SECONDS = 90
"""Idle connections in Knative's proxy: one that we have closed by then fails the next event."""

SLOW = """
import functions_framework.aio, anyio
from pathlib import Path
from starlette.responses import Response

@functions_framework.aio.http
async def slow(request):
    if request.url.path == "/health":
        return Response("ok")
    Path({started!r}).touch()
    while not Path({release!r}).exists():
        await anyio.sleep(0.02)
    return Response("finished")
"""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Function]:
    source = tmp_path / "slow.py"
    source.write_text(SLOW.format(started=str(tmp_path / "started"), release=str(tmp_path / "release")))
    function = Function(source, "slow", {})
    yield function
    function.kill()


def test_what_has_begun_is_answered_after_sigterm(slow: Function, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, slow.url, timeout=60)
        wait_for((tmp_path / "started").exists, 30, "the request did not arrive")
        slow.process.terminate()
        wait_for(lambda: _refuses(slow.url), 30, "the port is still open")
        (tmp_path / "release").touch()
        assert answer.result().text == "finished"
    slow.process.wait(30)


def test_a_function_that_cannot_be_loaded_ends_the_process(tmp_path: Path) -> None:
    source = tmp_path / "broken.py"
    source.write_text("import nothing_of_that_name\n")
    environment = {"FUNCTION_SOURCE": str(source), "FUNCTION_TARGET": "broken", "HOST": "127.0.0.1", "PORT": "8"}
    command = [sys.executable, "-m", "shared.function_server"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "nothing_of_that_name" in ended.stderr


def test_connections_are_kept_longer_than_knative_reuses_them() -> None:
    config = FunctionServer(grace_seconds=LONGEST_REQUEST_SECONDS).config
    assert config.timeout_keep_alive > QUEUE_PROXY_KEEPS_SECONDS


def _refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/health")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # met in the moment of closing
        return False
    return False
