"""What is done with endpoints, by HTTP and by command line alike."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET
from ulid import ULID

from channels.channel import Way
from channels.registry import ways
from channels.signing import PRIVATE, new_key_pair, new_secret, public_of
from gateway.masks import MASK, holds_mask, masked_options, masked_url
from schemas.cloudevents import to_millisecond
from schemas.delivery import delivery_id, lane_of
from schemas.endpoint import Endpoint
from schemas.endpoint_api import (
    EndpointChanges,
    EndpointMade,
    EndpointShown,
    NewEndpoint,
    PushSent,
    RotateSecret,
    Signature,
)
from schemas.errors import Refused
from schemas.events import Event
from schemas.push import PushRequested
from stores.delivery_desk import DeliveryDesk
from stores.endpoints import Endpoints

TEST_KIND = "endpoint.test"
SOURCE = "endpoints"


def endpoint_ways() -> dict[str, Way]:
    """The channels whose targets are endpoints."""
    return {name: way for name, way in ways().items() if way.options is not None}


async def create(endpoints: Endpoints, wanted: NewEndpoint, now: datetime) -> EndpointMade:
    """Refuses an address, options or a secret that the channel cannot use."""
    way = endpoint_ways().get(wanted.channel)
    if way is None:
        raise Refused("bad_field", f"channel is one of {', '.join(sorted(endpoint_ways()))}")
    await check_target(way, wanted.url, wanted.options)
    secret, shown = secret_for(way, wanted.secret, wanted.signature)
    at = to_millisecond(now)
    endpoint = Endpoint(
        id=f"ep_{ULID.from_datetime(now)}",
        owner=wanted.owner,
        channel=wanted.channel,
        url=wanted.url,
        secrets=() if secret is None else (secret,),
        options=wanted.options,
        kinds=wanted.kinds,
        serves=wanted.serves,
        rate_per_second=wanted.rate_per_second,
        concurrency=wanted.concurrency,
        ordered=wanted.ordered,
        created_at=at,
        updated_at=at,
    )
    await endpoints.create(endpoint)
    return EndpointMade(endpoint=show(endpoint), secret=shown)


async def find(endpoints: Endpoints, endpoint_id: str) -> Endpoint:
    """Refuses an id that is not known."""
    return known(await endpoints.find(endpoint_id), endpoint_id)


async def update(endpoints: Endpoints, endpoint_id: str, changes: EndpointChanges) -> EndpointShown:
    """The later of two changes to a field stays. Refuses what the channel cannot use."""
    endpoint = await find(endpoints, endpoint_id)
    fields = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}
    if not fields:
        return show(endpoint)
    if "url" in fields or "options" in fields:
        url, options = fields.get("url", endpoint.url), fields.get("options", endpoint.options)
        await check_target(way_of(endpoint), url, options)
    return show(known(await endpoints.update(endpoint_id, fields), endpoint_id))


async def rotate_secret(endpoints: Endpoints, endpoint_id: str, wanted: RotateSecret, now: datetime) -> EndpointMade:
    """A new secret, which signs at once; the former ones sign beside it for as long as is asked for.

    A robot signs with one secret only: its former ones are of no use any more.
    """
    endpoint = await find(endpoints, endpoint_id)
    way = way_of(endpoint)
    if not way.signs and wanted.secret is None:
        raise Refused("bad_field", "secret: the new one is expected; it is made where the messages go")
    secret, shown = secret_for(way, wanted.secret, wanted.signature or signature_of(endpoint))
    if secret is None:
        raise Refused("conflict", f"an endpoint of the channel {endpoint.channel} has no secret")
    until = now + timedelta(seconds=wanted.grace_seconds if way.signs else 0)
    rotated = known(await endpoints.rotate(endpoint_id, secret, until, now), endpoint_id)
    return EndpointMade(endpoint=show(rotated), secret=shown)


async def enable(endpoints: Endpoints, endpoint_id: str) -> EndpointShown:
    return show(known(await endpoints.enable(endpoint_id), endpoint_id))


async def disable(endpoints: Endpoints, endpoint_id: str, reason: str, now: datetime) -> EndpointShown:
    """Nothing goes there any more; what is planned for it is given up and can be recovered."""
    return show(known(await endpoints.disable(endpoint_id, reason, now), endpoint_id))


async def delete(endpoints: Endpoints, endpoint_id: str, now: datetime) -> None:
    if not await endpoints.delete(endpoint_id, now):
        raise unknown(endpoint_id)


async def recover(endpoints: Endpoints, deliveries: DeliveryDesk, endpoint_id: str, since: datetime) -> int:
    """How many dead deliveries, asked for since then, stand in line again. Refuses while it is disabled."""
    endpoint = enabled(await find(endpoints, endpoint_id))
    return await deliveries.recover(lane_of(endpoint.channel, endpoint.id), since)


async def trial_push(endpoints: Endpoints, endpoint_id: str, now: datetime) -> tuple[Event, PushSent]:
    """A push to the endpoint, to be published, and where to see what comes of it. Refuses while it is disabled."""
    endpoint = enabled(await find(endpoints, endpoint_id))
    push = PushRequested(
        recipient=f"endpoint/{endpoint.id}",
        kind=TEST_KIND,
        title="Test",
        body="This is a test. Pushes reach this endpoint.",
        fields={"endpoint": endpoint.id},
        # A test that waited for the end of quiet hours would tell nothing.
        urgency="critical",
    )
    event = Event(
        id=str(ULID.from_datetime(now)),
        source=SOURCE,
        type="push.requested",
        subject=push.recipient,
        time=now,
        data=msgspec.json.encode(push),
    )
    delivery = delivery_id(event.identity, push.recipient, endpoint.channel, endpoint.id)
    return event, PushSent(push=event.identity, delivery=delivery)


# ---- what is checked ------------------------------------------------------------------------------------------------


def known(endpoint: Endpoint | None, endpoint_id: str) -> Endpoint:
    if endpoint is None:
        raise unknown(endpoint_id)
    return endpoint


def unknown(endpoint_id: str) -> Refused:
    return Refused("not_found", f"no endpoint {endpoint_id}")


def enabled(endpoint: Endpoint) -> Endpoint:
    if not endpoint.enabled:
        raise Refused("conflict", f"endpoint {endpoint.id} is disabled ({endpoint.disabled_reason}): enable it first")
    return endpoint


def way_of(endpoint: Endpoint) -> Way:
    way = endpoint_ways().get(endpoint.channel)
    if way is None:
        raise Refused("conflict", f"there is no channel {endpoint.channel} in this release")
    return way


async def check_target(way: Way, url: str, options: Mapping[str, Any]) -> None:
    """Refuses with bad_field, without the address in the message."""
    if holds_mask(url) or holds_mask(options):
        raise Refused("bad_field", f"{MASK} stands for what is not shown: send the whole value, or leave the field out")
    try:
        if way.options is not None:
            msgspec.convert(options, way.options)
    except ValueError as error:
        raise Refused("bad_field", f"options: {error}") from None
    try:
        if way.check_url is not None:
            # In a thread: a channel may have to load what knows its addresses.
            await asyncio.to_thread(way.check_url, url)
    except ValueError as error:
        raise Refused("bad_field", f"url: {error}") from None


def secret_for(way: Way, brought: str | None, signature: Signature | None) -> tuple[str | None, str | None]:
    """The secret to keep, and what of it the caller is shown."""
    if way.signs:
        if brought is not None:
            raise Refused("bad_field", f"secret: that of the channel {way.name} is made here")
        if signature == "ed25519":
            return new_key_pair()[0], None
        secret = new_secret()
        return secret, secret
    if signature is not None:
        raise Refused("bad_field", f"signature: the channel {way.name} signs as its service asks for, or not at all")
    if brought is not None and not way.takes_secret:
        raise Refused("bad_field", f"secret: an endpoint of the channel {way.name} has none")
    return brought, None


# ---- what is shown --------------------------------------------------------------------------------------------------


def show(endpoint: Endpoint) -> EndpointShown:
    return EndpointShown(
        id=endpoint.id,
        owner=endpoint.owner,
        channel=endpoint.channel,
        url=masked_url(endpoint.channel, endpoint.url),
        options=masked_options(endpoint.options),
        secrets=len(endpoint.secrets),
        signature=signature_of(endpoint),
        public_keys=tuple(public_of(secret) for secret in made_here(endpoint) if secret.startswith(PRIVATE)),
        kinds=endpoint.kinds,
        serves=endpoint.serves,
        rate_per_second=endpoint.rate_per_second,
        concurrency=endpoint.concurrency,
        ordered=endpoint.ordered,
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        disabled_at=endpoint.disabled_at,
        failing_since=endpoint.failing_since,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )


def signature_of(endpoint: Endpoint) -> Signature | None:
    newest = next(iter(made_here(endpoint)), None)
    if newest is None:
        return None
    return "ed25519" if newest.startswith(PRIVATE) else "hmac"


def made_here(endpoint: Endpoint) -> tuple[str, ...]:
    """Its secrets where they are ours; a robot's are of its own kind."""
    way = ways().get(endpoint.channel)
    return endpoint.secrets if way is not None and way.signs else ()
