"""Callbacks to an app: asked before, told after, as the IM server does it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from callback_receiver import OK, Received, Receiver, judge, receiving
from callbacks_api import TOKEN
from chat_api import eventually, folding
from im_api import APP, IM, OTHER_APP, OTHER_KEY, ImApi, a_user, serving_im, with_im
from pushing import dispatching, push_settings

from config.settings import Settings
from schemas.im.callbacks import AFTER_SEND, BEFORE_SEND, FRIEND_ADD, FRIEND_DELETE, PORTRAIT_SET

COMMANDS = [
    BEFORE_SEND,
    AFTER_SEND,
    "C2C.CallbackAfterMsgReport",
    "C2C.CallbackAfterMsgWithDraw",
    PORTRAIT_SET,
    FRIEND_ADD,
    FRIEND_DELETE,
]


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def http(shared_settings: Settings, receiver: Receiver) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway, a folder and a dispatcher."""
    out = {"url": receiver.url, "commands": COMMANDS, "token": TOKEN}
    apps = {APP: {**IM["apps"][APP], "callbacks_out": out}, OTHER_APP: IM["apps"][OTHER_APP]}
    settings = push_settings(with_im(shared_settings, apps=apps))
    async with serving_im(settings) as http, folding(settings), dispatching(settings):
        yield http


@pytest.fixture
def im(http: aiohttp.ClientSession) -> ImApi:
    return ImApi(http)


@pytest.fixture(autouse=True)
def well_meaning(receiver: Receiver) -> None:
    """Whatever a test before had it answer."""
    receiver.answers.clear()


async def test_the_app_is_told_what_became_of_a_profile(im: ImApi, receiver: Receiver) -> None:
    await im.imported(user := a_user())
    items = [{"Tag": "Tag_Profile_IM_Nick", "Value": 'Li "Lei" 李雷'}]

    await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})

    told = await receiver.one(PORTRAIT_SET, From_Account=user)
    judge(told)
    assert (told.body["Operator_Account"], told.body["ProfileItem"]) == ("administrator", items)


async def test_what_failed_is_not_told_and_other_apps_are_not_told_at_all(
    im: ImApi, http: aiohttp.ClientSession, receiver: Receiver
) -> None:
    other = ImApi(http, OTHER_APP, OTHER_KEY)
    await im.imported(user := a_user(), last := a_user())
    await other.imported(user)
    items = [{"Tag": "Tag_Profile_IM_Nick", "Value": "n"}]

    assert (await im.ask("profile/portrait_set", {"From_Account": a_user("nobody"), "ProfileItem": items})).code
    await other.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})
    await im.ok("profile/portrait_set", {"From_Account": last, "ProfileItem": items})

    await receiver.one(PORTRAIT_SET, From_Account=last)
    assert not receiver.of(PORTRAIT_SET, From_Account=user)


async def test_what_the_app_does_not_take_is_sent_again_and_nothing_overtakes_it(im: ImApi, receiver: Receiver) -> None:
    await im.imported(user := a_user())
    refusals = iter([503, 500])

    def answer(received: Received) -> Any:
        return web.Response(status=status) if (status := next(refusals, None)) else OK

    receiver.answers[PORTRAIT_SET] = answer
    for number in range(3):
        items = [{"Tag": "Tag_Profile_IM_Level", "Value": number}]
        await im.ok("profile/portrait_set", {"From_Account": user, "ProfileItem": items})

    def levels() -> list[int]:
        return [each.body["ProfileItem"][0]["Value"] for each in receiver.of(PORTRAIT_SET, From_Account=user)]

    async def all_there() -> bool:
        return len(levels()) == 5

    await eventually(all_there)
    assert levels() == [0, 0, 0, 1, 2]


async def test_friends_are_told_a_pair_for_each_direction(im: ImApi, receiver: Receiver) -> None:
    await im.imported(user := a_user("a/b%"), friend := a_user())
    item = {"To_Account": friend, "AddSource": "AddSource_Type_Test"}

    await im.ok("sns/friend_add", {"From_Account": user, "AddFriendItem": [item]})
    await im.ok("sns/friend_delete", {"From_Account": user, "To_Account": [friend], "DeleteType": "Delete_Type_Both"})

    async def of_both(command: str) -> Received:
        async def found() -> Received | None:
            for each in receiver.of(command):
                if {pair["To_Account"] for pair in each.body["PairList"]} == {user, friend}:
                    return each
            return None

        return await eventually(found)

    added = await of_both(FRIEND_ADD)
    judge(added)
    assert sorted((pair["From_Account"], pair["Initiator_Account"]) for pair in added.body["PairList"]) == sorted(
        [(user, user), (friend, user)]
    )
    judge(deleted := await of_both(FRIEND_DELETE))
    assert receiver.received.index(added) < receiver.received.index(deleted)
