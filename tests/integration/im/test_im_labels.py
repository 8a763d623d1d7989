"""Attributes and tags of users: written and read in the call, all users of a call or none."""

import asyncio
from typing import Any

import pytest
from im_api import ImApi, a_user

SERVICE = "all_member_push"


async def ask(im: ImApi, command: str, body: Any = None) -> int:
    return (await im.ask(f"{SERVICE}/{command}", body)).code


async def tags_of(im: ImApi, *users: str) -> list[list[str]]:
    answer = await im.ok(f"{SERVICE}/im_get_tag", {"To_Account": users})
    assert [item["To_Account"] for item in answer["UserTags"]] == list(users)
    return [item["Tags"] for item in answer["UserTags"]]


async def attrs_of(im: ImApi, *users: str) -> list[dict[str, str]]:
    answer = await im.ok(f"{SERVICE}/im_get_attr", {"To_Account": users})
    return [item["Attrs"] for item in answer["UserAttrs"]]


def tagging(**tags: list[str]) -> dict[str, Any]:
    return {"UserTags": [{"To_Account": user, "Tags": theirs} for user, theirs in tags.items()]}


async def test_attributes_keep_their_values_when_they_are_named_anew(im: ImApi, other: ImApi) -> None:
    user = a_user()
    await im.imported(user)
    await im.ok(f"{SERVICE}/im_set_attr_name", {"AttrNames": {"0": "sex", "1": "city"}})
    await im.ok(f"{SERVICE}/im_set_attr", {"UserAttrs": [{"To_Account": user, "Attrs": {"sex": "f", "city": "A"}}]})
    await im.ok(f"{SERVICE}/im_set_attr", {"UserAttrs": [{"To_Account": user, "Attrs": {"city": "B"}}]})
    assert await attrs_of(im, user) == [{"sex": "f", "city": "B"}]

    await im.ok(f"{SERVICE}/im_set_attr_name", {"AttrNames": {"0": "gender"}})

    assert (await im.ok(f"{SERVICE}/im_get_attr_name"))["AttrNames"] == {"0": "gender", "1": "city"}
    assert await attrs_of(im, user) == [{"gender": "f", "city": "B"}]
    await im.ok(f"{SERVICE}/im_remove_attr", {"UserAttrs": [{"To_Account": user, "Attrs": ["gender"]}]})
    assert await attrs_of(im, user) == [{"city": "B"}]
    assert (await other.ok(f"{SERVICE}/im_get_attr_name"))["AttrNames"] == {}


async def test_tags_are_added_and_removed(im: ImApi) -> None:
    one, two = a_user(), a_user()
    await im.imported(one, two)

    await im.ok(f"{SERVICE}/im_add_tag", tagging(**{one: ["b", "a", "b"], two: ["股票"]}))
    await im.ok(f"{SERVICE}/im_add_tag", tagging(**{one: ["c", "a"]}))
    assert await tags_of(im, two, one) == [["股票"], ["b", "a", "c"]]

    await im.ok(f"{SERVICE}/im_remove_tag", tagging(**{one: ["a", "never had"], two: ["x"]}))
    assert await tags_of(im, one, two) == [["b", "c"], ["股票"]]
    await im.ok(f"{SERVICE}/im_remove_all_tags", {"To_Account": [one]})
    assert await tags_of(im, one, two) == [[], ["股票"]]


async def test_of_calls_at_the_same_moment_none_is_lost_and_the_limit_holds(im: ImApi) -> None:
    user = a_user()
    await im.imported(user)

    codes = await asyncio.gather(
        *(ask(im, "im_add_tag", tagging(**{user: [f"{call}-{n}" for n in range(10)]})) for call in range(12))
    )

    assert sorted(codes) == [0] * 10 + [90046] * 2
    [tags] = await tags_of(im, user)
    assert len(tags) == 100
    assert {tag.partition("-")[0] for tag in tags} == {str(call) for call, code in enumerate(codes) if code == 0}


@pytest.mark.parametrize(
    ("command", "body", "code"),
    [
        ("im_set_attr_name", {}, 90010),
        ("im_set_attr_name", {"AttrNames": {"10": "x"}}, 90010),
        ("im_set_attr_name", {"AttrNames": {"3": ""}}, 90033),
        ("im_set_attr_name", {"AttrNames": {"3": "x" * 51}}, 90033),
        ("im_set_attr_name", {"AttrNames": {"3": "x", "4": "x"}}, 90033),
        ("im_set_attr", {"UserAttrs": [{"To_Account": "USER", "Attrs": {"never named": "x"}}]}, 90041),
        ("im_set_attr", {"UserAttrs": [{"To_Account": "USER", "Attrs": {"kind": "x" * 51}}]}, 90033),
        ("im_set_attr", {"UserAttrs": [{"To_Account": "USER", "Attrs": {"kind": 1}}]}, 90033),
        ("im_set_attr", {"UserAttrs": [{"To_Account": "nobody", "Attrs": {"kind": "x"}}]}, 90035),
        ("im_set_attr", {"UserAttrs": []}, 90010),
        ("im_remove_attr", {"UserAttrs": [{"To_Account": "USER", "Attrs": ["never named"]}]}, 90033),
        ("im_get_attr", {"To_Account": ["USER", "nobody"]}, 70107),
        ("im_get_attr", {"To_Account": ["USER"] * 501}, 90018),
        ("im_add_tag", {"UserTags": [{"To_Account": "USER", "Tags": list("abcdefghijk")}]}, 90032),
        ("im_add_tag", {"UserTags": [{"To_Account": "USER", "Tags": ["张" * 17]}]}, 90020),  # 51 bytes
        ("im_add_tag", {"UserTags": [{"To_Account": "USER", "Tags": [""]}]}, 90010),
        ("im_add_tag", {"UserTags": [{"To_Account": "USER", "Tags": ["a\0"]}]}, 90010),
        (
            "im_add_tag",
            {"UserTags": [{"To_Account": "USER", "Tags": ["x"]}, {"To_Account": "nobody", "Tags": ["x"]}]},
            70107,
        ),
        ("im_add_tag", {"UserTags": [{"To_Account": "USER", "Tags": ["x"]}] * 501}, 90018),
        ("im_get_tag", {"To_Account": []}, 90010),
        ("im_remove_all_tags", {"To_Account": ["nobody"]}, 70107),
    ],
)
async def test_what_is_refused_changes_nothing(im: ImApi, command: str, body: Any, code: int) -> None:
    user = a_user()
    await im.imported(user)
    await im.ok(f"{SERVICE}/im_set_attr_name", {"AttrNames": {"9": "kind"}})
    before = await im.ok(f"{SERVICE}/im_get_attr_name")

    assert await ask(im, command, _for(user, body)) == code

    assert (await tags_of(im, user), await attrs_of(im, user)) == ([[]], [{}])
    assert await im.ok(f"{SERVICE}/im_get_attr_name") == before


def _for(user: str, body: Any) -> Any:
    match body:
        case dict():
            return {name: _for(user, inner) for name, inner in body.items()}
        case list():
            return [_for(user, inner) for inner in body]
    return user if body == "USER" else body
