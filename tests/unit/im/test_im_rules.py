"""Rules of the IM API that need no server: names, ids, codes, presence."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.settings import ImSettings, Settings
from gateway.im.system import CONTRACTS, im_commands
from gateway.openapi import load_contract, paths_of
from handlers.effects import Latest, Max
from handlers.im.presence import PRESENCE, end_presence
from schemas.events import Event
from schemas.im.accounts import AccountImport, AccountKicked
from schemas.im.codes import CODES, Failed, text_of
from schemas.im.ids import is_user_id, key_of
from schemas.im.names import api_name
from schemas.im.online import platform_of
from schemas.im.profiles import trouble_of
from schemas.refusals import REASONS
from stores.im.presence import overall, platforms_in
from stores.mongo import open_database

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("msg_key", "MsgKey"),
        ("to_account", "To_Account"),
        ("fail_account", "Fail_Account"),
        ("fail_accounts", "FailAccounts"),
        ("account_list", "AccountList"),
        ("account", "Account"),
        ("user_id", "UserID"),
        ("ip_list", "IPList"),
        ("user_profile_item", "UserProfileItem"),
    ],
)
def test_names_are_spelled_as_the_api_spells_them(name: str, spelled: str) -> None:
    assert api_name(name) == spelled


parts = st.lists(st.text("a/%2F", max_size=4), min_size=1, max_size=3)


@given(app=st.integers(1).map(str), parts=parts)
def test_a_key_says_whose_it_is_so_no_two_of_an_app_or_of_two_are_one(app: str, parts: list[str]) -> None:
    key = key_of(app, *parts)

    assert [unquote(part) for part in key.split("/")] == [app, *parts]


def test_a_user_id_has_at_most_32_bytes_of_printable_ascii() -> None:
    assert is_user_id("a" * 32)
    assert is_user_id("a@b.c/d e")
    assert not any(map(is_user_id, ("", "a" * 33, "李", "a\n", "a\x7f")))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *[("", 0), ("x" * 500, 0), ("x" * 501, 40601), (0, 0), (2**63 - 1, 0), (2**63, 40605), (10**40, 40605)],
        *[(-1, 40610), (True, 40610), (1.5, 40610), (None, 40610), ([], 40610)],
    ],
)
def test_a_field_of_the_apps_own_holds_a_text_or_a_number_that_can_be_kept(value: Any, code: int) -> None:
    assert trouble_of("Tag_Profile_Custom_Level", value, frozenset({"Tag_Profile_Custom_Level"})) == code


def contracts() -> list[dict[str, Any]]:
    texts = (files("schemas").joinpath("contracts", name).read_text(encoding="utf-8") for name in CONTRACTS)
    return [yaml.safe_load(text) for text in texts]


def test_every_code_of_the_contracts_is_in_the_table() -> None:
    published = set()
    for contract in contracts():
        errors = list(contract.get("x-common-errors", ()))
        for item in paths_of(contract).values():
            errors += item["post"].get("x-errors") or ()
        published |= {error["code"] for error in errors}

    assert published == CODES.keys()


def test_every_code_has_a_text_and_a_reason_that_is_counted() -> None:
    assert all(code.text and code.reason in REASONS for code in CODES.values())
    assert text_of(0) == ""


def test_what_the_contracts_name_alike_is_alike() -> None:
    whole, *others = contracts()
    for other in others:
        for kind, members in other["components"].items():
            for name, member in members.items():
                assert whole["components"].get(kind, {}).get(name, member) == member, name
        assert not paths_of(whole).keys() & paths_of(other).keys()


def test_several_contracts_are_one() -> None:
    together = load_contract(CONTRACTS)

    assert len(paths_of(together)) == sum(len(paths_of(contract)) for contract in contracts())
    assert len(together["tags"]) == len({tag["name"] for tag in together["tags"]})


async def test_a_command_has_the_contracts_limit() -> None:
    items = paths_of(load_contract(CONTRACTS))
    async with open_database(Settings().mongo) as database:  # never contacted
        for command in im_commands(ImSettings(), database):
            limit = items[command.path]["post"].get("x-rate-limit")
            if limit is None:  # im_push: it has others, of which the store keeps count
                assert command.calls_per_second is None, command.path
                continue
            assert limit["per"] == "second"
            assert (command.calls_per_second or ImSettings().calls_per_second) == limit["limit"], command.path


def test_an_import_says_what_is_wrong_with_it() -> None:
    assert AccountImport(user_id="u").trouble == 0
    assert AccountImport(identifier="u", nick="n").trouble == 0
    assert AccountImport(nick="n").trouble == 70402
    assert AccountImport(user_id="u", nick="n" * 501).trouble == 40601


def registers(**platforms: tuple[str, timedelta]) -> dict[str, Any]:
    """What was heard of each platform, how long ago."""
    return {name: Latest(NOW - age, {"status": status}, 1).register for name, (status, age) in platforms.items()}


HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def test_an_account_is_as_online_as_its_best_platform() -> None:
    document = {"platforms": registers(Web=("Online", WEEK), iPhone=("PushOnline", HOUR), PC=("Offline", HOUR))}

    found = platforms_in(document, NOW)

    assert found == {"Web": "Online", "iPhone": "PushOnline"}
    assert overall(found) == "Online"
    assert overall({"iPhone": "PushOnline"}) == "PushOnline"
    assert overall({}) == "Offline"


def test_after_seven_days_without_a_sign_of_life_nobody_is_reachable_by_push() -> None:
    document = {"platforms": registers(iPhone=("PushOnline", WEEK), Android=("PushOnline", WEEK - HOUR))}

    assert platforms_in(document, NOW) == {"Android": "PushOnline"}


def test_what_ended_is_over_until_the_account_is_heard_of_again() -> None:
    platforms = registers(Web=("Online", 2 * HOUR), iPhone=("Online", HOUR), PC=("Online", timedelta()))

    assert platforms_in({"platforms": platforms, "ended_at": NOW - HOUR}, NOW) == {"PC": "Online"}
    assert platforms_in({"ended_at": NOW}, NOW) == {}


def test_a_kick_ends_the_presence_of_its_account() -> None:
    event = Event("1", "im", "im.account.kicked", "14/u", NOW, b"")

    (effect,) = end_presence(event, AccountKicked(account="14/u")).effects

    assert (effect.collection, effect.key, effect.change) == (PRESENCE, "14/u", {"ended_at": Max(NOW)})


@pytest.mark.parametrize(
    ("heard", "told"),
    [("IOS", "iPhone"), ("iOS", "iPhone"), ("Windows", "PC"), ("iPad", "iPad"), ("Web", "Web"), ("$x.y", "Unknown")],
)
def test_a_platform_has_one_name(heard: str, told: str) -> None:
    assert platform_of(heard) == told


def test_a_code_that_is_in_no_table_is_a_bug_in_an_item() -> None:
    with pytest.raises(KeyError):
        text_of(1)
    assert Failed(90009).code == 90009
