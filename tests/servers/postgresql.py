"""A real PostgreSQL for the tests, in a temporary directory, on a socket and loopback, ended with the tests."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers.ports import free_port

_USER = "postgres"
_OPTIONS = "-c listen_addresses={host} -c unix_socket_directories='' -c fsync=off -c shared_buffers=16MB -p {port}"


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `stop` and `start` let a test take it away and bring it back."""

    directory: Path
    port: int
    host: str = "127.0.0.1"

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://{_USER}@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._control("start", "-l", str(self.directory / "log"), "-o", _OPTIONS.format(port=self.port, host=self.host))

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` is as good as a crash."""
        self._control("stop", "-m", mode)

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, empty or like another one that nobody uses, and give its address."""
        names = (sql.Identifier(name) for name in (database, template))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-w", "-D", str(self.directory / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        # pg_ctl leaves the server behind with our pipes open, so its output is not captured.
        subprocess.run([_program(program), *arguments], check=True, stdout=subprocess.DEVNULL, **_as_user())


@contextmanager
def postgres_server(directory: Path, host: str = "127.0.0.1") -> Iterator[PostgresServer]:
    """A fresh server; PostgreSQL refuses to run as root, so root hands the directory to its own user.

    Whoever reaches `host` may do anything: beyond loopback that is for networks that only the tests use.
    """
    if os.geteuid() == 0:
        shutil.chown(directory, _USER)
        # Above it only ways in are needed.
        for parent in directory.parents:
            if parent != Path("/") and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    server = PostgresServer(directory, free_port(), host)
    command = [_program("initdb"), "-D", str(directory / "data"), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **_as_user())
    with (directory / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("host all all samenet trust\n")
    server.start()
    try:
        yield server
    finally:
        server.stop("immediate")


def _program(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(installed[-1]) if installed else shutil.which(name)
    assert found, f"{name} is missing: run scripts/install-system test"
    return found


def _as_user() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}
