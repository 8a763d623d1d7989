"""/mt/beeback/wallet and /mt/crm/customer/wallet: wallets, their flows, recharging, merging.

Limits and contacts are settings and are written at once; money moves by facts.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from gateway.mt.facts import fact
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.mt.wallet_rows import BIZ_TYPES, contacts_of_wallets, flow_row, forewarn_row, wallet_row
from gateway.system import Reply
from handlers.wallet_watch import OverdraftState, WalletState
from schemas.errors import Refused
from schemas.events import Event
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import micro_of, page_of, price_of, yuan
from schemas.mt.wallet_codes import NO_WALLET, UNKNOWN_CONTACT
from schemas.mt.wallets import (
    AddWallet,
    ApplyRecharge,
    ConfigWallet,
    EditWallet,
    FlowQuery,
    Limits,
    MerchantIdRequest,
    MergeWallets,
    OrderRow,
    PayDataRow,
    PayResultRow,
    QueryWallet,
    RechargeByHand,
)
from schemas.push import PushRequested
from schemas.wallet import MAX_MICRO, WalletConfigured, WalletMerged, WalletRecharged
from stores.mongo import Document
from stores.mt.alert_contacts import unknown_contacts
from stores.mt.customers import find_customer
from stores.mt.ledger import flows
from stores.mt.recharges import Order, open_order
from stores.mt.wallet_watch import recipients_of
from stores.mt.wallets import Wallet, Wallets

FILTERS = {"bizPay": "pay"}
"""The filter spells payment bizPay, the records spell it pay (contract)."""


class WalletDesk:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._settings = tools.settings.metering
        self._wallets = Wallets(tools.database)

    # ---- looking ----------------------------------------------------------------------------------------------------

    async def own(self, asked: Asked) -> Reply:
        return await self._listed(await self._wallets.of(asked.scope))

    async def of_customer(self, asked: Asked) -> Reply:
        body: MerchantIdRequest = asked.body
        return await self._listed(await self._wallets.of(asked.scope, body.merchant_id))

    async def _listed(self, wallets: Sequence[Wallet]) -> Reply:
        contacts = await contacts_of_wallets(self._database, wallets)
        return Reply([wallet_row(wallet, contacts) for wallet in wallets])

    async def flows(self, asked: Asked) -> Reply:
        """Of one that was merged away too: its past is its own."""
        query: FlowQuery = asked.body
        wallet = await self._wallets.find(asked.scope, query.assign_wallet_id, merged_too=True)
        match = self._flow_match(query, wallet)
        found, total = await flows(self._database, wallet.wallet_id, match, query, self._settings.unpaged_rows)
        return Reply(page_of([flow_row(flow, self._zone) for flow in found], total, query))

    def _flow_match(self, query: FlowQuery, wallet: Wallet) -> Document:
        match: Document = {}
        if query.flow_type is not None:
            match["credit" if query.flow_type == "in" else "debit"] = f"wallet/{wallet.wallet_id}"
        if query.biz_type_list:
            wanted = {FILTERS.get(name, name) for name in query.biz_type_list}
            match["kind"] = {"$in": sorted(kind.value for kind, biz in BIZ_TYPES.items() if biz in wanted)}
        times: Document = {}
        if query.create_time_gte is not None:
            times["$gte"] = self._zone.moment(query.create_time_gte, "createTimeGte")
        if query.create_time_lte is not None:
            times["$lt"] = self._zone.moment_after(query.create_time_lte, "createTimeLte")
        return match | ({"at": times} if times else {})

    async def forewarn(self, asked: Asked) -> Reply:
        body: QueryWallet = asked.body
        wallet = await self._matched(asked, body.wallet_id)
        return Reply(forewarn_row(wallet, await contacts_of_wallets(self._database, [wallet])))

    async def _matched(self, asked: Asked, wallet_id: int | None) -> Wallet:
        """The wallet that is named, else the caller's default one."""
        if wallet_id is not None:
            return await self._wallets.find(asked.scope, wallet_id)
        own = await self._wallets.of(asked.scope)
        if not own:
            raise MtRefused(NO_WALLET, "there is no wallet yet")
        return own[0]

    # ---- limits and contacts ----------------------------------------------------------------------------------------

    async def configure(self, asked: Asked) -> Reply:
        """The customer's own part: when to be told, and who is."""
        body: ConfigWallet = asked.body
        wallet = await self._wallets.find(asked.scope, body.wallet_id)
        limits = Limits(forewarn_threshold=body.forewarn_threshold, forewarn_contact_list=body.forewarn_contact_list)
        return await self._change(asked, wallet, limits)

    async def edit(self, asked: Asked) -> Reply:
        body: EditWallet = asked.body
        wallet = await self._wallets.find(asked.scope, body.wallet_id)
        return await self._change(asked, wallet, body)

    async def _change(self, asked: Asked, wallet: Wallet, limits: Limits) -> Reply:
        await self._wallets.change(wallet, await self._fields(limits, wallet.merchant_id))
        configured = WalletConfigured(wallet_id=wallet.wallet_id)
        return Reply(facts=(_fact(asked, "wallet.configured", configured, f"configured/{asked.call.trace_id}"),))

    async def _fields(self, limits: Limits, merchant_id: int) -> Mapping[str, Any]:
        """What is set of those that are sent. Refuses bad_field and UNKNOWN_CONTACT."""
        fields: dict[str, Any] = {}
        if limits.overdraft_state is not None:
            locked = OverdraftState(limits.overdraft_state) is OverdraftState.LOCKED
            fields["overdraft_state"] = limits.overdraft_state
            fields["state"] = (WalletState.LOCKED if locked else WalletState.NORMAL).value
        if limits.overdraft_quota is not None:
            fields["overdraft_quota_micro"] = price_of(limits.overdraft_quota, "overdraftQuota")
        if limits.forewarn_threshold is not None:
            fields["forewarn_threshold_micro"] = micro_of(limits.forewarn_threshold, "forewarnThreshold")
        contacts = limits.forewarn_contact_list
        if contacts is not None:
            if unknown := await unknown_contacts(self._database, contacts, merchant_id):
                raise MtRefused(UNKNOWN_CONTACT, f"contact {', '.join(map(str, unknown))} is not there")
            fields["contacts"] = list(dict.fromkeys(contacts))
        return fields

    async def add(self, asked: Asked) -> Reply:
        body: AddWallet = asked.body
        customer = await find_customer(self._database, body.merchant_id)
        if customer is None or not asked.scope.admits(body.merchant_id):
            raise not_found(f"customer {body.merchant_id}")
        fields = {
            **await self._fields(body, body.merchant_id),
            "scenes": list(dict.fromkeys(body.proper_scene_list or ())),
            "account_name": customer.get("name"),
            "user_id": customer.get("user_id"),
        }
        wallet = await self._wallets.add(body.merchant_id, body.appcode or None, fields, asked.at)
        configured = WalletConfigured(wallet_id=wallet.wallet_id)
        return Reply(facts=(_fact(asked, "wallet.configured", configured, f"configured/{asked.call.trace_id}"),))

    async def merge(self, asked: Asked) -> Reply:
        body: MergeWallets = asked.body
        away, into = body.from_wallet_id, body.to_wallet_id
        await self._wallets.merge(asked.scope, body.merchant_id, away, into, asked.at)
        merged = WalletMerged(wallet_id=away, into_wallet_id=into, by=_by(asked))
        return Reply(facts=(_fact(asked, "wallet.merged", merged, f"merged/{asked.call.trace_id}"),))

    # ---- recharging -------------------------------------------------------------------------------------------------

    async def recharge_by_hand(self, asked: Asked) -> Reply:
        """Refuses CONFIRM_RECHARGE where the same amount was put in just now and it is not confirmed.

        Sent again after no success was answered, it is the same recharge, under the same number.
        """
        body: RechargeByHand = asked.body
        amount_micro = _amount(body)
        wallet = await self._wallets.find(asked.scope, body.wallet_id)
        if wallet.merchant_id != body.merchant_id:
            raise not_found(f"wallet {body.wallet_id} of customer {body.merchant_id}")
        number = await self._wallets.note_manual(
            asked.scope, wallet.wallet_id, amount_micro, _by(asked), asked.at, confirmed=body.confirmed
        )
        recharged = WalletRecharged(
            wallet_id=wallet.wallet_id,
            amount_micro=amount_micro,
            # Apart from the numbers of the outside world, which may look like ours.
            recharge_no=f"manual/{number}",
            business_no=number,
            method="manual",
            by=_by(asked),
        )
        facts = [_fact(asked, "wallet.recharged", recharged, f"recharge/{number}")]
        if body.send_sms:
            facts += await self._notices(asked, wallet, amount_micro, number)
        return Reply(facts=tuple(facts), published=partial(self._wallets.manual_published, wallet.wallet_id, number))

    async def _notices(self, asked: Asked, wallet: Wallet, amount_micro: int, number: str) -> list[Event]:
        fields = {"wallet": wallet.account_name or f"#{wallet.wallet_id}", "amount_micros": amount_micro}
        recipients = await recipients_of(self._database, wallet.merchant_id, wallet.contacts)
        return [
            fact(
                asked,
                "push.requested",
                recipient,
                PushRequested(recipient=recipient, kind="wallet.recharged", fields=fields),
                f"recharged/{number}/{contact}",
            )
            for contact, recipient in recipients.items()
        ]

    async def apply_recharge(self, asked: Asked) -> Reply:
        """An order, which the payment system's notice of a payment refers to."""
        body: ApplyRecharge = asked.body
        amount_micro = _amount(body)
        wallet = await self._matched(asked, body.wallet_id)
        order = await open_order(
            self._database,
            merchant_id=wallet.merchant_id,
            wallet_id=wallet.wallet_id,
            amount_micro=amount_micro,
            pay_method=body.pay_method,
            by=asked.principal.user_id,
            at=asked.at,
            lasting=timedelta(minutes=self._settings.pay_minutes),
        )
        return Reply(self._order_row(order))

    def _order_row(self, order: Order) -> OrderRow:
        amount = yuan(order.amount_micro)
        row = OrderRow(
            pay_no=order.pay_no,
            pay_type="recharge",
            pay_method=order.pay_method,
            business_no=order.pay_no,
            state=order.state,
            fee_name="recharge",
            origin_amount=amount,
            amount=amount,
        )
        if order.pay_method is not None:
            lasting = order.expires_at - order.created_at
            pay_data = PayDataRow(expire_seconds=int(lasting.total_seconds()), pay_url=self._pay_url(order))
            row.apply_pay_result = PayResultRow(is_paid=False, pay_data=pay_data)
        return row

    def _pay_url(self, order: Order) -> str | None:
        url = self._settings.pay_url
        if url is None:
            return None
        places = {"payNo": order.pay_no, "amount": str(yuan(order.amount_micro)), "payMethod": order.pay_method or ""}
        for name, value in places.items():
            url = url.replace("{" + name + "}", quote(value, safe=""))
        return url


def _amount(body: ApplyRecharge | RechargeByHand) -> int:
    """Micro-units. Refuses bad_field for what is not positive."""
    amount_micro = price_of(body.recharge_amount, "rechargeAmount")
    if not 0 < amount_micro < MAX_MICRO:
        raise Refused("bad_field", "rechargeAmount: more than 0 is expected")
    return amount_micro


def _by(asked: Asked) -> str:
    return f"{asked.principal.role}/{asked.principal.user_id}"


def _fact(asked: Asked, kind: str, payload: WalletConfigured | WalletMerged | WalletRecharged, event_id: str) -> Event:
    return fact(asked, kind, str(payload.wallet_id), payload, event_id)


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = WalletDesk(tools)
    console, crm = "/mt/beeback/wallet/", "/mt/crm/customer/wallet/"
    return (
        MtOperation("walletList", "POST", console + "wallet/list", own.own),
        MtOperation("walletFlowList", "POST", console + "wallet/flowList", own.flows, FlowQuery),
        MtOperation("walletApplyRecharge", "POST", console + "applyRecharge", own.apply_recharge, ApplyRecharge),
        MtOperation("walletQueryWallet", "POST", console + "queryWallet", own.forewarn, QueryWallet),
        MtOperation("walletConfigWallet", "POST", console + "configWallet", own.configure, ConfigWallet),
        MtOperation("crmCustomerWalletList", "POST", crm + "list", own.of_customer, MerchantIdRequest),
        MtOperation("crmCustomerWalletFlowList", "POST", crm + "flowList", own.flows, FlowQuery),
        MtOperation("crmCustomerWalletAdd", "POST", crm + "add", own.add, AddWallet),
        MtOperation("crmCustomerWalletEdit", "POST", crm + "edit", own.edit, EditWallet),
        MtOperation("crmCustomerWalletMerge", "POST", crm + "merge", own.merge, MergeWallets),
        MtOperation("crmCustomerWalletRecharge", "POST", crm + "recharge", own.recharge_by_hand, RechargeByHand),
    )
