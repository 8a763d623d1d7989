"""Contacts: the newest state of each by event time. Their bindings are settings; facts about those are only kept."""

from handlers.effects import Effect, Latest
from handlers.outcome import Outcome
from schemas.contact import ContactBound, ContactSynced, ContactUnbound
from schemas.events import Event

CONTACTS = "contacts"


def fold_contact(event: Event, contact: ContactSynced) -> Outcome:
    state = {
        "agent_id": contact.agent_id,
        "account": contact.account,
        "remark": contact.remark,
        "template_id": contact.template_id,
        "removed": contact.removed,
    }
    return Outcome(effects=(Effect(CONTACTS, str(int(contact.contact_id)), {"state": Latest(event.time, state)}),))


def keep_binding_fact(_: Event, __: ContactBound | ContactUnbound) -> Outcome:
    """The binding itself was written in the call: there is nothing left to fold."""
    return Outcome()
