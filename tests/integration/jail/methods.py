"""What the jail's tests run inside it: each method tries something and says how it went."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import FailureCode, StepFailed

Params = Mapping[str, Any]


def echo(params: Params) -> Any:
    return dict(params)


def process_id(params: Params) -> int:
    return os.getpid()


def environment(params: Params) -> dict[str, str]:
    return dict(os.environ)


def open_socket(params: Params) -> str:
    try:
        socket.socket(params["family"], params["type"]).close()
    except OSError as error:
        return type(error).__name__
    return "opened"


def read(params: Params) -> str:
    try:
        return Path(params["path"]).read_text()
    except OSError as error:
        return type(error).__name__


def write(params: Params) -> str:
    try:
        Path(params["path"]).write_text("x")
    except OSError as error:
        return type(error).__name__
    return "written"


def change_mode(params: Params) -> str:
    try:
        os.chmod(params["path"], 0o777)
    except OSError as error:
        return type(error).__name__
    return "changed"


def change_mode_of_open_file(params: Params) -> str:
    try:
        with Path(params["path"]).open("rb") as stream:
            os.fchmod(stream.fileno(), 0o777)
    except OSError as error:
        return type(error).__name__
    return "changed"


def shorten(params: Params) -> str:
    try:
        os.truncate(params["path"], 0)
    except OSError as error:
        return type(error).__name__
    return "shortened"


def set_attribute(params: Params) -> str:
    try:
        os.setxattr(params["path"], "user.mark", b"x")
    except OSError as error:
        return type(error).__name__
    return "set"


def link(params: Params) -> str:
    try:
        Path(params["path"]).symlink_to("/etc/hostname")
    except OSError as error:
        return type(error).__name__
    return "linked"


def fork(params: Params) -> str:
    try:
        child = os.fork()
    except OSError as error:
        return type(error).__name__
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "forked"


def execute(params: Params) -> str:
    try:
        os.execv("/usr/bin/true", ["true"])
    except OSError as error:
        return type(error).__name__


def kill(params: Params) -> str:
    try:
        os.kill(params["pid"], 0)
    except OSError as error:
        return type(error).__name__
    return "reached"


def allocate(params: Params) -> int:
    pieces = []
    while True:
        pieces.append(bytearray(16 * 1024 * 1024))


def fill_disk(params: Params) -> str:
    try:
        Path("large").write_bytes(bytes(params["size"]))
    except OSError as error:
        return type(error).__name__
    return "written"


def spin(params: Params) -> None:
    while True:
        pass


def fail(params: Params) -> None:
    raise StepFailed(FailureCode.ENCRYPTED, "needs a key", determined=False)


def stumble(params: Params) -> None:
    raise KeyError("unexpected")


def abort(params: Params) -> None:
    os.abort()


METHODS = {
    method.__name__: method
    for method in (
        echo, process_id, environment, open_socket, read, write, change_mode, change_mode_of_open_file,
        shorten, set_attribute, link, fork, execute, kill, allocate, fill_disk, spin, fail, stumble, abort,
    )
}  # fmt: skip
