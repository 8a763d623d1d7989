"""all_member_push: im_push. What is to be pushed is kept, and a job begun; the answer names it."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.im.frame import Caller, Command
from gateway.im.messages_facts import ACCOUNT_UNKNOWN, BODY_MALFORMED, checked_body, checked_push, offline_push
from gateway.im.services import PUSH
from gateway.system import Reply
from handlers.im.labels import Selection, tag_token, value_token
from handlers.im.pushes import Push, task_id_of
from schemas.im.codes import Failed
from schemas.im.labels import is_short
from schemas.im.message_bodies import MAX_LIFE_SECONDS
from schemas.im.pushes import MAX_TAGS, Condition, ImPush, Pushed
from stores.im.accounts import existing
from stores.im.labels import Names, attr_names
from stores.im.pushes import admit, start_push
from stores.mongo import Database

BAD_RANDOM, BAD_FORMAT, TAG_TOO_LONG, SAME_TAG, TOO_SOON = 90005, 90010, 90020, 90022, 90024
LIFE_TOO_LONG, TOO_MANY_TAGS, BAD_ATTR, TAGS_AND_ATTRS, EMPTY_TAG = 90026, 90032, 90033, 90039, 90040
NOT_ENABLED, QUOTA_USED_UP = 90045, 90047


class Pushes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def push(self, caller: Caller, body: ImPush) -> Reply:
        """Whatever is refused counts for no limit. The same call again within its second is the same push."""
        app = caller.app
        if not app.pushes_per_day:
            raise Failed(NOT_ENABLED)
        if body.msg_life_time > MAX_LIFE_SECONDS:
            raise Failed(LIFE_TOO_LONG)
        if body.msg_life_time < 0:
            raise Failed(BAD_FORMAT, "MsgLifeTime is negative")
        elements = checked_body(body.msg_body, None)
        checked_push(body.offline_push_info)
        selection = await self._selection(caller, body.condition)
        sender = body.from_account or caller.admin
        if not await existing(self._database, app, (sender,)):
            raise Failed(ACCOUNT_UNKNOWN)
        info = body.offline_push_info
        push = Push(
            task=task_id_of(app.id, sender, body.msg_random, int(caller.at.timestamp())),
            app=app.id,
            sender=sender,
            random=body.msg_random,
            body=body.msg_body,
            life_seconds=body.msg_life_time,
            offline=None if info is not None and info.push_flag == 1 else offline_push(info, elements),
            selection=selection,
            traceparent=caller.call.traceparent,
        )
        if refusal := await admit(self._database, app, push.task, caller.at):
            raise Failed(QUOTA_USED_UP if refusal.day_is_full else TOO_SOON)
        await start_push(self._database, push, caller.at)
        return Reply(Pushed(task_id=push.task))

    async def _selection(self, caller: Caller, condition: Condition | None) -> Selection | None:
        if condition is None:
            return None
        by_tags = condition.tags_or is not None or condition.tags_and is not None
        if condition.attrs_or is None and condition.attrs_and is None:
            if not by_tags:
                raise Failed(BAD_FORMAT, "Condition has no condition")
            return selected_by_tags(caller.app.id, condition)
        if by_tags:
            raise Failed(TAGS_AND_ATTRS)
        return selected_by_attrs(caller.app.id, condition, await attr_names(self._database, caller.app))


def push_commands(database: Database) -> Sequence[Command]:
    return (
        Command(
            operation_id="imPush",
            service=PUSH,
            name="im_push",
            body=ImPush,
            handle=Pushes(database).push,
            field_codes={"MsgRandom": BAD_RANDOM, "MsgBody": BODY_MALFORMED},
            nul_in_text=True,
        ),
    )


def selected_by_tags(app: str, condition: Condition) -> Selection:
    """Both lists must hold where there are both. Raises Failed."""
    for tags in (condition.tags_or, condition.tags_and):
        if tags is not None:
            _check_tags(tags)
    any_of, all_of = (
        frozenset(tag_token(app, tag) for tag in tags or ()) for tags in (condition.tags_or, condition.tags_and)
    )
    if any_of & all_of:
        raise Failed(SAME_TAG)
    return Selection(any_of, all_of)


def selected_by_attrs(app: str, condition: Condition, names: Names) -> Selection:
    """Both must hold where there are both. Raises Failed for an attribute that the app has not named."""
    places = {name: place for place, name in names.items()}
    any_of, all_of = (
        frozenset() if attrs is None else _attr_tokens(app, attrs, places)
        for attrs in (condition.attrs_or, condition.attrs_and)
    )
    return Selection(any_of, all_of)


def _check_tags(tags: Sequence[str]) -> None:
    if not tags:
        raise Failed(BAD_FORMAT, "a list of tags in Condition is empty")
    if len(tags) > MAX_TAGS:
        raise Failed(TOO_MANY_TAGS)
    if "" in tags:
        raise Failed(EMPTY_TAG)
    if not all(map(is_short, tags)):
        raise Failed(TAG_TOO_LONG)


def _attr_tokens(app: str, attrs: Any, places: Mapping[str, str]) -> frozenset[str]:
    if not isinstance(attrs, dict) or not attrs:
        raise Failed(BAD_ATTR, "a condition on attributes is an object of names and values, one at least")
    for name, value in attrs.items():
        if name not in places or not isinstance(value, str) or not is_short(value):
            raise Failed(BAD_ATTR, f"no attribute is named {name[:80]!r}, or its value is no text of up to 50 bytes")
    return frozenset(value_token(app, places[name], value) for name, value in attrs.items())
