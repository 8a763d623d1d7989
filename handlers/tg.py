"""Telegram chats: whose each one is, and what the bot answers it.

A chat is one customer's at a time, and whose is a register ordered by event time (in
whole seconds, as Telegram tells it) and, within a second, by the number of the update.
The gateway writes the same register when a customer unbinds by the API.
"""

from datetime import datetime

from handlers.effects import Effect, FieldEffect, Latest
from handlers.outcome import Emit, Outcome
from schemas.delivery import DeliveryPlanned, delivery_id, lane_of
from schemas.events import Event
from schemas.push import Language
from schemas.tg import CHANNEL, TelegramBound, TelegramLinkRefused, TelegramUnbound, UnboundReason

CHATS = "tg_chats"

ANSWERS: dict[str, dict[Language, str]] = {
    "bound": {
        "en": "This chat is connected: you will receive your messages here. Send /stop to end it.",
        "zh": "绑定成功，您将在此接收消息。发送 /stop 可解除绑定。",
    },
    "stopped": {
        "en": "This chat is disconnected and will receive no more messages.",
        "zh": "已解除绑定，此聊天将不再接收消息。",
    },
    "missing": {
        "en": "To receive your messages here, open the link or scan the code that you find in your account.",
        "zh": "如需在此接收消息，请打开您账户中的绑定链接或扫描二维码。",
    },
    "unknown": {
        "en": "This link is not valid. Please ask for a new one in your account.",
        "zh": "绑定链接无效，请在您的账户中重新获取。",
    },
    "expired": {
        "en": "This link has expired. Please ask for a new one in your account.",
        "zh": "绑定链接已过期，请在您的账户中重新获取。",
    },
    "used": {
        "en": "This link has been used already. If you receive no messages, please ask for a new one in your account.",
        "zh": "绑定链接已被使用。如未收到消息，请在您的账户中重新获取。",
    },
}
"""What the bot says, by what happened."""


def fold_bound(event: Event, bound: TelegramBound) -> Outcome:
    """The chat is the customer's, whoever's it was before; it is told so once per link."""
    owner = {"customer": bound.customer, "company": bound.company, "language": bound.language}
    person = {"first_name": bound.first_name, "last_name": bound.last_name, "username": bound.username}
    change: dict[str, FieldEffect] = {
        "binding": Latest(event.time, owner, bound.seq),
        "person": Latest(event.time, person, bound.seq),
    }
    answer = _answer(event, bound.chat_id, f"customer/{bound.customer}", "bound", bound.language)
    return Outcome(effects=(Effect(CHATS, bound.chat_id, change),), emits=(answer,))


def fold_unbound(event: Event, unbound: TelegramUnbound) -> Outcome:
    """The chat is nobody's. Only one that said so itself is answered: the others cannot, or need not, hear it."""
    change = {"binding": unbinding(event.time, unbound.seq, unbound.reason, unbound.customer)}
    effects = (Effect(CHATS, unbound.chat_id, change),)
    if unbound.reason != "stopped":
        return Outcome(effects=effects)
    answer = _answer(event, unbound.chat_id, _chat(unbound.chat_id), "stopped", unbound.language)
    return Outcome(effects=effects, emits=(answer,))


def answer_refused(event: Event, refused: TelegramLinkRefused) -> Outcome:
    """Nothing is known of the chat by it, so no document is made: it is told what to do."""
    answer = _answer(event, refused.chat_id, _chat(refused.chat_id), refused.reason, refused.language)
    return Outcome(emits=(answer,))


def unbinding(at: datetime, seq: int, reason: UnboundReason, customer: str | None) -> Latest:
    """The word that a chat is nobody's. It holds no `customer`, by which bound chats are found."""
    return Latest(at, {"reason": reason, "unbound_by": customer}, seq)


def whole_second(time: datetime) -> datetime:
    """As exact as Telegram tells time, so that its word and ours can be put in order."""
    return time.replace(microsecond=0)


def right_after(at: datetime, seq: int, now: datetime) -> tuple[datetime, int]:
    """The place of what is said now about the binding at (`at`, `seq`): after it, and before the next update."""
    second = whole_second(now)
    return (second, 1) if second > at else (at, seq + 1)


def _chat(chat_id: str) -> str:
    """Whom the bot answers where no customer is known: the chat as such."""
    return f"endpoint/telegram:{chat_id}"


def _answer(event: Event, chat_id: str, recipient: str, name: str, language: Language) -> Emit:
    lane = lane_of(CHANNEL, chat_id)
    planned = DeliveryPlanned(
        id=delivery_id(event.identity, recipient, CHANNEL, chat_id),
        lane=lane,
        push=event.identity,
        recipient=recipient,
        channel=CHANNEL,
        target=chat_id,
        kind=event.type,
        body=ANSWERS[name][language],
        language=language,
        requested_at=event.time,
    )
    return Emit("answer", "delivery.planned", lane, planned)
