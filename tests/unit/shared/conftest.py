"""A step served as functions-framework serves it, over a directory of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from shared.documents import Step
from shared.events import DocumentConverted, DocumentReceived
from shared.step import Handler, step
from shared.storage.directory import DirectoryObjectStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryObjectStore:
    return DirectoryObjectStore(tmp_path)


@pytest.fixture
def serve(store: DirectoryObjectStore) -> Callable[[Handler], Starlette]:
    def app(handler: Handler) -> Starlette:
        endpoint = step(
            Step.CONVERT,
            version="1",
            accepts=(DocumentReceived,),
            emits=(DocumentConverted,),
            store=store,
            deadline_seconds=5,
        )(handler)
        return Starlette(routes=[Route("/{path:path}", endpoint, methods=["GET", "POST", "PUT"])])

    return app
