"""A real S3 server for the tests: Ceph's gateway on one monitor and one in-memory storage daemon, all on loopback.

Everything lives in one temporary directory, and the kernel ends the daemons with the process that started them.
"""

import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import free_port

_START_SECONDS = 120
DOMAIN = "objects.test"
"""Below which buckets may be asked for by host name, on servers that offer it; nobody resolves it."""

_CONFIGURATION = """
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_bind_ipv4 = true
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = {directory}
admin_socket =
log_file = {directory}/$name.log
crash_dir = {directory}
pid_file =
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 1000
mon_allow_pool_size_one = true
mon_warn_on_insecure_global_id_reclaim = false

[mon]
mon_data = {directory}/mon
mon_initial_members = a

[osd]
osd_data = {directory}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_class_dir = /usr/lib/{machine}-linux-gnu/rados-classes

[client]
keyring = /dev/null
rgw_data = {directory}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{http} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_thread_pool_size = 32
rgw_trust_forwarded_https = true
rgw_dns_name = {domain}
"""


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server is and who may use it."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str


@contextmanager
def ceph_gateway(directory: Path) -> Iterator[S3Server]:
    """A running gateway with one user; all of its files are in `directory`."""
    http = _configure(directory)
    _run(directory, "ceph-mon", "-i", "a", "--mkfs", "--monmap", str(directory / "monmap"))
    with ExitStack() as daemons:
        daemons.enter_context(_daemon(directory, "ceph-mon", "-i", "a"))
        disk = str(uuid.uuid4())
        _run(directory, "ceph", "osd", "new", disk)
        _run(directory, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        daemons.enter_context(_daemon(directory, "ceph-osd", "-i", "0"))
        server = _create_user(directory, f"http://127.0.0.1:{http}")
        daemons.enter_context(_daemon(directory, "radosgw", "-n", "client.gateway"))
        _wait_for(server.endpoint_url)
        yield server


@contextmanager
def s3_server_of_the_tests(directory: Path) -> Iterator[S3Server]:
    """`S3_ENDPOINT_URL` with its keys where that is set, else a server that lives as long as the context."""
    endpoint_url = os.environ.get("S3_ENDPOINT_URL")
    if endpoint_url:
        yield S3Server(endpoint_url, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        return
    with ceph_gateway(directory) as server:
        yield server


def _configure(directory: Path) -> int:
    """Write the configuration and the map of monitors; the gateway's port."""
    v2, v1, http = free_port(), free_port(), free_port()
    for name in ("mon", "osd", "rgw"):
        (directory / name).mkdir()
    fsid, machine = str(uuid.uuid4()), os.uname().machine
    text = _CONFIGURATION.format(
        fsid=fsid, v2=v2, v1=v1, http=http, directory=directory, machine=machine, domain=DOMAIN
    )
    (directory / "ceph.conf").write_text(text)
    addresses = f"[v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]"
    _run(directory, "monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, str(directory / "monmap"))
    return http


def _command(directory: Path, program: str, *arguments: str) -> list[str]:
    return [program, "-c", str(directory / "ceph.conf"), *arguments]


def _bound(command: list[str]) -> list[str]:
    """The command, ended by the kernel should this process end without a chance to do so."""
    return ["setpriv", "--pdeathsig", "KILL", *command]


def _run(directory: Path, program: str, *arguments: str) -> None:
    command = _command(directory, program, *arguments)
    done = subprocess.run(_bound(command), capture_output=True, text=True, timeout=_START_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")


@contextmanager
def _daemon(directory: Path, program: str, *arguments: str) -> Iterator[None]:
    command = _bound(_command(directory, program, "-f", *arguments))
    with (directory / f"{program}.out").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _create_user(directory: Path, endpoint_url: str) -> S3Server:
    server = S3Server(endpoint_url, secrets.token_hex(10), secrets.token_hex(20))
    user = ("user", "create", "--uid=tests", "--display-name=tests")
    keys = (f"--access-key={server.access_key_id}", f"--secret-key={server.secret_access_key}")
    _run(directory, "radosgw-admin", *user, *keys)
    return server


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
