"""Objects in an S3 bucket: any server that speaks S3, AWS included. Imported only where S3 is chosen.

What is written carries its sha256 and its metadata from the instant it is visible. Bodies up to a part's size go up in
one request. A longer stream, whose digest is known only at its end, goes up in parts under `staging/`; then an upload
that carries all that is known by then takes its bytes from there inside the server and is completed under its key.
Create-only is exact for single requests wherever the server honours `If-None-Match` (see `creates_only`). Some servers
do not look at it when an upload is completed; so for long streams the key is looked at before as well, and on servers
that never look at it before every write: then two writers in one instant may both be told that they were first.
"""

import base64
import hashlib
import io
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from shared.documents import ObjectReference
from shared.errors import (
    DocuElevateError,
    InvalidKey,
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    Throttled,
    Unavailable,
)
from shared.storage.keys import INCOMING, PREFIXES, check_key, check_prefix, check_source_key
from shared.storage.port import ObjectInfo
from shared.storage.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
ATTEMPTS = 4
PART_BYTES = 8 << 20
LONGEST_URL_SECONDS = 300
NO_CONDITIONAL_WRITES = (
    "The object store does not refuse a second write to the same key (If-None-Match): "
    "run one replica of everything only."
)
STAGING = "staging/"
"""Where streams wait for their end; what a crash leaves there is removed by `remove_leftovers`."""

_CHUNK_BYTES = 1 << 20
_COPIED_PART_BYTES = 256 << 20
_CONFLICT_ATTEMPTS = 4
_READINGS = 3
"""How often a whole object is read until its bytes are the ones that were written."""

_DELETING_THREADS = 8
_UNKNOWN_MEDIA_TYPE = "application/octet-stream"
_SHA256 = "sha256"
_WRITE_ID = "write-id"
_THROTTLING = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"}
_NOT_OFFERED = {"NotImplemented", "MethodNotAllowed"}
_log = logging.getLogger(__name__)
_PLAIN_CHARACTERS = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"


def s3_client(settings: ObjectStoreSettings) -> Any:
    """A client with explicit time-outs and bounded retries. Safe to share between threads."""
    secret = settings.aws_secret_access_key
    # A session of its own: the default one is shared by whatever else lives in the process.
    return boto3.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=32,
            tcp_keepalive=True,
            s3={"addressing_style": settings.addressing_style},
            # Many servers do not know the client's newer default checksums; ours are sent where they matter.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


_Bring = Callable[[Mapping[str, str], str, int], Sequence[dict[str, Any]]]
"""Brings the bytes of a staged stream (its key and size) into an upload; the parts."""


@dataclass(frozen=True)
class Capabilities:
    """What the server was seen to do, not what it says. Without `create_only` several replicas are not safe."""

    create_only: bool
    conditional_delete: bool


class S3ObjectStore:
    """The object store port on one S3 bucket."""

    def __init__(self, client: Any, bucket: str, *, require_conditional_writes: bool = False) -> None:
        self.bucket = bucket
        self._client = client
        self._require_conditional_writes = require_conditional_writes
        self._bucket_seen = False
        self._creates_only: bool | None = None
        self._deletes_exactly: bool | None = None
        self._probing = threading.Lock()

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        """Write an object in one request."""
        about = _About(len(body), hashlib.sha256(body).hexdigest(), media_type, metadata or {})
        return self._put(key, body, about, create_only=create_only)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        """Write a file in one request (S3 allows 5 GiB); it is read twice, for its digest and for its bytes."""
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            about = _About(source.tell(), digest, media_type, metadata or {})
            source.seek(0)
            return self._put(key, source, about, create_only=create_only)

    def _put(self, key: str, body: bytes | BinaryIO, about: "_About", *, create_only: bool) -> ObjectReference:
        check_key(key)
        if create_only:
            self._make_sure_that_it_is_free(key)
        checksum = base64.b64encode(bytes.fromhex(about.sha256)).decode()
        request = {"Bucket": self.bucket, "Key": key, "Body": body, "ContentLength": about.size, **about.headers()}
        request |= {"ChecksumSHA256": checksum, **self._condition(create_only=create_only)}
        try:
            with _translated(key, precondition=ObjectExists):
                answer = self._past_conflicts(self._client.put_object, **request)
        except ObjectExists as error:
            return self._own_write(key, about, error)
        return about.reference(self.bucket, key, _etag(answer))

    def _own_write(self, key: str, about: "_About", error: DocuElevateError) -> ObjectReference:
        """What is in the way may be our own object: the client repeats a request whose answer got lost."""
        existing = self._head(key)
        if existing is None or _metadata(existing).get(_WRITE_ID) != about.write_id:
            raise error
        return about.reference(self.bucket, key, _etag(existing))

    def _make_sure_that_it_is_free(self, key: str) -> None:
        """What has to be done for create-only where the server itself does nothing; refused where that is too weak."""
        if self.creates_only():
            return
        if self._require_conditional_writes:
            raise Unavailable(NO_CONDITIONAL_WRITES)
        if self._head(key) is not None:
            raise ObjectExists(f"there is an object under {key}")

    def _condition(self, *, create_only: bool) -> dict[str, str]:
        # Servers that do not know the condition may refuse the whole request.
        return {"IfNoneMatch": "*"} if create_only and self.creates_only() else {}

    def _past_conflicts(self, call: Callable[..., Any], **request: Any) -> Any:
        """Two conditional writes in one instant answer 409 to one of them: it has to ask again who won."""
        for attempt in range(1, _CONFLICT_ATTEMPTS):
            try:
                return call(**request)
            except ClientError as error:
                if _status(error) != 409:
                    raise
            time.sleep(0.05 * 2**attempt)
            if hasattr(request.get("Body"), "seek"):
                request["Body"].seek(0)
        return call(**request)

    @contextmanager
    def writer(self, key: str, *, create_only: bool = False) -> Iterator["S3ObjectWriter"]:
        """Write a stream with the memory of one part; whatever is not committed is gone at the end."""
        check_key(key)
        writer = S3ObjectWriter(self, self._client, key, create_only=create_only)
        try:
            yield writer
        finally:
            writer.abort()

    def get(self, key: str) -> bytes:
        """The whole object, read again where other bytes arrive than were written."""
        check_source_key(key)
        for _ in range(_READINGS):
            answer = self._get(key)
            with _Opened(_stream(key, answer)) as source:
                body = source.read()
            if _written_sha256(key, answer) in (None, hashlib.sha256(body).hexdigest()):
                return body
        raise Unavailable(f"the bytes of {key} do not arrive as they were written")

    def get_file(self, reference: ObjectReference, path: Path) -> None:
        """Fetch an object into a file; the file is removed again when its bytes are not the ones referred to."""
        if reference.bucket != self.bucket:
            raise InvalidKey("the object is in another bucket")
        for _ in range(_READINGS):
            if self._fetched(reference.key, path) == reference.sha256:
                return
        path.unlink()
        raise ObjectChanged(f"the bytes of {reference.key} are not the ones that were referred to")

    def _fetched(self, key: str, path: Path) -> str:
        digest = hashlib.sha256()
        with self.open(key) as source, path.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
        return digest.hexdigest()

    def open(self, key: str, *, start: int = 0, length: int | None = None) -> "_Opened":
        """Read an object, or a range of it; a range behind its end is empty."""
        check_source_key(key)
        if length == 0:
            return _Opened(self._empty(key))
        end = "" if length is None else start + length - 1
        partly = {"Range": f"bytes={start}-{end}"} if start or length is not None else {}
        try:
            return _Opened(self._body(key, **partly))
        except _RangeNotSatisfiable:
            return _Opened(io.BytesIO())

    def _empty(self, key: str) -> BinaryIO:
        if self.head(key) is None:
            raise ObjectNotFound(f"there is no object under {key}")
        return io.BytesIO()

    def _body(self, key: str, **request: Any) -> BinaryIO:
        return _stream(key, self._get(key, **request))

    def _get(self, key: str, **request: Any) -> Any:
        with _translated(key, precondition=ObjectChanged):
            return self._client.get_object(Bucket=self.bucket, Key=key, **request)

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object."""
        check_source_key(key)
        answer = self._head(key)
        return None if answer is None else _info(key, answer)

    def _head(self, key: str) -> Any:
        try:
            with _translated(key):
                answer = self._client.head_object(Bucket=self.bucket, Key=key)
        except ObjectNotFound:
            self._require_bucket()
            return None
        self._bucket_seen = True
        return answer

    def _require_bucket(self) -> None:
        """A HEAD says 404 for a missing bucket too, and then nothing may be taken for lost."""
        if not self._bucket_seen:
            try:
                with _translated(self.bucket):
                    self._client.head_bucket(Bucket=self.bucket)
            except ObjectNotFound as error:
                raise Unavailable(f"there is no bucket {self.bucket}") from error
            self._bucket_seen = True

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Every object under a prefix in key order, a page at a time; without media type, sha256 and metadata."""
        if prefix and not any(top.startswith(prefix) for top in PREFIXES):
            check_prefix(prefix)
        return (info for page in self._pages(prefix, after) for info in page if _is_usable(info.key))

    def _pages(self, prefix: str, after: str = "") -> Iterator[Sequence[ObjectInfo]]:
        request = {"StartAfter": after} if after else {}
        while True:
            with _translated(prefix):
                page = self._client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, **request)
            yield [_listed(entry, _date(page)) for entry in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return
            request = {"ContinuationToken": page["NextContinuationToken"]}

    def copy(
        self, source: ObjectInfo, target: str, *, media_type: str, metadata: Mapping[str, str] | None = None
    ) -> ObjectReference:
        """Copy create-only what `source` names.

        The bytes pass through this process: they have to be read for their digest anyway, and not every server pins a
        copy of its own to an etag.
        """
        check_source_key(source.key)
        pin = {"VersionId": source.version_id} if source.version_id else {"IfMatch": f'"{source.etag}"'}
        with self._pinned(source, **pin) as body, self.writer(target, create_only=True) as writer:
            while chunk := body.read(_CHUNK_BYTES):
                writer.write(chunk)
            return writer.commit(media_type=media_type, metadata=metadata)

    def _pinned(self, source: ObjectInfo, **pin: str) -> BinaryIO:
        answer = self._get(source.key, **pin)
        # Some servers send whatever is there, without a look at the condition.
        if _etag(answer) != source.etag:
            answer["Body"].close()
            raise ObjectChanged(f"{source.key} is no longer what it was")
        return _stream(source.key, answer)

    def place_staged(self, staged_key: str, target: str, about: "_About", *, create_only: bool) -> ObjectReference:
        """Make a staged stream the object under its key, for this store's writers."""
        if create_only:
            self._make_sure_that_it_is_free(target)
            if self._head(target) is not None:
                raise ObjectExists(f"there is an object under {target}")
        try:
            return self._placed(self._copied_parts, staged_key, target, about, create_only=create_only)
        except _NotOffered:
            return self._placed(self._carried_parts, staged_key, target, about, create_only=create_only)

    def _placed(
        self, bring: _Bring, staged_key: str, target: str, about: "_About", *, create_only: bool
    ) -> ObjectReference:
        upload = {"Bucket": self.bucket, "Key": target}
        with _translated(target):
            upload["UploadId"] = self._client.create_multipart_upload(**upload, **about.headers())["UploadId"]
        try:
            parts = bring(upload, staged_key, about.size)
            return self._completed(upload, parts, about, create_only=create_only)
        except DocuElevateError:
            with suppress(DocuElevateError), _translated(target):
                self._client.abort_multipart_upload(**upload)
            raise

    def _copied_parts(self, upload: Mapping[str, str], staged_key: str, size: int) -> Sequence[dict[str, Any]]:
        parts = []
        for number, start in enumerate(range(0, size, _COPIED_PART_BYTES), start=1):
            last = min(start + _COPIED_PART_BYTES, size) - 1
            source = {
                "CopySource": {"Bucket": self.bucket, "Key": staged_key},
                "CopySourceRange": f"bytes={start}-{last}",
            }
            with _translated(staged_key):
                answer = self._client.upload_part_copy(**upload, PartNumber=number, **source)
            etag = answer.get("CopyPartResult", {}).get("ETag")
            if not etag:
                raise _NotOffered("the server took the copy of a part for a part without bytes")
            parts.append({"ETag": etag, "PartNumber": number})
        return parts

    def _carried_parts(self, upload: Mapping[str, str], staged_key: str, size: int) -> Sequence[dict[str, Any]]:
        """The same through this process, for servers that do not copy parts."""
        parts = []
        for number, start in enumerate(range(0, size, PART_BYTES), start=1):
            wanted = f"bytes={start}-{min(start + PART_BYTES, size) - 1}"
            with _Opened(self._body(staged_key, Range=wanted)) as source:
                body = source.read()
            with _translated(upload["Key"]):
                answer = self._client.upload_part(**upload, PartNumber=number, Body=body)
            parts.append({"ETag": answer["ETag"], "PartNumber": number})
        return parts

    def _completed(
        self, upload: Mapping[str, str], parts: Sequence[dict[str, Any]], about: "_About", *, create_only: bool
    ) -> ObjectReference:
        key = upload["Key"]
        request = {**upload, "MultipartUpload": {"Parts": parts}, **self._condition(create_only=create_only)}
        try:
            with _translated(key, precondition=ObjectExists):
                answer = self._past_conflicts(self._client.complete_multipart_upload, **request)
        except (ObjectExists, _NoSuchUpload) as error:
            return self._own_write(key, about, error)
        # Some servers leave the etag out of their answer, and some tell another one afterwards.
        etag = _etag(self._head(key) or {}) or _etag(answer)
        return about.reference(self.bucket, key, etag)

    def delete(self, key: str) -> None:
        """Remove the object."""
        check_source_key(key)
        self._delete(key)

    def _delete(self, key: str, **request: Any) -> None:
        with suppress(ObjectNotFound), _translated(key):
            self._client.delete_object(Bucket=self.bucket, Key=key, **request)

    def delete_exact(self, info: ObjectInfo) -> bool:
        """Remove the version that `info` names and those that it had replaced; True as well when it is already gone.

        Exact by version on a versioned bucket, else by a conditional request where the server was seen to honour it.
        """
        check_source_key(info.key)
        version_id = info.version_id
        if version_id is None:
            current = self.head(info.key)
            if current is None or current.etag != info.etag:
                return current is None
            version_id = current.version_id
        if version_id is not None:
            # The oldest first: the one before the last would come back to light as soon as that is gone.
            for older in reversed([*self._replaced_by(info.key, version_id)]):
                self._delete(info.key, VersionId=older)
            self._delete(info.key, VersionId=version_id)
            return True
        return self._deletes_matching() and self._delete_matching(info)

    def _replaced_by(self, key: str, version_id: str) -> Iterator[str]:
        """The versions of the key that are older than this one; servers list the newest first, and shorter keys first.

        A delete marker among them may stay: it hides the key.
        """
        is_older = False
        for page in self._version_pages(key):
            for entry in page.get("Versions", ()):
                if entry["Key"] != key:
                    return
                if is_older:
                    yield entry["VersionId"]
                is_older = is_older or entry["VersionId"] == version_id

    def _delete_matching(self, info: ObjectInfo) -> bool:
        try:
            self._delete(info.key, IfMatch=f'"{info.etag}"')
        except ObjectChanged:
            return False
        return True

    def delete_prefix(self, prefix: str) -> int:
        """Remove all versions of everything under a prefix, and the uploads that were never completed."""
        check_prefix(prefix)
        self._abort_uploads(lambda key, age_seconds: key.startswith(prefix))
        doomed: dict[str, list[dict[str, str]]] = {}
        for key, version in self._versions(prefix):
            doomed.setdefault(key, []).append(version)
        with ThreadPoolExecutor(_DELETING_THREADS) as threads:
            for done in [threads.submit(self._delete_versions, key, versions) for key, versions in doomed.items()]:
                done.result()
        return len(doomed)

    def _delete_versions(self, key: str, versions: Sequence[dict[str, str]]) -> None:
        # One after the other: a server that moves an older version up to be the current one may lose count otherwise.
        for version in versions:
            self._delete(key, **version)

    def _versions(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Key and version of everything under a prefix, delete markers too."""
        try:
            for page in self._version_pages(prefix):
                for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    yield entry["Key"], {"VersionId": entry["VersionId"]}
        except _NotOffered:
            yield from ((info.key, {}) for infos in self._pages(prefix) for info in infos)

    def _version_pages(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        request: dict[str, str] = {}
        while True:
            with _translated(prefix):
                page = self._client.list_object_versions(Bucket=self.bucket, Prefix=prefix, **request)
            yield page
            if not page.get("IsTruncated"):
                return
            request = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def remove_leftovers(self, older_than_seconds: float) -> int:
        """Remove what writers that died have left: incomplete uploads and staged streams of that age; how many."""
        aborted = self._abort_uploads(lambda key, age_seconds: age_seconds >= older_than_seconds)
        staged = [info for page in self._pages(STAGING) for info in page if info.age_seconds >= older_than_seconds]
        for info in staged:
            self._delete(info.key)
        return aborted + len(staged)

    def _abort_uploads(self, is_due: Callable[[str, float], bool]) -> int:
        uploads = [*self._uploads(is_due)]
        for upload in uploads:
            with suppress(_NoSuchUpload), _translated(upload["Key"]):
                self._client.abort_multipart_upload(Bucket=self.bucket, **upload)
        return len(uploads)

    def _uploads(self, is_due: Callable[[str, float], bool]) -> Iterator[dict[str, str]]:
        """Of the whole bucket: some servers list uploads under whole keys only, not under prefixes."""
        request: dict[str, str] = {}
        while True:
            try:
                with _translated(self.bucket):
                    page = self._client.list_multipart_uploads(Bucket=self.bucket, **request)
            except (_NotOffered, _NoSuchUpload):
                # One that does not list uploads, or says so of a bucket where there are none.
                return
            for entry in page.get("Uploads", ()):
                if is_due(entry["Key"], _age_seconds(entry["Initiated"], _date(page))):
                    yield {"Key": entry["Key"], "UploadId": entry["UploadId"]}
            if not page.get("IsTruncated"):
                return
            request = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def capabilities(self) -> Capabilities:
        """Try once what the server does with conditions; servers exist that ignore them and say 200."""
        return Capabilities(create_only=self.creates_only(), conditional_delete=self._deletes_matching())

    def weakness(self) -> str | None:
        """What the server was seen not to promise."""
        return None if self.creates_only() else NO_CONDITIONAL_WRITES

    def creates_only(self) -> bool:
        """Whether the server refuses a create-only write to a key that is taken."""
        with self._probing:
            if self._creates_only is None:
                self._creates_only = self._probed(self._refuses_second_write)
                if not self._creates_only:
                    _log.warning(NO_CONDITIONAL_WRITES)
            return self._creates_only

    def _deletes_matching(self) -> bool:
        with self._probing:
            if self._deletes_exactly is None:
                self._deletes_exactly = self._probed(self._spares_what_does_not_match)
            return self._deletes_exactly

    def _probed(self, probe: Callable[[str], bool]) -> bool:
        key = f"{STAGING}probe-{secrets.token_hex(8)}"
        with _translated(key):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=b"")
        try:
            return probe(key)
        finally:
            # What stays is removed with the leftovers.
            with suppress(DocuElevateError):
                self._delete(key)

    def _refuses_second_write(self, key: str) -> bool:
        # Asked twice: the first write may have been one that a server said it did.
        return self._is_refused(key) or self._is_refused(key)

    def _is_refused(self, key: str) -> bool:
        try:
            with _translated(key, precondition=ObjectExists):
                self._past_conflicts(self._client.put_object, Bucket=self.bucket, Key=key, Body=b"", IfNoneMatch="*")
        except ObjectExists:
            return True
        except _NotOffered:
            return False
        return False

    def _spares_what_does_not_match(self, key: str) -> bool:
        with suppress(ObjectChanged, _NotOffered):
            self._delete(key, IfMatch='"00000000000000000000000000000000"')
        return self._head(key) is not None

    def temporary_url(self, key: str, *, seconds: int) -> str | None:
        """A signed address of this one object, for reading only; at most five minutes."""
        check_key(key)
        lifetime = max(1, min(seconds, LONGEST_URL_SECONDS))
        request = {"Bucket": self.bucket, "Key": key}
        return str(self._client.generate_presigned_url("get_object", Params=request, ExpiresIn=lifetime))


class S3ObjectWriter:
    """A stream on its way: in memory up to one part, in parts under `staging/` beyond that."""

    def __init__(self, store: S3ObjectStore, client: Any, key: str, *, create_only: bool) -> None:
        self._store = store
        self._client = client
        self._key = key
        self._create_only = create_only
        self._hash = hashlib.sha256()
        self._size = 0
        self._pending = bytearray()
        self._staged = {"Bucket": store.bucket, "Key": f"{STAGING}{secrets.token_hex(16)}"}
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._completed = False

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._hash.update(chunk)
        self._size += len(chunk)
        rest = memoryview(chunk)
        while rest:
            room = PART_BYTES - len(self._pending)
            if room == 0:
                self._send_part()
                continue
            self._pending += rest[:room]
            rest = rest[room:]

    def sha256(self) -> str:
        """The digest (hex) of what was written so far."""
        return self._hash.hexdigest()

    def commit(self, *, media_type: str, metadata: Mapping[str, str] | None = None) -> ObjectReference:
        """Make the object visible, whole."""
        if self._upload_id is None:
            body = bytes(self._pending)
            return self._store.put(
                self._key, body, media_type=media_type, create_only=self._create_only, metadata=metadata
            )
        self._send_part()
        self._complete()
        about = _About(self._size, self.sha256(), media_type, metadata or {})
        try:
            return self._store.place_staged(self._staged["Key"], self._key, about, create_only=self._create_only)
        finally:
            self.abort()

    def abort(self) -> None:
        """Forget what was written; nothing happens after `commit`."""
        self._pending.clear()
        upload_id, self._upload_id = self._upload_id, None
        if upload_id is None:
            return
        # What cannot be removed now is removed with the leftovers; the error that led here is the one to be told.
        with suppress(DocuElevateError), _translated(self._key):
            if self._completed:
                self._client.delete_object(**self._staged)
            else:
                self._client.abort_multipart_upload(**self._staged, UploadId=upload_id)

    def _send_part(self) -> None:
        with _translated(self._key):
            if self._upload_id is None:
                self._upload_id = self._client.create_multipart_upload(**self._staged)["UploadId"]
            number = len(self._parts) + 1
            upload = {**self._staged, "UploadId": self._upload_id, "PartNumber": number}
            answer = self._client.upload_part(**upload, Body=bytes(self._pending))
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})
        self._pending.clear()

    def _complete(self) -> None:
        with _translated(self._key):
            self._client.complete_multipart_upload(
                **self._staged, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )
        self._completed = True


class _About:
    """What is written with the bytes of an object. `write_id` tells this write from every other."""

    def __init__(self, size: int, sha256: str, media_type: str, metadata: Mapping[str, str]) -> None:
        self.size = size
        self.sha256 = sha256
        self.media_type = media_type
        self.write_id = secrets.token_hex(8)
        self._metadata = metadata

    def headers(self) -> dict[str, Any]:
        """As arguments of a call that writes."""
        ours = {_SHA256: self.sha256, _WRITE_ID: self.write_id}
        theirs = {name: quote(value, safe=_PLAIN_CHARACTERS) for name, value in self._metadata.items()}
        return {"ContentType": self.media_type, "Metadata": theirs | ours}

    def reference(self, bucket: str, key: str, etag: str) -> ObjectReference:
        """To the object that was written."""
        return ObjectReference(
            bucket=bucket, key=key, size=self.size, sha256=self.sha256, etag=etag, media_type=self.media_type
        )


class _Opened:
    """A body that is open until the end of its context."""

    def __init__(self, body: BinaryIO) -> None:
        self._body = body

    def __enter__(self) -> BinaryIO:
        return self._body

    def __exit__(self, *_: object) -> None:
        self._body.close()


class _BodyReader(io.RawIOBase):
    """The body of an answer; a connection that breaks in the middle is an error of ours."""

    def __init__(self, key: str, body: Any) -> None:
        self._key = key
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        with _translated(self._key):
            chunk = self._body.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._body.close()
        super().close()


def _stream(key: str, answer: Any) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_BodyReader(key, answer["Body"]), _CHUNK_BYTES))


class _RangeNotSatisfiable(DocuElevateError):
    """The range begins behind the end of the object."""


class _NotOffered(Unavailable):
    """The server does not know this request."""


class _NoSuchUpload(Unavailable):
    """The upload was completed or aborted meanwhile."""


@contextmanager
def _translated(key: str, *, precondition: type[DocuElevateError] = ObjectChanged) -> Iterator[None]:
    """Vendor errors in our words: the server's code only, never its text, an address or a key of the account."""
    try:
        yield
    except ClientError as error:
        raise _error(key, error, precondition) from error
    except ParamValidationError:
        # A call that is wrong in itself is a bug of ours and no state of the server.
        raise
    except BotoCoreError as error:
        raise Unavailable(f"the object store does not answer ({type(error).__name__})") from error


def _error(key: str, error: ClientError, precondition: type[DocuElevateError]) -> DocuElevateError:
    status, code = _status(error), error.response.get("Error", {}).get("Code", "")
    if status == 404 and code not in ("NoSuchBucket", "NoSuchUpload"):
        return ObjectNotFound(f"there is no object under {key}")
    if status == 412:
        return precondition(
            f"there is an object under {key}" if precondition is ObjectExists else f"{key} is no longer what it was"
        )
    if status == 416:
        return _RangeNotSatisfiable(f"{key} is shorter than that")
    if status == 429 or code in _THROTTLING:
        return Throttled("the object store asks for fewer requests", _retry_after_seconds(error))
    return _kind(status, code)(f"the object store answered {status} {code} to {error.operation_name}")


def _kind(status: int, code: str) -> type[Unavailable]:
    if code == "NoSuchUpload":
        return _NoSuchUpload
    return _NotOffered if status == 501 or code in _NOT_OFFERED else Unavailable


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ETag", "")).strip('"')


def _answer(error: ClientError) -> dict[str, Any]:
    return cast(dict[str, Any], error.response.get("ResponseMetadata", {}))


def _status(error: ClientError) -> int:
    return int(_answer(error).get("HTTPStatusCode", 0))


def _retry_after_seconds(error: ClientError) -> float | None:
    value = _answer(error).get("HTTPHeaders", {}).get("retry-after", "")
    return float(value) if value.isdigit() else None


def _date(answer: Any) -> datetime:
    """The server's clock, so that ages do not depend on ours."""
    value = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(value) if value else datetime.now(UTC)


def _age_seconds(moment: datetime, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds())


def _info(key: str, answer: Any) -> ObjectInfo:
    metadata = _metadata(answer)
    version_id = answer.get("VersionId")
    return ObjectInfo(
        key=key,
        size=answer["ContentLength"],
        etag=_etag(answer),
        media_type=answer.get("ContentType", _UNKNOWN_MEDIA_TYPE),
        last_modified=answer["LastModified"],
        age_seconds=_age_seconds(answer["LastModified"], _date(answer)),
        # "null" is whatever was written last while versioning was off: a name, not a version.
        version_id=None if version_id == "null" else version_id,
        sha256=_written_sha256(key, answer),
        metadata={name: unquote(value) for name, value in metadata.items() if name not in (_SHA256, _WRITE_ID)},
    )


def _written_sha256(key: str, answer: Any) -> str | None:
    # Under incoming/ others write, and may claim any digest.
    return None if key.startswith(INCOMING) else _metadata(answer).get(_SHA256)


def _metadata(answer: Any) -> dict[str, str]:
    """They are headers: some servers and proxies give their names back in capitals."""
    return {name.lower(): value for name, value in answer.get("Metadata", {}).items()}


def _listed(entry: Any, now: datetime) -> ObjectInfo:
    return ObjectInfo(
        key=entry["Key"],
        size=entry["Size"],
        etag=_etag(entry),
        media_type=_UNKNOWN_MEDIA_TYPE,
        last_modified=entry["LastModified"],
        age_seconds=_age_seconds(entry["LastModified"], now),
    )


def _is_usable(key: str) -> bool:
    try:
        check_source_key(key)
    except InvalidKey:
        return False
    return True
