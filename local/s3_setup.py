"""What a bucket needs so that dropped files become documents within seconds: what of it is set, and setting it.

Bucket, versions, lifecycle, and the notification for `incoming/` in the dialects of MinIO, AWS and Ceph. What others
have set on the bucket stays. Knows nothing of the command line.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import DocuElevateError
from shared.storage.keys import INCOMING

NAME = "docuelevate"
EVENTS = tuple(f"s3:ObjectCreated:{how}" for how in ("Put", "Post", "Copy", "CompleteMultipartUpload"))
"""Named one by one: MinIO counts changed tags and retention among all of `ObjectCreated`."""

UPLOAD_DAYS, VERSION_DAYS = 2, 30
_ARNS = {"QueueConfigurations": "QueueArn", "TopicConfigurations": "TopicArn"}
_NOT_OFFERED = {"NotImplemented", "MethodNotAllowed"}


class SetupFailed(DocuElevateError):
    """The server refused, or something is missing; the text says what to do."""


class Dialect(StrEnum):
    """Whose way of setting up notifications a server follows."""

    MINIO = "minio"
    AWS = "aws"
    CEPH = "ceph"


class State(StrEnum):
    """How one part of the setup stands."""

    SET = "set"
    MISSING = "missing"
    CHANGED = "changed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Part:
    """One part of the setup and how it stands."""

    name: str
    state: State
    detail: str = ""


@dataclass(frozen=True)
class Target:
    """Where the notifications go. `arn` is AWS's, or `eventbridge`; `url` our own address as the store sees it."""

    arn: str | None = None
    url: str | None = None
    token: str | None = None

    @property
    def hook(self) -> str:
        """The address of the hook. Raises SetupFailed."""
        if not self.url or urlsplit(self.url).scheme not in ("http", "https"):
            raise SetupFailed("Name the address under which the object store reaches this server: --hook-url http://…")
        return self.url.rstrip("/") + ("" if self.url.rstrip("/").endswith("/hooks/s3") else "/hooks/s3")

    def hook_with_password(self) -> str:
        """The same for senders that know no tokens. Raises SetupFailed."""
        if not self.token:
            raise SetupFailed("Set S3_WEBHOOK_TOKEN, to the same value as the server's.")
        address = urlsplit(self.hook)
        secret = f"{NAME}:{quote(self.token, safe='')}@{address.netloc}"
        return urlunsplit(address._replace(netloc=secret))


class BucketSetup:
    """Looks at one bucket and sets what is missing; with `dry_run` it only looks."""

    def __init__(
        self, s3: Any, sns: Any, bucket: str, dialect: Dialect, target: Target, *, dry_run: bool = False
    ) -> None:
        self._s3 = s3
        self._sns = sns
        self._bucket = bucket
        self._dialect = dialect
        self._target = target
        self._dry_run = dry_run

    def run(self) -> Iterator[Part]:
        """Each part in its order. Raises SetupFailed."""
        with _explained():
            bucket = self._set_bucket()
            yield bucket
            if bucket.state is State.MISSING:
                # Nothing can be asked of a bucket that is not there.
                yield from (Part(name, State.MISSING) for name in ("versions", "lifecycle", "notification"))
                return
            yield self._set_versions()
            yield self._set_lifecycle()
            yield self._set_notification()

    def _set_bucket(self) -> Part:
        try:
            self._s3.head_bucket(Bucket=self._bucket)
            return Part("bucket", State.SET, self._bucket)
        except ClientError as error:
            if _status(error) != 404:
                raise
        region = self._s3.meta.region_name
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        needs_place = self._dialect is Dialect.AWS and region not in (None, "us-east-1")
        if not self._dry_run:
            self._s3.create_bucket(Bucket=self._bucket, **(place if needs_place else {}))
        return self._changed("bucket", self._bucket)

    def _set_versions(self) -> Part:
        """With versions a dropped file is removed exactly, and never the one that came in its place."""
        detail = "dropped files are removed by version"
        try:
            if self._s3.get_bucket_versioning(Bucket=self._bucket).get("Status") == "Enabled":
                return Part("versions", State.SET, detail)
            if not self._dry_run:
                enabled = {"Status": "Enabled"}
                self._s3.put_bucket_versioning(Bucket=self._bucket, VersioningConfiguration=enabled)
        except ClientError as error:
            if not _is_not_offered(error):
                raise
            return Part("versions", State.UNSUPPORTED, "dropped files may stay under incoming/")
        return self._changed("versions", detail)

    def _set_lifecycle(self) -> Part:
        detail = f"unfinished uploads go after {UPLOAD_DAYS} days, replaced versions after {VERSION_DAYS}"
        try:
            present = self._lifecycle_rules()
            if all(any(_includes(rule, wanted) for rule in present) for wanted in _lifecycle(self._dialect)):
                return Part("lifecycle", State.SET, detail)
            if not self._dry_run:
                foreign = [rule for rule in present if not str(rule.get("ID", "")).startswith(NAME)]
                rules = {"Rules": [*foreign, *_lifecycle(self._dialect)]}
                self._s3.put_bucket_lifecycle_configuration(Bucket=self._bucket, LifecycleConfiguration=rules)
        except ClientError as error:
            if not _is_not_offered(error):
                raise
            return Part("lifecycle", State.UNSUPPORTED, "sweep removes unfinished uploads")
        return self._changed("lifecycle", detail)

    def _lifecycle_rules(self) -> list[dict[str, Any]]:
        try:
            return list(self._s3.get_bucket_lifecycle_configuration(Bucket=self._bucket).get("Rules", ()))
        except ClientError as error:
            if _code(error) == "NoSuchLifecycleConfiguration":
                return []
            raise

    def _set_notification(self) -> Part:
        try:
            present = self._s3.get_bucket_notification_configuration(Bucket=self._bucket)
        except ClientError as error:
            if not _is_not_offered(error):
                raise
            return Part("notification", State.UNSUPPORTED, "new files are found by listing, within about a minute")
        present.pop("ResponseMetadata", None)
        if self._target.arn == "eventbridge":
            return self._set_event_bridge(present)
        kind, arn = self._destination()
        if kind and any(_is_same(rule, _ARNS[kind], arn) for rule in present.get(kind, ())):
            return Part("notification", State.SET, f"{INCOMING} to {arn}")
        if not self._dry_run:
            self._put_notification(_with_rule(present, kind, arn))
        return self._changed("notification", f"{INCOMING} to {arn}")

    def _set_event_bridge(self, present: dict[str, Any]) -> Part:
        if "EventBridgeConfiguration" in present:
            return Part("notification", State.SET, "EventBridge")
        if not self._dry_run:
            self._put_notification({**present, "EventBridgeConfiguration": {}})
        return self._changed("notification", "EventBridge")

    def _destination(self) -> tuple[str, str]:
        """Which kind of rule names the target, and how."""
        if self._dialect is Dialect.CEPH:
            return "TopicConfigurations", self._topic()
        if self._dialect is Dialect.MINIO:
            return "QueueConfigurations", self._target.arn or f"arn:minio:sqs::{NAME}:webhook"
        service = (self._target.arn or "").split(":")[2:3]
        if service == ["sqs"]:
            return "QueueConfigurations", self._target.arn or ""
        if service == ["sns"]:
            return "TopicConfigurations", self._target.arn or ""
        raise SetupFailed(
            "Name where AWS is to send: --target with the ARN of an SQS queue or SNS topic, or eventbridge."
        )

    def _topic(self) -> str:
        """Ceph's own topic, which pushes to the hook; made again each time, as its secret cannot be read."""
        name = f"{NAME}-{self._bucket}"
        endpoint = self._target.hook_with_password()
        if self._dry_run:
            known = (str(topic["TopicArn"]) for topic in self._sns.list_topics().get("Topics", ()))
            return next((arn for arn in known if arn.endswith(f":{name}")), name)
        attributes = {"push-endpoint": endpoint, "persistent": "true", "verify-ssl": "true"}
        return str(self._sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])

    def _put_notification(self, rules: Mapping[str, Any]) -> None:
        try:
            self._s3.put_bucket_notification_configuration(Bucket=self._bucket, NotificationConfiguration=rules)
        except ClientError as error:
            if self._dialect is Dialect.MINIO and _code(error) in ("InvalidArgument", "InvalidARN"):
                lines = "\n  ".join(
                    minio_environment(replace(self._target, url=self._target.url or "http://SERVER:8000"))
                )
                message = f"MinIO does not know the target yet. Start it with\n  {lines}\nand run this again."
                raise SetupFailed(message) from error
            raise

    def _changed(self, name: str, detail: str) -> Part:
        return Part(name, State.MISSING if self._dry_run else State.CHANGED, detail)


def dialect_of(s3: Any, bucket: str, *, has_endpoint: bool) -> Dialect:
    """Whose way the server follows, by what it says of itself. Raises SetupFailed."""
    if not has_endpoint:
        return Dialect.AWS
    with _explained():
        try:
            headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
        except ClientError as error:
            if _status(error) != 404:
                raise
            headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    if "minio" in headers.get("server", "").lower():
        return Dialect.MINIO
    if "ceph" in headers.get("server", "").lower() or headers.get("x-amz-request-id", "").startswith("tx0"):
        return Dialect.CEPH
    raise SetupFailed("It cannot be seen what kind of server this is; name it with --server minio, aws or ceph.")


def minio_environment(target: Target) -> Sequence[str]:
    """What MinIO's own environment has to say, the secret by the name of its variable."""
    prefix = "MINIO_NOTIFY_WEBHOOK"
    return (
        f"{prefix}_ENABLE_{NAME}=on",
        f"{prefix}_ENDPOINT_{NAME}={target.hook}",
        f'{prefix}_AUTH_TOKEN_{NAME}="Bearer $S3_WEBHOOK_TOKEN"',
        # Without a queue MinIO drops what it cannot deliver at once.
        f"{prefix}_QUEUE_DIR_{NAME}=/data/.{NAME}-events",
    )


def _lifecycle(dialect: Dialect) -> Sequence[dict[str, Any]]:
    everything = {"Filter": {"Prefix": ""}, "Status": "Enabled"}
    uploads = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS}}
    versions = {"NoncurrentVersionExpiration": {"NoncurrentDays": VERSION_DAYS}}
    rules = [{"ID": f"{NAME}-versions", **everything, **versions}]
    # MinIO clears unfinished uploads by itself, after a day, and knows no such rule.
    return rules if dialect is Dialect.MINIO else [{"ID": f"{NAME}-uploads", **everything, **uploads}, *rules]


def _includes(rule: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    actions = [name for name in wanted if name not in ("ID", "Filter", "Status")]
    prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
    return rule.get("Status") == "Enabled" and not prefix and all(rule.get(name) == wanted[name] for name in actions)


def _rule(kind: str, arn: str) -> dict[str, Any]:
    prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": INCOMING}]}}
    return {"Id": NAME, _ARNS[kind]: arn, "Events": list(EVENTS), "Filter": prefix}


def _is_same(rule: Mapping[str, Any], arn_name: str, arn: str) -> bool:
    filters = rule.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    told = {(found["Name"].lower(), found["Value"]) for found in filters}
    return rule.get(arn_name) == arn and set(EVENTS) <= set(rule.get("Events", ())) and told == {("prefix", INCOMING)}


def _with_rule(present: Mapping[str, Any], kind: str, arn: str) -> dict[str, Any]:
    """The rules of others, and ours."""
    kept = {
        name: [rule for rule in rules if rule.get("Id") != NAME] for name, rules in present.items() if name in _ARNS
    }
    others = {name: value for name, value in present.items() if name not in _ARNS}
    return {**others, **kept, kind: [*kept.get(kind, ()), _rule(kind, arn)]}


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = _code(error) or _status(error)
        raise SetupFailed(f"The object store answered {code} to {error.operation_name}.{_advice(error)}") from error
    except BotoCoreError as error:
        raise SetupFailed(f"The object store does not answer ({type(error).__name__}): see S3_ENDPOINT_URL.") from error


def _advice(error: ClientError) -> str:
    if _status(error) == 403:
        return " See AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what that key is allowed to."
    if "otification" in error.operation_name:
        return " Is there the target, may S3 send to it, and does no other rule of the bucket cover incoming/ already?"
    if "Topic" in error.operation_name:
        return (
            " Ceph takes the token over https only: reach it by https, or, where its release knows that, set "
            "rgw_allow_notification_secrets_in_cleartext=true."
        )
    return ""


def _is_not_offered(error: ClientError) -> bool:
    return _status(error) == 501 or _code(error) in _NOT_OFFERED


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
