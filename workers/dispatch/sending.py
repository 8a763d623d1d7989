"""One attempt, from the delivery in hand to what is recorded of it.

The order is the guarantee: send, set aside what is given up, record. A crash
between sending and recording repeats that one attempt; its id is the same.
"""

import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from channels.channel import Attached, Came, Channel, Message, Receipt, Target, Way
from config.settings import DispatcherSettings
from handlers.digests import gather
from handlers.letters import letter_for
from handlers.plan import Poisoned
from handlers.retries import Follows, after_attempt
from schemas.cloudevents import encode_headers
from schemas.delivery import OPEN, Attempt, DeliveryPlanned, State
from schemas.endpoint import Endpoint
from schemas.events import Event, Origin, Record
from schemas.push import PushRequested
from schemas.times import unix_milliseconds
from stores.deliveries import Change, Deliveries, Stored, insertion, update
from stores.files import FileGone, Files
from stores.tg import unbound_event
from workers.dispatch import metrics
from workers.dispatch.book import Book
from workers.dispatch.lane import Job
from workers.dispatch.recorder import Recorder
from workers.fold_batch import Publishes
from workers.retry import Patience

log = structlog.get_logger()

SOURCE = "dispatcher"
ATTACHED_BYTES = 20 * 1024 * 1024
"""What mail servers take together, more or less; in base64 it is a third more."""
DIGEST_MOST = 200
"""Deliveries in one digest message; what is more goes into another."""


class Sent(msgspec.Struct, frozen=True):
    """What came of an attempt. `receipt` is None where none was made: there is nowhere to send to."""

    follows: Follows
    receipt: Receipt | None = None
    attempt: Attempt | None = None
    others: Sequence[Stored] = ()
    """What went with it, in a digest."""

    @property
    def seconds(self) -> float:
        """What the receiver took to answer."""
        return 0.0 if self.attempt is None else self.attempt.seconds


class Sending:
    """Makes attempts."""

    def __init__(
        self,
        ways: Mapping[str, Way],
        channels: Mapping[str, Channel],
        deliveries: Deliveries,
        recorder: Recorder,
        book: Book,
        files: Files,
        publisher: Publishes,
        settings: DispatcherSettings,
        patience: Patience,
    ) -> None:
        self._ways = ways
        self._channels = channels
        self._deliveries = deliveries
        self._recorder = recorder
        self._book = book
        self._files = files
        self._publisher = publisher
        self._settings = settings
        self._patience = patience

    async def send(self, job: Job) -> Sent:
        """Try once; with it goes what gathers for the same digest."""
        if job.stored is not None and not await self._open_still(job):
            # Cancelled while it stood in memory behind others.
            return Sent(Follows(State.CANCELLED))
        others = await self._others(job)
        return await self._send(job, gather([job.planned, *(other.planned for other in others)]), others)

    async def settle(self, job: Job, sent: Sent) -> None:
        """Set aside what is given up, and record what was done; returns once it is written."""
        if sent.follows.state == State.CANCELLED:
            return
        dead = sent.follows.state == State.DEAD
        if dead:
            await self._patience.while_transient(self._publisher.publish, self._letters(job, sent))
        await self._record(job, self._change(sent, job.failures))
        await self._recorder.record_all(
            [update(other.planned.id, self._change(sent, other.failures)) for other in sent.others]
        )
        if dead:
            metrics.DEAD.labels(job.planned.channel, sent.follows.reason or "").inc(1 + len(sent.others))

    async def _open_still(self, job: Job) -> bool:
        return (await self._patience.while_transient(self._deliveries.seen, [job.id])).get(job.id) in OPEN

    async def _others(self, job: Job) -> list[Stored]:
        if job.planned.digest is None or job.due_at is None:
            return []
        gathered = await self._patience.while_transient(
            self._deliveries.gathered, job.holding.log.partition, job.planned.digest, job.due_at, DIGEST_MOST
        )
        return [other for other in gathered if other.planned.id != job.id]

    async def _send(self, job: Job, planned: DeliveryPlanned, others: Sequence[Stored]) -> Sent:
        channel, way = self._channels.get(planned.channel), self._ways.get(planned.channel)
        if channel is None or way is None:
            return Sent(Follows(State.DEAD, reason="no_channel"), others=others)
        endpoint = None
        target = Target(address=planned.target)
        if way.options is not None:
            endpoint = self._book.known(planned.target)
            if endpoint is None:
                endpoint = await self._patience.while_transient(self._book.find, planned.target)
            if endpoint is None or not endpoint.enabled:
                return Sent(Follows(State.DEAD, reason="endpoint_disabled"), others=others)
            target = Target(address=endpoint.url, secrets=endpoint.secrets, options=endpoint.options)
        attached: tuple[Attached, ...] = ()
        if way.attaches and planned.attachments:
            try:
                attached = await self._patience.while_transient(self._attached, planned.attachments)
            except FileGone:
                return Sent(Follows(State.DEAD, reason="no_file"), others=others)
        at, started = datetime.now(UTC), time.perf_counter()
        receipt = await channel.send(to_message(planned, attached), target)
        seconds = time.perf_counter() - started
        metrics.ATTEMPTS.labels(planned.channel, receipt.came.value).inc()
        metrics.ATTEMPT_SECONDS.labels(planned.channel).observe(seconds)
        if receipt.came == Came.DELIVERED:
            metrics.DELAY_SECONDS.labels(planned.channel).observe(
                max(0.0, (datetime.now(UTC) - (planned.not_before or planned.requested_at)).total_seconds())
            )
        follows = after_attempt(
            receipt.came.value,
            job.failures,
            self._settings.retry_seconds,
            datetime.now(UTC),
            chance=random.random(),  # noqa: S311 - spreads retries, guards nothing
            retry_after_seconds=receipt.retry_after_seconds,
        )
        await self._tell_target(planned, endpoint, receipt, at)
        attempt = Attempt(
            at=at, outcome=receipt.came.value, seconds=seconds, status=receipt.status, response=receipt.response
        )
        return Sent(follows, receipt, attempt, others)

    async def _attached(self, ids: Sequence[str]) -> tuple[Attached, ...]:
        """The files. Raises FileGone where one is not there (any more), or they are more than a mail can carry."""
        attached: list[Attached] = []
        left = ATTACHED_BYTES
        for file_id in ids:
            file = await self._files.find(file_id, datetime.now(UTC))
            if file is None or file.size > left:
                raise FileGone(file_id)
            left -= file.size
            content = b"".join([chunk async for chunk in self._files.read(file)])
            attached.append(Attached(name=file.name, content_type=file.content_type, content=content))
        return tuple(attached)

    async def _tell_target(
        self, planned: DeliveryPlanned, endpoint: Endpoint | None, receipt: Receipt, at: datetime
    ) -> None:
        """Keep what the attempt says about the target itself."""
        if receipt.came == Came.DELIVERED and (endpoint is None or endpoint.failing_since is None):
            return
        if endpoint is not None:
            await self._patience.while_transient(self._tell_endpoint, endpoint, receipt.came, at)
        elif receipt.came == Came.GONE and planned.channel == "telegram":
            unbound = unbound_event(planned.target, at, "blocked")
            await self._patience.while_transient(self._publisher.publish, [unbound])

    async def _tell_endpoint(self, endpoint: Endpoint, came: Came, at: datetime) -> None:
        match came:
            case Came.DELIVERED:
                await self._book.succeeded(endpoint)
            case Came.GONE:
                await self._disable(endpoint, "gone", at)
            case Came.RETRY:
                failing = await self._book.failed(endpoint, at)
                since = failing.failing_since
                if since is not None and at - since >= timedelta(days=self._settings.disable_after_days):
                    await self._disable(failing, "failing", at)

    async def _disable(self, endpoint: Endpoint, reason: str, at: datetime) -> None:
        """Its owner is told first: a crash between the two tells again, under the same id."""
        await self._publisher.publish([told_disabled(endpoint, reason, at)])
        await self._book.disable(endpoint, reason, at)
        metrics.DISABLED.labels(endpoint.channel, reason).inc()
        log.warning("endpoint_disabled", endpoint=endpoint.id, channel=endpoint.channel, reason=reason)

    def _letters(self, job: Job, sent: Sent) -> list[Event]:
        receipt = sent.receipt
        detail = "" if receipt is None else f"status {receipt.status}: {receipt.response or ''}"
        given_up = [(job.planned, job.deaths), *((other.planned, other.deaths) for other in sent.others)]
        return [
            letter_of_delivery(planned, job, deaths, sent.follows.reason or "", detail) for planned, deaths in given_up
        ]

    def _change(self, sent: Sent, failures: int) -> Change:
        follows = sent.follows
        failed = sent.receipt is not None and sent.receipt.came != Came.DELIVERED
        return Change(
            state=follows.state,
            failures=failures + failed,
            due_at=follows.due_at,
            reason=follows.reason,
            attempt=sent.attempt,
            finished_at=None if follows.state == State.WAITING else datetime.now(UTC),
        )

    async def _record(self, job: Job, change: Change) -> None:
        if job.stored is None:
            log_id = job.holding.log
            origin = Origin(log_id.fence, job.offset)
            first = insertion(job.planned, log_id.partition, origin, change, datetime.now(UTC))
            if await self._recorder.record(first):
                return
            # Somebody else had this partition, or has it now, and was first. What we know of happened as well.
            metrics.RECORDED_BEFORE.inc()
        await self._recorder.record(update(job.id, change))


def to_message(planned: DeliveryPlanned, attached: tuple[Attached, ...] = ()) -> Message:
    return Message(
        id=planned.id,
        kind=planned.kind,
        title=planned.title,
        body=planned.body,
        fields=planned.fields,
        urgency=planned.urgency,
        language=planned.language,
        recipient=planned.recipient,
        at=planned.requested_at,
        mention=planned.mention,
        attachments=attached,
    )


def told_disabled(endpoint: Endpoint, reason: str, at: datetime) -> Event:
    """The push to its owner. Once per outage: the id names when it began."""
    since = endpoint.failing_since or at if reason == "failing" else endpoint.updated_at
    push = PushRequested(
        recipient=endpoint.owner,
        kind="endpoint.disabled",
        fields={"endpoint": endpoint.id, "channel": endpoint.channel, "reason": reason},
        urgency="high",
        except_endpoint=endpoint.id,
    )
    return Event(
        id=f"{endpoint.id}/{reason}/{since.isoformat()}",
        source=SOURCE,
        type="push.requested",
        subject=endpoint.owner,
        time=at,
        data=msgspec.json.encode(push),
    )


def letter_of_delivery(planned: DeliveryPlanned, job: Job, deaths: int, reason: str, detail: str) -> Event:
    """The dead letter of a delivery that is given up: replayed, it is tried again."""
    log_id = job.holding.log
    event = Event(
        id=planned.id,
        source=SOURCE,
        type="delivery.planned",
        subject=planned.lane,
        time=planned.requested_at,
        data=msgspec.json.encode(planned),
    )
    record = Record(
        topic=log_id.topic,
        partition=log_id.partition,
        offset=job.offset,
        timestamp_ms=unix_milliseconds(planned.requested_at),
        key=planned.lane.encode(),
        value=event.data,
        headers=encode_headers(event),
    )
    letter = letter_for(Poisoned(record, f"delivery_{reason}", detail), log_id)
    return msgspec.structs.replace(letter, id=f"{planned.id}@{deaths}")
