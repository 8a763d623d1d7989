"""What the sentinel makes of failures: windows in memory, episodes in the store, what people are told. No Faust here.

The order is the guarantee: an episode is kept before it is told, and told before it counts as told.
A crash between any two tells again under the same id, which counts once.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from config.settings import SentinelSettings
from handlers.alerts import Failures, Move, Opened, Rule, bursts, settle
from schemas.alert import AlertClosed, AlertRaised
from schemas.events import Event
from schemas.mt.access import EVERYTHING
from schemas.times import EPOCH, unix_milliseconds
from schemas.usage import UsageFailed
from stores.mongo import Database
from stores.mt.alert_contacts import contacts_by_ids, recipient_of
from stores.mt.alert_episodes import AlertEpisodes, KeptEpisode, latest
from stores.mt.alert_rules import AlertRule, rule_id, rules_of, rules_revision
from stores.mt.names import product_names
from workers import sentinel_metrics as metrics
from workers.fold_batch import Publishes

SOURCE = "sentinel"
EARLY_MS = 300_000
"""A call may come from a clock that is so much ahead."""

Reached = Callable[[str], int | None]
"""Up to when the failures of an account and product are known, in milliseconds; None: they are another sentinel's."""


class Kept(msgspec.Struct, frozen=True):
    """What a failure changes in the buckets of its account and product."""

    changed: int | None = None
    gone: tuple[int, ...] = ()


class Watch:
    """Everything may raise StoreAway and BrokerAway, and may be repeated then."""

    def __init__(
        self,
        database: Database,
        publisher: Publishes,
        settings: SentinelSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._late_ms = settings.late_seconds * 1_000
        self._now = now
        self._episodes = AlertEpisodes(database)
        self._rules: dict[str, AlertRule] = {}
        self._revision = -1
        self._failures: dict[str, Failures] = {}
        self._known: dict[str, list[KeptEpisode]] = {}
        # The clock and the stream would tell the same at once: of no harm, but twice the work.
        self._turn = asyncio.Lock()

    # ---- rules and windows ------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Take notice of rules that were set, changed or deleted."""
        revision = await rules_revision(self._database)
        if revision != self._revision:
            self._rules = {rule.id: rule for rule in await rules_of(self._database, EVERYTHING)}
            self._revision = revision
            metrics.RULES.set(len(self._rules))

    def knows(self, failed: UsageFailed) -> bool:
        """Whether an alert is set for it."""
        return self._rule(failed) is not None

    def restore(self, buckets: Iterable[tuple[str, int, Mapping[str, int]]]) -> None:
        """Begin with these buckets: of an account and product, from a time on, number to time of each failure."""
        kept: dict[str, dict[int, Mapping[str, int]]] = {}
        for key, start, bucket in buckets:
            kept.setdefault(key, {})[start] = bucket
        self._failures = {key: Failures(own) for key, own in kept.items()}
        self._known = {}
        metrics.WATCHED.set(len(self._failures))

    def bucket(self, key: str, start_ms: int) -> dict[str, int]:
        return self._failures[key].bucket(start_ms)

    def take(self, key: str, failed: UsageFailed, at: datetime) -> Kept:
        """Count a failure; what of the buckets is to be kept, and what to be dropped."""
        rule = self._rule(failed)
        if rule is None:
            return _took("unwatched")
        counting, at_ms, now_ms = counted(rule), unix_milliseconds(at), unix_milliseconds(self._now())
        oldest = now_ms - counting.period_ms - self._late_ms
        if at_ms <= oldest:
            return _took("late")
        if at_ms > now_ms + EARLY_MS:
            return _took("early")
        failures = self._failures.setdefault(key, Failures())
        changed = failures.add(failed.seq_no, at_ms, counting)
        if changed is None:
            return _took("known")
        metrics.DELAY_SECONDS.observe(max(0.0, (now_ms - at_ms) / 1_000))
        gone = tuple(failures.shed(counting, oldest))
        return _took("counted", Kept(None if changed in gone else changed, gone))

    def forget_old(self) -> None:
        """Let go of accounts and products that have not failed for longer than anything is kept."""
        longest = max((rule.period_seconds for rule in self._rules.values()), default=0) * 1_000
        oldest = unix_milliseconds(self._now()) - longest - self._late_ms
        self._failures = {
            key: failures for key, failures in self._failures.items() if failures.times and failures.times[-1] > oldest
        }
        self._known = {key: known for key, known in self._known.items() if key in self._failures}
        metrics.WATCHED.set(len(self._failures))

    def _rule(self, failed: UsageFailed) -> AlertRule | None:
        return None if failed.merchant_id is None else self._rules.get(rule_id(failed.merchant_id, failed.check_item))

    # ---- episodes ---------------------------------------------------------------------------------------------------

    async def settle(self, key: str, failed: UsageFailed, reached_ms: int) -> None:
        """Raise and close what the failures of an account and product say."""
        rule = self._rule(failed)
        failures = self._failures.get(key)
        # Mostly there is no burst, and so nothing to be looked up.
        if rule is not None and failures is not None and bursts(failures.times, counted(rule)):
            async with self._turn:
                await self._settle(key, failed.dept_id, rule, reached_ms)

    async def tick(self, reached: Reached) -> None:
        """Close what is over by the time alone, and tell what a crash has left untold."""
        await self.refresh()
        async with self._turn:
            await self._look_after(reached)

    async def _look_after(self, reached: Reached) -> None:
        pending = await self._episodes.pending()
        metrics.OPEN.set(sum(each.closed_at is None for each in pending))
        for episode in pending:
            reached_ms = reached(episode.key)
            if reached_ms is None:
                continue
            rule = self._rules.get(rule_id(episode.merchant_id, episode.item))
            if rule is None:
                await self._end_without_rule(episode)
            elif episode.closed_at is None and episode.told_raised:
                await self._settle(episode.key, episode.dept_id, rule, reached_ms)
            else:
                await self._tell(episode, rule)

    async def _settle(self, key: str, dept_id: int, rule: AlertRule, reached_ms: int) -> None:
        times = self._failures[key].times if key in self._failures else ()
        while True:
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = await self._episodes.of(key)
            moves = settle(times, counted(rule), latest(known), reached_ms)
            if not moves:
                return
            kept = await self._keep(key, dept_id, rule, moves)
            known = self._known[key] = await self._episodes.of(key)
            if kept:
                break
            # Otherwise another sentinel was first: look again at what is kept.
        for episode in known:
            if episode.pending:
                await self._tell(episode, rule)

    async def _keep(self, key: str, dept_id: int, rule: AlertRule, moves: list[Move]) -> bool:
        for move in moves:
            if isinstance(move, Opened):
                kept = await self._episodes.open(
                    KeptEpisode(
                        id=episode_id(key, move.number),
                        key=key,
                        number=move.number,
                        merchant_id=rule.merchant_id,
                        dept_id=dept_id,
                        item=rule.item,
                        error_count=rule.error_count,
                        period_seconds=rule.period_seconds,
                        errors=move.errors,
                        opened_at=moment(move.opened_ms),
                    )
                )
            else:
                kept = await self._episodes.close(episode_id(key, move.number), moment(move.closed_ms))
            if not kept:
                return False
        return True

    async def _tell(self, episode: KeptEpisode, rule: AlertRule) -> None:
        """Publish what is not told of an episode, and note that it is."""
        contacts = await contacts_by_ids(self._database, rule.contacts, rule.merchant_id)
        recipients = tuple(recipient_of(contact.id) for contact in contacts)
        product = (await product_names(self._database, [episode.item])).get(episode.item, episode.item)
        if not episode.told_raised:
            await self._publisher.publish([raised(episode, product, recipients)])
            await self._episodes.told_raised(episode.id)
            metrics.ALERTS.labels("raised").inc()
        if episode.closed_at is not None:
            await self._publisher.publish([closed(episode, episode.closed_at, product, recipients)])
            await self._episodes.told_all(episode.id)
            metrics.ALERTS.labels("closed").inc()

    async def _end_without_rule(self, episode: KeptEpisode) -> None:
        """Its rule was deleted: it ends, and nobody is told any more."""
        await self._episodes.close(episode.id, self._now())
        await self._episodes.told_all(episode.id)
        self._known.pop(episode.key, None)
        metrics.ALERTS.labels("closed").inc()


def counted(rule: AlertRule) -> Rule:
    return Rule(rule.error_count, rule.period_seconds * 1_000, unix_milliseconds(rule.since))


def moment(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def episode_id(key: str, number: int) -> str:
    return f"{key}/{number}"


def raised(episode: KeptEpisode, product: str, recipients: tuple[str, ...]) -> Event:
    """The event of an episode's beginning: the same, by id, whoever publishes it and how often."""
    alert = AlertRaised(
        merchant_id=episode.merchant_id,
        dept_id=episode.dept_id,
        item=episode.item,
        product=product,
        episode=episode.number,
        errors=episode.errors,
        error_count=episode.error_count,
        period_seconds=episode.period_seconds,
        raised_at=episode.opened_at,
        recipients=recipients,
    )
    return _event(episode, "raised", episode.opened_at, alert)


def closed(episode: KeptEpisode, closed_at: datetime, product: str, recipients: tuple[str, ...]) -> Event:
    alert = AlertClosed(
        merchant_id=episode.merchant_id,
        dept_id=episode.dept_id,
        item=episode.item,
        product=product,
        episode=episode.number,
        raised_at=episode.opened_at,
        closed_at=closed_at,
        recipients=recipients,
    )
    return _event(episode, "closed", closed_at, alert)


def _event(episode: KeptEpisode, what: str, at: datetime, alert: msgspec.Struct) -> Event:
    return Event(
        id=f"{episode.id}/{what}",
        source=SOURCE,
        type=f"alert.{what}",
        subject=episode.key,
        time=at,
        data=msgspec.json.encode(alert),
    )


NOTHING = Kept()


def _took(outcome: str, kept: Kept = NOTHING) -> Kept:
    metrics.FAILURES.labels(outcome).inc()
    return kept
