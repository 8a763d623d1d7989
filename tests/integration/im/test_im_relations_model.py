"""Any sequence of calls about three people ends as a naive program says, call by call and list by list."""

import asyncio
from typing import Any

import im_friends as calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from im_api import ImApi, a_user
from relations_model import Model

GROUP, REMARK, CUSTOM = "Tag_SNS_IM_Group", "Tag_SNS_IM_Remark", "Tag_SNS_Custom_Test"

# Mostly two of the three, so that what one call leaves is met by the next.
others = st.sampled_from([(0, 1), (0, 1), (0, 1), (1, 0), (1, 0), (1, 0), (0, 2), (1, 2), (2, 0), (2, 1), (0, 0)])
group = st.sampled_from(["", "work", "golf"])
groups = st.lists(st.sampled_from(["work", "golf", "club"]), min_size=1, max_size=3)
remark = st.sampled_from(["", "R.", "Q."])
flag = st.booleans()

rarely = st.one_of(
    st.tuples(st.just("delete_all"), others, st.fixed_dictionaries({"both": flag})),
    st.tuples(st.just("group_delete"), others, st.fixed_dictionaries({"groups": groups})),
    st.tuples(
        st.just("allow"),
        others,
        st.fixed_dictionaries({"kind": st.sampled_from(["AllowAny", "NeedConfirm", "DenyAny"])}),
    ),
    st.tuples(st.just("forget"), others, st.just({})),
)
steps = st.one_of(
    st.tuples(st.just("add"), others, st.fixed_dictionaries({"single": flag, "force": flag, "group": group})),
    st.tuples(st.just("add"), others, st.fixed_dictionaries({"single": flag, "force": st.just(False), "group": group})),
    st.tuples(st.just("import_"), others, st.fixed_dictionaries({"remark": remark, "group": group})),
    st.tuples(st.just("update"), others, st.fixed_dictionaries({"remark": remark, "groups": groups, "custom": remark})),
    st.tuples(st.just("delete"), others, st.fixed_dictionaries({"both": flag})),
    st.tuples(st.sampled_from(["block", "unblock"]), others, st.just({})),
    st.tuples(st.just("group_add"), others, st.fixed_dictionaries({"groups": groups})),
    rarely,
)


async def carry_out(im: ImApi, name: str, user: str, other: str, options: dict[str, Any]) -> int | None:
    """The result code for the other, or None for calls that have none."""
    match name:
        case "add":
            one_group = {"GroupName": options["group"]} if options["group"] else {}
            return (await calls.add(im, user, other, single=options["single"], force=options["force"], **one_group))[
                other
            ]
        case "import_":
            names = [options["group"]] if options["group"] else []
            return (await calls.import_(im, user, other, Remark=options["remark"], GroupName=names))[other]
        case "update":
            fields = {REMARK: options["remark"], GROUP: options["groups"], CUSTOM: options["custom"]}
            return await calls.update(im, user, other, **fields)
        case "delete":
            return (await calls.delete(im, user, other, both=options["both"]))[other]
        case "delete_all":
            await calls.delete_all(im, user, both=options["both"])
        case "block":
            return (await calls.block(im, user, other))[other]
        case "unblock":
            return (await calls.unblock(im, user, other))[other]
        case "group_add":
            return (await calls.outcome(im, "group_add", user, GroupName=options["groups"], To_Account=[other]))[other]
        case "group_delete":
            await im.ok("sns/group_delete", {"From_Account": user, "GroupName": options["groups"]})
        case "allow":
            await calls.allow(im, user, options["kind"])
        case "forget":
            await im.ok("im_open_login_svc/account_delete", {"DeleteItem": [{"UserID": user}]})
            await im.imported(user)
    return None


def expected(model: Model, name: str, user: str, other: str, options: dict[str, Any]) -> int | None:
    match name:
        case "delete_all":
            model.delete_all(user, **options)
        case "group_add":
            return model.group_add(user, options["groups"], other)
        case "group_delete":
            model.group_delete(user, **options)
        case "allow":
            model.allow(user, **options)
        case "forget":
            model.forget(user)
        case _:
            return getattr(model, name)(user, other, **options)
    return None


async def seen(im: ImApi, user: str) -> dict[str, Any]:
    friends, blacklist, groups = await asyncio.gather(
        calls.friends(im, user), calls.blacklist(im, user), calls.groups(im, user)
    )
    noted = {
        other: {"remark": fields.get(REMARK, ""), "groups": fields.get(GROUP, []), "custom": fields.get(CUSTOM)}
        for other, fields in friends.items()
    }
    return {"friends": noted, "blacklist": blacklist, "groups": groups}


async def sequences(im: ImApi, user: str) -> dict[str, int]:
    page, group_sequence = await asyncio.gather(calls.page(im, user), calls.group_sequence(im, user))
    return {
        "Standard": page["StandardSequence"],
        "Custom": page["CustomSequence"],
        "Group": group_sequence,
    }


def numbered(state: dict[str, Any]) -> dict[str, Any]:
    """What each sequence numbers."""
    friends = state["friends"]
    return {
        "Standard": [(other, noted["remark"], noted["groups"]) for other, noted in friends.items()],
        "Custom": {other: noted["custom"] for other, noted in friends.items() if noted["custom"] is not None},
        "Group": state["groups"],
    }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(steps, min_size=8, max_size=24))
async def test_any_sequence_of_calls_ends_as_a_naive_program_says(im: ImApi, script: list[Any]) -> None:
    users = [a_user(f"p{number}") for number in range(3)]
    await im.imported(*users)
    model = Model()
    for name, (who, whom), options in script:
        user, other = users[who], users[whom]
        before, states = await sequences(im, user), numbered(model.seen(user))

        code = await carry_out(im, name, user, other, options)

        assert code == expected(model, name, user, other, options), (name, who, whom, options)
        after, moved = await sequences(im, user), numbered(model.seen(user))
        for kind, sequence in after.items():
            changed = moved[kind] != states[kind]
            assert (sequence > before[kind]) == changed, (kind, name, who, whom, options)

    for user in users:
        assert await seen(im, user) == model.seen(user)
        for other in users:
            if other != user:
                assert await calls.related(im, user, other) == model.relation(user, other)
