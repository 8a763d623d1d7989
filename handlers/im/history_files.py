"""What stands in a file of get_history: the contract's layout, line by line (contracts/im.yaml, HistoryFile).

The first line holds everything up to `"MsgList":[`; then one message a line, with a comma
behind all but the last; the last line closes it.
"""

from typing import Any

import msgspec

from schemas.im.message import parse_key


class Filed(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a file. `MsgTimestamp`: here with a small s."""

    from_account: str = msgspec.field(name="From_Account")
    to_account: str = msgspec.field(name="To_Account")
    timestamp: int = msgspec.field(name="MsgTimestamp")
    seq: int = msgspec.field(name="MsgSeq")
    random: int = msgspec.field(name="MsgRandom")
    body: list[dict[str, Any]] = msgspec.field(name="MsgBody")


_encode = msgspec.json.Encoder().encode


def first_line(app: str, hour: str) -> bytes:
    head = {"SdkAppId": int(app), "ChatType": "C2C", "MsgTime": hour}
    return _encode(head)[:-1] + b',"MsgList":[\n'


def message_line(sender: str, receiver: str, key: str, body: list[dict[str, Any]]) -> bytes:
    """Without its end. `key` is the message's MsgKey."""
    parsed = parse_key(key)
    if parsed is None:
        raise ValueError(f"{key!r} is no MsgKey")
    return _encode(
        Filed(
            from_account=sender,
            to_account=receiver,
            timestamp=parsed.time,
            seq=parsed.seq,
            random=parsed.random,
            body=body,
        )
    )


BETWEEN = b",\n"
LAST_LINE = b"\n]}\n"
