"""Messages of Amazon SNS: signed as its documentation says, known by signature and topic, confirmed at its own hosts.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html,
https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
"""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from httpx import Response
from sqlalchemy import Engine, select
from starlette.testclient import TestClient

from shared.database.engine import reading
from shared.database.tables import OutboxEvent
from shared.errors import Unavailable
from tests.app.web.conftest import MakeContext
from tests.unit.web.hooks.test_notifications import S3, TEST_EVENT
from web.app import create_app
from web.hooks.signatures import SnsMessages

HOST = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-56e67fcb41f6fec09b0196692625d385.pem"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:docuelevate"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37f"
TOKEN = "a-token"

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(name: str = "sns.amazonaws.com", valid: timedelta = timedelta(days=1)) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=9)).not_valid_after(now + valid)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def signed(message: dict[str, Any], version: str = "1") -> dict[str, Any]:
    """By the documentation: these names in byte order, each name and value on a line of its own."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = KEY.sign(text.encode(), padding.PKCS1v15(), algorithm)
    proof = {"SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}
    return message | proof | {"SigningCertURL": CERTIFICATE}


def notification(content: object = S3, **more: str) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon S3 Notification",
        "Message": json.dumps(content),
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "UnsubscribeURL": f"{HOST}/?Action=Unsubscribe",
    } | more


def confirmation(url: str = CONFIRM, kind: str = "SubscriptionConfirmation") -> dict[str, Any]:
    return {
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37f",
        "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe to the topic.",
        "SubscribeURL": url,
        "Timestamp": "2012-04-26T20:45:04.751Z",
    }


class Vendor:
    """The vendor's hosts: what they serve, and what they were asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {CERTIFICATE: certificate(), CONFIRM: b"<ConfirmSubscriptionResponse/>"}
        self.asked: list[str] = []

    def get(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise Unavailable("Amazon SNS does not answer")
        return self.pages[url]


class Subscriber:
    def __init__(self, engine: Engine, make_context: MakeContext, **settings: object) -> None:
        self.engine, self.vendor = engine, Vendor()
        context = replace(make_context(**settings), sns=SnsMessages(self.vendor.get))
        self.client = TestClient(create_app(context), base_url="http://d.example", raise_server_exceptions=False)

    def post(self, message: object, topic: str | None = TOPIC, token: str | None = None) -> Response:
        headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
        headers |= {"x-amz-sns-topic-arn": topic} if topic else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        answer: Response = self.client.post("/hooks/s3", content=json.dumps(message), headers=headers)
        return answer

    def queued(self) -> int:
        with reading(self.engine) as session:
            return len(session.scalars(select(OutboxEvent)).all())


Subscribe = Callable[..., Subscriber]


@pytest.fixture
def subscribe(database: Engine, make_context: MakeContext) -> Subscribe:
    return lambda **settings: Subscriber(database, make_context, **settings)


@pytest.fixture
def subscriber(subscribe: Subscribe) -> Subscriber:
    """One that knows the topic, and no token."""
    return subscribe(s3_sns_topic_arns=f"arn:aws:sns:x:1:other, {TOPIC}")


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signed_message_of_a_known_topic_needs_no_token(subscriber: Subscriber, version: str) -> None:
    answer = subscriber.post(signed(notification(), version))
    assert (answer.status_code, answer.json()["accepted"], subscriber.queued()) == (202, 1, 1)


def test_a_message_without_a_subject_is_signed_without_one(subscriber: Subscriber) -> None:
    message = notification()
    del message["Subject"]
    assert subscriber.post(signed(message)).status_code == 202


def test_a_test_event_in_a_message_is_answered_well(subscriber: Subscriber) -> None:
    assert subscriber.post(signed(notification(TEST_EVENT))).status_code == 200


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp"])
def test_a_message_that_was_changed_is_refused(subscriber: Subscriber, field: str) -> None:
    answer = subscriber.post(signed(notification()) | {field: "changed"})
    assert (answer.status_code, answer.json()["error"]["code"], subscriber.queued()) == (401, "signature_invalid", 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"Signature": ""},
        {"Signature": "!!!"},
        {"Signature": None},
        {"SignatureVersion": "3"},
        {"SignatureVersion": "2"},
        {"SignatureVersion": None},
        {"Type": "UnsubscribeConfirmation"},
    ],
)
def test_a_signature_of_another_kind_is_refused(subscriber: Subscriber, changes: dict[str, Any]) -> None:
    assert subscriber.post(signed(notification()) | changes).status_code == 401


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE.replace("https", "http"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example"),
        CERTIFICATE.replace("sns.", "evil.example/sns."),
        CERTIFICATE.replace("https://", "https://user@"),
        CERTIFICATE.replace("https://", "https://evil.example#@"),
        CERTIFICATE.replace("https://", "https://evil.example\\@"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com:8443"),
        CERTIFICATE.replace("sns.eu-central-1", "bucket.s3"),
        CERTIFICATE.replace("/Simple", "/attacker/../Simple"),
        CERTIFICATE + "?x=1",
        CERTIFICATE + "#x",
        "https://[::1",
        "",
    ],
)
def test_a_certificate_is_asked_for_at_the_vendors_own_host_only(subscriber: Subscriber, url: str) -> None:
    subscriber.vendor.pages[url] = certificate()
    assert subscriber.post(signed(notification()) | {"SigningCertURL": url}).status_code == 401
    assert subscriber.vendor.asked == []


@pytest.mark.parametrize("pem", [certificate("evil.example"), certificate(valid=timedelta(days=-1)), b"no certificate"])
def test_a_certificate_that_is_not_the_vendors_is_not_believed(subscriber: Subscriber, pem: bytes) -> None:
    subscriber.vendor.pages[CERTIFICATE] = pem
    assert subscriber.post(signed(notification())).status_code == 401


def test_the_vendors_hosts_in_china_are_its_own_too(subscriber: Subscriber) -> None:
    url = CERTIFICATE.replace("eu-central-1.amazonaws.com", "cn-north-1.amazonaws.com.cn")
    subscriber.vendor.pages[url] = certificate()
    assert subscriber.post(signed(notification()) | {"SigningCertURL": url}).status_code == 202


def test_a_certificate_is_fetched_once(subscriber: Subscriber) -> None:
    for _ in range(3):
        subscriber.post(signed(notification()))
    assert subscriber.vendor.asked == [CERTIFICATE]


def test_a_certificate_that_cannot_be_had_is_an_error_that_passes(subscriber: Subscriber) -> None:
    pem = subscriber.vendor.pages.pop(CERTIFICATE)
    assert subscriber.post(signed(notification())).status_code == 503
    subscriber.vendor.pages[CERTIFICATE] = pem
    assert subscriber.post(signed(notification())).status_code == 202


@pytest.mark.parametrize("topic", [None, "arn:aws:sns:eu-central-1:666:evil", ""])
def test_a_topic_that_is_not_ours_is_refused_before_the_body_is_read(subscriber: Subscriber, topic: str | None) -> None:
    assert subscriber.post(signed(notification()), topic=topic).status_code == 401
    assert subscriber.vendor.asked == []


def test_the_topic_that_counts_is_the_signed_one(subscriber: Subscriber) -> None:
    evil = "arn:aws:sns:eu-central-1:666:evil"
    assert subscriber.post(signed(notification(TopicArn=evil))).status_code == 401


def test_without_a_signature_nobody_gets_in_by_naming_the_topic(subscriber: Subscriber) -> None:
    assert subscriber.post(S3).status_code == 401
    assert subscriber.post({"Records": []}).status_code == 401
    assert subscriber.queued() == 0


def test_with_the_token_a_message_has_to_be_signed_all_the_same(subscribe: Subscribe) -> None:
    subscriber = subscribe(s3_webhook_token=TOKEN)
    assert subscriber.post(notification(), token=TOKEN).status_code == 401
    assert subscriber.post(signed(notification()), token=TOKEN).status_code == 202
    assert subscriber.post(signed(notification())).status_code == 401, "no topic is allowed to come without it"


def test_a_subscription_is_confirmed_at_the_vendors_own_host(subscriber: Subscriber) -> None:
    assert subscriber.post(signed(confirmation())).status_code == 200
    assert subscriber.vendor.asked == [CERTIFICATE, CONFIRM]
    assert subscriber.queued() == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription",
        "http://169.254.169.254/latest/meta-data",
        CONFIRM.replace("https", "http"),
        CONFIRM.replace("ConfirmSubscription", "DeleteTopic"),
        CONFIRM.replace("123456789012", "666"),
        CONFIRM.replace("https://", "https://evil.example/?"),
    ],
)
def test_a_subscription_anywhere_else_is_not(subscriber: Subscriber, url: str) -> None:
    assert subscriber.post(signed(confirmation(url))).status_code == 401
    assert subscriber.vendor.asked == [CERTIFICATE]


def test_a_subscription_that_nobody_signed_is_not_confirmed(subscriber: Subscriber) -> None:
    assert subscriber.post(confirmation()).status_code == 401
    assert CONFIRM not in subscriber.vendor.asked


def test_a_confirmation_that_fails_is_asked_for_again(subscriber: Subscriber) -> None:
    del subscriber.vendor.pages[CONFIRM]
    assert subscriber.post(signed(confirmation())).status_code == 503


def test_the_end_of_a_subscription_is_not_undone(subscriber: Subscriber) -> None:
    """Its SubscribeURL would subscribe again."""
    assert subscriber.post(signed(confirmation(kind="UnsubscribeConfirmation"))).status_code == 200
    assert subscriber.vendor.asked == [CERTIFICATE]
