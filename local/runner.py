"""Everything on one machine: broker, functions, watched folder, background jobs and the web app in one process tree.

`serve` is what the command line calls. It returns when all is drained, and raises RunnerError with one sentence for a
person where it cannot start.
"""

import asyncio
import logging
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError
from starlette.types import ASGIApp

from local.broker.broker import Broker
from local.broker.ingress import ingress
from local.broker.message import InvalidEvent, parse
from local.broker.queue_file import QueueFile, QueueUnavailable
from local.incoming import IncomingFolder
from local.lock import DirectoryInUse, sole_use
from local.manifests import InvalidManifest, Wiring, read_wiring
from local.processes.supervisor import Supervisor
from local.server import EmbeddedServer, ServerFailed
from local.settings import LocalSettings
from local.sweeping import keep_sweeping
from shared.database.schema import migrate
from shared.database.settings import DatabaseSettings, database
from shared.errors import DocuElevateError, Unavailable
from shared.events import Event
from shared.process import prepare_process
from shared.storage.settings import ObjectStoreSettings, object_store

logger = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]
"""Work beside the rest, such as sweeping: awaited once, expected to go on until it is cancelled."""

WebApp = Callable[[], ASGIApp]
"""Makes the web app; called when BROKER_URL and CONVERT_URL stand in the environment."""

ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = "local"
_JOB_PAUSE_SECONDS = 30.0


class RunnerError(Exception):
    """DocuElevate cannot start or go on; the text says why in one sentence."""


@dataclass(frozen=True)
class Plan:
    """What a run is made of, apart from the settings."""

    root: Path = ROOT
    """Holds `functions/`."""
    manifests: Path = ROOT / "knative"
    web: WebApp | None = None
    """Without one, `web.app` as configured by the environment."""
    jobs: Sequence[Job] = ()


def serve(settings: LocalSettings, plan: Plan | None = None) -> None:
    """Run everything until SIGTERM or Ctrl-C, then drain; a second signal ends it at once. Raises RunnerError."""
    plan = plan or Plan()
    _configure_logs()
    settings = settings.model_copy(update={"data_dir": settings.data_dir.absolute()})
    try:
        with sole_use(settings.data_dir):
            _run(settings, plan)
    except (DirectoryInUse, DocuElevateError, InvalidManifest, ServerFailed) as error:
        raise RunnerError(str(error)) from error
    except ValidationError as error:
        raise RunnerError(_wrong_settings(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise RunnerError(f"DocuElevate cannot run in {settings.data_dir}: {error}") from error


def _run(settings: LocalSettings, plan: Plan) -> None:
    with bound(settings.host, settings.port) as web_socket, bound("127.0.0.1", settings.broker_port) as broker_socket:
        broker_url = f"http://127.0.0.1:{broker_socket.getsockname()[1]}"
        # What a cluster's ConfigMap says: the web app and the functions read it from the environment.
        os.environ.update(
            DATA_DIR=str(settings.data_dir),
            HOST=settings.host,
            PORT=str(web_socket.getsockname()[1]),
            BROKER_URL=broker_url,
            CONVERT_URL=f"{broker_url}/services/convert",
        )
        migrate(database(DatabaseSettings()))
        plan = replace(plan, web=plan.web or _web_from_environment)
        asyncio.run(Runner(settings, plan, read_wiring(plan.manifests), os.environ).run(web_socket, broker_socket))


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises RunnerError where the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on for what is accepted: 40 ms more for every request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise RunnerError(f"Port {port} on {host} cannot be used ({os.strerror(error.errno or 0)}).") from error
    return listener


class Runner:
    """One run, from start to drained."""

    def __init__(self, settings: LocalSettings, plan: Plan, wiring: Wiring, configuration: Mapping[str, str]) -> None:
        self._settings = settings
        self._plan = plan
        self._wiring = wiring
        self._configuration = configuration

    async def run(self, web_socket: socket.socket, broker_socket: socket.socket) -> None:
        """Start everything, say so, wait for a signal, drain."""
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            broker, supervisor = await self._start_broker(stack)
            _on_signals(stop, supervisor)
            await self._start_server(stack, stop, ingress(broker, supervisor), broker_socket, is_web=False)
            assert self._plan.web is not None
            web = await self._start_server(stack, stop, self._plan.web(), web_socket, is_web=True)
            background = [asyncio.create_task(_kept_running(job)) for job in self._jobs(broker)]
            stack.callback(lambda: [task.cancel() for task in background])
            print(f"DocuElevate is running on {_url(web_socket)} (Ctrl-C stops it)", flush=True)
            await stop.wait()
            print("Stopping; work under way is finished first (Ctrl-C again stops at once)", flush=True)
            web.stop()
            for task in background:
                task.cancel()
            await broker.stop(self._settings.shutdown_grace_seconds)

    async def _start_broker(self, stack: AsyncExitStack) -> tuple[Broker, Supervisor]:
        queue_file = QueueFile(self._settings.data_dir / "queue.db")
        stack.callback(queue_file.close)
        supervisor = Supervisor(
            self._wiring.services,
            root=self._plan.root,
            configuration=self._configuration,
            namespace=NAMESPACE,
            idle_seconds=self._settings.function_idle_seconds,
            grace_seconds=self._settings.shutdown_grace_seconds,
        )
        stack.push_async_callback(supervisor.stop)
        broker = Broker(self._wiring.broker, NAMESPACE, self._wiring.triggers, queue_file, supervisor)
        broker.start()
        return broker, supervisor

    async def _start_server(
        self, stack: AsyncExitStack, stop: asyncio.Event, app: ASGIApp, listener: socket.socket, *, is_web: bool
    ) -> EmbeddedServer:
        server = EmbeddedServer(app, listener, lifespan=is_web, grace_seconds=self._settings.shutdown_grace_seconds)
        task = asyncio.create_task(server.run_until_stopped())
        task.add_done_callback(lambda _: stop.set())
        stack.push_async_callback(_ended, server, task)
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait([task, up], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if task.done():
            await task
        return server

    def _jobs(self, broker: Broker) -> list[Job]:
        jobs: list[Job] = [*self._plan.jobs, partial(keep_sweeping, self._configuration["BROKER_URL"])]
        store_settings = ObjectStoreSettings()
        if store_settings.kind == "directory":
            folder = IncomingFolder(
                self._settings.data_dir / "incoming",
                object_store(store_settings),
                lambda event: _publish(broker, event),
                self._settings.incoming_quiet_seconds,
            )
            jobs.append(folder.run)
        return jobs


async def _publish(broker: Broker, event: Event) -> None:
    headers, body = event.to_http()
    try:
        await broker.publish(parse([(name.encode(), value.encode()) for name, value in headers.items()], body))
    except (InvalidEvent, QueueUnavailable) as error:
        raise Unavailable(str(error)) from error


async def _ended(server: EmbeddedServer, task: "asyncio.Task[None]") -> None:
    server.stop()
    await task


async def _kept_running(job: Job) -> None:
    """A job that ends in an error starts again; it must not stop in silence while the rest goes on."""
    while True:
        task = asyncio.ensure_future(job())
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled() or task.exception() is None:
            return
        logger.error("a background job broke off and is started again", exc_info=task.exception())
        await asyncio.sleep(_JOB_PAUSE_SECONDS)


def _on_signals(stop: asyncio.Event, supervisor: Supervisor) -> None:
    """The first signal asks for the end, the second enforces it."""

    def on_signal() -> None:
        if stop.is_set():
            supervisor.kill()
            os._exit(1)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    name = "localhost" if host in ("127.0.0.1", "::1", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://{name}:{port}"


def _configure_logs() -> None:
    # People read a terminal, programs everything else; the functions' processes inherit the choice.
    os.environ.setdefault("LOG_FORMAT", "text" if sys.stderr.isatty() else "json")
    prepare_process("runner")
    for chatty in ("alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _wrong_settings(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    named = (
        f"{'.'.join(str(part) for part in found['loc']).upper()}: {found['msg']}".strip(": ") for found in problems
    )
    return f"A setting is wrong. {'; '.join(named)}"


def _web_from_environment() -> ASGIApp:
    # Imported late: it is the largest import, and what it reads from the environment has just been set.
    from web.app import from_environment

    return from_environment()
