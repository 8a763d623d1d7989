"""Settings of accounts: written in the call itself, so that they are read back at once."""

from typing import Any

from gateway.system import Call, Reply
from schemas.account import AccountStatus
from schemas.chat import SubAccountBinding, UserUpdate
from schemas.errors import Refused
from stores.accounts import SettingsChange, mark_deleted, unbind, write_settings
from stores.mongo import Database


class AccountSettings:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def update_user(self, call: Call) -> Reply:
        """Only what is sent changes; status 1 brings a deleted account back."""
        body: UserUpdate = call.body
        values = given(
            status=body.status,
            sale_no=body.sale_no,
            administrators=body.administrators,
            account_attribute=body.account_attribute,
            **limits(body),
        )
        await write_settings(self._database, [SettingsChange(body.user_id, values)], call.received_at)
        return Reply(True)

    async def delete_user(self, call: Call) -> Reply:
        """False where there is no such account."""
        body: UserUpdate = call.body
        return Reply(await mark_deleted(self._database, body.user_id, call.received_at))

    async def bind_sub_accounts(self, call: Call) -> Reply:
        """Binds `userId` and the valid `sonUsers` to `mainUserId`, and takes away those marked as deleted."""
        body: SubAccountBinding = call.body
        main = body.main_user_id
        if not main:
            raise Refused("bad_field", "mainUserId: which account to bind to is needed")
        sons = tuple(body.son_users or ())
        bound = [son.user_id for son in sons if son.status != 1]
        unbound = [son.user_id for son in sons if son.status == 1]
        if body.user_id:
            (unbound if body.status == 0 else bound).append(body.user_id)
        if not bound and not unbound:
            raise Refused("bad_field", "sonUsers: whom to bind is needed, there or in userId")
        changes = [
            SettingsChange(user_id, {"main_user_id": main, **described(body, with_name=user_id == body.user_id)})
            for user_id in bound
        ]
        _require_other(main, bound)
        await write_settings(self._database, changes, call.received_at)
        await unbind(self._database, main, unbound, call.received_at)
        return Reply()

    async def import_user(self, call: Call) -> Reply:
        """Makes `userId` known, enabled unless `status` is 0; a deleted account comes back.

        It is bound to `mainUserId`; the `sonUsers` too, or else to the account itself.
        """
        body: SubAccountBinding = call.body
        if not body.user_id:
            raise Refused("bad_field", "userId: which account to import is needed")
        status = AccountStatus.DISABLED if body.status == 0 else AccountStatus.ENABLED
        values = given(
            status=int(status),
            corp_id=body.corp_id or None,
            creator=body.create_by or call.query.get("userid") or None,
            main_user_id=body.main_user_id or None,
            **described(body, with_name=True),
        )
        main = body.main_user_id or body.user_id
        sons = [son.user_id for son in body.son_users or () if son.status != 1]
        _require_other(main, sons)
        if body.main_user_id:
            _require_other(main, [body.user_id])
        changes = [SettingsChange(body.user_id, values), *(SettingsChange(son, {"main_user_id": main}) for son in sons)]
        await write_settings(self._database, changes, call.received_at)
        return Reply(True)


def described(body: SubAccountBinding, *, with_name: bool) -> dict[str, Any]:
    """What a binding says of the sub-accounts it names; the name is that of `userId` alone."""
    return given(
        short_name=(body.short_name or None) if with_name else None,
        ascription=body.ascription or None,
        account_attribute=body.account_attribute,
        **limits(body),
    )


def limits(body: UserUpdate | SubAccountBinding) -> dict[str, Any]:
    """The friend-request limits. Refuses a shortest interval above the longest."""
    if body.min_second is not None and body.max_second is not None and body.min_second > body.max_second:
        raise Refused("bad_field", f"minSecond: {body.min_second} is above maxSecond, {body.max_second}")
    return {"min_second": body.min_second, "max_second": body.max_second, "upper_limit": body.upper_limit}


def given(**values: Any) -> dict[str, Any]:
    """What was sent."""
    return {name: value for name, value in values.items() if value is not None}


def _require_other(main: str, user_ids: list[str]) -> None:
    if main in user_ids:
        raise Refused("bad_field", f"mainUserId: {main!r} cannot be bound to itself")
