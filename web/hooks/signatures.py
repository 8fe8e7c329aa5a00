"""Messages of Amazon SNS that come straight from its servers: who signed them, and confirming a subscription.

SNS cannot send a token in a header, so it is known by its signature
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html). Certificates and confirmations are
asked for at the vendor's own hosts only, by HTTPS, whatever the message says.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from shared.errors import Unavailable
from web.errors import Unauthenticated

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
_TYPES = (NOTIFICATION, SUBSCRIPTION, "UnsubscribeConfirmation")
_SIGNED = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
"""What is signed, in the order in which it is; a notification's own links are not."""

_VENDOR_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?")
_VENDOR_NAME = re.compile(r"sns(?:\.[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-zA-Z]{1,64}\.pem")
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 64 * 1024
_KEPT_CERTIFICATES = 16

Fetch = Callable[[str], bytes]
"""Gets an address of the vendor. Raises Unavailable."""


class SignatureInvalid(Unauthenticated):
    """Nobody whom we know has signed this."""

    code = "signature_invalid"


def is_sns_message(content: object) -> bool:
    """Whether this is what SNS posts to a subscriber."""
    return isinstance(content, Mapping) and content.get("Type") in _TYPES and "TopicArn" in content


class SnsMessages:
    """Checks signatures and confirms subscriptions; keeps the certificates that it was shown to be the vendor's."""

    def __init__(self, fetch: Fetch | None = None) -> None:
        self._fetch = fetch or fetch_from_vendor
        self._certificate = lru_cache(_KEPT_CERTIFICATES)(self._fetched_certificate)

    def verify(self, message: Mapping[str, Any]) -> None:
        """Raises SignatureInvalid unless SNS has signed the message, or Unavailable where its certificate is."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(str(message.get("SignatureVersion")))  # noqa: S303 -- version 1 is defined so
        certificate = self._certificate(_certificate_url(message))
        _require_current(certificate)
        key = certificate.public_key()
        if algorithm is None or not isinstance(key, rsa.RSAPublicKey):
            raise SignatureInvalid("The message is signed in a way that is not known.")
        try:
            signature = base64.b64decode(str(message.get("Signature", "")), validate=True)
            key.verify(signature, _signed_bytes(message), padding.PKCS1v15(), algorithm)
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise SignatureInvalid("The signature does not fit the message.") from error

    def confirm(self, message: Mapping[str, Any]) -> None:
        """Confirm the subscription that a verified message offers. Raises SignatureInvalid, Unavailable."""
        url = str(message.get("SubscribeURL", ""))
        asked = parse_qs(urlsplit(url).query) if _is_vendors(url) else {}
        if asked.get("Action") != ["ConfirmSubscription"] or asked.get("TopicArn") != [message.get("TopicArn")]:
            raise SignatureInvalid("The subscription is not to be confirmed at the vendor's own host.")
        self._fetch(url)

    def _fetched_certificate(self, url: str) -> "Certificate":
        from cryptography.x509 import load_pem_x509_certificate
        from cryptography.x509.oid import NameOID

        try:
            certificate = load_pem_x509_certificate(self._fetch(url))
        except ValueError as error:
            raise SignatureInvalid("The certificate cannot be read.") from error
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if not any(_VENDOR_NAME.fullmatch(str(name.value)) for name in names):
            raise SignatureInvalid("The certificate is not one of the vendor's.")
        return certificate


def fetch_from_vendor(url: str) -> bytes:
    """Get the address, with the host's certificate checked, without following it elsewhere. Raises Unavailable."""
    import httpx

    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT_SECONDS, follow_redirects=False) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    break
    except httpx.HTTPError as error:
        raise Unavailable(f"Amazon SNS does not answer ({type(error).__name__})") from error
    return bytes(body[:_MAX_BYTES])


def _certificate_url(message: Mapping[str, Any]) -> str:
    url = str(message.get("SigningCertURL", ""))
    if not _is_vendors(url) or not _CERTIFICATE_PATH.fullmatch(urlsplit(url).path) or urlsplit(url).query:
        raise SignatureInvalid("The certificate is not at the vendor's own host.")
    return url


def _is_vendors(url: str) -> bool:
    """Whether the address is the vendor's; compared with what it is made of, so that no reader takes it otherwise."""
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and "\\" not in url and not address.fragment
    return is_plain and address.scheme == "https" and _VENDOR_HOST.fullmatch(address.netloc) is not None


def _require_current(certificate: "Certificate") -> None:
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise SignatureInvalid("The certificate is not valid now.")


def _signed_bytes(message: Mapping[str, Any]) -> bytes:
    left_out = ("SubscribeURL", "Token") if message.get("Type") == NOTIFICATION else ("Subject",)
    present = [name for name in _SIGNED if name not in left_out and isinstance(message.get(name), str)]
    return "".join(f"{name}\n{message[name]}\n" for name in present).encode()
