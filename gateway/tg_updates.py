"""What Telegram says: updates of the bot, at /callbacks/telegram.

An update that is Telegram's is answered 200 whatever it holds, for otherwise it would
be sent again and again, and hold up what comes after it in the same chat. Only where
Kafka or MongoDB is away it is to be sent again. So it is known by its `update_id`: a
link is taken by one update, and the facts carry its number.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec
import structlog

from config.settings import TelegramSettings
from gateway import metrics
from gateway.events import problem
from gateway.system import Answer, Call, Operation, Reply, System
from gateway.tokens import Tokens
from schemas.errors import Refused
from schemas.events import Event
from schemas.push import Language
from schemas.tg import (
    ChatMemberUpdated,
    LinkTrouble,
    Message,
    TelegramBound,
    TelegramLinkRefused,
    TelegramUnbound,
    Update,
    User,
    language_of,
)
from stores.mongo import Database
from stores.tg import SOURCE, NoLink, take_link

log = structlog.get_logger()

PATH = "/callbacks/telegram"
TELEGRAM = "telegram"
GONE = ("kicked", "left")
"""What the bot is in a private chat once its user has blocked it."""

_decoder = msgspec.json.Decoder(Update)


class Updates:
    """Turns updates into facts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, call: Call) -> Reply:
        try:
            update = _decoder.decode(call.raw_bytes)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            log.warning("telegram_update_malformed", trace_id=call.trace_id, error=type(error).__name__)
            return _taken("malformed")
        match update:
            case Update(message=Message() as message) if message.chat.type == "private":
                return await self._message(call, update, message)
            case Update(my_chat_member=ChatMemberUpdated() as member) if member.chat.type == "private":
                return _member(call, update, member)
        return _taken("ignored")

    async def _message(self, call: Call, update: Update, message: Message) -> Reply:
        match command_in(message.text or ""):
            case "/start", "":
                return _refused(call, update, message, "missing", None)
            case "/start", token:
                return await self._start(call, update, message, token)
            case "/stop", _:
                return _taken("stopped", _unbound(call, update, message, "stopped"))
        return _taken("ignored")

    async def _start(self, call: Call, update: Update, message: Message, token: str) -> Reply:
        link = await take_link(self._database, token, update.update_id, call.received_at)
        if isinstance(link, NoLink):
            return _refused(call, update, message, link.trouble, link.language)
        chat_id, person = str(message.chat.id), message.sender
        bound = TelegramBound(
            chat_id=chat_id,
            customer=link.customer.id,
            company=link.customer.company,
            seq=_seq(update),
            language=link.language or _language(person),
            first_name=person.first_name,
            last_name=person.last_name,
            username=person.username,
        )
        # A link binds once, so it names the fact; the update may be sent again.
        return _taken("bound", _fact(call, SOURCE, link.id, "telegram.bound", chat_id, message.date, bound))


def command_in(text: str) -> tuple[str, str] | None:
    """A command, without the bot's name, and what follows it; None for any other text."""
    if not text.startswith("/"):
        return None
    command, *argument = text.split(maxsplit=1)
    return command.partition("@")[0], argument[0].strip() if argument else ""


def _member(call: Call, update: Update, member: ChatMemberUpdated) -> Reply:
    if member.new_chat_member.status not in GONE:
        return _taken("ignored")
    return _taken("blocked", _unbound(call, update, member, "blocked"))


def _unbound(
    call: Call, update: Update, said: Message | ChatMemberUpdated, reason: Literal["stopped", "blocked"]
) -> Event:
    chat_id = str(said.chat.id)
    unbound = TelegramUnbound(chat_id=chat_id, reason=reason, seq=_seq(update), language=_language(said.sender))
    return _fact(call, TELEGRAM, _id(update), "telegram.unbound", chat_id, said.date, unbound)


def _refused(call: Call, update: Update, message: Message, trouble: LinkTrouble, language: Language | None) -> Reply:
    chat_id = str(message.chat.id)
    refused = TelegramLinkRefused(chat_id=chat_id, reason=trouble, language=language or _language(message.sender))
    fact = _fact(call, TELEGRAM, _id(update), "telegram.link-refused", chat_id, message.date, refused)
    return _taken("refused", fact)


def _fact(
    call: Call, source: str, event_id: str, event_type: str, chat_id: str, date: int, payload: msgspec.Struct
) -> Event:
    return Event(
        id=event_id,
        source=source,
        type=event_type,
        subject=chat_id,
        time=datetime.fromtimestamp(date, UTC),
        data=msgspec.json.encode(payload),
        traceparent=call.traceparent,
    )


def _id(update: Update) -> str:
    return f"update/{update.update_id}"


def _seq(update: Update) -> int:
    # Even: odd is what follows right after one of them.
    return 2 * update.update_id


def _language(person: User) -> Language:
    return language_of(person.language_code) or "en"


def _taken(outcome: str, *facts: Event) -> Reply:
    metrics.TELEGRAM_UPDATES.labels(outcome).inc()
    return Reply(facts=facts)


def tg_updates_system(settings: TelegramSettings, database: Database) -> System:
    secrets = Tokens([settings.webhook_secret] if settings.webhook_secret is not None else [])

    def authenticate(call: Call) -> None:
        if not secrets:
            raise Refused("not_configured", "FANFOLD_TELEGRAM__WEBHOOK_SECRET is not set")
        if not secrets.accept(call.headers.get("X-Telegram-Bot-Api-Secret-Token")):
            raise Refused("unauthenticated", "X-Telegram-Bot-Api-Secret-Token is not the webhook's secret")

    return System(
        name="telegram-callback",
        # The body is not the pipeline's to refuse: what cannot be read is taken, and counted.
        operations=(
            Operation(
                "telegramUpdate", "POST", PATH, Updates(database).take, authenticate, security=("webhookSecret",)
            ),
        ),
        succeed=lambda _, status: Answer(status, b'{"ok":true}'),
        refuse=problem,
        contract="telegram-callback.yaml",
        security_schemes={
            "webhookSecret": {"type": "apiKey", "in": "header", "name": "X-Telegram-Bot-Api-Secret-Token"}
        },
    )
