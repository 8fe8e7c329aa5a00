"""The HTTP API of the release, asked from here: through its Service where that is reached, else by port-forward."""

import socket
import subprocess
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from tests.cluster.kubernetes import Namespace, until
from tests.servers.ports import free_port

TRIES = 60
PAUSE_SECONDS = 1.0


class Web:
    """A client that outlives the pods it talks to: what fails for want of an answer is asked again."""

    def __init__(self, here: Namespace, service: str, url: str | None) -> None:
        self._here, self._service = here, service
        self._given = url
        self._forward: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None
        self._headers: dict[str, str] = {}
        self.failures = 0
        """How many requests got no answer, or 502 to 504, at first."""

    def sign_in(self, token: str) -> None:
        """Send this token with every request."""
        self._headers = {"Authorization": f"Bearer {token}"}

    def close(self) -> None:
        """Let the connections go."""
        self._forget()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """An answer that is no error. Uploads may be repeated too: equal bytes make no second document."""
        for attempt in range(TRIES):
            try:
                response = self._connected().request(method, path, headers=self._headers, **more)
                if response.status_code not in (502, 503, 504):
                    return response.raise_for_status()
            except httpx.TransportError:
                self._forget()
            self.failures += 1
            time.sleep(PAUSE_SECONDS if attempt else 0.1)
        raise TimeoutError(f"{method} {path}: no answer after {TRIES} tries")

    def get(self, path: str, **parameters: Any) -> Any:
        """JSON."""
        # An empty mapping would take away the query that stands in the path.
        return self.ask("GET", path, params=parameters or None).json()

    def post(self, path: str, **body: Any) -> Any:
        """JSON in and out."""
        return self.ask("POST", path, json=body).json()

    def upload(self, **files: bytes) -> list[str]:
        """Upload under these names (`_` for the dot); the documents' ids."""
        parts = [("file", (name.replace("__", "."), body)) for name, body in files.items()]
        return [one["id"] for one in self.ask("POST", "/api/documents", files=parts).json()["documents"]]

    def documents(self) -> list[dict[str, Any]]:
        """All of them."""
        return self._all("results", "/api/documents?page_size=200")

    def settled(self, ids: list[str], seconds: float) -> dict[str, str]:
        """The status of each once none is processing any more."""

        def statuses() -> dict[str, str]:
            return {one: self.get(f"/api/documents/{one}")["status"] for one in ids}

        def done() -> dict[str, str] | None:
            found = statuses()
            return None if "processing" in found.values() else found

        return dict(until(done, seconds, lambda: f"still processing: {statuses()}"))

    def found(self, words: str) -> set[str]:
        """The documents that a search finds."""
        return {hit["id"] for hit in self._all("hits", f"/api/search?{urlencode({'q': words, 'page_size': 200})}")}

    def _all(self, name: str, path: str | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while path:
            page = self.get(path)
            found += page[name]
            path = page["next"] and f"{urlsplit(page['next']).path}?{urlsplit(page['next']).query}"
        return found

    def _connected(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(base_url=self._given or self._reached(), timeout=60)
        return self._client

    def _reached(self) -> str:
        name = f"{self._service}.{self._here.name}.svc.cluster.local"
        try:
            socket.getaddrinfo(name, 80)
        except OSError:
            return self._forwarded()
        return f"http://{name}"

    def _forwarded(self) -> str:
        port = free_port()
        command = ("kubectl", "--namespace", self._here.name, "port-forward", f"service/{self._service}", f"{port}:80")
        self._forward = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(PAUSE_SECONDS)
        return f"http://127.0.0.1:{port}"

    def _forget(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._forward is not None:
            self._forward.kill()
            self._forward.wait()
            self._forward = None
