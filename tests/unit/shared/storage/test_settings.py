"""Which store the environment chooses."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.storage.directory import DirectoryObjectStore
from shared.storage.settings import ObjectStoreSettings, object_store

VARIABLES = ("OBJECT_STORE", "DATA_DIR", "S3_ENDPOINT_URL", "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_nothing_set_is_a_directory() -> None:
    settings = ObjectStoreSettings()
    assert (settings.kind, settings.data_dir, settings.s3_bucket) == ("directory", Path("data"), "docuelevate")


def test_an_endpoint_chooses_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9000")
    assert ObjectStoreSettings().kind == "s3"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "")
    assert ObjectStoreSettings().kind == "directory"


def test_an_explicit_choice_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("OBJECT_STORE", "directory")
    assert ObjectStoreSettings().kind == "directory"
    monkeypatch.delenv("S3_ENDPOINT_URL")
    monkeypatch.setenv("OBJECT_STORE", "s3")
    assert ObjectStoreSettings().kind == "s3"


@pytest.mark.parametrize(
    "variables", [{"OBJECT_STORE": "ftp"}, {"AWS_ACCESS_KEY_ID": "only"}, {"AWS_SECRET_ACCESS_KEY": "only"}]
)
def test_a_wrong_value_stops_the_process(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        ObjectStoreSettings()


def test_the_secret_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell")
    assert "do-not-tell" not in repr(ObjectStoreSettings())


def test_a_directory_is_opened_under_the_name_of_the_bucket(tmp_path: Path) -> None:
    store = object_store(ObjectStoreSettings(data_dir=tmp_path, s3_bucket="mine"))
    assert isinstance(store, DirectoryObjectStore)
    assert store.bucket == "mine"


def test_a_directory_costs_no_s3_client(tmp_path: Path) -> None:
    code = (
        "import sys; from shared.storage.settings import *; "
        f"object_store(ObjectStoreSettings(object_store='directory', data_dir={str(tmp_path)!r})); "
        "sys.exit('botocore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_client_has_explicit_time_outs_and_path_style(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.storage.s3 import s3_client

    settings = ObjectStoreSettings(
        s3_endpoint_url="http://127.0.0.1:9", aws_access_key_id="a", aws_secret_access_key="b"
    )
    config = s3_client(settings).meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert config.s3["addressing_style"] == "path"
    assert config.retries["total_max_attempts"] == 4
