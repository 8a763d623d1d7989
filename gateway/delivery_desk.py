"""What is done with deliveries, by HTTP and by command line alike."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from channels.registry import ways
from gateway.endpoint_desk import endpoint_ways
from gateway.questions import choice
from schemas.cloudevents import parse_time
from schemas.delivery import State, lane_of
from schemas.errors import Refused
from stores.delivery_desk import Delivery, DeliveryDesk, Which
from stores.endpoints import Endpoints

FILTERS = ("state", "channel", "recipient", "endpoint", "kind", "since", "until")
_AGO = re.compile("([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instant(text: str, name: str, now: datetime) -> datetime:
    """An RFC 3339 time, or how long ago (`90s`, `30m`, `2h`, `3d`). Refuses anything else, under the name given."""
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return parse_time(text)
    except (ValueError, OverflowError):
        raise Refused(
            "bad_field", f"{name}: an RFC 3339 time with its zone is expected, or how long ago: 90s, 30m, 2h, 3d"
        ) from None


def which(asked: Mapping[str, str], now: datetime) -> Which:
    """The choice that is asked for, by FILTERS. Refuses a state or a time that is none."""
    channel, endpoint = asked.get("channel"), asked.get("endpoint")
    since, until = (instant(asked[name], name, now) if name in asked else None for name in ("since", "until"))
    # The endpoint may be gone: by which channel it was reached, its deliveries say.
    channels = endpoint_ways() if channel is None else (channel,)
    return Which(
        state=choice(asked, "state", State),
        channel=channel,
        recipient=asked.get("recipient"),
        lanes=None if endpoint is None else lanes_of(endpoint, channels),
        kind=asked.get("kind"),
        since=since,
        until=until,
    )


def lanes_of(endpoint_id: str, channels: Collection[str]) -> tuple[str, ...]:
    return tuple(lane_of(channel, endpoint_id) for channel in sorted(channels))


async def find(deliveries: DeliveryDesk, delivery_id: str) -> Delivery:
    """Refuses an id that is not known: of a delivery that has not been tried yet too."""
    delivery = await deliveries.find(delivery_id)
    if delivery is None:
        raise Refused(
            "not_found", f"no delivery {delivery_id} has been kept: perhaps it is under way for the first time"
        )
    return delivery


async def retry(deliveries: DeliveryDesk, endpoints: Endpoints, delivery_id: str, now: datetime) -> Delivery:
    """Try it now. Refuses what is under way or delivered, and what would find its endpoint disabled."""
    await _check_endpoint(endpoints, await find(deliveries, delivery_id))
    return await deliveries.retry(delivery_id, now) or await _refuse(
        deliveries, delivery_id, "only one that waits, is dead or was cancelled can be tried again"
    )


async def cancel(deliveries: DeliveryDesk, delivery_id: str, now: datetime) -> Delivery:
    """Try it no more. Refuses what is not open."""
    return await deliveries.cancel(delivery_id, now) or await _refuse(
        deliveries, delivery_id, "only one that waits or is parked can be cancelled"
    )


async def _check_endpoint(endpoints: Endpoints, delivery: Delivery) -> None:
    way = ways().get(delivery.channel)
    if way is None or way.options is None:
        return
    endpoint = await endpoints.find(delivery.target)
    if endpoint is None:
        raise Refused("conflict", f"its endpoint {delivery.target} is deleted")
    if not endpoint.enabled:
        raise Refused("conflict", f"its endpoint {delivery.target} is disabled ({endpoint.disabled_reason})")


async def _refuse(deliveries: DeliveryDesk, delivery_id: str, rule: str) -> Delivery:
    delivery = await find(deliveries, delivery_id)
    raise Refused("conflict", f"delivery {delivery_id} is {delivery.state}: {rule}")
