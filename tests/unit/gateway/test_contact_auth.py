"""Who is an agent, what a check costs, and how often one may be wrong."""

import asyncio
import threading
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from config.settings import ContactBindingSettings
from gateway.contact_auth import (
    REMEMBERED_SECONDS,
    TRIES,
    TRIES_SECONDS,
    WAITING,
    Agents,
    Tries,
    credentials_in,
    verify,
)
from gateway.system import Call
from schemas.errors import Refused


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Checks:
    """Stands for argon2: the hash is the password. Counts, and waits while it is held."""

    def __init__(self) -> None:
        self.passwords: list[bytes] = []
        self.hashes: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, hashed: str, password: bytes) -> bool:
        self.go_on.wait(10)
        self.passwords.append(password)
        self.hashes.append(hashed)
        return hashed.encode() == password


def call(account: str, password: str, remote: str = "10.0.0.1") -> Call:
    header = f"Basic {b64encode(f'{account}:{password}'.encode()).decode()}"
    return Call("GET", "/", {}, {"Authorization": header}, b"", datetime.now(UTC), "", "", remote)


def agents(checks: Checks, clock: Clock | None = None) -> Agents:
    return Agents({"ann": SecretStr("a"), "bob": SecretStr("b")}, checks, clock or Clock())


async def reason(agents: Agents, call: Call) -> str:
    with pytest.raises(Refused) as refused:
        await agents.agent_of(call)
    return refused.value.reason


def test_a_hash_is_of_its_password_alone() -> None:
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("geheim")

    assert verify(hashed, b"geheim")
    assert not verify(hashed, b"geheim ")
    assert not verify(hashed, b"")


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", b"open sesame")),  # RFC 7617, section 2
        ("basic dGVzdDoxMjPCow==", ("test", "123£".encode())),  # section 2.1
        ("Basic  YTpiOmM= ", ("a", b"b:c")),
        ("Basic YTo=", ("a", b"")),
        ("Basic YQ==", None),
        ("Basic QQ", None),
        ("Basic /w==", None),
        ("Basic", None),
        ("Basic YTpi YTpi", None),
        ("Bearer YTpi", None),
        ("Basic \udcff", None),
        ("", None),
        (None, None),
    ],
)
def test_a_header_is_read_as_its_rfc_says(header: str | None, read: tuple[str, bytes] | None) -> None:
    found = credentials_in(header)

    assert (found and (found.account, found.password)) == read


async def test_a_password_that_was_right_is_not_checked_again_for_a_while() -> None:
    checks, clock = Checks(), Clock()
    known = agents(checks, clock)
    for _ in range(3):
        assert await known.agent_of(call("ann", "a")) == "ann"
    assert checks.passwords == [b"a"]
    clock.now += REMEMBERED_SECONDS - 1
    assert await known.agent_of(call("ann", "a")) == "ann"
    clock.now += 1
    assert await known.agent_of(call("ann", "a")) == "ann"
    assert checks.passwords == [b"a", b"a"]


async def test_a_password_that_was_right_lets_no_other_pass_and_no_other_account() -> None:
    checks = Checks()
    known = agents(checks)
    await known.agent_of(call("ann", "a"))
    for account, password in (("ann", "b"), ("ann", ""), ("bob", "a"), ("", "a"), ("nobody", "a")):
        assert await reason(known, call(account, password)) == "unauthenticated"
    assert len(checks.passwords) == 6


async def test_an_account_that_is_not_known_is_checked_all_the_same_and_never_passes() -> None:
    checks = Checks()
    known = agents(checks)

    assert await reason(known, call("nobody", "a")) == "unauthenticated"
    assert checks.hashes == ["a"]


async def test_the_same_credentials_at_once_are_checked_once() -> None:
    checks = Checks()
    known = agents(checks)
    checks.go_on.clear()
    calls = [asyncio.create_task(known.agent_of(call("ann", "a"))) for _ in range(100)]
    await asyncio.sleep(0)
    checks.go_on.set()

    assert await asyncio.gather(*calls) == ["ann"] * 100
    assert checks.passwords == [b"a"]


async def test_a_caller_that_goes_away_leaves_the_others_their_answer() -> None:
    checks = Checks()
    known = agents(checks)
    checks.go_on.clear()
    first, second = (asyncio.create_task(known.agent_of(call("ann", "a"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    checks.go_on.set()

    assert await second == "ann"
    assert checks.passwords == [b"a"]


async def test_the_loop_goes_on_and_the_queue_is_short_while_a_password_is_checked() -> None:
    checks = Checks()
    known = agents(checks)
    checks.go_on.clear()
    wrong = [call("ann", f"wrong {number}", f"10.0.1.{number}") for number in range(100)]
    calls = [asyncio.create_task(known.agent_of(each)) for each in wrong]
    await asyncio.sleep(0)  # Each has come to its first wait, though no check has ended.
    checks.go_on.set()
    refused = [error.reason for error in await asyncio.gather(*calls, return_exceptions=True)]  # type: ignore[union-attr]

    assert refused == ["unauthenticated"] * (1 + WAITING) + ["too_many"] * (99 - WAITING)
    assert len(checks.passwords) == 1 + WAITING


async def test_who_is_wrong_too_often_is_not_checked_for_a_while() -> None:
    checks, clock = Checks(), Clock()
    known = agents(checks, clock)
    reasons = [await reason(known, call("ann", f"wrong {number}")) for number in range(TRIES + 5)]

    assert reasons == ["unauthenticated"] * TRIES + ["too_many"] * 5
    assert len(checks.passwords) == TRIES
    assert await reason(known, call("ann", "a")) == "too_many"  # right, but from there it is guessed
    assert await known.agent_of(call("ann", "a", remote="10.0.0.2")) == "ann"
    assert await known.agent_of(call("ann", "a")) == "ann"  # known to be right by now
    assert await known.agent_of(call("bob", "b")) == "bob"
    clock.now += TRIES_SECONDS / TRIES
    assert await reason(known, call("ann", "wrong")) == "unauthenticated"
    assert await reason(known, call("ann", "wrong")) == "too_many"


async def test_accounts_that_are_not_known_share_their_tries() -> None:
    checks = Checks()
    known = agents(checks)
    reasons = [await reason(known, call(f"guess {number}", "a")) for number in range(TRIES + 5)]

    assert reasons == ["unauthenticated"] * TRIES + ["too_many"] * 5


async def test_right_passwords_use_up_no_tries() -> None:
    checks, clock = Checks(), Clock()
    known = agents(checks, clock)
    for _ in range(TRIES * 2):
        assert await known.agent_of(call("ann", "a")) == "ann"
        clock.now += REMEMBERED_SECONDS
    for number in range(TRIES):
        assert await reason(known, call("ann", f"wrong {number}")) == "unauthenticated"


def test_tries_are_remembered_of_the_latest_alone() -> None:
    tries = Tries(1, 60, Clock(), remembered=2)
    taken = [tries.take(("", who)) for who in ("a", "b", "a", "c", "a")]

    assert taken == [True, True, False, True, True]  # c has put out a, the oldest


def test_without_agents_or_credentials_a_call_is_refused_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Agents({}).require_credentials(call("ann", "a"))
    assert refused.value.reason == "not_configured"
    with pytest.raises(Refused) as refused:
        agents(Checks()).require_credentials(Call("GET", "/", {}, {}, b"", datetime.now(UTC), "", ""))
    assert refused.value.reason == "unauthenticated"


@pytest.mark.parametrize(
    "agents",
    [{"ann": "geheim"}, {"ann": "$argon2id$v=19$m=8"}, {"ann": ""}, {"a:b": "HASH"}, {"": "HASH"}, {"a\0": "HASH"}],
)
def test_settings_that_nobody_could_log_in_by_are_a_mistake(agents: dict[str, str]) -> None:
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("geheim")
    ContactBindingSettings.model_validate({"agents": {"ann": hashed}})
    with pytest.raises(ValueError, match=r"ann: no argon2 hash|String should match"):
        ContactBindingSettings.model_validate(
            {"agents": {account: hash_.replace("HASH", hashed) for account, hash_ in agents.items()}}
        )
