"""/mt/beeback/deptContract: a customer's contracts, and the links to sign them by."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from schemas.events import Event
from schemas.mt.codes import MtRefused
from schemas.mt.common import page_of
from schemas.mt.wallet_codes import NO_SIGNING
from schemas.mt.wallets import ContractQuery, ContractRow, ResendSms, SignInfoRow
from schemas.push import PushRequested
from stores.mongo import Document
from stores.mt.contracts import CONTRACTS, Contract, find_contract
from stores.mt.pages import containing, find_page


class Contracts:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._zone = tools.zone
        self._unpaged_rows = tools.settings.metering.unpaged_rows
        self._vault = tools.vault

    async def list(self, asked: Asked) -> Reply:
        query: ContractQuery = asked.body
        match: Document = asked.scope.match()
        if query.keyword:
            match["$or"] = [{"_id": containing(query.keyword)}, {"name": containing(query.keyword)}]
        states: Document = {}
        if query.state_list is not None:
            states["$in"] = query.state_list
        if query.exclude_state_list:
            states["$nin"] = query.exclude_state_list
        times: Document = {}
        if query.create_date_gte is not None:
            times["$gte"] = self._zone.moment(query.create_date_gte, "createDateGte")
        if query.create_date_lte is not None:
            times["$lt"] = self._zone.moment_after(query.create_date_lte, "createDateLte")
        match |= ({"state": states} if states else {}) | ({"created_at": times} if times else {})
        found, total = await find_page(
            self._database, CONTRACTS, match, query, [("created_at", -1), ("_id", 1)], self._unpaged_rows
        )
        rows = [self._row(msgspec.convert(document, Contract)) for document in found]
        return Reply(page_of(rows, total, query))

    async def sign_info(self, asked: Asked) -> Reply:
        contract = await self._to_sign(asked, asked.param("contractNo"))
        return Reply(
            SignInfoRow(
                dept_id=contract.dept_id,
                contract_no=contract.contract_no,
                template_code=contract.template_code,
                mobile=self._mobile(contract),
                sign_url=contract.sign_url or "",
                sign_qr_code=contract.sign_qr_code,
            )
        )

    async def resend(self, asked: Asked) -> Reply:
        """The link, to whoever stands for the customer: by the ways that they are reached by."""
        body: ResendSms = asked.body
        contract = await self._to_sign(asked, body.contract_no)
        push = PushRequested(
            recipient=f"user/{contract.user_id or asked.principal.user_id}",
            kind="contract.to.sign",
            fields={"contract": contract.name or contract.contract_no, "url": contract.sign_url or ""},
            urgency="high",
        )
        event = Event(
            id=f"contract.to.sign/{asked.call.trace_id}",
            source="metering",
            type="push.requested",
            subject=push.recipient,
            time=asked.at,
            data=msgspec.json.encode(push),
            traceparent=asked.call.traceparent,
        )
        return Reply(facts=(event,))

    async def _to_sign(self, asked: Asked, contract_no: str) -> Contract:
        """Refuses not_found and NO_SIGNING."""
        contract = await find_contract(self._database, asked.scope, contract_no)
        over = contract.sign_until is not None and contract.sign_until <= asked.at
        if contract.sign_url is None or contract.finished_at is not None or over:
            raise MtRefused(NO_SIGNING, f"contract {contract_no} cannot be signed: it is signed, late or has no link")
        return contract

    def _mobile(self, contract: Contract) -> str | None:
        """Masked: the customer knows its signer."""
        if contract.signer_mobile is None:
            return None
        mobile = self._vault.decrypt(contract.signer_mobile)
        return f"{mobile[:3]}****{mobile[-4:]}"

    def _row(self, contract: Contract) -> ContractRow:
        def text(at: datetime | None) -> str | None:
            return None if at is None else self._zone.text(at)

        return ContractRow(
            id=contract.id,
            create_date=self._zone.text(contract.created_at),
            update_date=text(contract.updated_at),
            dept_id=contract.dept_id,
            dept_name=contract.dept_name,
            user_id=contract.user_id,
            contract_no=contract.contract_no,
            template_code=contract.template_code,
            contract_name=contract.name,
            state=contract.state,
            dept_item_count=len(contract.items),
            signer_mobile=self._mobile(contract),
            contract_url=contract.url,
            version=contract.version,
            version_name=contract.version_name,
            submit_time=text(contract.submitted_at),
            sign_end_time=text(contract.sign_until),
            finish_time=text(contract.finished_at),
            expire_time=text(contract.expires_at),
            reject_reason=contract.reject_reason,
        )


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Contracts(tools)
    contract = "/mt/beeback/deptContract/"
    return (
        MtOperation("deptContractList", "POST", contract + "list", own.list, ContractQuery),
        MtOperation("deptContractGetSignInfo", "GET", contract + "getSignInfo/{contractNo}", own.sign_info),
        MtOperation("deptContractResendSms", "POST", contract + "resendSms", own.resend, ResendSms),
    )
