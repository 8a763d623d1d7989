"""Statements as pushes by mail: what is asked for, and what came of it."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from handlers.statements.statement import Send, SendState, Statement
from schemas.events import Event
from schemas.push import PushRequested

SOURCE = "statements"
KIND = "statement.sent"


class Came(StrEnum):
    """What is known of a mail to one address."""

    UNKNOWN = "unknown"
    """Not asked for yet, as far as is known."""
    UNDER_WAY = "under way"
    SENT = "sent"
    FAILED = "failed"


def asked_for(statement: Statement, send: Send) -> tuple[Event, ...]:
    """The pushes of a mailing, one an address: the same ones, by id, however often they are asked for."""
    return tuple(_push(statement, send, address) for address in send.addresses)


def _push(statement: Statement, send: Send, address: str) -> Event:
    push = PushRequested(
        recipient=f"email/{address}",
        kind=KIND,
        fields={
            "statement": statement.statement_no,
            "month": statement.month,
            "amount_micros": statement.total_micro,
        },
        language=statement.language,
        channels=("email",),
        attachments=(send.file_id,),
    )
    return Event(
        id=f"{statement.statement_no}/{send.no}/{address}",
        source=SOURCE,
        type="push.requested",
        subject=push.recipient,
        time=send.at,
        data=msgspec.json.encode(push),
    )


def outcome(came: Iterable[Came]) -> SendState:
    """Of a mailing as a whole: sent where all have it, failed where it is over and somebody has not."""
    found = set(came)
    if found & {Came.UNKNOWN, Came.UNDER_WAY}:
        return SendState.SENDING
    return SendState.FAILED if Came.FAILED in found else SendState.SENT


def with_outcome(statement: Statement, no: int, state: SendState) -> Statement:
    sends = tuple(
        msgspec.structs.replace(send, state=state) if send.no == no and send.state == SendState.SENDING else send
        for send in statement.sends
    )
    return msgspec.structs.replace(statement, sends=sends)
