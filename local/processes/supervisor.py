"""All functions of this machine: which process a request goes to, and that none is left behind."""

import asyncio
import itertools
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from local.broker.message import Headers
from local.broker.rules import Answer
from local.manifests import Destination, Service
from local.processes.environment import function_environment
from local.processes.pool import Pool
from local.processes.process import FunctionProcess
from local.processes.sockets import remove, socket_directory


class Supervisor:
    """Starts, feeds and stops the processes of all Services."""

    def __init__(
        self,
        services: Mapping[str, Service],
        *,
        root: Path,
        configuration: Mapping[str, str],
        namespace: str,
        idle_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._root = root
        self._configuration = configuration
        self._namespace = namespace
        self._sockets = socket_directory(Path(configuration["DATA_DIR"]))
        self._numbers = itertools.count(1)
        self._pools = {name: self._pool(service, idle_seconds, grace_seconds) for name, service in services.items()}

    def has(self, service: str) -> bool:
        """Whether there is a function of this name."""
        return service in self._pools

    def url(self, destination: Destination) -> str:
        """The address that the destination has in a cluster."""
        return f"http://{destination.service}.{self._namespace}.svc.cluster.local{destination.path}"

    def capacity(self, service: str) -> int:
        """How many requests the function works on at once with all its processes."""
        pool = self._pools[service]
        return pool.limit * pool.service.concurrency

    def processes(self, service: str) -> tuple[FunctionProcess, ...]:
        """The processes of a function that are alive."""
        return self._pools[service].processes

    async def request(
        self, method: str, destination: Destination, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Answer | None:
        """Deliver an event; None when no answer came in time or at all."""
        pool = self._pools[destination.service]
        return await pool.request(method, destination.path, headers, body, timeout_seconds)

    async def call(self, service: str, method: str, path: str, headers: Headers, body: bytes) -> Answer | None:
        """Call a function directly."""
        pool = self._pools[service]
        return await pool.request(method, path, headers, body, pool.service.timeout_seconds)

    async def stop(self) -> None:
        """End every process, gently first."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))
        remove(self._sockets)

    def kill(self) -> None:
        """End every process at once."""
        for pool in self._pools.values():
            pool.kill()

    def _pool(self, service: Service, idle_seconds: float, grace_seconds: float) -> Pool:
        return Pool(
            service,
            _process_limit(service),
            idle_seconds,
            grace_seconds,
            make_process=partial(self._make_process, service),
            when_ready=partial(self._warm, service.followed_by) if service.followed_by else None,
        )

    def _warm(self, service: str) -> None:
        self._pools[service].warm()

    def _make_process(self, service: Service) -> FunctionProcess:
        path = self._sockets / f"{service.name}-{next(self._numbers)}.sock"
        environment = function_environment(service, self._root, self._configuration)
        return FunctionProcess(service.name, path, self._root, environment)


def _process_limit(service: Service) -> int:
    """More processes than cores only get into each other's way."""
    cores = len(os.sched_getaffinity(0))
    return min(service.max_scale or cores, cores)
