"""The web application on a port of its own, for a real browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from sqlalchemy import Engine

from shared.database.engine import open_database
from shared.database.schema import migrate
from shared.search.settings import SearchSettings, search_reader
from shared.storage.directory import DirectoryObjectStore
from tests.browser.library import Library, samples
from tests.browser.operations import Operations
from web import pages
from web.app import create_app
from web.changes import ChangeFeed
from web.context import Context
from web.outbox import Relay
from web.settings import WebSettings
from web.unlocking import Unlocker


@dataclass(frozen=True)
class Site:
    """A running server and what lies behind it. `ids` are documents by their file name."""

    url: str
    engine: Engine
    ids: dict[str, str]

    def document(self, filename: str) -> str:
        """The path of a document's page."""
        return f"/documents/{self.ids[filename]}"


@contextmanager
def site(data_dir: Path, *, filled: bool, search: bool = True) -> Iterator[Site]:
    """Serve a library of samples, or an empty one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{data_dir / 'docuelevate.db'}")
    migrate(engine)
    store = DirectoryObjectStore(data_dir)
    library = Library(engine, store, data_dir)
    ids = {sample.filename: library.add(sample) for sample in reversed(samples())} if filled else {}
    library.close()
    if filled:
        Operations(engine, store, ids).fill()
    context = Context(
        settings=WebSettings(),
        engine=engine,
        store=store,
        search=search_reader(SearchSettings(data_dir=data_dir)) if search else None,
        relay=Relay(engine, None),
        changes=ChangeFeed(engine),
        unlocker=Unlocker(None),
    )
    with _served(context) as url:
        yield Site(url, engine, ids)
    engine.dispose()


@contextmanager
def _served(context: Context) -> Iterator[str]:
    config = uvicorn.Config(
        create_app(context, pages), host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
