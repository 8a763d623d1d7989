"""Wallets from end to end: what the portals, the payment system and facts do to them, and what the ledger says."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from mt_api import SHARED_SECRET, Answered, Portal, Portals, serving, with_metering

from channels.signing import signatures
from config.settings import Settings
from gateway.mt.access import Admitted
from gateway.mt.frame import Asked, Tools
from gateway.mt.operations.wallets import operations
from gateway.system import Call, Reply
from schemas.cloudevents import encode_structured
from schemas.errors import Refused
from schemas.merchant import MerchantAccountChanged, MerchantAccountSynced, MerchantSynced
from schemas.mt import wallet_codes as codes
from schemas.mt.access import EVERYTHING, Principal, Role
from schemas.mt.codes import NOT_FOUND, MtRefused
from schemas.mt.common import Zone
from schemas.mt.wallets import RechargeByHand
from stores.mongo import Database
from stores.mt.accounts import Accounts, keep_account
from stores.mt.claims import claim
from stores.mt.customers import keep_merchant
from stores.mt.ledger import audit_wallets
from stores.mt.recharges import credit_by_hand
from stores.mt.sessions import Sessions
from stores.vault import Vault
from streams.publisher import Publisher
from tests.integration.chat_api import eventually, folding
from tests.integration.command import Fanfold
from tests.integration.published import published
from tests.integration.usage.world import a_call, rating

CRM, CONSOLE = "/mt/crm/customer/wallet", "/mt/beeback/wallet"
NOTICES = "/callbacks/payments"
_merchants = itertools.count(7001)


@pytest.fixture(scope="module")
def mt_settings(shared_settings: Settings) -> Settings:
    return with_metering(
        shared_settings, payments_secrets=[SHARED_SECRET], pay_url="https://pay.example/{payNo}?a={amount}"
    )


@pytest.fixture(scope="module")
async def portals(mt_settings: Settings) -> AsyncIterator[Portals]:
    """With a folder and a rater at work."""
    async with serving(mt_settings) as portals, folding(mt_settings), rating(mt_settings):
        yield portals


class Customer:
    """A customer of its own for each test, signed in."""

    def __init__(self, portals: Portals, database: Database, merchant_id: int, token: str) -> None:
        self.portals, self.database, self.merchant_id, self.token = portals, database, merchant_id, token
        self.console = Portal(portals.http, token)

    async def wallet(self, appcode: str = "", **limits: Any) -> int:
        before = {wallet["id"] for wallet in await self.wallets()}
        await self.portals.operator.ok(f"{CRM}/add", {"merchantId": self.merchant_id, "appcode": appcode, **limits})
        (added,) = {wallet["id"] for wallet in await self.wallets()} - before
        return int(added)

    async def wallets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.console.ok(f"{CONSOLE}/wallet/list", {})
        return found

    async def balance(self, wallet_id: int) -> Decimal:
        (wallet,) = [wallet for wallet in await self.wallets() if wallet["id"] == wallet_id]
        return Decimal(wallet["balance"])

    async def has(self, wallet_id: int, balance: str) -> None:
        """Wait until the wallet has so much."""

        async def reached() -> bool:
            return await self.balance(wallet_id) == Decimal(balance)

        await eventually(reached)

    async def flows(self, wallet_id: int, **query: Any) -> list[tuple[str, str, Decimal, Decimal]]:
        page = await self.console.ok(f"{CONSOLE}/wallet/flowList", {"assignWalletId": wallet_id, **query})
        return [
            (flow["flowType"], flow["bizType"], Decimal(flow["flowAmount"]), Decimal(flow["afterBalance"]))
            for flow in page["results"]
        ]

    async def recharge(self, wallet_id: int, amount: float, **more: Any) -> Answered:
        body = {"merchantId": self.merchant_id, "walletId": wallet_id, "rechargeAmount": amount, **more}
        return await self.portals.operator.ask(f"{CRM}/recharge", body)


@pytest.fixture
async def customer(portals: Portals, mt_database: Database) -> Customer:
    merchant_id = next(_merchants)
    now = datetime.now(UTC)
    await keep_merchant(mt_database, MerchantSynced(merchant_id=merchant_id, name=f"Customer {merchant_id}"), now)
    principal = Principal(role=Role.CUSTOMER, user_id=merchant_id, name="C", merchant_id=merchant_id)
    token = await Sessions(mt_database).create(principal, timedelta(hours=1), now)
    return Customer(portals, mt_database, merchant_id, token)


def an_event(kind: str, **payload: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": secrets.token_hex(8),
        "source": "bank",
        "type": kind,
        "time": "2026-03-01T04:00:00Z",
        "data": payload,
    }


# ---- money in and out -----------------------------------------------------------------------------------------------


async def test_the_same_number_counts_once_whatever_event_it_comes_in(portals: Portals, customer: Customer) -> None:
    wallet, number = await customer.wallet(), secrets.token_hex(8)
    recharged = {"walletId": wallet, "amountMicro": 5_000_001, "rechargeNo": number}
    other = {**recharged, "amountMicro": 7_000_000}
    refunded = {"walletId": wallet, "amountMicro": 1_000_000, "refundNo": number, "of": "recharge"}

    await portals.publish(an_event("wallet.recharged", **recharged))
    await customer.has(wallet, "5.000001")
    await portals.publish(*(an_event("wallet.recharged", **again) for again in (recharged, other)))
    await portals.publish(an_event("wallet.refunded", **refunded), an_event("wallet.refunded", **refunded))
    await customer.has(wallet, "4.000001")

    assert await customer.flows(wallet) == [
        ("out", "refund", Decimal(1), Decimal("4.000001")),
        ("in", "recharge", Decimal("5.000001"), Decimal("5.000001")),
    ]


async def test_the_same_amount_by_hand_has_to_be_confirmed(customer: Customer) -> None:
    wallet = await customer.wallet()
    twice = await asyncio.gather(*(customer.recharge(wallet, 12.5) for _ in range(2)))
    assert {answered.code for answered in twice} <= {0, codes.CONFIRM_RECHARGE}
    assert (await customer.recharge(wallet, 12.5)).code == codes.CONFIRM_RECHARGE
    assert (await customer.recharge(wallet, 13)).code == 0
    assert (await customer.recharge(wallet, 13, confirmed=True)).code == 0
    await customer.has(wallet, "38.5")

    (flow, *_) = (await customer.console.ok(f"{CONSOLE}/wallet/flowList", {"assignWalletId": wallet}))["results"]
    assert (flow["payMethod"], flow["createBy"], flow["businessNo"][0]) == ("manual", 1, "M")


@pytest.mark.parametrize("confirmed", [False, True])
async def test_by_hand_what_was_not_answered_is_put_in_once_when_it_is_sent_again(
    mt_settings: Settings, mt_database: Database, portals: Portals, customer: Customer, *, confirmed: bool
) -> None:
    wallet = await customer.wallet()
    body = RechargeByHand(
        merchant_id=customer.merchant_id, wallet_id=wallet, recharge_amount=Decimal(9), confirmed=confirmed
    )

    async def recharge(user_id: int = 1) -> Reply:
        """Without the gateway, whose part it is to publish."""
        zone, vault = Zone(mt_settings.metering.zone), Vault(mt_settings.metering.secrets_keys)
        by_id = {each.operation_id: each for each in operations(Tools(mt_settings, mt_database, zone, vault))}
        operator = Admitted(Principal(role=Role.OPERATOR, user_id=user_id, name="Li"), EVERYTHING)
        call = Call("POST", "", {}, {}, b"", datetime.now(UTC), "trace", "", body=body)
        operation = by_id["crmCustomerWalletRecharge"]
        return await operation.handle(Asked(call, operator, operation))

    async def acknowledged(reply: Reply) -> None:
        """As the gateway does."""
        await portals.publish(*map(encode_structured, reply.facts))
        assert reply.published is not None
        await reply.published()

    lost, again = await recharge(), await recharge()
    assert [fact.id for fact in again.facts] == [fact.id for fact in lost.facts]
    assert [fact.data for fact in again.facts] == [fact.data for fact in lost.facts]
    # What was lost arrives after all.
    await portals.publish(*map(encode_structured, lost.facts))
    await acknowledged(again)
    await customer.has(wallet, "9")

    if confirmed:
        await acknowledged(await recharge())
        await customer.has(wallet, "18")
    else:
        with pytest.raises(MtRefused):
            await recharge()
        with pytest.raises(MtRefused):
            await recharge(user_id=2)
    assert (await audit_wallets(mt_database)).differences == []


async def test_an_outside_number_that_looks_like_one_of_ours_is_another_recharge(
    portals: Portals, customer: Customer
) -> None:
    wallet = await customer.wallet()
    assert (await customer.recharge(wallet, 2)).code == 0
    await customer.has(wallet, "2")
    (flow,) = (await customer.console.ok(f"{CONSOLE}/wallet/flowList", {"assignWalletId": wallet}))["results"]
    number = flow["businessNo"]
    await portals.publish(an_event("wallet.recharged", walletId=wallet, amountMicro=1_000_000, rechargeNo=number))
    await customer.has(wallet, "3")


@pytest.mark.parametrize("amount", [0, -1, 1e-7, 1e12])
async def test_an_amount_that_is_none_is_refused(customer: Customer, amount: float) -> None:
    refused = await customer.recharge(await customer.wallet(), amount)
    assert (refused.status, refused.code) == (400, 40001)


async def test_flows_are_paged_and_chosen_with_the_balance_after_each(portals: Portals, customer: Customer) -> None:
    wallet = await customer.wallet()
    facts = [
        an_event("wallet.recharged", walletId=wallet, amountMicro=number * 1_000_000, rechargeNo=secrets.token_hex(8))
        | {"time": f"2026-03-0{number}T04:00:00Z"}
        for number in (1, 2, 3, 4)
    ]
    await portals.publish(*facts)
    await portals.publish(
        an_event("wallet.refunded", walletId=wallet, amountMicro=500_000, refundNo=secrets.token_hex(8), of="usage")
        | {"time": "2026-03-02T04:00:01Z"}
    )
    await customer.has(wallet, "10.5")  # 1 + 2 + 0.5 + 3 + 4

    assert [after for *_, after in await customer.flows(wallet)] == [
        Decimal(text) for text in ("10.5", "6.5", "3.5", "3", "1")
    ]
    second = await customer.flows(wallet, pageNo=2, pageSize=2)
    assert [(amount, after) for *_, amount, after in second] == [
        (Decimal("0.5"), Decimal("3.5")),
        (Decimal(2), Decimal(3)),
    ]
    (given_back,) = await customer.flows(wallet, bizTypeList=["refund"])
    assert given_back == ("in", "refund", Decimal("0.5"), Decimal("3.5"))
    assert await customer.flows(wallet, flowType="out") == []
    dated = {"createTimeGte": "2026-03-02", "createTimeLte": "2026-03-03"}
    assert [after for *_, after in await customer.flows(wallet, **dated)] == [
        Decimal(text) for text in ("6.5", "3.5", "3")
    ]


# ---- recharge orders ------------------------------------------------------------------------------------------------


async def notify(portals: Portals, **notice: Any) -> int:
    """What the payment system says; the HTTP status of the answer."""
    body, now, message_id = msgspec.json.encode(notice), int(time.time()), secrets.token_hex(8)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signatures([SHARED_SECRET], message_id, now, body),
        "Content-Type": "application/json",
    }
    async with portals.http.post(NOTICES, data=body, headers=headers) as answer:
        return answer.status


async def an_order(customer: Customer, wallet: int, amount: float = 20) -> str:
    body = {"walletId": wallet, "rechargeAmount": amount, "payMethod": "wechat"}
    order = await customer.console.ok(f"{CONSOLE}/applyRecharge", body)
    assert order["applyPayResult"]["payData"]["payUrl"] == f"https://pay.example/{order['payNo']}?a={amount}"
    return str(order["payNo"])


async def test_a_payment_pays_its_order_once(portals: Portals, customer: Customer) -> None:
    wallet = await customer.wallet()
    order, payment = await an_order(customer, wallet), secrets.token_hex(8)
    notice = {"paymentNo": payment, "payNo": order, "amount": 20}
    assert [await notify(portals, **notice) for _ in range(3)] == [200] * 3
    await customer.has(wallet, "20")

    # Another payment of the same order is money too: it is kept.
    second = {**notice, "paymentNo": secrets.token_hex(8)}
    await notify(portals, **second)
    await set_aside(customer, second["paymentNo"], "paid_already")
    assert await customer.balance(wallet) == 20


async def test_a_payment_of_another_amount_is_kept(portals: Portals, customer: Customer) -> None:
    payment, order = secrets.token_hex(8), await an_order(customer, await customer.wallet())
    assert await notify(portals, paymentNo=payment, payNo=order, amount=19.99) == 200
    await set_aside(customer, payment, "wrong_amount")


async def test_a_payment_that_pays_no_order_is_shown_and_can_be_credited_once(
    portals: Portals, customer: Customer, mt_settings: Settings
) -> None:
    wallet, payment = await customer.wallet(), secrets.token_hex(8)
    assert await notify(portals, paymentNo=payment, payNo="R0", amount=20) == 200
    await set_aside(customer, payment, "unknown_order")

    fanfold = Fanfold(mt_settings)
    assert payment in (await fanfold("recharges", "set-aside")).out
    credit = await fanfold("recharges", "credit", payment, "--wallet", str(wallet))
    assert credit.status == 0, credit.err
    await customer.has(wallet, "20")
    async with Publisher(mt_settings.kafka) as publisher:
        await publisher.wait_connected()
        await credit_by_hand(customer.database, publisher, payment, wallet, "again")
        with pytest.raises(Refused):
            await credit_by_hand(customer.database, publisher, payment, wallet + 1, "elsewhere")
    assert await customer.balance(wallet) == 20


async def set_aside(customer: Customer, payment: str, reason: str) -> None:
    async def decided() -> Any:
        return await customer.database["recharge_payments"].find_one({"_id": payment, "state": "set_aside"})

    assert (await eventually(decided))["reason"] == reason


async def test_a_notice_that_is_not_signed_is_refused(portals: Portals, customer: Customer) -> None:
    body = msgspec.json.encode({"paymentNo": "1", "payNo": "2", "amount": 1})
    signed = signatures([SHARED_SECRET], "m", int(time.time()), body)
    good = {"webhook-id": "m", "webhook-timestamp": str(int(time.time())), "webhook-signature": signed}
    for change in (
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-timestamp": str(int(time.time()) - 3600)},
        {"webhook-timestamp": "now"},
        {"webhook-id": "n"},
    ):
        headers = {**good, **change, "Content-Type": "application/json"}
        async with portals.http.post(NOTICES, data=body, headers=headers) as answer:
            assert answer.status == 401, await answer.text()


# ---- limits, locks, merges ------------------------------------------------------------------------------------------


async def test_what_is_passed_is_told_once_to_the_wallets_contacts(
    customer: Customer, portals: Portals, mt_settings: Settings
) -> None:
    contact = {"linkman": "Chen", "email": "chen@example.com", "isDefault": True}
    await customer.console.ok("/mt/beeback/forewarn/addContacts", contact)
    (added,) = await customer.console.get("/mt/beeback/forewarn/queryAllContacts")
    wallet = await customer.wallet()
    await customer.recharge(wallet, 100)
    await customer.has(wallet, "100")
    settings = {"walletId": wallet, "forewarnThreshold": 150, "forewarnContactList": [added["id"]]}
    await customer.console.ok(f"{CONSOLE}/configWallet", settings)
    await portals.operator.ok(f"{CRM}/edit", {"walletId": wallet, "overdraftState": -1})

    async def alarms() -> Any:
        found = await customer.database["wallets"].find_one({"_id": str(wallet)})
        told = {name: alarm for name, alarm in (found or {}).get("alarms", {}).items() if alarm["told"]}
        return told if {"low", "locked"} <= told.keys() else None

    assert {name: alarm["open"] for name, alarm in (await eventually(alarms)).items()} == {"low": True, "locked": True}
    (shown,) = await customer.wallets()
    assert (shown["state"], shown["overdraftState"], shown["forewarnThreshold"]) == (-1, -1, 150)
    assert [each["linkman"] for each in shown["forewarnContactList"]] == ["Chen"]
    recipient = f"user/alert-contact-{added['id']}"
    pushed = [
        event.id
        for event in await published(mt_settings.kafka)
        if event.type == "push.requested" and event.subject == recipient
    ]
    assert sorted(set(pushed)) == [f"wallet/{wallet}/{kind}/1/{added['id']}" for kind in ("locked", "low")]


async def test_a_wallet_that_is_merged_into_pays_from_then_on_and_gets_what_comes_late(
    portals: Portals, customer: Customer, mt_settings: Settings
) -> None:
    default, reserved = await customer.wallet(), await customer.wallet("app-x")
    dept_id = customer.merchant_id * 10
    await with_prices(portals, customer, dept_id, "app-x")
    await customer.recharge(reserved, 10)
    await customer.has(reserved, "10")
    await usage(portals, dept_id, 3)
    await customer.has(reserved, "9.1")  # 10 - 3 * 0.3

    merge = {"merchantId": customer.merchant_id, "fromWalletId": reserved, "toWalletId": default}
    await portals.operator.ok(f"{CRM}/merge", merge)
    await portals.operator.ok(f"{CRM}/merge", merge)  # a repeat does no harm
    await customer.has(default, "9.1")
    # Money that comes late is moved on; calls are charged to the other one by now.
    await portals.publish(
        an_event("wallet.recharged", walletId=reserved, amountMicro=1_000_000, rechargeNo=secrets.token_hex(8))
    )
    await customer.has(default, "10.1")
    await usage(portals, dept_id, 1)
    await customer.has(default, "9.8")

    (left,) = await customer.wallets()
    assert left["id"] == default
    assert [route["appcode"] for route in left["payRouteList"]] == ["app-x"]
    kinds = [(flow, biz) for flow, biz, *_ in await customer.flows(reserved)]
    assert kinds.count(("out", "pay")) == 3  # a day's usage, and two moves
    audited = await Fanfold(mt_settings)("audit", "wallets", "--json")
    assert (audited.status, audited.json["differences"]) == (0, []), audited


async def with_prices(portals: Portals, customer: Customer, dept_id: int, app_code: str) -> None:
    account = {"deptId": dept_id, "merchantId": customer.merchant_id, "name": "A", "appCode": app_code}
    await portals.publish(an_event("merchant.account.synced", **account))

    async def there() -> Any:
        return await customer.database["mt_accounts"].find_one({"_id": dept_id})

    await eventually(there)
    now = datetime.now(UTC)
    await customer.database["grants"].insert_one(
        {
            "_id": dept_id,
            "dept_id": dept_id,
            "merchant_id": customer.merchant_id,
            "item": "id",
            "state": 10,
            "prices": [{"from": datetime(2000, 1, 1, tzinfo=UTC), "fee_micro": 300_000}],
            "created_at": now,
            "updated_at": now,
        }
    )
    await customer.database["revisions"].update_one({"_id": "price_book"}, {"$inc": {"revision": 1}}, upsert=True)


async def usage(portals: Portals, dept_id: int, count: int) -> None:
    calls = [a_call(dept_id=dept_id) for _ in range(count)]
    await portals.publish(
        *(
            {
                "specversion": "1.0",
                "id": call.id + secrets.token_hex(4),
                "source": "api",
                "type": "usage.recorded",
                "time": "2026-03-01T04:00:00Z",
                "data": {**msgspec.json.decode(call.data), "seqNo": secrets.token_hex(8)},
            }
            for call in calls
        )
    )


async def test_merges_that_make_a_circle_or_a_chain_are_refused(portals: Portals, customer: Customer) -> None:
    wallets = [await customer.wallet() for _ in range(2)]

    def merge(away: int, into: int) -> dict[str, int]:
        return {"merchantId": customer.merchant_id, "fromWalletId": away, "toWalletId": into}

    both = await asyncio.gather(
        *(portals.operator.ask(f"{CRM}/merge", merge(*pair)) for pair in (wallets, wallets[::-1]))
    )
    assert sorted(answered.code for answered in both)[0] in (0, codes.MERGED_ALREADY)
    assert len(await customer.wallets()) >= 1
    itself = await portals.operator.ask(f"{CRM}/merge", merge(wallets[0], wallets[0]))
    assert itself.code in (codes.NOT_ITSELF, codes.MERGED_ALREADY, NOT_FOUND)


async def test_a_wallet_of_another_customer_is_not_there(portals: Portals, customer: Customer) -> None:
    wallet = await customer.wallet()
    for path, body in (
        ("wallet/flowList", {"assignWalletId": wallet}),
        ("queryWallet", {"walletId": wallet}),
        ("configWallet", {"walletId": wallet, "forewarnThreshold": 1, "forewarnContactList": []}),
        ("applyRecharge", {"walletId": wallet, "rechargeAmount": 1}),
    ):
        assert (await portals.other.ask(f"{CONSOLE}/{path}", body)).code == NOT_FOUND
    assert (await customer.recharge(wallet, 1, merchantId=1)).code == NOT_FOUND


# ---- sessions and accounts ------------------------------------------------------------------------------------------


async def test_of_wallets_opened_at_once_one_is_the_default_and_one_is_an_apps(
    portals: Portals, mt_database: Database, customer: Customer
) -> None:
    async def opened(appcode: str) -> list[int]:
        body = {"merchantId": customer.merchant_id, "appcode": appcode}
        answers = await asyncio.gather(*(portals.operator.ask(f"{CRM}/add", body) for _ in range(4)))
        return sorted(answered.code for answered in answers)

    # Whoever opened them first of all died after the claims.
    await claim(mt_database, f"wallet/{customer.merchant_id}/app/shop", "wallet")
    await claim(mt_database, f"wallet/{customer.merchant_id}/default", "wallet")

    assert await opened("shop") == [0, *[codes.APP_TAKEN] * 3]
    assert await opened("") == [0, 0, 0, 0]
    wallets = await customer.wallets()
    assert [wallet["isDefault"] for wallet in wallets] == [True, False, False, False, False]


async def test_of_accounts_applied_for_at_once_there_is_one(mt_database: Database, customer: Customer) -> None:
    what = f"account/{customer.merchant_id}/prod"
    taken = await claim(mt_database, what, "account")
    other = MerchantAccountSynced(dept_id=taken, merchant_id=1, name="Of another customer")
    await keep_account(mt_database, other, datetime.now(UTC))

    applied = await asyncio.gather(
        *(customer.console.ask("/mt/beeback/dept/applyDeveloper", {"env": "prod"}) for _ in range(4))
    )
    # Who asks before the first is told of asks for the same.
    assert {0} <= {answered.code for answered in applied} <= {0, codes.ACCOUNT_THERE}
    again = await customer.console.ask("/mt/beeback/dept/applyDeveloper", {"env": "prod"})
    assert again.code == codes.ACCOUNT_THERE
    (account,) = await customer.console.ok("/mt/beeback/dept/developerInfo", {"env": "prod"})
    assert account["deptId"] != taken


async def test_whoever_lets_calls_in_is_told_of_accounts_and_white_lists(
    portals: Portals, mt_settings: Settings, mt_database: Database, customer: Customer
) -> None:
    # The gateway that opened it first died before it told of it.
    accounts = Accounts(mt_database, Vault(mt_settings.metering.secrets_keys))
    opened = await accounts.open(customer.merchant_id, "prod", None, customer.merchant_id, datetime.now(UTC))
    await customer.console.ok("/mt/beeback/dept/applyDeveloper", {"env": "prod"})
    for body in ({"enable": True, "ipList": "10.0.0.1"}, {"enable": False}):
        await customer.console.ok("/mt/beeback/dept/saveWhiteIpList", body)

    subject, kind = str(opened.dept_id), "merchant.account.changed"
    told = [
        event for event in await published(portals.settings.kafka) if (event.subject, event.type) == (subject, kind)
    ]
    changes = [msgspec.json.decode(event.data, type=MerchantAccountChanged) for event in told]
    assert [(change.white_list_on, change.white_ips) for change in changes] == [
        (False, ()),
        (True, ("10.0.0.1",)),
        (False, ("10.0.0.1",)),
    ]
    assert {(change.dept_id, change.app_id, change.env) for change in changes} == {
        (opened.dept_id, opened.app_id, "prod")
    }
    assert not any("secret" in event.data.decode().lower() for event in told)


async def test_a_secret_is_shown_once(customer: Customer) -> None:
    asked = {"env": "prod"}
    await customer.console.ok("/mt/beeback/dept/applyDeveloper", asked)
    refused = await customer.console.ask("/mt/beeback/dept/applyDeveloper", asked)
    assert refused.code == codes.ACCOUNT_THERE

    lists = await asyncio.gather(*(customer.console.ok("/mt/beeback/dept/developerInfo", asked) for _ in range(3)))

    shown = [account["appSecret"] for (account,) in lists if "appSecret" in account]
    assert len(shown) == 1
    stored = await customer.database["mt_accounts"].find_one({"merchant_id": customer.merchant_id})
    assert shown[0] not in repr(stored)


async def test_white_lists_are_addresses_and_networks(customer: Customer) -> None:
    path = "/mt/beeback/dept/saveWhiteIpList"
    assert (await customer.console.ask(path, {"enable": False})).code == NOT_FOUND
    await customer.console.ok("/mt/beeback/dept/applyDeveloper", {"env": "test"})
    for wrong in ("", "10.0.0.256", "example.com", "10.0.0.1;10.0.0.2"):
        assert (await customer.console.ask(path, {"enable": True, "ipList": wrong})).code == 40001
    await customer.console.ok(path, {"enable": True, "ipList": "10.0.0.1, 10.1.0.0/16"})
    (account,) = await customer.console.ok("/mt/beeback/dept/developerInfo", {"env": "test"})
    assert account["whiteIpList"] == "10.0.0.1,10.1.0.0/16"
    await customer.console.ok(path, {"enable": False})
    (account,) = await customer.console.ok("/mt/beeback/dept/developerInfo", {"env": "test"})
    assert account["whiteIpList"] == "off"


async def test_sessions_begin_and_end_at_the_command_line(mt_settings: Settings, portals: Portals) -> None:
    fanfold = Fanfold(mt_settings)
    created = await fanfold(
        "sessions", "create", "--role", "customer", "--user-id", "5", "--merchant-id", "8001", "--json"
    )
    token = created.json["token"]
    portal = Portal(portals.http, token)
    assert (await portal.get("/mt/beeback/dept/querySession"))["merchantId"] == 8001
    assert (await portal.ask(f"{CRM}/list", {"merchantId": 1})).status == 403
    listed = (await fanfold("sessions", "list", "--json")).json
    (session,) = [each["id"] for each in listed if each["merchant_id"] == 8001]
    assert token not in str(listed)
    assert (await fanfold("sessions", "revoke", session)).status == 0
    assert (await portal.ask("/mt/beeback/dept/querySession", method="GET")).status == 401


async def test_the_newest_of_each_field_counts_whatever_order_facts_come_in(
    portals: Portals, customer: Customer
) -> None:
    merchant_id = next(_merchants)
    newest = an_event("merchant.synced", merchantId=merchant_id, name="New") | {"time": "2026-03-02T00:00:00Z"}
    older = an_event("merchant.synced", merchantId=merchant_id, name="Old", salesmanId=31)
    await portals.publish(newest, older)

    async def kept() -> Any:
        return await customer.database["mt_customers"].find_one({"_id": merchant_id, "salesman_id": 31})

    assert (await eventually(kept))["name"] == "New"


async def test_the_home_page_adds_up_the_wallets(customer: Customer) -> None:
    wallet = await customer.wallet(overdraftState=10, overdraftQuota=50)
    await customer.recharge(wallet, 3)
    await customer.has(wallet, "3")
    overview = await customer.console.get("/mt/beeback/index/coreStatistics")
    assert (overview["balance"], overview["overdraftQuota"], overview["overdueAmount"]) == (3, 50, 0)


async def test_everything_adds_up_in_the_end(customer: Customer) -> None:
    async def adds_up() -> bool:
        return not (await audit_wallets(customer.database)).differences

    await eventually(adds_up)
