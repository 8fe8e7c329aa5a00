"""S3 servers beside Ceph's gateway: MinIO, versitygw and rclone, each one process on loopback with its own directory.

MinIO and versitygw are used where they are installed (`MINIO_BIN`, `VERSITYGW_BIN`, or on the path). rclone comes with
the tests' own packages: the thinnest of them, without conditional writes, versions, or copies of parts.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

from tests.servers.ceph import DOMAIN, S3Server, ceph_gateway
from tests.servers.ports import free_port

ACCESS_KEY, SECRET_KEY = "tests-access", "tests-secret-key"
_START_SECONDS = 60

Start = Callable[[Path], AbstractContextManager[S3Server]]


def minio_binary() -> str | None:
    """Where MinIO is, if anywhere."""
    return os.environ.get("MINIO_BIN") or shutil.which("minio")


def versitygw_binary() -> str | None:
    """Where versitygw is, if anywhere."""
    return os.environ.get("VERSITYGW_BIN") or shutil.which("versitygw")


def rclone_binary() -> str:
    """rclone, as it was installed with the tests."""
    return str(Path(sys.executable).with_name("rclone"))


@contextmanager
def minio(directory: Path, host: str = "127.0.0.1", **environment: str) -> Iterator[S3Server]:
    """A running MinIO; `environment` is what it is configured by."""
    binary, port = minio_binary(), free_port()
    assert binary
    keys = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY}
    known = keys | {"MINIO_UPDATE": "off", "MINIO_DOMAIN": DOMAIN}
    listen = ("--address", f"{host}:{port}", "--console-address", f"{host}:0")
    command = (binary, "server", str(directory / "data"), *listen)
    with _process(directory, f"{host}:{port}", command, known | environment) as server:
        yield server


@contextmanager
def versitygw(directory: Path) -> Iterator[S3Server]:
    """A running versitygw on a directory."""
    binary, port = versitygw_binary(), free_port()
    assert binary
    for name in ("data", "versions"):
        (directory / name).mkdir()
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    posix = ("posix", "--versioning-dir", str(directory / "versions"), str(directory / "data"))
    with _process(directory, f"127.0.0.1:{port}", (binary, "--port", f"127.0.0.1:{port}", *posix), keys) as server:
        yield server


@contextmanager
def rclone(directory: Path) -> Iterator[S3Server]:
    """A running `rclone serve s3` on a directory."""
    port = free_port()
    (directory / "data").mkdir()
    keys = ("--auth-key", f"{ACCESS_KEY},{SECRET_KEY}")
    command = (rclone_binary(), "serve", "s3", "--addr", f"127.0.0.1:{port}", *keys, str(directory / "data"))
    with _process(directory, f"127.0.0.1:{port}", command, {"RCLONE_CONFIG": str(directory / "rclone.conf")}) as server:
        yield server


def available_servers() -> dict[str, Start]:
    """Every S3 server that the contract can be tried on here."""
    found: dict[str, Start] = {"ceph": ceph_gateway, "rclone": rclone}
    if minio_binary():
        found["minio"] = minio
    if versitygw_binary():
        found["versitygw"] = versitygw
    return found


@contextmanager
def _process(
    directory: Path, address: str, command: tuple[str, ...], environment: Mapping[str, str]
) -> Iterator[S3Server]:
    # Ended by the kernel should this process end without a chance to do so.
    bound = ("setpriv", "--pdeathsig", "KILL", *command)
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            bound, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        server = S3Server(f"http://{address}", ACCESS_KEY, SECRET_KEY)
        _wait_for(server.endpoint_url, process, directory / "server.log")
        yield server
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        try:
            # Any answer will do; one that is not ready yet says 503.
            if httpx.get(url, timeout=5).status_code != 503:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
