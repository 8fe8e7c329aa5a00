"""A file dropped by a plain S3 client becomes a document that is found by its words: real server, real PostgreSQL.

The store's own notifications are set up by `docuelevate s3-notifications`; what they do not tell, sweep finds.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.storage.s3 import s3_client
from tests.servers.buckets import settings_for
from tests.servers.ceph import S3Server
from tests.servers.docuelevate import SETTLE_SECONDS, Instance, wait_for
from tests.servers.postgresql import PostgresServer
from tests.servers.s3_proxy import s3_proxy
from tests.servers.s3_servers import minio, minio_binary, rclone_binary

TOKEN = "hook+token/with:odd@characters%2F"
UNTOLD = "incoming/tag=still/dropped before anybody was told.txt"
SERVERS = ["ceph", *(["minio"] if minio_binary() else [])]


class Drop:
    """A bucket, the server behind it, and people who drop files."""

    def __init__(self, s3: S3Server, instance: Instance, bucket: str) -> None:
        self.s3, self.instance, self.bucket = s3, instance, bucket
        self.client: Any = s3_client(settings_for(s3, bucket))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "S3_ENDPOINT_URL": self.s3.endpoint_url,
            "S3_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": self.s3.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_access_key,
            "S3_WEBHOOK_TOKEN": TOKEN,
        }

    def set_up(self, *options: str) -> dict[str, Any]:
        command = [str(Path(sys.executable).with_name("docuelevate")), "--json", "s3-notifications", *options]
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout)) | {"exit": done.returncode}

    def rclone(self, source: Path, folder: str) -> None:
        remote = f":s3,provider=Other,endpoint='{self.s3.endpoint_url}',force_path_style=true"
        keys = ["--s3-access-key-id", self.s3.access_key_id, "--s3-secret-access-key", self.s3.secret_access_key]
        target = f"{remote}:{self.bucket}/{folder}"
        subprocess.run(
            [rclone_binary(), "copy", "--s3-no-check-bucket", *keys, str(source), target],
            check=True,
            env=os.environ | {"RCLONE_CONFIG": "/dev/null"},
        )

    def seconds_until_found(self, words: str) -> tuple[float, dict[str, Any]]:
        began = time.monotonic()
        wait_for(lambda: bool(self.instance.found(words)), SETTLE_SECONDS, f"{words} was not found")
        [hit] = self.instance.found(words)
        wait_for(lambda: self.instance.document(hit["id"])["status"] == "ready", SETTLE_SECONDS, "it was not ready")
        return time.monotonic() - began, self.instance.document(hit["id"])

    def left(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())]


@pytest.fixture(scope="module", params=SERVERS)
def drop(
    request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drop]:
    """Everything running, nothing set up on the bucket's server yet."""
    directory = tmp_path_factory.mktemp(request.param)
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    instance = Instance(directory / "data", DATABASE_URL=postgres.create(uuid.uuid4().hex))
    with _server(request, directory, instance) as s3:
        found = Drop(s3, instance, bucket)
        found.client.create_bucket(Bucket=bucket)
        instance._environment.update(found.environment)
        instance.start()
        try:
            yield found
        finally:
            instance.client.close()
            instance.kill()


@contextmanager
def _server(request: pytest.FixtureRequest, directory: Path, instance: Instance) -> Iterator[S3Server]:
    if request.param == "ceph":
        gateway: S3Server = request.getfixturevalue("s3_server")
        # Ceph takes the hook's password over https only; as usual, that ends in front of it.
        with s3_proxy(gateway.endpoint_url, {"X-Forwarded-Proto": "https"}) as proxy:
            yield replace(gateway, endpoint_url=proxy.url)
        return
    prefix = "MINIO_NOTIFY_WEBHOOK"
    notify = {
        f"{prefix}_ENABLE_docuelevate": "on",
        f"{prefix}_ENDPOINT_docuelevate": f"{instance.url}/hooks/s3",
        f"{prefix}_AUTH_TOKEN_docuelevate": f"Bearer {TOKEN}",
        f"{prefix}_QUEUE_DIR_docuelevate": str(directory / "events"),
    }
    with minio(directory, **notify) as server:
        yield server


def test_the_bucket_is_set_up_once_and_what_others_have_set_stays(drop: Drop) -> None:
    drop.client.put_object(Bucket=drop.bucket, Key=UNTOLD, Body=b"Niemand hat Hollerkoch gemeldet")
    url = ("--hook-url", drop.instance.url)
    before = drop.set_up("--check", *url)
    assert (before["exit"], before["complete"]) == (1, False)
    assert drop.client.get_bucket_versioning(Bucket=drop.bucket).get("Status") is None, "a check changes nothing"
    others = {"Rules": [{"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9}}]}
    drop.client.put_bucket_lifecycle_configuration(Bucket=drop.bucket, LifecycleConfiguration=others)
    first = drop.set_up(*url)
    assert (first["exit"], first["complete"]) == (0, True)
    assert TOKEN not in json.dumps(first)
    again = drop.set_up("--check", *url)
    assert (again["exit"], {part["state"] for part in again["parts"]}) == (0, {"set"})
    rules = drop.client.get_bucket_lifecycle_configuration(Bucket=drop.bucket)["Rules"]
    assert "theirs" in [rule["ID"] for rule in rules]


def test_a_dropped_file_is_found_within_seconds(drop: Drop, capsys: pytest.CaptureFixture[str]) -> None:
    """contract §5; the first file also waits for the functions to start."""
    drop.set_up("--hook-url", drop.instance.url)
    took = []
    for number, word in enumerate(("Zwetschgenkuchen", "Apfelstrudel", "Kaiserschmarrn")):
        key = f"incoming/tag=Küche 1+1/language=deu/Käse & Brot+{number} 100%.txt"
        drop.client.put_object(Bucket=drop.bucket, Key=key, Body=f"Rechnung über {word}".encode())
        seconds, document = drop.seconds_until_found(word)
        took.append(seconds)
        assert document["filename"] == f"Käse & Brot+{number} 100%.txt"
        assert [tag["value"] for tag in document["metadata"]["tags"]] == ["Küche 1+1"]
    with capsys.disabled():
        print(f" [{' '.join(f'{seconds:.1f}' for seconds in took)} s from put to ready]", end="")
    assert not [key for key in drop.left() if "Käse" in key], "it is taken away once it is safe"
    [tagged] = drop.instance.found("Apfelstrudel", tag="Küche 1+1")
    assert tagged["id"]


def test_a_whole_folder_dropped_by_rclone_is_taken_in(drop: Drop, tmp_path: Path) -> None:
    drop.set_up("--hook-url", drop.instance.url)
    for number in range(5):
        (tmp_path / f"letter {number}.txt").write_text(f"Blatt{number}nummer eines Ordners")
    drop.rclone(tmp_path, "incoming/tag=rclone")
    for number in range(5):
        _, document = drop.seconds_until_found(f"Blatt{number}nummer")
        assert [tag["value"] for tag in document["metadata"]["tags"]] == ["rclone"]
    assert len(drop.instance.documents()) == len({document["sha256"] for document in drop.instance.documents()})


def test_what_nobody_told_of_is_found_by_listing(drop: Drop) -> None:
    """rules 16; it was dropped before the notifications were set up."""
    _, document = drop.seconds_until_found("Hollerkoch")
    assert [tag["value"] for tag in document["metadata"]["tags"]] == ["still"]
