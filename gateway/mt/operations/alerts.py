"""/mt/beeback/forewarn: error alerts of products, and the contacts who are told of them."""

from collections.abc import Sequence

from gateway.mt.contact_desk import ContactDesk, contact_rows
from gateway.mt.frame import Asked, MtOperation, Tools
from gateway.system import Reply
from handlers.products.moves import GrantState
from schemas.errors import Refused
from schemas.mt.alert_codes import NO_DEFAULT_CONTACT
from schemas.mt.alerts import ConfigItem, DeleteItem, ItemList, ItemRow, NewContact
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import IdRequest
from stores.mt.alert_contacts import contacts_of, unknown_contacts
from stores.mt.alert_rules import AlertRule, drop_rules, keep_rules, rule_id, rules_of
from stores.mt.grants import items_granted
from stores.mt.names import product_names

HELD = (GrantState.OPEN, GrantState.DISABLED)
"""Grants whose products can be watched: a disabled one may be enabled again, and has its alert then."""


class Alerts:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._vault = tools.vault
        self._desk = ContactDesk(tools)

    async def configure(self, asked: Asked) -> Reply:
        """Set the alert of each product; one that is there is replaced. No contacts named: the default one."""
        body: ConfigItem = asked.body
        merchant_id = merchant_of(asked)
        items = list(dict.fromkeys(body.check_item_list))
        held = await items_granted(self._database, asked.scope, HELD)
        if strange := [item for item in items if item not in held]:
            raise not_found(f"product {', '.join(strange)}")
        contacts = await self._contacts(asked, body.contacts, merchant_id)
        rules = [
            AlertRule(
                id=rule_id(merchant_id, item),
                merchant_id=merchant_id,
                item=item,
                period_seconds=body.period_seconds,
                error_count=body.error_count,
                contacts=contacts,
                since=asked.at,
                set_by=asked.principal.user_id,
            )
            for item in items
        ]
        await keep_rules(self._database, rules)
        return Reply()

    async def delete(self, asked: Asked) -> Reply:
        """Alerts that are open end, and nobody is told. Products without an alert are passed over."""
        body: DeleteItem = asked.body
        if body.check_item_list:
            await drop_rules(self._database, merchant_of(asked), body.check_item_list)
        return Reply()

    async def list(self, asked: Asked) -> Reply:
        """The products with an alert; where asked for, those that could have one and have none."""
        body: ItemList = asked.body
        rules = await rules_of(self._database, asked.scope)
        if body.query_for_add:
            without = await items_granted(self._database, asked.scope, HELD) - {rule.item for rule in rules}
            names = await product_names(self._database, without)
            return Reply([ItemRow(check_item=item, item_name=names.get(item, item)) for item in sorted(without)])
        names = await product_names(self._database, [rule.item for rule in rules])
        contacts = {contact.id: contact for contact in await contacts_of(self._database, asked.scope)}
        return Reply(
            [
                ItemRow(
                    check_item=rule.item,
                    item_name=names.get(rule.item, rule.item),
                    period_seconds=rule.period_seconds,
                    error_count=rule.error_count,
                    contact_list=contact_rows(
                        [contacts[each] for each in rule.contacts if each in contacts], self._vault
                    ),
                )
                for rule in rules
            ]
        )

    async def contacts(self, asked: Asked) -> Reply:
        return Reply(contact_rows(await contacts_of(self._database, asked.scope), self._vault))

    async def add_contact(self, asked: Asked) -> Reply:
        await self._desk.keep(asked.body, merchant_of(asked), asked.scope, asked.at)
        return Reply()

    async def delete_contact(self, asked: Asked) -> Reply:
        await self._desk.drop(asked.body, asked.scope, asked.at)
        return Reply()

    async def _contacts(self, asked: Asked, named: Sequence[int], merchant_id: int) -> tuple[int, ...]:
        if not named:
            default = [each.id for each in await contacts_of(self._database, asked.scope) if each.is_default]
            if not default:
                raise MtRefused(NO_DEFAULT_CONTACT, "no contact is named, and none is the default one")
            return tuple(default)
        if unknown := await unknown_contacts(self._database, named, merchant_id):
            raise not_found(f"contact {', '.join(map(str, unknown))}")
        return tuple(dict.fromkeys(named))


def merchant_of(asked: Asked) -> int:
    """The customer who calls: these operations are of the client console."""
    if asked.principal.merchant_id is None:
        raise Refused("forbidden", "for customers")
    return asked.principal.merchant_id


def operations(tools: Tools) -> Sequence[MtOperation]:
    own = Alerts(tools)
    base = "/mt/beeback/forewarn"
    return (
        MtOperation("forewarnConfigItem", "POST", f"{base}/configItem", own.configure, ConfigItem),
        MtOperation("forewarnDeleteItem", "POST", f"{base}/deleteItem", own.delete, DeleteItem),
        MtOperation("forewarnItemList", "POST", f"{base}/itemList", own.list, ItemList),
        MtOperation("forewarnQueryAllContacts", "GET", f"{base}/queryAllContacts", own.contacts),
        MtOperation("forewarnAddContacts", "POST", f"{base}/addContacts", own.add_contact, NewContact),
        MtOperation("forewarnDeleteContacts", "POST", f"{base}/deleteContacts", own.delete_contact, IdRequest),
    )
