"""Links that hand out a file to whoever has them, for a while: an HMAC-SHA256 over the file's id and the link's end."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote, urlencode

import msgspec

from config.settings import FilesSettings
from schemas.errors import Refused
from stores.files import StoredFile

PATH = "/files"


class Link(msgspec.Struct, frozen=True):
    url: str
    expires_at: datetime


class Promised(msgspec.Struct, frozen=True):
    """A file that is being made: its link is good when it is there."""

    id: str
    expires_at: datetime


class Links:
    """Makes links and checks them. Without a key each method refuses with not_configured."""

    def __init__(self, settings: FilesSettings) -> None:
        self._key = None if settings.link_key is None else settings.link_key.get_secret_value().encode()
        self._lasting = timedelta(seconds=settings.link_seconds)
        self._public_url = settings.public_url

    def make(self, file: StoredFile | Promised, now: datetime) -> Link:
        """Good for the time that is set, and no longer than the file."""
        return self._until(file.id, min(now + self._lasting, file.expires_at))

    def promise(self, file: Promised) -> Link:
        """Good for as long as the file: it is answered once, before the file is there, and no other follows."""
        return self._until(file.id, file.expires_at)

    def _until(self, file_id: str, end: datetime) -> Link:
        expires = int(end.timestamp())
        query = urlencode({"expires": expires, "signature": self._signature(file_id, expires)})
        url = f"{self._public_url}{PATH}/{quote(file_id, safe='')}?{query}"
        return Link(url, datetime.fromtimestamp(expires, UTC))

    def check(self, file_id: str, query: Mapping[str, str], now: datetime) -> None:
        """Refuses what was not made here for this file, and what is over."""
        text, signature = query.get("expires", ""), query.get("signature", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise Refused("forbidden", "the link is not whole: expires and signature are expected")
        if not hmac.compare_digest(self._signature(file_id, int(text)).encode(), signature.encode("utf-8", "replace")):
            raise Refused("forbidden", "the link was not made for this file, or was changed")
        if int(text) <= now.timestamp():
            raise Refused("forbidden", "the link's time is over: ask for a new one")

    def _signature(self, file_id: str, expires: int) -> str:
        if self._key is None:
            raise Refused("not_configured", "FANFOLD_FILES__LINK_KEY is not set: no file can be handed out")
        return hmac.new(self._key, f"{expires}/{file_id}".encode(), sha256).hexdigest()
