"""How the S3 store answers what servers answer: scripted, without a server."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError, ResponseStreamingError

from shared.documents import ObjectReference
from shared.errors import DocuElevateError, ObjectChanged, ObjectExists, ObjectNotFound, Throttled, Unavailable
from shared.storage.s3 import PART_BYTES, S3ObjectStore

KEY = "documents/0190a1b2-c3d4-7e5f-8a9b-0123456789ab/original"
TEXT = "text/plain"
NOW = "Mon, 23 Nov 2026 14:42:15 GMT"
MODIFIED = datetime(2026, 11, 23, 14, 41, 15, tzinfo=UTC)
SECRET = "do-not-tell"

Script = Callable[[dict[str, Any]], Any]


class ScriptedClient:
    """An S3 client whose every call takes the next answer written for it, and remembers what it was asked."""

    def __init__(self, **scripts: list[Any]) -> None:
        self._scripts = scripts
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.calls.append((operation, request))
            answer = self._scripts[operation].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer(request) if callable(answer) else answer

        return call

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.calls if name == operation]


def refusal(status: int, code: str, *, headers: dict[str, str] | None = None) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code, "Message": SECRET}, "ResponseMetadata": metadata}, "PutObject")


def answered(**fields: Any) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"date": NOW}}, **fields}


def described(**metadata: str) -> dict[str, Any]:
    return answered(ContentLength=1, ETag='"e"', ContentType=TEXT, LastModified=MODIFIED, Metadata=metadata)


def store(**scripts: list[Any]) -> tuple[S3ObjectStore, ScriptedClient]:
    client = ScriptedClient(**scripts)
    return S3ObjectStore(client, "bucket"), client


def conditional(**scripts: list[Any]) -> tuple[S3ObjectStore, ScriptedClient]:
    """The same, on a server that was just seen to honour `If-None-Match`."""
    probe = {"put_object": [answered(ETag='"e"'), refusal(412, "PreconditionFailed")], "delete_object": [answered()]}
    opened, client = store(**{name: probe.get(name, []) + scripts.get(name, []) for name in {*probe, *scripts}})
    assert opened.creates_only()
    client.calls.clear()
    return opened, client


def put(opened: S3ObjectStore, *, create_only: bool = True) -> ObjectReference:
    return opened.put(KEY, b"x", media_type=TEXT, create_only=create_only, metadata={"filename": "ä 1%"})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(503, "SlowDown"), Throttled),
        (refusal(429, "TooManyRequests"), Throttled),
        (refusal(400, "RequestLimitExceeded"), Throttled),
        (refusal(503, "ServiceUnavailable"), Unavailable),
        (refusal(500, "InternalError"), Unavailable),
        (refusal(403, "AccessDenied"), Unavailable),
        (refusal(404, "NoSuchBucket"), Unavailable),
        (refusal(501, "NotImplemented"), Unavailable),
        (refusal(404, "NoSuchKey"), ObjectNotFound),
        (refusal(412, "PreconditionFailed"), ObjectExists),
        (EndpointConnectionError(endpoint_url=f"http://user:{SECRET}@host"), Unavailable),
        (ReadTimeoutError(endpoint_url=f"http://user:{SECRET}@host"), Unavailable),
    ],
)
def test_a_refusal_is_told_in_our_words_and_tells_no_secret(error: Exception, expected: type[DocuElevateError]) -> None:
    opened, _ = conditional(put_object=[error], head_object=[described(**{"write-id": "other"})])
    with pytest.raises(expected) as raised:
        put(opened)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is error


def test_the_pause_a_server_asks_for_is_passed_on() -> None:
    opened, _ = store(put_object=[refusal(503, "SlowDown", headers={"retry-after": "7"})])
    with pytest.raises(Throttled) as raised:
        put(opened)
    assert raised.value.retry_after_seconds == 7


def test_metadata_travel_as_ascii_with_the_digest() -> None:
    opened, client = conditional(put_object=[answered(ETag='"e"')])
    reference = put(opened)
    (request,) = client.asked("put_object")
    assert request["Metadata"]["filename"] == "%C3%A4%201%25"
    assert request["Metadata"]["sha256"] == reference.sha256
    assert request["IfNoneMatch"] == "*"
    assert reference.etag == "e"


def test_a_conflict_of_simultaneous_writers_is_asked_again() -> None:
    opened, client = conditional(put_object=[refusal(409, "ConditionalRequestConflict"), answered(ETag='"e"')])
    assert put(opened).etag == "e"
    assert len(client.asked("put_object")) == 2


def test_a_conflict_that_does_not_end_is_an_unavailable_store() -> None:
    opened, _ = conditional(put_object=[refusal(409, "ConditionalRequestConflict")] * 4)
    with pytest.raises(Unavailable):
        put(opened)


def test_an_own_write_whose_answer_got_lost_is_no_conflict() -> None:
    written: dict[str, str] = {}

    def lose(request: dict[str, Any]) -> Any:
        written.update(request["Metadata"])
        raise refusal(412, "PreconditionFailed")

    opened, _ = conditional(put_object=[lose], head_object=[lambda _: described(**written)])
    assert put(opened).etag == "e"


def test_the_write_of_another_is_a_conflict() -> None:
    opened, _ = conditional(
        put_object=[refusal(412, "PreconditionFailed")], head_object=[described(**{"write-id": "other"})]
    )
    with pytest.raises(ObjectExists):
        put(opened)


def test_age_is_told_by_the_servers_clock() -> None:
    opened, _ = store(head_object=[described(filename="%C3%A4", sha256="abc")])
    info = opened.head(KEY)
    assert info is not None
    assert info.age_seconds == 60
    assert (info.sha256, info.metadata) == ("abc", {"filename": "ä"})


def test_a_missing_bucket_is_not_taken_for_a_missing_object() -> None:
    opened, _ = store(head_object=[refusal(404, "404")], head_bucket=[refusal(404, "404")])
    with pytest.raises(Unavailable, match="no bucket"):
        opened.head(KEY)


def test_the_bucket_is_asked_for_once() -> None:
    opened, client = store(head_object=[refusal(404, "404")] * 2, head_bucket=[answered()])
    assert opened.head(KEY) is None
    assert opened.head(KEY) is None
    assert len(client.asked("head_bucket")) == 1


def test_a_connection_that_breaks_in_the_middle_is_an_unavailable_store(tmp_path: Path) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ResponseStreamingError(error=SECRET)

    opened, _ = store(get_object=[answered(Body=Broken())] * 2)
    with pytest.raises(Unavailable):
        opened.get(KEY)
    reference = ObjectReference(bucket="bucket", key=KEY, size=1, sha256="0", etag="e", media_type=TEXT)
    with pytest.raises(Unavailable):
        opened.get_file(reference, tmp_path / "out")


def test_a_stream_that_fails_is_aborted_and_the_first_error_told() -> None:
    opened, client = store(
        create_multipart_upload=[answered(UploadId="u")],
        upload_part=[refusal(500, "InternalError")],
        abort_multipart_upload=[refusal(500, "InternalError")],
    )
    with pytest.raises(Unavailable), opened.writer(KEY) as writer:
        writer.write(b"x" * (PART_BYTES + 1))
    assert [request["UploadId"] for request in client.asked("abort_multipart_upload")] == ["u"]


def test_a_long_stream_completed_by_a_request_whose_answer_got_lost_is_there() -> None:
    written: dict[str, str] = {}

    def begin(request: dict[str, Any]) -> Any:
        written.update(request.get("Metadata", {}))
        return answered(UploadId="u")

    opened, client = store(
        create_multipart_upload=[begin, begin],
        upload_part=[answered(ETag='"p"')] * 2,
        upload_part_copy=[answered(CopyPartResult={"ETag": '"p"'})],
        complete_multipart_upload=[answered(), refusal(404, "NoSuchUpload")],
        head_object=[lambda _: described(**written)],
        delete_object=[answered()],
    )
    with opened.writer(KEY) as writer:
        writer.write(b"x" * (PART_BYTES + 1))
        assert writer.commit(media_type=TEXT).etag == "e"
    assert [request["Key"].split("/")[0] for request in client.asked("delete_object")] == ["staging"]
    assert written["sha256"] == writer.sha256()


def test_a_server_that_ignores_conditions_is_seen_through() -> None:
    gone = refusal(404, "404")
    opened, client = store(
        put_object=[answered(ETag='"e"')] * 4,
        delete_object=[answered()] * 3,
        head_object=[described(), gone, described()],
        head_bucket=[answered()],
    )
    info = opened.head(KEY)
    assert info is not None
    capabilities = opened.capabilities()
    assert (capabilities.create_only, capabilities.conditional_delete) == (False, False)
    assert opened.delete_exact(info) is False
    assert all(request["Key"] != KEY for request in client.asked("delete_object"))


def test_a_server_that_honours_conditions_is_believed() -> None:
    opened, client = store(
        put_object=[answered(ETag='"e"')],
        delete_object=[refusal(412, "PreconditionFailed"), answered(), answered(), refusal(412, "PreconditionFailed")],
        head_object=[described()] * 4,
    )
    info = opened.head(KEY)
    assert info is not None
    assert opened.delete_exact(info) is True
    assert opened.delete_exact(info) is False
    assert [request["IfMatch"] for request in client.asked("delete_object") if request["Key"] == KEY] == ['"e"'] * 2


def test_a_server_without_versions_still_removes_a_prefix() -> None:
    listed = {"Key": KEY, "Size": 1, "ETag": '"e"', "LastModified": MODIFIED}
    opened, client = store(
        list_multipart_uploads=[refusal(501, "NotImplemented")],
        list_object_versions=[refusal(501, "NotImplemented")],
        list_objects_v2=[answered(Contents=[listed])],
        delete_object=[answered()],
    )
    assert opened.delete_prefix("documents/0190a1b2-c3d4-7e5f-8a9b-0123456789ab/") == 1
    assert [request["Key"] for request in client.asked("delete_object")] == [KEY]


def without_conditions(**scripts: list[Any]) -> S3ObjectStore:
    probe = {"put_object": [answered(ETag='"e"')] * 3, "delete_object": [answered()]}
    client = ScriptedClient(**{name: probe.get(name, []) + scripts.get(name, []) for name in {*probe, *scripts}})
    return S3ObjectStore(client, "bucket", require_conditional_writes="put_object" not in scripts)


def test_create_only_looks_first_where_the_server_does_not() -> None:
    free = without_conditions(head_object=[refusal(404, "404")], head_bucket=[answered()], put_object=[answered()])
    put(free)
    with pytest.raises(ObjectExists):
        put(without_conditions(head_object=[described()], put_object=[]))
    assert free.weakness()


def test_where_conditional_writes_are_required_nothing_is_written_without_them() -> None:
    with pytest.raises(Unavailable, match="one replica"):
        put(without_conditions())


def test_a_server_that_refuses_the_condition_itself_is_no_reason_to_refuse_the_write() -> None:
    opened, client = store(
        put_object=[answered(), *[refusal(501, "NotImplemented")] * 2, answered(ETag='"e"')],
        delete_object=[answered()],
        head_object=[refusal(404, "404")],
        head_bucket=[answered()],
    )
    put(opened)
    assert "IfNoneMatch" not in client.asked("put_object")[-1]


def test_names_of_metadata_in_capitals_are_the_same_names() -> None:
    opened, _ = store(head_object=[described(Filename="a", Sha256="abc")])
    info = opened.head(KEY)
    assert info is not None
    assert (info.sha256, info.metadata) == ("abc", {"filename": "a"})


def test_a_server_that_sends_what_is_there_whatever_the_condition_says_is_noticed() -> None:
    opened, _ = store(
        head_object=[described()], get_object=[answered(Body=io.BytesIO(b"else"), ETag='"other"', Metadata={})]
    )
    source = opened.head("incoming/a")
    assert source is not None
    with pytest.raises(ObjectChanged):
        opened.copy(source, KEY, media_type=TEXT)


def test_parts_that_a_server_does_not_copy_are_carried() -> None:
    opened, client = store(
        create_multipart_upload=[answered(UploadId="u")] * 3,
        abort_multipart_upload=[answered()],
        upload_part=[answered(ETag='"p"')] * 4,
        upload_part_copy=[answered()],
        get_object=[answered(Body=io.BytesIO(b"x")), answered(Body=io.BytesIO(b"y"))],
        complete_multipart_upload=[answered(), answered(ETag='"e"')],
        delete_object=[answered()],
        head_object=[described()],
    )
    with opened.writer(KEY) as writer:
        writer.write(b"x" * (PART_BYTES + 1))
        writer.commit(media_type=TEXT)
    assert [request["Body"] for request in client.asked("upload_part")][2:] == [b"x", b"y"]
