"""Calls of a product's endpoint: what is sent, and how it is signed. Pure.

The endpoint is sent `{"appId", "seqNo", "checkItem", "encryptionType", "params"}` as JSON, with the
headers `X-App-Id`, `X-Timestamp` (Unix seconds) and `X-Signature`: HMAC-SHA256 with the account's
secret over `TIMESTAMP.BODY`, in hex. `seqNo` is the same whenever a call is repeated, and stands in
the `usage.recorded` that the platform reports of it, which so counts once.
"""

import hmac
import re
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives import hashes

from schemas.mt.tasks import EncryptionType

PERSONAL = frozenset({"name", "idCard", "name2", "idCard2", "mobile"})
"""Parameters about a person, which are sent as digests where that is asked for."""
DIGESTS: Mapping[EncryptionType, hashes.HashAlgorithm] = {
    EncryptionType.MD5: hashes.MD5(),  # noqa: S303 - what the products take
    EncryptionType.SHA256: hashes.SHA256(),
    EncryptionType.SM3: hashes.SM3(),
}
JSON = "application/json"


class Signed(msgspec.Struct, frozen=True):
    """A request, ready to send."""

    body: bytes
    headers: Mapping[str, str]


class Sent(msgspec.Struct, rename="camel", frozen=True):
    app_id: str
    seq_no: str
    check_item: str
    encryption_type: int
    params: Mapping[str, str]


def digested(params: Mapping[str, str], encryption: EncryptionType) -> dict[str, str]:
    """The parameters with personal data as digests (hex). What is one already, as it may be in a sample, stays."""
    algorithm = DIGESTS.get(encryption)
    if algorithm is None:
        return dict(params)
    return {name: _digest(text, algorithm) if name in PERSONAL else text for name, text in params.items()}


def _digest(text: str, algorithm: hashes.HashAlgorithm) -> str:
    if re.fullmatch(f"[0-9A-Fa-f]{{{2 * algorithm.digest_size}}}", text):
        return text.lower()
    digest = hashes.Hash(algorithm)
    digest.update(text.encode())
    return digest.finalize().hex()


def signed_call(
    *,
    app_id: str,
    secret: str,
    seq_no: str,
    item: str,
    params: Mapping[str, str],
    encryption: EncryptionType,
    timestamp: int,
) -> Signed:
    """`timestamp` is the attempt's, in Unix seconds."""
    body = msgspec.json.encode(Sent(app_id, seq_no, item, int(encryption), digested(params, encryption)))
    signature = hmac.digest(secret.encode(), b"%d.%s" % (timestamp, body), "sha256").hex()
    headers = {
        "Content-Type": JSON,
        "X-App-Id": app_id,
        "X-Timestamp": str(timestamp),
        "X-Signature": signature,
    }
    return Signed(body, headers)


def row_number(task_id: int, row: int) -> str:
    """The seqNo of a batch task's call, by which a repeat is known."""
    return f"BT{task_id}-{row}"
