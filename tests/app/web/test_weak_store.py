"""What an object store does not promise is told where an operator looks."""

from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from shared.errors import Unavailable
from shared.storage.directory import DirectoryObjectStore
from tests.app.web.conftest import MakeContext
from web.app import create_app


class Weak(DirectoryObjectStore):
    """A store that answers, and promises less."""

    def weakness(self) -> str | None:
        return "run one replica only"


class Away(DirectoryObjectStore):
    """A store that is read, and does not take the probe."""

    def weakness(self) -> str | None:
        raise Unavailable("the object store answered 503")


def ready(make_context: MakeContext, store: DirectoryObjectStore) -> tuple[int, dict[str, object]]:
    client = TestClient(create_app(replace(make_context(), store=store)), base_url="http://localhost")
    answer = client.get("/api/ready")
    return answer.status_code, answer.json()["dependencies"]["object_store"]


def test_a_store_that_promises_less_is_ready_and_says_so(make_context: MakeContext, tmp_path: Path) -> None:
    status, state = ready(make_context, Weak(tmp_path / "objects"))
    assert (status, state["ok"], state["message"]) == (200, True, "run one replica only")


def test_a_store_that_does_not_take_the_probe_is_not_ready(make_context: MakeContext, tmp_path: Path) -> None:
    status, state = ready(make_context, Away(tmp_path / "objects"))
    assert (status, state["ok"]) == (503, False)
