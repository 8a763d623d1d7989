"""What a wallet's balance and limits mean: what was passed and has to be told, and what has to be moved on.

Pure: a wallet as it is read in, what to write into it out. An alarm is an episode: it begins
when something is passed and ends when it no longer is. An episode is written into the
wallet before it is told, and told under its own number, so it is told once however often
the wallet is looked at.

A wallet that was merged away goes on being charged by calls that were rated before. So
what stands in it is moved on whenever it is looked at, one numbered move at a time: the next
one is decided only on a balance that has the last one in it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from handlers.outcome import EMITTED_BY
from schemas.events import Event
from schemas.push import PushRequested
from schemas.wallet import WalletSwept


class WalletState(IntEnum):
    """As the contract's."""

    LOCKED = -1
    TO_BE_OPENED = 0
    NORMAL = 10


class OverdraftState(IntEnum):
    """As the contract's."""

    LOCKED = -1
    PREPAID = 0
    OVERDRAFT = 10
    MONTHLY = 20


class Kind(StrEnum):
    """What is told of a wallet: the kind of the push."""

    LOW = "wallet.low"
    OVERDRAWN = "wallet.overdrawn"
    LOCKED = "wallet.locked"


class Alarm(msgspec.Struct, frozen=True):
    """The last episode of a kind."""

    episode: int = 0
    open: bool = False
    told: bool = True
    at: datetime | None = None
    """When it began."""
    fields: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """What the push says, as it was then."""


class Sweep(msgspec.Struct, frozen=True):
    """The last move out of a wallet that was merged away."""

    number: int
    amount_micro: int
    into: int
    at: datetime


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet, as far as it matters here."""

    wallet_id: int
    merchant_id: int | None = None
    account_name: str | None = None
    state: int = WalletState.NORMAL
    overdraft_state: int = OverdraftState.PREPAID
    overdraft_quota_micro: int = 0
    forewarn_threshold_micro: int | None = None
    contacts: tuple[int, ...] = ()
    balance_micro: int = 0
    revision: int | None = None
    """Of everything but the balance."""
    alarms: Mapping[str, Alarm] = msgspec.field(default_factory=dict)
    merged_into: int | None = None
    sweep: Sweep | None = None
    swept: int = 0
    """Number of the last move that its balance has in it."""

    def passed(self, kind: Kind) -> bool:
        if self.merged_into is not None or self.merchant_id is None:
            return False
        locked = self.state == WalletState.LOCKED or self.overdraft_state == OverdraftState.LOCKED
        match kind:
            case Kind.LOCKED:
                return locked
            case Kind.OVERDRAWN:
                return self.floor_micro is not None and self.balance_micro < self.floor_micro
            case Kind.LOW:
                threshold = self.forewarn_threshold_micro
                return threshold is not None and self.balance_micro < threshold

    @property
    def floor_micro(self) -> int | None:
        """The least that its balance may be. None: one that is settled by the month, and has no limit."""
        match self.overdraft_state:
            case OverdraftState.OVERDRAFT:
                return -self.overdraft_quota_micro
            case OverdraftState.MONTHLY:
                return -self.overdraft_quota_micro if self.overdraft_quota_micro else None
        return 0


def turned(wallet: Watched, at: datetime) -> dict[str, Alarm]:
    """The alarms that begin or end, as they are then."""
    changed: dict[str, Alarm] = {}
    for kind in Kind:
        alarm, passed = alarm_of(wallet, kind), wallet.passed(kind)
        if passed and not alarm.open:
            changed[kind.name.lower()] = Alarm(alarm.episode + 1, True, False, at, _fields(wallet))
        elif alarm.open and not passed:
            changed[kind.name.lower()] = msgspec.structs.replace(alarm, open=False)
    return changed


def untold(wallet: Watched) -> list[tuple[Kind, Alarm]]:
    """Episodes that were written down, and perhaps never told: be they over by now."""
    return [(kind, alarm) for kind in Kind if not (alarm := alarm_of(wallet, kind)).told]


def alarm_of(wallet: Watched, kind: Kind) -> Alarm:
    return wallet.alarms.get(kind.name.lower()) or Alarm()


def pushes(wallet: Watched, kind: Kind, alarm: Alarm, recipients: Mapping[int, str]) -> Iterator[Event]:
    """An episode, to each contact: the same events however often."""
    for contact, recipient in recipients.items():
        payload = PushRequested(recipient=recipient, kind=kind, fields=dict(alarm.fields), urgency="high")
        yield Event(
            id=f"wallet/{wallet.wallet_id}/{kind.name.lower()}/{alarm.episode}/{contact}",
            source=EMITTED_BY,
            type="push.requested",
            subject=recipient,
            time=_begun(alarm),
            data=msgspec.json.encode(payload),
        )


def next_sweep(wallet: Watched, at: datetime) -> Sweep | None:
    """The next move out of a wallet that was merged away; None while there is nothing to move, or one is under way."""
    number = 0 if wallet.sweep is None else wallet.sweep.number
    if wallet.merged_into is None or not wallet.balance_micro or wallet.swept < number:
        return None
    return Sweep(number + 1, wallet.balance_micro, wallet.merged_into, at)


def sweep_under_way(wallet: Watched) -> Event | None:
    """The move that was decided and is not in the balance yet: the same event however often."""
    sweep = wallet.sweep
    if sweep is None or sweep.number <= wallet.swept:
        return None
    payload = WalletSwept(
        wallet_id=wallet.wallet_id, into_wallet_id=sweep.into, number=sweep.number, amount_micro=sweep.amount_micro
    )
    return Event(
        id=f"sweep/{wallet.wallet_id}/{sweep.number}",
        source=EMITTED_BY,
        type="wallet.swept",
        subject=str(wallet.wallet_id),
        time=sweep.at,
        data=msgspec.json.encode(payload),
    )


def _fields(wallet: Watched) -> dict[str, Any]:
    return {
        "wallet": wallet.account_name or f"#{wallet.wallet_id}",
        "wallet_id": wallet.wallet_id,
        "balance_micros": wallet.balance_micro,
        "threshold_micros": wallet.forewarn_threshold_micro or 0,
        "quota_micros": wallet.overdraft_quota_micro,
    }


def _begun(alarm: Alarm) -> datetime:
    if alarm.at is None:
        raise ValueError("an episode has a time")
    return alarm.at
