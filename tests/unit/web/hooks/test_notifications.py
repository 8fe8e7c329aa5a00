"""Every form in which an object store's news arrives is read the same; none of it can break the reader.

The messages are those of the vendors' pages: docs.aws.amazon.com (notification content structure, EventBridge events,
SNS message formats, Lambda's SQS and SNS events), min.io and docs.ceph.com (bucket notifications), and the CloudEvents
adapter for S3.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.hooks.notifications import MAX_OBJECTS, NamedObject, UnknownNotification, decoded, read_notification

KEY = "incoming/a b+ü.pdf"
ENCODED = "incoming%2Fa+b%2B%C3%BC.pdf"


def record(key: str = ENCODED, name: str = "ObjectCreated:Put", **about: Any) -> dict[str, Any]:
    """As S3 sends it (event structure 2.1)."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2024-05-01T10:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AIDA"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "docuelevate",
            "bucket": {"name": "docuelevate", "arn": "arn:aws:s3:::docuelevate"},
            "object": {"key": key, "size": 7, "eTag": "e1", "versionId": "v1", "sequencer": "0055AED6DCD90281E5"}
            | about,
        },
    }


S3 = {"Records": [record()]}
MINIO = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": f"docuelevate/{KEY}",
    "Records": [record(name="s3:ObjectCreated:Put") | {"eventSource": "minio:s3", "awsRegion": ""}],
}
EVENT_BRIDGE = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2021-11-12T00:00:00Z",
    "region": "ca-central-1",
    "resources": ["arn:aws:s3:::docuelevate"],
    "detail": {
        "version": "0",
        "bucket": {"name": "docuelevate"},
        "object": {"key": KEY, "size": 7, "etag": "e1", "version-id": "v1", "sequencer": "0055AED6DCD90281E5"},
        "request-id": "N4N7GDK58NMKJ12R",
        "reason": "PutObject",
    },
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "C3D13FE58DE4C810.FMyUVURIY8",
    "source": "aws:s3.eu-central-1.docuelevate",
    "type": "com.amazonaws.s3.ObjectCreated:Put",
    "subject": ENCODED,
    "datacontenttype": "application/json",
}


def sns(content: object) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": json.dumps(content)}


def sqs(content: object) -> dict[str, Any]:
    return {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": json.dumps(content)}]}


FORMS = {
    "s3": S3,
    "minio": MINIO,
    "eventbridge": EVENT_BRIDGE,
    "cloudevent with a record": CLOUD_EVENT | {"data": record()},
    "cloudevent with records": CLOUD_EVENT | {"data": S3},
    "cloudevent in base64": CLOUD_EVENT | {"data_base64": base64.b64encode(json.dumps(S3).encode()).decode()},
    "batch of cloudevents": [CLOUD_EVENT | {"data": record()}],
    "body of a binary cloudevent": record(),
    "sns": sns(S3),
    "sns to lambda": {"Records": [{"EventSource": "aws:sns", "Sns": sns(S3)}]},
    "sqs": sqs(S3),
    "sqs as received": {"Messages": [{"MessageId": "1", "Body": json.dumps(S3)}]},
    "sns in sqs": sqs(sns(S3)),
    "eventbridge in sqs": sqs(EVENT_BRIDGE),
    "eventbridge in sns in sqs": sqs(sns(EVENT_BRIDGE)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_the_same_object(form: str) -> None:
    found = read_notification(FORMS[form])
    [named] = found.objects
    assert named.keys[0] == KEY
    told = (named.bucket, named.size, named.etag, named.version_id, named.sequencer)
    assert told == ("docuelevate", 7, "e1", "v1", "0055AED6DCD90281E5")
    assert (found.others, found.is_test) == (0, False)


def test_a_key_that_was_not_encoded_can_still_be_found() -> None:
    [named] = read_notification({"Records": [record(key="incoming/1+1 100%.pdf")]}).objects
    assert named.keys == ("incoming/1 1 100%.pdf", "incoming/1+1 100%.pdf")


def test_a_key_of_ceph_is_as_it_stands() -> None:
    content = {"Records": [record(key="incoming/1+1 100%20.pdf", versionId="") | {"eventSource": "ceph:s3"}]}
    [named] = read_notification(content).objects
    assert (named.keys[0], named.version_id) == ("incoming/1+1 100%20.pdf", None)


def test_a_key_of_eventbridge_is_never_decoded() -> None:
    detail = EVENT_BRIDGE["detail"] | {"object": {"key": "incoming/1+1%20.pdf"}}  # type: ignore[operator]
    [named] = read_notification(EVENT_BRIDGE | {"detail": detail}).objects
    assert named.keys == ("incoming/1+1%20.pdf",)


def test_the_event_name_of_a_binary_cloudevent_may_be_in_its_type() -> None:
    bare = record() | {"eventName": None}
    assert read_notification(bare, "com.amazonaws.s3.ObjectCreated:Put").objects
    assert read_notification(bare, "com.amazonaws.s3.ObjectRemoved:Delete").others == 1


@pytest.mark.parametrize(
    "name",
    [
        "ObjectRemoved:Delete",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:ObjectCreated:PutTagging",
        "s3:ObjectCreated:PutRetention",
        "s3:ObjectAccessed:Get",
        "LifecycleExpiration:Delete",
        "",
        7,
    ],
)
def test_what_brings_no_new_bytes_is_counted_and_left(name: Any) -> None:
    found = read_notification({"Records": [record(name=name), record()]})
    assert (len(found.objects), found.others) == (1, 1)


def test_several_records_are_several_objects() -> None:
    found = read_notification({"Records": [record(key=f"incoming/{number}") for number in range(10)]})
    assert [named.keys[0] for named in found.objects] == [f"incoming/{number}" for number in range(10)]


TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2014-10-13T15:57:02.089Z", "Bucket": "b"}


@pytest.mark.parametrize("form", [TEST_EVENT, sns(TEST_EVENT), sqs(TEST_EVENT), sqs(sns(TEST_EVENT))])
def test_a_test_event_is_known_as_one(form: dict[str, Any]) -> None:
    found = read_notification(form)
    assert (found.objects, found.others, found.is_test) == ((), 0, True)


@pytest.mark.parametrize("etag", ['"e1"', "e1"])
def test_an_etag_is_the_same_with_and_without_its_quotes(etag: str) -> None:
    assert read_notification({"Records": [record(eTag=etag)]}).objects[0].etag == "e1"


def test_what_an_unversioned_bucket_calls_null_is_no_version() -> None:
    assert read_notification({"Records": [record(versionId="null")]}).objects[0].version_id is None


@pytest.mark.parametrize("content", [{}, {"hello": 1}, None, 7, "text", True, {"Records": 1}, {"Type": "Notification"}])
def test_what_is_no_notification_is_refused(content: object) -> None:
    with pytest.raises(UnknownNotification):
        read_notification(content)


@pytest.mark.parametrize("inner", [{}, 7, None, [], {"s3": {}}, {"body": "no json"}, {"body": "{}"}, sns("text")])
def test_an_odd_part_does_not_keep_the_others(inner: object) -> None:
    """A queue would repeat the whole message for ever."""
    found = read_notification({"Records": [inner, record()]})
    assert len(found.objects) == 1


def test_nothing_at_all_may_be_told() -> None:
    assert read_notification({"Records": []}).objects == ()


def test_envelopes_in_envelopes_come_to_an_end() -> None:
    content: object = S3
    for _ in range(6):
        content = sqs(content)
    assert read_notification(content).objects == ()


def test_a_request_with_endless_records_is_refused() -> None:
    with pytest.raises(UnknownNotification):
        read_notification({"Records": [record()] * (MAX_OBJECTS + 1)})


@pytest.mark.parametrize("body", [b"", b"no", b"[" * 500_000, b'{"a":' * 100_000, b'"\xff"', b'"\\ud800"', b"NaN"])
def test_what_is_no_json_of_ours_is_refused_without_harm(body: bytes) -> None:
    with pytest.raises(ValueError):
        decoded(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "s3", "bucket", "name", "object", "key", "detail", "Sns", "body", "data"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*record(), *EVENT_BRIDGE, *CLOUD_EVENT, *sns(S3)]), json_values), json_values)
def test_nothing_breaks_the_reader(extra: dict[str, Any], inner: object) -> None:
    for content in (record() | extra, EVENT_BRIDGE | extra, CLOUD_EVENT | extra, sns(inner) | extra, sqs(inner)):
        try:
            found = read_notification(content)
        except UnknownNotification:
            continue
        assert all(isinstance(named, NamedObject) for named in found.objects)
