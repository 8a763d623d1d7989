"""What is known of recipients: their bindings, endpoints and preferences, for a batch of pushes at once."""

from collections.abc import Iterable, Mapping, Sequence

from handlers.routing import Known, Mention
from schemas.endpoint import Endpoint
from schemas.preferences import Preferences
from stores.contacts import bindings_of
from stores.endpoints import Endpoints
from stores.mongo import Database
from stores.preferences import preferences_of
from stores.tg import BoundChat, chats_of


async def known_of(database: Database, endpoints: Endpoints, recipients: Iterable[str]) -> dict[str, Known]:
    """Everything a router has to know of each. Raises StoreAway."""
    recipients = list(dict.fromkeys(recipients))
    preferences = await preferences_of(database, recipients)
    owned = await endpoints.of_owners(recipients)
    themselves = {endpoint.id: endpoint for endpoint in await endpoints.by_ids(_ids(recipients, "endpoint"))}
    chats = await chats_of(database, _ids(recipients, "customer"))
    mentions = await _mentions(database, endpoints, _ids(recipients, "contact"))
    return {
        recipient: _known(recipient, preferences[recipient], owned, themselves, chats, mentions)
        for recipient in recipients
    }


def _known(
    recipient: str,
    preferences: Preferences,
    owned: Mapping[str, Sequence[Endpoint]],
    themselves: Mapping[str, Endpoint],
    chats: Mapping[str, Sequence[BoundChat]],
    mentions: Mapping[str, Sequence[Mention]],
) -> Known:
    kind, _, name = recipient.partition("/")
    itself = (themselves[name],) if kind == "endpoint" and name in themselves else ()
    return Known(
        preferences=preferences,
        endpoints=(*owned.get(recipient, ()), *itself),
        mentions=tuple(mentions.get(name, ())) if kind == "contact" else (),
        chats=tuple(chat.chat_id for chat in chats.get(name, ())) if kind == "customer" else (),
        email=name if kind == "email" else preferences.email,
    )


async def _mentions(database: Database, endpoints: Endpoints, contacts: Sequence[str]) -> dict[str, list[Mention]]:
    """The endpoints that serve the systems in which each contact has an account."""
    bindings = await bindings_of(database, contacts) if contacts else {}
    sources = {binding.account_source for bound in bindings.values() for binding in bound}
    serving = {source: await endpoints.serving(source) for source in sorted(sources)}
    return {
        contact: [
            Mention(endpoint, binding.open_id) for binding in bound for endpoint in serving[binding.account_source]
        ]
        for contact, bound in bindings.items()
    }


def _ids(recipients: Iterable[str], kind: str) -> list[str]:
    return [name for found, _, name in (recipient.partition("/") for recipient in recipients) if found == kind]
