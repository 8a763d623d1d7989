"""Where a push goes: from what is known of its recipient to an inbox entry and deliveries. Pure."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from handlers.outcome import Emit
from handlers.quiet import not_before
from schemas.delivery import DeliveryPlanned, delivery_id, lane_of
from schemas.endpoint import Endpoint
from schemas.events import Event
from schemas.inbox import InboxEntered
from schemas.preferences import Preferences, fits
from schemas.push import Language, PushRequested

EMAIL, TELEGRAM = "email", "telegram"


class Mention(msgspec.Struct, frozen=True):
    """Somebody who is reached through an endpoint of others, by being addressed there."""

    endpoint: Endpoint
    account: str
    """Their id in the system behind the endpoint."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a recipient when a push to it is routed."""

    preferences: Preferences
    endpoints: tuple[Endpoint, ...] = ()
    """Those that the recipient owns, or is."""
    mentions: tuple[Mention, ...] = ()
    chats: tuple[str, ...] = ()
    """Telegram chats that are bound to the recipient."""
    email: str | None = None


class Written(msgspec.Struct, frozen=True):
    """The text of a push in its recipient's language."""

    title: str | None
    body: str | None


class Way(msgspec.Struct, frozen=True):
    """One delivery of a push, without what all deliveries of the push share."""

    id: str
    lane: str
    channel: str
    target: str
    mention: str | None = None
    not_before: datetime | None = None
    ordered_by: str | None = None
    digest: str | None = None


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """A push, decided: kept as it is, so that a repeat comes to the same."""

    recipient: str
    kind: str
    urgency: str
    language: Language
    title: str | None
    body: str | None
    fields: Mapping[str, Any]
    requested_at: datetime
    ways: tuple[Way, ...]
    attachments: tuple[str, ...] | None = None


def language_of(push: PushRequested, known: Known) -> Language:
    return push.language or known.preferences.language


def route_push(
    event: Event, push: PushRequested, written: Written, known: Known, channels: Collection[str], now: datetime
) -> Routed:
    """By which ways, and when: of `channels` those that fit. `now` decides on quiet hours and digests."""
    waits_until = None if push.urgency == "critical" else not_before(known.preferences, now)
    ways: dict[str, Way] = {}
    for channel, target, mention, ordered in _targets(push, known):
        if channel not in channels:
            continue
        who = target if mention is None else f"{target}#{mention}"
        way = Way(
            id=delivery_id(event.identity, push.recipient, channel, who),
            lane=lane_of(channel, target),
            channel=channel,
            target=target,
            mention=mention,
            not_before=waits_until,
            ordered_by=_order(push, target, ordered=ordered),
            digest=_digest(push, known, channel, who, waits_until),
        )
        ways[way.id] = way
    return Routed(
        recipient=push.recipient,
        kind=push.kind,
        urgency=push.urgency,
        language=language_of(push, known),
        title=written.title,
        body=written.body,
        fields=push.fields,
        requested_at=event.time,
        ways=tuple(ways.values()),
        attachments=push.attachments,
    )


def emits_of(push: str, routed: Routed) -> tuple[Emit, ...]:
    """The entry in the inbox, and a delivery by each way. `push` is the identity of what asked for it."""
    shared: dict[str, Any] = {
        "recipient": routed.recipient,
        "push": push,
        "kind": routed.kind,
        "urgency": routed.urgency,
        "title": routed.title,
        "body": routed.body,
        "fields": routed.fields,
    }
    entry = Emit("inbox", "inbox.entered", routed.recipient, InboxEntered(**shared))
    return (
        entry,
        *(
            Emit(
                way.id,
                "delivery.planned",
                way.lane,
                DeliveryPlanned(
                    **shared,
                    **msgspec.structs.asdict(way),
                    language=routed.language,
                    requested_at=routed.requested_at,
                    attachments=routed.attachments,
                ),
            )
            for way in routed.ways
        ),
    )


def _targets(push: PushRequested, known: Known) -> Iterator[tuple[str, str, str | None, bool]]:
    """Channel, target, whom to mention there, and whether all that goes there keeps its order."""
    wanted = _channels(push, known.preferences)

    def taken(channel: str) -> bool:
        return wanted is None or channel in wanted

    for endpoint in known.endpoints:
        if taken(endpoint.channel) and _takes(endpoint, push):
            yield endpoint.channel, endpoint.id, None, endpoint.ordered
    for mention in known.mentions:
        endpoint = mention.endpoint
        if taken(endpoint.channel) and _takes(endpoint, push):
            yield endpoint.channel, endpoint.id, mention.account, endpoint.ordered
    if taken(TELEGRAM):
        yield from ((TELEGRAM, chat, None, False) for chat in known.chats)
    if known.email is not None and taken(EMAIL):
        yield EMAIL, known.email, None, False


def _channels(push: PushRequested, preferences: Preferences) -> frozenset[str] | None:
    """Those that both the push and its recipient's first fitting rule allow; None for all."""
    asked = None if push.channels is None else frozenset(push.channels)
    rule = next((rule for rule in preferences.rules if fits(rule.kinds, push.kind)), None)
    if rule is None:
        return asked
    ruled = frozenset(rule.channels)
    return ruled if asked is None else asked & ruled


def _takes(endpoint: Endpoint, push: PushRequested) -> bool:
    if push.recipient == f"endpoint/{endpoint.id}":
        # Named itself, whatever kinds it takes; disabled too, for that the push cannot go out must be seen.
        return endpoint.id != push.except_endpoint
    if not endpoint.enabled or endpoint.id == push.except_endpoint:
        return False
    return endpoint.kinds is None or any(fits(kinds, push.kind) for kinds in endpoint.kinds)


def _order(push: PushRequested, target: str, *, ordered: bool) -> str | None:
    """Within a lane that many targets share, each target has an order of its own."""
    subject = push.ordered_by or (push.recipient if ordered else None)
    return None if subject is None else f"{target}/{subject}"


def _digest(push: PushRequested, known: Known, channel: str, who: str, waits_until: datetime | None) -> str | None:
    """Gathered are pushes by the same way that leave at the same instant."""
    if waits_until is None or known.preferences.digest_minutes is None:
        return None
    return f"{push.recipient} {channel} {who} {waits_until.isoformat()}"
