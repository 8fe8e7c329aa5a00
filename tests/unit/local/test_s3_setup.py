"""What `docuelevate s3-notifications` sets on a bucket, in each server's way, and what it leaves alone."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner

from local.cli import main
from local.s3_setup import EVENTS, BucketSetup, Dialect, Part, SetupFailed, State, Target, dialect_of

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:docuelevate"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:docuelevate"
WEBHOOK = "arn:minio:sqs::docuelevate:webhook"


def refusal(status: int, code: str, operation: str, **headers: str) -> ClientError:
    answer = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": answer}, operation)  # type: ignore[typeddict-item]


class Server:
    """One bucket's settings in memory; `refuses` maps an operation to the error that it answers."""

    def __init__(self, *, region: str = "eu-central-1", exists: bool = True, headers: dict[str, str] | None = None):
        self.meta = SimpleNamespace(region_name=region)
        self.exists = exists
        self.headers = headers or {}
        self.created: dict[str, Any] = {}
        self.versioning: dict[str, Any] = {}
        self.rules: list[dict[str, Any]] = []
        self.notification: dict[str, Any] = {}
        self.topics: dict[str, dict[str, str]] = {}
        self.refuses: dict[str, Exception] = {}
        self.writes: list[str] = []

    def _did(self, operation: str) -> None:
        if operation in self.refuses:
            raise self.refuses[operation]
        if operation.startswith(("put", "create")):
            self.writes.append(operation)

    def head_bucket(self, Bucket: str) -> dict[str, Any]:
        self._did("head_bucket")
        if not self.exists:
            raise refusal(404, "404", "HeadBucket", **self.headers)
        return {"ResponseMetadata": {"HTTPHeaders": self.headers}}

    def create_bucket(self, **request: Any) -> None:
        self._did("create_bucket")
        self.exists, self.created = True, request

    def get_bucket_versioning(self, Bucket: str) -> dict[str, Any]:
        self._did("get_bucket_versioning")
        return self.versioning

    def put_bucket_versioning(self, Bucket: str, VersioningConfiguration: dict[str, Any]) -> None:
        self._did("put_bucket_versioning")
        self.versioning = VersioningConfiguration

    def get_bucket_lifecycle_configuration(self, Bucket: str) -> dict[str, Any]:
        self._did("get_bucket_lifecycle_configuration")
        if not self.rules:
            raise refusal(404, "NoSuchLifecycleConfiguration", "GetBucketLifecycleConfiguration")
        return {"Rules": self.rules}

    def put_bucket_lifecycle_configuration(self, Bucket: str, LifecycleConfiguration: dict[str, Any]) -> None:
        self._did("put_bucket_lifecycle_configuration")
        self.rules = LifecycleConfiguration["Rules"]

    def get_bucket_notification_configuration(self, Bucket: str) -> dict[str, Any]:
        self._did("get_bucket_notification_configuration")
        return {**self.notification, "ResponseMetadata": {}}

    def put_bucket_notification_configuration(self, Bucket: str, NotificationConfiguration: dict[str, Any]) -> None:
        self._did("put_bucket_notification_configuration")
        self.notification = NotificationConfiguration

    def create_topic(self, Name: str, Attributes: dict[str, str]) -> dict[str, str]:
        self._did("create_topic")
        self.topics[Name] = Attributes
        return {"TopicArn": f"arn:aws:sns:default::{Name}"}

    def list_topics(self) -> dict[str, Any]:
        return {"Topics": [{"TopicArn": f"arn:aws:sns:default::{name}"} for name in self.topics]}

    def set_up(self, dialect: Dialect, target: Target, *, dry_run: bool = False) -> dict[str, Part]:
        return {part.name: part for part in BucketSetup(self, self, "papers", dialect, target, dry_run=dry_run).run()}

    @property
    def state(self) -> tuple[Any, ...]:
        return self.versioning, self.rules, self.notification


@pytest.mark.parametrize(
    ("dialect", "target", "kind", "arn_name", "arn"),
    [
        (Dialect.AWS, Target(arn=QUEUE), "QueueConfigurations", "QueueArn", QUEUE),
        (Dialect.AWS, Target(arn=TOPIC), "TopicConfigurations", "TopicArn", TOPIC),
        (Dialect.MINIO, Target(), "QueueConfigurations", "QueueArn", WEBHOOK),
        (Dialect.MINIO, Target(arn="arn:minio:sqs:eu:x:webhook"), "QueueConfigurations", "QueueArn", None),
        (
            Dialect.CEPH,
            Target(url="https://d.example", token="t"),
            "TopicConfigurations",
            "TopicArn",
            "arn:aws:sns:default::docuelevate-papers",
        ),
    ],
)
def test_every_dialect_names_its_target_and_our_prefix(
    dialect: Dialect, target: Target, kind: str, arn_name: str, arn: str | None
) -> None:
    server = Server()
    server.set_up(dialect, target)
    [rule] = server.notification[kind]
    assert rule[arn_name] == (arn or target.arn)
    assert rule["Filter"] == {"Key": {"FilterRules": [{"Name": "prefix", "Value": "incoming/"}]}}
    assert rule["Events"] == list(EVENTS)
    assert server.versioning == {"Status": "Enabled"}
    assert {state.state for state in server.set_up(dialect, target).values()} == {State.SET}


def test_eventbridge_is_one_switch() -> None:
    server = Server()
    server.notification = {"TopicConfigurations": [{"Id": "theirs", "TopicArn": TOPIC}]}
    server.set_up(Dialect.AWS, Target(arn="eventbridge"))
    assert server.notification["EventBridgeConfiguration"] == {}
    assert [rule["Id"] for rule in server.notification["TopicConfigurations"]] == ["theirs"]
    assert server.set_up(Dialect.AWS, Target(arn="eventbridge"))["notification"].state is State.SET


def test_what_others_have_set_stays() -> None:
    server = Server()
    theirs = {"Id": "theirs", "QueueArn": QUEUE, "Events": ["s3:ObjectRemoved:*"]}
    functions = [{"Id": "f", "LambdaFunctionArn": "arn:aws:lambda:x", "Events": ["s3:ObjectCreated:*"]}]
    server.notification = {"QueueConfigurations": [theirs], "LambdaFunctionConfigurations": functions}
    server.rules = [{"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9}}]
    server.set_up(Dialect.AWS, Target(arn=TOPIC))
    assert server.notification["QueueConfigurations"] == [theirs]
    assert server.notification["LambdaFunctionConfigurations"] == functions
    assert [rule["ID"] for rule in server.rules] == ["theirs", "docuelevate-uploads", "docuelevate-versions"]


def test_an_older_rule_of_ours_is_replaced() -> None:
    server = Server()
    server.set_up(Dialect.AWS, Target(arn=TOPIC))
    server.set_up(Dialect.AWS, Target(arn=QUEUE))
    assert server.notification["TopicConfigurations"] == []
    assert len(server.notification["QueueConfigurations"]) == 1


def test_no_lifecycle_rule_touches_what_is_current() -> None:
    """rules 1: nothing but a purge removes an original."""
    server = Server()
    server.set_up(Dialect.AWS, Target(arn=QUEUE))
    actions = {name for rule in server.rules for name in rule} - {"ID", "Filter", "Status"}
    assert actions == {"AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"}


def test_minio_is_not_asked_for_a_rule_that_it_does_not_know() -> None:
    server = Server()
    server.set_up(Dialect.MINIO, Target())
    assert [rule["ID"] for rule in server.rules] == ["docuelevate-versions"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_dry_run_changes_nothing(exists: bool) -> None:
    server = Server(exists=exists)
    for dialect, target in ((Dialect.AWS, Target(arn=QUEUE)), (Dialect.CEPH, Target(url="https://d", token="t"))):
        parts = server.set_up(dialect, target, dry_run=True)
        assert parts["notification"].state is State.MISSING
    assert server.writes == []


@pytest.mark.parametrize(
    ("dialect", "region", "place"),
    [
        (Dialect.AWS, "eu-central-1", {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}),
        (Dialect.AWS, "us-east-1", {}),
        (Dialect.MINIO, "eu-central-1", {}),
    ],
)
def test_a_missing_bucket_is_made(dialect: Dialect, region: str, place: dict[str, Any]) -> None:
    server = Server(exists=False, region=region)
    server.set_up(dialect, Target(arn=QUEUE))
    assert server.created == {"Bucket": "papers", **place}


def test_a_server_that_offers_less_is_told_and_the_rest_is_set() -> None:
    server = Server()
    for operation in ("put_bucket_versioning", "put_bucket_lifecycle_configuration"):
        server.refuses[operation] = refusal(501, "NotImplemented", operation)
    parts = server.set_up(Dialect.MINIO, Target())
    assert (parts["versions"].state, parts["lifecycle"].state) == (State.UNSUPPORTED, State.UNSUPPORTED)
    assert parts["notification"].state is State.CHANGED


def test_a_target_that_minio_does_not_know_is_explained_with_what_to_start_it_with() -> None:
    server = Server()
    server.refuses["put_bucket_notification_configuration"] = refusal(400, "InvalidArgument", "PutBucketNotification")
    with pytest.raises(SetupFailed, match="MINIO_NOTIFY_WEBHOOK_ENDPOINT_docuelevate=http://d:8000/hooks/s3") as raised:
        server.set_up(Dialect.MINIO, Target(url="http://d:8000/", token="secret"))
    assert "secret" not in str(raised.value)


def test_ceph_gets_the_token_as_a_password() -> None:
    server = Server()
    parts = server.set_up(Dialect.CEPH, Target(url="https://d.example:8443", token="a/b@c:d"))
    attributes = server.topics["docuelevate-papers"]
    assert attributes["push-endpoint"] == "https://docuelevate:a%2Fb%40c%3Ad@d.example:8443/hooks/s3"
    assert attributes["persistent"] == "true"
    assert not any("a%2Fb" in part.detail for part in parts.values())


@pytest.mark.parametrize(
    ("dialect", "target", "words"),
    [
        (Dialect.CEPH, Target(url="https://d"), "S3_WEBHOOK_TOKEN"),
        (Dialect.CEPH, Target(token="t"), "--hook-url"),
        (Dialect.CEPH, Target(token="t", url="d:8000"), "--hook-url"),
        (Dialect.AWS, Target(), "--target"),
        (Dialect.AWS, Target(arn="arn:aws:lambda:x:y:z"), "--target"),
    ],
)
def test_what_is_missing_is_named(dialect: Dialect, target: Target, words: str) -> None:
    with pytest.raises(SetupFailed, match=words):
        Server().set_up(dialect, target)


@pytest.mark.parametrize(
    ("operation", "error", "words"),
    [
        ("head_bucket", refusal(403, "403", "HeadBucket"), "AWS_ACCESS_KEY_ID"),
        ("head_bucket", EndpointConnectionError(endpoint_url="http://x"), "S3_ENDPOINT_URL"),
        ("create_topic", refusal(400, "InvalidInput", "CreateTopic"), "https"),
        (
            "put_bucket_notification_configuration",
            refusal(400, "InvalidArgument", "PutBucketNotificationConfiguration"),
            "no other rule",
        ),
    ],
)
def test_a_refusal_says_what_to_look_at(operation: str, error: Exception, words: str) -> None:
    server = Server()
    server.refuses[operation] = error
    with pytest.raises(SetupFailed, match=words):
        server.set_up(Dialect.CEPH, Target(url="https://d", token="t"))


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    ("headers", "dialect"),
    [({"server": "MinIO"}, Dialect.MINIO), ({"x-amz-request-id": "tx000005a51ca0f760bba38-default"}, Dialect.CEPH)],
)
def test_a_server_is_known_by_what_it_says(headers: dict[str, str], dialect: Dialect, exists: bool) -> None:
    assert dialect_of(Server(headers=headers, exists=exists), "papers", has_endpoint=True) is dialect
    assert dialect_of(Server(), "papers", has_endpoint=False) is Dialect.AWS


def test_a_server_that_is_not_known_has_to_be_named() -> None:
    with pytest.raises(SetupFailed, match="--server"):
        dialect_of(Server(headers={"server": "VERSITYGW"}), "papers", has_endpoint=True)


def test_the_command_tells_a_wrong_setting_in_one_sentence() -> None:
    done = CliRunner().invoke(
        main, ["s3-notifications"], env={"AWS_ACCESS_KEY_ID": "only", "AWS_SECRET_ACCESS_KEY": ""}
    )
    assert done.exit_code == 1
    assert "must be set together" in done.output
