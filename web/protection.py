"""What every request passes before a route: request id, Host and Origin, identity; and the headers of every answer.

Without authentication the browser is the way in for others: a page of another site must not reach this server through
it. So the Host must be one of ours (DNS rebinding), and a request that a browser sends for another site is refused.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import DocuElevateError
from shared.logs import logging_about
from shared.tracing.spans import current_traceparent, trace_id
from web.api.answers import as_request_error
from web.authentication import Identify
from web.errors import Forbidden, RequestError
from web.settings import WebSettings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HOST_INDEPENDENT = frozenset({"/api/health", "/api/ready"})
"""Probes name the pod's address; what these paths tell is no secret."""

METRICS = frozenset({"/metrics"})
"""Prometheus names the pod's address too. With authentication that tells it nothing without a token."""

HOOKS = frozenset({"/hooks/s3"})
"""Programs call these by whatever name they reach the server; each asks for a secret that no browser has."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' blob: data:; font-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Blobs, data and WebAssembly are what pdf.js needs to show fonts, pictures and scans."""

BYTES_POLICY = "default-src 'none'; sandbox; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""For bytes that somebody uploaded: whatever they are, nothing in them runs here."""

PDF_POLICY = "default-src 'none'; object-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
"""Browsers show a PDF with a viewer of their own, which a sandbox would keep from starting."""

_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

ErrorAnswer = Callable[[Request, RequestError], Response]


@dataclass(frozen=True)
class HostRule:
    """The names under which this server may be asked; None lets every name pass (authentication guards instead), as do
    `any_name` paths."""

    names: frozenset[str] | None
    any_name: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: WebSettings) -> "HostRule":
        """Loopback names and the external one. With authentication and no external name, any."""
        if settings.auth_enabled and not settings.external_hostname:
            return cls(None)
        names = LOOPBACK_NAMES | {name.lower() for name in (settings.external_hostname,) if name}
        return cls(names, METRICS if settings.auth_enabled else frozenset())

    def allows(self, host: str, path: str) -> bool:
        """Whether a Host header names us; its port does not matter."""
        return self.names is None or path in self.any_name or hostname(host) in self.names


class Protection:
    """The middleware; the outermost of ours."""

    def __init__(self, app: ASGIApp, hosts: HostRule, identify: Identify, error_answer: ErrorAnswer) -> None:
        self._app = app
        self._hosts = hosts
        self._identify = identify
        self._error_answer = error_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is refused, pass on the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["request_id"] = _request_id(headers)

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), scope)
            await send(message)

        try:
            # A probe is answered whatever the database, which knows the tokens, is doing.
            if scope["path"] not in HOOKS and not _is_probe(scope):
                self._check(scope, headers)
                _require_text(scope)
                scope["identity"] = await self._identify(headers)
        except DocuElevateError as error:
            answer = self._error_answer(Request(scope, receive), as_request_error(error))
            await answer(scope, receive, send_protected)
            return
        with logging_about(request=scope["request_id"], trace=trace_id(current_traceparent())):
            await self._app(scope, receive, send_protected)

    def _check(self, scope: Scope, headers: Headers) -> None:
        host = headers.getlist("host")
        if len(host) != 1 or not self._hosts.allows(host[0], scope["path"]):
            raise Forbidden("This server does not go by that name; see EXTERNAL_HOSTNAME.", code="host_not_allowed")
        if not same_origin(headers, host[0], scope["method"]):
            raise Forbidden("Another site may not use this server through your browser.", code="origin_not_allowed")


def _require_text(scope: Scope) -> None:
    """Refuse addresses with NUL: no name, value or key has one, and databases differ in what they do with it."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        raise RequestError("The address has a character that nothing is called by.")


def _is_probe(scope: Scope) -> bool:
    return scope["path"] in HOST_INDEPENDENT and scope["method"] in ("GET", "HEAD")


def same_origin(headers: Headers, host: str, method: str) -> bool:
    """Whether a browser sent this for one of our own pages, by a link or address typed, or no browser sent it."""
    origins = headers.getlist("origin")
    if origins:
        return len(origins) == 1 and _netloc(origins[0]) == _without_default_port(host, origins[0])
    site = headers.get("sec-fetch-site", "none")
    is_link = headers.get("sec-fetch-mode") == "navigate" and method in ("GET", "HEAD")
    return site in ("same-origin", "none") or (is_link and headers.get("sec-fetch-dest") == "document")


def hostname(host: str) -> str:
    """The name in a Host header, in lower case, without port, brackets and trailing dot; empty for nonsense."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def add_headers(headers: MutableHeaders, scope: Scope) -> None:
    """The security headers; what a route set itself stays. Answers are not stored unless the route says so."""
    headers.setdefault("X-Request-ID", scope.get("request_id", ""))
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("Cache-Control", "private, no-store")
    for name, value in _SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    if scope.get("scheme") == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _netloc(origin: str) -> str:
    try:
        return _without_default_port(urlsplit(origin).netloc, origin)
    except ValueError:
        return ""


def _without_default_port(host: str, origin: str) -> str:
    default = ":443" if origin.startswith("https:") else ":80"
    return host.lower().removesuffix(default) or "?"
