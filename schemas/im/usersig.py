"""UserSig (TLSSigAPIv2): who calls, for which app, until when, signed with the app's key.

The format is in contracts/im-semantics.md, section 2. Whole strings are never compared:
the order of the document's members, its spacing and the compression are free.
"""

import hashlib
import hmac
import zlib
from base64 import b64decode, b64encode
from typing import Annotated

import msgspec

from schemas.im.codes import Failed

VERSION = "2.0"
MAX_DOCUMENT_BYTES = 8192
"""More than any: what is compressed to a few bytes must not become megabytes here."""

_TO_STANDARD = bytes.maketrans(b"*-_", b"+/=")
_FROM_STANDARD = bytes.maketrans(b"+/=", b"*-_")

Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

EXPIRED, MALFORMED, WRONG_KEY, OTHER_IDENTIFIER, OTHER_APP = 70001, 70003, 70009, 70013, 70014


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a UserSig says. Times are in seconds; `userbuf` is base64."""

    ver: str = msgspec.field(name="TLS.ver")
    identifier: str = msgspec.field(name="TLS.identifier")
    sdkappid: int = msgspec.field(name="TLS.sdkappid")
    expire: Seconds = msgspec.field(name="TLS.expire")
    time: Seconds = msgspec.field(name="TLS.time")
    userbuf: str | None = msgspec.field(default=None, name="TLS.userbuf")
    sig: str = msgspec.field(name="TLS.sig")

    @property
    def valid_until(self) -> int:
        """Unix seconds."""
        return self.time + self.expire

    @property
    def signed_text(self) -> str:
        text = (
            f"TLS.identifier:{self.identifier}\nTLS.sdkappid:{self.sdkappid}\n"
            f"TLS.time:{self.time}\nTLS.expire:{self.expire}\n"
        )
        return text if self.userbuf is None else f"{text}TLS.userbuf:{self.userbuf}\n"


def make(key: str, app: str, identifier: str, issued_at: int, expire_seconds: int, userbuf: bytes | None = None) -> str:
    """A UserSig, good from now until `expire_seconds` after `issued_at` (Unix seconds)."""
    unsigned = Document(
        ver=VERSION,
        identifier=identifier,
        sdkappid=int(app),
        expire=expire_seconds,
        time=issued_at,
        userbuf=None if userbuf is None else b64encode(userbuf).decode(),
        sig="",
    )
    document = msgspec.structs.replace(unsigned, sig=_signature(key, unsigned))
    return b64encode(zlib.compress(msgspec.json.encode(document))).translate(_FROM_STANDARD).decode()


def verify(text: str, key: str, app: str, identifier: str) -> int:
    """Until when (Unix seconds) this UserSig lets `identifier` call for `app`.

    Raises Failed: 70003 malformed, 70014 another app's, 70009 not signed with the
    key, 70013 another identifier's. That it may have expired is the caller's to see.
    """
    document = read(text)
    if document.sdkappid != int(app):
        raise Failed(OTHER_APP)
    if not hmac.compare_digest(_signature(key, document).encode(), document.sig.encode()):
        raise Failed(WRONG_KEY)
    if document.identifier != identifier:
        raise Failed(OTHER_IDENTIFIER)
    return document.valid_until


def read(text: str) -> Document:
    """What a UserSig says, unverified. Raises Failed(70003)."""
    try:
        encoded = text.encode("ascii")
        # The alphabet of its own, and no other: strict decoding knows only the standard one.
        if encoded != encoded.translate(_TO_STANDARD).translate(_FROM_STANDARD):
            raise Failed(MALFORMED)
        inflated = _inflated(b64decode(encoded.translate(_TO_STANDARD), validate=True))
        document = msgspec.json.decode(inflated, type=Document, strict=True)
    except (ValueError, zlib.error, msgspec.MsgspecError):
        raise Failed(MALFORMED) from None
    return document


def _inflated(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    document = inflater.decompress(packed, MAX_DOCUMENT_BYTES)
    if not inflater.eof or inflater.unused_data:
        raise Failed(MALFORMED)
    return document


def _signature(key: str, document: Document) -> str:
    digest = hmac.new(key.encode(), document.signed_text.encode(), hashlib.sha256).digest()
    return b64encode(digest).decode()
