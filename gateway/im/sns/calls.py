"""What the calls about relations have in common: whose they are, in which portions they work, how they answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import UNSET, UnsetType

from schemas.im.apps import App
from schemas.im.codes import Failed
from schemas.im.sns import ResultItem, Results
from schemas.im.sns_codes import CONFLICT, NO_ACCOUNT, Trouble
from stores.im.accounts import Profile, profiles
from stores.mongo import Database

PORTION = 100
"""Others that one change concerns. Then the work that a head may hold for a moment stays far below 16 MiB."""

T = TypeVar("T")

Outcomes = Mapping[str, Trouble | None]
"""By user id, in the order of the call; None where all went well."""


async def known_profiles(database: Database, app: App, user: str, others: Iterable[str] = ()) -> dict[str, Profile]:
    """The profiles of those who are accounts. Raises Failed(30003) where `user` is none."""
    known = await profiles(database, app, {user, *others})
    if user not in known:
        raise Failed(NO_ACCOUNT.code)
    return known


def portions(items: Iterable[T]) -> Iterator[Sequence[T]]:
    whole = list(items)
    for start in range(0, len(whole), PORTION):
        yield whole[start : start + PORTION]


def results(command: str, outcomes: Outcomes) -> Results:
    return Results(result_item=result_items(command, outcomes), fail_account=failed_in(outcomes))


def result_items(command: str, outcomes: Outcomes) -> tuple[ResultItem, ...]:
    return tuple(
        ResultItem(to_account=user, result_code=code_of(trouble), result_info=info_of(command, trouble))
        for user, trouble in outcomes.items()
    )


def failed_in(outcomes: Outcomes) -> tuple[str, ...] | UnsetType:
    """Absent where nothing failed."""
    return tuple(user for user, trouble in outcomes.items() if trouble) or UNSET


def code_of(trouble: Trouble | None) -> int:
    return trouble.code if trouble else 0


def info_of(command: str, trouble: Trouble | None) -> str:
    return trouble.info(command) if trouble else ""


def insisted(done: T | None) -> T:
    """Raises Failed(30008) where others changed the user's relations faster all the time."""
    if done is None:
        raise Failed(CONFLICT.code)
    return done
