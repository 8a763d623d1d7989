"""Wallets, accounts, contracts: what is asked and answered (metering.yaml: console-wallet, crm-customers, ...)."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from schemas.mt.alerts import ContactRow
from schemas.mt.common import MAX_PAGE, PageQuery, Row
from schemas.numbers import NO_NUL, Int32, Int64, Text
from schemas.times import Instant

MAX_CONTACTS = 100
AppCode = Annotated[str, msgspec.Meta(max_length=128, pattern=NO_NUL)]
Scenes = Annotated[list[AppCode], msgspec.Meta(max_length=100)]
Contacts = Annotated[list[Int64], msgspec.Meta(max_length=MAX_CONTACTS)]
Overdraft = Literal[-1, 0, 10, 20]
PayMethod = Annotated[str, msgspec.Meta(max_length=64, pattern=NO_NUL)]
Env = Literal["prod", "test"]
ContractNo = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """What is asked."""


# ---- wallets --------------------------------------------------------------------------------------------------------


class MerchantIdRequest(Body, kw_only=True):
    merchant_id: Int64


class FlowQuery(PageQuery, kw_only=True):
    """WalletFlowQuery."""

    assign_wallet_id: Int64
    flow_type: Literal["in", "out"] | None = None
    biz_type_list: Annotated[list[Literal["bizPay", "recharge", "refund"]], msgspec.Meta(max_length=10)] | None = None
    create_time_gte: str | None = None
    create_time_lte: str | None = None


class ApplyRecharge(Body, kw_only=True):
    """WalletApplyRechargeRequest. `payer_openid` and `apply_app_type` are the payment system's business."""

    wallet_id: Int64 | None = None
    recharge_amount: Decimal
    pay_method: PayMethod | None = None
    payer_openid: Text | None = None
    apply_app_type: Literal["mini", "wechatMp", "pc", "app", "h5"] | None = None


class QueryWallet(Body, kw_only=True):
    wallet_id: Int64 | None = None


class ConfigWallet(Body, kw_only=True):
    wallet_id: Int64
    forewarn_threshold: Decimal
    forewarn_contact_list: Contacts


class Limits(Body, kw_only=True):
    """What adding and editing a wallet have in common."""

    overdraft_state: Overdraft | None = None
    overdraft_quota: Decimal | None = None
    forewarn_threshold: Decimal | None = None
    forewarn_contact_list: Contacts | None = None


class AddWallet(Limits, kw_only=True):
    """CrmCustomerWalletAddRequest."""

    merchant_id: Int64
    appcode: AppCode
    proper_scene_list: Scenes | None = None


class EditWallet(Limits, kw_only=True):
    wallet_id: Int64


class MergeWallets(Body, kw_only=True):
    merchant_id: Int64
    from_wallet_id: Int64
    to_wallet_id: Int64


class RechargeByHand(Body, kw_only=True):
    merchant_id: Int64
    wallet_id: Int64
    recharge_amount: Decimal
    send_sms: bool = False
    confirmed: bool = False


class PayRouteRow(Row, kw_only=True):
    appcode: str
    app_name: str | None = None
    proper_scene_list: list[str] | None = None


class WalletRow(Row, kw_only=True):
    """Wallet."""

    id: int
    user_id: int | None = None
    account_name: str | None = None
    account_type: int
    is_default: bool
    state: int
    balance: Decimal
    overdraft_state: int
    overdraft_quota: Decimal
    forewarn_threshold: Decimal | None = None
    forewarn_contact_list: list[ContactRow]
    pay_route_list: list[PayRouteRow]


class FlowRow(Row, kw_only=True):
    """WalletFlow."""

    id: int
    create_by: int | None = None
    create_time: str
    modify_time: str | None = None
    wallet_id: int
    flow_no: str
    flow_type: str
    biz_type: str
    pay_method: str | None = None
    business_no: str | None = None
    fee_name: str
    flow_amount: Decimal
    after_balance: Decimal
    appcode: str | None = None


class ForewarnRow(Row, kw_only=True):
    """WalletForewarn."""

    wallet_id: int
    balance: Decimal
    overdraft_state: int
    overdraft_quota: Decimal
    forewarn_threshold: Decimal | None = None
    forewarn_contact_list: list[ContactRow]


class PayDataRow(Row, kw_only=True):
    """RechargePayData."""

    expire_seconds: int
    pay_url: str | None = None


class PayResultRow(Row, kw_only=True):
    """RechargePayResult."""

    is_paid: bool | None = None
    pay_data: PayDataRow


class OrderRow(Row, kw_only=True):
    """RechargeOrder."""

    pay_no: str
    pay_type: str
    pay_method: str | None = None
    business_no: str
    state: int | None = None
    fee_name: str
    origin_amount: Decimal
    amount: Decimal
    apply_pay_result: PayResultRow | None = None


# ---- developer accounts ---------------------------------------------------------------------------------------------


class EnvRequest(Body, kw_only=True):
    env: Env


class WhiteIps(Body, kw_only=True):
    enable: bool
    ip_list: Annotated[str, msgspec.Meta(max_length=8_192, pattern=NO_NUL)] | None = None


class LoginRow(Row, kw_only=True):
    """ConsoleLoginInfo."""

    login_id: str
    stoken: str
    user_id: int
    username: str | None = None
    nickname: str | None = None
    merchant_id: int
    merchant_name: str | None = None
    industry: str | None = None
    salesman_id: int | None = None
    linkman: str | None = None
    email: str | None = None
    request_ip: str
    refresh_time: int
    app_id: str | None = None
    appcode: str | None = None
    dept_id: int | None = None
    dept_name: str | None = None


class AccountRow(Row, kw_only=True):
    """DeveloperAccount."""

    dept_id: int
    dept_name: str | None = None
    app_id: str | None = None
    app_secret: str | None = None
    env: str
    status: int
    white_ip_list: str


# ---- contracts ------------------------------------------------------------------------------------------------------


class ContractQuery(PageQuery, kw_only=True):
    keyword: Text | None = None
    state_list: Annotated[list[Int32], msgspec.Meta(max_length=MAX_PAGE)] | None = None
    exclude_state_list: Annotated[list[Int32], msgspec.Meta(max_length=MAX_PAGE)] | None = None
    create_date_gte: str | None = None
    create_date_lte: str | None = None


class ResendSms(Body, kw_only=True):
    contract_no: ContractNo
    mobile: Annotated[str, msgspec.Meta(max_length=32, pattern=NO_NUL)] | None = None


class ContractRow(Row, kw_only=True):
    """Contract."""

    id: int | None = None
    create_date: str
    update_date: str | None = None
    dept_id: int | None = None
    dept_name: str | None = None
    user_id: int | None = None
    contract_no: str
    template_code: str | None = None
    contract_name: str | None = None
    state: int
    dept_item_count: int
    signer_mobile: str | None = None
    contract_url: str | None = None
    version: int | None = None
    version_name: str | None = None
    submit_time: str | None = None
    sign_end_time: str | None = None
    finish_time: str | None = None
    expire_time: str | None = None
    reject_reason: str | None = None


class SignInfoRow(Row, kw_only=True):
    """ContractSignInfo."""

    dept_id: int | None = None
    contract_no: str
    template_code: str | None = None
    mobile: str | None = None
    sign_url: str
    sign_qr_code: str | None = None


# ---- the console's home page ----------------------------------------------------------------------------------------


class OverviewRow(msgspec.Struct, rename="camel", kw_only=True):
    """ConsoleOverview. Nothing is left out: a zero is a figure too."""

    balance: Decimal
    overdue_amount: Decimal
    overdraft_quota: Decimal
    unconfirmed_bill_count: int
    mine_item_count: int
    applying_item_count: int
    unread_msg_count: int
    wait_prefect_count: int
    """Named so by the contract: what is still to be filled in."""


# ---- payments -------------------------------------------------------------------------------------------------------


class PaymentNotice(msgspec.Struct, rename="camel", kw_only=True):
    """What the payment system says of a recharge order: POST /callbacks/payments."""

    payment_no: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]
    """Its own number of the payment."""
    pay_no: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=NO_NUL)]
    """The order's number, as applyRecharge answered it."""
    amount: Decimal
    paid_at: Instant | None = None
    """RFC 3339; left out: when the notice comes in."""
    pay_method: PayMethod | None = None
