"""A server that speaks OpenAI's chat completions as documented, strictly, with answers from a script.

Sources: API reference, "Create chat completion" (fields, limits); guide "Structured Outputs" (the strict dialect of
JSON Schema: every object closed, every field required); guides "Error codes" and "Rate limits" (statuses, error object,
Retry-After). A request that these do not cover is answered with 400 and noted in `violations`: a test finds none.
"""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from functions.enrich.extractor import Hints
from functions.enrich.rule_extractor import RuleMetadataExtractor
from shared.documents import DocumentText, PageText
from shared.metadata import Metadata, Money, Value

KEY = "sk-test-0123456789"
MODEL = "gpt-4o-mini"

_FIELDS = {
    *("audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages"),
    *("metadata", "modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty"),
    *("prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop"),
    *("store", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user"),
    *("verbosity", "web_search_options"),
}
_NEVER_ASKED_FOR = {"tools", "tool_choice", "web_search_options", "stream", "store", "audio", "modalities"}
"""Documented, but a document must never reach a tool, the web, or a store of the vendor's."""

_HEADERS = {
    *("host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"),
    "authorization",
}
_KEYWORDS = {"type", "properties", "required", "additionalProperties", "enum", "items", "anyOf", "description"}
_TYPES = {"string", "number", "boolean", "integer", "object", "array", "null"}
_MAX_PROPERTIES, _MAX_DEPTH = 100, 5


class Refused(Exception):
    """The request is not as documented."""


@dataclass(frozen=True)
class Answer:
    """What goes over the wire. `pause` is waited before it, and `drip` between its bytes; `reset` cuts it off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    drip: float | None = None
    reset: bool = False


Request = dict[str, Any]
Step = Answer | Callable[[Request], Answer]


def completion(
    content: str | None, *, finish: str = "stop", refusal: str | None = None, tokens: tuple[int, int] = (1000, 100)
) -> Answer:
    """A chat completion object with one choice."""
    message = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
    body = {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
        "service_tier": "default",
    }
    return Answer(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def error(
    status: int,
    code: str | None = None,
    *,
    message: str = "…",
    param: str | None = None,
    kind: str = "invalid_request_error",
    **headers: str,
) -> Answer:
    """An error object; `headers` with underscores for dashes."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


def honest(request: Request) -> Answer:
    """A model that reads what it was sent, as well as the built-in rules can, and says what it has read."""
    pages, hints = document_of(request)
    found = RuleMetadataExtractor().extract(DocumentText(pages=pages), hints).metadata
    sent = sum(len(message["content"]) for message in request["messages"]) // 4
    content = json.dumps(said(found), ensure_ascii=False)
    return completion(content, tokens=(sent, len(content) // 4))


def obeying(request: Request) -> Answer:
    """A model that does what the document says: `OUTPUT:` and what follows on that line is its answer."""
    user = request["messages"][-1]["content"]
    return completion(re.findall(r"OUTPUT:(.*)", user)[-1].strip())


def said(metadata: Metadata) -> dict[str, Any]:
    """Metadata in the form that the model is asked for."""
    names = ("title", "document_type", "sender", "recipient", "document_date", "due_date", "language")
    more = ("reference_number", "total", "summary")
    told = {name: _value(name, getattr(metadata, name)) for name in (*names, *more)}
    lists = {name: [_value(name, each) for each in getattr(metadata, name)][:10] for name in ("amounts", "tags")}
    return told | lists


def _value(name: str, value: Value[Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    plain: dict[str, Any] = {"confidence": value.confidence}
    if isinstance(value.value, Money):
        plain |= {"value": value.value.value, "currency": value.value.currency}
    else:
        plain |= {"value": str(value.value)}
    if name in ("title", "document_type", "language", "tags", "summary"):
        return plain
    assert value.evidence
    return plain | {"quote": value.evidence.quote, "page": value.evidence.page}


def document_of(request: Request) -> tuple[tuple[PageText, ...], Hints]:
    """The pages between the marks, and the file name beside them."""
    system, user = (message["content"] for message in request["messages"])
    nonce = re.search(r"<document (\w+)>", system)
    assert nonce, "no marks are announced"
    inside = re.search(rf"<document {nonce[1]}>\n(.*)\n</document {nonce[1]}>", user, re.DOTALL)
    assert inside, "the document is not between its marks"
    parts = re.split(rf"^<page (\d+) of \d+[^<>]* {nonce[1]}>\n", inside[1], flags=re.MULTILINE)
    pages = zip(parts[1::2], parts[2::2], strict=True)
    known = json.loads(user.partition("as data: ")[2].partition("\n\n<document ")[0])
    read = (PageText(number=int(n), width=595, height=842, source="digital", text=text) for n, text in pages)
    return tuple(read), Hints(filename=known.get("file_name", ""))


class OpenAiServer:
    """The running server. `script` is used up step by step; then every request gets `otherwise`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.script: list[Step] = []
        self.otherwise: Step = honest
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.key: str | None = KEY
        self.stopping = threading.Event()
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Check the request, then take the next step of the script."""
        try:
            request = self._checked(method, path, headers, body)
        except Refused as refused:
            self.violations.append(str(refused))
            return error(400, "invalid_request", message=str(refused))
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return error(401, "invalid_api_key", message="Incorrect API key provided.")
        with self._lock:
            self.requests.append(request)
            step = self.script.pop(0) if self.script else self.otherwise
        return step if isinstance(step, Answer) else step(request)

    def _checked(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Request:
        _require(method == "POST" and path == "/v1/chat/completions", f"no such endpoint: {method} {path}")
        strange = {name for name in headers if name not in _HEADERS and not name.startswith("x-stainless-")}
        _require(not strange, f"unknown headers: {strange}")
        _require(headers.get("content-type") == "application/json", "the content type is not application/json")
        request = json.loads(body)
        _require(isinstance(request, dict), "the body is not an object")
        check_request(request)
        return dict(request)


def check_request(request: Request) -> None:
    """Raises Refused where a request for a chat completion is not as documented."""
    unknown = set(request) - _FIELDS
    _require(not unknown, f"unknown parameters: {unknown}")
    _require(not set(request) & _NEVER_ASKED_FOR, "a document is sent to a tool or a store")
    _require(isinstance(request.get("model"), str), "no model")
    messages = request.get("messages")
    _require(isinstance(messages, list) and bool(messages), "no messages")
    for message in messages or ():
        _require(set(message) == {"role", "content"} and message["role"] in ("system", "user"), "an odd message")
        _require(isinstance(message["content"], str) and bool(message["content"]), "a message without text")
    _require(("max_tokens" in request) != ("max_completion_tokens" in request), "one limit of tokens is needed")
    limit = request.get("max_tokens", request.get("max_completion_tokens"))
    _require(isinstance(limit, int) and limit > 0, "the limit of tokens is no number")
    _require(0 <= request.get("temperature", 1) <= 2, "temperature is out of range")
    _check_format(request.get("response_format", {"type": "text"}), json.dumps(messages))


def _check_format(wanted: Any, messages: str) -> None:
    kind = wanted.get("type")
    if kind == "json_schema":
        _require(set(wanted) == {"type", "json_schema"}, "an odd response_format")
        described = wanted["json_schema"]
        _require(set(described) <= {"name", "description", "schema", "strict"}, "an odd json_schema")
        _require(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", described["name"]) is not None, "a bad name of the schema")
        _require(described.get("strict") is True, "the schema is not strict")
        check_strict_schema(described["schema"])
    elif kind == "json_object":
        # "When using JSON mode, you must also instruct the model to produce JSON".
        _require("json" in messages.lower(), "'messages' must contain the word 'json' in some form")
    else:
        _require(wanted == {"type": "text"}, f"an unknown response_format: {wanted}")


def check_strict_schema(schema: dict[str, Any]) -> None:
    """Raises Refused where a schema is not of the strict dialect."""
    _require(schema.get("type") == "object" and "anyOf" not in schema, "the root is not an object")
    definitions = schema.get("$defs", {})
    root = {key: value for key, value in schema.items() if key != "$defs"}
    counted = _check_schema(root, definitions, 1)
    _require(counted <= _MAX_PROPERTIES, "too many properties")


def _check_schema(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> int:
    if "$ref" in schema:
        _require(set(schema) == {"$ref"}, "$ref has siblings")
        name = schema["$ref"].removeprefix("#/$defs/")
        _require(name in definitions, f"no such definition: {name}")
        return _check_schema(definitions[name], definitions, depth)
    unknown = set(schema) - _KEYWORDS
    _require(not unknown, f"keywords that strict schemas do not have: {unknown}")
    if "anyOf" in schema:
        return sum(_check_schema(each, definitions, depth) for each in schema["anyOf"])
    _require(schema.get("type") in _TYPES, f"no type: {schema}")
    if schema["type"] == "array":
        return _check_schema(schema["items"], definitions, depth)
    return _check_object(schema, definitions, depth) if schema["type"] == "object" else 0


def _check_object(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> int:
    _require(depth <= _MAX_DEPTH, "nested too deeply")
    _require(schema.get("additionalProperties") is False, "an object is open")
    properties = schema.get("properties", {})
    _require(set(schema.get("required", ())) == set(properties), "a field is not required")
    inner = sum(_check_schema(each, definitions, depth + 1) for each in properties.values())
    return len(properties) + inner


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Refused(otherwise)


@contextmanager
def openai_server(script: Sequence[Step] = ()) -> Iterator[OpenAiServer]:
    """A server on a free port of loopback, gone afterwards."""
    http = _HttpServer(("127.0.0.1", 0), _Handler)
    server = http.stand_in = OpenAiServer(http.server_port)
    server.script = list(script)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        http.shutdown()
        http.server_close()
        thread.join()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    stand_in: OpenAiServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Noted as a violation: nothing of ours is read from such a server."""
        self._serve()

    def do_POST(self) -> None:
        """Answer as the script says."""
        self._serve()

    def _serve(self) -> None:
        assert isinstance(self.server, _HttpServer)
        server = self.server.stand_in
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = server.answer(self.command, self.path, headers, body)
        self.close_connection = True
        server.stopping.wait(answer.pause)
        try:
            self._send(answer, server)
        except OSError:
            return

    def _send(self, answer: Answer, server: OpenAiServer) -> None:
        if answer.reset:
            # Linger of no time: the peer gets a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if answer.drip is None:
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if server.stopping.wait(answer.drip):
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what matters is in `requests`."""
