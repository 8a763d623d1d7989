"""Contacts of alerts as customers keep them: added, changed, taken away, with the ways by which they are reached.

A webhook is sent to as the service behind it wants: those of DingTalk, WeCom and Feishu are
their robots', any other is signed as Standard Webhooks says.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from gateway import endpoint_desk
from gateway.masks import MASK, masked_url
from gateway.mt.frame import Tools
from schemas.endpoint_api import NewEndpoint
from schemas.errors import Refused
from schemas.mail_address import parse_address
from schemas.mt.access import Scope
from schemas.mt.alert_codes import LAST_CONTACT, TOO_MANY_CONTACTS
from schemas.mt.alerts import MAX_CONTACTS, ContactRow, NewContact
from schemas.mt.codes import MtRefused, not_found
from schemas.mt.common import IdRequest
from schemas.preferences import Preferences
from stores.endpoints import Endpoints
from stores.mt.alert_contacts import (
    AlertContact,
    count_contacts,
    drop_contact,
    find_contact,
    keep_contact,
    recipient_of,
    uses_of,
)
from stores.mt.numbers import next_number
from stores.preferences import forget_preferences, keep_preferences
from stores.usage.personal import mask
from stores.vault import Vault

ROBOTS = {
    "oapi.dingtalk.com": "dingtalk",
    "qyapi.weixin.qq.com": "wecom",
    "open.feishu.cn": "feishu",
    "open.larksuite.com": "feishu",
}
MOBILE = re.compile(r"1[3-9][0-9]{9}")
"""metering.yaml, ForewarnContact."""


class ContactDesk:
    def __init__(self, tools: Tools) -> None:
        self._database = tools.database
        self._vault = tools.vault
        self._zone = tools.settings.metering.zone
        self._endpoints = Endpoints(tools.database, Vault(tools.settings.push.secrets_keys))

    async def keep(self, wanted: NewContact, merchant_id: int, scope: Scope, now: datetime) -> None:
        """Add a contact, or change the one whose id is given. Refuses what nobody can be reached by."""
        former = await self._former(wanted, scope)
        if former is None and await count_contacts(self._database, merchant_id) >= MAX_CONTACTS:
            raise MtRefused(TOO_MANY_CONTACTS, f"a customer has at most {MAX_CONTACTS} contacts")
        webhook = _kept_or(wanted.webhook, former.webhook if former else None)
        number, address = _number(wanted.mobile), _email(wanted.email)
        if not (number or webhook or address):
            raise Refused("bad_field", "a contact has a mobile, an email or a webhook")
        contact_id = await next_number(self._database, "alert_contact") if former is None else former.id
        contact = AlertContact(
            id=contact_id,
            merchant_id=merchant_id,
            linkman=wanted.linkman,
            email=address,
            is_default=wanted.is_default,
            created_at=now if former is None else former.created_at,
            updated_at=now,
            **await self._webhook(webhook, former, contact_id, now),
            **await self._mobile(number, former, contact_id, now),
        )
        await self._prefer(contact, now)
        await keep_contact(self._database, contact)
        if former is not None:
            await self._let_go(former, contact, now)

    async def drop(self, asked: IdRequest, scope: Scope, now: datetime) -> None:
        """Take a contact away, out of alerts and wallets too. Refused where one would be left with nobody to tell."""
        contact = await find_contact(self._database, scope, asked.id)
        if contact is None:
            raise not_found(f"contact {asked.id}")
        alone = [name for name, lists in (await uses_of(self._database, contact)).items() if [contact.id] in lists]
        if alone:
            raise MtRefused(LAST_CONTACT, f"it is the only contact of {', '.join(sorted(alone))}")
        await drop_contact(self._database, contact)
        await self._let_go(contact, None, now)
        await forget_preferences(self._database, recipient_of(contact.id))

    async def _former(self, wanted: NewContact, scope: Scope) -> AlertContact | None:
        if not wanted.id:
            return None
        if (former := await find_contact(self._database, scope, wanted.id)) is None:
            raise not_found(f"contact {wanted.id}")
        return former

    async def _webhook(
        self, webhook: str | None, former: AlertContact | None, contact_id: int, now: datetime
    ) -> dict[str, str | None]:
        if former is not None and webhook == former.webhook:
            return {"webhook": former.webhook, "webhook_endpoint": former.webhook_endpoint}
        if not webhook:
            return {}
        channel = channel_of(webhook)
        return {
            "webhook": masked_url(channel, webhook),
            "webhook_endpoint": await self._endpoint(channel, webhook, contact_id, now),
        }

    async def _mobile(
        self, number: str | None, former: AlertContact | None, contact_id: int, now: datetime
    ) -> dict[str, str | None]:
        if former is not None and number == opened_mobile(former, self._vault):
            kept = ("mobile", "mobile_secret", "mobile_endpoint")
            return {name: getattr(former, name) for name in kept}
        if number is None:
            return {}
        return {
            "mobile": mask("mobile", number),
            "mobile_secret": self._vault.encrypt(number),
            "mobile_endpoint": await self._endpoint("sms", f"tel:{number}", contact_id, now),
        }

    async def _endpoint(self, channel: str, url: str, contact_id: int, now: datetime) -> str:
        wanted = NewEndpoint(owner=recipient_of(contact_id), channel=channel, url=url)
        try:
            return (await endpoint_desk.create(self._endpoints, wanted, now)).endpoint.id
        except Refused as refused:
            if refused.reason != "bad_field":
                raise
            raise Refused("bad_field", f"{'mobile' if channel == 'sms' else 'webhook'}: {refused}") from None

    async def _prefer(self, contact: AlertContact, now: datetime) -> None:
        preferences = Preferences(
            recipient=recipient_of(contact.id), language="zh", timezone=self._zone, email=contact.email
        )
        await keep_preferences(self._database, preferences, now)

    async def _let_go(self, former: AlertContact, contact: AlertContact | None, now: datetime) -> None:
        """Delete the endpoints that are of no use any more."""
        used = set() if contact is None else {contact.webhook_endpoint, contact.mobile_endpoint}
        for endpoint in (former.webhook_endpoint, former.mobile_endpoint):
            if endpoint is not None and endpoint not in used:
                await self._endpoints.delete(endpoint, now)


def channel_of(webhook: str) -> str:
    """The channel that speaks to what is behind a webhook."""
    try:
        return ROBOTS.get(urlsplit(webhook).hostname or "", "webhook")
    except ValueError:
        return "webhook"


def opened_mobile(contact: AlertContact, vault: Vault) -> str | None:
    """The whole number: the contract knows no other, and they are the customer's own people."""
    return None if contact.mobile_secret is None else vault.decrypt(contact.mobile_secret)


def contact_row(contact: AlertContact, vault: Vault) -> ContactRow:
    return ContactRow(
        id=contact.id,
        linkman=contact.linkman,
        mobile=opened_mobile(contact, vault),
        email=contact.email,
        webhook=contact.webhook,
        is_default=contact.is_default,
    )


def contact_rows(contacts: Sequence[AlertContact], vault: Vault) -> list[ContactRow]:
    return [contact_row(contact, vault) for contact in contacts]


def _kept_or(sent: str | None, former: str | None) -> str | None:
    """What is sent. Who sends back what was shown in place of the whole leaves it as it is."""
    sent = (sent or "").strip()
    if not sent:
        return None
    if sent != former and MASK in sent:
        raise Refused("bad_field", f"webhook: {MASK} stands for what is not shown: send the whole, or what was shown")
    return sent


def _number(mobile: str | None) -> str | None:
    """As the contract writes it; None where there is none."""
    number = re.sub(r"[ ()-]", "", mobile or "").removeprefix("+86")
    if not number:
        return None
    if not MOBILE.fullmatch(number):
        raise Refused("bad_field", "mobile: 11 digits are expected, the first of them 1 and 3 to 9")
    return number


def _email(email: str | None) -> str | None:
    if email is None or not email.strip():
        return None
    try:
        return parse_address(email.strip()).spec
    except ValueError as error:
        raise Refused("bad_field", f"email: {error}") from None
