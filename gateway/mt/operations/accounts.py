"""/mt/beeback/dept: who is signed in, developer accounts, from which addresses they may call."""

from collections.abc import Sequence
from functools import partial
from ipaddress import ip_network

from gateway.mt.facts import fact
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from gateway.tokens import bearer_token
from schemas.errors import Refused
from schemas.events import Event
from schemas.merchant import MerchantAccountChanged
from schemas.mt.codes import not_found
from schemas.mt.wallets import AccountRow, EnvRequest, LoginRow, WhiteIps
from schemas.times import unix_milliseconds
from stores.mt.accounts import Account, Accounts
from stores.mt.customers import find_customer
from stores.mt.sessions import Sessions, key_of

OFF = "off"
"""What stands in place of a white list that is switched off (contract, DeveloperAccount)."""
MAX_IPS = 200


class AccountDesk:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._accounts = Accounts(tools.database, tools.vault)
        self._sessions = Sessions(tools.database)

    async def session(self, asked: Asked) -> Reply:
        """`mustRefresh` lets the session last as long as it did from the beginning."""
        token = bearer_token(asked.call.headers) or ""
        if asked.call.query.get("mustRefresh") == "true":
            await self._sessions.refresh(token, asked.at)
        principal = asked.principal
        if principal.merchant_id is None:
            raise not_found("a customer of this login")
        customer = await find_customer(self._database, principal.merchant_id) or {}
        account = next(iter(await self._accounts.of(asked.scope)), None)
        row = LoginRow(
            login_id=key_of(token)[:16],
            stoken=token,
            user_id=principal.user_id,
            username=principal.name or None,
            nickname=principal.name or None,
            merchant_id=principal.merchant_id,
            merchant_name=customer.get("name"),
            industry=customer.get("industry"),
            salesman_id=customer.get("salesman_id"),
            linkman=customer.get("linkman"),
            email=next(iter(customer.get("emails", ())), None),
            request_ip=asked.call.remote,
            refresh_time=unix_milliseconds(asked.at),
        )
        if account is not None:
            row.dept_id, row.dept_name = account.dept_id, account.name
            row.app_id, row.appcode = account.app_id, account.app_code
        return Reply(row)

    async def listed(self, asked: Asked) -> Reply:
        """With the secret of each the first time it is listed, and never again."""
        body: EnvRequest = asked.body
        rows = []
        for account in await self._accounts.of(asked.scope, body.env):
            row = _row(account)
            row.app_secret = await self._accounts.take_secret(account, asked.at)
            rows.append(row)
        return Reply(rows)

    async def apply(self, asked: Asked) -> Reply:
        """One account an environment; it is on trial, and can be listed at once.

        Sent again after no success was answered, it is the same account, and told of then.
        """
        body: EnvRequest = asked.body
        merchant_id = asked.principal.merchant_id
        if merchant_id is None:
            raise not_found("a customer of this login")
        customer = await find_customer(self._database, merchant_id) or {}
        account = await self._accounts.open(
            merchant_id, body.env, customer.get("name"), asked.principal.user_id, asked.at
        )
        return Reply(
            facts=(_fact(asked, account, "opened"),), published=partial(self._accounts.opening_told, account.dept_id)
        )

    async def save_white_ips(self, asked: Asked) -> Reply:
        """For all accounts of the customer. Refuses bad_field for what is neither an address nor a network."""
        body: WhiteIps = asked.body
        ips = addresses_in(body.ip_list) if body.enable else None
        changed = await self._accounts.set_white_list(asked.scope, ips)
        if not changed:
            raise not_found("an account of the customer")
        return Reply(facts=tuple(_fact(asked, account, f"white-list/{asked.call.trace_id}") for account in changed))


def addresses_in(text: str | None) -> list[str]:
    """Of a list with commas, each once. Refuses bad_field."""
    parts = [part.strip() for part in (text or "").split(",")]
    found = list(dict.fromkeys(part for part in parts if part))
    if not 0 < len(found) <= MAX_IPS:
        raise Refused("bad_field", f"ipList: 1 to {MAX_IPS} addresses are expected")
    for address in found:
        try:
            ip_network(address, strict=False)
        except ValueError:
            raise Refused("bad_field", f"ipList: {address[:64]!r} is no address and no network") from None
    return found


def _fact(asked: Asked, account: Account, what: str) -> Event:
    """For whoever lets calls in."""
    changed = MerchantAccountChanged(
        dept_id=account.dept_id,
        merchant_id=account.merchant_id,
        app_id=account.app_id,
        app_code=account.app_code,
        env="test" if account.env == "test" else "prod",
        status=1 if account.status else 0,
        white_list_on=account.white_list_on,
        white_ips=account.white_ips,
        by=asked.principal.user_id,
    )
    event_id = f"account/{account.dept_id}/{what}"
    return fact(asked, "merchant.account.changed", str(account.dept_id), changed, event_id)


def _row(account: Account) -> AccountRow:
    return AccountRow(
        dept_id=account.dept_id,
        dept_name=account.name,
        app_id=account.app_id,
        env=account.env,
        status=account.status,
        white_ip_list=",".join(account.white_ips) if account.white_list_on else OFF,
    )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = AccountDesk(tools)
    dept = "/mt/beeback/dept/"
    return (
        MtOperation("deptQuerySession", "GET", dept + "querySession", own.session),
        MtOperation("deptDeveloperInfo", "POST", dept + "developerInfo", own.listed, EnvRequest),
        MtOperation("deptSaveWhiteIpList", "POST", dept + "saveWhiteIpList", own.save_white_ips, WhiteIps),
        MtOperation("deptApplyDeveloper", "POST", dept + "applyDeveloper", own.apply, EnvRequest),
    )
