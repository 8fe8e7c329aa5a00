"""The HTTP API as the command line uses it: one client, errors of one sentence each, uploads that count as they go."""

import io
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from click import ClickException

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
RETRY_PAUSES_SECONDS = (1.0, 2.0, 4.0)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PASSING = frozenset({429, 502, 503, 504})


class ServerError(ClickException):
    """The server cannot be reached or said no; the text is one sentence for a person. Ends a command with code 1."""

    def __init__(self, message: str, *, code: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ApiClient:
    """Speaks to one server. Every method raises ServerError."""

    def __init__(self, url: str, token: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": "docuelevate-cli"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # A proxy for the world outside is no way to this machine itself.
        remote = urlsplit(self.url).hostname not in _LOOPBACK
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=remote, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON under a path."""
        given = {name: value for name, value in parameters.items() if value not in (None, "", (), False)}
        with self._translated():
            return _checked(self._http.get(path, params=given)).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that answers a JSON body."""
        with self._translated():
            return _checked(self._http.post(path, json=dict(body))).json()

    def ready(self) -> Any:
        """The state of the server's dependencies, whether good or bad."""
        with self._translated():
            return self._http.get("/api/ready").json()

    def upload(self, path: Path, fields: Mapping[str, Any], on_bytes: Callable[[int], None]) -> Any:
        """Send one file; again with the same key where the server was briefly away. `on_bytes` hears of progress."""
        key = str(uuid.uuid4())
        for pause in (*RETRY_PAUSES_SECONDS, None):
            try:
                return self._upload_once(path, fields, key, on_bytes)
            except ServerError as error:
                if pause is None or error.status not in _PASSING:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _upload_once(self, path: Path, fields: Mapping[str, Any], key: str, on_bytes: Callable[[int], None]) -> Any:
        with _opened(path, on_bytes) as source, self._translated():
            response = self._http.post(
                "/api/documents",
                files={"file": (path.name, source)},
                data=dict(fields),
                headers={"Idempotency-Key": key},
            )
            return _checked(response).json()

    @contextmanager
    def download(self, path: str) -> Iterator[httpx.Response]:
        """A streamed answer."""
        with self._translated(), self._http.stream("GET", path) as response:
            if response.is_error:
                response.read()
            yield _checked(response)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise ServerError(f"Nothing answers at {self.url}: start `docuelevate serve`, or set --url.") from error
        except httpx.TimeoutException as error:
            raise ServerError(f"{self.url} did not answer in time.", status=504) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ServerError(f"The connection to {self.url} broke off ({reason}).", status=502) from error
        except ValueError as error:
            raise ServerError(f"{self.url} is not a DocuElevate server: its answer is not JSON.") from error


class _CountingFile(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        super().__init__(path, "rb")
        self._on_bytes = on_bytes
        self.counted = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, and tell."""
        piece = super().read(-1 if size is None else size) or b""
        self.counted += len(piece)
        self._on_bytes(len(piece))
        return piece


@contextmanager
def _opened(path: Path, on_bytes: Callable[[int], None]) -> Iterator[_CountingFile]:
    """Open a file for one attempt to send it; what a failed attempt has counted is taken back."""
    try:
        source = _CountingFile(path, on_bytes)
    except OSError as error:
        raise ServerError(f"cannot be read ({error.strerror})") from error
    with source:
        try:
            yield source
        except ServerError:
            on_bytes(-source.counted)
            raise


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        problem = response.json()["error"]
        message, code = str(problem["message"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        message, code = f"The server answered {response.status_code}.", ""
    raise ServerError(message, code=code, status=response.status_code)
