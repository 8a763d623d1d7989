"""Telegram's Bot API, as far as messages go out by it (core.telegram.org/bots/api).

The bot's token is in every URL: no error, receipt or log line of this module holds one.
"""

from typing import Any

import msgspec
from aiolimiter import AsyncLimiter

from channels.channel import Came, Receipt
from channels.http import JSON, RESPONSE_CHARS, Answer, http_url, post
from channels.net import Net
from channels.telegram_text import Part

ANSWER_BYTES = 64 * 1024
"""An answer repeats the message: 4096 characters of six bytes each, and what is around them."""
NOBODY = ("chat not found", "user not found", "peer_id_invalid")
"""What a 400 says where there is no such chat."""

encode = msgspec.json.Encoder().encode


class Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class Said(msgspec.Struct, frozen=True):
    """The Bot API's answer to any call."""

    ok: bool
    error_code: int = 0
    description: str = ""
    parameters: Parameters = Parameters()


decode = msgspec.json.Decoder(Said).decode


class TelegramApi:
    """One bot. Its calls are spread evenly: so many a second in all, whatever chats they go to."""

    def __init__(self, net: Net, api_url: str, token: str, messages_per_second: float) -> None:
        """`net` reaches the server wherever it is. Raises ValueError for a URL that is none."""
        self._net = net
        self._token = token
        self._send_message = http_url(api_url) / f"bot{token}" / "sendMessage"
        self._pace = AsyncLimiter(1, 1 / messages_per_second)

    async def send_message(self, chat_id: str, part: Part) -> Receipt:
        """Send once. A group that became a supergroup is followed to its new id."""
        said = await self._call(chat_id, part)
        if isinstance(said, Said) and (moved_to := said.parameters.migrate_to_chat_id) is not None:
            said = await self._call(str(moved_to), part)
        if isinstance(said, Receipt):
            return said
        receipt = judge(said)
        shown = (receipt.response or "").replace(self._token, "***")[:RESPONSE_CHARS]
        return msgspec.structs.replace(receipt, response=shown or None)

    async def _call(self, chat_id: str, part: Part) -> Said | Receipt:
        async with self._pace:
            answer = await post(
                self._net, self._send_message, request_of(chat_id, part), {"Content-Type": JSON}, ANSWER_BYTES
            )
        return answer if isinstance(answer, Receipt) else said_in(answer)


def request_of(chat_id: str, part: Part) -> bytes:
    request: dict[str, Any] = {
        "chat_id": int(chat_id) if chat_id.isascii() and chat_id.removeprefix("-").isdecimal() else chat_id,
        "text": part.text,
        # A preview would open links, also those that are good for one use.
        "link_preview_options": {"is_disabled": True},
    }
    if part.bold_units:
        request["entities"] = [{"type": "bold", "offset": 0, "length": part.bold_units}]
    return encode(request)


def said_in(answer: Answer) -> Said | Receipt:
    """What the Bot API said; where it was not the Bot API that answered, that this may change."""
    try:
        said = decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Receipt(
            came=Came.RETRY,
            status=answer.status,
            response="not an answer of the Bot API",
            retry_after_seconds=answer.retry_after_seconds,
        )
    # The status is the code as well; a server in between may have put its own in its place.
    return said if said.ok or said.error_code else msgspec.structs.replace(said, error_code=answer.status)


def judge(said: Said) -> Receipt:
    """What came of it (Bot API, "Making requests" and "ResponseParameters").

    That the token is not known is a mistake of ours that says nothing about the message.
    """
    if said.ok:
        return Receipt(came=Came.DELIVERED, status=200)
    code, description = said.error_code, said.description
    if code in (401, 404):
        came, description = Came.RETRY, "Telegram does not know the bot: is its token right?"
    elif code == 429 or code >= 500:
        came = Came.RETRY
    elif code == 403 or (code == 400 and any(words in description.lower() for words in NOBODY)):
        came = Came.GONE
    else:
        came = Came.REFUSED
    return Receipt(came=came, status=code, response=description, retry_after_seconds=said.parameters.retry_after)
