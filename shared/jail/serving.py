"""The loop inside a jailed worker: reads calls from its channel, runs the method, answers. Also the channel's framing.

A frame is a 4-byte big-endian length and that many bytes of JSON. Errors that nobody expects end the process with their
trace on its error output, where the parent finds it: a worker in an unknown state is not used again.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import StepFailed

JsonValue = Any
"""What json.loads gives; checked by the models of the caller."""
Method = Callable[[Mapping[str, JsonValue]], JsonValue]

EXIT_OUT_OF_MEMORY = 113
MAX_FRAME_BYTES = 256 * 1024 * 1024
_HEADER = struct.Struct(">I")


def serve(methods: Mapping[str, Method], descriptor: int) -> None:
    """Answers calls until the parent closes the channel."""
    channel = socket.socket(fileno=descriptor)
    write_frame(channel, {"ready": True})
    while (call := read_frame(channel)) is not None:
        write_frame(channel, _answer(methods, call))


def _answer(methods: Mapping[str, Method], call: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        return {"result": methods[call["method"]](call["params"])}
    except StepFailed as error:
        return {"failed": {"code": error.code.value, "message": error.message, "determined": error.determined}}
    except MemoryError:
        os._exit(EXIT_OUT_OF_MEMORY)


def write_frame(channel: socket.socket, message: JsonValue) -> None:
    """Sends one message; blocks until it is taken. Raises OSError when the other side is gone."""
    body = json.dumps(message, separators=(",", ":")).encode()
    channel.sendall(_HEADER.pack(len(body)) + body)


def read_frame(channel: socket.socket, deadline: float | None = None) -> JsonValue | None:
    """Receives one message, or None when the other side has closed.

    `deadline` is a time.monotonic() for the whole message. Raises TimeoutError, and ValueError if it is not one of
    ours.
    """
    header = _receive(channel, _HEADER.size, deadline)
    if header is None:
        return None
    (length,) = _HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise ValueError("frame too long")
    body = _receive(channel, length, deadline)
    return None if body is None else json.loads(body)


def _receive(channel: socket.socket, length: int, deadline: float | None) -> bytes | None:
    received = bytearray()
    while len(received) < length:
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = channel.recv(min(length - len(received), 1 << 20))
        if not piece:
            return None
        received += piece
    return bytes(received)
