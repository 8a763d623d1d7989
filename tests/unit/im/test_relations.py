"""Relations of one user: what may be changed, and what follows for counts, sequences, groups and what is told."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.im.relations import (
    MAX_BLOCKED,
    MAX_FRIENDS,
    MAX_GROUPS,
    NOTHING,
    Blocked,
    Edge,
    Friend,
    Group,
    Head,
    Relations,
    Told,
)
from handlers.im.relations_add import Request, Sides, answer_to
from handlers.im.relations_facts import remember_relation
from handlers.im.relations_fields import UPDATABLE, custom_of, standard_of, with_fields
from handlers.outcome import Outcome
from handlers.routes import ROUTES
from schemas.events import Event
from schemas.im import sns_codes as codes
from schemas.im.codes import CODES
from schemas.im.sns_codes import Trouble
from schemas.im.sns_facts import EVENT_TYPES, BlacklistAdded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FRIEND = Friend(added_at=NOW, source="AddSource_Type_Test")


def a_friend(**fields: Any) -> Friend:
    return Friend(**{"added_at": NOW, "source": "AddSource_Type_Test", "place": 1, **fields})


def opened(head: Head | None = None, call: str | None = "call", **edges: Edge) -> Relations:
    return Relations(head or Head(), edges, NOW, call)


# ---- what an add results in ------------------------------------------------------------------------------------------

ON_LIST, ON_BLACKLIST = Edge(friend=a_friend()), Edge(blocked=Blocked(place=1, at=NOW))
CONFIRM, DENY = "AllowType_Type_NeedConfirm", "AllowType_Type_DenyAny"
FORBIDDEN = "AdminForbid_Type_SendOut"


@pytest.mark.parametrize(
    ("asked_for", "sides", "answer"),
    [
        ("both", {}, None),
        ("both", {"allow_type": "AllowType_Type_AllowAny"}, None),
        ("both", {"allow_type": CONFIRM}, codes.NEEDS_CONFIRM),
        ("both", {"allow_type": DENY}, codes.DENIES_ALL),
        ("single", {"allow_type": CONFIRM}, codes.NEEDS_CONFIRM),
        ("single", {"allow_type": DENY}, codes.DENIES_ALL),
        ("both", {"forbid_type": FORBIDDEN}, codes.MAY_NOT_ASK),
        # The admin's force is stronger than what the profiles say.
        ("both by force", {"allow_type": CONFIRM}, None),
        ("both by force", {"allow_type": DENY, "forbid_type": FORBIDDEN}, None),
        # A blacklist is stronger than force.
        ("both by force", {"own": ON_BLACKLIST}, codes.ON_OWN_BLACKLIST),
        ("both by force", {"other": ON_BLACKLIST}, codes.ON_OTHERS_BLACKLIST),
        ("single", {"own": ON_BLACKLIST, "other": ON_BLACKLIST}, codes.ON_OWN_BLACKLIST),
        # Friends already, as far as was asked for.
        ("both", {"own": ON_LIST, "other": ON_LIST}, codes.FRIEND_EXISTS),
        ("single", {"own": ON_LIST}, codes.FRIEND_EXISTS),
        ("single", {"own": ON_LIST, "other": ON_LIST}, codes.FRIEND_EXISTS),
        ("both", {"own": ON_LIST}, None),
        ("both", {"own": ON_LIST, "allow_type": CONFIRM}, codes.NEEDS_CONFIRM),
        # Who has the one who asks on the list, or asked first, is not asked.
        ("both", {"other": ON_LIST, "allow_type": DENY}, None),
        ("single", {"other": ON_LIST, "allow_type": CONFIRM}, None),
        ("both", {"asked": True, "allow_type": CONFIRM}, None),
    ],
)
def test_a_request_for_friendship_is_answered_by_both_sides(
    asked_for: str, sides: dict[str, Any], answer: Trouble | None
) -> None:
    request = Request(both=asked_for.startswith("both"), forced="force" in asked_for)

    assert answer_to(request, Sides(**{"own": NOTHING, "other": NOTHING, **sides})) == answer


# ---- one change ------------------------------------------------------------------------------------------------------


def test_a_new_friend_is_the_last_of_the_list_and_is_told_of() -> None:
    relations = opened(Head(version=4, placed=7, friends=2, standard_sequence=9))

    assert relations.befriend("bob", FRIEND) is None

    change = relations.close()
    assert change is not None
    assert change.head == Head(version=5, placed=8, friends=3, standard_sequence=10)
    assert change.edges == {"bob": Edge(friend=a_friend(place=8), told=Told(("im.friend.added",), NOW, 5, "call"))}


def test_what_changes_nothing_is_no_change() -> None:
    relations = opened(Head(friends=1, placed=1), bob=ON_LIST)

    assert relations.befriend("bob", FRIEND) == codes.FRIEND_EXISTS
    assert not relations.unfriend("carol")
    assert not relations.unblock("carol")
    assert relations.rewrite("bob", a_friend()) is None
    assert relations.add_groups([]) is None

    assert relations.close() is None


def test_what_is_undone_before_the_end_is_no_change() -> None:
    relations = opened(Head(friends=1, placed=1, groups=(Group("g", 0),)), bob=ON_LIST)

    assert relations.sort_into("bob", ["g"]) is None
    relations.take_out("bob", frozenset(["g"]))

    assert relations.close() is None


def test_who_is_blocked_is_no_friend_and_both_is_told() -> None:
    relations = opened(
        Head(version=1, placed=1, friends=1, groups=(Group("g", 1),)), bob=Edge(friend=a_friend(groups=("g",)))
    )

    assert relations.block("bob") is None
    assert relations.block("bob") == codes.BLOCKED_ALREADY
    assert relations.befriend("bob", FRIEND) == codes.ON_OWN_BLACKLIST

    change = relations.close()
    assert change is not None
    told = Told(("im.friend.deleted", "im.blacklist.added"), NOW, 2, "call")
    assert change.edges == {"bob": Edge(blocked=Blocked(place=2, at=NOW), told=told)}
    assert (change.head.friends, change.head.blocked, change.head.groups) == (0, 1, (Group("g", 0),))


def test_what_an_import_does_is_told_to_nobody() -> None:
    earlier = Told(("im.friend.deleted",), NOW - timedelta(days=1), 1, "earlier")
    relations = opened(call=None, bob=Edge(told=earlier))

    relations.befriend("bob", FRIEND)

    change = relations.close()
    assert change is not None
    assert change.edges["bob"].told is None


def test_a_remark_leaves_what_was_told_as_it_was() -> None:
    told = Told(("im.friend.added",), NOW - timedelta(minutes=1), 3, "earlier")
    relations = opened(Head(version=3, placed=1, friends=1), bob=Edge(friend=a_friend(), told=told))

    relations.rewrite("bob", a_friend(remark="B."))

    change = relations.close()
    assert change is not None
    assert change.edges["bob"] == Edge(friend=a_friend(remark="B."), told=told)


SEQUENCES = ("standard_sequence", "custom_sequence", "blacklist_sequence", "group_sequence")


@pytest.mark.parametrize(
    ("act", "moved"),
    [
        (lambda r: r.befriend("new", FRIEND), ["standard_sequence"]),
        (lambda r: r.befriend("new", a_friend(custom={"t": "x"})), ["standard_sequence", "custom_sequence"]),
        (lambda r: r.befriend("new", a_friend(groups=("g",))), ["standard_sequence", "group_sequence"]),
        (lambda r: r.rewrite("bob", a_friend(remark="x", custom={"t": "1"})), ["standard_sequence"]),
        (lambda r: r.rewrite("bob", a_friend(custom={"t": "2"})), ["custom_sequence"]),
        (lambda r: r.unfriend("bob"), ["standard_sequence", "custom_sequence"]),
        (lambda r: r.block("new"), ["blacklist_sequence"]),
        (lambda r: r.block("bob"), ["standard_sequence", "custom_sequence", "blacklist_sequence"]),
        (lambda r: r.unblock("foe"), ["blacklist_sequence"]),
        (lambda r: r.add_groups(["h"]), ["group_sequence"]),
        (lambda r: r.add_groups(["g"]), []),
        (lambda r: r.sort_into("bob", ["g"]), ["standard_sequence", "group_sequence"]),
        (lambda r: r.drop_groups(frozenset(["g"])), ["group_sequence"]),
    ],
)
def test_a_sequence_moves_when_what_it_numbers_has_changed(act: Any, moved: list[str]) -> None:
    head = Head(version=1, placed=2, friends=1, blocked=1, groups=(Group("g", 0),))
    relations = opened(head, bob=Edge(friend=a_friend(custom={"t": "1"})), foe=ON_BLACKLIST)

    act(relations)

    change = relations.close()
    after = change.head if change else head
    assert [name for name in SEQUENCES if getattr(after, name) != getattr(head, name)] == moved


def test_friends_who_swap_groups_move_the_sequence_though_the_counts_stay() -> None:
    head = Head(placed=2, friends=2, groups=(Group("g", 1),))
    relations = opened(head, bob=Edge(friend=a_friend(groups=("g",))), carol=ON_LIST)

    relations.take_out("bob", frozenset(["g"]))
    relations.sort_into("carol", ["g"])

    change = relations.close()
    assert change is not None
    assert (change.head.groups, change.head.group_sequence) == ((Group("g", 1),), 1)


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_a_list_has_room_for_3000_friends() -> None:
    relations = opened(Head(friends=MAX_FRIENDS - 1))

    assert relations.befriend("bob", FRIEND) is None
    assert relations.befriend("carol", FRIEND) == codes.OWN_LIST_FULL
    assert relations.unfriend("bob")
    assert relations.befriend("carol", FRIEND) is None


def test_a_blacklist_has_room_for_1000() -> None:
    relations = opened(Head(blocked=MAX_BLOCKED - 1, friends=1), bob=ON_LIST)

    assert relations.block("foe") is None
    assert relations.block("bob") == codes.BLACKLIST_FULL
    assert relations.edge("bob").friend


def test_a_user_has_32_groups_and_one_too_many_changes_nothing() -> None:
    relations = opened(Head(friends=1, groups=tuple(Group(f"g{n}", 0) for n in range(MAX_GROUPS - 1))), bob=ON_LIST)

    assert relations.add_groups(["x", "y"]) == codes.TOO_MANY_GROUPS
    assert relations.sort_into("bob", ["x", "y"]) == codes.TOO_MANY_GROUPS
    assert relations.befriend("new", a_friend(groups=("x", "y"))) == codes.TOO_MANY_GROUPS
    assert relations.close() is None
    assert relations.add_groups(["g0", "x", "x"]) is None
    assert relations.add_groups(["y"]) == codes.TOO_MANY_GROUPS


def test_a_group_with_friends_is_not_dropped() -> None:
    relations = opened(Head(friends=1, groups=(Group("g", 1), Group("h", 0))), bob=Edge(friend=a_friend(groups=("g",))))

    assert not relations.drop_groups(frozenset(["g", "h"]))
    relations.take_out("bob", frozenset(["g"]))
    assert relations.drop_groups(frozenset(["g", "h", "never there"]))
    assert relations.groups == ()


# ---- any sequence of changes -----------------------------------------------------------------------------------------

others = st.sampled_from("abcd")
group_names = st.lists(st.sampled_from(["g", "h", "i"]), max_size=2).map(tuple)
acts = st.one_of(
    st.tuples(st.just("befriend"), others, group_names),
    st.tuples(st.just("sort_into"), others, group_names),
    st.tuples(st.just("take_out"), others, group_names.map(frozenset)),
    st.tuples(st.sampled_from(["unfriend", "block", "unblock"]), others),
    st.tuples(st.just("drop_groups"), group_names.map(frozenset)),
)


@given(calls=st.lists(st.lists(acts, max_size=4), max_size=8))
def test_the_head_counts_what_the_edges_say(calls: list[list[Any]]) -> None:
    head, edges = Head(), dict[str, Edge]()
    for call in calls:
        relations = Relations(head, edges, NOW, None)
        for name, *args in call:
            if name == "befriend":
                args = [args[0], a_friend(groups=tuple(dict.fromkeys(args[1])))]
            getattr(relations, name)(*args)
        if change := relations.close():
            assert change.head.version == head.version + 1
            assert all(edges.get(other, NOTHING) != edge for other, edge in change.edges.items())
            head, edges = change.head, edges | change.edges

    friends = [edge.friend for edge in edges.values() if edge.friend]
    members = Counter(name for friend in friends for name in friend.groups)
    assert head.friends == len(friends)
    assert head.blocked == sum(edge.blocked is not None for edge in edges.values())
    assert {group.name: group.friends for group in head.groups if group.friends} == members
    assert not any(edge.friend and edge.blocked for edge in edges.values())
    places = [place.place for edge in edges.values() if (place := edge.friend or edge.blocked)]
    assert len(set(places)) == len(places)


# ---- fields ----------------------------------------------------------------------------------------------------------

CUSTOM = frozenset({"Tag_SNS_Custom_Test"})


@pytest.mark.parametrize(
    ("tag", "value", "answer"),
    [
        ("Tag_SNS_IM_Remark", "x" * 96, a_friend(remark="x" * 96)),
        ("Tag_SNS_IM_Remark", "张" * 33, codes.BAD_FIELD),  # 99 bytes
        ("Tag_SNS_IM_Remark", 7, codes.BAD_FIELD),
        ("Tag_SNS_IM_Group", ("a", "b", "a"), a_friend(groups=("a", "b"))),
        ("Tag_SNS_IM_Group", (), a_friend()),
        ("Tag_SNS_IM_Group", ("",), codes.BAD_FIELD),
        ("Tag_SNS_IM_Group", ("张" * 11,), codes.BAD_FIELD),  # 33 bytes
        ("Tag_SNS_IM_Group", "a", codes.BAD_FIELD),
        ("Tag_SNS_IM_AddSource", "AddSource_Type_Web", a_friend(source="AddSource_Type_Web")),
        ("Tag_SNS_IM_AddSource", "AddSource_Type_", codes.BAD_FIELD),
        ("Tag_SNS_IM_AddSource", "Web", codes.BAD_FIELD),
        ("Tag_SNS_IM_AddWording", "x" * 257, codes.BAD_FIELD),
        ("Tag_SNS_IM_AddTime", 0, a_friend(added_at=datetime(1970, 1, 1, tzinfo=UTC))),
        ("Tag_SNS_Custom_Test", "x", a_friend(custom={"Tag_SNS_Custom_Test": "x"})),
        ("Tag_SNS_Custom_Test", 7, a_friend(custom={"Tag_SNS_Custom_Test": 7})),
        ("Tag_SNS_Custom_Test", -1, codes.BAD_FIELD),
        ("Tag_SNS_Custom_Test", 2**63, codes.BAD_FIELD),
        ("Tag_SNS_Custom_Test", "x" * 501, codes.BAD_FIELD),
        ("Tag_SNS_Custom_Test", ("x",), codes.BAD_FIELD),
        ("Tag_SNS_Custom_None", "x", codes.UNKNOWN_TAG),
        ("Tag_SNS_IM_Shoe", "x", codes.UNKNOWN_TAG),
    ],
)
def test_a_field_is_set_if_its_value_fits(tag: str, value: Any, answer: Friend | Trouble) -> None:
    assert with_fields(a_friend(), [(tag, value)], CUSTOM) == answer


def test_how_a_friend_was_added_is_not_updated_later() -> None:
    fields = [("Tag_SNS_IM_AddSource", "AddSource_Type_Web")]

    assert with_fields(a_friend(), fields, CUSTOM, UPDATABLE) == codes.UNKNOWN_TAG


def test_a_friend_has_the_fields_that_have_a_value() -> None:
    bare = a_friend(added_at=datetime.fromtimestamp(1420000001, UTC))
    whole = a_friend(remark="r", groups=("g",), wording="w", custom={"Tag_SNS_Custom_Test": "x"})

    assert dict(standard_of(bare)) == {"Tag_SNS_IM_AddSource": bare.source, "Tag_SNS_IM_AddTime": 1420000001}
    assert len(dict(standard_of(whole))) == 5
    assert dict(custom_of(whole)) == {"Tag_SNS_Custom_Test": "x"}


# ---- facts -----------------------------------------------------------------------------------------------------------


def test_every_fact_about_relations_is_remembered() -> None:
    event = Event("1", "im", "im.blacklist.added", "14/u", NOW, b"")

    assert remember_relation(event, BlacklistAdded(account="14/u", blocked="v")) == Outcome()
    assert all(ROUTES[kind.name].fold is remember_relation for kind in EVENT_TYPES)


def test_a_result_has_the_text_that_clients_know() -> None:
    assert codes.FRIEND_EXISTS.info("FriendAdd") == "Err_SNS_FriendAdd_Friend_Exist"
    assert codes.BLOCKED_ALREADY.info("BlackListAdd") == "Err_SNS_BlackListAdd_Already_Exist"
    assert codes.NEEDS_CONFIRM.info("FriendAdd") == "Err_SNS_FriendAdd_Friend_Allow_Type_Need_Confirm"


def test_every_trouble_has_a_code_of_the_api() -> None:
    troubles = [value for value in vars(codes).values() if isinstance(value, Trouble)]

    assert troubles
    assert {trouble.code for trouble in troubles} <= CODES.keys()
